//! OGC API: a module for each standard, with the conformance classes it earns.

pub(super) mod common;
pub(super) mod features;
pub(super) mod schema;
mod token;
mod writing;
