//! GeoPackage: any table of features or attributes read, one table of features written.
//!
//! Reading believes nothing: plain tables only, no code of the file's, a limit on what a row may cost. Values
//! arrive as they lie in their cells, whatever their column is declared as. Written files are in
//! rollback-journal mode: one file, nothing beside it.
//!
//! Source: OGC 12-128r18.

use std::{io, path::Path};

use rusqlite::{Connection, ErrorCode, Row as Record, types::ValueRef as Raw};

use super::{
    Column, Contents, CrsClaim, FormatError, Placed, Row, RowId, Source, Target, Visit, Written,
    beside::{directory_of, sync_directory},
    broken, open, refused_by_system,
    tally::{Tally, about_file, about_row},
};
use crate::{
    domain::{
        feature::{FeatureRef, Value, ValueRef},
        layer::{GeometryClass, Layer},
        report::{Finding, Weight},
        schema::FieldType,
    },
    gpkg::{
        GpkgError, blob,
        cell::{self, Cell},
        connection::{self, Watch},
        foreign::{self, ForeignSrs, ForeignTable, Listed},
        srs,
        table::{Entry, Kinds, Table, create_container},
    },
    ground::{
        crs::Crs,
        shape::Bounds,
        wkb::{WkbError, read_wkb},
    },
};

/// Streams the rows of a table in order of their keys.
///
/// # Errors
/// [`FormatError::Request`] where the file has several tables of features and none was named;
/// [`FormatError::Broken`] where it is no GeoPackage, is damaged, or changes while it is read.
pub fn read(source: &Source, visit: &mut Visit<'_>) -> Result<Contents, FormatError> {
    let path = &source.path;
    if source.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("GeoPackage is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let (_, length) = open(path)?;
    if length == 0 {
        return Err(broken(path, "is empty"));
    }
    let still = foreign::is_still(path);
    let before = foreign::outside(path);
    let conn = connection::open_to_read(path, still).map_err(|error| failed(path, error.into()))?;
    let watch = Watch::over(&conn);
    let (table, ignored) = choose(&conn, source)?;
    let table = foreign::survey(&conn, &table).map_err(|error| failed(path, error))?;
    let mut contents = stream(&conn, &table, &watch, path, visit)?;
    if still && foreign::outside(path) != before {
        return Err(broken(path, "changed while it was read: close it in the other program and try again"));
    }
    contents.findings.extend(ignored);
    Ok(contents)
}

/// The table to read: the one named, or the only one of features, or the only one at all.
fn choose(conn: &Connection, source: &Source) -> Result<(Listed, Option<Finding>), FormatError> {
    let path = &source.path;
    let tables = foreign::listed(conn).map_err(|error| failed(path, error))?;
    let mut tables = tables.ok_or_else(|| broken(path, "is a database, but not a GeoPackage"))?;
    let names = |tables: &[Listed]| tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = &source.table {
        let found = tables.iter().position(|t| t.name == *wanted);
        let found = found.or_else(|| tables.iter().position(|t| t.identifier == *wanted));
        return match found {
            Some(place) => Ok((tables.swap_remove(place), None)),
            None => Err(FormatError::Request(format!(
                "{} has no table {wanted:?}; it has: {}",
                path.display(),
                names(&tables)
            ))),
        };
    }
    let (mut features, attributes): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.features);
    let left_out = (!features.is_empty() && !attributes.is_empty()).then(|| {
        let message = format!("tables without geometry are not read unless named: {}", names(&attributes));
        about_file(Weight::Note, "other-tables", message)
    });
    if features.is_empty() {
        features = attributes;
    }
    match features.len() {
        0 => Err(broken(path, "is a GeoPackage without tables of features or attributes")),
        1 => Ok((features.swap_remove(0), left_out)),
        _ => {
            Err(FormatError::Request(format!("{} has several tables, name one: {}", path.display(), names(&features))))
        }
    }
}

fn stream(
    conn: &Connection,
    table: &ForeignTable,
    watch: &Watch,
    path: &Path,
    visit: &mut Visit<'_>,
) -> Result<Contents, FormatError> {
    let refused = |error: rusqlite::Error| failed(path, error.into());
    let columns: Vec<Column> =
        table.columns.iter().map(|(name, declared)| Column { name: name.clone(), declared: *declared }).collect();
    let mut tally = Tally::default();
    let mut rows = 0;
    let mut statement = conn.prepare(&table.select_sql().map_err(|error| failed(path, error))?).map_err(refused)?;
    let mut records = statement.query([]).map_err(refused)?;
    loop {
        watch.next_row();
        let Some(record) = records.next().map_err(refused)? else { break };
        rows += 1;
        visit(&columns, row_of(record, table, rows, &mut tally).map_err(refused)?)?;
    }
    let crs = table.srs.as_ref().map_or(CrsClaim::Silent, |srs| claim(srs, &mut tally));
    Ok(Contents { columns, crs, encoding: String::new(), rows, findings: tally.into_findings().collect() })
}

