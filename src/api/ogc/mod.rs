//! OGC API: a module for each standard, with the conformance classes it earns.

pub(super) mod common;
pub(super) mod editing;
pub(super) mod features;
pub(super) mod schema;
pub(super) mod styles;
pub(super) mod tile_sets;
pub(super) mod tiles;
mod token;
mod writing;

pub(super) use self::{features::SORTBY, writing::PROPERTIES};
