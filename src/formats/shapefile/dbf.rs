//! Reading the table of a shapefile (`.dbf`, dBASE III to 5 and `FoxPro`'s number types).
//!
//! Question: why not the `dbase` crate? It stops at the first value that is not of its column's type, decodes field
//! names with the encoding of the rows only in part, and says nothing of deleted rows or of text cut in the
//! middle of a character. The format is a header and rows of fixed width.
//!
//! Source: "Xbase File Format Description" (Bachmann); GDAL's `dbfopen.c` for what exists in the wild.

use std::{
    fs::File,
    io::{BufReader, Read as _, Seek, SeekFrom},
    path::Path,
};

use encoding_rs::Encoding;

use crate::domain::{calendar, feature::Value, schema::FieldType};

use super::super::{FormatError, broken, open, refused_by_system, short_read};

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name, in the table's encoding.
    pub name: Vec<u8>,
    /// The letter of its type.
    pub kind: u8,
    /// Where it begins in a row.
    offset: usize,
    /// Its width in bytes.
    pub width: usize,
    /// Digits after the point, for numbers.
    pub decimals: u8,
}

/// A table being read.
#[derive(Debug)]
pub struct Table {
    /// Its columns.
    pub fields: Vec<Field>,
    /// Rows that the header claims and the file holds.
    pub count: u32,
    /// The language byte.
    pub language: u8,
    /// Whole rows after those that the header claims.
    pub beyond: u64,
    first: u64,
    input: BufReader<File>,
    row: Vec<u8>,
}

/// What a cell holds.
#[derive(Debug, PartialEq)]
pub enum Cell {
    /// A value, or none.
    Value(Value),
    /// Text whose last character the field was too short for; the rest of it.
    Cut(String),
    /// Text with bytes that are none of the encoding; they stand as U+FFFD.
    Mangled(String),
    /// A whole number of more than 64 bits.
    TooLarge(String),
    /// Something that is no value of the column's type, as text.
    Bad(String),
    /// A kind of column that is not read.
    Unread,
}

impl Table {
    /// Reads the header.
    ///
    /// # Errors
    /// [`FormatError::Broken`] where the header cannot be true.
    pub fn open(path: &Path, named: &Path) -> Result<Self, FormatError> {
        let wrong = |what: String| broken(named, format!("its .dbf {what}"));
        let short = |error| short_read(named, "its .dbf is cut off in its header", error);
        let (file, length) = open(path)?;
        let mut input = BufReader::with_capacity(1 << 16, file);
        let mut head = [0; 32];
        input.read_exact(&mut head).map_err(short)?;
        let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let first = u64::from(u16::from_le_bytes([head[8], head[9]]));
        let row_width = usize::from(u16::from_le_bytes([head[10], head[11]]));
        if first < 33 || first > length || row_width == 0 {
            return Err(wrong(format!("is no table: a header of {first} bytes, rows of {row_width}")));
        }
        let mut descriptors = vec![0; first as usize - 32];
        input.read_exact(&mut descriptors).map_err(short)?;
        let fields = fields_of(&descriptors, row_width).map_err(wrong)?;
        let held = (length - first) / row_width as u64;
        if u64::from(count) > held {
            return Err(wrong(format!("is cut off: its header claims {count} rows, it holds {held}")));
        }
        let beyond = held - u64::from(count);
        Ok(Self { fields, count, language: head[29], beyond, first, input, row: vec![0; row_width] })
    }

