//! Checking: what is wrong with the file, and with the geometry of its layers.

use serde::Serialize;

use crate::{catalog::LayerState, ground::fault::faults_of, store::Reader};

use super::{Planner, PlannerError};

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct FoundFault {
    /// The layer; empty for the file as a whole.
    pub layer: String,
    /// The feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// A stable word for the kind of fault.
    pub fault: String,
    /// Where, as longitude and latitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<[f64; 2]>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checkup {
    /// Layers looked at.
    pub layers: usize,
    /// Features looked at.
    pub features: usize,
    /// What is wrong, the file first, then by layer and id.
    pub faults: Vec<FoundFault>,
}

impl Checkup {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Planner {
    /// Looks for faults in the file and in the geometry of all layers, or of one.
    ///
    /// # Errors
    /// [`PlannerError`] where the layer is unknown or the file cannot be read.
    pub fn check(&self, only: Option<&str>) -> Result<Checkup, PlannerError> {
        let catalog = self.read();
        let mut checkup = Checkup::default();
        for problem in Reader::open(&self.path)?.check()? {
            checkup.faults.push(FoundFault {
                layer: problem.layer.unwrap_or_default(),
                id: None,
                fault: "file".to_owned(),
                place: None,
                message: problem.what,
            });
        }
        let layers: Vec<_> = match only {
            Some(id) => vec![self.layer(&catalog, id)?],
            None => catalog.layers().cloned().collect(),
        };
        for state in layers {
            checkup.layers += 1;
            checkup.features += state.table().len();
            look_at(&state, &mut checkup.faults);
        }
        Ok(checkup)
    }
}

fn look_at(state: &LayerState, found: &mut Vec<FoundFault>) {
    let table = state.table();
    for row in table.rows_by_id(i64::MIN) {
        let Some(shape) = table.shape(row) else { continue };
        for fault in faults_of(shape) {
            let at = fault.at.map_or_else(String::new, |at| format!(" at {:.8}, {:.8}", at.x, at.y));
            found.push(FoundFault {
                layer: state.layer().id.to_string(),
                id: Some(table.id(row)),
                fault: fault.kind.as_str().to_owned(),
                place: fault.at.map(|at| [at.x, at.y]),
                message: format!("{}{at}", fault.kind.sentence()),
            });
        }
    }
}
