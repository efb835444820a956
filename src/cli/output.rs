//! What the program says: results on standard output, everything else on standard error.

use std::io::{self, Write};

use serde_json::Value;

use super::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    Table,
    /// The JSON of the API
    Json,
    /// Comma-separated values
    Csv,
}

/// Writes a line for people beside the result.
pub(super) fn say(message: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Writes why the program failed.
pub(super) fn complain(message: &str) {
    say(&format!("mutu: {message}"));
}

/// Writes the result.
pub(super) fn put(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader of a pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::io(format!("standard output: {error}"))),
    }
}

/// Writes a result as JSON.
pub(super) fn put_json(value: &Value) -> Result<(), Failure> {
    put(&format!("{value:#}\n"))
}

/// Rows as aligned columns. Chinese characters take two places; numbers stand to the right.
/// A cell longer than [`WIDEST`] is cut and ends in `…`: csv and json hold it whole.
pub(super) fn columns(head: &[String], rows: &[Vec<String>]) -> String {
    let cut = |row: &Vec<String>| row.iter().map(|cell| shortened(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(cut).collect();
    let width_of =
        |column: usize| rows.iter().map(|row| places(&row[column])).chain([places(&head[column])]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    let numeric: Vec<bool> = (0..head.len()).map(|c| rows.iter().any(|row| is_number(&row[c]))).collect();
    let mut text = String::new();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(widths[column] - places(cell));
            let (before, after) = if numeric[column] { (fill.as_str(), "") } else { ("", fill.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The most characters of a cell.
const WIDEST: usize = 60;

fn shortened(cell: &str) -> String {
    let flat = cell.trim_end().replace(['\n', '\r', '\t'], " ");
    if flat.chars().count() <= WIDEST { flat } else { flat.chars().take(WIDEST - 1).chain(['…']).collect() }
}

/// Places a text takes on a terminal.
fn places(text: &str) -> usize {
    text.chars().map(|c| if (c as u32) >= 0x1100 && !('\u{2000}'..='\u{2bff}').contains(&c) { 2 } else { 1 }).sum()
}

/// Rows as comma-separated values.
pub(super) fn csv(head: &[String], rows: &[Vec<String>]) -> String {
    let cell = |text: &String| {
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() }
    };
    let line = |row: &[String]| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
    std::iter::once(head).chain(rows.iter().map(Vec::as_slice)).map(line).collect()
}
