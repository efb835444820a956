//! The schema of a file, inferred from all its rows.
//!
//! A file's own types are believed where every value agrees with them. Where values of several types stand
//! in one column the column becomes the narrowest type that holds all of them without loss, at worst text,
//! and the report says so.

use crate::{
    domain::{
        calendar,
        feature::{Value, ValueRef},
        report::{Finding, Weight},
        schema::{Derived, Field, FieldType, Schema},
    },
    formats::Column,
};

/// Column names that the workspace's tables use themselves.
const TAKEN: [&str; 2] = ["fid", "geom"];
/// Whole numbers up to this are exact as double precision.
const EXACT_AS_REAL: u64 = 1 << 53;

/// What the values of one column are.
#[derive(Debug, Default, Clone)]
struct Seen {
    booleans: u64,
    integers: u64,
    reals: u64,
    texts: u64,
    dates: u64,
    datetimes: u64,
    /// Texts that are calendar days, and texts that are moments.
    day_texts: u64,
    moment_texts: u64,
    /// A whole number too large to be exact as a real.
    large_integer: bool,
}

impl Seen {
    fn observe(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Boolean(_) => self.booleans += 1,
            Value::Integer(number) => {
                self.integers += 1;
                self.large_integer |= number.unsigned_abs() > EXACT_AS_REAL;
            }
            Value::Real(_) => self.reals += 1,
            Value::Date(_) => self.dates += 1,
            Value::DateTime(_) => self.datetimes += 1,
            Value::Text(text) => {
                self.texts += 1;
                if self.texts == self.day_texts + 1 && day_of(text).is_some() {
                    self.day_texts += 1;
                } else if self.texts == self.moment_texts + 1 && moment_of(text).is_some() {
                    self.moment_texts += 1;
                }
            }
        }
    }

    /// The type that holds all values, and whether it had to widen to do so.
    fn settle(&self, declared: Option<FieldType>) -> (FieldType, bool) {
        let counts = [
            (FieldType::Boolean, self.booleans),
            (FieldType::Integer, self.integers),
            (FieldType::Real, self.reals),
            (FieldType::Text, self.texts),
            (FieldType::Date, self.dates),
            (FieldType::DateTime, self.datetimes),
        ];
        let present: Vec<FieldType> = counts.iter().filter(|(_, count)| *count > 0).map(|(kind, _)| *kind).collect();
        match (present.as_slice(), declared) {
            ([], declared) => (declared.unwrap_or(FieldType::Text), false),
            ([FieldType::Text], None) if self.day_texts == self.texts => (FieldType::Date, false),
            ([FieldType::Text], None) if self.moment_texts == self.texts => (FieldType::DateTime, false),
            ([one], declared) => {
                let whole_in_real = *one == FieldType::Integer && declared == Some(FieldType::Real);
                if whole_in_real && !self.large_integer {
                    return (FieldType::Real, false);
                }
                (*one, declared.is_some_and(|declared| declared != *one))
            }
            ([FieldType::Integer, FieldType::Real], declared) if !self.large_integer => {
                (FieldType::Real, declared.is_some_and(|declared| declared != FieldType::Real))
            }
            _ => (FieldType::Text, true),
        }
    }
}

/// Collects what the rows of a file hold.
#[derive(Debug, Default)]
pub(super) struct Inference {
    seen: Vec<Seen>,
}

impl Inference {
    pub(super) fn observe(&mut self, values: &[Value]) {
        if self.seen.len() < values.len() {
            self.seen.resize(values.len(), Seen::default());
        }
        for (seen, value) in self.seen.iter_mut().zip(values) {
            seen.observe(value);
        }
    }

    /// The schema, and what is to be told about it.
    pub(super) fn settle(mut self, columns: &[Column]) -> (Schema, Vec<Finding>) {
        self.seen.resize(columns.len(), Seen::default());
        let mut schema = Schema::default();
        let mut findings = Vec::new();
        for (number, (column, seen)) in columns.iter().zip(&self.seen).enumerate() {
            let (kind, widened) = seen.settle(column.declared);
            if widened {
                findings.push(mixed_types(&column.name, seen, kind));
            }
            let name = free_name(&column.name, number, &schema);
            let mut field = Field::new(&name, kind);
            if name != column.name {
                findings.push(renamed(&column.name, &name));
                field.title.clone_from(&column.name);
            }
            schema.fields.push(field);
        }
        (schema, findings)
    }
}

fn mixed_types(name: &str, seen: &Seen, kind: FieldType) -> Finding {
    let counts = [
        ("boolean", seen.booleans),
        ("integer", seen.integers),
        ("real", seen.reals),
        ("text", seen.texts),
        ("date", seen.dates),
        ("datetime", seen.datetimes),
    ];
    let list: Vec<String> =
        counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    let message = format!("column {name:?} holds {}: stored as {}", list.join(", "), kind.as_str());
    Finding { row: None, id: None, weight: Weight::Note, fault: "mixed-types".into(), place: None, message }
}

fn renamed(from: &str, to: &str) -> Finding {
    let message = format!(
        "column {from:?} is stored as {to:?}: the name is empty, already taken, or one that the workspace derives itself"
    );
    Finding { row: None, id: None, weight: Weight::Note, fault: "column-renamed".into(), place: None, message }
}

/// The name as it is where a table can have it, else the nearest one that is free.
fn free_name(name: &str, number: usize, schema: &Schema) -> String {
    let is_free = |candidate: &str| {
        let lower = candidate.to_lowercase();
        !TAKEN.contains(&lower.as_str())
            && Derived::named(&lower).is_none()
            && schema.fields.iter().all(|field| field.name.to_lowercase() != lower)
    };
    let trimmed = name.trim_matches('\0');
    if trimmed.is_empty() {
        return (number + 1..usize::MAX).map(|n| format!("column_{n}")).find(|n| is_free(n)).unwrap_or_default();
    }
    if is_free(trimmed) {
        return trimmed.to_owned();
    }
    let given = format!("{trimmed}_given");
    if is_free(&given) {
        return given;
    }
    (2..u32::MAX).map(|n| format!("{trimmed}_{n}")).find(|n| is_free(n)).unwrap_or(given)
}

/// A value as its column's type holds it. The inference makes sure that it can.
pub(super) fn convert(value: Value, kind: FieldType) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (FieldType::Real, Value::Integer(number)) => Value::Real(number as f64),
        (FieldType::Date, Value::Text(text)) => day_of(&text).map_or(Value::Text(text), Value::Date),
        (FieldType::DateTime, Value::Text(text)) => moment_of(&text).map_or(Value::Text(text), Value::DateTime),
        (FieldType::Text, value @ Value::Text(_)) => value,
        (FieldType::Text, value) => Value::Text(as_text(value.view())),
        (_, value) => value,
    }
}

/// A value as text, so that nothing of it is lost.
fn as_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Boolean(truth) => truth.to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Date(day) => calendar::date_text(day),
        ValueRef::DateTime(moment) => calendar::date_time_text(moment),
    }
}

/// The day that a text names, where the day is written back as the same text.
fn day_of(text: &str) -> Option<i32> {
    calendar::parse_date(text).ok().filter(|day| calendar::date_text(*day) == text)
}

/// The moment that a text names, where the moment is written back as the same text (in UTC, that is).
fn moment_of(text: &str) -> Option<i64> {
    calendar::parse_date_time(text).ok().filter(|moment| calendar::date_time_text(*moment) == text)
}
