//! `mutu history`: the record as a whole.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use crate::{
    domain::calendar::date_time_text,
    planner::{Entry, Planner, Since},
};

use super::{
    Failure, Outcome, WorkspaceArgument,
    history_past::{Diff, Restore, Show, Undo},
    output,
    progress::Bar,
    verify::{Format, head_of},
};

/// List, move and compact the record of what was done
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history list --workspace heshan.gpkg --since 2026-03-01\n  \
                        mutu history export --workspace heshan.gpkg --out record.gpkg\n  \
                        mutu history import record.gpkg --workspace copy.gpkg")]
pub(super) struct History {
    #[command(subcommand)]
    verb: HistoryVerb,
}

#[derive(Debug, Subcommand)]
enum HistoryVerb {
    /// List every edit and import: when, who, why, and its hash
    List(List),
    /// Write the whole record to a file of its own, verified: every row, every change, every hash
    Export(ExportRecord),
    /// Make a new workspace from a record that `history export` wrote, verified
    Import(ImportRecord),
    /// Show every version of a feature: who, when, why, what changed, its area
    Show(Show),
    /// Compare a layer at two moments: features added, removed and changed; land by class before and after
    Diff(Diff),
    /// Take an edit back by a new one, where nobody has changed its features since
    Undo(Undo),
    /// Make a layer, or one feature, again as it was at a moment, by a new edit
    Restore(Restore),
    /// Drop the content of old changes for good; their hashes, times, authors and notes stay
    Compact(Compact),
}

impl History {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self.verb {
            HistoryVerb::List(verb) => verb.run(),
            HistoryVerb::Export(verb) => verb.run(),
            HistoryVerb::Import(verb) => verb.run(),
            HistoryVerb::Show(verb) => verb.run(),
            HistoryVerb::Diff(verb) => verb.run(),
            HistoryVerb::Undo(verb) => verb.run(),
            HistoryVerb::Restore(verb) => verb.run(),
            HistoryVerb::Compact(verb) => verb.run(),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history list --workspace heshan.gpkg --since 17 --format json")]
struct List {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// Only what came after this number or moment
    #[arg(long, value_name = "SEQ|DATE", default_value = "0")]
    since: String,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl List {
    fn run(self) -> Result<Outcome, Failure> {
        let entries = Planner::list_record(&self.workspace.workspace, self.since.parse::<Since>()?)?;
        match self.format {
            Format::Json => {
                let entries: Vec<_> = entries.iter().map(as_json).collect();
                output::put_json(&json!({ "entries": entries }))?;
            }
            Format::Table => output::put(&as_table(&entries))?,
        }
        Ok(Outcome::Done)
    }
}

fn as_json(entry: &Entry) -> serde_json::Value {
    let edit = &entry.edit;
    let layers: Vec<_> = entry
        .layers
        .iter()
        .map(|of| json!({ "id": of.layer, "added": of.added, "changed": of.changed, "removed": of.removed }))
        .collect();
    json!({
        "seq": edit.seq,
        "at": date_time_text(edit.at),
        "author": edit.author,
        "note": edit.note,
        "kind": edit.kind,
        "hash": edit.hash.map(|hash| hash.to_string()),
        "layers": layers,
    })
}

fn as_table(entries: &[Entry]) -> String {
    let head = ["seq", "at", "kind", "author", "layers", "note", "hash"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|Entry { edit, layers }| {
            let did = layers.iter().map(|of| {
                let added = of.added.map_or_else(|| "?".to_owned(), |added| added.to_string());
                format!("{} +{added} ~{} -{}", of.layer, of.changed, of.removed)
            });
            vec![
                edit.seq.to_string(),
                date_time_text(edit.at),
                edit.kind.clone(),
                edit.author.clone(),
                did.collect::<Vec<_>>().join("; "),
                edit.note.clone(),
                edit.hash.map_or_else(String::new, |hash| hash.to_string().chars().take(12).collect()),
            ]
        })
        .collect();
    output::columns(&head, &rows)
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history export --workspace heshan.gpkg --out record.gpkg")]
struct ExportRecord {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The file to write; it must not exist
    #[arg(long, short = 'o', value_name = "FILE")]
    out: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl ExportRecord {
    fn run(self) -> Result<Outcome, Failure> {
        move_record(&self.workspace.workspace, &self.out, self.format)
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history import record.gpkg --workspace copy.gpkg")]
struct ImportRecord {
    /// The record
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The workspace to make: it must not exist
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl ImportRecord {
    fn run(self) -> Result<Outcome, Failure> {
        move_record(&self.file, &self.workspace.workspace, self.format)
    }
}

fn move_record(from: &std::path::Path, to: &std::path::Path, format: Format) -> Result<Outcome, Failure> {
    let bar = Bar::new();
    let found = Planner::move_record(from, to, &mut |progress| bar.tell(progress))?;
    bar.finish();
    let head = head_of(&found);
    match format {
        Format::Json => output::put_json(&json!({
            "file": to.display().to_string(),
            "entries": found.entries,
            "rows": found.rows,
            "head": head,
        }))?,
        Format::Table => output::put(&format!(
            "{}: {} entries of the record, {} rows\nhead {}\n",
            to.display(),
            found.entries,
            found.rows,
            head.unwrap_or_else(|| "none".to_owned())
        ))?,
    }
    Ok(Outcome::Done)
}

/// What was before the number or moment can then no longer be asked for, undone or restored. The chain still verifies.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history compact --workspace heshan.gpkg --before 2025-01-01")]
struct Compact {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The first state to keep: a sequence number, or a moment (a date is its beginning in China)
    #[arg(long, value_name = "SEQ|DATE")]
    before: String,
    /// Who does it, for the record
    #[arg(long, value_name = "NAME", default_value = "local")]
    author: String,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Compact {
    fn run(self) -> Result<Outcome, Failure> {
        let before = self.before.parse::<Since>()?;
        let planner = Planner::open(&self.workspace.workspace)?;
        if let Some(told) = planner.recovery() {
            output::say(&format!("mutu: {told}"));
        }
        let done = planner.compact(before, &self.author);
        planner.close()?;
        let done = done?;
        if let Some(why) = &done.not_wiped {
            output::say(&format!(
                "the content was dropped, but the file was not written anew yet ({why}): it has its old size"
            ));
        }
        let head = format!("{}:{}", done.seq, done.hash);
        match self.format {
            Format::Json => {
                output::put_json(&json!({ "changes": done.changes, "eras": done.eras, "head": head }))?;
            }
            Format::Table => output::put(&format!(
                "content of {} changes and {} past eras of layers dropped\nhead {head}\n",
                done.changes, done.eras
            ))?,
        }
        Ok(Outcome::Done)
    }
}
