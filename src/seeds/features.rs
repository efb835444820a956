//! A shipped geometry file → features in the order of their layer's schema.
//!
//! This is no reader of other people's `GeoJSON` (that is `formats`): it knows one writer, and anything that
//! the writer would not have written is an error.

use std::collections::BTreeMap;

use geo::Coord;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    domain::{
        feature::{Feature, Value},
        layer::{GeometryClass, Layer},
        schema::{Field, FieldType},
    },
    ground::shape::{Shape, ShapeKind},
};

use super::SeedError;

#[derive(Deserialize)]
struct Collection {
    features: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    id: i64,
    properties: BTreeMap<String, Json>,
    geometry: Option<Geometry>,
}

type Pair = [f64; 2];

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Point(Pair),
    Polygon(Vec<Vec<Pair>>),
    MultiPolygon(Vec<Vec<Vec<Pair>>>),
}

pub(super) fn read(layer: &Layer, file: &str, text: &str) -> Result<Vec<Feature>, SeedError> {
    let collection: Collection = serde_json::from_str(text).map_err(|error| SeedError::broken(file, error))?;
    let mut features = Vec::with_capacity(collection.features.len());
    for (written, expected) in collection.features.into_iter().zip(1..) {
        let id = written.id;
        let wrong = |what: String| SeedError::broken(file, format!("feature {id}: {what}"));
        if id != expected {
            return Err(wrong(format!("ids run from 1, {expected} was expected")));
        }
        let shape = written.geometry.map(shape_of);
        if let Some(shape) = shape.as_ref().filter(|shape| !fits(layer.geometry, shape.view().kind())) {
            return Err(wrong(format!("a {} is not the geometry of the layer", shape.view().kind().as_str())));
        }
        let values = values_of(written.properties, layer).map_err(wrong)?;
        features.push(Feature { id, shape, values });
    }
    Ok(features)
}

fn fits(class: GeometryClass, kind: ShapeKind) -> bool {
    match class {
        GeometryClass::Point => kind.dimension() == 0,
        GeometryClass::Line => kind.dimension() == 1,
        GeometryClass::Surface => kind.dimension() == 2,
        GeometryClass::Mixed => true,
        GeometryClass::None => false,
    }
}

fn shape_of(geometry: Geometry) -> Shape {
    let (kind, parts) = match geometry {
        Geometry::Point([x, y]) => return Shape::point(Coord { x, y }),
        Geometry::Polygon(rings) => (ShapeKind::Polygon, vec![rings]),
        Geometry::MultiPolygon(parts) => (ShapeKind::MultiPolygon, parts),
    };
    let mut shape = Shape::new(kind);
    for part in parts {
        for ring in part {
            for [x, y] in ring {
                shape.push(Coord { x, y });
            }
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

fn values_of(mut properties: BTreeMap<String, Json>, layer: &Layer) -> Result<Vec<Value>, String> {
    let mut values = Vec::with_capacity(layer.schema.fields.len());
    for field in &layer.schema.fields {
        let given = properties.remove(&field.name).ok_or_else(|| format!("property {:?} is missing", field.name))?;
        values.push(value_of(&given, field).ok_or_else(|| {
            format!("{given} is no {} of property {:?} or not in its code list", field.kind.as_str(), field.name)
        })?);
    }
    match properties.keys().next() {
        None => Ok(values),
        Some(extra) => Err(format!("property {extra:?} is not in the manifest")),
    }
}

fn value_of(given: &Json, field: &Field) -> Option<Value> {
    if given.is_null() {
        return Some(Value::Null);
    }
    match field.kind {
        FieldType::Boolean => given.as_bool().map(Value::Boolean),
        FieldType::Integer => given.as_i64().map(Value::Integer),
        FieldType::Real => given.as_f64().map(Value::Real),
        FieldType::Text => {
            let text = given.as_str()?;
            let listed = field.codes.is_empty() || field.codes.iter().any(|code| code.value == text);
            listed.then(|| Value::Text(text.to_owned()))
        }
        FieldType::Date => day_number(given.as_str()?).map(Value::Date),
        // The shipped files hold no moments.
        FieldType::DateTime => None,
    }
}

/// Days since 1970-01-01 of an ISO 8601 day.
fn day_number(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    let days = date.since((jiff::Unit::Day, epoch)).ok()?.get_days();
    (date.to_string() == text).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::Code;

    fn field(kind: FieldType) -> Field {
        Field::new("x", kind)
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(day_number("1970-01-01"), Some(0));
        assert_eq!(day_number("2023-04-21"), Some(19_468)); // date -d 2023-04-21 +%s / 86400
        assert_eq!(day_number("1969-12-31"), Some(-1));
        assert_eq!(day_number("2023-02-30"), None);
        assert_eq!(day_number("20230421"), None);
    }

    #[test]
    fn a_value_of_another_type_is_no_value() {
        assert_eq!(value_of(&Json::from(1.5), &field(FieldType::Integer)), None);
        assert_eq!(value_of(&Json::from("1"), &field(FieldType::Real)), None);
        assert_eq!(value_of(&Json::from(1), &field(FieldType::Text)), None);
        assert_eq!(value_of(&Json::Null, &field(FieldType::Text)), Some(Value::Null));
    }

    #[test]
    fn a_word_outside_the_code_list_is_no_value() {
        let mut field = field(FieldType::Text);
        field.codes = vec![Code { value: "a".into(), title: "甲".into(), title_en: String::new(), color: None }];
        assert_eq!(value_of(&Json::from("a"), &field), Some(Value::Text("a".into())));
        assert_eq!(value_of(&Json::from("b"), &field), None);
    }
}
