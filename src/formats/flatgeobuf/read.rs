//! Reading FlatGeobuf.
//!
//! Nothing is trusted: every feature's length is held against what is left of the file before a byte is
//! allocated, every buffer is verified, and geometry is built from the flat arrays as they stand, so that faults
//! arrive unrepaired.
//!
//! Question: why is the framing ours, and not the crate's iterator? The iterator allocates whatever length four
//! bytes of the file claim, and panics on an index of node size 1.

use std::{
    fs::File,
    io::{BufReader, Read as _, Seek, SeekFrom},
    path::Path,
};

use ::flatgeobuf::{
    Column as FgbColumn, ColumnType, FgbReader, Geometry, GeometryType, Header, size_prefixed_root_as_feature,
};
use geo::Coord;

use crate::{
    domain::{
        calendar,
        feature::Value,
        report::{Finding, Weight},
        schema::FieldType,
    },
    ground::shape::{Shape, ShapeKind},
};

use super::{
    super::{
        Column, Contents, CrsClaim, FormatError, Row, Source, Visit, broken, open, refused_by_system,
        tally::{Tally, about_row},
    },
    IS_A_DAY,
};

/// Streams the features of a file.
///
/// # Errors
/// [`FormatError::Broken`] where the file is not FlatGeobuf, is cut off, or a length in it cannot be true.
pub fn read(source: &Source, visit: &mut Visit<'_>) -> Result<Contents, FormatError> {
    if source.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("FlatGeobuf is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let (file, length) = open(&source.path)?;
    let mut input = BufReader::with_capacity(1 << 17, file);
    let head = read_head(&mut input, length, &source.path)?;
    let columns: Vec<Column> = head.columns.iter().map(|(column, _)| column.clone()).collect();
    let mut tally = Tally::default();
    let mut rows = 0;
    let mut buffer = Vec::new();
    while let Some(framed) = next_feature(&mut input, &mut buffer, length, rows + 1, &source.path)? {
        rows += 1;
        let mut row = Row { number: rows, id: None, shape: None, values: Vec::new(), findings: Vec::new() };
        fill(&mut row, framed, &head, &mut tally)
            .map_err(|what| broken(&source.path, format!("feature {rows}: {what}")))?;
        visit(&columns, row)?;
    }
    if head.count != 0 && head.count != rows {
        return Err(broken(
            &source.path,
            format!("its header claims {} features, it holds {rows}: it is cut off", head.count),
        ));
    }
    Ok(Contents { columns, crs: head.crs, encoding: String::new(), rows, findings: tally.into_findings().collect() })
}

/// What the header says.
struct Head {
    columns: Vec<(Column, ColumnType)>,
    crs: CrsClaim,
    kind: GeometryType,
    heights: bool,
    /// 0 where it is not said.
    count: u64,
}

/// Reads the header and leaves the input at the first feature.
fn read_head(input: &mut BufReader<File>, length: u64, path: &Path) -> Result<Head, FormatError> {
    let not_fgb = |error: ::flatgeobuf::Error| broken(path, format!("is not a FlatGeobuf file, or is broken: {error}"));
    let reader = FgbReader::open(&mut *input).map_err(not_fgb)?;
    let header = reader.header();
    let head = Head {
        columns: header.columns().into_iter().flatten().map(column_of).collect(),
        crs: crs_of(&header),
        kind: header.geometry_type(),
        heights: header.has_z() || header.has_m() || header.has_t() || header.has_tm(),
        count: header.features_count(),
    };
    let index = index_size(header.features_count(), header.index_node_size())
        .ok_or_else(|| broken(path, format!("claims {} features, more than any file holds", head.count)))?;
    let at = input.stream_position().map_err(|error| refused_by_system(path, error))?;
    if index > length.saturating_sub(at) {
        return Err(broken(path, format!("is cut off: its index alone needs {index} bytes, {} are left", length - at)));
    }
    input.seek(SeekFrom::Start(at + index)).map_err(|error| refused_by_system(path, error))?;
    Ok(head)
}

/// Bytes of the packed R-tree; `None` where the count is absurd.
fn index_size(features: u64, node_size: u16) -> Option<u64> {
    if node_size == 0 || features == 0 {
        return Some(0);
    }
    // The specification takes node sizes below 2 for 2.
    let per_node = u64::from(node_size.max(2));
    let (mut level, mut nodes) = (features, features);
    while level > 1 {
        level = level.div_ceil(per_node);
        nodes = nodes.checked_add(level)?;
    }
    // A tree over one feature has a root of its own.
    nodes.max(features + u64::from(features == 1)).checked_mul(40)
}

fn column_of(column: FgbColumn<'_>) -> (Column, ColumnType) {
    let declared = match column.type_() {
        ColumnType::Bool => Some(FieldType::Boolean),
        ColumnType::Byte
        | ColumnType::UByte
        | ColumnType::Short
        | ColumnType::UShort
        | ColumnType::Int
        | ColumnType::UInt
        | ColumnType::Long => Some(FieldType::Integer),
        ColumnType::Float | ColumnType::Double => Some(FieldType::Real),
        ColumnType::String | ColumnType::Json => Some(FieldType::Text),
        ColumnType::DateTime if column.metadata() == Some(IS_A_DAY) => Some(FieldType::Date),
        ColumnType::DateTime => Some(FieldType::DateTime),
        // Unsigned 64 bits may not fit, bytes are no value: the rows decide.
        _ => None,
    };
    (Column { name: column.name().to_owned(), declared }, column.type_())
}

fn crs_of(header: &Header<'_>) -> CrsClaim {
    let Some(crs) = header.crs() else { return CrsClaim::Silent };
    let named = (crs.code() > 0).then(|| format!("{}:{}", crs.org().unwrap_or("EPSG"), crs.code()));
    let texts = [named.as_deref(), crs.code_string(), crs.wkt()];
    let mut told = texts.into_iter().flatten().filter(|text| !text.is_empty()).peekable();
    let Some(first) = told.peek().map(|text| (*text).to_owned()) else { return CrsClaim::Silent };
    match told.find_map(|text| text.parse().ok()) {
        Some(crs) => CrsClaim::Says(crs),
        None => CrsClaim::Unreadable(first),
    }
}

/// The next feature with its length before it; `None` at the end of the file.
fn next_feature<'b>(
    input: &mut BufReader<File>,
    buffer: &'b mut Vec<u8>,
    length: u64,
    number: u64,
    path: &Path,
) -> Result<Option<&'b [u8]>, FormatError> {
    let refused = |error| refused_by_system(path, error);
    let left = length.saturating_sub(input.stream_position().map_err(refused)?);
    if left == 0 {
        return Ok(None);
    }
    let mut size = [0; 4];
    if left < 4 {
        return Err(broken(path, format!("feature {number}: is cut off: {left} bytes are left")));
    }
    input.read_exact(&mut size).map_err(refused)?;
    let claimed = u64::from(u32::from_le_bytes(size));
    if claimed > left - 4 || claimed < 8 {
        return Err(broken(
            path,
            format!(
                "feature {number}: its length claims {claimed} bytes, {} are left: the file is cut off or broken",
                left - 4
            ),
        ));
    }
    buffer.clear();
    buffer.extend_from_slice(&size);
    buffer.resize(4 + claimed as usize, 0);
    input.read_exact(&mut buffer[4..]).map_err(refused)?;
    Ok(Some(buffer))
}

