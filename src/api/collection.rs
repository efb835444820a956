//! The layer that a path names: handlers receive its state, never a string.

use std::sync::Arc;

use crate::catalog::{Catalog, LayerState};

use super::{AppState, error::ApiError, query::Asked};

/// One moment's picture of one layer.
pub(super) struct Collection {
    pub(super) catalog: Arc<Catalog>,
    pub(super) state: Arc<LayerState>,
}

impl Collection {
    /// The layer of an id, as a request sees it.
    pub(super) async fn find(state: &AppState, asked: &Asked, id: &str) -> Result<Self, ApiError> {
        let catalog = state.picture(asked).await?;
        let found = catalog.layer(id).cloned();
        let Some(layer) = found else { return Err(state.no_layer(asked, &catalog, id).await) };
        Ok(Self { catalog, state: layer })
    }

    /// The path of the layer, percent-encoded.
    pub(super) fn path(&self) -> String {
        path_of(self.state.layer().id.as_str())
    }

    /// Whether a name is a property that requests may filter on.
    pub(super) fn has_property(&self, name: &str) -> bool {
        let layer = self.state.layer();
        layer.schema.position(name).is_some() || layer.derived(name).is_some()
    }
}

/// The path of a layer, percent-encoded.
pub(super) fn path_of(id: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    format!("/collections/{}", encoded.to_string().replace("%5F", "_").replace("%2D", "-"))
}
