//! Export: a layer of the current picture becomes a file, streamed, complete or absent.

use std::path::PathBuf;

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        feature::FeatureRef,
        layer::Layer,
        schema::{Derived, Field, FieldType},
    },
    engine::table::Row,
    formats::{self, Target, Written},
    ground::crs::Crs,
};

use super::{Planner, PlannerError};

/// What to write, and how.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The layer.
    pub layer: String,
    /// The file; its ending names the format.
    pub out: PathBuf,
    /// The CRS of the file; the stored one where not given.
    pub crs: Option<String>,
    /// The encoding of text, where the format has a choice.
    pub encoding: Option<String>,
    /// Whether the derived areas are columns of the file.
    pub with_areas: bool,
}

impl Planner {
    /// Writes a layer to a file.
    ///
    /// # Errors
    /// [`PlannerError`] where the layer, the format or the CRS is unknown, or the file cannot be written; there
    /// is no file then.
    pub fn export(&self, request: &ExportRequest) -> Result<Written, PlannerError> {
        let catalog = self.read();
        let state = self.layer(&catalog, &request.layer)?;
        let write = formats::by_extension(&request.out).and_then(|format| format.write).ok_or_else(|| {
            PlannerError::UnknownFormat(format!(
                "{}: the ending names no format that can be written; there are {}",
                request.out.display(),
                formats::writable()
            ))
        })?;
        let crs = request.crs.as_deref().map_or_else(|| Ok(Crs::stored()), str::parse)?;
        let encoding = request.encoding.as_deref().map(super::import::encoding_named).transpose()?;
        let target = Target { path: request.out.clone(), crs, encoding };
        let layer = if request.with_areas { with_areas(state.layer()) } else { state.layer().clone() };
        let mut features = state.table().rows_by_id(i64::MIN).map(|row| feature(&state, row, request.with_areas));
        Ok(write(&target, &layer, &mut features)?)
    }

    /// The layer of an id.
    #[expect(clippy::unused_self, reason = "reads as a question to the planner")]
    pub(super) fn layer(&self, catalog: &Catalog, id: &str) -> Result<std::sync::Arc<LayerState>, PlannerError> {
        catalog.layer(id).cloned().ok_or_else(|| {
            let known: Vec<&str> = catalog.layers().map(|state| state.layer().id.as_str()).collect();
            PlannerError::UnknownLayer { given: id.to_owned(), known: known.join(", ") }
        })
    }
}

/// The layer with columns for the derived areas.
fn with_areas(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    if layer.geometry.has_areas() {
        layer.schema.fields.extend(Derived::ALL.map(|derived| Field::new(derived.name(), FieldType::Real)));
    }
    layer
}

fn feature(state: &LayerState, row: Row, with_areas: bool) -> FeatureRef<'_> {
    let mut feature = state.table().feature(row);
    if with_areas && state.layer().geometry.has_areas() {
        feature.values.extend(Derived::ALL.map(|derived| state.table().derived(row, derived)));
    }
    feature
}
