//! Counting and summing, on all processors.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::{
    engine::{
        filter::{Selection, set_bits},
        overlay::{Cut, Land, Net, Zones, cut},
        table::{Row, Table},
    },
    ground::units::Basis,
};

use super::{MOST_GROUPS, StatsError, groups::Grouping};

/// Rows that one task counts.
const TASK_ROWS: usize = 32_768;
/// Up to so many groups are summed in an array.
const FEW_GROUPS: u64 = 16_384;

/// What is known of a group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    /// Features.
    pub(super) count: u64,
    /// Land, hundredths of a square metre.
    pub(super) area: i128,
    /// Land removed as claimed twice, hundredths of a square metre.
    pub(super) removed: i128,
    /// Features of the group without an area.
    pub(super) unmeasured: u64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.area += other.area;
        self.removed += other.removed;
        self.unmeasured += other.unmeasured;
    }
}

type ZoneSet = Vec<(u8, u32)>;

/// All sums of a request.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// By group and zones.
    pub(super) groups: FxHashMap<(u64, ZoneSet), Sum>,
    /// Features counted.
    pub(super) count: u64,
    /// Features without an area.
    pub(super) unmeasured: u64,
    /// The most that moved between pieces of one feature, m².
    pub(super) residual_m2: f64,
    /// Features that cross themselves and were cut.
    pub(super) faulty: Vec<i64>,
}

impl Sums {
    fn merged(mut self, other: Self) -> Self {
        if self.groups.is_empty() {
            self.groups = other.groups;
        } else {
            for (key, sum) in other.groups {
                self.groups.entry(key).or_default().add(&sum);
            }
        }
        self.count += other.count;
        self.unmeasured += other.unmeasured;
        self.residual_m2 = self.residual_m2.max(other.residual_m2);
        self.faulty.extend(other.faulty);
        self
    }
}

/// What is to be summed, and by what.
pub(super) struct Work<'a, 't> {
    pub(super) table: &'t Table,
    pub(super) grouping: &'a Grouping<'t>,
    pub(super) zones: &'a [&'a Zones],
    pub(super) basis: Basis,
    /// What features lose to others.
    pub(super) net: &'a [Net<'t>],
}

impl Work<'_, '_> {
    /// The sums of the selected rows; of all rows where nothing is selected.
    pub(super) fn sums(&self, selection: Option<&Selection>) -> Result<Sums, StatsError> {
        let tasks = self.tasks();
        let mut sums = if self.zones.is_empty() {
            let mut sums = if self.grouping.count() <= FEW_GROUPS {
                self.few_groups(&tasks, selection)
            } else {
                self.many_groups(&tasks, selection)
            };
            self.remove_lost(&mut sums);
            sums
        } else {
            let net: FxHashMap<Row, &Net<'_>> = self.net.iter().map(|net| (net.row, net)).collect();
            let task = |(segment, first): &(usize, usize)| {
                let mut sums = Sums::default();
                self.each_row(*segment, *first, selection, |row| self.divide(row, net.get(&row).copied(), &mut sums));
                sums
            };
            tasks.par_iter().map(task).reduce(Sums::default, Sums::merged)
        };
        sums.faulty.sort_unstable();
        if sums.groups.len() > MOST_GROUPS { Err(StatsError::TooManyGroups) } else { Ok(sums) }
    }

    fn tasks(&self) -> Vec<(usize, usize)> {
        let firsts = |segment: usize| (0..self.table.segments()[segment].len()).step_by(TASK_ROWS);
        (0..self.table.segments().len())
            .flat_map(|segment| firsts(segment).map(move |first| (segment, first)))
            .collect()
    }

    fn each_row(&self, segment: usize, first: usize, selection: Option<&Selection>, mut see: impl FnMut(Row)) {
        let end = (first + TASK_ROWS).min(self.table.segments()[segment].len());
        let row = |row: usize| Row { segment: segment as u32, row: row as u32 };
        let Some(selection) = selection else {
            return (first..end).for_each(|at| see(row(at)));
        };
        let words = &selection.bits(segment)[first / 64..end.div_ceil(64)];
        for (word, at) in words.iter().zip((first..).step_by(64)) {
            set_bits(*word).for_each(|bit| see(row(at + bit as usize)));
        }
    }

