//! Features too small to be drawn, gathered in the cells of a grid: one mark a cell, which says for how many it stands.
//!
//! A mark of several features shows the class that most of them have, and says how many that are. Question: why not a
//! mark for each class of a cell? They would lie on one another, so that the map showed the last one drawn; and a tile
//! of well mixed classes would need cells five times as wide to keep to its bytes.

use rustc_hash::FxHashMap;

use crate::{
    domain::feature::ValueRef,
    engine::{
        column::Column,
        table::{Row, Table},
        words::{NO_WORD, Words},
    },
};

/// A mark of one or more features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Column and row of its cell, from the tile's north-western corner.
    pub(super) cell: (u32, u32),
    /// How many features it stands for.
    pub(super) count: u32,
    /// How many of them have the class that it shows.
    pub(super) same: u32,
    /// A feature of that class; where it stands for one feature, that one.
    pub(super) row: Row,
    /// 0 for points, 1 for lines, 2 for surfaces.
    pub(super) dimension: u8,
}

/// A feature to be gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Small {
    pub(super) cell: (u32, u32),
    pub(super) row: Row,
    pub(super) dimension: u8,
}

/// One mark for each cell that has features, cells from north to south and west to east.
pub(super) fn gather(table: &Table, class: Option<usize>, small: &[Small]) -> Vec<Mark> {
    let mut classes = class.map(|column| Classes::of(table, column));
    let key = |(at, small): (usize, &Small)| {
        let class = classes.as_mut().map_or(0, |classes| classes.number(small.row));
        (u64::from(small.cell.1) << 48 | u64::from(small.cell.0) << 32 | u64::from(class), at as u32)
    };
    let mut keys: Vec<(u64, u32)> = small.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    let mut marks = Vec::new();
    for cell in keys.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
        let mut most: Option<&[(u64, u32)]> = None;
        for group in cell.chunk_by(|a, b| a.0 == b.0) {
            let word = |group: &[(u64, u32)]| classes.as_ref().map_or("", |c| c.word(group[0].0 as u32));
            let more = most
                .is_none_or(|most| group.len() > most.len() || (group.len() == most.len() && word(group) < word(most)));
            if more {
                most = Some(group);
            }
        }
        let Some(most) = most else { continue };
        let shown = &small[most[0].1 as usize];
        let dimension = cell.iter().map(|(_, at)| small[*at as usize].dimension).max().unwrap_or_default();
        let (count, same) = (cell.len() as u32, most.len() as u32);
        marks.push(Mark { cell: shown.cell, count, same, row: shown.row, dimension });
    }
    marks
}

/// Numbers for the values of a column, the same in all segments.
struct Classes<'t> {
    table: &'t Table,
    column: usize,
    numbers: FxHashMap<String, u32>,
    words: Vec<String>,
    /// For segments whose words are coded, the number of each code; the last for no value.
    coded: Vec<Option<Vec<u32>>>,
}

impl<'t> Classes<'t> {
    fn of(table: &'t Table, column: usize) -> Self {
        let mut classes = Self { table, column, numbers: FxHashMap::default(), words: Vec::new(), coded: Vec::new() };
        for segment in table.segments() {
            let coded = match &segment.columns()[column] {
                Column::Text(Words::Coded { list, .. }) => {
                    let mut numbers: Vec<u32> =
                        (0..list.len() as u32).map(|code| classes.intern(ValueRef::Text(list.word(code)))).collect();
                    numbers.push(classes.intern(ValueRef::Null));
                    Some(numbers)
                }
                _ => None,
            };
            classes.coded.push(coded);
        }
        classes
    }

    fn number(&mut self, row: Row) -> u32 {
        if let Some(numbers) = &self.coded[row.segment as usize]
            && let Some(code) = self.table.segment(row).code(self.column, row.row)
        {
            let last = numbers.len() - 1;
            return numbers[if code == NO_WORD { last } else { code as usize }];
        }
        self.intern(self.table.value(row, self.column))
    }

    fn intern(&mut self, value: ValueRef<'_>) -> u32 {
        let word = match value {
            ValueRef::Null => String::new(),
            ValueRef::Text(text) => format!("={text}"),
            other => format!("{other:?}"),
        };
        if let Some(number) = self.numbers.get(&word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.clone());
        self.numbers.insert(word, number);
        number
    }

    fn word(&self, number: u32) -> &str {
        &self.words[number as usize]
    }
}
