//! A bound filter and its answer for one feature.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use geo::Relate;
use rustc_hash::FxHashSet;

use crate::{
    domain::{
        feature::{Value, ValueRef},
        schema::Derived,
    },
    engine::{
        find::{Probe, Relation, Scratch},
        table::{Row, Table},
    },
    ground::shape::Bounds,
};

use super::{Comparison, Op, SpatialOp, like::Pattern};

/// True, false, or unknown.
pub(super) type Truth = Option<bool>;

/// A filter whose names and types fit a layer. It answers for tables of that layer only.
#[derive(Debug, Clone)]
pub struct Bound {
    pub(super) root: Test,
    /// The number of word checks in it.
    pub(super) words: usize,
    /// The number of probes in it.
    pub(super) probes: usize,
}

/// A condition.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Constant(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// A check of one text column against constants: answered once for each distinct word.
    Word {
        slot: usize,
        column: usize,
        folded: bool,
        check: WordCheck,
    },
    Compare {
        op: Comparison,
        left: Scalar,
        right: Scalar,
    },
    Like {
        value: Scalar,
        pattern: Pattern,
    },
    In {
        value: Scalar,
        keys: FxHashSet<Key>,
    },
    IsNull(Scalar),
    /// A boolean value.
    Truth(Scalar),
    Spatial {
        slot: usize,
        op: SpatialOp,
        probe: Arc<Probe>,
    },
    NoShape,
}

/// What a word is checked against.
#[derive(Debug, Clone)]
pub(super) enum WordCheck {
    Compare(Comparison, String),
    Like(Pattern),
    In(FxHashSet<Key>),
}

impl WordCheck {
    pub(super) fn truth(&self, word: &str, folded: bool) -> bool {
        let word = if folded { Cow::Owned(fold(word)) } else { Cow::Borrowed(word) };
        match self {
            Self::Compare(op, wanted) => op.holds(word.as_ref().cmp(wanted.as_str())),
            Self::Like(pattern) => pattern.matches(&word),
            Self::In(keys) => keys.contains(&Key::Text(word.into_owned())),
        }
    }
}

/// Text without difference of case (CQL2 §7.6: `CASEI`).
pub(super) fn fold(text: &str) -> String {
    // Upper case first, so that letters whose lower case differs by place ("Σ") fall together.
    text.to_uppercase().to_lowercase()
}

/// A value to be looked up in a list: numbers alike whether whole or real.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Boolean(bool),
    Whole(i64),
    Real(u64),
    Text(String),
    Date(i32),
    DateTime(i64),
}

impl Key {
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        Self::of(&Known::of(value.view()))
    }

    fn of(value: &Known<'_>) -> Option<Self> {
        Some(match value {
            Known::Null => return None,
            Known::Boolean(truth) => Self::Boolean(*truth),
            Known::Integer(number) => Self::Whole(*number),
            Known::Real(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => Self::Whole(*number as i64),
            Known::Real(number) => Self::Real(number.to_bits()),
            Known::Text(text) => Self::Text(text.clone().into_owned()),
            Known::Date(day) => Self::Date(*day),
            Known::DateTime(moment) => Self::DateTime(*moment),
        })
    }
}

/// A value to be computed.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Literal(Value),
    Column(usize),
    TextColumn(usize),
    Derived(Derived),
    Casei(Box<Scalar>),
    Arithmetic(Arithmetic, Box<[Scalar; 2]>),
}

/// Operators on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    pub(super) const fn of(op: &Op) -> Option<Self> {
        match op {
            Op::Add => Some(Self::Add),
            Op::Subtract => Some(Self::Subtract),
            Op::Multiply => Some(Self::Multiply),
            Op::Divide => Some(Self::Divide),
            _ => None,
        }
    }

    /// The result; none where it is no finite number (a division by zero, an overflow).
    fn apply(self, left: &Known<'_>, right: &Known<'_>) -> Known<'static> {
        if let (Known::Integer(a), Known::Integer(b)) = (left, right) {
            let whole = match self {
                Self::Add => a.checked_add(*b),
                Self::Subtract => a.checked_sub(*b),
                Self::Multiply => a.checked_mul(*b),
                Self::Divide => None,
            };
            if let Some(whole) = whole {
                return Known::Integer(whole);
            }
        }
        let (Some(a), Some(b)) = (left.number(), right.number()) else { return Known::Null };
        let result = match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
        };
        if result.is_finite() { Known::Real(result) } else { Known::Null }
    }
}

