//! Typed columns of a segment: one array for a property, so that a scan touches what it needs and no more.

use crate::domain::{
    feature::ValueRef,
    schema::{FieldType, Schema},
};

use super::{
    order::{Place, gathered},
    words::{Words, WordsBuilder},
};

/// Marks a row without a day.
pub(super) const NO_DAY: i32 = i32::MIN;
/// Marks a row without a moment.
pub(super) const NO_MOMENT: i64 = i64::MIN;
/// Marks a row without a truth value.
const NO_TRUTH: u8 = 2;

/// The values of one property, one for each row.
#[derive(Debug, Clone)]
pub enum Column {
    /// 0, 1, or 2 for none.
    Boolean(Vec<u8>),
    /// Whole numbers.
    Integer(Integers),
    /// Numbers; NaN for none (stored values are finite).
    Real(Vec<f64>),
    /// Text.
    Text(Words),
    /// Days since 1970-01-01; the least value for none.
    Date(Vec<i32>),
    /// Milliseconds since 1970-01-01T00:00:00Z; the least value for none.
    DateTime(Vec<i64>),
}

/// Whole numbers, some absent.
#[derive(Debug, Clone, Default)]
pub struct Integers {
    values: Vec<i64>,
    /// Rows without a value, ascending.
    absent: Vec<u32>,
}

impl Integers {
    /// The numbers of all rows; of one without a value it means nothing.
    pub(super) fn values(&self) -> &[i64] {
        &self.values
    }

    /// Rows without a value, ascending.
    pub(super) fn absent(&self) -> &[u32] {
        &self.absent
    }

    /// The number of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<i64> {
        if !self.absent.is_empty() && self.absent.binary_search(&(row as u32)).is_ok() {
            return None;
        }
        Some(self.values[row])
    }

    fn gathered(parts: &[Self], order: &[Place]) -> Self {
        let mut all = Self { values: Vec::with_capacity(order.len()), absent: Vec::new() };
        for (place, row) in order.iter().zip(0..) {
            let number = parts[place.part as usize].at(place.row as usize);
            if number.is_none() {
                all.absent.push(row);
            }
            all.values.push(number.unwrap_or(0));
        }
        all
    }
}

impl Column {
    /// The value of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> ValueRef<'_> {
        match self {
            Self::Boolean(values) => match values[row] {
                NO_TRUTH => ValueRef::Null,
                truth => ValueRef::Boolean(truth == 1),
            },
            Self::Integer(values) => values.at(row).map_or(ValueRef::Null, ValueRef::Integer),
            Self::Real(values) if values[row].is_nan() => ValueRef::Null,
            Self::Real(values) => ValueRef::Real(values[row]),
            Self::Text(words) => words.at(row).map_or(ValueRef::Null, ValueRef::Text),
            Self::Date(values) if values[row] == NO_DAY => ValueRef::Null,
            Self::Date(values) => ValueRef::Date(values[row]),
            Self::DateTime(values) if values[row] == NO_MOMENT => ValueRef::Null,
            Self::DateTime(values) => ValueRef::DateTime(values[row]),
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Integer(values) => values.values.len() * 8 + values.absent.len() * 4,
            Self::Real(values) => values.len() * 8,
            Self::Text(words) => words.bytes(),
            Self::Date(values) => values.len() * 4,
            Self::DateTime(values) => values.len() * 8,
        }
    }
}

/// A value whose type is not its column's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column:?} holds {wanted}, not {found}")]
pub struct WrongType {
    /// The column.
    pub column: String,
    /// The type of the column.
    pub wanted: &'static str,
    /// The value's type.
    pub found: String,
}

/// Collects a column.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Boolean(Vec<u8>),
    Integer(Integers),
    Real(Vec<f64>),
    Text(WordsBuilder),
    Date(Vec<i32>),
    DateTime(Vec<i64>),
}

impl ColumnBuilder {
    pub(super) fn all_of(schema: &Schema) -> Vec<Self> {
        schema.fields.iter().map(|field| Self::new(field.kind)).collect()
    }

    fn new(kind: FieldType) -> Self {
        match kind {
            FieldType::Boolean => Self::Boolean(Vec::new()),
            FieldType::Integer => Self::Integer(Integers::default()),
            FieldType::Real => Self::Real(Vec::new()),
            FieldType::Text => Self::Text(WordsBuilder::default()),
            FieldType::Date => Self::Date(Vec::new()),
            FieldType::DateTime => Self::DateTime(Vec::new()),
        }
    }

    /// Adds the next row's value; false where its type is another.
    pub(super) fn push(&mut self, value: ValueRef<'_>) -> bool {
        match (self, value) {
            (Self::Boolean(values), ValueRef::Boolean(truth)) => values.push(u8::from(truth)),
            (Self::Boolean(values), ValueRef::Null) => values.push(NO_TRUTH),
            (Self::Integer(column), ValueRef::Integer(number)) => column.values.push(number),
            (Self::Integer(column), ValueRef::Null) => {
                column.absent.push(column.values.len() as u32);
                column.values.push(0);
            }
            (Self::Real(values), ValueRef::Real(number)) => values.push(number),
            (Self::Real(values), ValueRef::Integer(number)) => values.push(number as f64),
            (Self::Real(values), ValueRef::Null) => values.push(f64::NAN),
            (Self::Text(words), ValueRef::Text(text)) => words.push(Some(text)),
            (Self::Text(words), ValueRef::Null) => words.push(None),
            (Self::Date(values), ValueRef::Date(day)) => values.push(day),
            (Self::Date(values), ValueRef::Null) => values.push(NO_DAY),
            (Self::DateTime(values), ValueRef::DateTime(moment)) => values.push(moment),
            (Self::DateTime(values), ValueRef::Null) => values.push(NO_MOMENT),
            _ => return false,
        }
        true
    }

    /// The column of rows from several parts, all of one type, in a given order.
    pub(super) fn gathered(parts: Vec<Self>, order: &[Place]) -> Column {
        fn held<T>(parts: Vec<ColumnBuilder>, take: impl Fn(ColumnBuilder) -> Option<T>) -> Vec<T> {
            parts.into_iter().filter_map(take).collect()
        }
        macro_rules! parts_of {
            ($kind:ident) => {
                held(parts, |part| if let Self::$kind(held) = part { Some(held) } else { None })
            };
        }
        match parts.first() {
            Some(Self::Boolean(_)) | None => Column::Boolean(gathered(&parts_of!(Boolean), order)),
            Some(Self::Integer(_)) => Column::Integer(Integers::gathered(&parts_of!(Integer), order)),
            Some(Self::Real(_)) => Column::Real(gathered(&parts_of!(Real), order)),
            Some(Self::Text(_)) => Column::Text(WordsBuilder::gathered(parts_of!(Text), order)),
            Some(Self::Date(_)) => Column::Date(gathered(&parts_of!(Date), order)),
            Some(Self::DateTime(_)) => Column::DateTime(gathered(&parts_of!(DateTime), order)),
        }
    }
}
