//! Well-known text of geometries, written only.
//!
//! Source: OGC 06-103r4 §7. Coordinates have at most as many decimals as asked for ([`super::print`]).

use geo::Coord;

use super::{
    print::append_number,
    shape::{RingsOf, ShapeKind, ShapeRef},
};

/// Appends one geometry with at most `decimals` decimals.
pub fn append_wkt(out: &mut Vec<u8>, shape: ShapeRef<'_>, decimals: u8) {
    let kind = shape.kind();
    out.extend(kind.as_str().bytes().map(|b| b.to_ascii_uppercase()));
    if shape.coords().is_empty() {
        out.extend_from_slice(b" EMPTY");
        return;
    }
    let multi = kind.multi() == kind;
    if multi {
        out.push(b'(');
    }
    for (i, part) in shape.parts().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_part(out, kind, part, decimals);
    }
    if multi {
        out.push(b')');
    }
}

/// The geometry as text with at most `decimals` decimals.
#[must_use]
pub fn wkt_of(shape: ShapeRef<'_>, decimals: u8) -> String {
    let mut out = Vec::with_capacity(16 + 26 * shape.coords().len());
    append_wkt(&mut out, shape, decimals);
    String::from_utf8_lossy(&out).into_owned()
}

fn put_part(out: &mut Vec<u8>, kind: ShapeKind, rings: RingsOf<'_>, decimals: u8) {
    if rings.len() == 0 {
        out.extend_from_slice(b"EMPTY");
        return;
    }
    let surface = kind.dimension() == 2;
    if surface {
        out.push(b'(');
    }
    for (i, ring) in rings.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        put_path(out, ring, decimals);
    }
    if surface {
        out.push(b')');
    }
}

fn put_path(out: &mut Vec<u8>, path: &[Coord], decimals: u8) {
    if path.is_empty() {
        out.extend_from_slice(b"EMPTY");
        return;
    }
    for (i, at) in path.iter().enumerate() {
        out.push(if i == 0 { b'(' } else { b',' });
        append_number(out, at.x, decimals);
        out.push(b' ');
        append_number(out, at.y, decimals);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::shape::Shape;

    fn ring(x: f64) -> Vec<Coord> {
        [(x, 0.0), (x + 1.0, 0.0), (x, 1.5), (x, 0.0)].map(Coord::from).into()
    }

    #[test]
    fn every_kind_has_its_text() {
        let point = Shape::point(Coord { x: 112.96, y: -22.770_000_000_01 });
        assert_eq!(wkt_of(point.view(), 9), "POINT(112.96 -22.77)");
        let holed = Shape::polygon(&[ring(0.0), ring(0.25)]);
        assert_eq!(wkt_of(holed.view(), 3), "POLYGON((0 0,1 0,0 1.5,0 0),(0.25 0,1.25 0,0.25 1.5,0.25 0))");
        let mut parts = Shape::new(ShapeKind::MultiPolygon);
        for x in [0.0, 5.0] {
            for at in ring(x) {
                parts.push(at);
            }
            parts.end_ring();
            parts.end_part();
        }
        assert_eq!(wkt_of(parts.view(), 1), "MULTIPOLYGON(((0 0,1 0,0 1.5,0 0)),((5 0,6 0,5 1.5,5 0)))");
        let mut paths = parts.clone();
        paths.set_kind(ShapeKind::MultiLineString);
        assert_eq!(wkt_of(paths.view(), 1), "MULTILINESTRING((0 0,1 0,0 1.5,0 0),(5 0,6 0,5 1.5,5 0))");
        let mut points = Shape::new(ShapeKind::MultiPoint);
        for at in [(1.0, 2.0), (3.0, 4.0)] {
            points.push(at.into());
            points.end_ring();
            points.end_part();
        }
        assert_eq!(wkt_of(points.view(), 0), "MULTIPOINT((1 2),(3 4))");
        assert_eq!(wkt_of(Shape::new(ShapeKind::LineString).view(), 0), "LINESTRING EMPTY");
    }
}
