//! Check-out and check-in: a part of a layer leaves as a GeoPackage, is edited elsewhere, and comes back as one edit, as
//! often as wanted.
//!
//! The merge is one of three states of each feature (`three_way`): ours is what the workspace holds, theirs is what the
//! file holds, and the base is what they have in common (`base`): the state at the check-out, by the workspace's record,
//! or, where the file came back before, what it held then, which the workspace keeps. What only one side changed is that
//! side's; what both changed in different ways is a conflict. How a conflict was decided holds: the file is not asked
//! again about what it held then.

mod base;
mod file;
mod three_way;
mod work;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    domain::edit::Edit,
    engine::table::Row as TableRow,
    formats::{self, Written},
    store::{Checkout, Reader, Workspace},
};

use super::{
    AskError, Export, ExportRequest, Planner, PlannerError,
    ask::select,
    edit::{Standard, judge},
    now_ms,
};

pub use three_way::{Deviation, OnConflict, three_way};

/// What to bring back.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// The file that was checked out.
    pub file: PathBuf,
    /// Who brings it back.
    pub author: String,
    /// Which side wins.
    pub on_conflict: OnConflict,
    /// To compare with the check-out, also where the file came back before: what it brought and was undone here since
    /// comes again.
    pub anew: bool,
    /// Only to see what would happen.
    pub dry_run: bool,
}

/// What was brought back, or would be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeReport {
    /// The file.
    pub file: String,
    /// The layer.
    pub layer: String,
    /// The last edit that the check-out showed.
    pub since: i64,
    /// The number of the edit; none where nothing was written.
    pub seq: Option<i64>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// The numbers under which the file came back before, oldest first.
    pub before: Vec<i64>,
    /// A later state of this very file came back under this number: there is nothing new in this one.
    pub behind: Option<i64>,
    /// Features of the file that are as they were at the check-out, or when it came back last.
    pub unchanged: usize,
    /// Those of them that the file had brought and that were changed here since it came back last, by their ids: what is
    /// here stays.
    pub changed_here: Vec<i64>,
    /// Features changed, by their ids.
    pub changed: Vec<i64>,
    /// Features deleted, by their ids.
    pub removed: Vec<i64>,
    /// New features: the id in the file and the id in the workspace.
    pub added: Vec<NewId>,
    /// Where both sides changed something in different ways.
    pub conflicts: Vec<MergeConflict>,
}

/// A new feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NewId {
    /// Its id in the file.
    pub there: i64,
    /// Its id in the workspace.
    pub id: i64,
}

/// A field that both sides changed in different ways.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MergeConflict {
    /// The feature.
    pub id: i64,
    /// The property; `geometry`; or `feature` where one side deleted it.
    pub field: String,
    /// At the check-out, or in the file when it came back last.
    pub base: Json,
    /// In the workspace.
    pub ours: Json,
    /// In the file.
    pub theirs: Json,
}

impl MergeReport {
    /// Whether nothing was written because of conflicts.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.seq.is_none() && !self.conflicts.is_empty()
    }
}

impl Planner {
    /// Writes features of a layer to a GeoPackage that can be edited elsewhere and brought back. It is in stored
    /// coordinates, so that a geometry that nobody touches stays the same to the last bit.
    ///
    /// # Errors
    /// As [`Planner::export`]; also for another format, other columns or coordinates, or a file that exists.
    pub fn check_out(&self, request: &ExportRequest<'_>) -> Result<Written, PlannerError> {
        let catalog = self.read();
        let state = self.layer(&catalog, &request.layer)?;
        let out = &request.out;
        let format = formats::by_extension(out).filter(|format| format.name == "geopackage");
        let format = format.ok_or_else(|| {
            PlannerError::UnknownFormat(format!(
                "{}: a check-out is a GeoPackage: end its name in .gpkg",
                out.display()
            ))
        })?;
        if request.options.crs.is_some() || request.options.with_areas || request.options.limit.is_some() {
            let what = "a check-out holds the layer's own columns and coordinates: leave --crs and --with-areas out";
            return Err(AskError::new("checkout", what).into());
        }
        if out.exists() {
            let what = format!("{} exists and may hold what was edited: choose another name", out.display());
            return Err(PlannerError::Taken(what));
        }
        let selection = select(&state, &request.which)?;
        let table = state.table();
        let wanted = |row: &TableRow| selection.as_ref().is_none_or(|selection| selection.contains(*row));
        let rows = table.rows_by_id(i64::MIN).filter(wanted).map(|row| (table.id(row), table.version(row))).collect();
        let reader = Reader::open(&self.path)?;
        let moment = (catalog.seq(), reader.hash_at(catalog.seq())?);
        let checkout = Checkout::new(reader.id()?, moment, state.layer().id.clone(), rows)?;
        let io = |source| formats::FormatError::Io { path: out.display().to_string(), source };
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let work = tempfile::Builder::new().prefix(".mutu-checkout-").tempdir_in(folder).map_err(io)?;
        let draft = work.path().join("draft.gpkg");
        let written = Export::new((state.clone(), selection), format, &request.options)?.to_path(&draft)?;
        checkout.mark(&draft)?;
        let draft = tempfile::TempPath::try_from_path(draft).map_err(io)?;
        draft.persist_noclobber(out).map_err(|error| io(error.error))?;
        Ok(written)
    }