fn row_of(record: &Record<'_>, table: &ForeignTable, number: u64, tally: &mut Tally) -> rusqlite::Result<Row> {
    let mut row = Row { number, id: None, shape: None, values: Vec::new(), findings: Vec::new() };
    let mut place = 0;
    if table.key.is_some() {
        row.id = record.get::<_, Option<i64>>(place)?.map(RowId::Number);
        place += 1;
    }
    if table.geometry.is_some() {
        let srs = table.srs.as_ref().map(|srs| srs.number);
        geometry_of(record.get_ref(place)?, srs, &mut row, tally);
        place += 1;
    }
    row.values.reserve(table.columns.len());
    for (i, (name, declared)) in table.columns.iter().enumerate() {
        let value = value_of(record.get_ref(place + i)?, *declared, name, (&mut row, tally));
        row.values.push(value);
    }
    Ok(row)
}

fn geometry_of(raw: Raw<'_>, srs: Option<i64>, row: &mut Row, tally: &mut Tally) {
    let bytes = match raw {
        Raw::Null => return,
        Raw::Blob(bytes) => bytes,
        other => {
            let message = format!("its geometry is {}, not a geometry", cell::storage_class(other));
            row.findings.push(about_row(row.number, Weight::Refused, "not-a-geometry", message));
            return;
        }
    };
    let read = blob::parts(bytes).map_err(|error| ("not-a-geometry", format!("its geometry cannot be read: {error}")));
    let read = read.and_then(|parts| match read_wkb(parts.body) {
        Ok(read) => Ok((parts.srs_id, read)),
        Err(error @ WkbError::Unsupported { .. }) => Err(("unsupported-geometry", format!("its geometry: {error}"))),
        Err(error) => Err(("not-a-geometry", format!("its geometry cannot be read: {error}"))),
    });
    match read {
        Err((fault, message)) => row.findings.push(about_row(row.number, Weight::Refused, fault, message)),
        Ok((own, read)) => {
            if srs.is_some_and(|srs| srs != i64::from(own)) {
                tally.count(Weight::Flagged, ("crs-mixed", &own.to_string()), row.number, || {
                    format!("geometries name the CRS {own} of the file where their table names another; the table's is taken")
                });
            }
            if read.dropped_z {
                let what = || "heights and measures of vertices are left out".to_owned();
                tally.note("z-dropped", "", row.number, what);
            }
            row.shape = Some(read.shape);
        }
    }
}

fn value_of(raw: Raw<'_>, declared: Option<FieldType>, name: &str, (row, tally): (&mut Row, &mut Tally)) -> Value {
    match raw {
        Raw::Null => Value::Null,
        Raw::Integer(v @ (0 | 1)) if declared == Some(FieldType::Boolean) => Value::Boolean(v == 1),
        Raw::Integer(v) => Value::Integer(v),
        Raw::Real(v) if v.is_finite() => Value::Real(v),
        Raw::Real(_) => {
            let what = || format!("column {name:?} holds NaN or infinity; it is read as no value");
            tally.note("not-a-number", name, row.number, what);
            Value::Null
        }
        Raw::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            if text.contains(char::REPLACEMENT_CHARACTER) && std::str::from_utf8(bytes).is_err() {
                let message = format!("column {name:?} holds bytes that are not UTF-8; they are shown as \u{fffd}");
                row.findings.push(about_row(row.number, Weight::Flagged, "bad-text", message));
            }
            timed(text.into_owned(), declared, name, (row.number, tally))
        }
        Raw::Blob(_) => {
            let what = || format!("column {name:?} holds bytes, which are not read");
            tally.note("unsupported-column", name, row.number, what);
            Value::Null
        }
    }
}

