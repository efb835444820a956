//! The one door: every read comes from its catalog, every write goes through it to the store.
//!
//! A planner holds the workspace file and, once [`Planner::load`]ed, the catalog that answers come from.
//! Readers take the current catalog and never wait; writers queue, and the next catalog replaces the last
//! only after the store has acknowledged the write.

mod ask;
mod check;
mod edit;
mod error;
mod export;
mod feed;
mod import;
mod infer;
mod load;
mod merge;
mod outside;
mod past;
mod place;
mod record;
mod seed;
mod statistics;
mod survey;
mod targets;
mod upkeep;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;

pub use crate::formats::{FORMATS, Format, FormatError, Stop};
pub use crate::store::{Compacted, Discrepancy, Verification};
use crate::{
    catalog::Catalog,
    domain::{report::ImportReport, schema::LayerId},
    store::{Reader, StoreError, Workspace},
};

pub use ask::{AskError, Which, check_filter, reaches_few, select};
pub use check::{Checkup, FoundFault};
pub use edit::{Division, Done, Merge, Placeholders, Split, Standard, merge_features, split_feature};
pub use error::{ErrorClass, PlannerError};
pub use export::{Export, ExportOptions, ExportRequest, Passing, chosen_properties};
pub use feed::{ChangedLayer, Counts, FeedEntry, FeedPage, Listener, News, Seen, SeenChange, SeesAll, Sight};
pub use import::{IfExists, ImportRequest};
pub use merge::{Deviation, MergeConflict, MergeReport, MergeRequest, OnConflict, three_way};
pub use outside::{
    Choice, LayerWaiting, Left, OutsidePolicy, OutsideTold, Pair, PropertyTold, Settled, Told, Waiting, Watching,
};
pub use past::{
    Amount, BadMoment, Balance, Became, ChangedSince, ClassBalance, Difference, DifferenceReport, Differing, GEOMETRY,
    Moment, PastError, Stated, Version, When, changes_to,
};
pub use record::{Entry, Noted, Since};
pub use seed::{Seeded, known_facts};
pub use statistics::{StatisticsQuestion, statistics};
pub use targets::{MeasuredTarget, measure_targets};

/// The survey grid of layers that came as longitude and latitude: CGCS2000 / 3-degree Gauss-Krüger CM 114E, the
/// county's (DOMAIN C.5).
pub const WORKSPACE_GRID: &str = "EPSG:4547";

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Rows or features done.
    pub done: u64,
}

/// The workspace and its current picture.
#[derive(Debug)]
pub struct Planner {
    path: PathBuf,
    /// The workspace where it may be written; none where it was opened to read only.
    store: Option<Mutex<Workspace>>,
    catalog: Arc<ArcSwap<Catalog>>,
    upkeep: upkeep::Upkeep,
    /// Whether the catalog shows the file: then every write must show in it.
    loaded: AtomicBool,
    recovery: Option<String>,
    listeners: feed::Listeners,
    /// When each number of the record was written, as far as anybody has asked.
    timeline: Mutex<past::Timeline>,
    /// From which moment on the record tells of each layer, as far as anybody has asked.
    begun: Mutex<BTreeMap<LayerId, i64>>,
    /// Layers that the catalog cannot show, and why.
    left_out: ArcSwap<Vec<load::LeftOut>>,
}

impl Planner {
    /// Opens a workspace to read and write. Nothing is loaded yet.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where there is none, it is in use, or it is not ours.
    pub fn open(path: &Path) -> Result<Self, PlannerError> {
        Ok(Self::of(Workspace::open(path)?))
    }

    /// Opens a workspace to read only: beside a server, or from a medium that cannot be written.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where there is none or it is not ours.
    pub fn open_to_read(path: &Path) -> Result<Self, PlannerError> {
        drop(Reader::open(path)?);
        Ok(Self {
            path: path.to_owned(),
            store: None,
            catalog: Arc::default(),
            upkeep: upkeep::Upkeep::default(),
            loaded: AtomicBool::new(false),
            recovery: None,
            listeners: feed::Listeners::default(),
            timeline: Mutex::default(),
            begun: Mutex::default(),
            left_out: ArcSwap::default(),
        })
    }

