//! Writing GeoJSON: a stream of features, nothing held but the one at hand.

use std::io::Write as _;

use crate::{
    domain::{
        feature::FeatureRef,
        geojson::{PropertyNames, write_feature},
        layer::Layer,
        schema::FieldType,
    },
    ground::crs::Crs,
};

use super::super::{FormatError, Placed, Target, Written, beside::written_beside, refused_by_system};

/// Writes a collection; under `.geojsonl`, `.geojsons` and `.ndjson` one feature a line.
///
/// # Errors
/// [`FormatError::Io`], or [`FormatError::Request`] for a place that the target's CRS cannot hold.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let ending = target.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let lines = matches!(ending.as_str(), "geojsonl" | "geojsons" | "ndjson");
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("GeoJSON is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let mut written = Written { features: 0, losses: losses_of(layer) };
    let lonlat = target.crs.is_stored();
    if !lonlat {
        if lines {
            return Err(FormatError::Request(format!(
                "a file of one feature a line cannot name {}: write .geojson, or EPSG:4490",
                target.crs
            )));
        }
        written.losses.push(format!(
            "RFC 7946 knows WGS 84 only: {} is named in the older member \"crs\", which some readers ignore",
            target.crs
        ));
    }
    let names = PropertyNames::new(&layer.schema);
    let decimals = target.decimals();
    written_beside(&target.path, |out| {
        let mut buffer = Vec::with_capacity(1 << 16);
        if !lines {
            head(&mut buffer, layer, (!lonlat).then_some(&target.crs))?;
        }
        for feature in features {
            if !lines {
                buffer.extend_from_slice(if written.features == 0 { b"\n" } else { b",\n" });
            }
            let placed = feature.shape.map(|shape| target.place(shape)).transpose()?;
            let moved = FeatureRef { shape: placed.as_ref().map(Placed::view), values: feature.values, id: feature.id };
            write_feature(&mut buffer, &moved, &names, decimals);
            if lines {
                buffer.push(b'\n');
            }
            written.features += 1;
            out.write_all(&buffer).map_err(|error| refused_by_system(&target.path, error))?;
            buffer.clear();
        }
        if !lines {
            buffer.extend_from_slice(b"\n]}\n");
        }
        out.write_all(&buffer).map_err(|error| refused_by_system(&target.path, error))
    })?;
    Ok(written)
}

/// The members before the features.
fn head(out: &mut Vec<u8>, layer: &Layer, crs: Option<&Crs>) -> Result<(), FormatError> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    out.extend_from_slice(format!("{{\"type\":\"FeatureCollection\",\"name\":{}", text(layer.id.as_str())).as_bytes());
    if let Some(crs) = crs {
        let name = match crs.epsg() {
            Some(code) => format!("urn:ogc:def:crs:EPSG::{code}"),
            None => crs.to_wkt().map_err(|error| FormatError::Request(error.to_string()))?,
        };
        let member = format!(",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":{}}}}}", text(&name));
        out.extend_from_slice(member.as_bytes());
    }
    out.extend_from_slice(b",\"features\":[");
    Ok(())
}

/// What GeoJSON cannot hold of a layer's columns.
fn losses_of(layer: &Layer) -> Vec<String> {
    let of = |kind, what: &str| {
        let names: Vec<_> =
            layer.schema.fields.iter().filter(|field| field.kind == kind).map(|field| field.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("GeoJSON has no {what}: {} written as text", names.join(", ")))
    };
    [of(FieldType::Date, "dates"), of(FieldType::DateTime, "moments")].into_iter().flatten().collect()
}
