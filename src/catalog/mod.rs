//! An immutable picture of all layers with their indexes at one moment.
//!
//! Readers hold an `Arc` of one catalog and never wait; a commit makes the next catalog from the last in
//! time proportional to the edit ([`next`]): every layer it does not touch is shared, and of a touched layer all but
//! its small last segments. What was measured of the last state serves the next one. Segments that have become many are
//! joined beside readers and writers ([`merge`]).

mod difference;
mod merge;
mod next;
mod past;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustc_hash::FxHashSet;

use crate::{
    domain::{
        edit::Change,
        feature::{Feature, ValueRef},
        layer::Layer,
        schema::{FieldType, LayerId},
    },
    engine::{
        filter::Selection,
        overlay::{Overlaps, Zones, ZonesError},
        table::{Row, Segment, Table, TableError},
        touched::Touched,
    },
    ground::{
        crs::{Crs, CrsError},
        measure::{NotASurveyGrid, SurveyGrid},
        shape::Bounds,
    },
};

pub use difference::{LayerDifference, is_same_shape};
pub use merge::Merge;
pub use past::Were;

/// Why a catalog could not be built.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A feature does not fit its layer.
    #[error("layer {layer}: {source}")]
    Table {
        /// The layer.
        layer: LayerId,
        /// What is wrong.
        #[source]
        source: TableError,
    },
    /// The layer's survey grid cannot be used.
    #[error("layer {layer}: {source}")]
    Grid {
        /// The layer.
        layer: LayerId,
        /// What is wrong.
        #[source]
        source: GridError,
    },
    /// An edit names a layer that is not there.
    #[error("there is no layer {0}")]
    UnknownLayer(LayerId),
}