/// Text of a column of days or moments as such, where it is one.
fn timed(text: String, declared: Option<FieldType>, name: &str, (row, tally): (u64, &mut Tally)) -> Value {
    let value = match declared {
        Some(FieldType::Date) => cell::parse_date(&text).map(Value::Date),
        Some(FieldType::DateTime) => cell::parse_moment(&text).map(|(ms, cut)| {
            if cut {
                let what = || format!("column {name:?} has digits below the millisecond, which are left out");
                tally.note("time-shortened", name, row, what);
            }
            Value::DateTime(ms)
        }),
        _ => return Value::Text(text),
    };
    value.unwrap_or_else(|| {
        let what = || {
            format!("column {name:?} holds text that is no day, or no moment with its offset from UTC; it stays text")
        };
        tally.note("local-time", name, row, what);
        Value::Text(text)
    })
}

/// What the file says of the CRS.
fn claim(srs: &ForeignSrs, tally: &mut Tally) -> CrsClaim {
    let undefined = srs.definition.trim().is_empty() || srs.definition.trim().eq_ignore_ascii_case("undefined");
    let Some((organization, code)) = &srs.code else {
        return match srs.number {
            -1 | 0 => CrsClaim::Silent,
            number => CrsClaim::Unreadable(format!("srs_id {number}, which the file does not define")),
        };
    };
    let nobody = organization.eq_ignore_ascii_case("NONE");
    if nobody && undefined {
        return CrsClaim::Silent;
    }
    let named = if nobody { None } else { format!("{organization}:{code}").parse::<Crs>().ok() };
    let defined = if undefined { None } else { srs.definition.parse::<Crs>().ok() };
    if let (Some(named), Some(defined)) = (&named, &defined) {
        let codes = (named.epsg(), defined.epsg());
        if matches!(codes, (Some(a), Some(b)) if a != b) {
            let message = format!("the file calls its CRS {named}, but defines it as {defined}; the name is taken");
            tally.count(Weight::Flagged, ("crs-contradiction", ""), 1, || message);
        }
    }
    match named.or(defined) {
        Some(crs) => CrsClaim::Says(crs),
        None if undefined => CrsClaim::Unreadable(format!("{organization}:{code}")),
        None => CrsClaim::Unreadable(srs.definition.clone()),
    }
}

/// Steps of the engine between two looks at whether the file is still wanted: well under a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Writes one table with its R-tree.
///
/// # Errors
/// [`FormatError::Io`], or [`FormatError::Request`] for what the file cannot hold at all, and where the
/// target's file is a workspace or open in another program.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let path = &target.path;
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("GeoPackage is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    may_replace(path)?;
    let file = connection::temporary_beside(path).map_err(|error| refused_by_system(path, error))?;
    let conn = connection::open_new(&file).map_err(|error| failed(path, error.into()))?;
    let stop = target.stop.clone();
    conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || stop.is_asked()));
    let written = fill(&conn, target, layer, features)?;
    if target.passing {
        connection::close_new(conn).map_err(|error| failed(path, error))?;
    } else {
        connection::finish_new(conn, &file).map_err(|error| failed(path, error))?;
    }
    file.persist(path).map_err(|error| refused_by_system(path, error.error))?;
    if !target.passing {
        sync_directory(&directory_of(path));
    }
    Ok(written)
}

/// A log beside an old file would be played into the new one; and nobody means to export over a workspace.
fn may_replace(path: &std::path::Path) -> Result<(), FormatError> {
    if !path.exists() {
        return Ok(());
    }
    let name = path.display();
    let is_workspace = connection::open_to_read(path, foreign::is_still(path))
        .map_err(GpkgError::from)
        .and_then(|conn| foreign::is_workspace(&conn));
    if matches!(is_workspace, Ok(true)) {
        return Err(FormatError::Request(format!("{name} is a Mutu workspace: export to another name")));
    }
    if foreign::log_length(path) > 0 {
        return Err(FormatError::Request(format!(
            "{name} is open in another program or was not closed properly: close it there, or export to another name"
        )));
    }
    Ok(())
}

