//! Geometries written in a filter as WKT (OGC 06-103r4 §7.2), and `BBOX(…)`.
//!
//! Coordinates are taken as they are written: what they are in, and whether they lie on the Earth, is decided
//! when the filter is moved to the layer's CRS and bound.

use geo::Coord;

use crate::ground::shape::{Shape, ShapeKind};

use super::{FilterError, Node, Spot, lexer::Token, text::Parser};

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

/// Whether a word between a geometry's name and its coordinates says which dimensions they have.
pub(super) fn is_dimension(word: &str) -> bool {
    ["Z", "M", "ZM"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Reads the geometry that a word begins; the word itself has been read.
pub(super) fn geometry(parser: &mut Parser<'_>, word: &str, at: &Spot) -> Result<Node, FilterError> {
    if word.eq_ignore_ascii_case("BBOX") {
        return bbox(parser, at);
    }
    if let Token::Word(after) = parser.peek() {
        if !after.eq_ignore_ascii_case("Z") {
            let what = format!("{} {}", word.to_uppercase(), after.to_uppercase());
            return Err(FilterError::Unsupported { what, at: at.clone() });
        }
        parser.next();
    }
    match kind_of(word) {
        Some(kind) => shape(parser, kind).map(Node::Geometry),
        None => collection(parser).map(Node::Collection),
    }
}

/// `( geometry, … )`; collections do not nest.
fn collection(parser: &mut Parser<'_>) -> Result<Vec<Shape>, FilterError> {
    let mut members = Vec::new();
    listed(parser, |parser| {
        let Some(kind) = (if let Token::Word(word) = parser.peek() { kind_of(word) } else { None }) else {
            return Err(parser.expected("POINT, LINESTRING, POLYGON or one of their MULTI… forms"));
        };
        parser.next();
        if matches!(parser.peek(), Token::Word(word) if word.eq_ignore_ascii_case("Z")) {
            parser.next();
        }
        members.push(shape(parser, kind)?);
        Ok(())
    })?;
    Ok(members)
}

fn shape(parser: &mut Parser<'_>, kind: ShapeKind) -> Result<Shape, FilterError> {
    let at = parser.at();
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
    let view = shape.view();
    let extra = view.kind().dimension() == 0 && view.rings().any(|ring| ring.len() != 1);
    if extra {
        return Err(parser.bad_literal(&at, "point of one coordinate"));
    }
    Ok(shape)
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
            &at,
            if least == 4 { "ring of four or more coordinates" } else { "path of two or more coordinates" },
        ));
    }
    if least == 4 && path.first() != path.last() {
        return Err(parser.bad_literal(&at, "closed ring"));
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
    parser.count_vertex()?;
    let c = Coord { x: parser.number()?, y: parser.number()? };
    if matches!(parser.peek(), Token::Number(_) | Token::Sign("-" | "+")) {
        parser.number()?;
    }
    Ok(c)
}

/// `BBOX(west, south, east, north)`, or with heights, which are not used.
fn bbox(parser: &mut Parser<'_>, at: &Spot) -> Result<Node, FilterError> {
    let mut numbers = Vec::new();
    listed(parser, |parser| {
        numbers.push(parser.number()?);
        if numbers.len() > 6 {
            return Err(parser.bad_literal(at, "box of four or six numbers"));
        }
        Ok(())
    })?;
    box_of(&numbers).ok_or_else(|| parser.bad_literal(at, "box of four or six numbers"))
}

/// The box of four numbers, or of six with heights.
pub(super) fn box_of(numbers: &[f64]) -> Option<Node> {
    let ([west, south, east, north] | [west, south, _, east, north, _]) = *numbers else { return None };
    Some(Node::Box([west, south, east, north]))
}
