//! Filters: which features of a layer are meant. CQL2 (OGC 21-065r2) as a tree, bound to a layer, evaluated.
//!
//! Three steps: [`parse_text`] reads a text (later the JSON form) into an [`Expr`]; [`bind`] checks names and
//! types against a [`Layer`]; [`Bound`] answers for single rows and selects from whole tables.
//!
//! Question: why one node type with an operator and arguments? It is the shape of CQL2's own JSON form, in
//! which every function and operator, known or not, is `{op, args}`; so the tree holds all of CQL2 and the
//! binder alone decides what is supported. What is not is an error that names itself, never ignored.
//!
//! Truth has three values as in SQL: a comparison with no value is neither true nor false, and only what is
//! true is selected.

mod bind;
mod eval;
mod lexer;
mod like;
mod select;
mod text;
mod wkt;

pub use bind::bind;
pub(in crate::engine) use bind::property_kind;
pub use eval::Bound;
pub use select::Selection;
pub(in crate::engine) use select::set_bits;
pub use text::parse_text;

use crate::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    ground::shape::{Bounds, Shape},
};

/// The longest text that is read, bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;
/// The most items of one list.
pub const MAX_ITEMS: usize = 10_000;

/// An expression of CQL2 and where it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// The byte in the text where it began; 0 for an expression that was not read from text.
    pub at: usize,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A value as written; [`Value::Null`] is not written in CQL2.
    Literal(Value),
    /// A property of the features.
    Property(String),
    /// A geometry as written, longitude and latitude (CRS84).
    Geometry(Shape),
    /// A box as written, longitude and latitude.
    Box(Bounds),
    /// A list of values.
    List(Vec<Expr>),
    /// A stretch of time; `None` for an open end.
    Interval(Box<[Option<Expr>; 2]>),
    /// An operator or a function with its arguments.
    Op(Op, Vec<Expr>),
}

/// The operators and functions of CQL2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// All arguments are true.
    And,
    /// One argument is true.
    Or,
    /// The argument is false.
    Not,
    /// Comparison of two values.
    Compare(Comparison),
    /// Text against a pattern with `%` and `_`.
    Like,
    /// A value from one to another, ends included.
    Between,
    /// A value is one of a list.
    In,
    /// There is no value.
    IsNull,
    /// Text, upper and lower case alike.
    Casei,
    /// Text, with and without accents alike.
    Accenti,
    /// Sum.
    Add,
    /// Difference, or with one argument the negative.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient.
    Divide,
    /// Remainder.
    Modulo,
    /// Whole quotient.
    WholeDivide,
    /// Power.
    Power,
    /// `S_…`: a relation of two geometries.
    Spatial(SpatialOp),
    /// `T_…`: a relation of two times, by its name.
    Temporal(String),
    /// `A_…`: a relation of two lists, by its name.
    Array(String),
    /// Any other function, by its name.
    Function(String),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison with its sides exchanged.
    #[must_use]
    pub const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Whether an order of two values satisfies the comparison.
    #[must_use]
    pub const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Relations of two geometries, as OGC 06-103r4 §6.1.15 defines them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpatialOp {
    /// They share a point.
    Intersects,
    /// They share no point.
    Disjoint,
    /// The first lies in the second.
    Within,
    /// The second lies in the first.
    Contains,
    /// They share boundary only.
    Touches,
    /// They are the same set of points.
    Equals,
    /// They overlap in their own dimension, neither holding the other.
    Overlaps,
    /// They cross.
    Crosses,
}

impl SpatialOp {
    const ALL: [(&'static str, Self); 8] = [
        ("S_INTERSECTS", Self::Intersects),
        ("S_DISJOINT", Self::Disjoint),
        ("S_WITHIN", Self::Within),
        ("S_CONTAINS", Self::Contains),
        ("S_TOUCHES", Self::Touches),
        ("S_EQUALS", Self::Equals),
        ("S_OVERLAPS", Self::Overlaps),
        ("S_CROSSES", Self::Crosses),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, op)| op)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Intersects => "S_INTERSECTS",
            Self::Disjoint => "S_DISJOINT",
            Self::Within => "S_WITHIN",
            Self::Contains => "S_CONTAINS",
            Self::Touches => "S_TOUCHES",
            Self::Equals => "S_EQUALS",
            Self::Overlaps => "S_OVERLAPS",
            Self::Crosses => "S_CROSSES",
        }
    }
}

/// What can be wrong with a filter.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// The text is longer than any filter.
    #[error("filter of {length} bytes is too long: at most {MAX_TEXT} are read")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The text nests too deeply.
    #[error("filter nests deeper than {MAX_DEPTH} at position {at}")]
    TooDeep {
        /// The character, from 1.
        at: usize,
    },
    /// A list is too long.
    #[error("list at position {at} has more than {MAX_ITEMS} items")]
    TooManyItems {
        /// The character, from 1.
        at: usize,
    },
    /// The text is not CQL2.
    #[error("filter: at position {at} found {found}, expected {expected}")]
    Syntax {
        /// The character, from 1.
        at: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// A literal has no value.
    #[error("filter: {given:?} at position {at} is no {wanted}")]
    BadLiteral {
        /// The character, from 1.
        at: usize,
        /// The literal.
        given: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A property is neither in the schema nor derived.
    #[error("unknown property {given:?}: {}", known_names(near, all))]
    UnknownProperty {
        /// The name as given.
        given: String,
        /// Similar names of the layer.
        near: Vec<String>,
        /// All names of the layer.
        all: Vec<String>,
    },
    /// CQL2 that this server does not support.
    #[error("{what} is not supported")]
    Unsupported {
        /// The operator or function.
        what: String,
    },
    /// Values of different type are compared.
    #[error("{left} and {right} cannot be {action}")]
    TypeMismatch {
        /// The left side with its type.
        left: String,
        /// The right side with its type.
        right: String,
        /// What was to be done with them.
        action: &'static str,
    },
    /// A value has another type than its place needs.
    #[error("{given} stands where {wanted} is needed")]
    WrongType {
        /// What is given.
        given: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// An operator has too few or too many arguments.
    #[error("{what} takes {wanted} arguments, not {found}")]
    WrongCount {
        /// The operator.
        what: String,
        /// How many it takes.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
}

fn known_names(near: &[String], all: &[String]) -> String {
    if near.is_empty() {
        format!("the layer has {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// The filter `property = value`, the value read as the property's type.
///
/// # Errors
/// [`FilterError::UnknownProperty`] and [`FilterError::BadLiteral`].
pub fn property_equals(name: &str, value: &str, layer: &Layer) -> Result<Expr, FilterError> {
    let kind = bind::property_kind(name, layer)?;
    let literal = text::literal_of(value, kind)?;
    let expr = |node| Expr { node, at: 0 };
    let sides = vec![expr(Node::Property(name.to_owned())), expr(Node::Literal(literal))];
    Ok(expr(Node::Op(Op::Compare(Comparison::Equal), sides)))
}

/// All of several filters.
#[must_use]
pub fn all_of(mut filters: Vec<Expr>) -> Option<Expr> {
    if filters.len() < 2 { filters.pop() } else { Some(Expr { node: Node::Op(Op::And, filters), at: 0 }) }
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
