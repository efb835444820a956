//! Values in table cells: what the standard's column types hold, to and from our own values.
//!
//! Writing is strict (a value is of its column's type or refused); reading in a workspace is strict too, so
//! that a cell spoilt by another program is named and never becomes a wrong value.
//!
//! Source: OGC 12-128r18, table 1; dates are `YYYY-MM-DD`, moments `YYYY-MM-DDTHH:MM:SS.SSSZ`.

use geopackage_core::{
    datetime::{Date, DateTime},
    types::ColumnType,
};
use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef as Raw},
};

use crate::domain::{feature::ValueRef, schema::FieldType};

/// What is wrong with a value or with a cell.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CellError {
    /// The value is of another type than its column.
    #[error("a value of type {found} in a column of type {wanted}")]
    WrongType {
        /// The column's type.
        wanted: &'static str,
        /// The value's type.
        found: &'static str,
    },
    /// A number that is not finite.
    #[error("{given} is not a finite number")]
    NotFinite {
        /// The number.
        given: f64,
    },
    /// A day or moment outside the years 0 to 9999, or text that is none.
    #[error("{given:?} is not a {wanted} of the years 0 to 9999")]
    NotADate {
        /// The value as stored or given.
        given: String,
        /// `date` or `datetime`.
        wanted: &'static str,
    },
    /// A whole number that stands for neither true nor false.
    #[error("{given} is neither 0 nor 1 in a boolean column")]
    NotABoolean {
        /// The number.
        given: i64,
    },
    /// Bytes that are not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
}

/// The type that a column is declared with.
#[must_use]
pub fn column_type(kind: FieldType) -> ColumnType {
    match kind {
        FieldType::Boolean => ColumnType::Boolean,
        FieldType::Integer => ColumnType::Integer,
        FieldType::Real => ColumnType::Double,
        FieldType::Text => ColumnType::Text(None),
        FieldType::Date => ColumnType::Date,
        FieldType::DateTime => ColumnType::DateTime,
    }
}

/// Whether a value may stand in a column.
///
/// # Errors
/// [`CellError`] says why not.
pub fn admit(value: ValueRef<'_>, kind: FieldType) -> Result<(), CellError> {
    let found = match value {
        ValueRef::Null => return Ok(()),
        ValueRef::Boolean(_) => FieldType::Boolean,
        ValueRef::Integer(_) => FieldType::Integer,
        ValueRef::Real(v) if !v.is_finite() => return Err(CellError::NotFinite { given: v }),
        ValueRef::Real(_) => FieldType::Real,
        ValueRef::Text(_) => FieldType::Text,
        ValueRef::Date(days) => return date_text(days).and(same(kind, FieldType::Date)),
        ValueRef::DateTime(ms) => return moment_text(ms).and(same(kind, FieldType::DateTime)),
    };
    same(kind, found)
}

fn same(wanted: FieldType, found: FieldType) -> Result<(), CellError> {
    if wanted == found {
        return Ok(());
    }
    Err(CellError::WrongType { wanted: wanted.as_str(), found: found.as_str() })
}

/// A day as `YYYY-MM-DD`.
///
/// # Errors
/// [`CellError::NotADate`] outside the years 0 to 9999.
pub fn date_text(days: i32) -> Result<String, CellError> {
    let date = Date::from_days_since_epoch(days);
    let date = date.ok().ok_or_else(|| CellError::NotADate { given: format!("day {days}"), wanted: "date" })?;
    Ok(date.to_string())
}

/// A moment as `YYYY-MM-DDTHH:MM:SS.SSSZ`.
///
/// # Errors
/// [`CellError::NotADate`] outside the years 0 to 9999.
pub fn moment_text(ms: i64) -> Result<String, CellError> {
    let wrong = || CellError::NotADate { given: format!("millisecond {ms}"), wanted: "datetime" };
    let micros = ms.checked_mul(1000).ok_or_else(wrong)?;
    let moment = DateTime::from_micros_since_epoch(micros).ok().ok_or_else(wrong)?;
    Ok(moment.to_string())
}

/// The day that a text names.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    Date::parse(text).ok().map(Date::days_since_epoch)
}

/// The moment that a text names, in milliseconds, and whether digits below the millisecond were left out.
/// Text that does not say its offset from UTC names none.
#[must_use]
pub fn parse_moment(text: &str) -> Option<(i64, bool)> {
    let moment = DateTime::parse_lenient(text).ok()?;
    moment.offset_minutes?;
    let ms = moment.micros_since_epoch().ok()?.div_euclid(1000);
    Some((ms, !moment.nanosecond.is_multiple_of(1_000_000)))
}

