//! Evaluation column by column: a condition narrows a set of up to 4,096 rows, 64 rows a word.
//!
//! Truth has three values, so there are two questions: for which rows is a condition true, and for which is it
//! false. Either narrows a set; `NOT` asks the other one. A clause over a column compares 64 values in one go;
//! what has no such way is asked row by row, and only for the rows that are left. Conjunctions run from the
//! quickest condition to the slowest.

use crate::{
    domain::schema::Derived,
    engine::{
        column::{Column, NO_DAY, NO_MOMENT},
        segment::{NO_AREA, Segment},
        table::{Row, Table, derived_figure},
        words::{NO_WORD, Words},
    },
    ground::units::Basis,
};

use super::{
    Comparison,
    eval::{Test, Work},
    scalar::{Known, Scalar},
    select::set_bits,
};

/// Rows of a chunk.
pub(super) const ROWS: usize = 4096;
/// A set of the rows of a chunk.
pub(super) type Rows = [u64; ROWS / 64];

/// With fewer rows left than this they are asked one by one.
const FEW: u32 = 200;

/// Some rows of a segment, one after another.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'t> {
    pub(super) table: &'t Table,
    pub(super) segment: u32,
    pub(super) first: usize,
    pub(super) len: usize,
}

fn count(rows: &Rows) -> u32 {
    rows.iter().map(|word| word.count_ones()).sum()
}

