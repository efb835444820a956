//! Values of the properties that are grouped by, as small whole numbers.
//!
//! The words of a coded column are numbered once per segment, whatever the number of rows; other columns
//! are numbered row by row.

use rustc_hash::FxHashMap;

use crate::{
    domain::{
        feature::{Value, ValueRef},
        layer::Layer,
        schema::Derived,
    },
    engine::{
        column::Column,
        table::{Row, Segment, Table},
        words::Words,
    },
};

use super::StatsError;

/// A property to group by.
#[derive(Debug, Clone, Copy)]
enum Property {
    Column(usize),
    Derived(Derived),
}

/// A value as a key of a hash table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hashed {
    Boolean(bool),
    Integer(i64),
    Real(u64),
    Text(String),
    Date(i32),
    DateTime(i64),
}

impl Hashed {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        Some(match value {
            ValueRef::Null => return None,
            ValueRef::Boolean(v) => Self::Boolean(v),
            ValueRef::Integer(v) => Self::Integer(v),
            // Zero has two signs but is one number.
            ValueRef::Real(v) => Self::Real((v + 0.0).to_bits()),
            ValueRef::Text(v) => Self::Text(v.to_owned()),
            ValueRef::Date(v) => Self::Date(v),
            ValueRef::DateTime(v) => Self::DateTime(v),
        })
    }
}

/// The numbers of one property's values in one segment, times the property's stride.
#[derive(Debug)]
enum Numbers<'t> {
    /// By the codes of a coded column; a code beyond the end has no value, number 0.
    Coded { codes: &'t [u32], by_code: Vec<u64> },
    /// By row.
    Rows(Vec<u64>),
}

impl Numbers<'_> {
    fn of(&self, row: usize) -> u64 {
        match self {
            Self::Coded { codes, by_code } => by_code.get(codes[row] as usize).copied().unwrap_or(0),
            Self::Rows(numbers) => numbers[row],
        }
    }

    fn multiply(&mut self, stride: u64) {
        let (Self::Coded { by_code: numbers, .. } | Self::Rows(numbers)) = self;
        for number in numbers {
            *number *= stride;
        }
    }
}

/// All groups that properties can form, numbered.
#[derive(Debug)]
pub(super) struct Grouping<'t> {
    /// For each property its values; number 0 is no value.
    values: Vec<Vec<Value>>,
    /// For each segment the numbers of each property.
    numbers: Vec<Vec<Numbers<'t>>>,
    count: u64,
}

impl<'t> Grouping<'t> {
    /// The groups of properties, in their order. The names have been checked.
    pub(super) fn of(table: &'t Table, layer: &Layer, names: &[String]) -> Result<Self, StatsError> {
        let mut grouping =
            Self { values: Vec::new(), numbers: table.segments().iter().map(|_| Vec::new()).collect(), count: 1 };
        for name in names {
            let property = match (layer.derived(name), layer.schema.position(name)) {
                (Some(derived), _) => Property::Derived(derived),
                (None, column) => Property::Column(column.unwrap_or_default()),
            };
            grouping.add(table, property)?;
        }
        Ok(grouping)
    }

    fn add(&mut self, table: &'t Table, property: Property) -> Result<(), StatsError> {
        let mut list = ValueList { values: vec![Value::Null], numbers: FxHashMap::default() };
        let mut added: Vec<Numbers<'t>> =
            (0..table.segments().len()).map(|segment| list.number(table, segment, property)).collect();
        let stride = self.count;
        self.count = stride.checked_mul(list.values.len() as u64).ok_or(StatsError::TooManyGroups)?;
        for numbers in &mut added {
            numbers.multiply(stride);
        }
        self.numbers.iter_mut().zip(added).for_each(|(all, numbers)| all.push(numbers));
        self.values.push(list.values);
        Ok(())
    }

    /// The number of groups that could be.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The group of a row.
    pub(super) fn group(&self, row: Row) -> u64 {
        self.of_segment(row.segment as usize)(row.row as usize)
    }

    /// The group of each row of a segment.
    pub(super) fn of_segment(&self, segment: usize) -> impl Fn(usize) -> u64 + '_ {
        let numbers = &self.numbers[segment];
        move |row| match &numbers[..] {
            [] => 0,
            [one] => one.of(row),
            [one, two] => one.of(row) + two.of(row),
            all => all.iter().map(|numbers| numbers.of(row)).sum(),
        }
    }

    /// The values of a group.
    pub(super) fn key(&self, mut group: u64) -> Vec<Value> {
        let mut key = Vec::with_capacity(self.values.len());
        for values in &self.values {
            let count = values.len() as u64;
            key.push(values[(group % count) as usize].clone());
            group /= count;
        }
        key
    }
}

/// The distinct values of a property in order of first appearance.
struct ValueList {
    values: Vec<Value>,
    numbers: FxHashMap<Hashed, u64>,
}

impl ValueList {
    fn of(&mut self, value: ValueRef<'_>) -> u64 {
        let Some(key) = Hashed::of(value) else { return 0 };
        *self.numbers.entry(key).or_insert_with(|| {
            self.values.push(value.to_value());
            self.values.len() as u64 - 1
        })
    }

    fn number<'t>(&mut self, table: &'t Table, segment: usize, property: Property) -> Numbers<'t> {
        let held: &Segment = &table.segments()[segment];
        match property {
            Property::Column(column) => match &held.columns()[column] {
                Column::Text(Words::Coded { codes, list }) => {
                    let by_code = (0..list.len() as u32).map(|code| self.of(ValueRef::Text(list.word(code)))).collect();
                    Numbers::Coded { codes, by_code }
                }
                column => Numbers::Rows((0..held.len()).map(|row| self.of(column.at(row))).collect()),
            },
            Property::Derived(derived) => {
                let row = |row| Row { segment: segment as u32, row };
                Numbers::Rows((0..held.len() as u32).map(|at| self.of(table.derived(row(at), derived))).collect())
            }
        }
    }
}
