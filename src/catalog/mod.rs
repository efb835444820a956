//! An immutable picture of all layers with their indexes at one moment.
//!
//! Readers hold an `Arc` of one catalog and never wait; a commit makes the next catalog from the last in
//! time proportional to the edit: every layer it does not touch is shared, and of a touched layer only a
//! small last segment is rebuilt.

mod past;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rustc_hash::FxHashSet;

use crate::{
    domain::{
        edit::Change,
        feature::{Feature, FeatureRef, ValueRef},
        layer::Layer,
        schema::{FieldType, LayerId},
    },
    engine::{
        filter::Selection,
        overlay::{Overlaps, Zones, ZonesError},
        table::{Row, Segment, SegmentBuilder, Table, TableError},
    },
    ground::{
        crs::{Crs, CrsError},
        measure::{NotASurveyGrid, SurveyGrid},
        shape::Bounds,
    },
};

pub use past::Were;

/// From so many features on, an edit's segment is left to itself and the next edit begins another.
const FULL_SEGMENT: usize = 4096;

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
    layer: Layer,
    grid: SurveyGrid,
    table: Table,
    /// Segments that edits leave as they are.
    settled: usize,
    /// Differs between all states of this process.
    picture: u64,
    extent: OnceLock<Option<Bounds>>,
    overlaps: OnceLock<Overlaps>,
    zones: OnceLock<Result<Zones, ZonesError>>,
}

impl LayerState {
    /// A layer of segments that were built elsewhere.
    ///
    /// # Errors
    /// [`CatalogError::Grid`] where the layer's survey grid cannot be used.
    pub fn of_segments(layer: Layer, segments: Vec<Segment>) -> Result<Self, CatalogError> {
        let grid = grid_of(&layer).map_err(|source| CatalogError::Grid { layer: layer.id.clone(), source })?;
        let table = Table::of_segments(segments);
        let settled = table.segments().len();
        Ok(Self::new(layer, grid, table, settled))
    }

    fn new(layer: Layer, grid: SurveyGrid, table: Table, settled: usize) -> Self {
        static PICTURES: AtomicU64 = AtomicU64::new(0);
        Self {
            layer,
            grid,
            table,
            settled,
            picture: PICTURES.fetch_add(1, Ordering::Relaxed),
            extent: OnceLock::new(),
            overlaps: OnceLock::new(),
            zones: OnceLock::new(),
        }
    }

    /// What is known about the layer.
    #[must_use]
    pub const fn layer(&self) -> &Layer {
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

    /// The box around its features in degrees, measured when first asked for.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        *self.extent.get_or_init(|| self.table.extent())
    }

    /// Where its features overlap one another, measured when first asked for.
    #[must_use]
    pub fn overlaps(&self) -> &Overlaps {
        self.overlaps.get_or_init(|| Overlaps::of(&self.table))
    }

    /// Its features as zones by which others are cut, prepared when first asked for. They are named by their
    /// column `name`, else by their first column of text where no two have the same, else by their ids as `#id`.
    ///
    /// # Errors
    /// [`ZonesError`] where the layer has no surfaces.
    pub fn zones(&self) -> Result<&Zones, ZonesError> {
        let name = || {
            let fields = &self.layer.schema.fields;
            self.layer.schema.position("name").or_else(|| {
                fields.iter().position(|f| f.kind == FieldType::Text).filter(|column| self.tells_apart(*column))
            })
        };
        self.zones.get_or_init(|| Zones::prepare(&self.table, name())).as_ref().map_err(Clone::clone)
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
    /// Shares the segments; what is measured of the whole is measured anew.
    #[must_use]
    pub fn showing(&self, visible: &Selection) -> Self {
        let hidden: Vec<Row> = self.table.rows().filter(|row| !visible.contains(*row)).collect();
        let table = self.table.with_last(self.table.segments().len(), None, &hidden);
        Self::new(self.layer.clone(), self.grid.clone(), table, self.settled)
    }

    /// The layer after some of its features became others.
    fn after(&self, changes: &BTreeMap<i64, Option<&Feature>>, seq: i64) -> Result<Self, CatalogError> {
        let last = self.table.segments().get(self.settled).filter(|last| last.len() < FULL_SEGMENT);
        let kept = if last.is_some() { self.settled } else { self.table.segments().len() };
        let (survivors, dead) = self.split(changes, kept);
        let mut builder = SegmentBuilder::new(&self.layer, Some(self.grid.clone()));
        let failed = |source| CatalogError::Table { layer: self.layer.id.clone(), source };
        let ids: BTreeSet<i64> = survivors.keys().copied().chain(changes.keys().copied()).collect();
        for id in ids {
            let (feature, version): (FeatureRef<'_>, i64) = match (changes.get(&id), survivors.get(&id)) {
                (Some(Some(feature)), _) => (feature.view(), seq),
                (None, Some(row)) => (self.table.feature(*row), self.table.version(*row)),
                _ => continue,
            };
            builder.push((id, version), feature.shape, &feature.values).map_err(failed)?;
        }
        let table = self.table.with_last(kept, Some(builder.finish()), &dead);
        Ok(Self::new(self.layer.clone(), self.grid.clone(), table, kept))
    }

    /// Rows of the last segment that stay as they are, by id, and all rows that are no more.
    fn split(&self, changes: &BTreeMap<i64, Option<&Feature>>, kept: usize) -> (BTreeMap<i64, Row>, Vec<Row>) {
        let dead: Vec<Row> = changes.keys().filter_map(|id| self.table.row_of(*id)).collect();
        let survivors = self
            .table
            .segments()
            .get(kept)
            .map(|last| {
                (0..last.len() as u32)
                    .map(|row| Row { segment: kept as u32, row })
                    .filter(|row| self.table.is_alive(*row))
                    .map(|row| (self.table.id(row), row))
                    .filter(|(id, _)| !changes.contains_key(id))
                    .collect()
            })
            .unwrap_or_default();
        (survivors, dead)
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
        self.layers.get(&id.parse::<LayerId>().ok()?)
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
