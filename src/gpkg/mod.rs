//! The GeoPackage container (OGC 12-128r18, version 1.3): tables, R-trees, geometry blobs and typed cells.
//!
//! Shared by the durable workspace and by the exchange format; it knows nothing of edits, versions or
//! imports. Definitions that the standard fixes word for word come from the `geopackage-core` library.
//!
//! Question: why `user_version` 10300 with the triggers of 1.4? Readers in use (GDAL 3.6) warn of 10400, while
//! the triggers of 1.3 break the index under `UPSERT`; the newer set does all that the older did.

pub mod blob;
pub mod bulk;
pub mod cell;
pub mod connection;
pub mod foreign;
mod rtree;
pub mod shadow;
pub mod srs;
pub mod table;

/// Why a GeoPackage could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GpkgError {
    /// The database engine refused.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The standard's library refused a name or a blob.
    #[error(transparent)]
    Standard(#[from] geopackage_core::Error),
    /// A CRS that cannot be written into the file.
    #[error(transparent)]
    Crs(#[from] crate::ground::crs::CrsError),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
