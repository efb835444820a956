//! Loading: the stored rows become a segment of columns, read by several threads where a layer is large.

use std::{
    collections::HashMap,
    num::NonZero,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use crate::{
    catalog::{Catalog, CatalogError, LayerState, grid_of},
    domain::{feature::ValueRef, layer::Layer, schema::LayerId},
    engine::table::{SegmentBuilder, TableError},
    ground::{measure::SurveyGrid, wkb},
    store::{Reader, StoreError, StoredLayer, StoredRow},
};

use super::{PlannerError, Progress};

/// Layers with a smaller range of ids are loaded on one thread.
const LARGE: i64 = 20_000;

/// A layer that cannot be shown, because another program dropped, replaced or renamed its table, and what it did.
pub(super) type LeftOut = (LayerId, String);

/// The catalog of all layers of a workspace at one moment, and the layers that cannot be in it.
pub(super) fn catalog(
    path: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(Catalog, Vec<LeftOut>), PlannerError> {
    let mut readers = readers(path)?;
    let (seq, layers) = (readers[0].seq(), readers[0].layers().to_vec());
    let (mut states, mut left_out) = (Vec::new(), Vec::new());
    for stored in &layers {
        let faults = readers[0].table_faults(stored.layer.id.as_str())?;
        match faults.iter().find(|fault| !fault.is_bearable()) {
            Some(fault) => left_out.push((stored.layer.id.clone(), fault.to_string())),
            None => states.push(layer(&mut readers, stored, progress)?),
        }
    }
    Ok((Catalog::build(states, seq), left_out))
}

/// A reader for each processor, all of which see the same moment.
fn readers(path: &Path) -> Result<Vec<Reader>, PlannerError> {
    let wanted = thread::available_parallelism().map_or(1, NonZero::get);
    let mut readers = vec![Reader::open(path)?];
    while readers.len() < wanted {
        let next = Reader::open(path)?;
        if readers.last().is_some_and(|last| last.seq() != next.seq()) {
            // Somebody wrote in between: begin again from the later moment.
            readers.clear();
        }
        readers.push(next);
    }
    Ok(readers)
}

/// One layer with all its features.
fn layer(
    readers: &mut [Reader],
    stored: &StoredLayer,
    progress: &mut dyn FnMut(&Progress),
) -> Result<LayerState, PlannerError> {
    let id = stored.layer.id.as_str();
    let grid = grid_of(&stored.layer)?;
    let versions = readers[0].versions(id)?;
    let parts = split(readers[0].fid_range(id)?, readers.len() as i64);
    let loading = Loading { stored, layer: &stored.layer, grid: &grid, versions: &versions };
    let done = AtomicU64::new(0);
    if let [range] = parts.as_slice() {
        let segments = SegmentBuilder::finish_together(vec![loading.part(&readers[0], *range, &done)?]);
        return Ok(LayerState::of_segments(stored.layer.clone(), segments)?);
    }
    let parts = thread::scope(|scope| {
        let spawn = |(range, reader): ((i64, i64), _)| {
            let reader: &mut Reader = reader;
            let (loading, done) = (&loading, &done);
            scope.spawn(move || loading.part(reader, range, done))
        };
        let threads: Vec<_> = parts.into_iter().zip(readers.iter_mut()).map(spawn).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            progress(&Progress { stage: "loading", done: done.load(Ordering::Relaxed) });
            thread::park_timeout(std::time::Duration::from_millis(5));
        }
        let joined = threads.into_iter().map(|thread| {
            // A panic in a loading thread is a panic here: it is a fault of ours and not of the file.
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect::<Result<Vec<SegmentBuilder<'_>>, PlannerError>>()
    })?;
    let segments = SegmentBuilder::finish_together(parts);
    Ok(LayerState::of_segments(stored.layer.clone(), segments)?)
}

/// Ranges of ids, one for each processor where there are many.
fn split(range: Option<(i64, i64)>, threads: i64) -> Vec<(i64, i64)> {
    let Some((first, last)) = range else { return Vec::new() };
    // Ids may be any numbers of 64 bits, so their differences may not be.
    let (first, last) = (i128::from(first), i128::from(last));
    let threads = if last - first < i128::from(LARGE) { 1 } else { i128::from(threads) };
    let step = (last - first) / threads + 1;
    (0..threads)
        .map(|part| (first + part * step, (first + (part + 1) * step - 1).min(last)))
        .filter(|(low, high)| low <= high)
        .map(|(low, high)| (low as i64, high as i64))
        .collect()
}

/// What every loading thread needs to know.
struct Loading<'a> {
    stored: &'a StoredLayer,
    layer: &'a Layer,
    grid: &'a SurveyGrid,
    /// The versions of features that an edit touched.
    versions: &'a HashMap<i64, i64>,
}

impl Loading<'_> {
    /// The features of a range of ids.
    fn part(&self, reader: &Reader, range: (i64, i64), done: &AtomicU64) -> Result<SegmentBuilder<'_>, PlannerError> {
        let mut builder = SegmentBuilder::new(self.layer, Some(self.grid.clone()));
        let mut failure = None;
        reader.scan(self.layer.id.as_str(), Some(range), &mut |row| {
            done.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = self.push(&mut builder, row)? {
                failure.get_or_insert(error);
            }
            Ok(())
        })?;
        match failure {
            Some(source) => Err(CatalogError::Table { layer: self.layer.id.clone(), source }.into()),
            None => Ok(builder),
        }
    }

    fn push(&self, builder: &mut SegmentBuilder<'_>, row: StoredRow<'_>) -> Result<Result<(), TableError>, StoreError> {
        let id = row.id()?;
        let shape = match row.wkb()? {
            None => None,
            Some(bytes) => Some(wkb::read_wkb(bytes).map_err(|error| StoreError::Corrupt {
                what: format!("layer {}, feature {id}: {error}", self.layer.id),
            })?),
        };
        let values = (0..row.len()).map(|place| row.value(place)).collect::<Result<Vec<ValueRef<'_>>, StoreError>>()?;
        let version = self.versions.get(&id).copied().unwrap_or_else(|| self.stored.import_of(id));
        let shape = shape.as_ref().map(|read| read.shape.view());
        Ok(builder.push((id, version), shape, &values))
    }
}
