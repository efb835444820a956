//! GeoJSON: reads RFC 7946 collections, single features, bare geometries and sequences of them (one a line, or
//! RFC 8142), and the older `crs` member; writes collections, sequences (`.geojsons`) and one a line (`.geojsonl`).
//!
//! Source: RFC 7946, RFC 8142, GeoJSON 2008 §3 (`crs`).

mod raw;
mod read;
mod split;
mod write;

pub use read::read;
pub use write::{STREAMING, write};
