//! `mutu history show|diff|undo|restore`: the past of a feature, of a layer, and the way back.

use std::sync::Arc;

use serde_json::json;

use crate::{
    catalog::Catalog,
    domain::{
        calendar::date_time_text,
        edit::{Change, Edit},
        feature::Value,
        geojson::write_value,
    },
    ground::units::{Area, AreaUnit},
    planner::{Difference, DifferenceReport, Planner, Standard, StatisticsQuestion, Version, When},
};

use super::{
    Failure, Outcome, WorkspaceArgument,
    output::{self, Format},
    progress::Bar,
};

/// The picture that a verb answers from: the present, or that of the moment given.
pub(super) fn picture(planner: &Planner, as_of: Option<&str>) -> Result<Arc<Catalog>, Failure> {
    match as_of {
        None => Ok(planner.read()),
        Some(text) => Ok(planner.read_at(moment("--as-of", text)?)?),
    }
}

fn moment(option: &str, text: &str) -> Result<When, Failure> {
    When::parse_one(text).map_err(|error| Failure::usage(format!("{option} {text}: {error}")))
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history show parcels 7 --workspace heshan.gpkg")]
pub(super) struct Show {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The layer
    #[arg(value_name = "LAYER")]
    layer: String,
    /// The feature
    #[arg(value_name = "ID")]
    id: i64,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Show {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        let versions = planner.story(&self.layer, self.id, &|_, _| true)?;
        if versions.is_empty() {
            return Err(self.nothing(&planner));
        }
        let head: Vec<String> =
            ["version", "at", "author", "operation", "area_m2", "what", "note"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = versions.iter().map(row_of).collect();
        match self.format {
            Format::Json => {
                let versions: Vec<_> = versions.iter().map(document_of).collect();
                output::put_json(&json!({ "layer": self.layer, "id": self.id, "versions": versions }))?;
            }
            Format::Csv => output::put(&output::csv(&head, &rows))?,
            Format::Table => output::put(&output::columns(&head, &rows))?,
        }
        Ok(Outcome::Done)
    }
}

impl Show {
    /// Why there is nothing to show.
    fn nothing(&self, planner: &Planner) -> Failure {
        if let Err(error) = planner.load(&mut |_| ()) {
            return error.into();
        }
        let catalog = planner.read();
        let message = if catalog.layer(&self.layer).is_some() {
            format!("layer {:?} has no feature {} and never had one", self.layer, self.id)
        } else {
            let known: Vec<&str> = catalog.layers().map(|state| state.layer().id.as_str()).collect();
            format!("there is no layer {:?} in the workspace; there are: {}", self.layer, known.join(", "))
        };
        Failure { code: 40, message }
    }
}

fn row_of(version: &Version) -> Vec<String> {
    let area =
        |area: Option<Area>| area.map_or_else(|| "-".to_owned(), |area| area.rounded(AreaUnit::M2, 2).to_string());
    let areas = match (version.area.0, version.area.1) {
        (before, after) if before == after => area(after),
        (before, after) => format!("{} -> {}", area(before), area(after)),
    };
    let differ =
        |(name, before, after): &(String, Value, Value)| format!("{name}: {} -> {}", text(before), text(after));
    let mut what: Vec<String> = version.differences.iter().map(differ).collect();
    if version.geometry_changed && version.operation == "changed" {
        what.push("geometry".to_owned());
    }
    let ids = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    if !version.parents.is_empty() {
        what.push(format!("from {}", ids(&version.parents)));
    }
    if !version.children.is_empty() {
        what.push(format!("became {}", ids(&version.children)));
    }
    let operation = if version.kept { version.operation } else { "not kept" };
    vec![
        version.made.seq.to_string(),
        date_time_text(version.made.at),
        version.made.author.clone(),
        operation.to_owned(),
        areas,
        what.join("; "),
        version.made.note.clone(),
    ]
}

fn document_of(version: &Version) -> serde_json::Value {
    let area = |area: Option<Area>| area.map(|area| area.hundredths_m2() as f64 / 100.0);
    let differences = version.differences.iter().map(
        |(property, before, after)| json!({ "property": property, "before": value(before), "after": value(after) }),
    );
    json!({
        "version": version.made.seq,
        "at": date_time_text(version.made.at),
        "author": version.made.author,
        "note": version.made.note,
        "kind": version.made.kind,
        "kept": version.kept,
        "operation": version.operation,
        "area_m2": { "before": area(version.area.0), "after": area(version.area.1) },
        "geometryChanged": version.geometry_changed,
        "differences": differences.collect::<Vec<_>>(),
        "parents": version.parents,
        "children": version.children,
    })
}

fn value(value: &Value) -> serde_json::Value {
    let mut out = Vec::new();
    write_value(&mut out, value.view());
    serde_json::from_slice(&out).unwrap_or_default()
}

fn text(given: &Value) -> String {
    match value(given) {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mutu history diff --layer parcels --from 2026-03-01 --group-by status --unit mu\n  \
                        mutu history diff --layer parcels --from 12 --to 15 --format geojson > changed.geojson"
)]
pub(super) struct Diff {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The layer
    #[arg(long, value_name = "ID")]
    layer: String,
    /// The first moment: a moment, a day (its end, UTC+8), or the number of an edit or import
    #[arg(long, value_name = "DATE|SEQ")]
    from: String,
    /// The second moment; the present where not given
    #[arg(long, value_name = "DATE|SEQ")]
    to: Option<String>,
    /// Properties by which land is grouped before and after, separated by commas
    #[arg(long, value_name = "NAMES")]
    group_by: Option<String>,
    /// The unit of area: m2, ha, mu or km2
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// How areas are measured: ellipsoidal or planar
    #[arg(long, value_name = "BASIS")]
    basis: Option<String>,
    /// How the result is written: the report as a table or JSON, or the features that differ as CSV or GeoJSON
    #[arg(long, value_enum, default_value = "table")]
    format: DiffFormat,
}

/// How a difference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DiffFormat {
    /// The report for people
    Table,
    /// The report as the JSON of the API
    Json,
    /// The features that differ
    Csv,
    /// The features that differ
    Geojson,
}

impl Diff {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        let from = planner.read_at(moment("--from", &self.from)?)?;
        let to = match &self.to {
            Some(to) => planner.read_at(moment("--to", to)?)?,
            None => planner.read(),
        };
        bar.finish();
        let difference = Difference::of(&self.layer, from, to).map_err(crate::planner::PlannerError::from)?;
        match self.format {
            DiffFormat::Csv => {
                let (head, rows) = difference.table(true);
                output::put(&output::csv(&head, &rows))?;
            }
            DiffFormat::Geojson => output::put(&String::from_utf8_lossy(&difference.geojson()))?,
            DiffFormat::Json | DiffFormat::Table => {
                let question = StatisticsQuestion {
                    group_by: self.group_by,
                    unit: self.unit,
                    basis: self.basis,
                    ..StatisticsQuestion::default()
                };
                let report = difference.report(&question)?;
                if self.format == DiffFormat::Json {
                    let text = serde_json::to_string(&report).map_err(|error| Failure::io(error.to_string()))?;
                    output::put(&format!("{text}\n"))?;
                } else {
                    output::put(&shown(&report))?;
                }
            }
        }
        Ok(Outcome::Done)
    }
}

