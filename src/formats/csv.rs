//! CSV: an id, the columns, the geometry as WKT, east first. Written only, quoted by RFC 4180, in UTF-8 or, for
//! spreadsheets of old, GBK.
//!
//! Question: why are there two kinds? For a spreadsheet UTF-8 begins with a byte order mark, without which Excel
//! shows Chinese as mojibake, and text that it would run as a formula (`=cmd|…`) gets an apostrophe in front,
//! which is told. For programs text must be exactly what is stored, and a mark would become part of the first
//! name: [`Target::exact_text`]. A file is for a spreadsheet unless it is said otherwise, an answer of the API is
//! exact unless it is asked for otherwise (`excel=true`): neither is altered without being told.
//!
//! Source: RFC 4180; OGC 06-103r4 §7 (WKT); OWASP, "CSV Injection".

use std::{borrow::Cow, io::Write};

use encoding_rs::{Encoding, UTF_8};

use crate::{
    domain::{
        calendar,
        feature::{FeatureRef, ValueRef},
        layer::Layer,
    },
    ground::wkt::wkt_of,
};

use super::{
    FormatError, Streaming, Target, Written, beside::written_beside, encoded, refused_by_system, writable_encoding,
};

/// How CSV is written without a file.
pub const STREAMING: Streaming = Streaming { write: stream, losses };

/// Writes a table with a header line.
///
/// # Errors
/// [`FormatError::Io`], [`FormatError::Misplaced`] for a place that the target's CRS cannot hold, or
/// [`FormatError::Unencodable`] for a text that its encoding cannot.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    written_beside(target, |out| stream(out, target, layer, features))
}

/// Writes the table from front to back.
///
/// # Errors
/// As [`write`].
fn stream(
    out: &mut dyn Write,
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let encoding = writable_encoding(target, "CSV")?;
    let refused = |error: ::csv::Error| refused_by_system(&target.path, error.into());
    let decimals = target.decimals();
    let mut cells = Cells { encoding, exact: target.exact_text, escaped: 0 };
    let mut features_written = 0;
    if encoding == UTF_8 && !target.exact_text {
        out.write_all(b"\xEF\xBB\xBF").map_err(|error| refused_by_system(&target.path, error))?;
    }
    let mut table = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    for name in header_of(layer) {
        let cell = cells.text(&name).map_err(|what| FormatError::Unencodable(format!("column {name:?}: {what}")))?;
        table.write_field(cell).map_err(refused)?;
    }
    table.write_record(None::<&[u8]>).map_err(refused)?;
    for feature in target.until_stopped(features) {
        let wkt = match feature.shape {
            Some(shape) => wkt_of(target.place(shape)?.view(), decimals),
            None => String::new(),
        };
        table.write_field(wkt).map_err(refused)?;
        table.write_field(itoa::Buffer::new().format(feature.id)).map_err(refused)?;
        for (field, value) in layer.schema.fields.iter().zip(&feature.values) {
            let cell = cells.cell(*value).map_err(|what| {
                FormatError::Unencodable(format!("feature {}, column {:?}: {what}", feature.id, field.name))
            })?;
            table.write_field(cell).map_err(refused)?;
        }
        table.write_record(None::<&[u8]>).map_err(refused)?;
        features_written += 1;
    }
    table.flush().map_err(|error| refused_by_system(&target.path, error))?;
    let mut losses = losses(target, layer);
    if cells.escaped > 0 {
        losses.push(format!(
            "{} texts begin with = + - @ or a control character and would run as formulas in a spreadsheet: \
             an apostrophe stands before each",
            cells.escaped
        ));
    }
    Ok(Written { features: features_written, losses })
}

/// What CSV cannot hold of any layer.
fn losses(target: &Target, _: &Layer) -> Vec<String> {
    vec![format!(
        "CSV has neither types nor a CRS: the coordinates are in {}, east first; empty text and no value look the same",
        target.crs
    )]
}

/// `WKT`, an id and the columns; names that are taken by a column get a `_` behind.
fn header_of(layer: &Layer) -> Vec<String> {
    let taken = |name: &str| layer.schema.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let ours = ["WKT", "id"].map(|name| {
        let mut name = name.to_owned();
        while taken(&name) {
            name.push('_');
        }
        name
    });
    ours.into_iter().chain(layer.schema.fields.iter().map(|field| field.name.clone())).collect()
}

/// How values become cells.
struct Cells {
    encoding: &'static Encoding,
    exact: bool,
    escaped: u64,
}

impl Cells {
    /// The bytes of a value; an error says what cannot be written.
    fn cell<'v>(&mut self, value: ValueRef<'v>) -> Result<Cow<'v, [u8]>, String> {
        let plain = |text: String| Ok(Cow::Owned(text.into_bytes()));
        match value {
            ValueRef::Null => Ok(Cow::Borrowed(b"")),
            ValueRef::Boolean(v) => Ok(Cow::Borrowed(if v { b"true" } else { b"false" })),
            ValueRef::Integer(v) => plain(itoa::Buffer::new().format(v).to_owned()),
            ValueRef::Real(v) => plain(ryu::Buffer::new().format(v).to_owned()),
            ValueRef::Text(v) => self.text(v),
            ValueRef::Date(days) => plain(calendar::date_text(days)),
            ValueRef::DateTime(ms) => plain(calendar::date_time_text(ms)),
        }
    }

    /// A text, as it is or so that no spreadsheet takes it for a formula.
    fn text<'v>(&mut self, text: &'v str) -> Result<Cow<'v, [u8]>, String> {
        if !self.exact && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
            self.escaped += 1;
            return encoded(&format!("'{text}"), self.encoding).map(|bytes| Cow::Owned(bytes.into_owned()));
        }
        encoded(text, self.encoding)
    }
}
