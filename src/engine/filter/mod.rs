//! Filters: which features of a layer are meant. CQL2 (OGC 21-065r2) as a tree, bound to a layer, evaluated.
//!
//! Three steps: [`parse_text`] and [`parse_json`] read either form into an [`Expr`]; [`bind`] checks names and
//! types against a [`Layer`]; [`Bound`] answers for single rows and selects from whole tables, column by column.
//! [`in_crs`] moves geometries that were written in another CRS; [`to_text`] and [`to_json`] write a tree again.
//!
//! Question: why one node type with an operator and arguments? It is the shape of CQL2's own JSON form, in
//! which every function and operator, known or not, is `{op, args}`; so the tree holds all of CQL2 and the
//! binder alone decides what is supported. What is not is an error that names itself, never ignored.
//!
//! Question: why an own parser and not the `cql2` crate? Three hundred nested parentheses overflow its stack and
//! abort the process, it does not check the number of arguments, its trees carry no positions for messages, and
//! evaluating them costs 28 µs a feature. The standard's own examples and its test suite are the oracle instead.
//!
//! Truth has three values as in SQL: a comparison with no value is neither true nor false, and only what is
//! true is selected.
//!
//! Plane: spatial predicates take longitude and latitude as plane coordinates and edges as straight in them,
//! as `GeoJSON` does (RFC 7946 §3.1.1): they are topological, so the plane's scale does not matter.
//!
//! Nothing a filter says takes unbounded work: length, nesting, items, vertices are limited when it is read,
//! the steps it takes on a layer by [`budget`].

mod array;
mod bind;
pub mod budget;
mod chunk;
mod error;
mod eval;
mod fold;
mod json;
mod lexer;
mod like;
mod moved;
mod op;
mod print;
mod scalar;
mod select;
mod spatial;
mod terms;
mod text;
mod time;
mod wkt;

pub use bind::bind;
pub use error::{FilterError, Spot};
pub use eval::Bound;
pub use json::parse_json;
pub use moved::in_crs;
pub use op::{ArrayOp, Comparison, Op, SpatialOp, TemporalOp};
pub use print::{to_json, to_text};
pub use select::Selection;
pub(in crate::engine) use select::set_bits;
pub(in crate::engine) use terms::property_kind;
pub use text::parse_text;

use crate::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    ground::shape::Shape,
};

/// The longest text that is read, bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;
/// The most items of one list.
pub const MAX_ITEMS: usize = 10_000;
/// The most vertices of all geometries of a filter together, those added on the way from another CRS included.
pub const MAX_VERTICES: usize = 20_000;

/// An expression of CQL2 and where it began. Two are equal when they say the same, wherever they were written.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// Where it began.
    pub at: Spot,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl From<Node> for Expr {
    /// An expression that was not read from text.
    fn from(node: Node) -> Self {
        Self { node, at: Spot::Unknown }
    }
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A value as written; [`Value::Null`] is not written in CQL2.
    Literal(Value),
    /// A moment as written that is finer than layers keep moments.
    FineMoment {
        /// Milliseconds since 1970-01-01T00:00:00Z, rounded down.
        ms: i64,
        /// Nanoseconds within that millisecond, 1 to 999,999.
        nanos: u32,
    },
    /// A property of the features.
    Property(String),
    /// A geometry as written, heights left out; `x` is the number written first until [`in_crs`] has moved it.
    Geometry(Shape),
    /// Several geometries as one.
    Collection(Vec<Shape>),
    /// A box: west, south, east, north; west is greater than east where it crosses the antimeridian.
    Box([f64; 4]),
    /// A list of values.
    List(Vec<Expr>),
    /// A stretch of time; `None` for an open end.
    Interval(Box<[Option<Expr>; 2]>),
    /// An operator or a function with its arguments.
    Op(Op, Vec<Expr>),
}

impl Expr {
    /// The expressions that it is made of.
    fn parts(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match &self.node {
            Node::List(parts) | Node::Op(_, parts) => Box::new(parts.iter()),
            Node::Interval(ends) => Box::new(ends.iter().flatten()),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// The names of the properties that a filter uses, each once, in the order in which they come first.
#[must_use]
pub fn properties(filter: &Expr) -> Vec<&str> {
    fn collect<'e>(expr: &'e Expr, names: &mut Vec<&'e str>) {
        if let Node::Property(name) = &expr.node
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
        expr.parts().for_each(|part| collect(part, names));
    }
    let mut names = Vec::new();
    collect(filter, &mut names);
    names
}

/// The filter `property = value`, the value read as the property's type.
///
/// # Errors
/// [`FilterError::UnknownProperty`] and [`FilterError::BadLiteral`].
pub fn property_equals(name: &str, value: &str, layer: &Layer) -> Result<Expr, FilterError> {
    let kind = terms::kind_at(name, layer, &Spot::Unknown)?;
    let literal = terms::literal_of(value, kind, &Spot::Unknown)?;
    let sides = vec![Node::Property(name.to_owned()).into(), literal.into()];
    Ok(Node::Op(Op::Compare(Comparison::Equal), sides).into())
}

/// All of several filters.
#[must_use]
pub fn all_of(mut filters: Vec<Expr>) -> Option<Expr> {
    if filters.len() < 2 { filters.pop() } else { Some(Node::Op(Op::And, filters).into()) }
}

/// The word for a type in messages.
const fn type_word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Boolean => "boolean",
        FieldType::Integer | FieldType::Real => "number",
        FieldType::Text => "text",
        FieldType::Date => "date",
        FieldType::DateTime => "timestamp",
    }
}
