//! What somebody sees of the layers: layers that they may not read are not there, rows that their rule does not show are
//! dead in a table that shares the segments.
//!
//! Everything that answers read a catalog, so items, counts, sums, tiles, exports, zones and targets follow without a word
//! of their own. What reads the store (feed, history) asks [`Sight::shows`] of features as they were before and after.
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
    domain::{
        edit::{Change, Finding, Other},
        feature::Feature,
        layer::Layer,
        schema::LayerId,
    },
    engine::table::SegmentBuilder,
    people::Rights,
    planner::{self, AskError, Seen, Which, select},
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

/// What somebody may see, for what reads features that no catalog holds: the feed, the history.
#[derive(Debug, Clone)]
pub(super) struct Sight(Option<Arc<Rights>>);

impl Sight {
    /// What the one who asks may see.
    pub(super) fn of(access: &Access) -> Self {
        Self(access.blinkers().cloned())
    }

    /// Whether everything is shown: then nothing need be asked.
    pub(super) const fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether anything of a layer is shown.
    pub(super) fn shows_layer(&self, layer: &LayerId) -> bool {
        self.0.as_ref().is_none_or(|rights| rights.reads(layer))
    }

    /// Refuses an edit of features that are not shown, as if they were not there, and one that would make features which
    /// are not. `catalog` is what the one who edits sees.
    ///
    /// # Errors
    /// 404, 403.
    pub(super) fn check_edit(&self, catalog: &Catalog, changes: &[Change]) -> Result<(), ApiError> {
        if self.is_everything() {
            return Ok(());
        }
        let mut put: BTreeMap<&LayerId, Vec<&Feature>> = BTreeMap::new();
        for change in changes {
            let (layer, id) = change.target();
            let absent = || ApiError::not_found(format!("layer {layer} has no feature {id}"));
            let state = catalog.layer(layer.as_str()).ok_or_else(absent)?;
            // The version of a feature that one may not see can be guessed: it must not be enough to change it.
            let is_new = matches!(change, Change::Put { expects: None, .. });
            if !is_new && state.table().row_of(id).is_none() {
                return Err(absent());
            }
            if let Change::Put { feature, .. } = change {
                put.entry(layer).or_default().push(feature);
            }
        }
        for (layer, features) in put {
            let state = catalog.layer(layer.as_str());
            if !state.is_some_and(|state| self.shows(state.layer(), &features).into_iter().all(|shown| shown)) {
                let why = format!("a feature of layer {layer} would become one that you may not see");
                return Err(ApiError::forbidden(why));
            }
        }
        Ok(())
    }

    /// Findings without what is not shown: that land is taken must be said, by which feature and how much must not.
    /// `catalog` is what the one who edits sees, `present` what there is.
    pub(super) fn veiled(&self, catalog: &Catalog, present: &Catalog, findings: Vec<Finding>) -> Vec<Finding> {
        if self.is_everything() {
            return findings;
        }
        let has = |catalog: &Catalog, other: &Other| {
            let state = catalog.layer(other.layer.as_str());
            state.is_some_and(|state| other.id.is_none_or(|id| state.table().row_of(id).is_some()))
        };
        let mut veiled: Vec<Finding> = Vec::with_capacity(findings.len());
        for mut finding in findings {
            // What neither has is made by the edit itself.
            let is_hidden = finding.other.as_ref().is_some_and(|other| has(present, other) && !has(catalog, other));
            if is_hidden {
                let message = match finding.fault.as_str() {
                    "overlaps" => "it shares land with a feature that you may not see: move the outline",
                    "left-outside" => "land is given up under a feature that you may not see: keep the land",
                    _ => "part of it lies outside the land within which it must be",
                };
                message.clone_into(&mut finding.message);
                // Elsewhere the place is that of the feature that is put.
                finding.place = finding.place.filter(|_| finding.fault != "left-outside");
                finding.other = None;
            }
            // How many there are is not told either.
            if !(is_hidden && veiled.contains(&finding)) {
                veiled.push(finding);
            }
        }
        veiled
    }

    /// For each of some features, of one layer as it is or was, whether it is shown.
    pub(super) fn shows(&self, layer: &Layer, features: &[&Feature]) -> Vec<bool> {
        let Some(rights) = &self.0 else { return vec![true; features.len()] };
        if !rights.reads(&layer.id) {
            return vec![false; features.len()];
        }
        let Some(rule) = rights.rows.get(&layer.id) else { return vec![true; features.len()] };
        shown_by(layer, features, rule).unwrap_or_else(|why| {
            tracing::error!(layer = %layer.id, rule, why, "a rule does not fit its layer, which is hidden");
            vec![false; features.len()]
        })
    }

    /// Whether one feature is shown.
    pub(super) fn shows_feature(&self, layer: &Layer, feature: &Feature) -> bool {
        self.shows(layer, &[feature]) == [true]
    }
}

impl planner::Sight for Sight {
    fn of_layer(&self, layer: &str) -> Seen {
        let Some(rights) = &self.0 else { return Seen::All };
        match layer.parse::<LayerId>() {
            Ok(id) if !rights.reads(&id) => Seen::Nothing,
            Ok(id) if rights.rows.contains_key(&id) => Seen::Some,
            Ok(_) => Seen::All,
            Err(_) => Seen::Nothing,
        }
    }

    fn shows(&self, layer: &Layer, features: &[&Feature]) -> Vec<bool> {
        Self::shows(self, layer, features)
    }
}

/// Puts a rule to features by the very functions that put it to layers.
fn shown_by(layer: &Layer, features: &[&Feature], rule: &str) -> Result<Vec<bool>, String> {
    let grid = grid_of(layer).map_err(|error| error.to_string())?;
    let mut builder = SegmentBuilder::new(layer, Some(grid));
    // A feature before and after has one id: numbers stand for them.
    for (number, feature) in (0..).zip(features) {
        builder.push((number, 0), feature.view().shape, &feature.view().values).map_err(|error| error.to_string())?;
    }
    let state = LayerState::of_segments(layer.clone(), vec![builder.finish()]).map_err(|error| error.to_string())?;
    let visible = select(&state, &Which { filter: Some(rule), ..Which::default() });
    let visible = visible.map_err(|error: AskError| error.to_string())?;
    let is_shown = |number: i64| {
        let row = state.table().row_of(number);
        row.is_some_and(|row| visible.as_ref().is_some_and(|visible| visible.contains(row)))
    };
    Ok((0..).take(features.len()).map(is_shown).collect())
}