    /// Goes back to the first row.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn rewind(&mut self) -> std::io::Result<()> {
        self.input.seek(SeekFrom::Start(self.first)).map(|_| ())
    }

    /// Reads the next row; whether it is marked as deleted. Call it `count` times.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn advance(&mut self, path: &Path) -> Result<bool, FormatError> {
        self.input.read_exact(&mut self.row).map_err(|error| refused_by_system(path, error))?;
        Ok(self.row[0] == b'*')
    }

    /// The bytes of a column in the row at hand, without padding behind.
    #[must_use]
    pub fn bytes(&self, field: &Field) -> &[u8] {
        let bytes = &self.row[field.offset..field.offset + field.width];
        if field.kind == b'C' { text_of(bytes) } else { bytes }
    }

    /// The value of a column in the row at hand.
    #[must_use]
    pub fn cell(&self, field: &Field, encoding: &'static Encoding) -> Cell {
        let bytes = self.bytes(field);
        match field.kind {
            b'C' => text_cell(bytes, field.width, encoding),
            b'N' | b'F' => number_cell(bytes, field),
            b'D' => date_cell(bytes),
            b'L' => match bytes.first() {
                Some(b'T' | b't' | b'Y' | b'y' | b'1') => Cell::Value(Value::Boolean(true)),
                Some(b'F' | b'f' | b'N' | b'n' | b'0') => Cell::Value(Value::Boolean(false)),
                None | Some(b'?' | b' ' | 0) => Cell::Value(Value::Null),
                Some(_) => Cell::Bad(shown(bytes)),
            },
            b'I' | b'+' => match bytes.first_chunk() {
                Some(four) => Cell::Value(Value::Integer(i32::from_le_bytes(*four).into())),
                None => Cell::Unread,
            },
            b'O' | b'B' => match bytes.first_chunk().map(|eight| f64::from_le_bytes(*eight)) {
                Some(number) if field.width == 8 && number.is_finite() => Cell::Value(Value::Real(number)),
                _ => Cell::Unread,
            },
            _ => Cell::Unread,
        }
    }
}

impl Field {
    /// The type that the column declares; `None` where its rows decide.
    #[must_use]
    pub fn declared(&self) -> Option<FieldType> {
        match self.kind {
            b'C' => Some(FieldType::Text),
            b'D' => Some(FieldType::Date),
            b'L' => Some(FieldType::Boolean),
            // Eighteen digits always fit into 64 bits, nineteen may not.
            b'N' if self.decimals == 0 && self.width <= 18 => Some(FieldType::Integer),
            b'N' if self.decimals == 0 => None,
            b'N' | b'F' | b'O' | b'B' => Some(FieldType::Real),
            b'I' | b'+' => Some(FieldType::Integer),
            _ => None,
        }
    }
}

/// The columns of a header, up to its end mark.
fn fields_of(descriptors: &[u8], row_width: usize) -> Result<Vec<Field>, String> {
    let blocks = descriptors.chunks_exact(32).take_while(|block| block[0] != 0x0D);
    let described: Vec<&[u8]> = blocks.collect();
    let total = |wide: bool| described.iter().map(|block| width_of(block, wide)).sum::<usize>();
    // Clipper and `FoxPro` use the byte of the decimals as the upper half of a text's width.
    let wide = total(false) + 1 != row_width && total(true) + 1 == row_width;
    let needed = total(wide) + 1;
    if needed > row_width {
        return Err(format!("is broken: its columns need rows of {needed} bytes, its header says {row_width}"));
    }
    let mut offset = 1;
    let mut fields = Vec::with_capacity(described.len());
    for block in described {
        let name = block[..11].split(|byte| *byte == 0).next().unwrap_or_default();
        let width = width_of(block, wide);
        let decimals = if block[11] == b'C' { 0 } else { block[17] };
        fields.push(Field { name: text_of(name).to_vec(), kind: block[11], offset, width, decimals });
        offset += width;
    }
    Ok(fields)
}

fn width_of(block: &[u8], wide: bool) -> usize {
    let upper = if wide && block[11] == b'C' { usize::from(block[17]) << 8 } else { 0 };
    usize::from(block[16]) + upper
}

/// Text up to its end: a zero byte, or padding with blanks.
fn text_of(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &bytes[..end]
}

fn text_cell(bytes: &[u8], width: usize, encoding: &'static Encoding) -> Cell {
    if bytes.is_empty() {
        return Cell::Value(Value::Null);
    }
    let (text, mangled) = encoding.decode_without_bom_handling(bytes);
    if !mangled {
        return Cell::Value(Value::Text(text.into_owned()));
    }
    // A value that fills its field may have lost the rest of its last character.
    if bytes.len() == width {
        for cut in 1..4.min(bytes.len()) {
            let kept = &bytes[..bytes.len() - cut];
            if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(kept) {
                return Cell::Cut(text.into_owned());
            }
        }
    }
    Cell::Mangled(text.into_owned())
}