impl Chunk<'_> {
    /// Leaves the rows for which the condition has the truth wanted.
    pub(super) fn narrow(&self, test: &Test, wanted: bool, rows: &mut Rows, work: &mut Work<'_>) {
        match test {
            Test::Constant(truth) if *truth == Some(wanted) => {}
            Test::Constant(_) => *rows = [0; ROWS / 64],
            Test::Not(test) => self.narrow(test, !wanted, rows, work),
            Test::All(tests) if wanted => self.each_in_turn(tests, wanted, rows, work),
            Test::Any(tests) if !wanted => self.each_in_turn(tests, wanted, rows, work),
            Test::All(tests) | Test::Any(tests) => {
                let mut left = *rows;
                for test in tests {
                    let mut found = left;
                    self.narrow(test, wanted, &mut found, work);
                    left.iter_mut().zip(&found).for_each(|(left, found)| *left &= !found);
                    if left.iter().all(|word| *word == 0) {
                        break;
                    }
                }
                rows.iter_mut().zip(&left).for_each(|(rows, left)| *rows &= !left);
            }
            leaf => self.narrow_leaf(leaf, wanted, rows, work),
        }
    }

    fn each_in_turn(&self, tests: &[Test], wanted: bool, rows: &mut Rows, work: &mut Work<'_>) {
        for test in tests {
            self.narrow(test, wanted, rows, work);
            if rows.iter().all(|word| *word == 0) {
                return;
            }
        }
    }

    fn narrow_leaf(&self, test: &Test, wanted: bool, rows: &mut Rows, work: &mut Work<'_>) {
        let left = count(rows);
        let mut found = [0; ROWS / 64];
        if left > FEW && self.columnwise(test, wanted, work, &mut found) {
            rows.iter_mut().zip(&found).for_each(|(rows, found)| *rows &= found);
            work.steps += self.len as u64 * 2;
            return;
        }
        work.steps += u64::from(left) * test.steps();
        for (word, first) in rows.iter_mut().zip((self.first as u32..).step_by(64)) {
            for bit in set_bits(*word) {
                let row = Row { segment: self.segment, row: first + bit };
                if test.truth(self.table, row, work) != Some(wanted) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    fn held(&self) -> &Segment {
        &self.table.segments()[self.segment as usize]
    }

    /// Answers for all rows at once, where there is a way; false where there is none.
    fn columnwise(&self, test: &Test, wanted: bool, work: &Work<'_>, out: &mut Rows) -> bool {
        match test {
            Test::Word { slot, column, .. } => self.words(*column, work.words.get(*slot), wanted, out),
            Test::Compare { op, left, right } => {
                let op = if wanted { *op } else { op.denied() };
                right.constant().is_some_and(|constant| self.compare(op, left, &constant, out))
            }
            Test::Truth(Scalar::Column(column)) => self.booleans(*column, wanted, out),
            Test::IsNull(Scalar::Column(column) | Scalar::TextColumn(column)) => self.absent(*column, wanted, out),
            _ => false,
        }
    }

    fn words(
        &self,
        column: usize,
        by_code: Option<&Option<super::eval::ByCode>>,
        wanted: bool,
        out: &mut Rows,
    ) -> bool {
        let Column::Text(Words::Coded { codes, .. }) = &self.held().columns()[column] else { return false };
        let Some(Some(by_code)) = by_code else { return false };
        let codes = &codes[self.first..self.first + self.len];
        match (by_code.only, wanted) {
            (Some(only), true) => pack(codes, out, |code| code == only),
            #[expect(clippy::needless_bitwise_bool, reason = "both sides in one vector instruction")]
            (Some(only), false) => pack(codes, out, |code| (code != only) & (code != NO_WORD)),
            (None, _) => pack(codes, out, |code| by_code.truths.get(code as usize) == Some(&wanted)),
        }
        true
    }

    fn booleans(&self, column: usize, wanted: bool, out: &mut Rows) -> bool {
        let Column::Boolean(values) = &self.held().columns()[column] else { return false };
        let wanted = u8::from(wanted);
        pack(&values[self.first..self.first + self.len], out, |value| value == wanted);
        true
    }

    fn absent(&self, column: usize, wanted: bool, out: &mut Rows) -> bool {
        let range = self.first..self.first + self.len;
        match &self.held().columns()[column] {
            Column::Boolean(values) => pack(&values[range], out, |value| (value > 1) == wanted),
            Column::Real(values) => pack(&values[range], out, |value| value.is_nan() == wanted),
            Column::Date(values) => pack(&values[range], out, |value| (value == NO_DAY) == wanted),
            Column::DateTime(values) => pack(&values[range], out, |value| (value == NO_MOMENT) == wanted),
            Column::Text(Words::Coded { codes, .. }) => pack(&codes[range], out, |code| (code == NO_WORD) == wanted),
            Column::Integer(values) => {
                let word = if wanted { 0 } else { u64::MAX };
                out.fill(word);
                each_within(values.absent(), range.start, self.len, |row| out[row / 64] ^= 1 << (row % 64));
            }
            Column::Text(Words::Plain(_)) => return false,
        }
        true
    }

    /// A column, a derived figure or the id against a constant.
    fn compare(&self, op: Comparison, left: &Scalar, right: &Known<'_>, out: &mut Rows) -> bool {
        let range = self.first..self.first + self.len;
        match left {
            Scalar::Id => {
                let Some(wanted) = whole(right) else { return false };
                pack_ordered(op, &self.held().ids()[range], wanted, out);
            }
            Scalar::Derived(derived) => {
                let Some(wanted) = real(right) else { return false };
                self.derived(op, *derived, wanted, out);
            }
            Scalar::Column(column) => match (&self.held().columns()[*column], right) {
                (Column::Real(values), right) => {
                    let Some(wanted) = real(right) else { return false };
                    pack_reals(op, &values[range], wanted, out);
                }
                (Column::Integer(values), right) => {
                    let Some(wanted) = whole(right) else { return false };
                    pack_ordered(op, &values.values()[range.clone()], wanted, out);
                    each_within(values.absent(), range.start, self.len, |row| out[row / 64] &= !(1 << (row % 64)));
                }
                (Column::Date(values), Known::Date(wanted)) => {
                    let (wanted, values) = (*wanted, &values[range]);
                    pack_ordered(op, values, wanted, out);
                    leave_out(values, NO_DAY, out);
                }
                (Column::DateTime(values), Known::DateTime((wanted, 0))) => {
                    let (wanted, values) = (*wanted, &values[range]);
                    pack_ordered(op, values, wanted, out);
                    leave_out(values, NO_MOMENT, out);
                }
                (Column::Boolean(_), Known::Boolean(wanted)) => match op {
                    Comparison::Equal => return self.booleans(*column, *wanted, out),
                    Comparison::NotEqual => return self.booleans(*column, !*wanted, out),
                    _ => return false,
                },
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// A derived figure never falls as its area grows: so it is the area itself that is compared.
    fn derived(&self, op: Comparison, derived: Derived, wanted: f64, out: &mut Rows) {
        let basis = if derived == Derived::AreaPlanarM2 { Basis::Planar } else { Basis::Ellipsoidal };
        let areas = &self.held().hundredths(basis)[self.first..self.first + self.len];
        let least = first_area(|hundredths| derived_figure(hundredths, derived) >= wanted);
        let above = first_area(|hundredths| derived_figure(hundredths, derived) > wanted);
        match op {
            Comparison::Less => pack(areas, out, |area| area < least),
            Comparison::LessOrEqual => pack(areas, out, |area| area < above),
            Comparison::Greater => pack(areas, out, |area| area >= above),
            Comparison::GreaterOrEqual => pack(areas, out, |area| area >= least),
            Comparison::Equal => pack(areas, out, |area| (least..above).contains(&area)),
            Comparison::NotEqual => pack(areas, out, |area| !(least..above).contains(&area)),
        }
        leave_out(areas, NO_AREA, out);
    }
}

/// The least area, in hundredths of a square metre, for which a condition holds that holds for all greater ones;
/// the greatest number where it holds for none.
fn first_area(holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (NO_AREA + 1, i64::MAX);
    while low < high {
        let middle = i64::midpoint(low, high);
        let middle = if middle == high { high - 1 } else { middle };
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// A number that is whole and compares as such.
fn whole(known: &Known<'_>) -> Option<i64> {
    match known {
        Known::Integer(number) => Some(*number),
        Known::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        _ => None,
    }
}

/// A number that is a double and compares as such.
fn real(known: &Known<'_>) -> Option<f64> {
    match known {
        Known::Real(number) => Some(*number),
        Known::Integer(number) if number.unsigned_abs() < 1 << 53 => Some(*number as f64),
        _ => None,
    }
}

fn pack_ordered<T: Copy + Ord>(op: Comparison, values: &[T], wanted: T, out: &mut Rows) {
    match op {
        Comparison::Equal => pack(values, out, |value| value == wanted),
        Comparison::NotEqual => pack(values, out, |value| value != wanted),
        Comparison::Less => pack(values, out, |value| value < wanted),
        Comparison::LessOrEqual => pack(values, out, |value| value <= wanted),
        Comparison::Greater => pack(values, out, |value| value > wanted),
        Comparison::GreaterOrEqual => pack(values, out, |value| value >= wanted),
    }
}

/// What is no number satisfies no comparison.
fn pack_reals(op: Comparison, values: &[f64], wanted: f64, out: &mut Rows) {
    match op {
        #[expect(clippy::float_cmp, reason = "CQL2's = is exact")]
        Comparison::Equal => pack(values, out, |value| value == wanted),
        #[expect(clippy::needless_bitwise_bool, reason = "both sides in one vector instruction")]
        Comparison::NotEqual => pack(values, out, |value| (value < wanted) | (value > wanted)),
        Comparison::Less => pack(values, out, |value| value < wanted),
        Comparison::LessOrEqual => pack(values, out, |value| value <= wanted),
        Comparison::Greater => pack(values, out, |value| value > wanted),
        Comparison::GreaterOrEqual => pack(values, out, |value| value >= wanted),
    }
}

/// Takes out the rows that hold no value.
fn leave_out<T: Copy + Eq>(values: &[T], none: T, out: &mut Rows) {
    let mut present = [0; ROWS / 64];
    pack(values, &mut present, |value| value != none);
    out.iter_mut().zip(&present).for_each(|(out, present)| *out &= present);
}

/// Sets the bit of each value for which `holds` is true. Whole blocks of 64 compile to vector instructions.
fn pack<T: Copy>(values: &[T], out: &mut Rows, holds: impl Fn(T) -> bool) {
    for (block, word) in values.chunks(64).zip(out.iter_mut()) {
        let mut truths = [0_u8; 64];
        for (truth, value) in truths.iter_mut().zip(block) {
            *truth = u8::from(holds(*value));
        }
        *word = bits_of(&truths);
    }
}

/// 64 bytes of 0 or 1 as the bits of a word: a product gathers eight of them in its highest byte.
fn bits_of(truths: &[u8; 64]) -> u64 {
    let (eights, _) = truths.as_chunks::<8>();
    let byte = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().zip((0..64).step_by(8)).fold(0, |word, (eight, shift)| word | byte(eight) << shift)
}

/// The rows of an ascending list that lie in a chunk, counted from its first.
fn each_within(rows: &[u32], first: usize, len: usize, mut see: impl FnMut(usize)) {
    let start = rows.partition_point(|row| (*row as usize) < first);
    rows[start..].iter().map(|row| *row as usize - first).take_while(|row| *row < len).for_each(&mut see);
}

impl Comparison {
    /// What holds where this does not.
    const fn denied(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}
