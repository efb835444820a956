//! FlatGeobuf: read in order of the file, written with its spatial index.
//!
//! Source: the FlatGeobuf specification, version 3.

mod read;
mod write;

pub use read::read;
pub use write::write;

/// Column metadata by which a day comes back as a day: the format itself has moments only.
const IS_A_DAY: &str = r#"{"type":"date"}"#;
