//! Writing GeoJSON: a stream of features, nothing held but the one at hand.
//!
//! Question: why does a file name its CRS in a member that RFC 7946 has dropped, and an answer of the API does
//! not? A file that names none is longitude and latitude to every reader, and the old member is what GDAL and
//! QGIS still heed, east first. An answer says its CRS in the header `Content-Crs`, and then its
//! coordinates stand in the order that the CRS declares (OGC 18-058r1 §6.2.3): with the member those readers
//! would exchange the axes.

use std::io::Write;

use crate::{
    domain::{
        feature::FeatureRef,
        geojson::{PropertyNames, write_feature},
        layer::Layer,
        schema::FieldType,
    },
    ground::crs::Crs,
};

use super::super::{FormatError, Placed, Streaming, Target, Written, beside::written_beside, refused_by_system};

/// How GeoJSON is written without a file.
pub const STREAMING: Streaming = Streaming { write: stream, losses };

/// The byte before each text of a sequence (RFC 8142 §2.2).
const RECORD_SEPARATOR: u8 = 0x1E;

/// What is written around features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// A feature collection.
    Collection,
    /// A feature a line.
    Lines,
    /// A feature a line, each after a record separator: RFC 8142.
    Sequence,
}

impl Layout {
    fn of(target: &Target) -> Self {
        let ending = target.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        match ending.as_str() {
            "geojsons" => Self::Sequence,
            "geojsonl" | "ndjson" => Self::Lines,
            _ => Self::Collection,
        }
    }
}

/// Writes a collection; under `.geojsons` a sequence of RFC 8142, under `.geojsonl` and `.ndjson` one feature a line.
///
/// # Errors
/// [`FormatError::Io`], or [`FormatError::Misplaced`] for a place that the target's CRS cannot hold.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let crs_has_no_place = Layout::of(target) != Layout::Collection && !target.crs.is_stored();
    if crs_has_no_place && !target.axes_as_declared {
        return Err(FormatError::Request(format!(
            "a file of one feature a line cannot name {}: write .geojson, or EPSG:4490",
            target.crs
        )));
    }
    written_beside(target, |out| stream(out, target, layer, features))
}

/// Writes features from front to back, laid out by the ending of the target's name.
///
/// # Errors
/// As [`write`].
fn stream(
    out: &mut dyn Write,
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("GeoJSON is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let refused = |error| refused_by_system(&target.path, error);
    let layout = Layout::of(target);
    let mut written = Written { features: 0, losses: losses(target, layer) };
    let names = PropertyNames::new(&layer.schema);
    let decimals = target.decimals();
    let mut buffer = Vec::with_capacity(1 << 16);
    if layout == Layout::Collection {
        let unnamed = target.axes_as_declared || target.crs.is_stored();
        head(&mut buffer, layer, (!unnamed).then_some(&target.crs))?;
    }
    for feature in target.until_stopped(features) {
        match layout {
            Layout::Collection => buffer.extend_from_slice(if written.features == 0 { b"\n" } else { b",\n" }),
            Layout::Sequence => buffer.push(RECORD_SEPARATOR),
            Layout::Lines => {}
        }
        let placed = feature.shape.map(|shape| target.place(shape)).transpose()?;
        let moved = FeatureRef { shape: placed.as_ref().map(Placed::view), values: feature.values, id: feature.id };
        write_feature(&mut buffer, &moved, &names, decimals);
        if layout != Layout::Collection {
            buffer.push(b'\n');
        }
        written.features += 1;
        out.write_all(&buffer).map_err(refused)?;
        buffer.clear();
    }
    if layout == Layout::Collection {
        buffer.extend_from_slice(b"\n]}\n");
    }
    out.write_all(&buffer).map_err(refused)?;
    Ok(written)
}

/// The members before the features. `provenance` says of a whole file what is true of each feature.
fn head(out: &mut Vec<u8>, layer: &Layer, crs: Option<&Crs>) -> Result<(), FormatError> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let provenance = serde_json::to_string(&layer.provenance).map_err(|e| FormatError::Request(e.to_string()))?;
    let name = text(layer.id.as_str());
    out.extend_from_slice(
        format!("{{\"type\":\"FeatureCollection\",\"name\":{name},\"provenance\":{provenance}").as_bytes(),
    );
    if let Some(crs) = crs {
        let name = match crs.epsg() {
            Some(code) => format!("urn:ogc:def:crs:EPSG::{code}"),
            None => crs.to_wkt()?,
        };
        let member = format!(",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":{}}}}}", text(&name));
        out.extend_from_slice(member.as_bytes());
    }
    out.extend_from_slice(b",\"features\":[");
    Ok(())
}

/// What GeoJSON cannot hold of a layer in a CRS.
fn losses(target: &Target, layer: &Layer) -> Vec<String> {
    let of = |kind, what: &str| {
        let names: Vec<_> =
            layer.schema.fields.iter().filter(|field| field.kind == kind).map(|field| field.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("GeoJSON has no {what}: {} written as text", names.join(", ")))
    };
    let crs = &target.crs;
    let about_crs = if target.axes_as_declared {
        let order = if crs.north_first() { "north" } else { "east" };
        (!crs.is_stored() || crs.north_first()).then(|| {
            format!(
                "RFC 7946 knows WGS 84 only: the coordinates are in {crs}, {order} first, which only the header \
                 Content-Crs says; take GeoPackage for a file that names it"
            )
        })
    } else {
        (!crs.is_stored()).then(|| {
            format!("RFC 7946 knows WGS 84 only: {crs} is named in the older member \"crs\", which some readers ignore")
        })
    };
    [about_crs, of(FieldType::Date, "dates"), of(FieldType::DateTime, "moments")].into_iter().flatten().collect()
}
