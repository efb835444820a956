//! Features as clients give them: GeoJSON read into a layer's columns, strictly.
//!
//! A member, a property or a number that cannot be kept is an error that names it; nothing is dropped. What the product
//! itself adds to answers is known and let pass: `id`, `bbox`, `links`, and the derived properties, which are read only.
//!
//! Invariant: a coordinate is the double next to its decimal text; nothing is rounded.
//!
//! Source: RFC 7946, RFC 7396 (merge patch), OGC 20-002 (draft).

use std::fmt;

use geo::Coord;
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    calendar,
    feature::Value,
    json::{Pairs, Text},
    layer::Layer,
    schema::{Derived, Field, FieldType},
};
use crate::ground::shape::{Shape, ShapeKind};

/// What is wrong with one part of a feature as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// A stable word.
    pub fault: &'static str,
    /// The property at fault, where it is one.
    pub property: Option<String>,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

impl Wrong {
    fn new(fault: &'static str, message: impl Into<String>) -> Self {
        Self { fault, property: None, message: message.into() }
    }
}

/// The parts of a feature that were given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Received {
    /// The id, where there is a number as one.
    pub id: Option<i64>,
    /// The geometry, where the member is there; in it `None` for `null`.
    pub shape: Option<Option<Shape>>,
    /// For each column its value, where the property is there.
    pub values: Vec<Option<Value>>,
}

/// Whether a feature is given whole, or what shall change of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A feature: `type` and `geometry` are there.
    Whole,
    /// A merge patch; a geometry without `type` is of the kind of the current one.
    Patch(Option<ShapeKind>),
}

/// Reads a feature of a layer.
///
/// # Errors
/// All that is wrong with it; a text that is no JSON object has the fault `not-json`.
pub fn read_feature(text: &str, layer: &Layer, form: Form) -> Result<Received, Vec<Wrong>> {
    let members: Pairs<'_> = serde_json::from_str(text)
        .map_err(|error| vec![Wrong::new("not-json", format!("the body is no JSON object: {error}"))])?;
    let mut reading = Reading { layer, wrong: Vec::new() };
    let received = reading.members(&members, form);
    if reading.wrong.is_empty() { Ok(received) } else { Err(reading.wrong) }
}

struct Reading<'l> {
    layer: &'l Layer,
    wrong: Vec<Wrong>,
}

