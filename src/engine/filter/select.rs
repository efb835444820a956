//! Selecting from a whole table: words are checked once each, places through the index, rows on all processors.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::{
    engine::{
        column::Column,
        find::{in_box, meets_box},
        segment::Segment,
        table::{Row, Table},
        words::Words,
    },
    ground::shape::Bounds,
};

use super::{
    Bound, FilterError,
    budget::Meter,
    chunk::{Chunk, ROWS, Rows},
    eval::{ByCode, Test, Work, extent},
};

/// A set of a table's features.
///
/// Few features of many are a list: a box of some hundred parcels would else pay for a bit of each of a million.
#[derive(Debug, Clone)]
pub struct Selection {
    /// All that are selected, ascending, where they are few.
    few: Option<Vec<Row>>,
    /// For each segment one bit a row; where there are few, not before somebody asks.
    bits: OnceLock<Vec<Vec<u64>>>,
    /// For each segment how many words its bits are.
    words: Vec<usize>,
    len: usize,
}

/// Rows of a word.
const WORD: usize = 64;
/// Features are few where there are so many words of bits for each: to sort them then costs less than to walk the words.
const WORDS_EACH: usize = 16;

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words && self.len == other.len && self.rows().eq(other.rows())
    }
}

impl Eq for Selection {}

impl Selection {
    /// All features of a table.
    #[must_use]
    pub fn all(table: &Table) -> Self {
        Self::of_words(table, |segment, word| alive_bits(table, segment, word))
    }

    /// The features whose geometry shares a point with a box.
    #[must_use]
    pub fn in_box(table: &Table, bounds: Bounds) -> Self {
        Self::of_rows(table, in_box(table, bounds))
    }

    /// Some features of a table.
    #[must_use]
    pub fn of(table: &Table, rows: impl Iterator<Item = Row>) -> Self {
        Self::of_rows(table, rows)
    }

    /// The features of either selection of one table.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let either = |(a, b): (&Vec<u64>, &Vec<u64>)| a.iter().zip(b).map(|(a, b)| a | b).collect();
        Self::of_bits(self.all_bits().iter().zip(other.all_bits()).map(either).collect())
    }

    fn of_bits(bits: Vec<Vec<u64>>) -> Self {
        let len = bits.iter().flatten().map(|word| word.count_ones() as usize).sum();
        Self { few: None, words: bits.iter().map(Vec::len).collect(), bits: OnceLock::from(bits), len }
    }

    fn of_words(table: &Table, word: impl Fn(usize, usize) -> u64 + Sync) -> Self {
        let bits: Vec<Vec<u64>> = (0..table.segments().len())
            .map(|segment| {
                let words = table.segments()[segment].len().div_ceil(64);
                (0..words).into_par_iter().with_min_len(256).map(|at| word(segment, at)).collect()
            })
            .collect();
        Self::of_bits(bits)
    }

    fn of_rows(table: &Table, mut rows: impl Iterator<Item = Row>) -> Self {
        let words: Vec<usize> = table.segments().iter().map(|segment| segment.len().div_ceil(WORD)).collect();
        let most = words.iter().sum::<usize>() / WORDS_EACH;
        let few: Vec<Row> = rows.by_ref().take(most).collect();
        if let Some(next) = rows.next() {
            return Self::of_bits(bits_of(&words, few.into_iter().chain([next]).chain(rows)));
        }
        Self::of_few(few, words)
    }

    fn of_few(mut few: Vec<Row>, words: Vec<usize>) -> Self {
        few.sort();
        few.dedup();
        Self { len: few.len(), few: Some(few), bits: OnceLock::new(), words }
    }

    fn all_bits(&self) -> &[Vec<u64>] {
        self.bits.get_or_init(|| bits_of(&self.words, self.few.iter().flatten().copied()))
    }

    /// Whether a feature is selected.
    #[must_use]
    pub fn contains(&self, row: Row) -> bool {
        match (&self.few, self.bits.get()) {
            (Some(few), None) => few.binary_search(&row).is_ok(),
            _ => self.all_bits()[row.segment as usize][row.row as usize / WORD] >> (row.row % 64) & 1 == 1,
        }
    }

    /// The number of features selected.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no feature is selected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits of a segment, row 0 in the lowest bit of the first word.
    #[must_use]
    pub fn bits(&self, segment: usize) -> &[u64] {
        &self.all_bits()[segment]
    }

    /// The selected features, segment after segment, in each by row: in no order of ids.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let many = if self.few.is_some() { &[] } else { self.all_bits() };
        let many = many.iter().zip(0..).flat_map(|(words, segment)| {
            words
                .iter()
                .zip(0..)
                .flat_map(move |(word, at)| set_bits(*word).map(move |bit| Row { segment, row: at * 64 + bit }))
        });
        self.few.iter().flatten().copied().chain(many)
    }
}

