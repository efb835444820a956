//! The difference of two moments as a report: features added, removed and changed, and the land by class before and after.
//!
//! The land by class is that of the statistics of either moment, so its printed parts sum to the printed totals; land that
//! several features claim is counted once there. The areas of the features added, removed and changed are those of the
//! features themselves.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    catalog::{Catalog, LayerDifference, LayerState, is_same_shape},
    domain::{
        calendar,
        feature::{Value, ValueRef},
        geojson::{Key as Member, write_feature_of, write_value},
        layer::Layer,
        schema::LayerId,
    },
    engine::{
        stats::{Definition, Group, Key, Statistics},
        table::Row,
    },
    ground::{
        units::{Area, AreaUnit, Basis, UnitError, json_number},
        wkt::wkt_of,
    },
    planner::{AskError, PlannerError, StatisticsQuestion, now_ms, statistics},
};

/// Decimals of longitude and latitude.
const DECIMALS: u8 = 9;

/// Two moments of a layer, compared.
#[derive(Debug)]
pub struct Difference {
    layer: LayerId,
    from: Arc<Catalog>,
    to: Arc<Catalog>,
    rows: LayerDifference,
}

/// Features and their land.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Amount {
    /// How many; fewer than none where there were more before.
    pub count: i64,
    /// Their land in the unit.
    #[serde(serialize_with = "json_number")]
    pub area: Decimal,
}

/// Features that became others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Became {
    /// How many.
    pub count: i64,
    /// Their land before.
    #[serde(serialize_with = "json_number")]
    pub area_before: Decimal,
    /// Their land after.
    #[serde(serialize_with = "json_number")]
    pub area_after: Decimal,
}

/// One class, or all together, at both moments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Balance {
    /// At the first moment.
    pub before: Amount,
    /// At the second.
    pub after: Amount,
    /// The second less the first.
    pub change: Amount,
}

/// The balance of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassBalance {
    /// The values that its features have in common.
    pub key: Key,
    /// Its figures.
    #[serde(flatten)]
    pub balance: Balance,
}

/// A moment as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stated {
    /// The moment that was asked for; now for the present.
    pub as_of: String,
    /// The last edit or import that it includes.
    pub seq: i64,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceReport {
    /// The layer.
    pub layer: LayerId,
    /// The first moment.
    pub from: Stated,
    /// The second moment.
    pub to: Stated,
    /// The basis of areas.
    pub basis: Basis,
    /// The unit of areas.
    pub unit: AreaUnit,
    /// Decimals of areas.
    pub decimals: u32,
    /// Features that were added.
    pub added: Amount,
    /// Features that were removed.
    pub removed: Amount,
    /// Features that became others.
    pub changed: Became,
    /// The land by class; the printed classes sum to the printed total, before, after and their difference.
    pub groups: Vec<ClassBalance>,
    /// All classes together.
    pub total: Balance,
    /// What is meant by areas.
    pub definition: Definition,
}

impl Difference {
    /// Compares a layer at two moments.
    ///
    /// # Errors
    /// [`AskError`] where neither has it.
    pub fn of(layer: &str, from: Arc<Catalog>, to: Arc<Catalog>) -> Result<Self, AskError> {
        let state = to.layer(layer).or_else(|| from.layer(layer));
        let state = state.ok_or_else(|| AskError::new("layer", format!("{layer:?} was there at neither moment")))?;
        let rows = LayerDifference::between(from.layer(layer).map(AsRef::as_ref), to.layer(layer).map(AsRef::as_ref));
        Ok(Self { layer: state.layer().id.clone(), from, to, rows })
    }

    /// Which features differ.
    #[must_use]
    pub const fn rows(&self) -> &LayerDifference {
        &self.rows
    }

    /// The layer at the first moment.
    #[must_use]
    pub fn before(&self) -> Option<&LayerState> {
        self.from.layer(self.layer.as_str()).map(AsRef::as_ref)
    }

    /// The layer at the second moment.
    #[must_use]
    pub fn after(&self) -> Option<&LayerState> {
        self.to.layer(self.layer.as_str()).map(AsRef::as_ref)
    }

