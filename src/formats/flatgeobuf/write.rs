//! Writing FlatGeobuf, with its packed Hilbert R-tree.
//!
//! A file holds one kind of geometry, so surfaces are written as multi-surfaces and lines as multi-lines; only a
//! layer of mixed kinds is written as "unknown", each feature with its own.

use ::flatgeobuf::{
    ColumnType, FgbCrs, FgbWriter, FgbWriterOptions, GeometryType,
    geozero::{
        ColumnValue, CoordDimensions, GeomProcessor, GeozeroGeometry, PropertyProcessor, error::Result as Outcome,
    },
};
use geo::Coord;

use crate::{
    domain::{
        calendar,
        feature::{FeatureRef, ValueRef},
        layer::{GeometryClass, Layer},
        schema::FieldType,
    },
    ground::shape::{RingsOf, ShapeKind, ShapeRef},
};

use super::{
    super::{FormatError, Placed, Target, Written, beside::written_beside, refused_by_system},
    IS_A_DAY,
};

/// Writes features with a spatial index.
///
/// # Errors
/// [`FormatError::Io`], or [`FormatError::Request`] for what the file cannot hold at all.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("FlatGeobuf is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let mut features = target.until_stopped(features).peekable();
    let kind = kind_of(layer, features.peek());
    // GDAL cannot open a file without features that claims an index.
    let indexed = features.peek().is_some();
    let mut writer = writer_for(target, layer, kind, indexed)?;
    let (mut count, mut promoted) = (0, 0_u64);
    for feature in features {
        let placed = feature.shape.map(|shape| target.place(shape)).transpose()?;
        let shape = placed.as_ref().map(Placed::view);
        if let Some(shape) = shape {
            promoted += u64::from(fits(shape, kind, feature.id)?);
        }
        // What remains to go wrong is the temporary file, whose error comes as text.
        writer
            .add_feature_geom(Laid { shape, kind }, |properties| {
                for (i, (field, value)) in layer.schema.fields.iter().zip(&feature.values).enumerate() {
                    put(properties, i, &field.name, *value);
                }
            })
            .map_err(|error| refused_by_system(&target.path, std::io::Error::other(error.to_string())))?;
        count += 1;
    }
    written_beside(target, |out| {
        writer.write(out).map_err(|error| match error {
            ::flatgeobuf::Error::IO(error) => refused_by_system(&target.path, error),
            other => FormatError::Request(other.to_string()),
        })
    })?;
    let mut losses = vec!["FlatGeobuf keeps no ids, and orders features by place".to_owned()];
    if promoted > 0 {
        losses.push(format!(
            "a FlatGeobuf file has one kind of geometry: {promoted} single geometries are written as multi-geometries of one part"
        ));
    }
    Ok(Written { features: count, losses })
}

/// The kind that the file declares.
fn kind_of(layer: &Layer, first: Option<&FeatureRef<'_>>) -> GeometryType {
    match layer.geometry {
        GeometryClass::Surface => GeometryType::MultiPolygon,
        GeometryClass::Line => GeometryType::MultiLineString,
        GeometryClass::Point => match first.and_then(|feature| feature.shape).map(|shape| shape.kind()) {
            Some(ShapeKind::MultiPoint) => GeometryType::MultiPoint,
            _ => GeometryType::Point,
        },
        GeometryClass::Mixed | GeometryClass::None => GeometryType::Unknown,
    }
}

/// Whether a shape must be promoted to fit the file's kind; an error where it cannot be.
fn fits(shape: ShapeRef<'_>, kind: GeometryType, id: i64) -> Result<bool, FormatError> {
    let multi = matches!(shape.kind(), ShapeKind::MultiPoint | ShapeKind::MultiLineString | ShapeKind::MultiPolygon);
    let dimension = match kind {
        GeometryType::Point if shape.coords().len() <= 1 => 0,
        GeometryType::Point => u8::MAX,
        GeometryType::MultiPoint => 0,
        GeometryType::MultiLineString => 1,
        GeometryType::MultiPolygon => 2,
        _ => return Ok(false),
    };
    if dimension != shape.kind().dimension() {
        return Err(FormatError::Request(format!(
            "feature {id}: a {} does not fit into a FlatGeobuf file of {kind:?}: use GeoJSON or GeoPackage",
            shape.kind().as_str()
        )));
    }
    Ok(kind != GeometryType::Point && !multi)
}

