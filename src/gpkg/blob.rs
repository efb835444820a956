//! Geometry blobs: the GeoPackage header with an envelope, then ISO well-known binary.
//!
//! Invariant: every blob written here carries the envelope of a geometry that has one, so that the R-tree
//! triggers of any program need not walk the coordinates.
//!
//! Source: OGC 12-128r18, clause 2.1.3.

use geopackage_core::{
    curve,
    gpb::{self, Envelope, GpbError},
};

use crate::ground::{
    shape::{Bounds, ShapeRef},
    wkb,
};

/// Replaces `out` by the blob of a shape and returns the shape's box; `None` for an empty shape.
pub fn write(out: &mut Vec<u8>, shape: ShapeRef<'_>, srs_id: i32) -> Option<Bounds> {
    let bounds = shape.bounds();
    let envelope = bounds.map_or(Envelope::None, |b| Envelope::Xy([b.min.x, b.max.x, b.min.y, b.max.y]));
    out.clear();
    gpb::encode_header_into(out, srs_id, &envelope, shape.coords().is_empty(), false);
    wkb::append_wkb(out, shape);
    bounds
}

/// The well-known binary in a blob.
///
/// # Errors
/// [`GpbError`] where the header is none of a GeoPackage geometry.
pub fn body(blob: &[u8]) -> Result<&[u8], GpbError> {
    let offset = gpb::body_offset(blob)?;
    Ok(&blob[offset..])
}

/// What a blob consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The number of the CRS in the file.
    pub srs_id: i32,
    /// The well-known binary.
    pub body: &'a [u8],
}

/// Takes a blob apart.
///
/// # Errors
/// [`GpbError`] where the header is none of a GeoPackage geometry.
pub fn parts(blob: &[u8]) -> Result<Parts<'_>, GpbError> {
    let (header, offset) = gpb::parse_header(blob)?;
    Ok(Parts { srs_id: header.srs_id, body: &blob[offset..] })
}

/// The box of a blob as `[min x, max x, min y, max y]`: its envelope, or what its coordinates say where the
/// envelope is missing or not made of numbers. `None` for an empty geometry.
///
/// # Errors
/// [`geopackage_core::Error`] where the blob is no geometry.
pub fn envelope(blob: &[u8]) -> Result<Option<[f64; 4]>, geopackage_core::Error> {
    let (header, offset) = gpb::parse_header(blob)?;
    if header.empty {
        return Ok(None);
    }
    if let Some((west, east, south, north)) = header.envelope.xy_bounds() {
        let envelope = [west, east, south, north];
        if envelope.iter().all(|v| v.is_finite()) {
            return Ok(Some(envelope));
        }
    }
    Ok(curve::xy_envelope(&blob[offset..])?)
}

#[cfg(test)]
mod tests {
    use geo::Coord;

    use super::*;
    use crate::ground::shape::{Shape, ShapeKind};

    #[test]
    fn a_blob_has_the_envelope_of_its_shape_and_the_same_coordinates() {
        let shape = Shape::polygon(&[vec![
            Coord { x: 112.9, y: 22.7 },
            Coord { x: 113.0, y: 22.7 },
            Coord { x: 113.0, y: 22.9 },
            Coord { x: 112.9, y: 22.7 },
        ]]);
        let mut blob = Vec::new();
        write(&mut blob, shape.view(), 4490);
        assert_eq!(&blob[..4], b"GP\0\x03");
        assert_eq!(i32::from_le_bytes(blob[4..8].try_into().unwrap()), 4490);
        assert_eq!(envelope(&blob).unwrap(), Some([112.9, 113.0, 22.7, 22.9]));
        assert_eq!(wkb::read_wkb(body(&blob).unwrap()).unwrap().shape, shape);
    }

    #[test]
    fn an_empty_shape_has_the_empty_flag_and_no_envelope() {
        let mut blob = Vec::new();
        assert!(write(&mut blob, Shape::new(ShapeKind::MultiPolygon).view(), 4490).is_none());
        assert_eq!(blob[3] & 0b1_0000, 0b1_0000);
        assert_eq!(envelope(&blob).unwrap(), None);
    }

    #[test]
    fn an_envelope_that_is_no_number_is_not_believed() {
        let mut blob = Vec::new();
        write(&mut blob, Shape::point(Coord { x: 3.0, y: 4.0 }).view(), 4490);
        for at in [8, 16, 24, 32] {
            blob[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
        }
        assert_eq!(envelope(&blob).unwrap(), Some([3.0, 3.0, 4.0, 4.0]));
    }

    #[test]
    fn a_blob_that_is_no_geometry_is_an_error() {
        assert!(envelope(b"").is_err());
        assert!(envelope(b"GP\0\x03\0\0").is_err());
        assert!(body(b"PG\0\x01\0\0\0\0").is_err());
    }
}
