//! The picture of an earlier moment, made from a later one: some features as they were, everything else shared.
//!
//! Invariant: the state it is made from is not touched, and what is made has the same segments and indexes but for one
//! small last segment of the features that were otherwise.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    domain::{feature::Feature, schema::LayerId},
    engine::table::{Row, SegmentBuilder},
};

use super::{Catalog, CatalogError, LayerState};

/// How features were: the feature with its version, or `None` where it was not there, by id.
pub type Were = BTreeMap<i64, Option<(Feature, i64)>>;

impl LayerState {
    /// The layer with some features as they were, in time proportional to their number.
    ///
    /// # Errors
    /// [`CatalogError::Table`] where a feature does not fit the layer's columns.
    pub fn with_features_as(&self, were: &Were) -> Result<Self, CatalogError> {
        let gone: Vec<Row> = were.keys().filter_map(|id| self.table.row_of(*id)).collect();
        let mut builder = SegmentBuilder::new(&self.layer, Some(self.grid.clone()));
        for (feature, version) in were.values().flatten() {
            let view = feature.view();
            builder
                .push((feature.id, *version), view.shape, &view.values)
                .map_err(|source| CatalogError::Table { layer: self.layer.id.clone(), source })?;
        }
        let kept = self.table.segments().len();
        let table = self.table.with_last(kept, Some(builder.finish()), &gone);
        Ok(self.beside(table))
    }

    /// Whether the largest part of the features is the very same memory as another state's.
    #[must_use]
    pub fn shares_base(&self, other: &Self) -> bool {
        match (self.table.segments().first(), other.table.segments().first()) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (own, others) => own.is_none() && others.is_none(),
        }
    }
}

impl Catalog {
    /// A catalog of states that others may share, as it was after edit `seq`.
    #[must_use]
    pub fn of_states(states: Vec<Arc<LayerState>>, seq: i64) -> Self {
        let order: Vec<LayerId> = states.iter().map(|state| state.layer.id.clone()).collect();
        let layers = states.into_iter().map(|state| (state.layer.id.clone(), state)).collect();
        Self { seq, layers, order, as_of: None }
    }

    /// The same catalog as the answer to a question about a moment, in milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_of_moment(&self, at: i64) -> Self {
        Self { as_of: Some(at), ..self.clone() }
    }

    /// The moment that was asked about, in milliseconds since 1970-01-01T00:00:00Z; `None` for the present.
    #[must_use]
    pub const fn as_of(&self) -> Option<i64> {
        self.as_of
    }
}
