//! The answer as it is printed: figures that add up, groups in order, words that say what is meant.

use std::cmp::Ordering;

use jiff::{Timestamp, civil};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    domain::{feature::Value, layer::Layer},
    ground::units::{Area, AreaUnit, Basis, UnitError, printed_to_sum},
};

use super::{
    Definition, Group, Removed, Request, Statistics, StatsError, Total,
    groups::Grouping,
    sums::{Sum, Sums},
};

/// Decimals of shares.
const SHARE_DECIMALS: u32 = 6;

/// The values that the features of a group have in common, by name, in the order asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Key(pub Vec<(String, Value)>);

impl Key {
    /// The value of a name as people read it; `None` for no value.
    #[must_use]
    pub fn shown(&self, name: &str) -> Option<String> {
        shown(&self.0.iter().find(|(known, _)| known == name)?.1)
    }

    fn order(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|((_, a), (_, b))| order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match value {
                Value::Null => map.serialize_entry(name, &None::<()>)?,
                Value::Boolean(truth) => map.serialize_entry(name, truth)?,
                Value::Integer(number) => map.serialize_entry(name, number)?,
                Value::Real(number) => map.serialize_entry(name, number)?,
                Value::Text(_) | Value::Date(_) | Value::DateTime(_) => map.serialize_entry(name, &shown(value))?,
            }
        }
        map.end()
    }
}

/// A value as people read it; `None` for no value.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Date(day) => {
            let epoch = civil::Date::constant(1970, 1, 1);
            let date = epoch.checked_add(jiff::Span::new().try_days(i64::from(*day)).ok()?).ok()?;
            Some(date.to_string())
        }
        Value::DateTime(moment) => Some(Timestamp::from_millisecond(*moment).ok()?.to_string()),
    }
}

/// The order of two values of one property, no value last.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) | (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// The answer from the sums.
pub(super) fn answer(
    layer: &Layer,
    request: &Request<'_>,
    grouping: &Grouping<'_>,
    sums: Sums,
    (as_of, pairs): (&str, u64),
) -> Result<Statistics, StatsError> {
    let (basis, unit) = (request.basis, request.unit);
    let decimals = request.decimals.unwrap_or(unit.usual_decimals());
    let mut groups: Vec<(Key, Sum)> =
        sums.groups.into_iter().map(|((group, zones), sum)| (key(request, grouping, group, &zones), sum)).collect();
    groups.sort_by(|(a, _), (b, _)| a.order(b));
    let areas = |of: fn(&Sum) -> i128| -> Result<Vec<Area>, UnitError> {
        groups.iter().map(|(_, sum)| area(basis, of(sum))).collect()
    };
    let (printed, total) = printed_to_sum(&areas(|sum| sum.area)?, basis, unit, decimals)?;
    let (removed, removed_total) = printed_to_sum(&areas(|sum| sum.removed)?, basis, unit, decimals)?;
    let shares = shares(&groups.iter().map(|(_, sum)| sum.area).collect::<Vec<_>>());
    let figures = printed.into_iter().zip(removed).zip(shares);
    let groups = groups.into_iter().zip(figures);
    let groups = groups
        .map(|((key, sum), ((area, overlap), share))| Group {
            key,
            count: sum.count,
            area,
            share,
            overlap,
            unmeasured: sum.unmeasured,
        })
        .collect();
    Ok(Statistics {
        layer: layer.id.clone(),
        basis,
        unit,
        decimals,
        as_of: as_of.to_owned(),
        definition: definition(request),
        groups,
        total: Total { count: sums.count, area: total },
        overlap: Removed { area: removed_total, pairs },
        unmeasured: sums.unmeasured,
        residual_m2: sums.residual_m2,
        faulty: sums.faulty,
        faulty_zones: request
            .within
            .iter()
            .flat_map(|(id, zones)| zones.faulty().iter().map(|zone| (id.clone(), *zone)))
            .collect(),
    })
}

fn area(basis: Basis, hundredths: i128) -> Result<Area, UnitError> {
    let hundredths = i64::try_from(hundredths).ok().ok_or(UnitError::Overflow)?;
    Ok(Area::from_hundredths_m2(basis, hundredths))
}

fn key(request: &Request<'_>, grouping: &Grouping<'_>, group: u64, zones: &[(u8, u32)]) -> Key {
    let stored = request.group_by.iter().cloned().zip(grouping.key(group));
    let divided = (0..).zip(&request.within).map(|(layer, (id, held)): (u8, _)| {
        let numbers: Vec<u32> = zones.iter().filter(|(of, _)| *of == layer).map(|(_, number)| *number).collect();
        (id.as_str().to_owned(), held.shared_name(&numbers).map_or(Value::Null, Value::Text))
    });
    Key(stored.chain(divided).collect())
}

/// The shares of areas in their sum, rounded so that they sum to 1: the places that rounding down leaves go to
/// the largest remainders, ties to the earlier.
fn shares(areas: &[i128]) -> Vec<Option<Decimal>> {
    let total: i128 = areas.iter().sum();
    if total <= 0 {
        return vec![None; areas.len()];
    }
    let one = 10_i128.pow(SHARE_DECIMALS);
    let mut parts: Vec<i128> = areas.iter().map(|area| area * one / total).collect();
    let missing = usize::try_from(one - parts.iter().sum::<i128>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..areas.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(areas[*i] * one % total), *i));
    order.into_iter().take(missing).for_each(|i| parts[i] += 1);
    parts.into_iter().map(|part| Decimal::try_from_i128_with_scale(part, SHARE_DECIMALS).ok()).collect()
}

fn definition(request: &Request<'_>) -> Definition {
    let (mut zh, mut en) = match request.basis {
        Basis::Ellipsoidal => (
            "椭球面积（国土调查办发〔2008〕32号，CGCS2000）".to_owned(),
            "Ellipsoidal area by the survey rule of 2008 on CGCS2000".to_owned(),
        ),
        Basis::Planar => ("图层测量坐标系中的平面面积".to_owned(), "Planar area in the layer's survey grid".to_owned()),
    };
    if request.unit == AreaUnit::Mu {
        zh.push_str("，1亩=2000/3平方米");
        en.push_str(", 1 mu = 2000/3 m²");
    }
    zh.push_str("；各组凑整后之和等于合计");
    en.push_str("; printed groups sum to the printed total");
    if request.overlaps.is_some() {
        zh.push_str("；多个图斑重叠的土地只计一次，归编号最小者");
        en.push_str("; land claimed by several features counts once, for the smallest id");
    }
    if !request.within.is_empty() {
        zh.push_str(
            "；每个图斑按所在区域切分，跨区图斑在各区分别计数，合计只计一次；区域重叠部分列为“甲 + 乙”，区域外部分单列",
        );
        en.push_str(
            "; features are cut by the zones, counted in each zone they reach and once in the total; land in several \
             zones is named by all (\"A + B\"), land outside every zone by null",
        );
    }
    Definition { zh, en }
}
