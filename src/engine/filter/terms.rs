//! Names and literals of a filter as a layer understands them: which property is meant, of which type it is,
//! and which value a text has as that type.

use std::str::FromStr;

use crate::domain::{
    feature::Value,
    layer::{GeometryClass, Layer},
    schema::{Derived, FieldType},
};

use super::{Expr, FilterError, Node, Spot, lexer::shortened, time, type_word};

/// The feature's id as a property, where the layer has no column of that name.
pub(super) const ID: &str = "id";
/// The feature's geometry as a property, where the layer has no column of that name.
const GEOMETRY: [&str; 2] = ["geometry", "geom"];

/// The type of a stored or derived property. A derived name means the derived value.
pub(in crate::engine) fn property_kind(name: &str, layer: &Layer) -> Result<FieldType, FilterError> {
    kind_of(name, layer, &Spot::Unknown)
}

/// The type of a property as filters know it: stored, derived, or the id.
pub(super) fn kind_at(name: &str, layer: &Layer, at: &Spot) -> Result<FieldType, FilterError> {
    if name == ID && layer.schema.position(name).is_none() {
        return Ok(FieldType::Integer);
    }
    kind_of(name, layer, at)
}

fn kind_of(name: &str, layer: &Layer, at: &Spot) -> Result<FieldType, FilterError> {
    if layer.derived(name).is_some() {
        return Ok(FieldType::Real);
    }
    if let Some(column) = layer.schema.position(name) {
        return Ok(layer.schema.fields[column].kind);
    }
    if is_geometry(name, layer) {
        let given = format!("property {name:?} (geometry)");
        return Err(FilterError::WrongType { given, wanted: "a value", at: at.clone() });
    }
    let fields = layer.schema.fields.iter().map(|field| field.name.as_str());
    let derived = Derived::ALL.iter().map(|derived| derived.name()).filter(|name| layer.derived(name).is_some());
    let geometry = (layer.geometry != GeometryClass::None).then_some(GEOMETRY[0]);
    let all: Vec<&str> = fields.chain(derived).chain(geometry).chain([ID]).collect();
    let given = shortened(name);
    let near = all.iter().filter(|known| are_near(&given, known)).map(|known| (*known).to_owned()).collect();
    let all = all.into_iter().map(str::to_owned).collect();
    Err(FilterError::UnknownProperty { given, near, all, at: at.clone() })
}

/// Whether a name means the feature's geometry.
pub(super) fn is_geometry(name: &str, layer: &Layer) -> bool {
    GEOMETRY.contains(&name) && layer.geometry != GeometryClass::None && layer.schema.position(name).is_none()
}

/// Whether two names differ in case alone, or in at most two characters of a longer name.
fn are_near(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let most = if a.len().min(b.len()) > 3 { 2 } else { usize::from(a.len().min(b.len()) > 1) };
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            row.push((before[j] + usize::from(x != y)).min(before[j + 1] + 1).min(row[j] + 1));
        }
        before = row;
    }
    before[b.len()] <= most
}

/// Reads text as a value of a type.
pub(super) fn literal_of(text: &str, kind: FieldType, at: &Spot) -> Result<Node, FilterError> {
    let bad = |wanted| FilterError::BadLiteral { at: at.clone(), given: shortened(text), wanted };
    let value = match kind {
        FieldType::Text => Value::Text(text.to_owned()),
        FieldType::Boolean => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(bad("boolean: use true or false")),
        },
        FieldType::Integer | FieldType::Real => match text.parse() {
            Ok(number) if kind == FieldType::Integer => Value::Integer(number),
            _ => Value::Real(finite(text).ok_or_else(|| bad("number"))?),
        },
        FieldType::Date => return time::day(text, at),
        FieldType::DateTime => return time::moment(text, at),
    };
    Ok(Node::Literal(value))
}

/// A finite number as it is written; Rust also reads "inf" and "nan".
pub(super) fn finite(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    f64::from_str(text).ok().filter(|number| digits && number.is_finite())
}

/// An expression and its type, for messages.
pub(super) fn described(expr: &Expr, kind: FieldType) -> String {
    let kind = type_word(kind);
    match &expr.node {
        Node::Property(name) => format!("property {:?} ({kind})", shortened(name)),
        Node::Literal(Value::Text(text)) => format!("{:?} ({kind})", shortened(text)),
        Node::Literal(Value::Integer(number)) => format!("{number} ({kind})"),
        Node::Literal(Value::Real(number)) => format!("{number} ({kind})"),
        _ => format!("an expression ({kind})"),
    }
}