/// The report for people: what happened, then the land by class.
fn shown(report: &DifferenceReport) -> String {
    let unit = report.unit.as_str();
    let head = ["", "count", &format!("area_{unit} before"), &format!("area_{unit} after")].map(str::to_owned).to_vec();
    let line =
        |what: &str, count: i64, before: String, after: String| vec![what.to_owned(), count.to_string(), before, after];
    let rows = vec![
        line("added", report.added.count, "-".to_owned(), report.added.area.to_string()),
        line("removed", report.removed.count, report.removed.area.to_string(), "-".to_owned()),
        line(
            "changed",
            report.changed.count,
            report.changed.area_before.to_string(),
            report.changed.area_after.to_string(),
        ),
    ];
    let keys: Vec<String> =
        report.groups.first().map(|g| g.key.0.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    let mut class_head = if keys.is_empty() { vec![String::new()] } else { keys.clone() };
    class_head.extend(["count before", "count after", "area before", "area after", "change"].map(str::to_owned));
    let figures = |balance: &crate::planner::Balance| {
        [
            balance.before.count.to_string(),
            balance.after.count.to_string(),
            balance.before.area.to_string(),
            balance.after.area.to_string(),
            balance.change.area.to_string(),
        ]
    };
    let mut classes: Vec<Vec<String>> = Vec::new();
    for group in report.groups.iter().filter(|_| !keys.is_empty()) {
        let mut row: Vec<String> =
            keys.iter().map(|name| group.key.shown(name).unwrap_or_else(|| "-".to_owned())).collect();
        row.extend(figures(&group.balance));
        classes.push(row);
    }
    let mut total = vec![String::new(); class_head.len() - 5];
    "total".clone_into(&mut total[0]);
    total.extend(figures(&report.total));
    classes.push(total);
    let moments = format!(
        "{} (number {}) to {} (number {})\n\n",
        report.from.as_of, report.from.seq, report.to.as_of, report.to.seq
    );
    format!("{moments}{}\n{}", output::columns(&head, &rows), output::columns(&class_head, &classes))
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu history undo 17 --note 误删 --dry-run\n  mutu history undo 17 --note 误删")]
pub(super) struct Undo {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The number of the edit to take back
    #[arg(value_name = "SEQ")]
    seq: i64,
    #[command(flatten)]
    asked: Asked,
}

/// What every way back is asked.
#[derive(Debug, clap::Args)]
struct Asked {
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Who
    #[arg(long, value_name = "NAME", default_value = "local")]
    author: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Undo {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let Asked { author, note, .. } = &self.asked;
        let planner = opened(&self.workspace)?;
        let edit = planner.undoing(self.seq, author, note)?;
        carry_out(planner, edit, &self.asked)
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mutu history restore parcels --to 2026-03-31 --note 恢复 --dry-run\n  \
                        mutu history restore parcels --id 7 --to 12")]
pub(super) struct Restore {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The layer
    #[arg(value_name = "LAYER")]
    layer: String,
    /// The moment: a moment, a day (its end, UTC+8), or the number of an edit or import
    #[arg(long, value_name = "DATE|SEQ")]
    to: String,
    /// Only this feature; the whole layer where not given
    #[arg(long, value_name = "ID")]
    id: Option<i64>,
    /// Also where the layer was not there yet, or was empty, at the moment, so that every feature of it is removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Restore {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let planner = opened(&self.workspace)?;
        let when = moment("--to", &self.to)?;
        let edit = planner.restoring(&self.layer, self.id, when, (&self.asked.author, &self.asked.note))?;
        if edit.changes.is_empty() {
            output::say("mutu: everything is as it was then: nothing to restore");
            return Ok(Outcome::Done);
        }
        if self.id.is_none()
            && let Some(why) = self.emptying(&planner, &edit)?
        {
            if !self.yes && !self.asked.dry_run {
                let message = format!("{why}; nothing was changed: say --yes where that is meant (--dry-run shows it)");
                return Err(Failure { code: 30, message });
            }
            output::say(&format!("mutu: {why}"));
        }
        carry_out(planner, edit, &self.asked)
    }

    /// That nothing of the layer would be left, and why, where that is so.
    fn emptying(&self, planner: &Planner, edit: &Edit) -> Result<Option<String>, Failure> {
        let present = planner.read();
        let held = present.layer(&self.layer).map_or(0, |state| state.table().len());
        let removed = edit.changes.iter().filter(|change| matches!(change, Change::Delete { .. })).count();
        if removed < held || removed < edit.changes.len() {
            return Ok(None);
        }
        let then = planner.read_at(moment("--to", &self.to)?)?;
        let why = if then.layer(&self.layer).is_some() { "was empty then" } else { "was not there yet then" };
        Ok(Some(format!("layer {} {why}: restoring it removes all of its {held} features", self.layer)))
    }
}

fn opened(workspace: &WorkspaceArgument) -> Result<Planner, Failure> {
    let planner = Planner::open(&workspace.workspace)?;
    let bar = Bar::new();
    planner.load(&mut |progress| bar.tell(progress))?;
    bar.finish();
    Ok(planner)
}

fn carry_out(planner: Planner, edit: Edit, asked: &Asked) -> Result<Outcome, Failure> {
    let done = if asked.dry_run {
        planner.preview(edit, Standard::Restored)?
    } else {
        planner.carry_out(edit, Standard::Restored)?
    };
    let operation = |change: &Change| match change {
        Change::Put { expects: None, .. } => "added",
        Change::Put { .. } => "changed",
        Change::Delete { .. } => "removed",
    };
    let rows: Vec<(String, String, &str)> = done
        .edit
        .changes
        .iter()
        .map(|change| (change.target().0.to_string(), change.target().1.to_string(), operation(change)))
        .collect();
    match asked.format {
        Format::Json => {
            let changes: Vec<_> =
                rows.iter().map(|(layer, id, what)| json!({ "layer": layer, "id": id, "operation": what })).collect();
            let findings = &done.notices;
            output::put_json(
                &json!({ "seq": done.seq, "dryRun": asked.dry_run, "changes": changes, "findings": findings }),
            )?;
        }
        format => {
            let head = ["layer", "id", "operation"].map(str::to_owned).to_vec();
            let rows: Vec<Vec<String>> =
                rows.into_iter().map(|(layer, id, what)| vec![layer, id, what.to_owned()]).collect();
            let written = if format == Format::Csv { output::csv(&head, &rows) } else { output::columns(&head, &rows) };
            output::put(&written)?;
        }
    }
    for notice in &done.notices {
        output::say(&format!("mutu: a rule is broken beside what came since: {notice}"));
    }
    match done.seq {
        Some(seq) => output::say(&format!("mutu: done as number {seq}")),
        None => output::say("mutu: nothing was changed: that is what would be done"),
    }
    planner.close()?;
    Ok(Outcome::Done)
}
