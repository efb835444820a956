//! 亩图 Mutu: a land-use and industrial-park planner.

pub mod ground;
pub mod domain;
pub mod engine;
pub mod formats;
pub mod gpkg;
pub mod seeds;
pub mod store;