/// For segments of so many words each the bits of some rows.
fn bits_of(words: &[usize], rows: impl Iterator<Item = Row>) -> Vec<Vec<u64>> {
    let mut bits: Vec<Vec<u64>> = words.iter().map(|words| vec![0; *words]).collect();
    rows.for_each(|row| bits[row.segment as usize][row.row as usize / WORD] |= 1 << (row.row % 64));
    bits
}

/// The numbers of the bits that are set, ascending.
pub(in crate::engine) fn set_bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros();
            word &= word - 1;
            bit
        })
    })
}

fn alive_bits(table: &Table, segment: usize, word: usize) -> u64 {
    let left = table.segments()[segment].len() - word * 64;
    let full = if left >= 64 { u64::MAX } else { (1 << left) - 1 };
    full & !table.dead(segment).word(word)
}

impl Bound {
    /// The features for which the filter is true and, where a box is given, whose geometry shares a point with it.
    ///
    /// # Errors
    /// [`FilterError::OverBudget`] where it takes more steps than a filter may.
    pub fn select(&self, table: &Table, bounds: Option<Bounds>) -> Result<Selection, FilterError> {
        let reach = self.reach().into_iter().chain(bounds.map(|bounds| vec![bounds]));
        let reach = reach.min_by(|a, b| extent(a).total_cmp(&extent(b)));
        let mut masks: Vec<Vec<u64>> = match &reach {
            None => table.segments().iter().map(|segment| vec![u64::MAX; segment.len().div_ceil(64)]).collect(),
            Some(boxes) => candidates(table, boxes),
        };
        for (segment, mask) in masks.iter_mut().enumerate() {
            mask.iter_mut().enumerate().for_each(|(at, word)| *word &= alive_bits(table, segment, at));
        }
        let rows: u64 = masks.iter().flatten().map(|word| u64::from(word.count_ones())).sum();
        let meter = Meter::estimated(rows.saturating_mul(self.root.steps()))?;
        for (segment, mask) in masks.iter_mut().enumerate() {
            let words = self.word_truths(table, segment, &meter)?;
            mask.par_chunks_mut(ROWS / 64).enumerate().try_for_each_init(
                || self.work(&words),
                |work, (number, mask)| {
                    if mask.iter().all(|word| *word == 0) {
                        return Ok(());
                    }
                    let first = number * ROWS;
                    let len = (table.segments()[segment].len() - first).min(ROWS);
                    self.sift(Chunk { table, segment: segment as u32, first, len }, bounds, mask, work);
                    meter.spend(std::mem::take(&mut work.steps))
                },
            )?;
        }
        Ok(Selection::of_bits(masks))
    }