/// Fills a row from a feature; an error says what is broken in it.
fn fill(row: &mut Row, framed: &[u8], head: &Head, tally: &mut Tally) -> Result<(), String> {
    let feature = size_prefixed_root_as_feature(framed).map_err(|error| format!("is broken: {error}"))?;
    row.values = vec![Value::Null; head.columns.len()];
    if let Some(properties) = feature.properties() {
        properties_of(properties.bytes(), row, head, tally)?;
    }
    let Some(geometry) = feature.geometry() else { return Ok(()) };
    let kind = if head.kind == GeometryType::Unknown { geometry.type_() } else { head.kind };
    match shape_of(geometry, kind) {
        Ok(shape) => row.shape = shape,
        Err(Misfit::Unsupported(what)) => row.findings.push(refuse(row.number, "unsupported-geometry", what)),
        Err(Misfit::Broken(what)) => row.findings.push(refuse(row.number, "not-a-geometry", what)),
    }
    if head.heights && row.shape.is_some() {
        tally.note("z-dropped", "", row.number, || "heights, measures and times of vertices are left out".to_owned());
    }
    Ok(())
}

fn refuse(row: u64, fault: &str, message: String) -> Finding {
    about_row(row, Weight::Refused, fault, message)
}

/// Values are a column's number (two bytes) and what the column's type says, over and over.
fn properties_of(mut bytes: &[u8], row: &mut Row, head: &Head, tally: &mut Tally) -> Result<(), String> {
    while !bytes.is_empty() {
        let place = usize::from(u16::from_le_bytes(take(&mut bytes)?));
        let Some((column, kind)) = head.columns.get(place) else {
            return Err(format!("its properties name column {place}, the file has {}", head.columns.len()));
        };
        row.values[place] = match *kind {
            ColumnType::Bool => Value::Boolean(take::<1>(&mut bytes)?[0] != 0),
            ColumnType::Byte => Value::Integer(i8::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::UByte => Value::Integer(u8::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::Short => Value::Integer(i16::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::UShort => Value::Integer(u16::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::Int => Value::Integer(i32::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::UInt => Value::Integer(u32::from_le_bytes(take(&mut bytes)?).into()),
            ColumnType::Long => Value::Integer(i64::from_le_bytes(take(&mut bytes)?)),
            ColumnType::ULong => {
                let number = u64::from_le_bytes(take(&mut bytes)?);
                i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
            }
            // A float of 32 bits is meant as its shortest decimal, not as the 64 bits nearest to its 32.
            ColumnType::Float => {
                let number = f32::from_le_bytes(take(&mut bytes)?);
                real(number.to_string().parse().unwrap_or(f64::NAN), column, row, tally)
            }
            ColumnType::Double => real(f64::from_le_bytes(take(&mut bytes)?), column, row, tally),
            ColumnType::String | ColumnType::Json => Value::Text(text(&mut bytes)?.to_owned()),
            ColumnType::DateTime => moment(text(&mut bytes)?, column, row, tally),
            ColumnType::Binary => {
                slice(&mut bytes)?;
                tally.note("unsupported-column", &column.name, row.number, || {
                    format!("column {:?} holds bytes, which are not read", column.name)
                });
                Value::Null
            }
            other => return Err(format!("column {:?} has the unknown type {}", column.name, other.0)),
        };
    }
    Ok(())
}

fn real(number: f64, column: &Column, row: &Row, tally: &mut Tally) -> Value {
    if number.is_finite() {
        return Value::Real(number);
    }
    tally.note("not-a-number", &column.name, row.number, || {
        format!("column {:?} holds NaN or infinity; it is read as no value", column.name)
    });
    Value::Null
}

fn moment(text: &str, column: &Column, row: &mut Row, tally: &mut Tally) -> Value {
    if let Ok(days) = calendar::parse_date(text) {
        return Value::Date(days);
    }
    if let Ok(ms) = calendar::parse_date_time(text) {
        return Value::DateTime(ms);
    }
    tally.note("local-time", &column.name, row.number, || {
        format!("column {:?} holds moments that do not say their offset from UTC; they are kept as text", column.name)
    });
    Value::Text(text.to_owned())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], String> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or("its properties are cut off")?;
    *bytes = rest;
    Ok(*head)
}

fn slice<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], String> {
    let length = u32::from_le_bytes(take(bytes)?) as usize;
    let (head, rest) =
        bytes.split_at_checked(length).ok_or_else(|| format!("a text of its properties claims {length} bytes"))?;
    *bytes = rest;
    Ok(head)
}

fn text<'b>(bytes: &mut &'b [u8]) -> Result<&'b str, String> {
    std::str::from_utf8(slice(bytes)?).map_err(|error| format!("a text of its properties is not UTF-8: {error}"))
}

/// Why a geometry makes no shape.
enum Misfit {
    Unsupported(String),
    Broken(String),
}

/// The shape of a geometry; `None` for one without coordinates.
fn shape_of(geometry: Geometry<'_>, kind: GeometryType) -> Result<Option<Shape>, Misfit> {
    let kind = match kind {
        GeometryType::Point => ShapeKind::Point,
        GeometryType::LineString => ShapeKind::LineString,
        GeometryType::Polygon => ShapeKind::Polygon,
        GeometryType::MultiPoint => ShapeKind::MultiPoint,
        GeometryType::MultiLineString => ShapeKind::MultiLineString,
        GeometryType::MultiPolygon => ShapeKind::MultiPolygon,
        GeometryType::Unknown if geometry.xy().is_none_or(|xy| xy.is_empty()) => return Ok(None),
        other => {
            return Err(Misfit::Unsupported(format!(
                "its geometry is a {}: only points, lines and surfaces are read",
                other.variant_name().unwrap_or("kind that the format does not have")
            )));
        }
    };
    let mut shape = Shape::new(kind);
    match geometry.parts() {
        Some(parts) if kind == ShapeKind::MultiPolygon => {
            for part in parts {
                push_rings(&mut shape, part, false)?;
                shape.end_part();
            }
        }
        _ if geometry.xy().is_none_or(|xy| xy.is_empty()) => return Ok(None),
        _ => {
            push_rings(&mut shape, geometry, kind.dimension() < 2)?;
            if kind.dimension() == 2 {
                shape.end_part();
            }
        }
    }
    if kind == ShapeKind::Point && shape.coords_mut().len() != 1 {
        return Err(Misfit::Broken("a point of several positions".to_owned()));
    }
    Ok(Some(shape))
}

/// Adds the rings or paths of flat arrays; `each_its_part` for points and lines.
fn push_rings(shape: &mut Shape, geometry: Geometry<'_>, each_its_part: bool) -> Result<(), Misfit> {
    let Some(xy) = geometry.xy() else { return Ok(()) };
    if xy.len() % 2 != 0 {
        return Err(Misfit::Broken(format!("an odd number of coordinates ({})", xy.len())));
    }
    let count = xy.len() / 2;
    let single = shape.view().kind() == ShapeKind::MultiPoint;
    let ends: Vec<usize> = match geometry.ends() {
        Some(ends) if !ends.is_empty() => ends.iter().map(|end| end as usize).collect(),
        _ if single => (1..=count).collect(),
        _ => vec![count],
    };
    let mut start = 0;
    for end in ends.iter().copied() {
        if end < start || end > count {
            return Err(Misfit::Broken(format!("a ring ends at position {end} of {count}")));
        }
        for i in start..end {
            shape.push(Coord { x: xy.get(2 * i), y: xy.get(2 * i + 1) });
        }
        shape.end_ring();
        if each_its_part {
            shape.end_part();
        }
        start = end;
    }
    if start != count {
        return Err(Misfit::Broken(format!("its rings end at position {start}, it has {count}")));
    }
    Ok(())
}
