//! The order of features: by properties and at last by id, so that every page begins where the one before ended.
//!
//! Invariant: no two features are equal in an [`Order`], so a [`Position`] tells exactly what comes after it, also
//! when features before it have gone or come. Text is ordered by Unicode code point; no value comes last in either
//! direction.

use std::cmp::Ordering;

use crate::domain::{
    feature::{Value, ValueRef},
    layer::Layer,
    schema::{Derived, FieldType},
};

use super::{
    filter::Selection,
    table::{Row, Table},
};

/// What features are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Column(usize),
    Derived(Derived),
}

/// A key and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    by: By,
    descending: bool,
}

/// An order of a layer's features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    keys: Vec<Key>,
}

/// Why a text names no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The layer has no such property.
    #[error("{name:?} is no property of the layer; there are {known}")]
    UnknownProperty {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A property stands twice.
    #[error("{0:?} is named twice")]
    Repeated(String),
    /// More keys than anybody needs.
    #[error("at most {MOST_KEYS} properties may be named")]
    TooMany,
}

/// Most keys of an order.
pub const MOST_KEYS: usize = 8;

/// Where in an order a page ended: the values of its last feature's keys, and its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// A value for each key of the order.
    pub values: Vec<Value>,
    /// The id.
    pub id: i64,
}

impl Order {
    /// Reads `name`, `+name` or `-name`, separated by commas (OGC 24-030, `sortby`).
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn parse(text: &str, layer: &Layer) -> Result<Self, OrderError> {
        let mut keys: Vec<Key> = Vec::new();
        for part in text.split(',') {
            // A plus sign in a query is a space where it was not escaped.
            let (name, descending) = match part.trim().strip_prefix('-') {
                Some(name) => (name, true),
                None => (part.trim().trim_start_matches('+'), false),
            };
            let by = layer.schema.position(name).map(By::Column);
            let by = by.or_else(|| layer.derived(name).map(By::Derived));
            let by = by.ok_or_else(|| OrderError::UnknownProperty { name: name.to_owned(), known: known(layer) })?;
            if keys.iter().any(|key| key.by == by) {
                return Err(OrderError::Repeated(name.to_owned()));
            }
            keys.push(Key { by, descending });
        }
        if keys.len() > MOST_KEYS { Err(OrderError::TooMany) } else { Ok(Self { keys }) }
    }

    /// Whether features are ordered by their ids alone.
    #[must_use]
    pub fn is_by_id(&self) -> bool {
        self.keys.is_empty()
    }

    /// Where a feature stands.
    #[must_use]
    pub fn position(&self, table: &Table, row: Row) -> Position {
        let values = self.keys.iter().map(|key| key.by.value(table, row).to_value()).collect();
        Position { values, id: table.id(row) }
    }

    /// Whether a position has a value of the right type for each key.
    #[must_use]
    pub fn admits(&self, position: &Position, layer: &Layer) -> bool {
        let fits = |(key, value): (&Key, &Value)| value.kind().is_none_or(|kind| kind == key.by.kind(layer));
        position.values.len() == self.keys.len() && self.keys.iter().zip(&position.values).all(fits)
    }

    /// The first `limit` of some features (of all, where there is no selection) that come after a position.
    #[must_use]
    pub fn first(&self, table: &Table, among: Option<&Selection>, after: Option<&Position>, limit: usize) -> Vec<Row> {
        if self.is_by_id() {
            return first_by_id(table, among, after.map_or(i64::MIN, |position| position.id), limit);
        }
        let is_after = |row: &Row| after.is_none_or(|position| self.compare_to(table, *row, position).is_gt());
        let mut rows: Vec<Row> = match among {
            Some(selection) => selection.rows().filter(is_after).collect(),
            None => table.rows().filter(is_after).collect(),
        };
        keep_first(&mut rows, limit, |a, b| self.compare(table, *a, *b));
        rows
    }

    fn compare(&self, table: &Table, a: Row, b: Row) -> Ordering {
        let by_keys = self.keys.iter().map(|key| key.compare(key.by.value(table, a), key.by.value(table, b)));
        by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| table.id(a).cmp(&table.id(b)))
    }

    fn compare_to(&self, table: &Table, row: Row, position: &Position) -> Ordering {
        let keys = self.keys.iter().zip(&position.values);
        let by_keys = keys.map(|(key, value)| key.compare(key.by.value(table, row), value.view()));
        by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| table.id(row).cmp(&position.id))
    }
}

/// The first features by id. Where many are selected it is cheaper to walk all ids and ask the selection.
fn first_by_id(table: &Table, among: Option<&Selection>, after: i64, limit: usize) -> Vec<Row> {
    let Some(selection) = among else { return table.rows_by_id(after).take(limit).collect() };
    let share = selection.len().max(1);
    if (limit.saturating_mul(table.len()) / share) < share {
        return table.rows_by_id(after).filter(|row| selection.contains(*row)).take(limit).collect();
    }
    table.first_by_id(selection.rows(), after, limit)
}

fn keep_first(rows: &mut Vec<Row>, limit: usize, compare: impl Fn(&Row, &Row) -> Ordering) {
    if rows.len() > limit {
        if limit > 0 {
            rows.select_nth_unstable_by(limit - 1, &compare);
        }
        rows.truncate(limit);
    }
    rows.sort_unstable_by(compare);
}

impl By {
    fn value(self, table: &Table, row: Row) -> ValueRef<'_> {
        match self {
            Self::Column(column) => table.value(row, column),
            Self::Derived(derived) => table.derived(row, derived),
        }
    }

    fn kind(self, layer: &Layer) -> FieldType {
        match self {
            Self::Column(column) => layer.schema.fields[column].kind,
            Self::Derived(_) => FieldType::Real,
        }
    }
}

impl Key {
    fn compare(self, a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
        use ValueRef::{Boolean, Date, DateTime, Integer, Null, Real, Text};
        let ascending = match (a, b) {
            (Null, Null) => Ordering::Equal,
            // No value comes last in either direction.
            (Null, _) => return Ordering::Greater,
            (_, Null) => return Ordering::Less,
            (Boolean(a), Boolean(b)) => a.cmp(&b),
            (Integer(a), Integer(b)) | (DateTime(a), DateTime(b)) => a.cmp(&b),
            (Real(a), Real(b)) => a.total_cmp(&b),
            (Text(a), Text(b)) => a.cmp(b),
            (Date(a), Date(b)) => a.cmp(&b),
            // A column holds one type.
            _ => Ordering::Equal,
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

/// The properties that a layer can be ordered by.
fn known(layer: &Layer) -> String {
    let stored = layer.schema.fields.iter().map(|field| field.name.as_str());
    let derived = Derived::ALL.iter().filter(|_| layer.geometry.has_areas()).map(|derived| derived.name());
    stored.chain(derived).collect::<Vec<&str>>().join(", ")
}
