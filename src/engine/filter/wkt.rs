//! Geometries written in a filter: WKT (OGC 06-103r4 §7.2) in longitude and latitude, and `BBOX(…)`.

use geo::Coord;

use crate::ground::shape::{Bounds, Shape, ShapeKind};

use super::{FilterError, Node, lexer::Token, text::Parser};

/// The kind of geometry that a word begins.
fn kind_of(word: &str) -> Option<ShapeKind> {
    use ShapeKind::{LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
    [Point, MultiPoint, LineString, MultiLineString, Polygon, MultiPolygon]
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
}

/// Whether a word begins a geometry.
pub(super) fn begins_geometry(word: &str) -> bool {
    kind_of(word).is_some() || word.eq_ignore_ascii_case("BBOX") || word.eq_ignore_ascii_case("GEOMETRYCOLLECTION")
}

/// Reads the geometry that a word begins; the word itself has been read.
pub(super) fn geometry(parser: &mut Parser<'_>, word: &str, at: usize) -> Result<Node, FilterError> {
    if word.eq_ignore_ascii_case("BBOX") {
        return bbox(parser, at);
    }
    let Some(kind) = kind_of(word) else {
        return Err(FilterError::Unsupported { what: word.to_uppercase() });
    };
    if let Token::Word(after) = parser.peek() {
        if after.eq_ignore_ascii_case("EMPTY") || after.eq_ignore_ascii_case("M") || after.eq_ignore_ascii_case("ZM") {
            return Err(FilterError::Unsupported { what: format!("{} {}", word.to_uppercase(), after.to_uppercase()) });
        }
        if after.eq_ignore_ascii_case("Z") {
            parser.next();
        }
    }
    let mut shape = Shape::new(kind);
    match kind {
        ShapeKind::Point => path(parser, &mut shape, 1, true)?,
        ShapeKind::LineString => path(parser, &mut shape, 2, true)?,
        ShapeKind::MultiLineString => listed(parser, |parser| path(parser, &mut shape, 2, true))?,
        ShapeKind::MultiPoint => listed(parser, |parser| {
            if *parser.peek() == Token::Sign("(") {
                return path(parser, &mut shape, 1, true);
            }
            let c = coordinate(parser)?;
            shape.push(c);
            shape.end_ring();
            shape.end_part();
            Ok(())
        })?,
        ShapeKind::Polygon => surface(parser, &mut shape)?,
        ShapeKind::MultiPolygon => listed(parser, |parser| surface(parser, &mut shape))?,
    }
    let single = matches!(kind, ShapeKind::Point);
    if single && shape.view().coords().len() != 1 {
        return Err(parser.bad_literal(at, "point of one coordinate"));
    }
    Ok(Node::Geometry(shape))
}

fn surface(parser: &mut Parser<'_>, shape: &mut Shape) -> Result<(), FilterError> {
    listed(parser, |parser| path(parser, shape, 4, false))?;
    shape.end_part();
    Ok(())
}

/// `( item, item … )`
fn listed(
    parser: &mut Parser<'_>,
    mut item: impl FnMut(&mut Parser<'_>) -> Result<(), FilterError>,
) -> Result<(), FilterError> {
    parser.sign("(")?;
    loop {
        item(parser)?;
        if !parser.skips(",") {
            return parser.sign(")");
        }
    }
}

/// `( x y, x y … )`: a ring, a path or a point.
fn path(parser: &mut Parser<'_>, shape: &mut Shape, least: usize, own_part: bool) -> Result<(), FilterError> {
    let at = parser.at();
    let mut path = Vec::new();
    listed(parser, |parser| {
        path.push(coordinate(parser)?);
        Ok(())
    })?;
    if path.len() < least {
        return Err(parser.bad_literal(
            at,
            if least == 4 { "ring of four or more coordinates" } else { "path of two or more coordinates" },
        ));
    }
    if least == 4 && path.first() != path.last() {
        return Err(parser.bad_literal(at, "closed ring"));
    }
    for c in path {
        shape.push(c);
    }
    shape.end_ring();
    if own_part {
        shape.end_part();
    }
    Ok(())
}

/// `x y` or `x y z`; the height is read and not used.
fn coordinate(parser: &mut Parser<'_>) -> Result<Coord, FilterError> {
    let at = parser.at();
    let c = Coord { x: parser.number()?, y: parser.number()? };
    if matches!(parser.peek(), Token::Number(_)) || *parser.peek() == Token::Sign("-") {
        parser.number()?;
    }
    if c.x.abs() > 180.0 || c.y.abs() > 90.0 {
        return Err(parser.bad_literal(at, "longitude within 180 and latitude within 90 degrees, in this order"));
    }
    Ok(c)
}

/// `BBOX(west, south, east, north)`, or with heights.
fn bbox(parser: &mut Parser<'_>, at: usize) -> Result<Node, FilterError> {
    let mut numbers = Vec::new();
    listed(parser, |parser| {
        numbers.push(parser.number()?);
        if numbers.len() > 6 {
            return Err(parser.bad_literal(at, "box of four or six numbers"));
        }
        Ok(())
    })?;
    let ([west, south, east, north] | [west, south, _, east, north, _]) = numbers[..] else {
        return Err(parser.bad_literal(at, "box of four or six numbers"));
    };
    let good = west.abs() <= 180.0 && east.abs() <= 180.0 && south >= -90.0 && south <= north && north <= 90.0;
    if !good {
        return Err(parser.bad_literal(at, "box of west, south, east and north in degrees"));
    }
    if west > east {
        return Err(FilterError::Unsupported { what: "BBOX across the antimeridian".to_owned() });
    }
    Ok(Node::Box(Bounds { min: Coord { x: west, y: south }, max: Coord { x: east, y: north } }))
}
