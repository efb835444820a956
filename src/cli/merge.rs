//! `mutu import --merge`: a check-out comes back.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::planner::{MergeReport, MergeRequest, OnConflict, Planner};

use super::{
    Failure, Outcome,
    output::{self, Format},
    outside::tell_left_out,
    progress::Bar,
};

/// Which side wins where both changed a field in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Side {
    /// Neither: nothing is written, the conflicts are listed
    #[default]
    Stop,
    /// What the workspace holds
    Ours,
    /// What the file holds
    Theirs,
}

/// What to bring back, and how.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) workspace: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) author: String,
    pub(super) on_conflict: Side,
    pub(super) anew: bool,
    pub(super) dry_run: bool,
    pub(super) format: Format,
}

impl Merge {
    pub(super) fn run(&self) -> Result<Outcome, Failure> {
        let [file] = self.files.as_slice() else {
            return Err(Failure::usage("--merge brings back one check-out at a time"));
        };
        let planner = Planner::open(&self.workspace)?;
        if let Some(recovery) = planner.recovery() {
            output::say(&format!("mutu: {recovery}"));
        }
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        bar.finish();
        tell_left_out(&planner);
        let merged = planner.merge(&self.request(file));
        planner.close()?;
        let report = merged?;
        match self.format {
            Format::Json => output::put_json(&serde_json::json!(report))?,
            Format::Csv => output::put(&output::csv(&head(), &rows(&report)))?,
            Format::Table => output::put(&said(&report))?,
        }
        if report.is_stopped() && self.on_conflict == Side::Stop {
            let what = format!(
                "{}: conflicts, changed here and there in different ways: {}; nothing was changed: say --on-conflict ours or theirs",
                report.file,
                report.conflicts.len()
            );
            return Err(Failure { code: 30, message: what });
        }
        Ok(Outcome::Done)
    }

    fn request(&self, file: &Path) -> MergeRequest {
        MergeRequest {
            file: file.to_owned(),
            author: self.author.clone(),
            on_conflict: match self.on_conflict {
                Side::Stop => OnConflict::Stop,
                Side::Ours => OnConflict::Ours,
                Side::Theirs => OnConflict::Theirs,
            },
            anew: self.anew,
            dry_run: self.dry_run,
        }
    }
}

fn said(report: &MergeReport) -> String {
    let mut text = format!("{} -> layer {}, checked out at number {}\n", report.file, report.layer, report.since);
    if let Some(last) = report.before.last() {
        text.push_str(&format!("  brought back before as number {last}: compared with what it held then\n"));
    }
    if let Some(behind) = report.behind {
        text.push_str(&format!(
            "  an older state of the file that was brought back as number {behind}: nothing new in it\n"
        ));
    }
    let (changed, removed, added) = (report.changed.len(), report.removed.len(), report.added.len());
    text.push_str(&format!(
        "  unchanged {}, changed {changed}, removed {removed}, added {added}, conflicts {}\n",
        report.unchanged,
        report.conflicts.len()
    ));
    for new in &report.added {
        text.push_str(&format!("  new feature {} of the file is {} here\n", new.there, new.id));
    }
    if !report.changed_here.is_empty() {
        text.push_str(&said_of_kept(report));
    }
    let is_change = changed + removed + added > 0;
    match report.seq {
        Some(seq) if !is_change => text.push_str(&format!(
            "  noted as number {seq}: what the file holds otherwise is here already, or was decided against\n"
        )),
        Some(seq) => text.push_str(&format!("  brought back as number {seq}\n")),
        None if report.dry_run => text.push_str("  nothing was written: --dry-run\n"),
        None if report.conflicts.is_empty() => text.push_str("  nothing new in the file: nothing was written\n"),
        None => text.push_str("  nothing was written\n"),
    }
    if !report.conflicts.is_empty() {
        text.push_str(&output::columns(&head(), &rows(report)));
    }
    text
}

/// Features that the file has as it had brought them, and that are others here since.
fn said_of_kept(report: &MergeReport) -> String {
    const MOST: usize = 20;
    let ids: Vec<String> = report.changed_here.iter().take(MOST).map(i64::to_string).collect();
    let more = report.changed_here.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "  changed or undone here since it was brought back, and not in the file: what is here stays: {}{more}\n  \
         (to have again what was undone: mutu history undo of the undoing, or --anew)\n",
        ids.join(", ")
    )
}

fn head() -> Vec<String> {
    ["id", "field", "before", "here", "there"].map(str::to_owned).to_vec()
}

fn rows(report: &MergeReport) -> Vec<Vec<String>> {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let row = |conflict: &crate::planner::MergeConflict| {
        let sides = [&conflict.base, &conflict.ours, &conflict.theirs].map(cell);
        [conflict.id.to_string(), conflict.field.clone()].into_iter().chain(sides).collect()
    };
    report.conflicts.iter().map(row).collect()
}
