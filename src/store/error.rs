//! What can go wrong with a workspace.

use std::io;

use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};

use crate::{domain::schema::LayerId, gpkg::GpkgError};

/// Why the workspace could not be opened, read or changed. Whatever it is, but [`StoreError::Uncertain`], nothing was
/// changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the workspace open for writing.
    #[error("{path} is open in another mutu{holder}: close that one, or work through it")]
    Locked {
        /// The workspace.
        path: String,
        /// Which process, as ` (process n)`; empty where it cannot be told.
        holder: String,
    },
    /// Another program holds the file (it writes, or it reads while the mode must change), for longer than five
    /// seconds.
    #[error("another program holds the workspace: save and close its edits there, then try again; nothing was changed")]
    Busy,
    /// The file is no workspace of ours.
    #[error("{path} is not a Mutu workspace: {why}")]
    NotAWorkspace {
        /// The file.
        path: String,
        /// What it is instead, and what to do.
        why: String,
    },
    /// The workspace was written by a newer program.
    #[error(
        "{path} has workspace format {found}, this program knows formats up to {known}: use a newer mutu; nothing was changed"
    )]
    NewerFormat {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A file is in the way of a new workspace.
    #[error("{path} exists already: choose another name, or open it")]
    Exists {
        /// The file.
        path: String,
    },
    /// The workspace was opened to read only.
    #[error("{path} is open to read only")]
    ReadOnly {
        /// The workspace.
        path: String,
    },
    /// The disk is full.
    #[error("the disk of the workspace is full: make room and try again; nothing was changed")]
    DiskFull,
    /// The disk failed when a change was to be made durable, and again when it was to be taken back: the change is not
    /// there for this process, nor for those that read beside it, but may be there once the workspace is opened anew.
    #[error(
        "the disk failed while the change was made durable, and again while it was taken back ({what}): it is not shown \
         now, but may be there once the workspace has been opened again; see to the disk, open it again, and look into \
         the record (mutu history list) before repeating the change"
    )]
    Uncertain {
        /// What the disk said first.
        what: String,
    },
    /// The operating system or the database engine refused.
    #[error("{what}: {source}")]
    Io {
        /// The file, or what was being done.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is damaged, or another program wrote what cannot be read.
    #[error("the workspace is damaged: {what}")]
    Corrupt {
        /// What, and where.
        what: String,
    },
    /// A feature is not in the version that an edit expected.
    #[error("feature {id} of {layer}: the edit expects {}, the workspace has {}; nothing was changed", version(*expected), version(*found))]
    Conflict {
        /// The layer.
        layer: LayerId,
        /// The feature.
        id: i64,
        /// The version that the author saw; `None`: no such feature.
        expected: Option<i64>,
        /// The version in the workspace; `None`: no such feature.
        found: Option<i64>,
    },
    /// Another program changed the feature, and nobody has taken that in or refused it.
    #[error(
        "feature {id} of {layer} was changed by another program, and that change waits: take it in or refuse it first \
         (mutu outside show); nothing was changed"
    )]
    Pending {
        /// The layer.
        layer: LayerId,
        /// The feature.
        id: i64,
    },
    /// Another program changed the feature again while its change was taken in.
    #[error(
        "feature {id} of {layer} was changed again by another program meanwhile: look at it again; nothing was changed"
    )]
    ChangedAgain {
        /// The layer.
        layer: LayerId,
        /// The feature.
        id: i64,
    },
    /// Another program changed a layer's table as such, so that its rows cannot be trusted.
    #[error("layer {layer}: {what}; nothing was changed")]
    Tampered {
        /// The layer.
        layer: LayerId,
        /// What was done, and what to do.
        what: String,
    },
    /// The workspace has no such layer.
    #[error("the workspace has no layer {layer}")]
    UnknownLayer {
        /// The name asked for.
        layer: String,
    },
    /// A layer of this name exists, or one that differs in upper and lower case only.
    #[error(
        "the workspace has a layer {found} already: choose another name for {layer}, or replace or extend that one"
    )]
    LayerExists {
        /// The name asked for.
        layer: LayerId,
        /// The name there is.
        found: String,
    },
    /// Two features of a layer would have one id.
    #[error("layer {layer} would have two features with id {id}; nothing was changed")]
    DuplicateId {
        /// The layer.
        layer: LayerId,
        /// The id.
        id: i64,
    },
    /// A layer, a value or a feature that cannot be stored as it is.
    #[error("{layer}: {what}; nothing was changed")]
    Refused {
        /// The layer.
        layer: LayerId,
        /// What cannot be stored, and why.
        what: String,
    },
    /// What was asked for is not in the record any more, or never was.
    #[error("{what} are not kept: {why}", why = "the record was compacted, or is of a workspace of format 1")]
    NotKept {
        /// What, in the plural.
        what: String,
    },
    /// The receiver of the rows stopped the read.
    #[error("stopped by the receiver: {0}")]
    Stopped(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn version(version: Option<i64>) -> String {
    version.map_or_else(|| "no such feature".to_owned(), |v| format!("version {v}"))
}

impl StoreError {
    /// An error of the operating system.
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::DiskFull;
        }
        Self::Io { what: what.into(), source }
    }
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if let rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) = error
        {
            // A cell of our own tables that is not of its column's type: another program wrote it.
            return Self::Corrupt { what: error.to_string() };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { what: error.to_string() },
            // The engine does not say why it cannot make a file beside the workspace, or let it grow.
            Some(code) if code == ErrorCode::CannotOpen || extended(&error) == Some(SQLITE_IOERR_SHMSIZE) => {
                let what = "the workspace, or a file beside it, cannot be opened or made (is the disk full, the folder \
                            writable?)";
                Self::Io { what: what.to_owned(), source: io::Error::other(error) }
            }
            _ => Self::Io { what: "the workspace".to_owned(), source: io::Error::other(error) },
        }
    }
}

impl From<GpkgError> for StoreError {
    fn from(error: GpkgError) -> Self {
        match error {
            GpkgError::Sqlite(error) => error.into(),
            GpkgError::Io(error) => Self::io("the workspace", error),
            GpkgError::Standard(_) | GpkgError::Crs(_) => {
                Self::Io { what: "the workspace".to_owned(), source: io::Error::other(error) }
            }
        }
    }
}
