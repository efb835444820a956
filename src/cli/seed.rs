//! `mutu seed`.

use crate::planner::Planner;

use super::{Failure, Outcome, WorkspaceArgument, output, progress::Bar};

/// Make a new workspace with the Heshan demonstration data
///
/// Only the county's outline and the town seats are real; everything else is synthetic or approximate and
/// says so on every feature.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mutu seed --workspace heshan.gpkg")]
pub(super) struct Seed {
    #[command(flatten)]
    workspace: WorkspaceArgument,
}

impl Seed {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let path = self.workspace.workspace;
        let bar = Bar::new();
        let seeded = Planner::seed(&path, &mut |progress| bar.tell(progress))?;
        bar.finish();
        output::say(&format!(
            "mutu: {} holds {} layers with {} features; synthetic ones say so",
            path.display(),
            seeded.layers,
            seeded.features
        ));
        Ok(Outcome::Done)
    }
}
