//! A bound filter and its answer for one feature.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::{
    domain::feature::ValueRef,
    engine::{
        find::{Probe, Scratch},
        table::{Row, Table},
        words::NO_WORD,
    },
    ground::shape::Bounds,
};

use super::{
    ArrayOp, Comparison, SpatialOp, TemporalOp,
    array::{self, Element},
    fold::{Fold, folded},
    like::Pattern,
    scalar::{Key, Known, Scalar},
    spatial,
    time::{self, EVER, Instant, NEVER},
};

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
    Constant(Truth),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The condition is neither true nor false.
    Unknown(Box<Test>),
    /// A check of one text column against constants: answered once for each distinct word.
    Word {
        slot: usize,
        column: usize,
        folds: Vec<Fold>,
        check: WordCheck,
    },
    /// A constant stands right.
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
    /// The geometry's relation to itself.
    Itself(bool),
    NoShape,
    Temporal {
        op: TemporalOp,
        sides: Box<[Time; 2]>,
    },
    Array {
        op: ArrayOp,
        sides: Box<[Vec<Element>; 2]>,
    },
}

/// A time to be computed.
#[derive(Debug, Clone)]
pub(super) enum Time {
    Instant(Scalar),
    /// From and to; `None` for an open end.
    Interval(Option<Scalar>, Option<Scalar>),
}

impl Time {
    /// Beginning and end; none where a value is absent, or where it would end before it begins.
    fn of(&self, table: &Table, row: Row) -> Option<(Instant, Instant)> {
        let instant = |scalar: &Scalar| scalar.value(table, row).instant();
        match self {
            Self::Instant(scalar) => instant(scalar).map(|at| (at, at)),
            Self::Interval(from, to) => {
                let from = from.as_ref().map_or(Some(EVER), instant)?;
                let to = to.as_ref().map_or(Some(NEVER), instant)?;
                (from <= to).then_some((from, to))
            }
        }
    }
}

/// What a word is checked against.
#[derive(Debug, Clone)]
pub(super) enum WordCheck {
    Compare(Comparison, String),
    Like(Pattern),
    In(FxHashSet<Key>),
}

impl WordCheck {
    /// The truth for a word, and the steps it took.
    pub(super) fn truth(&self, word: &str, folds: &[Fold]) -> (bool, u64) {
        let own = word.len() as u64 * folds.len() as u64 * 5 + 10;
        let word = folded(word, folds);
        match self {
            Self::Compare(op, wanted) => (op.holds(word.as_ref().cmp(wanted.as_str())), own),
            Self::Like(pattern) => {
                let (truth, steps) = pattern.matches(&word);
                (truth, own + steps)
            }
            Self::In(keys) => (keys.contains(&Key::Text(word.into_owned())), own + 50),
        }
    }
}

/// A word check's truth for the words of a segment's column.
#[derive(Debug)]
pub(super) struct ByCode {
    pub(super) truths: Vec<bool>,
    /// The only code for which it is true, where there is one such.
    pub(super) only: Option<u32>,
}

impl ByCode {
    pub(super) fn new(truths: Vec<bool>) -> Self {
        let mut codes = truths.iter().zip(0_u32..).filter(|(truth, _)| **truth).map(|(_, code)| code);
        let only = codes.next().filter(|_| codes.next().is_none());
        Self { truths, only }
    }
}

/// What one thread keeps while it evaluates.
pub(super) struct Work<'w> {
    /// For each word check the truth by the segment's codes, where its column is coded.
    pub(super) words: &'w [Option<ByCode>],
    pub(super) probes: Vec<Scratch>,
    /// The steps taken since they were last told to the meter.
    pub(super) steps: u64,
}

impl Bound {
    /// Whether the filter is true for a feature. For many features of a table [`Self::select`] is faster.
    #[must_use]
    pub fn matches(&self, table: &Table, row: Row) -> bool {
        self.root.truth(table, row, &mut self.work(&[])) == Some(true)
    }

    pub(super) fn work<'w>(&self, words: &'w [Option<ByCode>]) -> Work<'w> {
        let probes = std::iter::repeat_with(Scratch::default).take(self.probes).collect();
        Work { words, probes, steps: 0 }
    }

    /// Boxes of which every feature for which the filter is true shares a point with one, where the filter says
    /// so.
    #[must_use]
    pub fn reach(&self) -> Option<Vec<Bounds>> {
        self.root.reach(true)
    }
}

/// More boxes than these are looked for as one.
const MOST_BOXES: usize = 16;

