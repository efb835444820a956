//! A set of a segment's rows that shares what it can with the set that it was made from.
//!
//! One bit a row, in blocks of 4096 rows: a copy with one row more shares every block but one. So the rows that an edit
//! replaces cost as much as the edit, however many were replaced before.

use std::sync::Arc;

/// Words of 64 rows in a block.
const WORDS: usize = 64;
/// Rows in a block.
const ROWS: u32 = WORDS as u32 * 64;

type Block = Arc<[u64; WORDS]>;

/// Rows of one segment.
#[derive(Debug, Clone, Default)]
pub struct RowSet {
    blocks: Arc<Vec<Option<Block>>>,
    len: usize,
}

impl RowSet {
    /// The number of rows in the set.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a row is in the set.
    #[must_use]
    pub fn contains(&self, row: u32) -> bool {
        self.len > 0 && self.word(row as usize / 64) >> (row % 64) & 1 == 1
    }

    /// The bits of the rows `64 × at` to `64 × at + 63`, the first row in the lowest.
    #[must_use]
    pub fn word(&self, at: usize) -> u64 {
        match self.blocks.get(at / WORDS) {
            Some(Some(block)) => block[at % WORDS],
            _ => 0,
        }
    }

    /// Puts a row into the set.
    pub fn insert(&mut self, row: u32) {
        if self.contains(row) {
            return;
        }
        let blocks = Arc::make_mut(&mut self.blocks);
        let number = (row / ROWS) as usize;
        if blocks.len() <= number {
            blocks.resize(number + 1, None);
        }
        let block = blocks[number].get_or_insert_with(|| Arc::new([0; WORDS]));
        Arc::make_mut(block)[(row % ROWS) as usize / 64] |= 1 << (row % 64);
        self.len += 1;
    }

    /// The rows that are in just one of two sets, ascending, in time proportional to the blocks that differ.
    pub fn differing<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = u32> + 's {
        let blocks = self.blocks.len().max(other.blocks.len());
        let is_shared = |number: &usize| match (self.blocks.get(*number), other.blocks.get(*number)) {
            (Some(Some(a)), Some(Some(b))) => Arc::ptr_eq(a, b),
            (Some(Some(_)), _) | (_, Some(Some(_))) => false,
            _ => true,
        };
        let all_shared = Arc::ptr_eq(&self.blocks, &other.blocks);
        let numbers = if all_shared { 0..0 } else { 0..blocks };
        numbers.filter(move |number| !is_shared(number)).flat_map(move |number| {
            (number * WORDS..(number + 1) * WORDS).flat_map(move |at| {
                let differing = self.word(at) ^ other.word(at);
                (0..64).filter(move |bit| differing >> bit & 1 == 1).map(move |bit| at as u32 * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_and_its_copies_hold_what_was_put_into_each(
            first in prop::collection::vec(0_u32..20_000, 0..60),
            own in prop::collection::vec(0_u32..20_000, 0..20),
            others in prop::collection::vec(0_u32..20_000, 0..20),
        ) {
            let mut a = RowSet::default();
            for row in &first {
                a.insert(*row);
            }
            let mut b = a.clone();
            for row in &own {
                a.insert(*row);
            }
            for row in &others {
                b.insert(*row);
            }
            let set = |more: &[u32]| first.iter().chain(more).copied().collect::<BTreeSet<u32>>();
            let (in_a, in_b) = (set(&own), set(&others));
            for (held, wanted) in [(&a, &in_a), (&b, &in_b)] {
                prop_assert_eq!(held.len(), wanted.len());
                prop_assert!((0..20_100).all(|row| held.contains(row) == wanted.contains(&row)));
            }
            let differing: Vec<u32> = in_a.symmetric_difference(&in_b).copied().collect();
            prop_assert_eq!(a.differing(&b).collect::<Vec<_>>(), differing.clone());
            prop_assert_eq!(b.differing(&a).collect::<Vec<_>>(), differing);
        }
    }
}
