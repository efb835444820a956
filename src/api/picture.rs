//! The picture of all layers that a request is answered from: at the moment it asks for, with what its author may see.

use std::sync::Arc;

use crate::catalog::Catalog;

use super::{AppState, error::ApiError, query::Asked};

impl AppState {
    /// The layers as a request sees them. Every answer about features comes from here.
    #[expect(clippy::unused_async, reason = "pictures of the past are built beside the threads that answer")]
    pub(super) async fn picture(&self, _asked: &Asked) -> Result<Arc<Catalog>, ApiError> {
        Ok(self.planner.read())
    }
}
