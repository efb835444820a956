//! Selecting from a whole table: words are checked once each, places through the index, rows on all processors.

use rayon::prelude::*;

use crate::{
    engine::{
        column::Column,
        find::{in_box, meets_box},
        table::{Row, Table},
        words::Words,
    },
    ground::shape::Bounds,
};

use super::{
    Bound,
    eval::{Test, Work},
};

/// A set of a table's features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// For each segment one bit a row.
    bits: Vec<Vec<u64>>,
    len: usize,
}

impl Selection {
    /// All features of a table.
    #[must_use]
    pub fn all(table: &Table) -> Self {
        Self::of_words(table, |segment, word| alive_bits(table, segment, word))
    }

    /// The features whose geometry shares a point with a box.
    #[must_use]
    pub fn in_box(table: &Table, bounds: Bounds) -> Self {
        Self::of_rows(table, in_box(table, bounds), |_| true)
    }

    /// Some features of a table.
    #[must_use]
    pub fn of(table: &Table, rows: impl Iterator<Item = Row>) -> Self {
        Self::of_rows(table, rows, |_| true)
    }

    /// The features of either selection of one table.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let either = |(a, b): (&Vec<u64>, &Vec<u64>)| a.iter().zip(b).map(|(a, b)| a | b).collect();
        let bits: Vec<Vec<u64>> = self.bits.iter().zip(&other.bits).map(either).collect();
        let len = bits.iter().flatten().map(|word| word.count_ones() as usize).sum();
        Self { bits, len }
    }

    fn of_words(table: &Table, word: impl Fn(usize, usize) -> u64 + Sync) -> Self {
        let bits: Vec<Vec<u64>> = (0..table.segments().len())
            .map(|segment| {
                let words = table.segments()[segment].len().div_ceil(64);
                (0..words).into_par_iter().with_min_len(256).map(|at| word(segment, at)).collect()
            })
            .collect();
        let len = bits.iter().flatten().map(|word| word.count_ones() as usize).sum();
        Self { bits, len }
    }

    fn of_rows(table: &Table, rows: impl Iterator<Item = Row>, keep: impl Fn(Row) -> bool) -> Self {
        let mut bits: Vec<Vec<u64>> =
            table.segments().iter().map(|segment| vec![0; segment.len().div_ceil(64)]).collect();
        let mut len = 0;
        for row in rows.filter(|row| keep(*row)) {
            let word = &mut bits[row.segment as usize][row.row as usize / 64];
            len += usize::from(*word >> (row.row % 64) & 1 == 0);
            *word |= 1 << (row.row % 64);
        }
        Self { bits, len }
    }

    /// Whether a feature is selected.
    #[must_use]
    pub fn contains(&self, row: Row) -> bool {
        self.bits[row.segment as usize][row.row as usize / 64] >> (row.row % 64) & 1 == 1
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
        &self.bits[segment]
    }

    /// The selected features, segment after segment, in each by row: in no order of ids.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.bits.iter().zip(0..).flat_map(|(words, segment)| {
            words
                .iter()
                .zip(0..)
                .flat_map(move |(word, at)| set_bits(*word).map(move |bit| Row { segment, row: at * 64 + bit }))
        })
    }
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
    let dead = table.dead(segment);
    if dead.is_empty() {
        return full;
    }
    let first = word as u32 * 64;
    set_bits(full).filter(|bit| !dead.contains(&(first + bit))).fold(0, |bits, bit| bits | 1 << bit)
}

impl Bound {
    /// The features for which the filter is true and, where a box is given, whose geometry shares a point with it.
    #[must_use]
    pub fn select(&self, table: &Table, bounds: Option<Bounds>) -> Selection {
        let by_segment: Vec<Vec<Option<Vec<bool>>>> =
            (0..table.segments().len()).map(|segment| self.word_truths(table, segment)).collect();
        let true_for = |row: Row, work: &mut Work<'_>| self.root.truth(table, row, work) == Some(true);
        let in_box =
            |row: Row| bounds.is_none_or(|bounds| table.shape(row).is_some_and(|shape| meets_box(shape, &bounds)));
        if let Some(reach) = self.reach().or(bounds) {
            let candidates: Vec<Row> = table.touching(reach).collect();
            let hits: Vec<Row> = candidates
                .par_chunks(1024)
                .flat_map_iter(|rows| {
                    let mut work = self.work(&[]);
                    let mut hits = Vec::new();
                    for row in rows {
                        work.words = &by_segment[row.segment as usize];
                        if in_box(*row) && true_for(*row, &mut work) {
                            hits.push(*row);
                        }
                    }
                    hits
                })
                .collect();
            return Selection::of_rows(table, hits.into_iter(), |_| true);
        }
        Selection::of_words(table, |segment, word| {
            let mut work = self.work(&by_segment[segment]);
            let rows = set_bits(alive_bits(table, segment, word));
            let first = word as u32 * 64;
            rows.filter(|bit| true_for(Row { segment: segment as u32, row: first + bit }, &mut work))
                .fold(0, |bits, bit| bits | 1 << bit)
        })
    }

    /// For each word check its truth for every word of a segment's column, where that is coded.
    fn word_truths(&self, table: &Table, segment: usize) -> Vec<Option<Vec<bool>>> {
        let mut truths = vec![None; self.words];
        self.root.each_word_check(&mut |slot, column, truth| {
            if let Column::Text(Words::Coded { list, .. }) = &table.segments()[segment].columns()[column] {
                truths[slot] = Some((0..list.len() as u32).map(|code| truth(list.word(code))).collect());
            }
        });
        truths
    }
}

/// Takes a word check's slot, its column and what it says of a word.
type SeeWordCheck<'s> = dyn FnMut(usize, usize, &dyn Fn(&str) -> bool) + 's;

impl Test {
    fn each_word_check(&self, see: &mut SeeWordCheck<'_>) {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.each_word_check(see)),
            Self::Not(test) => test.each_word_check(see),
            Self::Word { slot, column, folded, check } => see(*slot, *column, &|word| check.truth(word, *folded)),
            _ => {}
        }
    }
}
