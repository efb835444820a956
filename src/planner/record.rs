//! The record as a whole: proving it, moving it, listing it, dropping what is old.

use std::path::Path;

use crate::{
    domain::calendar,
    store::{Compacted, Discrepancy, Hash, Reader, StoreError, Verification},
};

use super::{Planner, PlannerError, Progress};

/// An entry of the record that was noted elsewhere: its number and its hash, as `SEQ:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Its number.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
}

impl std::fmt::Display for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl std::str::FromStr for Noted {
    type Err = PlannerError;

    fn from_str(text: &str) -> Result<Self, PlannerError> {
        let parts = text.trim().split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.parse().ok()?)));
        parts
            .map(|(seq, hash)| Self { seq, hash })
            .ok_or_else(|| PlannerError::BadRequest(format!("{text:?} is no SEQ:HASH as `mutu verify` prints it")))
    }
}

/// A place in the record: an entry's number, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The number.
    Seq(i64),
    /// The moment, in milliseconds since 1970-01-01T00:00:00Z.
    Moment(i64),
}

impl std::str::FromStr for Since {
    type Err = PlannerError;

    /// `17`, `2026-03-01` (its beginning in China, UTC+08:00) or `2026-03-01T08:00:00+08:00`.
    fn from_str(text: &str) -> Result<Self, PlannerError> {
        const CHINA_IS_AHEAD_BY_MS: i64 = 8 * 3_600_000;
        const DAY_MS: i64 = 86_400_000;
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        let day = calendar::parse_date(text).map(|day| i64::from(day) * DAY_MS - CHINA_IS_AHEAD_BY_MS);
        day.or_else(|_| calendar::parse_date_time(text)).map(Self::Moment).map_err(|_| {
            PlannerError::BadRequest(format!("{text:?} is neither a sequence number nor a date such as 2026-03-01"))
        })
    }
}

impl Planner {
    /// Verifies the record and every row; also that an entry has the hash that was noted of it.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the file cannot be read or is of a format without proof.
    pub fn verify(
        path: &Path,
        noted: Option<&Noted>,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Verification, PlannerError> {
        let reader = Reader::open(path)?;
        let mut found = reader.verify(&mut |stage, done| progress(&Progress { stage, done }))?;
        if let Some(noted) = noted {
            let what = match reader.hash_at(noted.seq)? {
                Some(hash) if hash == noted.hash => None,
                Some(hash) => Some(format!(
                    "the record was rewritten: number {} has the hash {hash}, noted was {}",
                    noted.seq, noted.hash
                )),
                None => Some(format!("the record was rewritten: it has no number {} with a hash", noted.seq)),
            };
            found.discrepancies.extend(what.map(|what| Discrepancy {
                layer: None,
                id: None,
                seq: Some(noted.seq),
                what,
            }));
        }
        Ok(found)
    }

    /// Copies a workspace with its whole record to a new file, and verifies the copy.
    ///
    /// # Errors
    /// [`PlannerError::Unsound`] where the record does not verify; [`PlannerError::Store`] where there is such a file
    /// already, or one cannot be read or written. No new file is left then.
    pub fn move_record(
        from: &Path,
        to: &Path,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Verification, PlannerError> {
        let reader = Reader::open(from)?;
        let found = reader.move_record(to, &mut |stage, done| progress(&Progress { stage, done }))?;
        match found.discrepancies.first() {
            None => Ok(found),
            Some(first) => Err(PlannerError::Unsound {
                path: from.display().to_string(),
                count: found.discrepancies.len(),
                first: first.what.clone(),
            }),
        }
    }

    /// Drops the content of the record before a number or a moment; states from then on stay as they are.
    ///
    /// # Errors
    /// [`PlannerError::BadRequest`] for a number beyond the last; [`PlannerError::Store`] where there is nothing to drop,
    /// or the workspace cannot be written.
    pub fn compact(&self, before: Since, author: &str) -> Result<Compacted, PlannerError> {
        let mut store = self.writing()?;
        let before = match before {
            Since::Seq(seq) => seq,
            Since::Moment(moment) => store.history().seq_at(moment)?,
        };
        let last = store.seq()?;
        if before > last {
            let what = format!("number {before} is beyond the last entry of the record, {last}");
            return Err(PlannerError::BadRequest(what));
        }
        let compacted = store.compact(before, author)?;
        self.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        Ok(compacted)
    }

    /// The entries of the record after a number, oldest first, each with what it did to each layer.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the file cannot be read.
    pub fn list_record(path: &Path, since: Since) -> Result<Vec<Entry>, PlannerError> {
        let reader = Reader::open(path)?;
        let history = reader.history();
        let since = match since {
            Since::Seq(seq) => seq,
            Since::Moment(moment) => history.seq_at(moment)?,
        };
        let edits = history.edits_since(since)?;
        let with_counts = |edit: crate::store::StoredEdit| {
            let layers = history.counts_of(edit.seq)?;
            Ok(Entry { edit, layers })
        };
        Ok(edits.into_iter().map(with_counts).collect::<Result<_, StoreError>>()?)
    }
}

/// An entry of the record, with what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, who, why.
    pub edit: crate::store::StoredEdit,
    /// What it did to each layer.
    pub layers: Vec<crate::store::LayerCount>,
}
