//! Shapefile: loose files or a `.zip` with one in it; read in the encoding that is declared or found, written in
//! UTF-8 or in GBK with everything that old readers need to know it.
//!
//! Rows are the records of the table; deleted ones are left out, and told. The `shapefile` and `dbase` crates are
//! not used; [`shp`] and [`dbf`] say why.
//!
//! Source: ESRI Shapefile Technical Description, 1998.

mod archive;
mod dbf;
mod dbf_write;
mod rings;
mod shp;
mod shp_write;
mod text;
mod write;

pub use write::write;

use encoding_rs::Encoding;

use crate::domain::{
    feature::Value,
    report::{Finding, Weight},
};

use super::{
    Column, Contents, CrsClaim, FormatError, Row, Source, Visit, broken, refused_by_system,
    tally::{Tally, about_file, about_row},
};

use self::{
    archive::Files,
    dbf::{Cell, Table},
    shp::{Geometry, Records},
    text::{Chosen, Evidence},
};

/// Streams the rows of a shapefile.
///
/// # Errors
/// [`FormatError::Broken`] names the member and the record; [`FormatError::Request`] for an archive of several.
pub fn read(source: &Source, visit: &mut Visit<'_>) -> Result<Contents, FormatError> {
    let files = Files::find(source)?;
    let shp = files.needed("shp", "holds the geometry")?;
    let dbf = files.needed("dbf", "holds the attributes")?;
    let mut records = Records::open(shp, files.member("shx"), &files.named)?;
    let mut table = Table::open(dbf, &files.named)?;
    let mut findings = Vec::new();
    told_of_files(&files, &records, &table, &mut findings);
    if records.count().is_some_and(|count| count != table.count as usize) {
        return Err(do_not_belong_together(&files, records.count().unwrap_or(0) as u64, &table));
    }
    let chosen = chosen_encoding(source, &files, &mut table, &mut findings)?;
    let columns = columns_of(&table, &chosen, &mut findings);
    let mut reading = Reading { chosen: &chosen, columns: &columns, tally: Tally::default() };
    let (mut rows, mut deleted) = (0, 0_u64);
    for number in 1..=u64::from(table.count) {
        let is_deleted = table.advance(&files.named)?;
        let Some(geometry) = records.next(&files.named)? else {
            return Err(do_not_belong_together(&files, number - 1, &table));
        };
        if is_deleted {
            deleted += 1;
            continue;
        }
        rows += 1;
        visit(&columns, reading.row(number, &table, geometry))?;
    }
    if records.next(&files.named)?.is_some() {
        return Err(do_not_belong_together(&files, u64::from(table.count) + 1, &table));
    }
    if deleted > 0 {
        findings.push(note("deleted-rows", format!("{deleted} rows are marked as deleted and left out")));
    }
    findings.extend(reading.tally.into_findings());
    Ok(Contents { columns, crs: crs_of(&files)?, encoding: chosen.told, rows, findings })
}

fn note(fault: &str, message: impl Into<String>) -> Finding {
    about_file(Weight::Note, fault, message)
}

fn do_not_belong_together(files: &Files, shapes: u64, table: &Table) -> FormatError {
    let what = format!(
        "its .shp has {shapes} records (or more) and its .dbf {} rows: the files do not belong together",
        table.count
    );
    broken(&files.named, what)
}

/// What is missing or left over and does no harm.
fn told_of_files(files: &Files, records: &Records, table: &Table, findings: &mut Vec<Finding>) {
    if files.member("shx").is_none() {
        findings.push(note("no-shx", "there is no .shx; the records are read one after the other"));
    }
    if records.beyond > 0 {
        let message = format!("{} bytes after the stated end of the .shp are not read", records.beyond);
        findings.push(note("bytes-beyond-end", message));
    }
    if table.beyond > 0 {
        let message =
            format!("{} rows of the .dbf after the {} that it states are not read", table.beyond, table.count);
        findings.push(note("rows-beyond-end", message));
    }
}

fn chosen_encoding(
    source: &Source,
    files: &Files,
    table: &mut Table,
    findings: &mut Vec<Finding>,
) -> Result<Chosen, FormatError> {
    let cpg = files.text("cpg")?;
    if let Some(word) = cpg.as_deref().filter(|word| text::of_cpg(word).is_none()) {
        let word: String = word.chars().take(40).collect();
        findings.push(note("unknown-cpg", format!("the .cpg names the encoding {word:?}, which is not known")));
    }
    let declared = text::declared(source.encoding, cpg.as_deref(), table.language);
    if let Some(chosen) = &declared {
        told_of_doubt(table, chosen, findings);
    }
    if let Some(chosen) = declared {
        return Ok(chosen);
    }
    let mut evidence = Evidence::new(table.fields.iter().map(|field| field.name.clone()));
    let texts: Vec<dbf::Field> = table.fields.iter().filter(|field| field.kind == b'C').cloned().collect();
    for _ in 0..table.count {
        if !table.advance(&files.named)? {
            evidence.look_at(texts.iter().map(|field| table.bytes(field)));
        }
    }
    table.rewind().map_err(|error| refused_by_system(&files.named, error))?;
    Ok(evidence.verdict())
}