    /// Leaves the rows of a chunk that are selected.
    fn sift(&self, chunk: Chunk<'_>, bounds: Option<Bounds>, mask: &mut [u64], work: &mut Work<'_>) {
        let mut rows: Rows = [0; ROWS / 64];
        rows[..mask.len()].copy_from_slice(mask);
        chunk.narrow(&self.root, true, &mut rows, work);
        mask.copy_from_slice(&rows[..mask.len()]);
        let Some(bounds) = bounds else { return };
        for (word, first) in mask.iter_mut().zip((chunk.first as u32..).step_by(64)) {
            for bit in set_bits(*word) {
                let shape = chunk.table.shape(Row { segment: chunk.segment, row: first + bit });
                if !shape.is_some_and(|shape| meets_box(shape, &bounds)) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// For each word check its truth for every word of a segment's column, where that is coded.
    fn word_truths(&self, table: &Table, segment: usize, meter: &Meter) -> Result<Vec<Option<ByCode>>, FilterError> {
        let mut truths: Vec<Option<ByCode>> = std::iter::repeat_with(|| None).take(self.words).collect();
        let mut spent = Ok(());
        self.root.each_word_check(&mut |slot, column, truth| {
            if let Column::Text(Words::Coded { list, .. }) = &table.segments()[segment].columns()[column] {
                let mut steps = 0;
                let mut truth_of = |code| {
                    let (truth, taken) = truth(list.word(code));
                    steps += taken;
                    truth
                };
                if spent.is_ok() {
                    truths[slot] = Some(ByCode::new((0..list.len() as u32).map(&mut truth_of).collect()));
                    spent = meter.spend(steps);
                }
            }
        });
        spent.map(|()| truths)
    }
}

/// The rows whose box shares a point with one of the boxes.
fn candidates(table: &Table, boxes: &[Bounds]) -> Vec<Vec<u64>> {
    let of_segment = |segment: &Arc<Segment>| {
        let mut mask = vec![0_u64; segment.len().div_ceil(64)];
        for bounds in boxes {
            segment.index().touching(*bounds).for_each(|row| mask[row as usize / 64] |= 1 << (row % 64));
        }
        mask
    };
    table.segments().iter().map(of_segment).collect()
}

/// Takes a word check's slot, its column and what it says of a word.
type SeeWordCheck<'s> = dyn FnMut(usize, usize, &dyn Fn(&str) -> (bool, u64)) + 's;

impl Test {
    fn each_word_check(&self, see: &mut SeeWordCheck<'_>) {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.each_word_check(see)),
            Self::Not(test) | Self::Unknown(test) => test.each_word_check(see),
            Self::Word { slot, column, folds, check } => see(*slot, *column, &|word| check.truth(word, folds)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_rows_are_the_set_that_their_bits_are(
            rows in proptest::collection::vec((0..2_u32, 0..100_u32), 0..40),
            others in proptest::collection::vec((0..2_u32, 0..100_u32), 0..40),
        ) {
            let words = [2, 2];
            let rows_of = |rows: &[(u32, u32)]| rows.iter().map(|(segment, row)| Row { segment: *segment, row: *row }).collect::<Vec<_>>();
            let few = |rows: &[(u32, u32)]| Selection::of_few(rows_of(rows), words.to_vec());
            let many = |rows: &[(u32, u32)]| Selection::of_bits(bits_of(&words, rows_of(rows).into_iter()));
            let (a, b) = (few(&rows), many(&rows));
            prop_assert_eq!((a.len(), a.rows().collect::<Vec<_>>()), (b.len(), b.rows().collect::<Vec<_>>()));
            for row in (0..2).flat_map(|segment| (0..100).map(move |row| Row { segment, row })) {
                prop_assert_eq!(a.contains(row), b.contains(row));
            }
            prop_assert_eq!(a.or(&few(&others)), b.or(&many(&others)));
            prop_assert!(a.bits(0) == b.bits(0) && a.bits(1) == b.bits(1));
            // Both ways of asking, before and after the bits are there.
            prop_assert!(rows_of(&rows).iter().all(|row| a.contains(*row)));
            prop_assert_eq!(a, b);
        }
    }
}
