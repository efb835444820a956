//! Why the planner could not do what was asked, and what kind of failure that is.

use crate::{
    catalog::{CatalogError, GridError},
    domain::{
        edit::{Conflict, Finding},
        report::ImportReport,
        schema::{BadLayerId, LayerId},
    },
    formats::FormatError,
    ground::crs::CrsError,
    seeds::SeedError,
    store::StoreError,
};

use super::{ask::AskError, past::PastError};

/// What kind of failure it is: exit codes and HTTP statuses follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request makes no sense.
    Usage,
    /// The data is not what it claims to be.
    InvalidData,
    /// Something else is in the way: a layer of that name, another process.
    Conflict,
    /// There is no such thing.
    NotFound,
    /// The operating system refused.
    Io,
    /// A fault of ours.
    Internal,
}

/// Why the planner could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlannerError {
    /// The workspace refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The stored features do not make a catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A CRS is unknown or does not hold a coordinate.
    #[error(transparent)]
    Crs(#[from] CrsError),
    /// A survey grid cannot be used.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A word cannot name a layer.
    #[error(transparent)]
    LayerId(#[from] BadLayerId),
    /// The demonstration data is broken.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// A question makes no sense.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A moment of the record cannot be answered about.
    #[error(transparent)]
    Past(#[from] PastError),
    /// There is no such layer.
    #[error("there is no layer {given:?} in the workspace; there are: {known}")]
    UnknownLayer {
        /// The id as given.
        given: String,
        /// The ids that there are.
        known: String,
    },
    /// The layer exists and nobody said what to do with it.
    #[error("layer {0} exists already: say --append to add to it or --replace to put the file in its place")]
    LayerExists(LayerId),
    /// A file is in the way and may hold somebody's work.
    #[error("{0}")]
    Taken(String),
    /// The file's ending names no format, or one that cannot be read or written.
    #[error("{0}")]
    UnknownFormat(String),
    /// The coordinates' CRS is not known or not believable.
    #[error("{0}")]
    CrsDoubtful(String),
    /// The file holds nothing that could be stored.
    #[error("{0}")]
    Unfit(String),
    /// Whoever asked for an export does not wait for it any more.
    #[error("stopped: nobody waits for the export any more")]
    Stopped,
    /// An edit expects other versions of features than the workspace has.
    #[error("{}; nothing was changed", several(.0))]
    Conflicts(Vec<Conflict>),
    /// An edit is not fit to be stored.
    #[error("{}; nothing was changed", several(.0))]
    Findings(Vec<Finding>),
    /// What was asked makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// The record does not verify.
    #[error(
        "the record of {path} does not verify: {count} discrepancies, first: {first}; nothing was written (mutu verify lists them)"
    )]
    Unsound {
        /// The workspace.
        path: String,
        /// How many discrepancies.
        count: usize,
        /// The first.
        first: String,
    },
    /// What was imported is stored, and could not be read to be shown.
    #[error(
        "the import is stored as number {seq}, but the workspace could not be read to show it: {source}; it is seen once \
         the program has been started again: do not import it a second time"
    )]
    NotShown {
        /// The number of the import.
        seq: i64,
        /// Why it cannot be read.
        source: Box<PlannerError>,
    },
    /// Every row was refused.
    #[error("{}: every row was refused; nothing was imported", .0.file)]
    AllRefused(Box<ImportReport>),
}

impl PlannerError {
    /// Whether there was no room on the disk: nothing was changed.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, Self::Store(StoreError::DiskFull))
    }

    /// Whether the change may be stored or not.
    #[must_use]
    pub const fn is_uncertain(&self) -> bool {
        matches!(self, Self::Store(StoreError::Uncertain { .. }))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(error) => class_of_store(error),
            Self::NotShown { source, .. } => source.class(),
            Self::Format(FormatError::Request(_) | FormatError::Misplaced(_) | FormatError::Unencodable(_))
            | Self::LayerId(_)
            | Self::UnknownFormat(_)
            | Self::BadRequest(_)
            | Self::Ask(_)
            | Self::Past(PastError::Replaced { .. }) => ErrorClass::Usage,
            Self::Format(FormatError::Broken { .. })
            | Self::Crs(_)
            | Self::CrsDoubtful(_)
            | Self::Unfit(_)
            | Self::Findings(_)
            | Self::Unsound { .. }
            | Self::AllRefused(_) => ErrorClass::InvalidData,
            Self::Format(FormatError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                ErrorClass::NotFound
            }
            Self::Format(FormatError::Io { .. }) => ErrorClass::Io,
            Self::Past(PastError::ChangedSince { .. } | PastError::OtherColumns { .. })
            | Self::LayerExists(_)
            | Self::Conflicts(_)
            | Self::Taken(_) => ErrorClass::Conflict,
            Self::UnknownLayer { .. } | Self::Past(_) => ErrorClass::NotFound,
            Self::Format(FormatError::Stopped(_))
            | Self::Stopped
            | Self::Catalog(_)
            | Self::Grid(_)
            | Self::Seed(_) => ErrorClass::Internal,
        }
    }
}

/// The first of several, and how many more there are.
fn several<T: std::fmt::Display>(all: &[T]) -> String {
    match all {
        [] => "nothing is known".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

fn class_of_store(error: &StoreError) -> ErrorClass {
    match error {
        StoreError::Locked { .. }
        | StoreError::Busy
        | StoreError::ReadOnly { .. }
        | StoreError::Exists { .. }
        | StoreError::Conflict { .. }
        | StoreError::Pending { .. }
        | StoreError::ChangedAgain { .. }
        | StoreError::Tampered { .. }
        | StoreError::LayerExists { .. }
        | StoreError::DuplicateId { .. } => ErrorClass::Conflict,
        StoreError::UnknownLayer { .. } | StoreError::NotKept { .. } => ErrorClass::NotFound,
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ErrorClass::NotFound,
        StoreError::Io { .. } | StoreError::DiskFull | StoreError::Uncertain { .. } => ErrorClass::Io,
        StoreError::NotAWorkspace { .. }
        | StoreError::NewerFormat { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Refused { .. } => ErrorClass::InvalidData,
        StoreError::Stopped(_) => ErrorClass::Internal,
    }
}
