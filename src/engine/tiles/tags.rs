//! The properties of a tile's features as Mapbox Vector Tile has them: each value once in the layer, features naming it
//! by number.
//!
//! Properties are taken one after another, not feature by feature: values get their numbers in that order, so that a
//! tile which must leave a property out keeps the numbers of those before it, and the words of a coded column are found
//! by their code, without hashing.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use crate::{
    domain::{
        calendar::{date_text, date_time_text},
        feature::ValueRef,
    },
    engine::{
        column::Column,
        table::{Row, Table},
        words::{NO_WORD, WordList, Words},
    },
};

use super::{
    protobuf::{field_len, put_field, put_header, put_number, varint_len},
    recipe::Attribute,
};

/// The number of an absent value.
pub(super) const ABSENT: u32 = u32::MAX;
/// A coded column with more words is hashed where a tile has far fewer features.
const FEW_WORDS: usize = 1024;

/// Tells values of one type apart from those of another that have the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Boolean,
    Unsigned,
    Signed,
    Real,
    Date,
    DateTime,
}

/// The values of a layer so far.
#[derive(Debug)]
pub(super) struct Values<'t> {
    /// The `values` fields of the layer.
    pub(super) encoded: Vec<u8>,
    count: u32,
    texts: FxHashMap<Cow<'t, str>, u32>,
    others: FxHashMap<(Kind, u64), u32>,
}

impl<'t> Values<'t> {
    /// With room for about so many values.
    pub(super) fn with_room(count: usize) -> Self {
        let (mut texts, mut others) = (FxHashMap::default(), FxHashMap::default());
        texts.reserve(count);
        others.reserve(count);
        Self { encoded: Vec::with_capacity(count * 24), count: 0, texts, others }
    }

    /// The number of a value, which the layer has from now on; [`ABSENT`] for none.
    pub(super) fn number(&mut self, value: ValueRef<'t>) -> u32 {
        let (kind, bits) = match value {
            ValueRef::Null => return ABSENT,
            ValueRef::Text(text) => return self.text(Cow::Borrowed(text)),
            ValueRef::Boolean(truth) => (Kind::Boolean, u64::from(truth)),
            ValueRef::Integer(number) => (if number < 0 { Kind::Signed } else { Kind::Unsigned }, number as u64),
            ValueRef::Real(number) => (Kind::Real, number.to_bits()),
            ValueRef::Date(day) => (Kind::Date, day as u64),
            ValueRef::DateTime(moment) => (Kind::DateTime, moment as u64),
        };
        if let Some(number) = self.others.get(&(kind, bits)) {
            return *number;
        }
        let number = match value {
            ValueRef::Date(day) => self.text(Cow::Owned(date_text(day))),
            ValueRef::DateTime(moment) => self.text(Cow::Owned(date_time_text(moment))),
            _ => self.add_scalar(kind, bits),
        };
        self.others.insert((kind, bits), number);
        number
    }

    fn text(&mut self, text: Cow<'t, str>) -> u32 {
        if let Some(number) = self.texts.get(&text) {
            return *number;
        }
        put_header(&mut self.encoded, 4, field_len(text.len()));
        put_field(&mut self.encoded, 1, text.as_bytes());
        self.texts.insert(text, self.count);
        self.next()
    }

    fn add_scalar(&mut self, kind: Kind, bits: u64) -> u32 {
        let out = &mut self.encoded;
        match kind {
            Kind::Real => {
                put_header(out, 4, 9);
                out.push(3 << 3 | 1);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Kind::Signed => put_variable(out, 6, (bits << 1) ^ ((bits as i64) >> 63) as u64),
            Kind::Boolean => put_variable(out, 7, bits),
            Kind::Unsigned | Kind::Date | Kind::DateTime => put_variable(out, 5, bits),
        }
        self.next()
    }

    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count - 1
    }

    /// The numbers of a property's values on features; [`ABSENT`] for `None` and for features without a value.
    pub(super) fn of(&mut self, table: &'t Table, attribute: Attribute, rows: &[Option<Row>]) -> Vec<u32> {
        let column = match attribute {
            Attribute::Stored(column) => column,
            Attribute::Derived(derived) => {
                let number = |row: &Option<Row>| row.map_or(ABSENT, |row| self.number(table.derived(row, derived)));
                return rows.iter().map(number).collect();
            }
        };
        // For each segment whose words are coded the number of each, as far as they have one.
        let mut coded: Vec<Vec<u32>> = vec![Vec::new(); table.segments().len()];
        let number = |row: &Option<Row>| {
            let Some(row) = *row else { return ABSENT };
            match &table.segments()[row.segment as usize].columns()[column] {
                Column::Text(Words::Coded { codes, list }) if list.len() <= FEW_WORDS.max(rows.len()) => {
                    self.word(codes[row.row as usize], list, &mut coded[row.segment as usize])
                }
                other => self.number(other.at(row.row as usize)),
            }
        };
        rows.iter().map(number).collect()
    }

    fn word(&mut self, code: u32, list: &'t WordList, numbers: &mut Vec<u32>) -> u32 {
        if code == NO_WORD {
            return ABSENT;
        }
        if numbers.is_empty() {
            numbers.resize(list.len(), ABSENT);
        }
        let number = &mut numbers[code as usize];
        if *number == ABSENT {
            *number = self.text(Cow::Borrowed(list.word(code)));
        }
        *number
    }
}

/// Adds a value that is a number of variable length.
fn put_variable(out: &mut Vec<u8>, field: u8, number: u64) {
    put_header(out, 4, 1 + varint_len(number));
    put_number(out, field, number);
}