/// What can be wrong with a layer's survey grid.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// PROJ does not know it.
    #[error(transparent)]
    Crs(#[from] CrsError),
    /// No area may be measured in it.
    #[error(transparent)]
    NotAGrid(#[from] NotASurveyGrid),
}

/// The survey grid of a layer.
///
/// # Errors
/// [`GridError`] where the layer names none that can be used.
pub fn grid_of(layer: &Layer) -> Result<SurveyGrid, GridError> {
    Ok(SurveyGrid::new(layer.grid.parse::<Crs>()?, layer.surveyed_in_grid)?)
}

/// A layer with its features at one moment.
#[derive(Debug)]
pub struct LayerState {
    layer: Arc<Layer>,
    grid: SurveyGrid,
    table: Table,
    /// Differs between all states of this process.
    picture: u64,
    /// Whether it came by edits from what the line began with, and is not a look at it from elsewhere.
    is_in_line: bool,
    line: Arc<Line>,
    /// The last steps by which this state came from others, oldest first.
    steps: Arc<Vec<Step>>,
    extent: OnceLock<Option<Bounds>>,
    overlaps: OnceLock<Arc<Overlaps>>,
    zones: OnceLock<Result<Arc<Zones>, ZonesError>>,
}

/// What the states of a layer that came one from another have in common.
#[derive(Debug)]
struct Line {
    number: u64,
    /// The overlaps that were measured last, with the table that they are of.
    measured: Mutex<Option<Measured>>,
}

#[derive(Debug)]
struct Measured {
    picture: u64,
    table: Table,
    overlaps: Arc<Overlaps>,
}

/// From one state to the next.
#[derive(Debug, Clone)]
struct Step {
    /// The picture before.
    from: u64,
    touched: Arc<Touched>,
}

fn next_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

impl LayerState {
    /// A layer of segments that were built elsewhere.
    ///
    /// # Errors
    /// [`CatalogError::Grid`] where the layer's survey grid cannot be used.
    pub fn of_segments(layer: Layer, segments: Vec<Segment>) -> Result<Self, CatalogError> {
        let grid = grid_of(&layer).map_err(|source| CatalogError::Grid { layer: layer.id.clone(), source })?;
        let line = Line { number: next_number(), measured: Mutex::default() };
        let table = Table::of_segments(segments);
        Ok(Self::new(Arc::new(layer), grid, table, (Arc::new(line), Arc::default())))
    }

    fn new(layer: Arc<Layer>, grid: SurveyGrid, table: Table, (line, steps): (Arc<Line>, Arc<Vec<Step>>)) -> Self {
        Self {
            layer,
            grid,
            table,
            picture: next_number(),
            is_in_line: true,
            line,
            steps,
            extent: OnceLock::new(),
            overlaps: OnceLock::new(),
            zones: OnceLock::new(),
        }
    }

    /// The layer with another table of its features: as it was, or as somebody sees it. What was measured of this one
    /// helps to measure that one where they have much in common.
    #[must_use]
    pub fn beside(&self, table: Table) -> Self {
        let line = (Arc::clone(&self.line), Arc::default());
        Self { is_in_line: false, ..Self::new(Arc::clone(&self.layer), self.grid.clone(), table, line) }
    }

    /// What is known about the layer.
    #[must_use]
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Its features.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The grid in which its planar areas are measured.
    #[must_use]
    pub const fn grid(&self) -> &SurveyGrid {
        &self.grid
    }

    /// A number that no other state of any layer has in this process: what is kept about a layer is kept under it.
    ///
    /// The number of its last edit would not do: a layer that is loaded anew after a deletion may have an earlier one again.
    #[must_use]
    pub const fn picture(&self) -> u64 {
        self.picture
    }

    /// A number that this state has in common with those that it came from by edits, and with those that come from it.
    #[must_use]
    pub fn line(&self) -> u64 {
        if self.is_in_line { self.line.number } else { self.picture }
    }

    /// Whether all that lies in a box is as it was in the state whose number was `picture`. False may be said of what is.
    #[must_use]
    pub fn is_unchanged_since(&self, picture: u64, bounds: &Bounds) -> bool {
        let Some(since) = self.steps.iter().rposition(|step| step.from == picture) else {
            return picture == self.picture;
        };
        !self.steps[since..].iter().any(|step| step.touched.reaches(bounds))
    }

    /// The box around its features in degrees, measured when first asked for.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        *self.extent.get_or_init(|| self.table.extent())
    }

    /// Where its features overlap one another, measured when first asked for; from what was measured of another state of
    /// the layer, where there is one, in time proportional to what lies between.
    #[must_use]
    pub fn overlaps(&self) -> &Overlaps {
        self.overlaps.get_or_init(|| {
            // Held while measuring: who asks meanwhile, of whatever state, has less to measure afterwards.
            let mut last = self.line.measured.lock().unwrap_or_else(PoisonError::into_inner);
            let overlaps = Arc::new(match &*last {
                Some(last) => last.overlaps.after(&last.table, &self.table),
                None => Overlaps::of(&self.table),
            });
            if self.is_in_line && last.as_ref().is_none_or(|last| last.picture < self.picture) {
                let (table, overlaps) = (self.table.clone(), Arc::clone(&overlaps));
                *last = Some(Measured { picture: self.picture, table, overlaps });
            }
            overlaps
        })
    }

    /// Whether overlaps of this layer were ever asked for.
    fn is_measured(&self) -> bool {
        self.line.measured.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Its features as zones by which others are cut, prepared when first asked for. They are named by their
    /// column `name`, else by their first column of text where no two have the same, else by their ids as `#id`.
    ///
    /// # Errors
    /// [`ZonesError`] where the layer has no surfaces.
    pub fn zones(&self) -> Result<&Zones, ZonesError> {
        let name = || self.naming_column().filter(|(column, sure)| *sure || self.tells_apart(*column));
        let prepare = || Zones::prepare(&self.table, name().map(|(column, _)| column)).map(Arc::new);
        self.zones.get_or_init(prepare).as_deref().map_err(Clone::clone)
    }

    /// The column by which zones are named, and whether it is whatever it holds.
    fn naming_column(&self) -> Option<(usize, bool)> {
        let fields = &self.layer.schema.fields;
        let text = || fields.iter().position(|field| field.kind == FieldType::Text).map(|column| (column, false));
        self.layer.schema.position("name").map(|column| (column, true)).or_else(text)
    }

    /// Whether no two features have the same value in a column.
    fn tells_apart(&self, column: usize) -> bool {
        let mut seen = FxHashSet::default();
        self.table.rows().all(|row| match self.table.value(row, column) {
            ValueRef::Text(text) => seen.insert(text),
            _ => false,
        })
    }

    /// The layer as somebody sees it who may see some of its features only: the others are as if they were not there.
    #[must_use]
    pub fn showing(&self, visible: &Selection) -> Self {
        let hidden: Vec<Row> = self.table.rows().filter(|row| !visible.contains(*row)).collect();
        self.beside(self.table.with_last(self.table.segments().len(), None, &hidden))
    }
}

/// All layers at one moment.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    seq: i64,
    layers: BTreeMap<LayerId, Arc<LayerState>>,
    /// The order in which the workspace lists its layers.
    order: Vec<LayerId>,
    /// The moment that was asked about, where it was not the present.
    as_of: Option<i64>,
}

