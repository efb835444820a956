//! A merge under way: feature by feature, from the base to the edit that is stored and the check-in that is kept.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{
    catalog::LayerState,
    domain::{
        edit::{Change, Edit},
        feature::Feature,
    },
    store::{CheckIn, Checkout, HeldRow, Image, Workspace},
};

use super::{
    Deviation, MergeConflict, MergeReport, MergeRequest, NewId, OnConflict, PlannerError,
    base::{Base, File, Known},
    file::features_of,
    three_way,
};
use crate::planner::outside::{geometry, value};

/// What bringing a file back comes to: what is told, the edit, and what is kept of the file.
pub(super) fn prepare(
    store: &Workspace,
    checkout: &Checkout,
    state: &LayerState,
    request: &MergeRequest,
) -> Result<(MergeReport, Edit, CheckIn), PlannerError> {
    let layer = checkout.layer.as_str();
    let unfit = |what: String| PlannerError::Unfit(format!("{}: {what}; nothing was changed", request.file.display()));
    let theirs = features_of(&request.file, state.layer())?;
    let at_checkout = at_checkout(store, checkout, state)?;
    let log = checkout.log.as_deref();
    let file = File { log, sees_all: checkout.sees_all, theirs: &theirs, at_checkout: &at_checkout };
    let base = file.base(&store.check_ins(&checkout.id)?, request.anew).map_err(|unclear| {
        unfit(format!(
            "a program changed it so that its log did not see it, and it cannot be told whether it is the file that came \
             back as number {} or another copy of it: check the features out again and make the changes that are missing \
             there",
            unclear.0
        ))
    })?;
    let touched = match base.before.last() {
        Some(last) => store.touched_since(layer, *last)?,
        None => std::collections::HashSet::new(),
    };
    let mut merging = Merging { checkout, state, request, at_checkout, theirs, told: told(checkout, request, &base) };
    if base.behind.is_some() {
        merging.told.unchanged = merging.theirs.len();
        return Ok(merging.done(&base, Vec::new(), Vec::new()));
    }
    let (changes, rows) = merging.run(&base, store.next_id(layer)?).map_err(unfit)?;
    let stays = |(there, (here, image)): (&i64, &(i64, Image))| {
        (image.is(merging.theirs.get(there)) && touched.contains(here) && !request.anew).then_some(*here)
    };
    merging.told.changed_here = base.known.iter().filter_map(stays).collect();
    Ok(merging.done(&base, changes, rows))
}

fn told(checkout: &Checkout, request: &MergeRequest, base: &Base) -> MergeReport {
    MergeReport {
        file: request.file.display().to_string(),
        layer: checkout.layer.to_string(),
        since: checkout.seq,
        seq: None,
        dry_run: request.dry_run,
        before: base.before.clone(),
        behind: base.behind,
        unchanged: 0,
        changed_here: Vec::new(),
        changed: Vec::new(),
        removed: Vec::new(),
        added: Vec::new(),
        conflicts: Vec::new(),
    }
}

/// What the features of a check-out were at its moment, by the workspace's own record.
fn at_checkout(
    store: &Workspace,
    checkout: &Checkout,
    state: &LayerState,
) -> Result<BTreeMap<i64, Image>, PlannerError> {
    let mut changed = store.states_at(checkout.layer.as_str(), checkout.seq)?;
    let mut states = BTreeMap::new();
    for (id, _) in &checkout.rows {
        let then = changed.remove(id).or_else(|| feature_of(state, *id).map(Image::Held)).unwrap_or(Image::Absent);
        if then == Image::Absent {
            let what = format!("the mark of the check-out names feature {id}, which {} did not have", checkout.layer);
            return Err(PlannerError::Unfit(what));
        }
        states.insert(*id, then);
    }
    Ok(states)
}

fn feature_of(state: &LayerState, id: i64) -> Option<Feature> {
    let table = state.table();
    let feature = table.feature(table.row_of(id)?);
    let values = feature.values.iter().map(|value| value.to_value()).collect();
    Some(Feature { id, shape: feature.shape.map(|shape| shape.to_shape()), values })
}

struct Merging<'a> {
    checkout: &'a Checkout,
    state: &'a LayerState,
    request: &'a MergeRequest,
    at_checkout: BTreeMap<i64, Image>,
    theirs: BTreeMap<i64, Feature>,
    told: MergeReport,
}

