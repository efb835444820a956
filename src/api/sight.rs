//! What somebody sees of the layers: layers that they may not read are not there, rows that their rule does not show are
//! dead in a table that shares the segments.
//!
//! Everything that answers read a catalog, so items, counts, sums, tiles, exports, zones and targets follow without a word
//! of their own. What reads the store (feed, history) asks a [`Sight`] about features as they were before and after.
//!
//! Invariant: what cannot be decided is not shown. A rule that does not fit its layer hides the whole layer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use rustc_hash::FxHashMap;
use tokio::sync::OnceCell;

use crate::{
    catalog::{Catalog, LayerState, grid_of},
    domain::{feature::Feature, layer::Layer, schema::LayerId},
    engine::{
        filter::{Bound, bind, parse_text},
        table::{SegmentBuilder, Table},
    },
    ground::measure::SurveyGrid,
    people::Rights,
    planner::{Planner, Seen, Sight, Which, select},
};

use super::{AppState, access::Access, error::ApiError};

/// How many layers as somebody sees them are kept.
const KEPT: usize = 64;

/// A rule and the number of the picture to which it was put.
type Key = (String, u64);
/// A layer as a rule shows it; `None` where the rule does not fit.
type Shown = Arc<OnceCell<Option<Arc<LayerState>>>>;

/// Layers as rules show them: made once for each rule and picture.
#[derive(Debug, Default)]
pub(super) struct Views {
    kept: Mutex<(FxHashMap<Key, Shown>, VecDeque<Key>)>,
}

impl Views {
    fn cell(&self, key: Key) -> Shown {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (cells, order) = &mut *kept;
        if let Some(cell) = cells.get(&key) {
            return Arc::clone(cell);
        }
        while cells.len() >= KEPT {
            let Some(oldest) = order.pop_front() else { break };
            cells.remove(&oldest);
        }
        order.push_back(key.clone());
        Arc::clone(cells.entry(key).or_default())
    }
}

impl AppState {
    /// A catalog, of the present or of the past, as somebody sees it.
    ///
    /// # Errors
    /// 500 where the server is stopping.
    pub(super) async fn as_seen(&self, catalog: Arc<Catalog>, access: &Access) -> Result<Arc<Catalog>, ApiError> {
        let Some(rights) = access.blinkers() else { return Ok(catalog) };
        let mut shown = BTreeMap::new();
        for state in catalog.layers() {
            let id = &state.layer().id;
            let seen = match rights.rows.get(id) {
                _ if !rights.reads(id) => None,
                None => Some(Arc::clone(state)),
                Some(rule) => self.by_rule(state, rule).await?,
            };
            shown.extend(seen.map(|seen| (id.clone(), seen)));
        }
        Ok(Arc::new(catalog.showing(&shown)))
    }

    /// A layer as a rule shows it.
    async fn by_rule(&self, state: &Arc<LayerState>, rule: &str) -> Result<Option<Arc<LayerState>>, ApiError> {
        let cell = self.views.cell((rule.to_owned(), state.picture()));
        let make = || {
            let (state, rule) = (Arc::clone(state), rule.to_owned());
            self.heavy(move || Ok(restricted(&state, &rule)))
        };
        cell.get_or_try_init(make).await.cloned()
    }
}

fn restricted(state: &LayerState, rule: &str) -> Option<Arc<LayerState>> {
    match select(state, &Which { filter: Some(rule), ..Which::default() }) {
        Ok(Some(visible)) => Some(Arc::new(state.showing(&visible))),
        Ok(None) => None,
        Err(error) => {
            tracing::error!(layer = %state.layer().id, rule, %error, "a rule does not fit its layer, which is hidden");
            None
        }
    }
}

impl AppState {
    /// What the one who asks may see of the record; none for everything.
    pub(super) fn sight(&self, access: &Access) -> Option<Arc<dyn Sight>> {
        let rights = Arc::clone(access.blinkers()?);
        Some(Arc::new(Onlooker { rights, planner: Arc::clone(&self.planner), rules: Mutex::default() }))
    }
}

/// Whether anything of a layer is shown to somebody.
pub(super) fn shows_layer(access: &Access, layer: &LayerId) -> bool {
    access.blinkers().is_none_or(|rights| rights.reads(layer))
}

/// Somebody who looks at features that no catalog holds: those of the record, as they were before and after.
struct Onlooker {
    rights: Arc<Rights>,
    planner: Arc<Planner>,
    /// What was found out about rules so far, by layer.
    rules: Mutex<FxHashMap<String, Option<Arc<FittedRule>>>>,
}

/// A rule that fits its layer.
struct FittedRule {
    layer: Layer,
    grid: SurveyGrid,
    /// The import from which on the layer has these columns.
    since: i64,
    test: Bound,
}

impl Sight for Onlooker {
    fn of_layer(&self, layer: &str) -> Seen {
        let Ok(id) = layer.parse::<LayerId>() else { return Seen::Nothing };
        match (self.rights.reads(&id), self.rights.rows.contains_key(&id)) {
            (false, _) => Seen::Nothing,
            (true, true) => Seen::Some,
            (true, false) => Seen::All,
        }
    }

    fn admits(&self, layer: &str, seq: i64, feature: &Feature) -> bool {
        let rule = {
            let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
            rules.entry(layer.to_owned()).or_insert_with(|| self.fitted(layer)).clone()
        };
        // What was recorded when the layer had other columns cannot be judged by a rule about these.
        rule.is_some_and(|rule| seq > rule.since && rule.admits(feature))
    }
}

impl Onlooker {
    fn fitted(&self, layer: &str) -> Option<Arc<FittedRule>> {
        let rule = self.rights.rows.get(&layer.parse::<LayerId>().ok()?)?;
        let fit = || -> Result<FittedRule, String> {
            let found = self.planner.layer_since(layer).map_err(|error| error.to_string())?;
            let (layer, since) = found.ok_or("the layer is not there")?;
            let grid = grid_of(&layer).map_err(|error| error.to_string())?;
            let parsed = parse_text(rule).map_err(|error| error.to_string())?;
            let test = bind(&parsed, &layer).map_err(|error| error.to_string())?;
            Ok(FittedRule { layer, grid, since, test })
        };
        let fitted = fit();
        if let Err(why) = &fitted {
            tracing::error!(layer, rule, why, "a rule does not fit its layer, which is hidden");
        }
        fitted.ok().map(Arc::new)
    }
}

impl FittedRule {
    /// Puts the rule to a feature by the very functions that put it to layers; what cannot be judged is not shown.
    fn admits(&self, feature: &Feature) -> bool {
        let (mut builder, view) = (SegmentBuilder::new(&self.layer, Some(self.grid.clone())), feature.view());
        if builder.push((feature.id, 0), view.shape, &view.values).is_err() {
            return false;
        }
        let table = Table::of_segments(vec![builder.finish()]);
        self.test.select(&table, None).is_ok_and(|visible| !visible.is_empty())
    }
}