    /// Opens a workspace to read and write, and makes it where there is none.
    ///
    /// # Errors
    /// As [`Planner::open`].
    pub fn open_or_create(path: &Path) -> Result<Self, PlannerError> {
        if path.exists() { Self::open(path) } else { Ok(Self::of(Workspace::create(path)?)) }
    }

    fn of(store: Workspace) -> Self {
        let recovery = store.recovered().map(|recovery| recovery.message.as_str());
        let upgrade = store.upgraded().map(|upgrade| upgrade.message.as_str());
        let told: Vec<&str> = recovery.into_iter().chain(upgrade).collect();
        let recovery = (!told.is_empty()).then(|| told.join("\n"));
        let path = store.path().to_owned();
        Self {
            path,
            store: Some(Mutex::new(store)),
            catalog: Arc::default(),
            upkeep: upkeep::Upkeep::default(),
            loaded: AtomicBool::new(false),
            recovery,
            listeners: feed::Listeners::default(),
            timeline: Mutex::default(),
            begun: Mutex::default(),
            left_out: ArcSwap::default(),
        }
    }

    /// What is to be told of the opening: an end before it that was not clean, an upgrade from an older format.
    #[must_use]
    pub fn recovery(&self) -> Option<&str> {
        self.recovery.as_deref()
    }

    /// Reads all layers into the catalog.
    ///
    /// # Errors
    /// [`PlannerError`] where the file cannot be read or a layer does not hold what it says.
    pub fn load(&self, progress: &mut dyn FnMut(&Progress)) -> Result<(), PlannerError> {
        // No write may come between the reading and the showing, or the picture would lack it.
        let _held = self.store.as_ref().map(|store| store.lock().unwrap_or_else(PoisonError::into_inner));
        self.show_file(progress)
    }

    fn show_file(&self, progress: &mut dyn FnMut(&Progress)) -> Result<(), PlannerError> {
        let (catalog, left_out) = load::catalog(&self.path, progress)?;
        self.left_out.store(Arc::new(left_out));
        self.catalog.store(Arc::new(catalog));
        self.loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// The current picture of all layers.
    #[must_use]
    pub fn read(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Layers that cannot be shown, because another program dropped, replaced or renamed their tables, and what it did.
    #[must_use]
    pub fn left_out(&self) -> Vec<(String, String)> {
        self.left_out.load().iter().map(|(id, why)| (id.to_string(), why.clone())).collect()
    }

    /// Takes a file into a layer, all of it or nothing.
    ///
    /// # Errors
    /// [`PlannerError`]; nothing is stored then, but for [`PlannerError::NotShown`] and [`StoreError::Uncertain`].
    pub fn import(
        &self,
        request: &ImportRequest,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<ImportReport, PlannerError> {
        let mut store = self.writing()?;
        let report = import::import(&mut store, request, now_ms(), progress)?;
        if self.loaded.load(Ordering::Acquire) {
            let seq = store.seq()?;
            self.show_file(progress).map_err(|source| PlannerError::NotShown { seq, source: Box::new(source) })?;
            self.announce(feed::of_import(store.history(), seq));
        }
        Ok(report)
    }

    /// Measures in the background what answers will ask for: planar areas, overlaps, extents.
    pub fn warm_up(&self) {
        for state in self.read().layers() {
            let _ = state.extent();
            for segment in state.table().segments() {
                let _ = segment.areas(crate::ground::units::Basis::Planar);
            }
            let _ = state.overlaps();
        }
    }

    /// Closes the workspace so that nothing stays beside its file.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the last pages cannot be written into the file; they are then beside it still.
    pub fn close(self) -> Result<(), PlannerError> {
        match self.store {
            // A panic while the lock was held leaves the store as its last transaction left it.
            Some(store) => Ok(store.into_inner().unwrap_or_else(PoisonError::into_inner).close()?),
            None => Ok(()),
        }
    }

    /// Whether the workspace was opened to be written.
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        self.store.is_some()
    }

    fn writing(&self) -> Result<MutexGuard<'_, Workspace>, PlannerError> {
        let store =
            self.store.as_ref().ok_or_else(|| StoreError::ReadOnly { path: self.path.display().to_string() })?;
        Ok(store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Now, in milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}