impl Catalog {
    /// The catalog of some layers, in the order in which they shall be listed, after edit `seq`.
    #[must_use]
    pub fn build(layers: Vec<LayerState>, seq: i64) -> Self {
        let order = layers.iter().map(|state| state.layer.id.clone()).collect();
        let layers = layers.into_iter().map(|state| (state.layer.id.clone(), Arc::new(state))).collect();
        Self { seq, layers, order, as_of: None }
    }

    /// The sequence number of the last edit in this picture.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// All layers in the workspace's order.
    pub fn layers(&self) -> impl Iterator<Item = &Arc<LayerState>> {
        self.order.iter().filter_map(|id| self.layers.get(id))
    }

    /// A layer by its id.
    #[must_use]
    pub fn layer(&self, id: &str) -> Option<&Arc<LayerState>> {
        self.layers.get(id)
    }

    /// A number that differs between pictures of the workspace that differ in any layer, in this process.
    #[must_use]
    pub fn picture(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.layers().for_each(|state| (state.layer.id.as_str(), state.picture).hash(&mut hasher));
        self.seq.hash(&mut hasher);
        hasher.finish()
    }

    /// The catalog with some layers shown otherwise, and without those that are not shown at all.
    #[must_use]
    pub fn showing(&self, shown: &BTreeMap<LayerId, Arc<LayerState>>) -> Self {
        let order = self.order.iter().filter(|id| shown.contains_key(*id)).cloned().collect();
        Self { seq: self.seq, layers: shown.clone(), order, as_of: self.as_of }
    }

    /// The catalog after an edit that was stored as number `seq`.
    ///
    /// # Errors
    /// [`CatalogError`] where a change names an unknown layer or does not fit its schema.
    pub fn apply(&self, changes: &[Change], seq: i64) -> Result<Self, CatalogError> {
        let mut by_layer: BTreeMap<&LayerId, BTreeMap<i64, Option<&Feature>>> = BTreeMap::new();
        for change in changes {
            let (layer, id, feature) = match change {
                Change::Put { layer, feature, .. } => (layer, feature.id, Some(feature)),
                Change::Delete { layer, id, .. } => (layer, *id, None),
            };
            by_layer.entry(layer).or_default().insert(id, feature);
        }
        let mut next = Self { seq, ..self.clone() };
        for (id, changes) in by_layer {
            let state = self.layers.get(id).ok_or_else(|| CatalogError::UnknownLayer(id.clone()))?;
            next.layers.insert(id.clone(), Arc::new(state.after(&changes, seq)?));
        }
        Ok(next)
    }

    /// The catalog with a layer added or replaced as a whole.
    #[must_use]
    pub fn with_layer(&self, state: LayerState, seq: i64) -> Self {
        let mut next = Self { seq, ..self.clone() };
        let id = state.layer.id.clone();
        if next.layers.insert(id.clone(), Arc::new(state)).is_none() {
            next.order.push(id);
        }
        next
    }
}
