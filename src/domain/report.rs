//! What an import did with each row: read, stored, flagged, refused, and why.

use serde::Serialize;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Worth knowing; the row is stored as it is.
    Note,
    /// The row is stored as it is and marked as faulty.
    Flagged,
    /// The row is not stored.
    Refused,
}

/// One finding about one row, or about the file where `row` is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The row in the file, from 1.
    pub row: Option<u64>,
    /// The feature's id in the workspace, where it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// How grave it is.
    pub weight: Weight,
    /// A stable word for the kind of fault, such as `self-intersection`.
    pub fault: String,
    /// Where: a position in the file's own coordinates, `[x, y]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<[f64; 2]>,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// The file.
    pub file: String,
    /// The layer in the workspace.
    pub layer: String,
    /// The CRS that the coordinates were read in, and who said so.
    pub crs: String,
    /// The encoding that text was read in, and how it was found; empty where the format fixes it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub encoding: String,
    /// Rows read.
    pub read: u64,
    /// Rows stored, flagged ones included.
    pub stored: u64,
    /// Rows stored and marked as faulty.
    pub flagged: u64,
    /// Rows not stored.
    pub refused: u64,
    /// What was found, in order of rows.
    pub findings: Vec<Finding>,
}
