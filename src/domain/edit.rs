//! One kind of change: puts and deletes over any layers, with the versions they expect, an author and a note.

use super::{feature::Feature, schema::LayerId};

/// One change of one feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The feature shall be as given. `expects` is the version it replaces; `None` for a new feature.
    Put {
        /// The layer.
        layer: LayerId,
        /// The feature as it shall be.
        feature: Feature,
        /// The version that the author saw.
        expects: Option<i64>,
    },
    /// The feature shall be no more.
    Delete {
        /// The layer.
        layer: LayerId,
        /// The feature's id.
        id: i64,
        /// The version that the author saw.
        expects: i64,
    },
}

/// Features that came from others: a split has one parent and several children, a merge several parents and one child.
/// A feature may be both, where it keeps its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The layer of all of them.
    pub layer: LayerId,
    /// The features before, by id.
    pub parents: Vec<i64>,
    /// The features after, by id; each is put by the same edit.
    pub children: Vec<i64>,
}

/// A change of the workspace, all of it or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// What, in order.
    pub changes: Vec<Change>,
    /// Which of the features put came from which.
    pub lineage: Vec<Lineage>,
}