fn fill(
    conn: &Connection,
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let refused = |error: GpkgError| failed(&target.path, error);
    let refused_by_engine = |error: rusqlite::Error| failed(&target.path, error.into());
    conn.execute_batch("BEGIN").map_err(refused_by_engine)?;
    create_container(conn).map_err(refused)?;
    let srs_id = srs::number_of(conn, &target.crs).map_err(refused)?;
    let mut features = target.until_stopped(features).peekable();
    let first = features.peek().and_then(|feature| feature.shape).map(|shape| Kinds::One(shape.kind()));
    let declared = match layer.geometry {
        GeometryClass::Mixed | GeometryClass::None => Kinds::Several,
        class => first.unwrap_or(Kinds::of_class(class)),
    };
    let table = Table::of(layer);
    table.create(conn, declared).map_err(refused)?;
    let mut insert = conn.prepare(&table.insert_sql().map_err(refused)?).map_err(refused_by_engine)?;
    let mut filled = Filled { kinds: Kinds::Unseen, boxes: Vec::new(), blob: Vec::new(), not_finite: 0 };
    let mut written = Written::default();
    for feature in features {
        let placed = feature.shape.map(|shape| target.place(shape)).transpose()?;
        filled.put(&mut insert, &table, (&feature, placed.as_ref(), srs_id)).map_err(|error| match error {
            GpkgError::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                FormatError::Request(format!("two features have the id {}", feature.id))
            }
            other => refused(other),
        })?;
        written.features += 1;
    }
    drop(insert);
    finish(conn, &table, (layer, srs_id, declared), &filled).map_err(refused)?;
    conn.execute_batch("COMMIT").map_err(refused_by_engine)?;
    if filled.not_finite > 0 {
        written.losses.push(format!("{} numbers are NaN or infinite and are written as no value", filled.not_finite));
    }
    Ok(written)
}

/// What was put into a table, for its R-tree and its entry.
struct Filled {
    kinds: Kinds,
    boxes: Vec<(i64, Bounds)>,
    blob: Vec<u8>,
    not_finite: u64,
}

impl Filled {
    fn put(
        &mut self,
        insert: &mut rusqlite::Statement<'_>,
        table: &Table,
        (feature, placed, srs_id): (&FeatureRef<'_>, Option<&Placed<'_>>, i32),
    ) -> Result<(), GpkgError> {
        insert.raw_bind_parameter(1, feature.id)?;
        if table.geometry.is_some() {
            let shape = placed.map(Placed::view);
            if let Some(shape) = shape {
                self.kinds = self.kinds.with(shape.kind());
                let bounds = blob::write(&mut self.blob, shape, srs_id);
                self.boxes.extend(bounds.map(|bounds| (feature.id, bounds)));
            }
            insert.raw_bind_parameter(2, shape.map(|_| self.blob.as_slice()))?;
        }
        for (i, value) in feature.values.iter().enumerate() {
            // The engine takes NaN for no value, silently.
            let finite = !matches!(value, ValueRef::Real(v) if !v.is_finite());
            self.not_finite += u64::from(!finite);
            let value = if finite { *value } else { ValueRef::Null };
            insert.raw_bind_parameter(table.first_value() + i + 1, Cell(value))?;
        }
        insert.raw_execute()?;
        Ok(())
    }
}

fn finish(
    conn: &Connection,
    table: &Table,
    (layer, srs_id, mut declared): (&Layer, i32, Kinds),
    filled: &Filled,
) -> Result<(), GpkgError> {
    if !(filled.kinds == Kinds::Unseen || declared == Kinds::Several || filled.kinds == declared) {
        declared = filled.kinds;
        table.retype(conn, declared)?;
    }
    let now: String = conn.query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", [], |row| row.get(0))?;
    let title = layer.title.trim();
    let entry = Entry {
        identifier: if title.is_empty() { layer.id.as_str() } else { title },
        description: &layer.description,
        srs_id,
        kinds: declared,
        extent: filled.boxes.iter().map(|(_, bounds)| *bounds).reduce(Bounds::union),
        changed: &now,
    };
    table.register(conn, &entry)?;
    table.index(conn, &filled.boxes)
}

/// An error of the engine about a file.
fn failed(path: &Path, error: GpkgError) -> FormatError {
    let error = match error {
        GpkgError::Sqlite(error) => error,
        GpkgError::Io(error) => return refused_by_system(path, error),
        GpkgError::Standard(error) => return FormatError::Request(error.to_string()),
        GpkgError::Crs(error) => return FormatError::Request(error.to_string()),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => refused_by_system(path, io::ErrorKind::StorageFull.into()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            FormatError::Request(format!("{} is being written by another program: close it there", path.display()))
        }
        Some(ErrorCode::OperationInterrupted) => {
            broken(path, "one row takes absurdly long to compute: the file may be made to do harm")
        }
        Some(
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure,
        ) => refused_by_system(path, io::Error::other(error)),
        Some(ErrorCode::NotADatabase) => broken(path, "is not a GeoPackage (no SQLite database)"),
        _ => broken(path, format!("is damaged: {error}")),
    }
}
