//! Writing the table of a shapefile.
//!
//! Widths stand in the header, before the rows, but only the rows tell them: cells go to a temporary file first.
//! Every number is written so that it reads back the same; text longer than a column can be is cut at a character
//! and counted.
//!
//! Source: "Xbase File Format Description" (Bachmann); widths as GDAL and QGIS accept them.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek, SeekFrom, Write},
};

use encoding_rs::Encoding;

use crate::domain::{
    calendar,
    feature::ValueRef,
    schema::{FieldType, Schema},
};

use super::super::encoded;

/// Bytes that a text column can have.
const WIDEST: usize = 254;
/// Columns that a table can have.
const MOST_COLUMNS: usize = 255;
/// Bytes that a table may have: beyond, many readers stop.
const LARGEST: u64 = i32::MAX as u64;
/// Bytes of a field name.
const NAME_WIDTH: usize = 10;

/// Why a table cannot be written.
#[derive(Debug)]
pub enum Refusal {
    /// The disk.
    Io(io::Error),
    /// What the format cannot hold at all.
    Request(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A column being written.
#[derive(Debug)]
struct Column {
    /// The name in the layer.
    given: String,
    name: Vec<u8>,
    kind: FieldType,
    width: usize,
    decimals: usize,
    cut: u64,
    blank_ends: u64,
    beyond: u64,
}

/// A table whose rows are being collected.
#[derive(Debug)]
pub struct Cells {
    encoding: &'static Encoding,
    columns: Vec<Column>,
    spool: BufWriter<File>,
    rows: u32,
    losses: Vec<String>,
}

impl Cells {
    /// Begins a table; names that do not fit are shortened, and that is told.
    pub fn new(schema: &Schema, encoding: &'static Encoding) -> Result<Self, Refusal> {
        if schema.fields.len() > MOST_COLUMNS {
            return Err(Refusal::Request(format!(
                "the layer has {} columns, a shapefile at most {MOST_COLUMNS}: use GeoPackage",
                schema.fields.len()
            )));
        }
        let mut cells = Self {
            encoding,
            columns: Vec::new(),
            spool: BufWriter::new(tempfile::tempfile()?),
            rows: 0,
            losses: Vec::new(),
        };
        for field in &schema.fields {
            let name = cells.name_for(&field.name)?;
            let shown = encoding.decode_without_bom_handling(&name).0;
            if shown != field.name.as_str() {
                cells
                    .losses
                    .push(format!("the column {:?} is called {shown:?}: names have {NAME_WIDTH} bytes", field.name));
            }
            cells.columns.push(Column {
                given: field.name.clone(),
                name,
                kind: field.kind,
                width: 1,
                decimals: 0,
                cut: 0,
                blank_ends: 0,
                beyond: 0,
            });
        }
        Ok(cells)
    }

    /// A name of at most ten bytes that no column before has, in any case.
    fn name_for(&self, given: &str) -> Result<Vec<u8>, Refusal> {
        encoded(given, self.encoding).map_err(|what| Refusal::Request(format!("column {given:?}: {what}")))?;
        let mut name = self.shortened(given, "");
        let mut next = 1;
        while self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            name = self.shortened(given, &format!("_{next}"));
            next += 1;
        }
        Ok(name)
    }

    /// As many whole characters as fit before an ending.
    fn shortened(&self, given: &str, ending: &str) -> Vec<u8> {
        let mut name = Vec::new();
        for c in given.chars() {
            let bytes = self.encoding.encode(c.encode_utf8(&mut [0; 4])).0.into_owned();
            if name.len() + bytes.len() + ending.len() > NAME_WIDTH {
                break;
            }
            name.extend(bytes);
        }
        name.extend_from_slice(ending.as_bytes());
        name
    }

    /// Adds a row.
    pub fn push(&mut self, id: i64, values: &[ValueRef<'_>]) -> Result<(), Refusal> {
        for (column, value) in self.columns.iter_mut().zip(values) {
            let cell = cell_of(*value, column, self.encoding)
                .map_err(|what| Refusal::Request(format!("feature {id}, column {:?}: {what}", column.given)))?;
            column.width = column.width.max(cell.len());
            self.spool.write_all(&(cell.len() as u16).to_le_bytes())?;
            self.spool.write_all(&cell)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes the table; what it could not hold.
    pub fn finish(mut self, mut out: impl Write) -> Result<Vec<String>, Refusal> {
        // A table needs a column.
        let bare = self.columns.is_empty();
        for column in &mut self.columns {
            column.width = match column.kind {
                FieldType::Boolean => 1,
                FieldType::Date => 8,
                _ => column.width,
            };
        }
        let row_width = 1 + usize::from(bare) + self.columns.iter().map(|column| column.width).sum::<usize>();
        let head = 33 + 32 * (self.columns.len() + usize::from(bare));
        if head as u64 + u64::from(self.rows) * row_width as u64 > LARGEST {
            return Err(Refusal::Request("the table would have more than 2 GB: use GeoPackage".to_owned()));
        }
        out.write_all(&self.header(head as u16, row_width as u16))?;
        if bare {
            out.write_all(&descriptor(b"none", b'C', 1, 0))?;
        }
        for column in &self.columns {
            out.write_all(&column.descriptor())?;
        }
        out.write_all(&[0x0D])?;
        let spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut spool = BufReader::with_capacity(1 << 16, spool);
        spool.seek(SeekFrom::Start(0))?;
        let mut row = Vec::with_capacity(row_width);
        for _ in 0..self.rows {
            row.clear();
            row.resize(1 + usize::from(bare), b' ');
            for column in &self.columns {
                column.next_cell(&mut spool, &mut row)?;
            }
            out.write_all(&row)?;
        }
        out.write_all(&[0x1A])?;
        self.columns.iter().for_each(|column| column.tell(&mut self.losses));
        Ok(self.losses)
    }

    fn header(&self, head: u16, row_width: u16) -> [u8; 32] {
        let mut bytes = [0; 32];
        // dBASE III; the day of the last change is a fixed one, so that equal layers make equal files.
        bytes[..4].copy_from_slice(&[3, 95, 7, 26]);
        bytes[4..8].copy_from_slice(&self.rows.to_le_bytes());
        bytes[8..10].copy_from_slice(&head.to_le_bytes());
        bytes[10..12].copy_from_slice(&row_width.to_le_bytes());
        bytes[29] = language_of(self.encoding);
        bytes
    }
}

/// The language byte of an encoding; 0 where the list has none, as for UTF-8.
fn language_of(encoding: &'static Encoding) -> u8 {
    match encoding.name() {
        "GBK" | "gb18030" => 0x4D,
        "EUC-KR" => 0x4E,
        "Big5" => 0x4F,
        "Shift_JIS" => 0x13,
        "windows-1252" => 0x03,
        _ => 0,
    }
}

impl Column {
    fn descriptor(&self) -> [u8; 32] {
        let letter = match self.kind {
            FieldType::Boolean => b'L',
            FieldType::Integer | FieldType::Real => b'N',
            FieldType::Date => b'D',
            FieldType::Text | FieldType::DateTime => b'C',
        };
        let decimals = if self.kind == FieldType::Real { self.decimals.clamp(1, 15) } else { 0 };
        descriptor(&self.name, letter, self.width as u8, decimals as u8)
    }

    /// Moves a cell from the spool to a row, padded: numbers in front, text behind.
    fn next_cell(&self, spool: &mut impl io::Read, row: &mut Vec<u8>) -> io::Result<()> {
        let mut length = [0; 2];
        spool.read_exact(&mut length)?;
        let length = usize::from(u16::from_le_bytes(length));
        let padding = self.width - length;
        let in_front = matches!(self.kind, FieldType::Integer | FieldType::Real);
        if in_front {
            row.resize(row.len() + padding, b' ');
        }
        spool.take(length as u64).read_to_end(row)?;
        if !in_front {
            let blank = if self.kind == FieldType::Boolean { b'?' } else { b' ' };
            row.resize(row.len() + padding, blank);
        }
        Ok(())
    }

    fn tell(&self, losses: &mut Vec<String>) {
        let name = &self.given;
        if self.kind == FieldType::DateTime {
            losses.push(format!("a shapefile has no moments: {name:?} is written as text"));
        }
        if self.cut > 0 {
            losses.push(format!("{} texts of {name:?} have more than {WIDEST} bytes and are cut there", self.cut));
        }
        if self.blank_ends > 0 {
            losses.push(format!(
                "{} texts of {name:?} are empty, end in blanks or hold a zero byte, which a shapefile does not keep",
                self.blank_ends
            ));
        }
        if self.beyond > 0 {
            losses
                .push(format!("{} days of {name:?} are outside the years 0000 to 9999 and are left out", self.beyond));
        }
        if self.kind == FieldType::Integer && self.width > 18 {
            losses
                .push(format!("{name:?} holds numbers of more than 18 digits, which many readers of shapefiles round"));
        }
    }
}

fn descriptor(name: &[u8], letter: u8, width: u8, decimals: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name);
    bytes[11] = letter;
    bytes[16] = width;
    bytes[17] = decimals;
    bytes
}

/// The bytes of a value; an error says what cannot be written.
fn cell_of(value: ValueRef<'_>, column: &mut Column, encoding: &'static Encoding) -> Result<Vec<u8>, String> {
    Ok(match value {
        ValueRef::Null => Vec::new(),
        ValueRef::Boolean(v) => vec![if v { b'T' } else { b'F' }],
        ValueRef::Integer(v) => v.to_string().into_bytes(),
        ValueRef::Real(v) => real_text(v, column).into_bytes(),
        ValueRef::Date(days) => {
            let text = calendar::date_text(days);
            if text.len() == 10 {
                text.bytes().filter(|byte| *byte != b'-').collect()
            } else {
                column.beyond += 1;
                Vec::new()
            }
        }
        ValueRef::DateTime(ms) => calendar::date_time_text(ms).into_bytes(),
        ValueRef::Text(v) => {
            column.blank_ends += u64::from(v.is_empty() || v.ends_with(' ') || v.contains('\0'));
            fitted(v, column, encoding)?
        }
    })
}

/// A number in plain digits where that is short, else with an exponent; it reads back the same either way.
fn real_text(v: f64, column: &mut Column) -> String {
    let size = v.abs();
    let text = if v == 0.0 || (1e-6..1e15).contains(&size) { format!("{v:?}") } else { format!("{v:e}") };
    if !text.contains('e') {
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        column.decimals = column.decimals.max(decimals);
    }
    text
}

fn fitted(text: &str, column: &mut Column, encoding: &'static Encoding) -> Result<Vec<u8>, String> {
    let bytes = encoded(text, encoding)?;
    if bytes.len() <= WIDEST {
        return Ok(bytes.into_owned());
    }
    column.cut += 1;
    let mut kept = Vec::with_capacity(WIDEST);
    for c in text.chars() {
        let bytes = encoding.encode(c.encode_utf8(&mut [0; 4])).0.into_owned();
        if kept.len() + bytes.len() > WIDEST {
            break;
        }
        kept.extend(bytes);
    }
    Ok(kept)
}
