//! Writing GeoJSON: a stream of features, nothing held but those at hand. In an answer that is one, and other processors
//! are left to other answers; in a file some thousands, whose texts are made on all of them.
//!
//! Question: why does a file name its CRS in a member that RFC 7946 has dropped, and an answer of the API does
//! not? A file that names none is longitude and latitude to every reader, and the old member is what GDAL and
//! QGIS still heed, east first. An answer says its CRS in the header `Content-Crs`, and then its
//! coordinates stand in the order that the CRS declares (OGC 18-058r1 §6.2.3): with the member those readers
//! would exchange the axes.

use std::io::Write;

use rayon::prelude::*;

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

/// Features of a file whose texts are made at once.
const BATCH: usize = 4096;
/// Features that a processor takes at a time.
const PART: usize = 256;

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
    written_beside(target, |out| lay_out(out, target, layer, |out, wording| wording.write_together(out, features)))
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
    lay_out(out, target, layer, |out, wording| wording.write_each(out, features))
}

/// Writes what stands around features, and between what `fill` writes; it tells how many they are.
fn lay_out(
    out: &mut dyn Write,
    target: &Target,
    layer: &Layer,
    fill: impl FnOnce(&mut dyn Write, &Wording<'_>) -> Result<u64, FormatError>,
) -> Result<Written, FormatError> {
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request("GeoJSON is UTF-8 by its standard: leave the encoding out".to_owned()));
    }
    let refused = |error| refused_by_system(&target.path, error);
    let layout = Layout::of(target);
    if layout == Layout::Collection {
        let (mut text, unnamed) = (Vec::new(), target.axes_as_declared || target.crs.is_stored());
        head(&mut text, layer, (!unnamed).then_some(&target.crs))?;
        out.write_all(&text).map_err(refused)?;
    }
    let wording = Wording { target, layout, names: PropertyNames::new(&layer.schema), decimals: target.decimals() };
    let features = fill(out, &wording)?;
    if layout == Layout::Collection {
        out.write_all(b"\n]}\n").map_err(refused)?;
    }
    Ok(Written { features, losses: losses(target, layer) })
}

/// How features are written.
struct Wording<'a> {
    target: &'a Target,
    layout: Layout,
    names: PropertyNames,
    decimals: u8,
}

impl Wording<'_> {
    /// Writes features one after another; how many.
    fn write_each(
        &self,
        out: &mut dyn Write,
        features: &mut dyn Iterator<Item = FeatureRef<'_>>,
    ) -> Result<u64, FormatError> {
        let (mut count, mut text) = (0, Vec::with_capacity(1 << 12));
        for feature in self.target.until_stopped(features) {
            self.append(&mut text, feature, count == 0)?;
            out.write_all(&text).map_err(|error| refused_by_system(&self.target.path, error))?;
            text.clear();
            count += 1;
        }
        Ok(count)
    }

    /// Writes features, some thousands at once: while their texts are made, those before are written and those after are
    /// gathered. How many.
    fn write_together(
        &self,
        out: &mut dyn Write,
        features: &mut dyn Iterator<Item = FeatureRef<'_>>,
    ) -> Result<u64, FormatError> {
        let mut features = self.target.until_stopped(features);
        let mut gather = || features.by_ref().take(BATCH).collect::<Vec<_>>();
        let mut count = 0;
        let (mut batch, mut texts) = (gather(), Vec::new());
        while !batch.is_empty() || !texts.is_empty() {
            let (is_first, given) = (count == 0, std::mem::take(&mut batch));
            count += given.len() as u64;
            let (before, mut outcome) = (std::mem::take(&mut texts), Ok(()));
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| texts = self.texts(given, is_first));
                batch = gather();
                outcome = before.into_iter().try_for_each(|text| self.put(out, text));
            });
            outcome?;
        }
        Ok(count)
    }

    fn put(&self, out: &mut dyn Write, text: Result<Vec<u8>, FormatError>) -> Result<(), FormatError> {
        out.write_all(&text?).map_err(|error| refused_by_system(&self.target.path, error))
    }

    /// The texts of some features in their order, many in each.
    fn texts(&self, features: Vec<FeatureRef<'_>>, is_first: bool) -> Vec<Result<Vec<u8>, FormatError>> {
        let text_of = |(number, part): (usize, Vec<FeatureRef<'_>>)| {
            let mut text = Vec::with_capacity(part.len() << 10);
            for (at, feature) in part.into_iter().enumerate() {
                self.append(&mut text, feature, is_first && number == 0 && at == 0)?;
            }
            Ok(text)
        };
        features.into_par_iter().chunks(PART).enumerate().map(text_of).collect()
    }

    /// Appends a feature with what stands before and behind it.
    fn append(&self, text: &mut Vec<u8>, feature: FeatureRef<'_>, is_first: bool) -> Result<(), FormatError> {
        match self.layout {
            Layout::Collection => text.extend_from_slice(if is_first { b"\n" } else { b",\n" }),
            Layout::Sequence => text.push(RECORD_SEPARATOR),
            Layout::Lines => {}
        }
        let placed = feature.shape.map(|shape| self.target.place(shape)).transpose()?;
        let moved = FeatureRef { shape: placed.as_ref().map(Placed::view), values: feature.values, id: feature.id };
        write_feature(text, &moved, &self.names, self.decimals);
        if self.layout != Layout::Collection {
            text.push(b'\n');
        }
        Ok(())
    }
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