/// A value on its way into a cell. It has been admitted.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a>(pub ValueRef<'a>);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let refused = |error: CellError| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
        Ok(match self.0 {
            ValueRef::Null => ToSqlOutput::Borrowed(Raw::Null),
            ValueRef::Boolean(v) => ToSqlOutput::Borrowed(Raw::Integer(i64::from(v))),
            ValueRef::Integer(v) => ToSqlOutput::Borrowed(Raw::Integer(v)),
            ValueRef::Real(v) => ToSqlOutput::Borrowed(Raw::Real(v)),
            ValueRef::Text(v) => ToSqlOutput::Borrowed(Raw::Text(v.as_bytes())),
            ValueRef::Date(v) => ToSqlOutput::from(date_text(v).map_err(refused)?),
            ValueRef::DateTime(v) => ToSqlOutput::from(moment_text(v).map_err(refused)?),
        })
    }
}

/// A cell of a column of known type.
///
/// # Errors
/// [`CellError`] where the cell holds something else: another program wrote it.
pub fn read(raw: Raw<'_>, kind: FieldType) -> Result<ValueRef<'_>, CellError> {
    Ok(match (kind, raw) {
        (_, Raw::Null) => ValueRef::Null,
        (FieldType::Boolean, Raw::Integer(v @ (0 | 1))) => ValueRef::Boolean(v == 1),
        (FieldType::Boolean, Raw::Integer(given)) => return Err(CellError::NotABoolean { given }),
        (FieldType::Integer, Raw::Integer(v)) => ValueRef::Integer(v),
        (FieldType::Real, Raw::Real(v)) if v.is_finite() => ValueRef::Real(v),
        (FieldType::Real, Raw::Real(given)) => return Err(CellError::NotFinite { given }),
        (FieldType::Text, Raw::Text(bytes)) => ValueRef::Text(text(bytes)?),
        (FieldType::Date, Raw::Text(bytes)) => ValueRef::Date(dated(bytes, "date", parse_date)?),
        (FieldType::DateTime, Raw::Text(bytes)) => {
            ValueRef::DateTime(dated(bytes, "datetime", |t| parse_moment(t).map(|(ms, _)| ms))?)
        }
        (_, other) => return Err(CellError::WrongType { wanted: kind.as_str(), found: storage_class(other) }),
    })
}

/// What the database calls the type of a cell.
#[must_use]
pub const fn storage_class(raw: Raw<'_>) -> &'static str {
    match raw {
        Raw::Null => "null",
        Raw::Integer(_) => "integer",
        Raw::Real(_) => "real",
        Raw::Text(_) => "text",
        Raw::Blob(_) => "binary",
    }
}

fn text(bytes: &[u8]) -> Result<&str, CellError> {
    std::str::from_utf8(bytes).ok().ok_or(CellError::NotUtf8)
}

fn dated<T>(bytes: &[u8], wanted: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, CellError> {
    let given = text(bytes)?;
    parse(given).ok_or_else(|| CellError::NotADate { given: given.to_owned(), wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_moments_are_written_as_the_standard_says() {
        assert_eq!(date_text(0).unwrap(), "1970-01-01");
        assert_eq!(date_text(-719_528).unwrap(), "0000-01-01");
        assert_eq!(date_text(2_932_896).unwrap(), "9999-12-31");
        assert!(date_text(2_932_897).is_err());
        assert_eq!(moment_text(-1).unwrap(), "1969-12-31T23:59:59.999Z");
        assert!(moment_text(i64::MAX).is_err());
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_moment("2026-07-24T12:34:56.789Z"), Some((1_784_896_496_789, false)));
        assert_eq!(parse_moment("2026-07-24 14:34:56.7899+02:00"), Some((1_784_896_496_789, true)));
        assert_eq!(parse_moment("2026-07-24 14:34:56"), None);
    }

    #[test]
    fn a_value_is_admitted_only_to_a_column_of_its_type() {
        assert_eq!(admit(ValueRef::Null, FieldType::Date), Ok(()));
        assert_eq!(admit(ValueRef::Integer(i64::MIN), FieldType::Integer), Ok(()));
        assert!(admit(ValueRef::Integer(1), FieldType::Real).is_err());
        assert!(admit(ValueRef::Text("1"), FieldType::Integer).is_err());
        assert!(admit(ValueRef::Real(f64::NAN), FieldType::Real).is_err());
        assert!(admit(ValueRef::Real(f64::NEG_INFINITY), FieldType::Real).is_err());
        assert!(admit(ValueRef::Date(i32::MAX), FieldType::Date).is_err());
        assert!(admit(ValueRef::DateTime(i64::MIN), FieldType::DateTime).is_err());
    }

    #[test]
    fn a_cell_that_another_program_spoilt_is_named() {
        assert_eq!(read(Raw::Integer(2), FieldType::Boolean), Err(CellError::NotABoolean { given: 2 }));
        assert_eq!(
            read(Raw::Text(b"abc"), FieldType::Real),
            Err(CellError::WrongType { wanted: "real", found: "text" })
        );
        assert_eq!(read(Raw::Text(b"\xff"), FieldType::Text), Err(CellError::NotUtf8));
        assert!(matches!(read(Raw::Text(b"31/12/2024"), FieldType::Date), Err(CellError::NotADate { .. })));
        assert!(read(Raw::Real(f64::INFINITY), FieldType::Real).is_err());
    }
}
