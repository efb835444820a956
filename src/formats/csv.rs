//! CSV: an id, the columns, the geometry as WKT, east first. Written only, quoted by RFC 4180, in UTF-8 or, for
//! spreadsheets of old, GBK.
//!
//! Question: why are there two kinds? For a spreadsheet UTF-8 begins with a byte order mark, without which Excel
//! shows Chinese as mojibake, and text that it would run as a formula (`=cmd|…`) gets an apostrophe in front,
//! which is told. For programs text must be exactly what is stored, and a mark would become part of the first
//! name: [`Target::exact_text`]. A file is for a spreadsheet unless it is said otherwise, an answer of the API is
//! exact unless it is asked for otherwise (`excel=true`): neither is altered without being told.
//!
//! Question: why not the writer of the `csv` crate? It looks for a quotation mark through all that is left of a field
//! whenever its buffer is full: a geometry of 200 MB took hours. It reads what we write in tests.
//!
//! Source: RFC 4180; OGC 06-103r4 §7 (WKT); OWASP, "CSV Injection".

use std::{
    borrow::Cow,
    io::{self, BufWriter, Write},
};

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
    let refused = |error: io::Error| refused_by_system(&target.path, error);
    let decimals = target.decimals();
    let mut cells = Cells { encoding, exact: target.exact_text, escaped: 0 };
    let mut features_written = 0;
    let mut table = Table { out: BufWriter::new(out), begun: false };
    if encoding == UTF_8 && !target.exact_text {
        table.out.write_all(b"\xEF\xBB\xBF").map_err(refused)?;
    }
    for name in header_of(layer) {
        let cell = cells.text(&name).map_err(|what| FormatError::Unencodable(format!("column {name:?}: {what}")))?;
        table.field(&cell).map_err(refused)?;
    }
    table.end_line().map_err(refused)?;
    for feature in target.until_stopped(features) {
        let wkt = match feature.shape {
            Some(shape) => wkt_of(target.place(shape)?.view(), decimals),
            None => String::new(),
        };
        table.field(wkt.as_bytes()).map_err(refused)?;
        table.field(itoa::Buffer::new().format(feature.id).as_bytes()).map_err(refused)?;
        for (field, value) in layer.schema.fields.iter().zip(&feature.values) {
            let cell = cells.cell(*value).map_err(|what| {
                FormatError::Unencodable(format!("feature {}, column {:?}: {what}", feature.id, field.name))
            })?;
            table.field(&cell).map_err(refused)?;
        }
        table.end_line().map_err(refused)?;
        features_written += 1;
    }
    table.out.flush().map_err(refused)?;
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

/// Cells and lines as RFC 4180 has them.
struct Table<W: Write> {
    out: BufWriter<W>,
    /// Whether the line has a cell.
    begun: bool,
}

impl<W: Write> Table<W> {
    /// Writes one cell, in quotation marks where it needs them.
    fn field(&mut self, cell: &[u8]) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.write_all(b",")?;
        }
        if !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
            return self.out.write_all(cell);
        }
        self.out.write_all(b"\"")?;
        for piece in cell.split_inclusive(|byte| *byte == b'"') {
            self.out.write_all(piece)?;
            if piece.ends_with(b"\"") {
                self.out.write_all(b"\"")?;
            }
        }
        self.out.write_all(b"\"")
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.begun = false;
        self.out.write_all(b"\r\n")
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(lines: &[Vec<String>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut table = Table { out: BufWriter::new(&mut bytes), begun: false };
        for line in lines {
            for cell in line {
                table.field(cell.as_bytes()).expect("memory takes all");
            }
            table.end_line().expect("memory takes all");
        }
        drop(table);
        bytes
    }

    proptest! {
        #[test]
        fn any_cells_are_read_back_by_another_as_they_were(
            lines in prop::collection::vec(prop::collection::vec("[a\",;'\r\n 亩=]{0,9}", 3), 1..5),
        ) {
            let bytes = written(&lines);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            let read: Vec<Vec<String>> =
                reader.records().map(|line| line.expect("a line").iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(read, lines);
        }
    }
}