/// Field names that read as well in UTF-8 as in what is declared: some writers put them in UTF-8 whatever the rows.
fn told_of_doubt(table: &Table, chosen: &Chosen, findings: &mut Vec<Finding>) {
    let names: Vec<&[u8]> =
        table.fields.iter().map(|field| field.name.as_slice()).filter(|name| !name.is_ascii()).collect();
    if chosen.encoding == encoding_rs::UTF_8 || names.is_empty() || !names.iter().all(|name| text::is_utf8(name)) {
        return;
    }
    let name = names[0];
    let message = format!(
        "the field names are read as {}, as declared ({:?}), but they read as UTF-8 too ({:?}): name the encoding if \
         that is meant",
        chosen.told,
        chosen.encoding.decode_without_bom_handling(name).0,
        String::from_utf8_lossy(name)
    );
    findings.push(note("ambiguous-names", message));
}

fn columns_of(table: &Table, chosen: &Chosen, findings: &mut Vec<Finding>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::with_capacity(table.fields.len());
    for field in &table.fields {
        let full = field.name.len() >= 10;
        let name = name_of(&field.name, chosen.names, full);
        let taken = |name: &str| columns.iter().any(|column| column.name == name);
        let mut unique = name.clone();
        let mut next = 2;
        while unique.is_empty() || taken(&unique) {
            unique = format!("{name}_{next}");
            next += 1;
        }
        if unique != name {
            let message =
                format!("the field name {name:?} is empty or stands twice; the later column is called {unique:?}");
            findings.push(note("duplicate-column", message));
        }
        columns.push(Column { name: unique, declared: field.declared() });
    }
    columns
}

/// A field name; one that fills its ten bytes may have lost the rest of its last character.
fn name_of(bytes: &[u8], encoding: &'static Encoding, full: bool) -> String {
    let cuts = if full { 4.min(bytes.len()) } else { 1 };
    let whole = (0..cuts)
        .find_map(|cut| encoding.decode_without_bom_handling_and_without_replacement(&bytes[..bytes.len() - cut]));
    whole.unwrap_or_else(|| encoding.decode_without_bom_handling(bytes).0).trim().to_owned()
}

/// What the `.prj` says.
fn crs_of(files: &Files) -> Result<CrsClaim, FormatError> {
    let Some(text) = files.text("prj")?.filter(|text| !text.is_empty()) else { return Ok(CrsClaim::Silent) };
    Ok(match text.parse() {
        Ok(crs) => CrsClaim::Says(crs),
        Err(_) => CrsClaim::Unreadable(text),
    })
}

/// What rows are made with.
struct Reading<'r> {
    chosen: &'r Chosen,
    columns: &'r [Column],
    tally: Tally,
}

impl Reading<'_> {
    fn row(&mut self, number: u64, table: &Table, geometry: Geometry) -> Row {
        let mut row = Row { number, id: None, shape: None, values: Vec::new(), findings: Vec::new() };
        row.values.reserve_exact(table.fields.len());
        for (field, column) in table.fields.iter().zip(self.columns) {
            let value = match table.cell(field, self.chosen.encoding) {
                Cell::Value(value) => value,
                odd => self.odd(odd, column, &mut row),
            };
            row.values.push(value);
        }
        let refuse = |fault, what: String| about_row(number, Weight::Refused, fault, format!("its geometry is {what}"));
        match geometry {
            Geometry::Null => {}
            Geometry::Unsupported(what) => row.findings.push(refuse("unsupported-geometry", what)),
            Geometry::Broken(what) => row.findings.push(refuse("not-a-geometry", format!("broken: {what}"))),
            Geometry::Shape { shape, more, by_containment } => {
                row.shape = Some(shape);
                self.told_of_shape(number, more, by_containment);
            }
        }
        row
    }

    fn told_of_shape(&mut self, row: u64, more: bool, by_containment: bool) {
        if more {
            self.tally.note("z-dropped", "", row, || "heights and measures of vertices are left out".to_owned());
        }
        if by_containment {
            self.tally.note("ring-orientation", "", row, || {
                "outer rings are not clockwise as the format says; which rings are holes is decided by containment"
                    .to_owned()
            });
        }
    }

    /// The value of a cell that is not quite one, and what is said about it.
    fn odd(&mut self, cell: Cell, column: &Column, row: &mut Row) -> Value {
        let name = &column.name;
        match cell {
            Cell::Value(value) => value,
            Cell::Cut(text) => {
                self.tally.note("cut-text", name, row.number, || {
                    format!("column {name:?} was too short for its text: the last character is cut and left out")
                });
                Value::Text(text)
            }
            Cell::Mangled(text) => {
                let message = format!(
                    "column {name:?}: {text:?} has bytes that are not {}; they stand as U+FFFD: name the encoding",
                    self.chosen.told
                );
                row.findings.push(about_row(row.number, Weight::Flagged, "bad-text", message));
                Value::Text(text)
            }
            Cell::TooLarge(text) => {
                self.tally.note("number-too-large", name, row.number, || {
                    format!("column {name:?} holds numbers beyond what 64 bits can keep; they are kept as text")
                });
                Value::Text(text)
            }
            Cell::Bad(text) => {
                let message = format!("column {name:?}: {text:?} is no value of its type; it is read as no value");
                row.findings.push(about_row(row.number, Weight::Note, "bad-value", message));
                Value::Null
            }
            Cell::Unread => {
                self.tally.note("unsupported-column", name, row.number, || {
                    format!("column {name:?} is of a kind that is not read (a memo, a picture, a system column)")
                });
                Value::Null
            }
        }
    }
}
