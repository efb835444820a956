//! Taking a stream of JSON apart at its outermost joints, without reading what is inside.
//!
//! A value is copied as it stands, brackets and quotes counted and nothing else: whether it is JSON is for the
//! parser to say. Holds one value at a time, and knows the line and byte for messages.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::super::{FormatError, broken, refused_by_system};

/// The input and where it stands.
pub struct Input<'p> {
    inner: BufReader<File>,
    path: &'p Path,
    bytes: u64,
    lines: u64,
}

/// Where the end of a value is looked for.
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl<'p> Input<'p> {
    /// The beginning of a file.
    pub fn new(file: File, path: &'p Path) -> Self {
        Self { inner: BufReader::with_capacity(1 << 16, file), path, bytes: 0, lines: 1 }
    }

    /// Skips a byte order mark, and says so; refuses UTF-16.
    pub fn skip_mark(&mut self) -> Result<bool, FormatError> {
        match self.filled()? {
            [0xEF, 0xBB, 0xBF, ..] => {
                self.consume(3);
                Ok(true)
            }
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'{', ..] | [b'{', 0, ..] => {
                Err(broken(self.path, "is UTF-16: GeoJSON is UTF-8; save it as UTF-8"))
            }
            _ => Ok(false),
        }
    }

    /// Skips what may stand between two documents; false at the end of the file.
    pub fn next_document(&mut self) -> Result<bool, FormatError> {
        // RFC 8142 puts a record separator before each document.
        while let Some(0x1E) = self.peek()? {
            self.consume(1);
        }
        Ok(self.peek()?.is_some())
    }

    /// Takes a byte, which must be the one.
    pub fn expect(&mut self, byte: u8, what: &str) -> Result<(), FormatError> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.consume(1);
                Ok(())
            }
            found => Err(self.unexpected(found, what)),
        }
    }

    /// Takes a closing bracket if it comes next; whether it did not.
    pub fn unless(&mut self, close: u8) -> Result<bool, FormatError> {
        let closes = self.peek()? == Some(close);
        self.consume(usize::from(closes));
        Ok(!closes)
    }

    /// Takes a comma or a closing bracket; whether it was the comma.
    pub fn comma_or(&mut self, close: u8) -> Result<bool, FormatError> {
        match self.peek()? {
            Some(found) if found == b',' || found == close => {
                self.consume(1);
                Ok(found == b',')
            }
            found => Err(self.unexpected(found, "a comma or a closing bracket")),
        }
    }

    /// Copies the next value as it stands.
    pub fn value(&mut self, into: &mut Vec<u8>) -> Result<(), FormatError> {
        into.clear();
        let first = self.peek()?;
        if !first.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'{' | b'[' | b'"' | b'-')) {
            return Err(self.unexpected(first, "a value"));
        }
        let scalar = !matches!(first, Some(b'{' | b'[' | b'"'));
        let mut scan = Scan { depth: 0, in_string: false, escaped: false };
        loop {
            let chunk = self.filled()?;
            if chunk.is_empty() {
                return if scalar { Ok(()) } else { Err(self.unexpected(None, "the end of a value")) };
            }
            let end = if scalar { end_of_scalar(chunk) } else { scan.end_in(chunk) };
            let taken = end.unwrap_or(chunk.len());
            into.extend_from_slice(&chunk[..taken]);
            self.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// A value as text.
    pub fn text<'v>(&self, value: &'v [u8], rows: u64) -> Result<&'v str, FormatError> {
        std::str::from_utf8(value)
            .map_err(|error| self.broken(&format!("{error}; GeoJSON is UTF-8, convert the file"), rows))
    }

    /// An error at the place of the input.
    pub fn broken(&self, what: &str, rows: u64) -> FormatError {
        // The parser counts lines from the beginning of a value, which helps nobody.
        let what = what.split(" at line ").next().unwrap_or_default();
        let (lines, bytes) = (self.lines, self.bytes);
        broken(self.path, format!("is not GeoJSON: {what} (line {lines}, byte {bytes}, after {rows} features)"))
    }

    fn unexpected(&self, found: Option<u8>, wanted: &str) -> FormatError {
        let (lines, bytes) = (self.lines, self.bytes);
        let what = match found {
            None => format!("is cut off at line {lines}, byte {bytes}: {wanted} should follow"),
            Some(byte) => {
                let found = char::from(byte).escape_default();
                format!("is not GeoJSON: '{found}' where {wanted} should stand (line {lines}, byte {bytes})")
            }
        };
        broken(self.path, what)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>, FormatError> {
        loop {
            match self.filled()?.first().copied() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.consume(1),
                found => return Ok(found),
            }
        }
    }

    fn filled(&mut self) -> Result<&[u8], FormatError> {
        self.inner.fill_buf().map_err(|error| refused_by_system(self.path, error))
    }

    fn consume(&mut self, count: usize) {
        self.lines += self.inner.buffer()[..count].iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.bytes += count as u64;
        self.inner.consume(count);
    }
}

fn end_of_scalar(chunk: &[u8]) -> Option<usize> {
    chunk.iter().position(|byte| matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\r' | b'\n'))
}

impl Scan {
    /// The length of the rest of the value in a chunk, where it ends there.
    fn end_in(&mut self, chunk: &[u8]) -> Option<usize> {
        for (i, byte) in chunk.iter().enumerate() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if *byte == b'\\' {
                    self.escaped = true;
                } else if *byte == b'"' {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(i + 1);
                    }
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(i + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