/// A computed value.
#[derive(Debug, Clone)]
pub(super) enum Known<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Date(i32),
    DateTime(i64),
}

impl<'a> Known<'a> {
    fn of(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Boolean(v) => Self::Boolean(v),
            ValueRef::Integer(v) => Self::Integer(v),
            ValueRef::Real(v) => Self::Real(v),
            ValueRef::Text(v) => Self::Text(Cow::Borrowed(v)),
            ValueRef::Date(v) => Self::Date(v),
            ValueRef::DateTime(v) => Self::DateTime(v),
        }
    }

    const fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(v) => Some(*v as f64),
            Self::Real(v) => Some(*v),
            _ => None,
        }
    }

    /// The order of two values of one type; none where one is absent.
    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Real(b)) => order_of_mixed(*a, *b),
            (Self::Real(a), Self::Integer(b)) => order_of_mixed(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) | (Self::DateTime(a), Self::DateTime(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// 2⁶³: whole numbers lie below it.
const BEYOND_WHOLE: f64 = -(i64::MIN as f64);

/// The order of a whole and a real number, exact where conversion would round.
fn order_of_mixed(whole: i64, real: f64) -> Option<Ordering> {
    if real.is_nan() {
        return None;
    }
    if real >= BEYOND_WHOLE {
        return Some(Ordering::Less);
    }
    if real < -BEYOND_WHOLE {
        return Some(Ordering::Greater);
    }
    let floor = real.floor();
    Some(whole.cmp(&(floor as i64)).then(if real > floor { Ordering::Less } else { Ordering::Equal }))
}

impl Scalar {
    /// The value where it does not depend on the feature.
    pub(super) fn constant(&self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Column(_) | Self::TextColumn(_) | Self::Derived(_) => None,
            Self::Casei(inner) => match inner.constant()? {
                Value::Text(text) => Some(Value::Text(fold(&text))),
                _ => None,
            },
            Self::Arithmetic(operator, sides) => {
                let [left, right] = [sides[0].constant()?, sides[1].constant()?];
                match operator.apply(&Known::of(left.view()), &Known::of(right.view())) {
                    Known::Integer(number) => Some(Value::Integer(number)),
                    Known::Real(number) => Some(Value::Real(number)),
                    _ => Some(Value::Null),
                }
            }
        }
    }

    fn value<'a>(&'a self, table: &'a Table, row: Row) -> Known<'a> {
        match self {
            Self::Literal(value) => Known::of(value.view()),
            Self::Column(column) | Self::TextColumn(column) => Known::of(table.value(row, *column)),
            Self::Derived(derived) => Known::of(table.derived(row, *derived)),
            Self::Casei(inner) => match inner.value(table, row) {
                Known::Text(text) => Known::Text(Cow::Owned(fold(&text))),
                _ => Known::Null,
            },
            Self::Arithmetic(operator, sides) => {
                operator.apply(&sides[0].value(table, row), &sides[1].value(table, row))
            }
        }
    }
}

/// What one thread keeps while it evaluates.
pub(super) struct Work<'w> {
    /// For each word check the truth by the segment's codes, where its column is coded.
    pub(super) words: &'w [Option<Vec<bool>>],
    pub(super) probes: Vec<Scratch>,
}

impl Bound {
    /// Whether the filter is true for a feature.
    #[must_use]
    pub fn matches(&self, table: &Table, row: Row) -> bool {
        self.root.truth(table, row, &mut self.work(&[])) == Some(true)
    }

