//! Geometries of a filter on their way to longitude and latitude, and whether they lie on the Earth.
//!
//! A geometry may be written in any CRS, in the axis order that the CRS declares. Its edges are straight there;
//! in longitude and latitude they are not quite. Vertices are added until no edge is off by more than a
//! millimetre, so a long side of a box in the survey grid selects what it selects in the grid.

use geo::Coord;

use crate::ground::{
    crs::{Crs, CrsKind},
    shape::{Shape, ShapeKind, ShapeRef},
};

use super::{Expr, FilterError, MAX_VERTICES, Node, Spot};

/// A millimetre in degrees.
const MILLIMETRE: f64 = 1e-8;
/// Edges are halved at most so often.
const MOST_HALVINGS: u32 = 14;

/// The filter with its geometries moved from a CRS, in the axis order that it declares, to longitude and latitude.
///
/// # Errors
/// [`FilterError::NoPlace`] where a coordinate has no place on the Earth, [`FilterError::TooManyVertices`].
pub fn in_crs(filter: Expr, crs: &Crs) -> Result<Expr, FilterError> {
    let mut mover = Mover { crs, added: 0 };
    mover.expr(filter)
}

struct Mover<'c> {
    crs: &'c Crs,
    added: usize,
}

impl Mover<'_> {
    fn expr(&mut self, Expr { node, at }: Expr) -> Result<Expr, FilterError> {
        let node = match node {
            Node::Geometry(shape) => Node::Geometry(self.shape(&shape, &at)?),
            Node::Collection(shapes) => {
                Node::Collection(shapes.iter().map(|shape| self.shape(shape, &at)).collect::<Result<_, _>>()?)
            }
            Node::Box(corners) => self.corners(corners, &at)?,
            Node::List(items) => Node::List(self.exprs(items)?),
            Node::Op(op, args) => Node::Op(op, self.exprs(args)?),
            other => other,
        };
        Ok(Expr { node, at })
    }

    fn exprs(&mut self, exprs: Vec<Expr>) -> Result<Vec<Expr>, FilterError> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    /// East first.
    fn ordered(&self, c: Coord) -> Coord {
        if self.crs.north_first() { Coord { x: c.y, y: c.x } } else { c }
    }

    fn corners(&mut self, [a, b, c, d]: [f64; 4], at: &Spot) -> Result<Node, FilterError> {
        let (low, high) = (self.ordered(Coord { x: a, y: b }), self.ordered(Coord { x: c, y: d }));
        if self.crs.is_stored() {
            return Ok(Node::Box([low.x, low.y, high.x, high.y]));
        }
        if low.x > high.x && self.crs.kind() != CrsKind::Geographic {
            let detail = "the western edge of the box lies east of the eastern one".to_owned();
            return Err(FilterError::NoPlace { detail, at: at.clone() });
        }
        let shape = shape_of_box([low.x, low.y, high.x, high.y], at)?;
        self.moved(shape.view(), at).map(Node::Geometry)
    }

    fn shape(&mut self, shape: &Shape, at: &Spot) -> Result<Shape, FilterError> {
        let mut ordered = shape.clone();
        for c in ordered.coords_mut() {
            *c = self.ordered(*c);
        }
        if self.crs.is_stored() { Ok(ordered) } else { self.moved(ordered.view(), at) }
    }

    fn stored(&self, c: Coord, at: &Spot) -> Result<Coord, FilterError> {
        let mut moved = [c];
        let refused =
            |error: crate::ground::crs::CrsError| FilterError::NoPlace { detail: error.to_string(), at: at.clone() };
        self.crs.to_stored(&mut moved).map_err(refused)?;
        Ok(moved[0])
    }

    fn moved(&mut self, shape: ShapeRef<'_>, at: &Spot) -> Result<Shape, FilterError> {
        let mut out = Shape::new(shape.kind());
        for rings in shape.parts() {
            for ring in rings {
                self.path(ring, &mut out, at)?;
                out.end_ring();
            }
            out.end_part();
        }
        Ok(out)
    }

    fn path(&mut self, path: &[Coord], out: &mut Shape, at: &Spot) -> Result<(), FilterError> {
        let mut before: Option<(Coord, Coord)> = None;
        for c in path {
            let end = (*c, self.stored(*c, at)?);
            if let Some(start) = before {
                self.between(start, end, MOST_HALVINGS, &mut |c| out.push(c), at)?;
            }
            out.push(end.1);
            before = Some(end);
        }
        Ok(())
    }

    /// Adds vertices between two ends, each as written and as moved.
    fn between(
        &mut self,
        a: (Coord, Coord),
        b: (Coord, Coord),
        halvings: u32,
        push: &mut dyn FnMut(Coord),
        at: &Spot,
    ) -> Result<(), FilterError> {
        let middle = |a: Coord, b: Coord| Coord { x: f64::midpoint(a.x, b.x), y: f64::midpoint(a.y, b.y) };
        let written = middle(a.0, b.0);
        let moved = self.stored(written, at)?;
        let straight = middle(a.1, b.1);
        let off = (moved.x - straight.x).hypot(moved.y - straight.y);
        if halvings == 0 || off < MILLIMETRE {
            return Ok(());
        }
        self.added += 1;
        if self.added > MAX_VERTICES {
            return Err(FilterError::TooManyVertices { at: at.clone() });
        }
        let half = (written, moved);
        self.between(a, half, halvings - 1, push, at)?;
        push(moved);
        self.between(half, b, halvings - 1, push, at)
    }
}

