//! The operators and functions of CQL2: their names in text and in JSON, and how many arguments they take.

use super::FilterError;

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
    /// Difference.
    Subtract,
    /// Product; a negative is a product with -1.
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
    /// `T_…`: a relation of two times.
    Temporal(TemporalOp),
    /// `A_…`: a relation of two lists.
    Array(ArrayOp),
    /// Any other function, by its name: where further functions will be hung in.
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
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("=", Self::Equal),
        ("<>", Self::NotEqual),
        ("<", Self::Less),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        (">=", Self::GreaterOrEqual),
    ];

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
    /// All of them with their names in text.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("S_INTERSECTS", Self::Intersects),
        ("S_DISJOINT", Self::Disjoint),
        ("S_WITHIN", Self::Within),
        ("S_CONTAINS", Self::Contains),
        ("S_TOUCHES", Self::Touches),
        ("S_EQUALS", Self::Equals),
        ("S_OVERLAPS", Self::Overlaps),
        ("S_CROSSES", Self::Crosses),
    ];
}

/// Relations of two times (OGC 21-065r2 §7.9), as OWL-Time defines them.
///
/// The standard's table 10 refers `T_STARTS` to `intervalStartedBy` and `T_STARTEDBY` to `intervalStarts`; its
/// own figure 5 and OWL-Time have them the other way round, and so has this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemporalOp {
    /// The first begins after the second has ended.
    After,
    /// The first has ended before the second begins.
    Before,
    /// The first begins before the second and ends after it.
    Contains,
    /// They share no moment.
    Disjoint,
    /// The first begins after the second and ends before it.
    During,
    /// They begin and end together.
    Equals,
    /// The first begins before the second; they end together.
    FinishedBy,
    /// The first begins after the second; they end together.
    Finishes,
    /// They share a moment.
    Intersects,
    /// The first ends when the second begins.
    Meets,
    /// The first begins when the second ends.
    MetBy,
    /// The first begins while the second lasts and ends after it.
    OverlappedBy,
    /// The first begins before the second and ends while it lasts.
    Overlaps,
    /// They begin together; the first ends after the second.
    StartedBy,
    /// They begin together; the first ends before the second.
    Starts,
}

impl TemporalOp {
    /// All of them with their names in JSON; in text case does not matter.
    pub(super) const ALL: [(&'static str, Self); 15] = [
        ("t_after", Self::After),
        ("t_before", Self::Before),
        ("t_contains", Self::Contains),
        ("t_disjoint", Self::Disjoint),
        ("t_during", Self::During),
        ("t_equals", Self::Equals),
        ("t_finishedBy", Self::FinishedBy),
        ("t_finishes", Self::Finishes),
        ("t_intersects", Self::Intersects),
        ("t_meets", Self::Meets),
        ("t_metBy", Self::MetBy),
        ("t_overlappedBy", Self::OverlappedBy),
        ("t_overlaps", Self::Overlaps),
        ("t_startedBy", Self::StartedBy),
        ("t_starts", Self::Starts),
    ];

    /// Whether it relates instants too; the others are for intervals only.
    pub(super) const fn takes_instants(self) -> bool {
        matches!(self, Self::After | Self::Before | Self::Disjoint | Self::Equals | Self::Intersects)
    }
}

/// Relations of two lists, taken as sets (OGC 21-065r2 §7.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayOp {
    /// The first lies in the second.
    ContainedBy,
    /// The second lies in the first.
    Contains,
    /// Each lies in the other.
    Equals,
    /// They share an element.
    Overlaps,
}

impl ArrayOp {
    /// All of them with their names in JSON; in text case does not matter.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("a_containedBy", Self::ContainedBy),
        ("a_contains", Self::Contains),
        ("a_equals", Self::Equals),
        ("a_overlaps", Self::Overlaps),
    ];
}

/// Operators that are written between their arguments or in their own way, with their names in JSON.
const WRITTEN: [(&str, Op); 13] = [
    ("and", Op::And),
    ("or", Op::Or),
    ("not", Op::Not),
    ("like", Op::Like),
    ("between", Op::Between),
    ("in", Op::In),
    ("isNull", Op::IsNull),
    ("+", Op::Add),
    ("-", Op::Subtract),
    ("*", Op::Multiply),
    ("/", Op::Divide),
    ("%", Op::Modulo),
    ("^", Op::Power),
];

fn found<T: Clone>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, op)| op.clone())
}

fn name_in<T: PartialEq>(all: &[(&'static str, T)], op: &T) -> &'static str {
    all.iter().find(|(_, known)| known == op).map_or("", |(name, _)| name)
}

impl Op {
    /// The function that a name calls in text; case does not matter for those of the standard.
    pub(super) fn called(name: &str) -> Self {
        let known = match name {
            _ if name.eq_ignore_ascii_case("casei") => Some(Self::Casei),
            _ if name.eq_ignore_ascii_case("accenti") => Some(Self::Accenti),
            _ => found(&SpatialOp::ALL, name)
                .map(Self::Spatial)
                .or_else(|| found(&TemporalOp::ALL, name).map(Self::Temporal))
                .or_else(|| found(&ArrayOp::ALL, name).map(Self::Array)),
        };
        known.unwrap_or_else(|| Self::Function(name.to_owned()))
    }

    /// The operator or function of a name in JSON.
    pub(super) fn named(name: &str) -> Self {
        let compared = || found(&Comparison::ALL, name).map(Self::Compare);
        let divided = || name.eq_ignore_ascii_case("div").then_some(Self::WholeDivide);
        found(&WRITTEN, name).or_else(compared).or_else(divided).unwrap_or_else(|| Self::called(name))
    }

    /// Its name in JSON.
    #[must_use]
    pub fn json_name(&self) -> String {
        match self {
            Self::Compare(op) => name_in(&Comparison::ALL, op).to_owned(),
            Self::Casei => "casei".to_owned(),
            Self::Accenti => "accenti".to_owned(),
            Self::WholeDivide => "div".to_owned(),
            Self::Spatial(op) => name_in(&SpatialOp::ALL, op).to_ascii_lowercase(),
            Self::Temporal(op) => name_in(&TemporalOp::ALL, op).to_owned(),
            Self::Array(op) => name_in(&ArrayOp::ALL, op).to_owned(),
            Self::Function(name) => name.clone(),
            written => name_in(&WRITTEN, written).to_owned(),
        }
    }

    /// Its name in text.
    #[must_use]
    pub fn text_name(&self) -> String {
        match self {
            Self::Function(name) => name.clone(),
            Self::IsNull => "IS NULL".to_owned(),
            other => other.json_name().to_ascii_uppercase(),
        }
    }

    /// The fewest and the most arguments.
    const fn arity(&self) -> (usize, usize) {
        match self {
            Self::And | Self::Or => (2, usize::MAX),
            Self::Not | Self::IsNull | Self::Casei | Self::Accenti => (1, 1),
            Self::Between => (3, 3),
            Self::Function(_) => (0, usize::MAX),
            _ => (2, 2),
        }
    }

    /// Refuses a number of arguments that it does not take.
    pub(super) fn check_count(&self, found: usize, at: &super::Spot) -> Result<(), FilterError> {
        let (least, most) = self.arity();
        if (least..=most).contains(&found) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            (least, usize::MAX) => format!("{least} or more arguments"),
            _ => format!("{least} arguments"),
        };
        Err(FilterError::WrongCount { what: self.text_name(), wanted, found, at: at.clone() })
    }
}