fn number_cell(bytes: &[u8], field: &Field) -> Cell {
    let text = text_of(bytes).trim_ascii();
    if text.is_empty() {
        return Cell::Value(Value::Null);
    }
    let Ok(text) = std::str::from_utf8(text) else { return Cell::Bad(shown(bytes)) };
    if let (b'N', 0, Ok(number)) = (field.kind, field.decimals, text.parse()) {
        return Cell::Value(Value::Integer(number));
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    match text.parse::<f64>() {
        // A whole number beyond 64 bits would lose digits as a fraction.
        Ok(_) if plain && !text.contains(['.', 'e', 'E']) && field.kind == b'N' && field.decimals == 0 => {
            Cell::TooLarge(text.to_owned())
        }
        Ok(number) if plain && number.is_finite() => Cell::Value(Value::Real(number)),
        _ => Cell::Bad(text.to_owned()),
    }
}

fn date_cell(bytes: &[u8]) -> Cell {
    let text = text_of(bytes).trim_ascii();
    if text.is_empty() || text.iter().all(|byte| *byte == b'0') {
        return Cell::Value(Value::Null);
    }
    let day = std::str::from_utf8(text).ok().filter(|text| text.len() == 8 && text.is_ascii()).and_then(|text| {
        calendar::parse_date(&format!("{}-{}-{}", text.get(..4)?, text.get(4..6)?, text.get(6..)?)).ok()
    });
    day.map_or_else(|| Cell::Bad(shown(bytes)), |day| Cell::Value(Value::Date(day)))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GBK, UTF_8};

    use super::*;

    fn number(text: &str, decimals: u8) -> Cell {
        let field = Field { name: vec![], kind: b'N', offset: 1, width: text.len(), decimals };
        number_cell(text.as_bytes(), &field)
    }

    #[test]
    fn numbers_are_whole_or_not_as_they_stand() {
        let value = |value| Cell::Value(value);
        assert_eq!(number("    12", 0), value(Value::Integer(12)));
        assert_eq!(number("-9223372036854775808", 0), value(Value::Integer(i64::MIN)));
        assert_eq!(number("9223372036854775808", 0), Cell::TooLarge("9223372036854775808".to_owned()));
        assert_eq!(number("12.5  ", 0), value(Value::Real(12.5)));
        assert_eq!(number("12", 3), value(Value::Real(12.0)));
        assert_eq!(number("1.5E+3", 3), value(Value::Real(1500.0)));
        assert_eq!(number("      ", 3), value(Value::Null));
        for text in ["******", "1,5", "nan", "inf", "1e999", "0x10", "--1"] {
            assert_eq!(number(text, 3), Cell::Bad(text.to_owned()));
        }
    }

    #[test]
    fn text_is_cut_or_mangled_only_with_a_word_about_it() {
        let (gbk, _, _) = GBK.encode("地块");
        assert_eq!(text_cell(&gbk, 10, GBK), Cell::Value(Value::Text("地块".to_owned())));
        assert_eq!(text_cell(&gbk[..3], 3, GBK), Cell::Cut("地".to_owned()));
        assert_eq!(text_cell(&"地块".as_bytes()[..5], 5, UTF_8), Cell::Cut("地".to_owned()));
        assert!(matches!(text_cell(&gbk, 10, UTF_8), Cell::Mangled(_)));
        assert_eq!(text_cell(b"", 10, UTF_8), Cell::Value(Value::Null));
    }

    #[test]
    fn days_that_the_calendar_lacks_are_no_values() {
        assert_eq!(date_cell(b"20240229"), Cell::Value(Value::Date(19_782)));
        assert_eq!(date_cell(b"00000000"), Cell::Value(Value::Null));
        assert_eq!(date_cell(b"        "), Cell::Value(Value::Null));
        assert_eq!(date_cell(b"20230229"), Cell::Bad("20230229".to_owned()));
        assert!(matches!(date_cell("2月3日".as_bytes()), Cell::Bad(_)));
    }
}