    /// Brings a check-out back, all of it or nothing.
    ///
    /// # Errors
    /// [`PlannerError::Unfit`] where the file is no check-out of this workspace, the layer was replaced since, or the file
    /// holds what the layer cannot; [`PlannerError::Store`] where the workspace cannot be written.
    pub fn merge(&self, request: &MergeRequest) -> Result<MergeReport, PlannerError> {
        let mut store = self.writing()?;
        let checkout = checkout_of(&store, &request.file)?;
        let catalog = self.read();
        let state = self.layer(&catalog, checkout.layer.as_str())?;
        let (mut report, edit, check_in) = work::prepare(&store, &checkout, &state, request)?;
        if !report.conflicts.is_empty() && request.on_conflict == OnConflict::Stop {
            return Ok(report);
        }
        let is_empty = edit.changes.is_empty();
        if request.dry_run && !is_empty {
            judge(&catalog, &edit, catalog.seq() + 1, Standard::New)?;
        } else if !request.dry_run && is_empty && !check_in.rows.is_empty() {
            // What it holds is here already, or was decided against: that is to be known when it comes back.
            report.seq = Some(store.commit_merge(&edit, now_ms(), &check_in)?.seq);
        } else if !request.dry_run && !is_empty {
            let commit = |store: &mut Workspace, edit: &Edit, at| store.commit_merge(edit, at, &check_in);
            report.seq = Some(self.store_judged(&mut store, edit, Standard::New, commit)?.1.seq);
        }
        Ok(report)
    }
}

/// The mark of a file, where it is a check-out of this workspace that can still be brought back.
fn checkout_of(store: &Workspace, file: &Path) -> Result<Checkout, PlannerError> {
    let name = file.display();
    let unfit = |what: String| Err(PlannerError::Unfit(format!("{name}: {what}; nothing was changed")));
    if !file.is_file() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(formats::FormatError::Io { path: name.to_string(), source }.into());
    }
    let Some(checkout) = Checkout::of(file)? else {
        return unfit("it is no check-out: it was not written by mutu export --checkout".to_owned());
    };
    if checkout.workspace != store.id()? {
        return unfit("it was checked out from another workspace".to_owned());
    }
    let seq = store.seq()?;
    if checkout.seq > seq {
        return unfit(format!(
            "it was checked out at number {}, which this workspace does not know: its last is {seq} (a backup?)",
            checkout.seq
        ));
    }
    let then = store.history().edit(checkout.seq)?.and_then(|edit| edit.hash);
    if checkout.hash.is_some() && checkout.hash != then {
        return unfit(format!(
            "it was checked out from another copy of this workspace: number {} is another entry there",
            checkout.seq
        ));
    }
    match store.layers().iter().find(|stored| stored.layer.id == checkout.layer) {
        None => unfit(format!("the workspace has no layer {}", checkout.layer)),
        Some(stored) if stored.base > checkout.seq => unfit(format!(
            "layer {} was replaced as a whole by number {} since it was checked out at number {}: check it out again",
            checkout.layer, stored.base, checkout.seq
        )),
        Some(_) => Ok(checkout),
    }
}