    /// The report, with the land by the classes that `question` groups by.
    ///
    /// # Errors
    /// [`AskError`] names what is wrong with the question; [`PlannerError::Ask`] for a sum beyond all land.
    pub fn report(&self, question: &StatisticsQuestion) -> Result<DifferenceReport, PlannerError> {
        let figures = |catalog: &Catalog| {
            catalog.layer(self.layer.as_str()).map(|_| statistics(catalog, self.layer.as_str(), question)).transpose()
        };
        let (before, after) = (figures(&self.from)?, figures(&self.to)?);
        let Some(shape) = after.as_ref().or(before.as_ref()) else {
            return Err(AskError::new("layer", format!("{} was there at neither moment", self.layer)).into());
        };
        let (basis, unit, decimals) = (shape.basis, shape.unit, shape.decimals);
        let printed = |area: Area| area.rounded(unit, decimals);
        let (added, removed) =
            (self.rows.added.iter().map(|(_, row)| *row), self.rows.removed.iter().map(|(_, row)| *row));
        let (old, new) =
            (self.rows.changed.iter().map(|(_, row, _)| *row), self.rows.changed.iter().map(|(.., row)| *row));
        let sum = |state, rows: &mut dyn Iterator<Item = Row>| {
            land_of(state, rows, basis).map(printed).map_err(|error| AskError::new("value", error))
        };
        let zero = Decimal::new(0, decimals);
        Ok(DifferenceReport {
            layer: self.layer.clone(),
            from: stated(&self.from),
            to: stated(&self.to),
            basis,
            unit,
            decimals,
            added: Amount { count: self.rows.added.len() as i64, area: sum(self.after(), &mut added.clone())? },
            removed: Amount { count: self.rows.removed.len() as i64, area: sum(self.before(), &mut removed.clone())? },
            changed: Became {
                count: self.rows.changed.len() as i64,
                area_before: sum(self.before(), &mut old.clone())?,
                area_after: sum(self.after(), &mut new.clone())?,
            },
            groups: groups(before.as_ref(), after.as_ref(), zero),
            total: balance(total_of(before.as_ref(), zero), total_of(after.as_ref(), zero)),
            definition: shape.definition.clone(),
        })
    }

    /// Visits the features that differ, in order of their ids.
    pub fn each(&self, mut visit: impl FnMut(&Differing<'_>)) {
        let differing = |id, old: Option<Row>, new: Option<Row>| Differing {
            id,
            before: old.zip(self.before()),
            after: new.zip(self.after()),
        };
        let mut all: Vec<Differing<'_>> = Vec::new();
        all.extend(self.rows.added.iter().map(|(id, row)| differing(*id, None, Some(*row))));
        all.extend(self.rows.removed.iter().map(|(id, row)| differing(*id, Some(*row), None)));
        all.extend(self.rows.changed.iter().map(|(id, old, new)| differing(*id, Some(*old), Some(*new))));
        all.sort_unstable_by_key(|differing| differing.id);
        all.iter().for_each(&mut visit);
    }

    /// The features that differ as a GeoJSON feature collection: each as it is after, or was where it is no more. Our own
    /// members begin with `mutu_`: what happened, which properties, the areas, and the values before.
    #[must_use]
    pub fn geojson(&self) -> Vec<u8> {
        let mut out = b"{\"type\":\"FeatureCollection\",\"features\":[".to_vec();
        let mut first = true;
        let own = ["mutu_change", "mutu_changed", "mutu_area_m2_before", "mutu_area_m2_after"].map(Member::new);
        self.each(|feature| {
            if !std::mem::take(&mut first) {
                out.extend_from_slice(b",\n");
            }
            let Some((row, state)) = feature.after.or(feature.before) else { return };
            let changed = feature.changed();
            write_feature_of(&mut out, feature.id, state.table().shape(row), DECIMALS, |properties| {
                for (place, field) in state.layer().schema.fields.iter().enumerate() {
                    properties.value(&Member::new(&field.name), state.table().value(row, place));
                }
                let names = changed.join(",");
                properties.value(&own[0], ValueRef::Text(feature.operation()));
                properties.value(&own[1], if names.is_empty() { ValueRef::Null } else { ValueRef::Text(&names) });
                for (member, area) in [(&own[2], feature.area_before()), (&own[3], feature.area_after())] {
                    match area {
                        Some(area) => properties.decimal(member, area.hundredths_m2(), 2),
                        None => properties.value(member, ValueRef::Null),
                    }
                }
                for name in changed.iter().filter(|name| **name != GEOMETRY) {
                    let old = feature.before.map_or(Value::Null, |place| value_of(place, name));
                    properties.value(&Member::new(&format!("mutu_before_{name}")), old.view());
                }
            });
        });
        out.extend_from_slice(b"]}");
        out
    }

    /// The features that differ as a table: head and rows, a value before and after for each column and, where it is
    /// wanted, the geometry before and after as WKT.
    #[must_use]
    pub fn table(&self, with_geometry: bool) -> (Vec<String>, Vec<Vec<String>>) {
        let names = names_of(self.before().map(LayerState::layer), self.after().map(LayerState::layer));
        let mut head: Vec<String> =
            ["id", "change", "changed", "area_m2_before", "area_m2_after"].map(str::to_owned).to_vec();
        head.extend(names.iter().flat_map(|name| [format!("{name} before"), format!("{name} after")]));
        let mut wkt = "WKT".to_owned();
        while names.iter().any(|name| name.eq_ignore_ascii_case(&wkt)) {
            wkt.push('_');
        }
        if with_geometry {
            head.extend([format!("{wkt} before"), format!("{wkt} after")]);
        }
        let geometry = |place: Option<(Row, &LayerState)>| {
            let shape = place.and_then(|(row, state)| state.table().shape(row));
            shape.map_or_else(String::new, |shape| wkt_of(shape, DECIMALS))
        };
        let mut rows = Vec::new();
        self.each(|feature| {
            let area =
                |area: Option<Area>| area.map_or_else(String::new, |area| area.rounded(AreaUnit::M2, 2).to_string());
            let mut row = vec![
                feature.id.to_string(),
                feature.operation().to_owned(),
                feature.changed().join(" "),
                area(feature.area_before()),
                area(feature.area_after()),
            ];
            let text = |place: Option<(Row, &LayerState)>, name: &str| {
                place.map_or_else(String::new, |place| plain(&value_of(place, name)))
            };
            row.extend(names.iter().flat_map(|name| [text(feature.before, name), text(feature.after, name)]));
            if with_geometry {
                row.extend([geometry(feature.before), geometry(feature.after)]);
            }
            rows.push(row);
        });
        (head, rows)
    }
}

/// The name by which the geometry stands among what changed.
pub const GEOMETRY: &str = "geometry";

/// A feature that differs.
#[derive(Debug, Clone, Copy)]
pub struct Differing<'a> {
    /// Its id.
    pub id: i64,
    /// Where it was.
    pub before: Option<(Row, &'a LayerState)>,
    /// Where it is.
    pub after: Option<(Row, &'a LayerState)>,
}

impl<'a> Differing<'a> {
    /// `added`, `removed` or `changed`.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match (self.before.is_some(), self.after.is_some()) {
            (false, _) => "added",
            (true, false) => "removed",
            (true, true) => "changed",
        }
    }

