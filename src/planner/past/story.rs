//! The story of one feature: each version with who, when and why, what changed in it, its areas, and what it came from.
//!
//! It goes through edits, imports that added rows and imports that replaced all, also for a feature that is no more.
//! Areas are measured by the function that measures every other.

use crate::{
    catalog::{grid_of, is_same_shape},
    domain::{
        feature::{Feature, Value},
        layer::Layer,
    },
    engine::table::SegmentBuilder,
    ground::{
        shape::Shape,
        units::{Area, Basis},
    },
    planner::{Planner, PlannerError},
    store::{Era, Reader, StoredChange, StoredEdit},
};

/// One version of a feature, or its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The edit or import that made it: number, time, author, note, kind.
    pub made: StoredEdit,
    /// `added`, `changed` or `removed`.
    pub operation: &'static str,
    /// The ellipsoidal area before and after; none where there was no feature or it has no area.
    pub area: (Option<Area>, Option<Area>),
    /// Whether the geometry is another.
    pub geometry_changed: bool,
    /// Properties whose values differ: name, before, after. Nothing where the feature was added or removed.
    pub differences: Vec<(String, Value, Value)>,
    /// Features of which it came then, by id.
    pub parents: Vec<i64>,
    /// Features that came of it then, by id.
    pub children: Vec<i64>,
    /// Whether the record still holds what changed: compacting takes the content of old entries away.
    pub kept: bool,
}

/// A state of the feature in a layer of its time.
#[derive(Clone)]
struct State<'a> {
    layer: &'a Layer,
    feature: Feature,
}

/// What happened to the feature at a number.
#[expect(clippy::option_option, reason = "nothing said is another thing than no feature")]
struct Event<'a> {
    seq: i64,
    /// None where the feature was removed.
    after: Option<State<'a>>,
    /// What it was before, where the record of the event says so; else it is what the event before left.
    before: Option<Option<State<'a>>>,
    kept: bool,
}

impl Planner {
    /// The versions of a feature, newest first, as far as `shows` is true of its states, each with the layer of its time;
    /// nothing where there never was one.
    ///
    /// # Errors
    /// [`PlannerError::Store`] where the record cannot be read.
    pub fn story(
        &self,
        layer: &str,
        id: i64,
        shows: &dyn Fn(&Layer, &Feature) -> bool,
    ) -> Result<Vec<Version>, PlannerError> {
        let reader = Reader::open(&self.path)?;
        let eras = reader.eras(layer)?;
        let events = events(&reader, &eras, id)?;
        let lineage = reader.history().lineage_of_feature(layer, id)?;
        let is_seen = |state: &State<'_>| shows(state.layer, &state.feature);
        let (mut versions, mut before) = (Vec::new(), None);
        for event in events {
            if let Some(known) = event.before {
                before = known.filter(is_seen);
            }
            let after = event.after.filter(is_seen);
            if before.is_none() && after.is_none() && event.kept {
                continue;
            }
            let Some(made) = reader.history().edit(event.seq)? else { continue };
            let mut version = version_of(made, before.as_ref(), after.as_ref())?;
            version.kept = event.kept;
            let at = lineage.iter().filter(|line| line.seq == event.seq && line.layer == layer);
            for line in at {
                if line.child == id && line.parent != id {
                    version.parents.push(line.parent);
                }
                if line.parent == id && line.child != id {
                    version.children.push(line.child);
                }
            }
            versions.push(version);
            before = after;
        }
        versions.reverse();
        Ok(versions)
    }
}

/// Everything that happened to a feature, oldest first.
fn events<'a>(reader: &Reader, eras: &'a [Era], id: i64) -> Result<Vec<Event<'a>>, PlannerError> {
    let Some(layer) = eras.first().map(|era| era.layer.id.as_str()) else { return Ok(Vec::new()) };
    let changes = reader.history().history_of(layer, id)?;
    let mut events: Vec<Event<'a>> = Vec::new();
    for era in eras {
        let within = |change: &&StoredChange| change.seq > era.from && era.until.is_none_or(|until| change.seq < until);
        let own: Vec<&StoredChange> = changes.iter().filter(within).collect();
        let state = |feature: Feature| State { layer: &era.layer, feature };
        let first = match own.first() {
            Some(change) => change.before.clone(),
            None if era.is_kept() => reader.feature_of_era(era, id)?,
            None => None,
        };
        let was_there = events.last().is_some_and(|event| event.after.is_some());
        let brought = era.import_of(id);
        if was_there && (first.is_none() || brought != era.from) {
            events.push(Event { seq: era.from, after: None, before: None, kept: era.is_kept() });
        }
        if let Some(feature) = first {
            events.push(Event { seq: brought, after: Some(state(feature)), before: None, kept: true });
        }
        events.extend(own.into_iter().map(|change| Event {
            seq: change.seq,
            after: change.after.clone().map(state),
            // After an event whose content was compacted away nothing else says what there was.
            before: (!change.dropped).then(|| change.before.clone().map(state)),
            kept: !change.dropped,
        }));
    }
    Ok(events)
}

fn version_of(
    made: StoredEdit,
    before: Option<&State<'_>>,
    after: Option<&State<'_>>,
) -> Result<Version, PlannerError> {
    let operation = match (before, after) {
        (None, _) => "added",
        (Some(_), None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    let shape = |state: Option<&State<'_>>| state.and_then(|state| state.feature.shape.clone());
    let (old, new) = (shape(before), shape(after));
    let is_same = is_same_shape(old.as_ref().map(Shape::view), new.as_ref().map(Shape::view));
    Ok(Version {
        made,
        operation,
        area: (area_of(before)?, area_of(after)?),
        geometry_changed: !is_same,
        differences: before.zip(after).map_or_else(Vec::new, |(before, after)| differences(before, after)),
        parents: Vec::new(),
        children: Vec::new(),
        kept: true,
    })
}

fn differences(before: &State<'_>, after: &State<'_>) -> Vec<(String, Value, Value)> {
    let value = |state: &State<'_>, name: &str| {
        state
            .layer
            .schema
            .position(name)
            .and_then(|place| state.feature.values.get(place).cloned())
            .unwrap_or(Value::Null)
    };
    let gone = before.layer.schema.fields.iter().filter(|field| after.layer.schema.position(&field.name).is_none());
    let fields = after.layer.schema.fields.iter().chain(gone);
    let pairs = fields.map(|field| (field.name.clone(), value(before, &field.name), value(after, &field.name)));
    pairs.filter(|(_, old, new)| old != new).collect()
}

/// The ellipsoidal area of a feature, by the way in which every table measures.
fn area_of(state: Option<&State<'_>>) -> Result<Option<Area>, PlannerError> {
    let Some(State { layer, feature }) = state else { return Ok(None) };
    let mut builder = SegmentBuilder::new(layer, Some(grid_of(layer)?));
    let view = feature.view();
    builder
        .push((feature.id, 0), view.shape, &view.values)
        .map_err(|source| crate::catalog::CatalogError::Table { layer: layer.id.clone(), source })?;
    let segment = builder.finish();
    Ok(segment.areas(Basis::Ellipsoidal)(0).map(|hundredths| Area::from_hundredths_m2(Basis::Ellipsoidal, hundredths)))
}
