//! Tiles that were made, kept while they fit; equal requests that come at once are computed once.
//!
//! A tile is known by its layer, its address and its query, and kept with the picture that it shows. Who asks for it in
//! another picture says whether the two differ where the tile lies: an edit elsewhere leaves it good, and nothing here is
//! ever out of date. The work runs beside the threads that answer, on so many at a
//! time that small requests stay fast. It belongs to nobody: a client that hangs up takes nothing from the others, and
//! work that nobody waits for any more is not begun.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use quick_cache::{Weighter, sync::Cache};
use rustc_hash::FxHashMap;
use tokio::sync::{Semaphore, watch};

use crate::engine::{filter::Selection, tiles::Tile};

use super::error::ApiError;

/// Bytes of tiles that are kept.
const KEPT_BYTES: u64 = 128 << 20;
/// What a tile takes beside its bytes.
const OVERHEAD: usize = 512;
/// How many filters' selections are kept: a map asks for its tiles with the same one.
const KEPT_SELECTIONS: usize = 16;

/// A tile, ready to be sent.
#[derive(Debug)]
pub(super) struct MadeTile {
    /// What was done to make it; its bytes are in `body`.
    pub(super) tile: Tile,
    /// Shared by all answers.
    pub(super) body: Bytes,
    pub(super) tag: String,
}

impl MadeTile {
    pub(super) fn new(mut tile: Tile, tag: String) -> Self {
        let body = std::mem::take(&mut tile.bytes).into();
        Self { tile, body, tag }
    }
}

/// What is asked for: the tile of a name in a picture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Layer, address and query.
    pub(super) name: String,
    /// The number of the layer's picture.
    pub(super) picture: u64,
}

type Made = Result<Arc<MadeTile>, ApiError>;

#[derive(Debug, Clone)]
struct ByBytes;

/// A tile with the number of the picture that it shows.
type Kept = (u64, Arc<MadeTile>);

impl Weighter<String, Kept> for ByBytes {
    fn weight(&self, key: &String, (_, made): &Kept) -> u64 {
        (key.len() + made.body.len() + OVERHEAD) as u64
    }
}

/// The tiles that were made and those that are being made.
pub(super) struct TileCache {
    made: Cache<String, Kept, ByBytes>,
    selections: Cache<String, Arc<Selection>>,
    under_way: Mutex<FxHashMap<Key, watch::Receiver<Option<Made>>>>,
    permits: Arc<Semaphore>,
}

impl std::fmt::Debug for TileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TileCache").field("made", &self.made.len()).finish_non_exhaustive()
    }
}

impl TileCache {
    /// An empty cache. Tiles are made on all processors but one.
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            made: Cache::with_weighter(4096, KEPT_BYTES, ByBytes),
            selections: Cache::new(KEPT_SELECTIONS),
            under_way: Mutex::default(),
            permits: Arc::new(Semaphore::new(processors.saturating_sub(1).max(1))),
        }
    }

    /// The tile of a key: a kept one of a picture for which `is_good`, or what `make` returns; `make` runs once however
    /// many ask.
    pub(super) async fn get(
        self: &Arc<Self>,
        key: Key,
        is_good: impl Fn(u64) -> bool,
        make: impl FnOnce() -> Result<MadeTile, ApiError> + Send + 'static,
    ) -> Made {
        if let Some(made) = self.kept(&key, &is_good) {
            return Ok(made);
        }
        let mut result = match self.join(&key, &is_good) {
            Joined::Made(made) => return Ok(made),
            Joined::Waiting(result) => result,
            Joined::First(tell, result) => {
                tokio::spawn(Arc::clone(self).work(key, make, tell));
                result
            }
        };
        let made = result.wait_for(Option::is_some).await.map_err(ApiError::internal)?;
        made.clone().unwrap_or_else(|| Err(ApiError::internal("a tile that was waited for is not there")))
    }

    /// The selection of a key, kept or made.
    pub(super) fn selection(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<Option<Selection>, ApiError>,
    ) -> Result<Option<Arc<Selection>>, ApiError> {
        if let Some(kept) = self.selections.get(key) {
            return Ok(Some(kept));
        }
        let Some(made) = make()?.map(Arc::new) else { return Ok(None) };
        self.selections.insert(key.to_owned(), Arc::clone(&made));
        Ok(Some(made))
    }

    /// A kept tile that is good.
    fn kept(&self, key: &Key, is_good: impl Fn(u64) -> bool) -> Option<Arc<MadeTile>> {
        let (picture, made) = self.made.get(&key.name).filter(|(picture, _)| is_good(*picture))?;
        if picture < key.picture {
            // So that it need not be compared over ever more edits.
            self.made.insert(key.name.clone(), (key.picture, Arc::clone(&made)));
        }
        Some(made)
    }

    fn join(&self, key: &Key, is_good: impl Fn(u64) -> bool) -> Joined {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // The work is kept before it is taken off the list, so one look here sees it in one of both places.
        if let Some(made) = self.kept(key, is_good) {
            return Joined::Made(made);
        }
        if let Some(result) = under_way.get(key) {
            return Joined::Waiting(result.clone());
        }
        let (tell, result) = watch::channel(None);
        under_way.insert(key.clone(), result.clone());
        Joined::First(tell, result)
    }

    async fn work(
        self: Arc<Self>,
        key: Key,
        make: impl FnOnce() -> Result<MadeTile, ApiError> + Send + 'static,
        tell: watch::Sender<Option<Made>>,
    ) {
        // The semaphore is never closed.
        let Ok(_permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
        {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            // One receiver is the list's own: then everyone who asked has gone.
            if tell.receiver_count() <= 1 {
                under_way.remove(&key);
                return;
            }
        }
        let made = tokio::task::spawn_blocking(make).await.map_err(ApiError::internal).flatten().map(Arc::new);
        if let Ok(made) = &made {
            self.made.insert(key.name.clone(), (key.picture, Arc::clone(made)));
        }
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        // Nobody listens where everyone who asked has gone.
        let _ = tell.send(Some(made));
    }
}