    /// The properties whose values differ, and `geometry`; nothing for a feature that only one moment has.
    #[must_use]
    pub fn changed(&self) -> Vec<&'a str> {
        let (Some(before), Some(after)) = (self.before, self.after) else { return Vec::new() };
        let names = names_of(Some(before.1.layer()), Some(after.1.layer()));
        let mut changed: Vec<&str> =
            names.into_iter().filter(|name| value_of(before, name) != value_of(after, name)).collect();
        if !is_same_shape(before.1.table().shape(before.0), after.1.table().shape(after.0)) {
            changed.push(GEOMETRY);
        }
        changed
    }

    /// Its ellipsoidal area before.
    #[must_use]
    pub fn area_before(&self) -> Option<Area> {
        self.before.and_then(|(row, state)| state.table().area(row, Basis::Ellipsoidal))
    }

    /// Its ellipsoidal area after.
    #[must_use]
    pub fn area_after(&self) -> Option<Area> {
        self.after.and_then(|(row, state)| state.table().area(row, Basis::Ellipsoidal))
    }
}

/// The columns of either layer, those of the second first.
fn names_of<'a>(before: Option<&'a Layer>, after: Option<&'a Layer>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for field in after.into_iter().chain(before).flat_map(|layer| &layer.schema.fields) {
        if !names.contains(&field.name.as_str()) {
            names.push(&field.name);
        }
    }
    names
}

fn value_of((row, state): (Row, &LayerState), name: &str) -> Value {
    state.layer().schema.position(name).map_or(Value::Null, |place| state.table().value(row, place).to_value())
}

/// A value as text without quotes; nothing for none.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        other => {
            let mut out = Vec::new();
            write_value(&mut out, other.view());
            String::from_utf8_lossy(&out).trim_matches('"').to_owned()
        }
    }
}

fn stated(catalog: &Catalog) -> Stated {
    Stated { as_of: calendar::date_time_text(catalog.as_of().unwrap_or_else(now_ms)), seq: catalog.seq() }
}

fn land_of(state: Option<&LayerState>, rows: &mut dyn Iterator<Item = Row>, basis: Basis) -> Result<Area, UnitError> {
    let Some(state) = state else { return Ok(Area::zero(basis)) };
    rows.filter_map(|row| state.table().area(row, basis)).try_fold(Area::zero(basis), Area::plus)
}

fn total_of(figures: Option<&Statistics>, zero: Decimal) -> Amount {
    figures.map_or(Amount { count: 0, area: zero }, |figures| Amount {
        count: figures.total.count as i64,
        area: figures.total.area,
    })
}

fn balance(before: Amount, after: Amount) -> Balance {
    let change = Amount { count: after.count - before.count, area: after.area - before.area };
    Balance { before, after, change }
}

/// The classes of both moments: those of the second in its order, then those that only the first has.
fn groups(before: Option<&Statistics>, after: Option<&Statistics>, zero: Decimal) -> Vec<ClassBalance> {
    let list = |figures: Option<&Statistics>| figures.map_or(Vec::new(), |figures| figures.groups.clone());
    let amount = |group: &Group| Amount { count: group.count as i64, area: group.area };
    let name = |group: &Group| serde_json::to_string(&group.key).unwrap_or_default();
    let nothing = || Amount { count: 0, area: zero };
    let (before, after) = (list(before), list(after));
    let known: HashMap<String, Amount> = before.iter().map(|group| (name(group), amount(group))).collect();
    let mut seen = HashSet::new();
    let mut balances = Vec::new();
    for group in &after {
        let name = name(group);
        let old = known.get(&name).cloned().unwrap_or_else(nothing);
        balances.push(ClassBalance { key: group.key.clone(), balance: balance(old, amount(group)) });
        seen.insert(name);
    }
    for group in before.iter().filter(|group| !seen.contains(&name(group))) {
        balances.push(ClassBalance { key: group.key.clone(), balance: balance(amount(group), nothing()) });
    }
    balances
}