impl Test {
    /// Boxes of which every feature for which the condition has a truth shares a point with one.
    fn reach(&self, wanted: bool) -> Option<Vec<Bounds>> {
        match self {
            Self::Spatial { op, probe, .. } if wanted != (*op == SpatialOp::Disjoint) => {
                Some(probe.bounds().into_iter().collect())
            }
            Self::Not(test) => test.reach(!wanted),
            Self::All(tests) if wanted => narrowest(tests, wanted),
            Self::Any(tests) if !wanted => narrowest(tests, wanted),
            Self::All(tests) | Self::Any(tests) => {
                let reaches = tests.iter().map(|test| test.reach(wanted)).collect::<Option<Vec<_>>>()?;
                let boxes: Vec<Bounds> = reaches.into_iter().flatten().collect();
                if boxes.len() <= MOST_BOXES {
                    return Some(boxes);
                }
                Some(boxes.into_iter().reduce(Bounds::union).into_iter().collect())
            }
            _ => None,
        }
    }

    pub(super) fn truth(&self, table: &Table, row: Row, work: &mut Work<'_>) -> Truth {
        match self {
            Self::Constant(truth) => *truth,
            Self::All(tests) => combined(tests, false, table, row, work),
            Self::Any(tests) => combined(tests, true, table, row, work),
            Self::Not(test) => test.truth(table, row, work).map(|truth| !truth),
            Self::Unknown(test) => Some(test.truth(table, row, work).is_none()),
            Self::Word { slot, column, folds, check } => {
                if let Some(Some(by_code)) = work.words.get(*slot)
                    && let Some(code) = table.segment(row).code(*column, row.row)
                {
                    return (code != NO_WORD).then(|| by_code.truths[code as usize]);
                }
                let ValueRef::Text(word) = table.value(row, *column) else { return None };
                let (truth, steps) = check.truth(word, folds);
                work.steps += steps;
                Some(truth)
            }
            Self::Compare { op, left, right } => {
                left.value(table, row).order(&right.value(table, row)).map(|order| op.holds(order))
            }
            Self::Like { value, pattern } => {
                let Known::Text(text) = value.value(table, row) else { return None };
                let (truth, steps) = pattern.matches(&text);
                work.steps += steps;
                Some(truth)
            }
            Self::In { value, keys } => Key::of(&value.value(table, row)).map(|key| keys.contains(&key)),
            Self::IsNull(scalar) => Some(matches!(scalar.value(table, row), Known::Null)),
            Self::Truth(scalar) => match scalar.value(table, row) {
                Known::Boolean(truth) => Some(truth),
                _ => None,
            },
            Self::Spatial { slot, op, probe } => {
                let (truth, steps) = spatial::truth((*op, probe), (table, row), &mut work.probes[*slot]);
                work.steps += steps;
                truth
            }
            Self::Itself(truth) => table.shape(row).map(|_| *truth),
            Self::NoShape => Some(table.shape(row).is_none()),
            Self::Temporal { op, sides } => {
                Some(time::relates(*op, sides[0].of(table, row)?, sides[1].of(table, row)?))
            }
            Self::Array { op, sides } => array::relates(*op, sides, table, row),
        }
    }

    /// Steps of a row, as far as they are known before; those of texts and geometries are counted as they come.
    pub(super) fn steps(&self) -> u64 {
        match self {
            Self::Constant(_) => 0,
            // The quickest comes first and often decides.
            Self::All(tests) => tests.iter().map(Self::steps).min().unwrap_or(0),
            Self::Any(tests) => tests.iter().map(Self::steps).fold(0, u64::saturating_add),
            Self::Not(test) => test.steps(),
            // Asked row by row, and all of it: whether nothing is known is known only at the end.
            Self::Unknown(test) => test.steps_of_all(),
            Self::Word { folds, .. } => 1 + folds.len() as u64,
            Self::Compare { left, right, .. } if right.is_constant() => left.steps(),
            Self::Compare { left, right, .. } => 5 + left.steps() + right.steps(),
            Self::Like { value, .. } | Self::In { value, .. } => 30 + value.steps(),
            Self::IsNull(scalar) | Self::Truth(scalar) => scalar.steps(),
            Self::Spatial { .. } => 60,
            Self::Itself(_) | Self::NoShape => 5,
            Self::Temporal { .. } => 50,
            Self::Array { sides, .. } => 50 + sides.iter().flatten().map(Element::steps).sum::<u64>(),
        }
    }
}

impl Test {
    /// Steps of a row where every condition inside is asked.
    fn steps_of_all(&self) -> u64 {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().map(Self::steps_of_all).fold(1, u64::saturating_add),
            Self::Not(test) | Self::Unknown(test) => test.steps_of_all().saturating_add(1),
            leaf => leaf.steps().saturating_add(1),
        }
    }
}

/// The boxes of the test that reaches least far.
fn narrowest(tests: &[Test], wanted: bool) -> Option<Vec<Bounds>> {
    tests.iter().filter_map(|test| test.reach(wanted)).min_by(|a, b| extent(a).total_cmp(&extent(b)))
}

/// How far boxes reach together.
pub(super) fn extent(boxes: &[Bounds]) -> f64 {
    boxes.iter().map(|b| (b.max.x - b.min.x) * (b.max.y - b.min.y)).sum()
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
