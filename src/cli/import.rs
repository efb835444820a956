//! `mutu import`.

use std::path::{Path, PathBuf};

use crate::{
    domain::report::{ImportReport, Weight},
    planner::{IfExists, ImportRequest, Planner, PlannerError},
};

use super::{
    Failure, Outcome, WorkspaceArgument,
    merge::{Merge, Side},
    output::{self, Format},
    progress::Bar,
};

/// Take files into a layer of the workspace, all or nothing
///
/// The workspace is made where there is none. GeoJSON, Shapefile (.shp or .zip), GeoPackage and FlatGeobuf are
/// read. Faulty geometry is stored as it is and flagged, or refused; nothing is repaired.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mutu import parcels.shp --layer parcels --encoding GBK\n  \
                        mutu import survey.geojson --layer survey --crs EPSG:4547 --format json")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Import {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The files; with --layer all go into one layer. Each is a transaction of its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The layer; the file's name where not given
    #[arg(long, value_name = "ID")]
    layer: Option<String>,
    /// What the coordinates are, where the file does not say
    #[arg(long, value_name = "EPSG:N")]
    crs: Option<String>,
    /// The encoding of text, where the file does not say
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// The table in a file of several
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Add to the layer where it exists
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Put the file in the place of the layer where it exists; what the layer held is gone
    #[arg(long)]
    replace: bool,
    /// Bring back a check-out (`mutu export --checkout`) that was edited elsewhere, as often as wanted: what only it changed
    /// since it came back last is taken, what both sides changed differently is a conflict
    #[arg(long, conflicts_with_all = ["layer", "crs", "encoding", "table", "append", "replace"])]
    merge: bool,
    /// Which side wins where both changed a field differently
    #[arg(long, value_enum, default_value = "stop", requires = "merge")]
    on_conflict: Side,
    /// Compare with the check-out, also where the file was brought back before: what it brought then and was undone here
    /// since comes again
    #[arg(long, requires = "merge")]
    anew: bool,
    /// Only tell what --merge would do
    #[arg(long, requires = "merge")]
    dry_run: bool,
    /// Who imports, for the record
    #[arg(long, value_name = "NAME", env = "MUTU_AUTHOR", default_value = "")]
    author: String,
    /// How the report is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Import {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        if self.merge {
            let Self { workspace, files, author, on_conflict, anew, dry_run, format, .. } = self;
            return Merge { workspace: workspace.workspace, files, author, on_conflict, anew, dry_run, format }.run();
        }
        let is_new = !self.workspace.workspace.exists();
        let planner = Planner::open_or_create(&self.workspace.workspace)?;
        if let Some(recovery) = planner.recovery() {
            output::say(&format!("mutu: {recovery}"));
        }
        let mut reports = Vec::new();
        let mut failure = None;
        for (number, file) in self.files.iter().enumerate() {
            let bar = Bar::new();
            let result = planner.import(&self.request(file, number), &mut |progress| bar.tell(progress));
            bar.finish();
            match result {
                Ok(report) => reports.push(report),
                Err(PlannerError::AllRefused(report)) => {
                    failure = Some(Failure {
                        code: 20,
                        message: format!("{}: every row was refused; nothing was imported", report.file),
                    });
                    reports.push(*report);
                }
                Err(error) => failure = Some(error.into()),
            }
            if failure.is_some() {
                break;
            }
        }
        self.tell(&reports)?;
        planner.close()?;
        if is_new && reports.iter().all(|report| report.stored == 0) {
            // Nothing came into the workspace that was made for it.
            std::fs::remove_file(&self.workspace.workspace)
                .map_err(|error| Failure::io(format!("{}: {error}", self.workspace.workspace.display())))?;
        }
        match failure {
            Some(failure) => Err(failure),
            None if reports.iter().any(|report| report.refused > 0) => Ok(Outcome::WithRefusals),
            None => Ok(Outcome::Done),
        }
    }

    fn request(&self, file: &Path, number: usize) -> ImportRequest {
        let if_exists = match (self.append, self.replace) {
            (true, _) => IfExists::Append,
            (_, true) if number == 0 || self.layer.is_none() => IfExists::Replace,
            // Further files of one call go into the layer that the first one made.
            _ if number > 0 && self.layer.is_some() => IfExists::Append,
            _ => IfExists::Refuse,
        };
        ImportRequest {
            file: file.to_owned(),
            layer: self.layer.clone(),
            table: self.table.clone(),
            crs: self.crs.clone(),
            encoding: self.encoding.clone(),
            if_exists,
            author: self.author.clone(),
        }
    }

    fn tell(&self, reports: &[ImportReport]) -> Result<(), Failure> {
        match self.format {
            Format::Json => output::put_json(&serde_json::json!({ "imports": reports })),
            Format::Csv => output::put(&output::csv(&head(), &rows(reports))),
            Format::Table => output::put(&as_text(reports)),
        }
    }
}

fn head() -> Vec<String> {
    ["file", "row", "id", "weight", "fault", "x", "y", "message"].map(str::to_owned).to_vec()
}

fn rows(reports: &[ImportReport]) -> Vec<Vec<String>> {
    let cell = |value: Option<String>| value.unwrap_or_default();
    let row_of = |file: &str, finding: &crate::domain::report::Finding| {
        vec![
            file.to_owned(),
            cell(finding.row.map(|row| row.to_string())),
            cell(finding.id.map(|id| id.to_string())),
            word(finding.weight).to_owned(),
            finding.fault.clone(),
            cell(finding.place.map(|place| place[0].to_string())),
            cell(finding.place.map(|place| place[1].to_string())),
            finding.message.clone(),
        ]
    };
    reports.iter().flat_map(|report| report.findings.iter().map(|f| row_of(&report.file, f))).collect()
}

const fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Note => "note",
        Weight::Flagged => "flagged",
        Weight::Refused => "refused",
    }
}

fn as_text(reports: &[ImportReport]) -> String {
    let mut text = String::new();
    for report in reports {
        text.push_str(&format!("{} -> layer {}\n", report.file, report.layer));
        text.push_str(&format!("  coordinates: {}\n", report.crs));
        if !report.encoding.is_empty() {
            text.push_str(&format!("  text: {}\n", report.encoding));
        }
        text.push_str(&format!(
            "  read {}, stored {} ({} of them flagged), refused {}\n",
            report.read, report.stored, report.flagged, report.refused
        ));
        for finding in &report.findings {
            text.push_str(&format!("  {}: {}: {}\n", word(finding.weight), finding.fault, finding.message));
        }
    }
    text
}