/// How a request stands to the work for its tile.
enum Joined {
    Made(Arc<MadeTile>),
    Waiting(watch::Receiver<Option<Made>>),
    First(watch::Sender<Option<Made>>, watch::Receiver<Option<Made>>),
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn tile(byte: u8) -> MadeTile {
        let tile = Tile { bytes: vec![byte], drawn: 0, gathered: 0, marks: 0, cell: 8, dropped: Vec::new() };
        MadeTile::new(tile, "\"x\"".to_owned())
    }

    fn key(name: &str) -> Key {
        Key { name: name.to_owned(), picture: 1 }
    }

    /// A make that counts itself, tells that it has begun and then waits until it may go on.
    fn held(
        count: &Arc<AtomicUsize>,
        begun: std::sync::mpsc::Sender<()>,
        go: std::sync::mpsc::Receiver<()>,
    ) -> impl FnOnce() -> Result<MadeTile, ApiError> + Send + 'static {
        let count = Arc::clone(count);
        move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = begun.send(());
            let _ = go.recv();
            Ok(tile(7))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thousand_equal_cold_requests_are_computed_once_also_when_the_first_hangs_up() {
        let (cache, count) = (Arc::new(TileCache::new()), Arc::new(AtomicUsize::new(0)));
        let ((begun, has_begun), (go, may_go)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let make = held(&count, begun, may_go);
        let first = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.get(key("a"), |_| true, make).await }
        });
        tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
        let others: Vec<_> = (0..1000)
            .map(|_| {
                let (cache, count) = (Arc::clone(&cache), Arc::clone(&count));
                tokio::spawn(async move {
                    let make = move || {
                        count.fetch_add(1, Ordering::SeqCst);
                        Ok(tile(9))
                    };
                    cache.get(key("a"), |_| true, make).await
                })
            })
            .collect();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        for other in others {
            assert_eq!(other.await.unwrap().unwrap().body[..], [7]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_tile_is_made_again_only_where_its_picture_is_not_good_any_more() {
        let cache = Arc::new(TileCache::new());
        let ask = |picture: u64, good: Vec<u64>, byte: u8| {
            let (cache, key) = (Arc::clone(&cache), Key { name: "a".to_owned(), picture });
            async move { cache.get(key, |held| good.contains(&held), move || Ok(tile(byte))).await.unwrap().body[0] }
        };
        assert_eq!(ask(1, vec![1], 10).await, 10);
        // As it was in picture 1, and from here on a tile of picture 3.
        assert_eq!(ask(3, vec![1, 3], 30).await, 10);
        assert_eq!(ask(4, vec![3, 4], 40).await, 10);
        // Something has changed.
        assert_eq!(ask(5, vec![5], 50).await, 50);
        // Who still looks at an earlier picture gets what it shows.
        assert_eq!(ask(4, vec![4], 41).await, 41);
        assert_eq!(ask(5, vec![5], 51).await, 51);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_not_kept() {
        let cache = Arc::new(TileCache::new());
        let failed = cache.get(key("a"), |_| true, || Err(ApiError::not_found("no"))).await;
        assert_eq!(failed.unwrap_err().code(), "not-found");
        let panicked = cache.get(key("a"), |_| true, || panic!("a fault in the work")).await;
        assert_eq!(panicked.unwrap_err().code(), "internal");
        assert_eq!(cache.get(key("a"), |_| true, || Ok(tile(3))).await.unwrap().body[..], [3]);
        assert!(cache.under_way.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_kept_stays_within_its_bytes() {
        let cache = Arc::new(TileCache::new());
        for number in 0..400 {
            let make = move || {
                let mut large = tile(1);
                large.body = vec![0; 1 << 20].into();
                Ok(large)
            };
            cache.get(key(&number.to_string()), |_| true, make).await.unwrap();
        }
        assert!(cache.made.weight() <= KEPT_BYTES, "{}", cache.made.weight());
        assert!(cache.made.len() > 50, "{}", cache.made.len());
    }
}
