//! Values that a filter computes for a feature.

use std::{borrow::Cow, cmp::Ordering};

use crate::{
    domain::{
        feature::{Value, ValueRef},
        schema::Derived,
    },
    engine::table::{Row, Table},
};

use super::{
    Op,
    fold::{Fold, folded},
    time::Instant,
};

/// A value to be looked up in a list: numbers alike whether whole or real.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Boolean(bool),
    Whole(i64),
    Real(u64),
    Text(String),
    Date(i32),
    DateTime(Instant),
    /// A list as a set: sorted, each once.
    List(Vec<Key>),
}

impl Key {
    pub(super) fn of(value: &Known<'_>) -> Option<Self> {
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
    FineMoment(Instant),
    Column(usize),
    Derived(Derived),
    Id,
    /// A text column, folded or not, is kept apart: its checks are answered word by word.
    TextColumn(usize),
    Folded(Box<Scalar>, Vec<Fold>),
    Arithmetic(Arithmetic, Box<[Scalar; 2]>),
}

/// Operators on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    WholeDivide,
    Power,
}

impl Arithmetic {
    pub(super) const fn of(op: &Op) -> Option<Self> {
        Some(match op {
            Op::Add => Self::Add,
            Op::Subtract => Self::Subtract,
            Op::Multiply => Self::Multiply,
            Op::Divide => Self::Divide,
            Op::Modulo => Self::Modulo,
            Op::WholeDivide => Self::WholeDivide,
            Op::Power => Self::Power,
            _ => return None,
        })
    }

    fn whole(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Modulo => a.checked_rem(b),
            Self::WholeDivide => a.checked_div(b),
            Self::Power => a.checked_pow(u32::try_from(b).ok()?),
            Self::Divide => None,
        }
    }

    /// The result; none where it is no finite number (a division by zero, an overflow). `%` has the sign of the
    /// left side and `div` rounds towards zero, as SQL does. Whole numbers that overflow go on as real ones.
    fn apply(self, left: &Known<'_>, right: &Known<'_>) -> Known<'static> {
        if let (Known::Integer(a), Known::Integer(b)) = (left, right)
            && let Some(whole) = self.whole(*a, *b)
        {
            return Known::Integer(whole);
        }
        let (Some(a), Some(b)) = (left.number(), right.number()) else { return Known::Null };
        let result = match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Modulo => a % b,
            Self::WholeDivide => (a / b).trunc(),
            Self::Power => a.powf(b),
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
    DateTime(Instant),
}

impl<'a> Known<'a> {
    pub(super) fn of(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Boolean(v) => Self::Boolean(v),
            ValueRef::Integer(v) => Self::Integer(v),
            ValueRef::Real(v) => Self::Real(v),
            ValueRef::Text(v) => Self::Text(Cow::Borrowed(v)),
            ValueRef::Date(v) => Self::Date(v),
            ValueRef::DateTime(v) => Self::DateTime((v, 0)),
        }
    }

    const fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(v) => Some(*v as f64),
            Self::Real(v) => Some(*v),
            _ => None,
        }
    }

    /// The value as a point of time.
    pub(super) fn instant(&self) -> Option<Instant> {
        match self {
            Self::Date(day) => Some((i64::from(*day), 0)),
            Self::DateTime(moment) => Some(*moment),
            _ => None,
        }
    }

    /// The order of two values of one type; none where one is absent.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Real(b)) => order_of_mixed(*a, *b),
            (Self::Real(a), Self::Integer(b)) => order_of_mixed(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::DateTime(a), Self::DateTime(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// 2⁶³: whole numbers lie below it.
const BEYOND_WHOLE: f64 = -(i64::MIN as f64);

/// The order of a whole and a real number, exact where conversion would round.
pub(super) fn order_of_mixed(whole: i64, real: f64) -> Option<Ordering> {
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
    /// Whether the value does not depend on the feature.
    pub(super) fn is_constant(&self) -> bool {
        match self {
            Self::Literal(_) | Self::FineMoment(_) => true,
            Self::Column(_) | Self::TextColumn(_) | Self::Derived(_) | Self::Id => false,
            Self::Folded(inner, _) => inner.is_constant(),
            Self::Arithmetic(_, sides) => sides.iter().all(Self::is_constant),
        }
    }

    /// The value where it does not depend on the feature.
    pub(super) fn constant(&self) -> Option<Known<'_>> {
        self.is_constant().then(|| self.computed(None))
    }

    pub(super) fn value<'a>(&'a self, table: &'a Table, row: Row) -> Known<'a> {
        self.computed(Some((table, row)))
    }

    fn computed<'a>(&'a self, of: Option<(&'a Table, Row)>) -> Known<'a> {
        let stored = |read: fn(&'a Table, Row, usize) -> ValueRef<'a>, which| {
            of.map_or(Known::Null, |(table, row)| Known::of(read(table, row, which)))
        };
        match self {
            Self::Literal(value) => Known::of(value.view()),
            Self::FineMoment(moment) => Known::DateTime(*moment),
            Self::Column(column) | Self::TextColumn(column) => stored(Table::value, *column),
            Self::Derived(derived) => of.map_or(Known::Null, |(table, row)| Known::of(table.derived(row, *derived))),
            Self::Id => of.map_or(Known::Null, |(table, row)| Known::Integer(table.id(row))),
            Self::Folded(inner, folds) => match inner.computed(of) {
                Known::Text(text) => Known::Text(Cow::Owned(folded(&text, folds).into_owned())),
                _ => Known::Null,
            },
            Self::Arithmetic(operator, sides) => operator.apply(&sides[0].computed(of), &sides[1].computed(of)),
        }
    }

    /// Steps of computing it for a row.
    pub(super) fn steps(&self) -> u64 {
        match self {
            Self::Literal(_) | Self::FineMoment(_) => 1,
            Self::Column(_) | Self::Derived(_) | Self::Id => 5,
            Self::TextColumn(_) => 20,
            Self::Folded(inner, folds) => inner.steps() + 200 * folds.len() as u64,
            Self::Arithmetic(_, sides) => 5 + sides.iter().map(Self::steps).sum::<u64>(),
        }
    }
}