impl Merging<'_> {
    /// The changes, and the features that the file holds otherwise than when it came back last. `next`: the first id that
    /// no feature of the layer ever had.
    fn run(&mut self, base: &Base, next: i64) -> Result<(Vec<Change>, Vec<HeldRow>), String> {
        let (mut changes, mut rows) = (Vec::new(), Vec::new());
        for (there, (here, from)) in self.bases(&base.known) {
            let theirs = self.theirs.get(&there).map(|feature| Feature { id: here, ..feature.clone() });
            changes.extend(self.one(here, &from, theirs.as_ref())?);
            let held = base.held.get(&there).map(|(_, held)| held).or_else(|| self.at_checkout.get(&there));
            if !held.unwrap_or(&Image::Absent).is(theirs.as_ref()) {
                rows.push(HeldRow { there, here, theirs });
            }
        }
        let is_new = |there: &&i64| !base.known.contains_key(there) && !self.at_checkout.contains_key(there);
        for (there, here) in self.theirs.keys().filter(is_new).zip(next..) {
            self.told.added.push(NewId { there: *there, id: here });
            let feature = Feature { id: here, ..self.theirs[there].clone() };
            rows.push(HeldRow { there: *there, here, theirs: Some(feature.clone()) });
            changes.push(Change::Put { layer: self.checkout.layer.clone(), feature, expects: None });
        }
        Ok((changes, rows))
    }

    /// Each feature that is known: its id in the file, its id here, and the state from which both sides went on.
    fn bases(&self, known: &Known) -> Known {
        let mut bases: Known = self.at_checkout.iter().map(|(id, image)| (*id, (*id, image.clone()))).collect();
        for (there, (here, image)) in known {
            let anew = || self.at_checkout.get(there).cloned().unwrap_or(Image::Absent);
            bases.insert(*there, (*here, if self.request.anew { anew() } else { image.clone() }));
        }
        bases
    }

    /// What becomes of a feature that is known.
    fn one(&mut self, id: i64, base: &Image, theirs: Option<&Feature>) -> Result<Option<Change>, String> {
        if base.is(theirs) {
            self.told.unchanged += 1;
            return Ok(None);
        }
        let ours = feature_of(self.state, id);
        let base = match base {
            Image::Absent => None,
            Image::Held(base) => Some(base),
            // Both are the same: what was before does not matter.
            Image::Dropped(_) if ours.as_ref() == theirs => theirs,
            // Nobody has changed it here since: what it was is what it is.
            Image::Dropped(_) if base.is(ours.as_ref()) => ours.as_ref(),
            Image::Dropped(_) => {
                return Err(format!(
                    "feature {id} was changed in it, and what the feature was before is not kept: the record was \
                     compacted since (check it out again and make the change there)"
                ));
            }
        };
        let wins = self.request.on_conflict == OnConflict::Theirs;
        let (merged, deviations) = three_way(base, ours.as_ref(), theirs, wins);
        let sides = [base, ours.as_ref(), theirs];
        let conflicts: Vec<_> = deviations.into_iter().map(|deviation| self.told_of(id, deviation, sides)).collect();
        self.told.conflicts.extend(conflicts);
        if merged == ours {
            return Ok(None);
        }
        let table = self.state.table();
        let expects = table.row_of(id).map(|row| table.version(row));
        let layer = self.checkout.layer.clone();
        Ok(match (merged, expects) {
            (Some(feature), expects) => {
                self.told.changed.push(id);
                Some(Change::Put { layer, feature, expects })
            }
            (None, Some(expects)) => {
                self.told.removed.push(id);
                Some(Change::Delete { layer, id, expects })
            }
            (None, None) => None,
        })
    }

    fn done(self, base: &Base, changes: Vec<Change>, rows: Vec<HeldRow>) -> (MergeReport, Edit, CheckIn) {
        let name = self.request.file.file_name().unwrap_or_default().to_string_lossy();
        let note = format!("check-in of {name}, checked out at number {}", self.checkout.seq);
        let edit = Edit { author: self.request.author.clone(), note, changes, lineage: Vec::new() };
        let check_in = CheckIn {
            checkout: self.checkout.id.clone(),
            layer: self.checkout.layer.clone(),
            parent: base.before.last().copied(),
            log: base.gained.clone(),
            rows,
        };
        (self.told, edit, check_in)
    }

    fn told_of(&self, id: i64, deviation: Deviation, sides: [Option<&Feature>; 3]) -> MergeConflict {
        let fields = &self.state.layer().schema.fields;
        let (field, told): (String, [Json; 3]) = match deviation {
            Deviation::Whole => ("feature".to_owned(), sides.map(|side| self.whole(side))),
            Deviation::Geometry => {
                ("geometry".to_owned(), sides.map(|side| geometry(side.and_then(|feature| feature.shape.as_ref()))))
            }
            Deviation::Column(place) => (
                fields[place].name.clone(),
                sides.map(|side| side.and_then(|feature| feature.values.get(place)).map_or(Json::Null, value)),
            ),
        };
        let [base, ours, theirs] = told;
        MergeConflict { id, field, base, ours, theirs }
    }

    /// A feature as GeoJSON; nothing where it was deleted.
    fn whole(&self, side: Option<&Feature>) -> Json {
        let Some(feature) = side else { return Json::Null };
        let fields = self.state.layer().schema.fields.iter();
        let properties = fields.zip(&feature.values).map(|(field, given)| (field.name.clone(), value(given)));
        serde_json::json!({
            "type": "Feature", "id": feature.id, "geometry": geometry(feature.shape.as_ref()),
            "properties": Json::Object(properties.collect()),
        })
    }
}
