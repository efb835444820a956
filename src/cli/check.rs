//! `mutu check`.

use crate::planner::{Checkup, Planner};

use super::{
    Failure, Outcome, WorkspaceArgument,
    output::{self, Format},
    progress::Bar,
};

/// Look for faults in the file and in the geometry of its layers
///
/// The exit code is 21 where a fault is found.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu check --workspace heshan.gpkg --layer parcels --format csv")]
pub(super) struct Check {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// Only this layer
    #[arg(long, value_name = "ID")]
    layer: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Check {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        let checkup = planner.check(self.layer.as_deref())?;
        bar.finish();
        self.tell(&checkup)?;
        Ok(if checkup.is_sound() { Outcome::Done } else { Outcome::WithRefusals })
    }

    fn tell(&self, checkup: &Checkup) -> Result<(), Failure> {
        let head = ["layer", "id", "fault", "lon", "lat", "message"].map(str::to_owned).to_vec();
        let cell = |value: Option<String>| value.unwrap_or_default();
        let rows: Vec<Vec<String>> = checkup
            .faults
            .iter()
            .map(|fault| {
                vec![
                    fault.layer.clone(),
                    cell(fault.id.map(|id| id.to_string())),
                    fault.fault.clone(),
                    cell(fault.place.map(|place| format!("{:.8}", place[0]))),
                    cell(fault.place.map(|place| format!("{:.8}", place[1]))),
                    fault.message.clone(),
                ]
            })
            .collect();
        match self.format {
            Format::Json => output::put_json(&serde_json::json!(checkup)),
            Format::Csv => output::put(&output::csv(&head, &rows)),
            Format::Table if rows.is_empty() => {
                output::put(&format!("{} features in {} layers: no fault\n", checkup.features, checkup.layers))
            }
            Format::Table => output::put(&output::columns(&head, &rows)),
        }
    }
}