    fn few_groups(&self, tasks: &[(usize, usize)], selection: Option<&Selection>) -> Sums {
        let groups = self.grouping.count() as usize;
        let empty = || (vec![Sum::default(); groups], 0_u64);
        let task = |(mut sums, mut unmeasured): (Vec<Sum>, u64), (segment, first): &(usize, usize)| {
            let group = self.grouping.of_segment(*segment);
            let area = self.table.segments()[*segment].areas(self.basis);
            self.each_row(*segment, *first, selection, |row| {
                let sum = &mut sums[group(row.row as usize) as usize];
                let area = area(row.row);
                sum.count += 1;
                sum.area += i128::from(area.unwrap_or(0));
                sum.unmeasured += u64::from(area.is_none());
                unmeasured += u64::from(area.is_none());
            });
            (sums, unmeasured)
        };
        let merge = |(mut a, unmeasured): (Vec<Sum>, u64), (b, more): (Vec<Sum>, u64)| {
            a.iter_mut().zip(&b).for_each(|(a, b)| a.add(b));
            (a, unmeasured + more)
        };
        let (sums, unmeasured) = tasks.par_iter().fold(empty, task).reduce(empty, merge);
        let count = sums.iter().map(|sum| sum.count).sum();
        let found = sums.into_iter().zip(0..).filter(|(sum, _)| sum.count > 0);
        Sums {
            groups: found.map(|(sum, group)| ((group, Vec::new()), sum)).collect(),
            count,
            unmeasured,
            ..Sums::default()
        }
    }

    fn many_groups(&self, tasks: &[(usize, usize)], selection: Option<&Selection>) -> Sums {
        let task = |(segment, first): &(usize, usize)| {
            let group = self.grouping.of_segment(*segment);
            let area = self.table.segments()[*segment].areas(self.basis);
            let mut sums = Sums::default();
            self.each_row(*segment, *first, selection, |row| {
                let area = area(row.row);
                let sum = sums.groups.entry((group(row.row as usize), Vec::new())).or_default();
                sum.count += 1;
                sum.area += i128::from(area.unwrap_or(0));
                sum.unmeasured += u64::from(area.is_none());
                sums.count += 1;
                sums.unmeasured += u64::from(area.is_none());
            });
            sums
        };
        tasks.par_iter().map(task).reduce(Sums::default, Sums::merged)
    }

    /// Takes what features lose to others out of their groups.
    fn remove_lost(&self, sums: &mut Sums) {
        for net in self.net {
            let sum = sums.groups.entry((self.grouping.group(net.row), Vec::new())).or_default();
            sum.area -= i128::from(net.removed);
            sum.removed += i128::from(net.removed);
        }
    }

    /// Adds a feature to the groups of its pieces.
    fn divide(&self, row: Row, net: Option<&Net<'_>>, sums: &mut Sums) {
        let group = self.grouping.group(row);
        sums.count += 1;
        let Some(land) = Land::of(self.table, row, self.basis) else {
            sums.unmeasured += 1;
            for zones in self.zone_sets(row) {
                let sum = sums.groups.entry((group, zones)).or_default();
                sum.count += 1;
                sum.unmeasured += 1;
            }
            return;
        };
        let gross = self.cut(row, &land, sums);
        for piece in &gross.pieces {
            let sum = sums.groups.entry((group, piece.zones.clone())).or_default();
            sum.count += 1;
            sum.area += i128::from(piece.hundredths_m2);
        }
        let Some(net) = net else { return };
        let left = net.left.as_ref().map(|left| self.cut(row, left, sums).pieces).unwrap_or_default();
        for (piece, sign) in gross.pieces.iter().map(|piece| (piece, 1)).chain(left.iter().map(|piece| (piece, -1))) {
            let lost = i128::from(piece.hundredths_m2) * sign;
            let sum = sums.groups.entry((group, piece.zones.clone())).or_default();
            sum.area -= lost;
            sum.removed += lost;
        }
    }

    fn cut(&self, row: Row, land: &Land<'_>, sums: &mut Sums) -> Cut {
        let cut = cut(land, self.zones);
        sums.residual_m2 = sums.residual_m2.max(cut.helped_m2);
        let id = self.table.id(row);
        if cut.faulty && sums.faulty.last() != Some(&id) {
            sums.faulty.push(id);
        }
        cut
    }

    /// The sets of zones that the vertices of a feature without an area lie in.
    fn zone_sets(&self, row: Row) -> Vec<ZoneSet> {
        let Some(shape) = self.table.shape(row) else { return vec![Vec::new()] };
        let set_at = |at: &geo::Coord| -> ZoneSet {
            let numbered = (0..).zip(self.zones);
            numbered.flat_map(|(layer, zones)| zones.at(*at).into_iter().map(move |number| (layer, number))).collect()
        };
        let mut sets: Vec<ZoneSet> = shape.coords().iter().map(set_at).collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}