impl Reading<'_> {
    fn members(&mut self, members: &Pairs<'_>, form: Form) -> Received {
        let mut received = Received { values: vec![None; self.layer.schema.fields.len()], ..Received::default() };
        let mut kind = None;
        for (place, (name, raw)) in members.0.iter().enumerate() {
            if members.0[..place].iter().any(|(before, _)| before == name) {
                self.wrong.push(Wrong::new("duplicate-member", format!("the member {name:?} stands twice")));
                continue;
            }
            match name.as_ref() {
                "type" => kind = Some(raw.get()),
                "id" => received.id = raw.get().parse().ok(),
                "geometry" => match shape_of(raw, form) {
                    Ok(shape) => received.shape = Some(shape),
                    Err(wrong) => self.wrong.push(wrong),
                },
                "properties" => self.properties(raw, form, &mut received.values),
                "bbox" | "links" => {}
                _ => {
                    let message = format!(
                        "the member {name:?} is not kept: a feature has type, id, geometry and properties, which the \
                         schema lists"
                    );
                    self.wrong.push(Wrong::new("unknown-member", message));
                }
            }
        }
        let is_feature = kind.is_some_and(|raw| raw == "\"Feature\"");
        if !is_feature && (kind.is_some() || form == Form::Whole) {
            self.wrong.push(Wrong::new("not-a-feature", "the member \"type\" must be \"Feature\""));
        }
        if received.shape.is_none() && form == Form::Whole && !members.0.iter().any(|(name, _)| name == "geometry") {
            let message = "the member \"geometry\" is missing: give one, or null for no place";
            self.wrong.push(Wrong::new("missing-geometry", message));
        }
        received
    }

    fn properties(&mut self, raw: &RawValue, form: Form, values: &mut [Option<Value>]) {
        if raw.get() == "null" && form == Form::Whole {
            return;
        }
        let pairs: Pairs<'_> = match serde_json::from_str(raw.get()) {
            Ok(pairs) => pairs,
            Err(error) => {
                self.wrong.push(Wrong::new("not-a-feature", format!("the member \"properties\": {error}")));
                return;
            }
        };
        for (name, raw) in pairs.0 {
            let Some(column) = self.layer.schema.position(&name) else {
                self.unknown(&name);
                continue;
            };
            let field = &self.layer.schema.fields[column];
            let wrong = |fault, message| Wrong { fault, property: Some(field.name.clone()), message };
            if values[column].is_some() {
                self.wrong.push(wrong("duplicate-member", "the property stands twice".to_owned()));
                continue;
            }
            match value_of(field, raw) {
                Ok(value) => values[column] = Some(value),
                Err(message) => {
                    self.wrong.push(wrong("wrong-type", message));
                    values[column] = Some(Value::Null);
                }
            }
        }
    }

    /// Derived properties are read only: what a client sends back of them is not stored.
    fn unknown(&mut self, name: &str) {
        if self.layer.derived(name).is_some() {
            return;
        }
        let known: Vec<&str> = self.layer.schema.fields.iter().map(|field| field.name.as_str()).collect();
        let derived: Vec<&str> =
            Derived::ALL.iter().filter(|d| self.layer.derived(d.name()).is_some()).map(|d| d.name()).collect();
        let mut message = format!("the layer has no such property: it has {}", known.join(", "));
        if !derived.is_empty() {
            message.push_str(&format!("; and, read only, {}", derived.join(", ")));
        }
        let property = Some(name.chars().take(100).collect());
        self.wrong.push(Wrong { fault: "unknown-property", property, message });
    }
}

/// A value of a column from its JSON.
fn value_of(field: &Field, raw: &RawValue) -> Result<Value, String> {
    let text = raw.get();
    let shown = || text.chars().take(60).collect::<String>();
    let first = text.as_bytes().first().copied().unwrap_or(b'n');
    let wanted = || Err(format!("{} is not of the column's type, {}", shown(), said(field.kind)));
    if first == b'n' {
        return Ok(Value::Null);
    }
    let is_number = first == b'-' || first.is_ascii_digit();
    let string = || serde_json::from_str::<Text<'_>>(text).map_err(|error| error.to_string());
    match field.kind {
        FieldType::Boolean if matches!(first, b't' | b'f') => Ok(Value::Boolean(first == b't')),
        FieldType::Integer if is_number => {
            whole_number(text).map(Value::Integer).ok_or_else(|| format!("{} is no whole number of 64 bits", shown()))
        }
        FieldType::Real if is_number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Real(number)),
            _ => Err(format!("{} is beyond the range of numbers", shown())),
        },
        FieldType::Text if first == b'"' => Ok(Value::Text(string()?.0.into_owned())),
        FieldType::Date if first == b'"' => {
            calendar::parse_date(&string()?.0).map(Value::Date).map_err(|error| error.to_string())
        }
        FieldType::DateTime if first == b'"' => {
            calendar::parse_date_time(&string()?.0).map(Value::DateTime).map_err(|error| error.to_string())
        }
        _ => wanted(),
    }
}

const fn said(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Boolean => "true or false",
        FieldType::Integer => "a whole number",
        FieldType::Real => "a number",
        FieldType::Text => "text",
        FieldType::Date => "a day as \"2023-04-21\"",
        FieldType::DateTime => "a moment as \"2023-04-21T08:00:00+08:00\"",
    }
}