fn writer_for<'w>(
    target: &Target,
    layer: &Layer,
    kind: GeometryType,
    indexed: bool,
) -> Result<FgbWriter<'w>, FormatError> {
    let wkt = target.crs.to_wkt().ok();
    let code = target.crs.epsg();
    let crs = FgbCrs {
        org: code.map(|_| "EPSG"),
        code: code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0),
        name: Some(target.crs.name()),
        wkt: wkt.as_deref(),
        ..FgbCrs::default()
    };
    let options = FgbWriterOptions {
        write_index: indexed,
        detect_type: false,
        promote_to_multi: false,
        crs,
        title: Some(layer.title.as_str()).filter(|title| !title.is_empty()),
        description: Some(layer.description.as_str()).filter(|text| !text.is_empty()),
        ..FgbWriterOptions::default()
    };
    let mut writer = FgbWriter::create_with_options(layer.id.as_str(), kind, options).map_err(|error| match error {
        ::flatgeobuf::Error::IO(error) => refused_by_system(&target.path, error),
        other => FormatError::Request(other.to_string()),
    })?;
    for field in &layer.schema.fields {
        let column = match field.kind {
            FieldType::Boolean => ColumnType::Bool,
            FieldType::Integer => ColumnType::Long,
            FieldType::Real => ColumnType::Double,
            FieldType::Text => ColumnType::String,
            FieldType::Date | FieldType::DateTime => ColumnType::DateTime,
        };
        writer.add_column(&field.name, column, |buffer, column| {
            if field.kind == FieldType::Date {
                column.metadata = Some(buffer.create_string(IS_A_DAY));
            }
        });
    }
    Ok(writer)
}

/// Adds a value; no value is left out, as the format says.
fn put(properties: &mut impl PropertyProcessor, place: usize, name: &str, value: ValueRef<'_>) {
    let text;
    let value = match value {
        ValueRef::Null => return,
        ValueRef::Boolean(v) => ColumnValue::Bool(v),
        ValueRef::Integer(v) => ColumnValue::Long(v),
        ValueRef::Real(v) => ColumnValue::Double(v),
        ValueRef::Text(v) => ColumnValue::String(v),
        ValueRef::Date(days) => {
            text = calendar::date_text(days);
            ColumnValue::DateTime(&text)
        }
        ValueRef::DateTime(ms) => {
            text = calendar::date_time_text(ms);
            ColumnValue::DateTime(&text)
        }
    };
    properties.property(place, name, &value).expect("the crate's writer only appends to memory");
}

/// A shape as the file's kind lays it out.
struct Laid<'a> {
    shape: Option<ShapeRef<'a>>,
    kind: GeometryType,
}

impl GeozeroGeometry for Laid<'_> {
    fn process_geom<P: GeomProcessor>(&self, out: &mut P) -> Outcome<()> {
        let Some(shape) = self.shape else { return Ok(()) };
        let kind = if self.kind == GeometryType::Unknown { shape.kind() } else { shape.kind().multi() };
        match kind {
            _ if self.kind == GeometryType::Point || kind == ShapeKind::Point => {
                out.point_begin(0)?;
                positions(out, shape.coords())?;
                out.point_end(0)
            }
            ShapeKind::Point | ShapeKind::MultiPoint => {
                out.multipoint_begin(shape.coords().len(), 0)?;
                positions(out, shape.coords())?;
                out.multipoint_end(0)
            }
            ShapeKind::LineString => path(out, true, shape.coords()),
            ShapeKind::MultiLineString => {
                out.multilinestring_begin(shape.part_count(), 0)?;
                shape.rings().try_for_each(|ring| path(out, false, ring))?;
                out.multilinestring_end(0)
            }
            ShapeKind::Polygon => shape.parts().take(1).try_for_each(|part| surface(out, true, part)),
            ShapeKind::MultiPolygon => {
                out.multipolygon_begin(shape.part_count(), 0)?;
                shape.parts().try_for_each(|part| surface(out, false, part))?;
                out.multipolygon_end(0)
            }
        }
    }

    fn dims(&self) -> CoordDimensions {
        CoordDimensions::xy()
    }
}

fn surface<P: GeomProcessor>(out: &mut P, tagged: bool, rings: RingsOf<'_>) -> Outcome<()> {
    out.polygon_begin(tagged, rings.len(), 0)?;
    for ring in rings {
        path(out, false, ring)?;
    }
    out.polygon_end(tagged, 0)
}

fn path<P: GeomProcessor>(out: &mut P, tagged: bool, ring: &[Coord]) -> Outcome<()> {
    out.linestring_begin(tagged, ring.len(), 0)?;
    positions(out, ring)?;
    out.linestring_end(tagged, 0)
}

fn positions<P: GeomProcessor>(out: &mut P, coords: &[Coord]) -> Outcome<()> {
    coords.iter().enumerate().try_for_each(|(i, at)| out.xy(at.x, at.y, i))
}