    pub(super) fn work<'w>(&self, words: &'w [Option<Vec<bool>>]) -> Work<'w> {
        Work { words, probes: std::iter::repeat_with(Scratch::default).take(self.probes).collect() }
    }

    /// A box that every feature for which the filter is true shares a point with, where the filter says so.
    #[must_use]
    pub fn reach(&self) -> Option<Bounds> {
        self.root.reach()
    }
}

impl Test {
    fn reach(&self) -> Option<Bounds> {
        match self {
            Self::Spatial { op, probe, .. } if *op != SpatialOp::Disjoint => probe.bounds(),
            Self::All(tests) => tests.iter().filter_map(Self::reach).min_by(|a, b| extent(a).total_cmp(&extent(b))),
            _ => None,
        }
    }

    pub(super) fn truth(&self, table: &Table, row: Row, work: &mut Work<'_>) -> Truth {
        match self {
            Self::Constant(truth) => Some(*truth),
            Self::All(tests) => combined(tests, false, table, row, work),
            Self::Any(tests) => combined(tests, true, table, row, work),
            Self::Not(test) => test.truth(table, row, work).map(|truth| !truth),
            Self::Word { slot, column, folded, check } => {
                if let Some(Some(by_code)) = work.words.get(*slot)
                    && let Some(code) = table.segment(row).code(*column, row.row)
                {
                    return by_code.get(code as usize).copied();
                }
                match table.value(row, *column) {
                    ValueRef::Text(word) => Some(check.truth(word, *folded)),
                    _ => None,
                }
            }
            Self::Compare { op, left, right } => {
                left.value(table, row).order(&right.value(table, row)).map(|order| op.holds(order))
            }
            Self::Like { value, pattern } => match value.value(table, row) {
                Known::Text(text) => Some(pattern.matches(&text)),
                _ => None,
            },
            Self::In { value, keys } => Key::of(&value.value(table, row)).map(|key| keys.contains(&key)),
            Self::IsNull(scalar) => Some(matches!(scalar.value(table, row), Known::Null)),
            Self::Truth(scalar) => match scalar.value(table, row) {
                Known::Boolean(truth) => Some(truth),
                _ => None,
            },
            Self::Spatial { slot, op, probe } => spatial_truth(*op, probe, table, row, &mut work.probes[*slot]),
            Self::NoShape => Some(table.shape(row).is_none()),
        }
    }
}

/// All (`decisive` false) or any (`decisive` true) of several conditions.
fn combined(tests: &[Test], decisive: bool, table: &Table, row: Row, work: &mut Work<'_>) -> Truth {
    let mut truth = Some(!decisive);
    for test in tests {
        match test.truth(table, row, work) {
            Some(found) if found == decisive => return Some(decisive),
            Some(_) => {}
            None => truth = None,
        }
    }
    truth
}

fn spatial_truth(op: SpatialOp, probe: &Probe, table: &Table, row: Row, scratch: &mut Scratch) -> Truth {
    let shape = table.shape(row)?;
    let bounds = shape.bounds()?;
    let apart = !probe.bounds().is_some_and(|reach| reach.intersects(&bounds));
    if apart {
        return Some(op == SpatialOp::Disjoint);
    }
    Some(match op {
        SpatialOp::Intersects => probe.test(shape, Relation::Intersects, scratch),
        SpatialOp::Disjoint => !probe.test(shape, Relation::Intersects, scratch),
        SpatialOp::Within => probe.test(shape, Relation::Within, scratch),
        other => {
            let matrix = shape.to_geo().relate(probe.geometry());
            match other {
                SpatialOp::Contains => matrix.is_contains(),
                SpatialOp::Touches => matrix.is_touches(),
                SpatialOp::Equals => matrix.is_equal_topo(),
                SpatialOp::Overlaps => matrix.is_overlaps(),
                _ => matrix.is_crosses(),
            }
        }
    })
}

fn extent(bounds: &Bounds) -> f64 {
    (bounds.max.x - bounds.min.x) * (bounds.max.y - bounds.min.y)
}
