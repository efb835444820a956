//! `mutu outside`.

use clap::Subcommand;

use crate::planner::{Choice, OutsidePolicy, OutsideTold, Planner, Settled, Waiting};

use super::{
    Failure, Outcome, WorkspaceArgument,
    output::{self, Format},
    progress::Bar,
};

/// Show what other programs (QGIS, ogr2ogr) did to the workspace file, take it in or refuse it
///
/// The exit code of show is 21 where something waits; that of take and refuse where something is left.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mutu outside show --workspace heshan.gpkg\n  \
                        mutu outside take --layer parcels --author 王工 --note 补测\n  \
                        mutu outside refuse --layer parcels --id 17")]
pub(super) struct Outside {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits, feature by feature
    Show(Show),
    /// Take it in, as one edit
    Take(Decide),
    /// Put it back as it is recorded; what was written is kept to be looked at
    Refuse(Decide),
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Decide {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// Only this layer; may be given several times
    #[arg(long = "layer", value_name = "ID")]
    layers: Vec<String>,
    /// Only this feature of the layer; may be given several times
    #[arg(long = "id", value_name = "N", requires = "layers")]
    ids: Vec<i64>,
    /// Who changed the features (take), or who puts them back (refuse)
    #[arg(long, value_name = "NAME", env = "MUTU_AUTHOR", default_value = "outside")]
    author: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What the server does about changes of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Policy {
    /// Take them in where they are valid
    Take,
    /// Let them wait for somebody to decide
    Ask,
    /// Put them back
    Refuse,
}

impl From<Policy> for OutsidePolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Take => Self::Take,
            Policy::Ask => Self::Ask,
            Policy::Refuse => Self::Refuse,
        }
    }
}

impl Outside {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self.verb {
            Verb::Show(show) => show.run(),
            Verb::Take(decide) => decide.run(Planner::take_outside),
            Verb::Refuse(decide) => decide.run(Planner::refuse_outside),
        }
    }
}

impl Show {
    fn run(self) -> Result<Outcome, Failure> {
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        load(&planner)?;
        let waiting = planner.waiting()?;
        match self.format {
            Format::Json => output::put_json(&serde_json::json!(waiting))?,
            Format::Csv => output::put(&output::csv(&head(), &rows(&waiting)))?,
            Format::Table if waiting.layers.is_empty() => {
                output::put("nothing waits: the file is as it is recorded\n")?;
            }
            Format::Table => output::put(&output::columns(&head(), &rows(&waiting)))?,
        }
        Ok(if waiting.layers.is_empty() { Outcome::Done } else { Outcome::WithRefusals })
    }
}

impl Decide {
    fn run(
        self,
        decide: fn(&Planner, &Choice) -> Result<Settled, crate::planner::PlannerError>,
    ) -> Result<Outcome, Failure> {
        let planner = Planner::open(&self.workspace.workspace)?;
        if let Some(recovery) = planner.recovery() {
            output::say(&format!("mutu: {recovery}"));
        }
        load(&planner)?;
        let choice = Choice { layers: self.layers, ids: self.ids, author: self.author, note: self.note };
        let settled = decide(&planner, &choice);
        planner.close()?;
        let settled = settled?;
        match self.format {
            Format::Json => output::put_json(&serde_json::json!(settled))?,
            Format::Csv => output::put(&output::csv(&left_head(), &left_rows(&settled)))?,
            Format::Table => output::put(&said(&settled))?,
        }
        Ok(if settled.left.is_empty() { Outcome::Done } else { Outcome::WithRefusals })
    }
}

fn load(planner: &Planner) -> Result<(), Failure> {
    let bar = Bar::new();
    planner.load(&mut |progress| bar.tell(progress))?;
    bar.finish();
    tell_left_out(planner);
    Ok(())
}

/// Says which layers cannot be shown.
pub(super) fn tell_left_out(planner: &Planner) {
    for (layer, why) in planner.left_out() {
        output::say(&format!("mutu: layer {layer} cannot be shown: {why}"));
    }
}

/// What happened, in sentences.
pub(super) fn told(told: &OutsideTold) -> String {
    match told {
        OutsideTold::Settled(settled) => said(settled).trim_end().replace('\n', "; "),
        OutsideTold::Waiting { features, layers } => {
            format!("another program changed {features} features of {layers} layers: see /outside")
        }
        OutsideTold::Displaced => {
            "another file lies in the workspace's place: stop the server, and see which is right; \
                                   nothing that is written from now on is in the new one"
                .to_owned()
        }
        OutsideTold::Failed(why) => format!("what another program did could not be looked at: {why}"),
    }
}

fn said(settled: &Settled) -> String {
    let mut text = String::new();
    if let Some(seq) = settled.seq {
        text.push_str(&format!("took in {} features as number {seq}\n", settled.taken));
    }
    if settled.refused > 0 {
        text.push_str(&format!("put {} features back as they are recorded\n", settled.refused));
    }
    for left in &settled.left {
        let id = left.id.map(|id| format!(" {id}")).unwrap_or_default();
        text.push_str(&format!("left {}{id}: {}\n", left.layer, left.reason));
    }
    if text.is_empty() { "nothing waits\n".to_owned() } else { text }
}

fn head() -> Vec<String> {
    ["layer", "id", "operation", "area_m2_before", "area_m2_after", "differences", "reasons"]
        .map(str::to_owned)
        .to_vec()
}

fn rows(waiting: &Waiting) -> Vec<Vec<String>> {
    let number = |value: &serde_json::Value| value.as_f64().map(|area| format!("{area:.2}")).unwrap_or_default();
    let mut rows = Vec::new();
    for layer in &waiting.layers {
        for fault in &layer.faults {
            let mut row = vec![String::new(); head().len()];
            row[0].clone_from(&layer.layer);
            row[6].clone_from(fault);
            rows.push(row);
        }
        for told in &layer.features {
            let mut differences: Vec<String> = told
                .differences
                .iter()
                .map(|told| format!("{}: {} -> {}", told.property, told.values.before, told.values.after))
                .collect();
            if told.geometry_changed {
                differences.insert(0, "geometry".to_owned());
            }
            rows.push(vec![
                layer.layer.clone(),
                told.id.to_string(),
                told.operation.to_owned(),
                number(&told.area_m2.before),
                number(&told.area_m2.after),
                differences.join("; "),
                told.reasons.join("; "),
            ]);
        }
    }
    rows
}

fn left_head() -> Vec<String> {
    ["layer", "id", "reason"].map(str::to_owned).to_vec()
}

fn left_rows(settled: &Settled) -> Vec<Vec<String>> {
    let row = |left: &crate::planner::Left| {
        vec![left.layer.clone(), left.id.map(|id| id.to_string()).unwrap_or_default(), left.reason.clone()]
    };
    settled.left.iter().map(row).collect()
}
