//! What can be wrong with a filter: what, where, and what to do about it.

use std::{fmt, sync::Arc};

use super::{MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_VERTICES, budget::BUDGET};

/// Where in a filter something stands. As text it begins with a space, to follow other words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spot {
    /// Nowhere: it was not read from text.
    #[default]
    Unknown,
    /// In CQL2 text, at this character, from 1.
    Character(usize),
    /// In CQL2 JSON, as JSON pointer (RFC 6901).
    Pointer(Arc<str>),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::Character(position) => write!(f, " at position {position}"),
            Self::Pointer(pointer) if pointer.is_empty() => f.write_str(" at the root"),
            Self::Pointer(pointer) => write!(f, " at {pointer}"),
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
    #[error("filter nests deeper than {MAX_DEPTH}{at}")]
    TooDeep {
        /// Where.
        at: Spot,
    },
    /// A list is too long.
    #[error("list{at} has more than {MAX_ITEMS} items")]
    TooManyItems {
        /// Where it begins.
        at: Spot,
    },
    /// The geometries have too many vertices.
    #[error("the geometries of the filter have more than {MAX_VERTICES} vertices{at}: use simpler ones")]
    TooManyVertices {
        /// Where the geometry begins that is too much.
        at: Spot,
    },
    /// It would take too long.
    #[error(
        "the filter takes {estimate} steps or more on this layer, the budget is {BUDGET}: narrow it by bbox, or use fewer \
         conditions, shorter lists or simpler geometries"
    )]
    OverBudget {
        /// What it takes, as far as it is known.
        estimate: u64,
    },
    /// A coordinate has no place on the Earth.
    #[error("filter:{at} {detail}")]
    NoPlace {
        /// What is wrong.
        detail: String,
        /// Where.
        at: Spot,
    },
    /// A geometry has no well-defined inside.
    #[error("the geometry{at} cannot be related to others: {what}")]
    Faulty {
        /// What is wrong with it.
        what: &'static str,
        /// Where.
        at: Spot,
    },
    /// The text is not CQL2.
    #[error("filter:{at} found {found}, expected {expected}")]
    Syntax {
        /// Where.
        at: Spot,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// The text is not JSON.
    #[error("filter is not JSON: {detail}")]
    NotJson {
        /// What is wrong, with line and column.
        detail: String,
    },
    /// A literal has no value.
    #[error("filter: {given:?}{at} is no {wanted}")]
    BadLiteral {
        /// Where.
        at: Spot,
        /// The literal.
        given: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A property is neither in the schema nor derived.
    #[error("unknown property {given:?}: {}{}", known_names(near, all), beside(at))]
    UnknownProperty {
        /// The name as given.
        given: String,
        /// Similar names of the layer.
        near: Vec<String>,
        /// All names of the layer.
        all: Vec<String>,
        /// Where.
        at: Spot,
    },
    /// CQL2 that this server does not support.
    #[error("{what} is not supported{}", beside(at))]
    Unsupported {
        /// The operator or function.
        what: String,
        /// Where.
        at: Spot,
    },
    /// Values of different type are compared.
    #[error("{left} and {right} cannot be {action}{}", beside(at))]
    TypeMismatch {
        /// The left side with its type.
        left: String,
        /// The right side with its type.
        right: String,
        /// What was to be done with them.
        action: &'static str,
        /// Where the left side begins.
        at: Spot,
    },
    /// A value has another type than its place needs.
    #[error("{given} stands where {wanted} is needed{}", beside(at))]
    WrongType {
        /// What is given.
        given: String,
        /// What is needed.
        wanted: &'static str,
        /// Where.
        at: Spot,
    },
    /// An operator has too few or too many arguments.
    #[error("{what} takes {wanted}, not {found}{}", beside(at))]
    WrongCount {
        /// The operator.
        what: String,
        /// How many it takes.
        wanted: String,
        /// How many there are.
        found: usize,
        /// Where.
        at: Spot,
    },
}

fn known_names(near: &[String], all: &[String]) -> String {
    if near.is_empty() {
        format!("the layer has {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// A place in brackets behind a sentence.
fn beside(at: &Spot) -> String {
    if *at == Spot::Unknown { String::new() } else { format!(" ({})", at.to_string().trim_start()) }
}
