//! Filters written again, as CQL2 text and as CQL2 JSON: what is read from either is the same tree.
//!
//! Heights of geometries are not in the tree and not written.

use serde_json::{Map, Value as Json, json};

use crate::{
    domain::{calendar::date_text, feature::Value},
    ground::shape::{Shape, ShapeKind, ShapeRef},
};

use super::{Expr, Node, Op, lexer::begins_name, time::moment_text, wkt};

/// How strongly the parts of an expression hold together, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    Any,
    Or,
    And,
    Not,
    Predicate,
    Sum,
    Product,
    Power,
    Atom,
}

/// The filter as CQL2 text, with no more brackets than it needs.
#[must_use]
pub fn to_text(filter: &Expr) -> String {
    let mut out = String::new();
    write(&mut out, filter, Bond::Any);
    out
}

fn bond_of(op: &Op) -> Bond {
    match op {
        Op::Or => Bond::Or,
        Op::And => Bond::And,
        Op::Not => Bond::Not,
        Op::Compare(_) | Op::Like | Op::Between | Op::In | Op::IsNull => Bond::Predicate,
        Op::Add | Op::Subtract => Bond::Sum,
        Op::Multiply | Op::Divide | Op::Modulo | Op::WholeDivide => Bond::Product,
        Op::Power => Bond::Power,
        _ => Bond::Atom,
    }
}

/// Writes an expression whose parts must hold together more strongly than `outside`.
fn write(out: &mut String, expr: &Expr, outside: Bond) {
    match &expr.node {
        Node::Literal(value) => write_value(out, value),
        Node::FineMoment { ms, nanos } => *out += &format!("TIMESTAMP('{}')", moment_text(*ms, *nanos)),
        Node::Property(name) => write_name(out, name),
        Node::Geometry(shape) => write_shape(out, shape.view()),
        Node::Collection(shapes) => {
            *out += "GEOMETRYCOLLECTION";
            listed(out, shapes, |out, shape| write_shape(out, shape.view()));
        }
        Node::Box(corners) => {
            *out += "BBOX";
            listed(out, corners, |out, number| *out += &number.to_string());
        }
        Node::List(items) => listed(out, items, |out, item| write(out, item, Bond::Any)),
        Node::Interval(ends) => {
            *out += "INTERVAL";
            listed(out, ends.as_slice(), |out, end| write_end(out, end.as_ref()));
        }
        Node::Op(op, args) => {
            let bond = bond_of(op);
            let bracketed = bond <= outside;
            if bracketed {
                out.push('(');
            }
            write_op(out, op, args, bond);
            if bracketed {
                out.push(')');
            }
        }
    }
}

fn write_op(out: &mut String, op: &Op, args: &[Expr], bond: Bond) {
    let weaker = |bond| match bond {
        Bond::Sum => Bond::Predicate,
        _ => Bond::Sum,
    };
    match (op, args) {
        (Op::And | Op::Or, args) => {
            for (i, arg) in args.iter().enumerate() {
                if i > 0 {
                    *out += &format!(" {} ", op.text_name());
                }
                write(out, arg, bond);
            }
        }
        (Op::Not, [arg]) => {
            *out += "NOT ";
            write(out, arg, Bond::Not);
        }
        (Op::IsNull, [arg]) => {
            write(out, arg, Bond::Predicate);
            *out += " IS NULL";
        }
        (Op::Between, [value, low, high]) => {
            write(out, value, Bond::Predicate);
            *out += " BETWEEN ";
            write(out, low, Bond::Predicate);
            *out += " AND ";
            write(out, high, Bond::Predicate);
        }
        (Op::Compare(_) | Op::Like | Op::In, [left, right]) => {
            write(out, left, Bond::Predicate);
            *out += &format!(" {} ", op.text_name());
            write(out, right, Bond::Predicate);
        }
        (Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo | Op::WholeDivide, [left, right]) => {
            // From the left: what stands left may be of the same rank.
            write(out, left, weaker(bond));
            *out += &format!(" {} ", op.text_name());
            write(out, right, bond);
        }
        (Op::Power, [left, right]) => {
            write(out, left, Bond::Power);
            *out += " ^ ";
            write(out, right, Bond::Power);
        }
        (call, args) => {
            *out += &call.text_name();
            listed(out, args, |out, arg| write(out, arg, Bond::Any));
        }
    }
}

fn listed<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('(');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            *out += ", ";
        }
        write(out, item);
    }
    out.push(')');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => *out += "NULL",
        Value::Boolean(truth) => *out += if *truth { "TRUE" } else { "FALSE" },
        Value::Integer(number) => *out += &number.to_string(),
        Value::Real(number) => *out += &format!("{number:?}"),
        Value::Text(text) => {
            out.push('\'');
            for c in text.chars() {
                match c {
                    '\'' => *out += "''",
                    '\\' => *out += "\\\\",
                    c => out.push(c),
                }
            }
            out.push('\'');
        }
        Value::Date(day) => *out += &format!("DATE('{}')", date_text(*day)),
        Value::DateTime(ms) => *out += &format!("TIMESTAMP('{}')", moment_text(*ms, 0)),
    }
}

