//! Who asks, and what they may: decided once for each request, before its handler.

use crate::domain::schema::LayerId;

use super::error::ApiError;

/// What the one who asks is called and may do.
#[derive(Debug, Clone)]
pub(super) struct Access {
    author: String,
}

impl Access {
    /// Everything: the person at their own machine.
    pub(super) fn everything() -> Self {
        Self { author: "local".to_owned() }
    }

    /// Who, as the history of changes names them.
    pub(super) fn author(&self) -> &str {
        &self.author
    }

    /// Refuses who may not change a layer.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "nobody is refused yet")]
    pub(super) fn check_edit(&self, _layer: &LayerId) -> Result<(), ApiError> {
        Ok(())
    }
}
