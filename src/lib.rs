//! 亩图 Mutu: a land-use and industrial-park planner.

pub mod domain;
pub mod engine;
pub mod formats;
pub mod gpkg;
pub mod ground;
pub mod store;