/// Words that mean something else where a name could stand.
const TAKEN: [&str; 11] = ["TRUE", "FALSE", "AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "DIV"];

fn write_name(out: &mut String, name: &str) {
    let inner = |c: char| begins_name(c) || c.is_alphanumeric() || c == '.';
    let is_plain = name.chars().next().is_some_and(begins_name)
        && name.chars().all(inner)
        && !TAKEN.iter().any(|word| word.eq_ignore_ascii_case(name))
        && !wkt::begins_geometry(name);
    if is_plain {
        *out += name;
    } else {
        *out += &format!("\"{}\"", name.replace('"', "\"\""));
    }
}

fn write_end(out: &mut String, end: Option<&Expr>) {
    match end {
        None => *out += "'..'",
        Some(end) => match instant_text(&end.node) {
            Some(text) => *out += &format!("'{text}'"),
            None => write(out, end, Bond::Any),
        },
    }
}

/// A day or a moment as an end of an interval is written.
fn instant_text(node: &Node) -> Option<String> {
    match node {
        Node::Literal(Value::Date(day)) => Some(date_text(*day)),
        Node::Literal(Value::DateTime(ms)) => Some(moment_text(*ms, 0)),
        Node::FineMoment { ms, nanos } => Some(moment_text(*ms, *nanos)),
        _ => None,
    }
}

fn write_shape(out: &mut String, shape: ShapeRef<'_>) {
    *out += &shape.kind().as_str().to_ascii_uppercase();
    let path = |out: &mut String, ring: &&[geo::Coord]| {
        listed(out, ring, |out, c| *out += &format!("{} {}", c.x, c.y));
    };
    let rings: Vec<&[geo::Coord]> = shape.rings().collect();
    match shape.kind() {
        ShapeKind::Point | ShapeKind::LineString => path(out, &rings.first().copied().unwrap_or_default()),
        ShapeKind::MultiPoint | ShapeKind::MultiLineString | ShapeKind::Polygon => listed(out, &rings, path),
        ShapeKind::MultiPolygon => {
            let parts: Vec<Vec<&[geo::Coord]>> = shape.parts().map(Iterator::collect).collect();
            listed(out, &parts, |out, rings| listed(out, rings, path));
        }
    }
}

/// The filter as CQL2 JSON.
#[must_use]
pub fn to_json(filter: &Expr) -> Json {
    match &filter.node {
        Node::Literal(Value::Null) => Json::Null,
        Node::Literal(Value::Boolean(truth)) => json!(truth),
        Node::Literal(Value::Integer(number)) => json!(number),
        Node::Literal(Value::Real(number)) => json!(number),
        Node::Literal(Value::Text(text)) => json!(text),
        Node::Literal(Value::Date(day)) => json!({ "date": date_text(*day) }),
        Node::Literal(Value::DateTime(ms)) => json!({ "timestamp": moment_text(*ms, 0) }),
        Node::FineMoment { ms, nanos } => json!({ "timestamp": moment_text(*ms, *nanos) }),
        Node::Property(name) => json!({ "property": name }),
        Node::Geometry(shape) => shape_json(shape),
        Node::Collection(shapes) => {
            let members: Vec<Json> = shapes.iter().map(shape_json).collect();
            json!({ "type": "GeometryCollection", "geometries": members })
        }
        Node::Box(corners) => json!({ "bbox": corners }),
        Node::List(items) => items.iter().map(to_json).collect(),
        Node::Interval(ends) => {
            let end = |end: &Option<Expr>| match end {
                None => json!(".."),
                Some(end) => instant_text(&end.node).map_or_else(|| to_json(end), Json::String),
            };
            json!({ "interval": [end(&ends[0]), end(&ends[1])] })
        }
        Node::Op(op, args) => {
            let mut object = Map::new();
            object.insert("op".to_owned(), Json::String(op.json_name()));
            object.insert("args".to_owned(), args.iter().map(to_json).collect());
            Json::Object(object)
        }
    }
}

fn shape_json(shape: &Shape) -> Json {
    let view = shape.view();
    let position = |c: &geo::Coord| json!([c.x, c.y]);
    let path = |ring: &[geo::Coord]| ring.iter().map(position).collect::<Json>();
    let coordinates = match view.kind() {
        ShapeKind::Point => view.coords().first().map_or(Json::Null, position),
        ShapeKind::MultiPoint => path(view.coords()),
        ShapeKind::LineString => view.rings().next().map_or(Json::Null, path),
        ShapeKind::MultiLineString | ShapeKind::Polygon => view.rings().map(path).collect(),
        ShapeKind::MultiPolygon => view.parts().map(|rings| rings.map(path).collect::<Json>()).collect(),
    };
    json!({ "type": view.kind().as_str(), "coordinates": coordinates })
}
