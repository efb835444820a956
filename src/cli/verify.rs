//! `mutu verify`.

use serde_json::json;

use crate::planner::{Noted, Planner, Verification};

use super::{Failure, Outcome, WorkspaceArgument, output, progress::Bar};

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    Table,
    /// JSON
    Json,
}

/// Prove that nothing in the record was altered behind its back
///
/// Walks the chain of hashes and every row, and names what was altered, removed or added. Note the head that it prints
/// somewhere else: `--expect` then also finds a record that was rewritten from some point to its end. The exit code is 20
/// where something does not fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu verify --workspace heshan.gpkg --expect 17:9f86d0…0f00a08")]
pub(super) struct Verify {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The head that an earlier run printed
    #[arg(long, value_name = "SEQ:HASH")]
    expect: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Verify {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let noted = self.expect.as_deref().map(str::parse::<Noted>).transpose()?;
        let bar = Bar::new();
        let found = Planner::verify(&self.workspace.workspace, noted.as_ref(), &mut |progress| bar.tell(progress))?;
        bar.finish();
        match self.format {
            Format::Json => output::put_json(&as_json(&found))?,
            Format::Table => output::put(&as_text(&found))?,
        }
        match found.discrepancies.len() {
            0 => Ok(Outcome::Done),
            count => Err(Failure { code: 20, message: format!("the record does not verify: {count} discrepancies") }),
        }
    }
}

/// The head as it is noted and given to `--expect`.
pub(super) fn head_of(found: &Verification) -> Option<String> {
    found.head.map(|(seq, hash)| Noted { seq, hash }.to_string())
}

fn as_json(found: &Verification) -> serde_json::Value {
    let discrepancies: Vec<_> = found
        .discrepancies
        .iter()
        .map(|one| json!({ "layer": one.layer, "id": one.id, "seq": one.seq, "what": one.what }))
        .collect();
    json!({
        "sound": found.discrepancies.is_empty(),
        "head": head_of(found),
        "entries": found.entries,
        "rows": found.rows,
        "provenFrom": found.proven_from,
        "keptFrom": found.kept_from,
        "discrepancies": discrepancies,
    })
}

fn as_text(found: &Verification) -> String {
    let mut text = String::new();
    if !found.discrepancies.is_empty() {
        let cell = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        for one in &found.discrepancies {
            // Whole sentences: a table would cut them.
            let place = [
                one.layer.clone().unwrap_or_default(),
                one.id.map_or_else(String::new, |id| format!("feature {id}")),
                one.seq.map_or_else(String::new, |_| format!("number {}", cell(one.seq))),
            ];
            let place: Vec<String> = place.into_iter().filter(|part| !part.is_empty()).collect();
            let place = if place.is_empty() { "the file".to_owned() } else { place.join(", ") };
            text += &format!("{place}: {}\n", one.what);
        }
    }
    let verdict = if found.discrepancies.is_empty() { "nothing was altered" } else { "NOT as recorded" };
    text += &format!("{} entries of the record, {} rows: {verdict}\n", found.entries, found.rows);
    if found.proven_from > 1 {
        text += &format!("proven from number {} on: before, the workspace had an older format\n", found.proven_from);
    }
    if found.kept_from > 0 {
        text += &format!("content before number {} was compacted away; its hashes stand\n", found.kept_from);
    }
    if let Some(head) = head_of(found) {
        text += &format!("head {head}\n");
    }
    text
}