/// A whole number, also where it is written with a fraction of zero, which JSON Schema counts among them.
fn whole_number(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    // Beyond 2^53 doubles no longer tell whole numbers apart.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Reads a GeoJSON geometry; `None` for `null`.
///
/// # Errors
/// What is wrong with it.
pub fn read_geometry(raw: &RawValue) -> Result<Option<Shape>, Wrong> {
    shape_of(raw, Form::Whole)
}

fn shape_of(raw: &RawValue, form: Form) -> Result<Option<Shape>, Wrong> {
    let wrong = |message: String| Wrong::new("not-a-geometry", message);
    if raw.get() == "null" {
        return Ok(None);
    }
    let members: Pairs<'_> =
        serde_json::from_str(raw.get()).map_err(|error| wrong(format!("the geometry: {error}")))?;
    let mut kind = match form {
        Form::Patch(Some(current)) => Some(current),
        _ => None,
    };
    let mut coordinates = None;
    for (place, (name, raw)) in members.0.iter().enumerate() {
        if members.0[..place].iter().any(|(before, _)| before == name) {
            return Err(wrong(format!("the geometry's member {name:?} stands twice")));
        }
        match name.as_ref() {
            "type" => kind = Some(kind_of(raw)?),
            "coordinates" => coordinates = Some(*raw),
            "bbox" => {}
            _ => return Err(wrong(format!("the geometry's member {name:?} is not kept: it has type and coordinates"))),
        }
    }
    let kind = kind.ok_or_else(|| wrong("the geometry has no member \"type\"".to_owned()))?;
    let coordinates = coordinates.ok_or_else(|| wrong("the geometry has no member \"coordinates\"".to_owned()))?;
    shape_from(kind, coordinates.get()).map(Some).map_err(|error| wrong(format!("the geometry's coordinates: {error}")))
}

fn kind_of(raw: &RawValue) -> Result<ShapeKind, Wrong> {
    use ShapeKind::{LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
    let given = raw.get().trim_matches('"');
    let kinds = [Point, MultiPoint, LineString, MultiLineString, Polygon, MultiPolygon];
    kinds.into_iter().find(|kind| kind.as_str() == given).ok_or_else(|| {
        let shown: String = given.chars().take(40).collect();
        let known: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        Wrong::new("not-a-geometry", format!("the geometry's type {shown:?} is none of {}", known.join(", ")))
    })
}

fn shape_from(kind: ShapeKind, text: &str) -> Result<Shape, serde_json::Error> {
    let mut shape = Shape::new(kind);
    let surface = |shape: &mut Shape, rings: Vec<Vec<Position>>| {
        for ring in rings {
            path(shape, ring);
        }
        shape.end_part();
    };
    match kind {
        ShapeKind::Point => {
            path(&mut shape, vec![serde_json::from_str(text)?]);
            shape.end_part();
        }
        ShapeKind::LineString => {
            path(&mut shape, serde_json::from_str(text)?);
            shape.end_part();
        }
        ShapeKind::MultiPoint => {
            for at in serde_json::from_str::<Vec<Position>>(text)? {
                path(&mut shape, vec![at]);
                shape.end_part();
            }
        }
        ShapeKind::MultiLineString => {
            for line in serde_json::from_str::<Vec<Vec<Position>>>(text)? {
                path(&mut shape, line);
                shape.end_part();
            }
        }
        ShapeKind::Polygon => surface(&mut shape, serde_json::from_str(text)?),
        ShapeKind::MultiPolygon => {
            for rings in serde_json::from_str::<Vec<Vec<Vec<Position>>>>(text)? {
                surface(&mut shape, rings);
            }
        }
    }
    Ok(shape)
}

fn path(shape: &mut Shape, positions: Vec<Position>) {
    for at in positions {
        shape.push(at.0);
    }
    shape.end_ring();
}

/// A position of two numbers.
struct Position(Coord);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a position of two numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Position, A::Error> {
                let short = || A::Error::custom("a position has two numbers");
                let x = numbers.next_element()?.ok_or_else(short)?;
                let y = numbers.next_element()?.ok_or_else(short)?;
                if numbers.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("heights are not kept: give two numbers for each position"));
                }
                Ok(Position(Coord { x, y }))
            }
        }
        deserializer.deserialize_seq(Of)
    }
}