/// A box as a geometry: one surface, or two where it crosses the antimeridian; a line or a point where it has no
/// width or height.
pub(super) fn shape_of_box([west, south, east, north]: [f64; 4], at: &Spot) -> Result<Shape, FilterError> {
    if south > north {
        let detail = format!("the southern edge {south} of the box lies north of the northern one {north}");
        return Err(FilterError::NoPlace { detail, at: at.clone() });
    }
    if west > east {
        let mut both = Shape::new(ShapeKind::MultiPolygon);
        for (west, east) in [(west, 180.0), (-180.0, east)] {
            outline(&mut both, [west, south, east, north]);
        }
        return Ok(both);
    }
    let (low, high) = (Coord { x: west, y: south }, Coord { x: east, y: north });
    if low == high {
        return Ok(Shape::point(low));
    }
    if west < east && south < north {
        let mut shape = Shape::new(ShapeKind::Polygon);
        outline(&mut shape, [west, south, east, north]);
        return Ok(shape);
    }
    let mut shape = Shape::new(ShapeKind::LineString);
    shape.push(low);
    shape.push(high);
    shape.end_ring();
    shape.end_part();
    Ok(shape)
}

fn outline(shape: &mut Shape, [west, south, east, north]: [f64; 4]) {
    for (x, y) in [(west, south), (east, south), (east, north), (west, north), (west, south)] {
        shape.push(Coord { x, y });
    }
    shape.end_ring();
    shape.end_part();
}

/// Refuses what is no longitude and latitude, and tells where the two look exchanged.
///
/// Annex A of the standard asks for `POINT(90 180)` without an error: what is no place in either order, yet within
/// 180 in both, is taken for a place where nothing is.
pub(super) fn check_place(c: Coord, at: &Spot) -> Result<(), FilterError> {
    let refuse = |why: &str| {
        let detail = format!("({} {}) is no longitude and latitude: {why}", c.x, c.y);
        Err(FilterError::NoPlace { detail, at: at.clone() })
    };
    if c.x.abs() <= 180.0 && c.y.abs() <= 90.0 {
        return Ok(());
    }
    if c.x.abs() < 90.0 && c.y.abs() <= 180.0 {
        return refuse("they look exchanged, the longitude comes first");
    }
    if c.x.abs() <= 180.0 && c.y.abs() <= 180.0 {
        return Ok(());
    }
    refuse("for another reference system say so in filter-crs")
}
