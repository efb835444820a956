//! Geometry as it is stored: flat arrays of coordinates, rings and parts, exactly as they were read.
//!
//! A [`Shape`] keeps what its source said, faults included; it never closes a ring, drops a vertex or
//! turns an orientation. What is wrong with it is told by [`super::fault`].
//!
//! Coordinates are `x` = east or longitude, `y` = north or latitude, always. Which CRS they are in is
//! known to the owner (a layer's features: EPSG:4490; a file being read: the file's).
//!
//! Question: why not `geo::Polygon`? It closes rings on construction, so an unclosed ring could not be
//! reported; and one allocation per ring costs a layer of a million parcels 300 MB.

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};

/// The kinds of geometry a feature can have (OGC 06-103r4, simple features without collections).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum ShapeKind {
    /// One position.
    Point,
    /// Several positions.
    MultiPoint,
    /// One path.
    LineString,
    /// Several paths.
    MultiLineString,
    /// One surface: an outer ring and its holes.
    Polygon,
    /// Several surfaces.
    MultiPolygon,
}

impl ShapeKind {
    /// The name in GeoJSON, in WKT (upper-cased) and in GeoPackage (upper-cased).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::MultiPoint => "MultiPoint",
            Self::LineString => "LineString",
            Self::MultiLineString => "MultiLineString",
            Self::Polygon => "Polygon",
            Self::MultiPolygon => "MultiPolygon",
        }
    }

    /// 0 for points, 1 for lines, 2 for surfaces.
    #[must_use]
    pub const fn dimension(self) -> u8 {
        match self {
            Self::Point | Self::MultiPoint => 0,
            Self::LineString | Self::MultiLineString => 1,
            Self::Polygon | Self::MultiPolygon => 2,
        }
    }

    /// The kind that holds several of this.
    #[must_use]
    pub const fn multi(self) -> Self {
        match self {
            Self::Point | Self::MultiPoint => Self::MultiPoint,
            Self::LineString | Self::MultiLineString => Self::MultiLineString,
            Self::Polygon | Self::MultiPolygon => Self::MultiPolygon,
        }
    }
}

/// A box with sides along the axes. `min` ≤ `max` holds in each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// South-west corner.
    pub min: Coord,
    /// North-east corner.
    pub max: Coord,
}

impl Bounds {
    /// The box of two opposite corners, whichever they are.
    #[must_use]
    pub fn of_corners(a: Coord, b: Coord) -> Self {
        Self { min: Coord { x: a.x.min(b.x), y: a.y.min(b.y) }, max: Coord { x: a.x.max(b.x), y: a.y.max(b.y) } }
    }

    /// The smallest box around some coordinates; `None` for none, or where one is not a number.
    #[must_use]
    pub fn around(coords: &[Coord]) -> Option<Self> {
        let first = *coords.first()?;
        let mut bounds = Self { min: first, max: first };
        for c in coords {
            if c.x.is_nan() || c.y.is_nan() {
                return None;
            }
            bounds.min = Coord { x: bounds.min.x.min(c.x), y: bounds.min.y.min(c.y) };
            bounds.max = Coord { x: bounds.max.x.max(c.x), y: bounds.max.y.max(c.y) };
        }
        Some(bounds)
    }

    /// The smallest box around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            min: Coord { x: self.min.x.min(other.min.x), y: self.min.y.min(other.min.y) },
            max: Coord { x: self.max.x.max(other.max.x), y: self.max.y.max(other.max.y) },
        }
    }

    /// Whether the boxes share a point, edges included.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.min.x <= other.max.x && self.max.x >= other.min.x && self.min.y <= other.max.y && self.max.y >= other.min.y
    }

    /// Whether the other box lies in this one, edges included.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.min.x <= other.min.x && self.max.x >= other.max.x && self.min.y <= other.min.y && self.max.y >= other.max.y
    }

    /// Whether the position lies in this box, edges included.
    #[must_use]
    pub fn holds(&self, at: Coord) -> bool {
        self.min.x <= at.x && at.x <= self.max.x && self.min.y <= at.y && at.y <= self.max.y
    }

    /// The box widened on every side.
    #[must_use]
    pub fn widened(&self, by: f64) -> Self {
        Self {
            min: Coord { x: self.min.x - by, y: self.min.y - by },
            max: Coord { x: self.max.x + by, y: self.max.y + by },
        }
    }

    /// The middle of the box.
    #[must_use]
    pub fn center(&self) -> Coord {
        Coord { x: f64::midpoint(self.min.x, self.max.x), y: f64::midpoint(self.min.y, self.max.y) }
    }
}

/// A geometry with its own storage.
///
/// `rings` are paths of coordinates (rings of surfaces, paths of lines, for points one path per point);
/// `parts` are groups of rings (surfaces; for lines and points one group per path).
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    kind: ShapeKind,
    coords: Vec<Coord>,
    ring_ends: Vec<u32>,
    part_ends: Vec<u32>,
}

impl Shape {
    /// A shape without parts, to be filled by [`Self::push`], [`Self::end_ring`] and [`Self::end_part`].
    #[must_use]
    pub const fn new(kind: ShapeKind) -> Self {
        Self { kind, coords: Vec::new(), ring_ends: Vec::new(), part_ends: Vec::new() }
    }

    /// A point.
    #[must_use]
    pub fn point(at: Coord) -> Self {
        Self { kind: ShapeKind::Point, coords: vec![at], ring_ends: vec![1], part_ends: vec![1] }
    }

    /// A surface of one outer ring and its holes, as given.
    #[must_use]
    pub fn polygon(rings: &[Vec<Coord>]) -> Self {
        let mut shape = Self::new(ShapeKind::Polygon);
        for ring in rings {
            shape.coords.extend_from_slice(ring);
            shape.end_ring();
        }
        shape.end_part();
        shape
    }

    /// The box's outline as a surface, counter-clockwise.
    #[must_use]
    pub fn of_bounds(b: &Bounds) -> Self {
        let (a, c) = (b.min, b.max);
        Self::polygon(&[vec![a, Coord { x: c.x, y: a.y }, c, Coord { x: a.x, y: c.y }, a]])
    }

    /// Adds a coordinate to the ring being built.
    pub fn push(&mut self, at: Coord) {
        self.coords.push(at);
    }

    /// Ends the ring being built.
    pub fn end_ring(&mut self) {
        self.ring_ends.push(self.coords.len() as u32);
    }

    /// Ends the part being built.
    pub fn end_part(&mut self) {
        self.part_ends.push(self.ring_ends.len() as u32);
    }

    /// Changes the kind, keeping the arrays: for a reader that learns of further parts as it goes.
    pub fn set_kind(&mut self, kind: ShapeKind) {
        self.kind = kind;
    }

    /// The coordinates, to be moved in place (by a CRS transformation).
    pub fn coords_mut(&mut self) -> &mut [Coord] {
        &mut self.coords
    }

    /// A view of this shape.
    #[must_use]
    pub fn view(&self) -> ShapeRef<'_> {
        ShapeRef {
            kind: self.kind,
            coords: &self.coords,
            ring_ends: &self.ring_ends,
            ring_base: 0,
            part_ends: &self.part_ends,
            part_base: 0,
        }
    }

    /// A surface or surfaces from the geometry library.
    #[must_use]
    pub fn from_multi_polygon(surfaces: &MultiPolygon) -> Self {
        let mut shape = Self::new(if surfaces.0.len() == 1 { ShapeKind::Polygon } else { ShapeKind::MultiPolygon });
        for surface in surfaces {
            for ring in std::iter::once(surface.exterior()).chain(surface.interiors()) {
                shape.coords.extend_from_slice(&ring.0);
                shape.end_ring();
            }
            shape.end_part();
        }
        shape
    }
}

/// A view of a geometry: of a [`Shape`], or of one feature in a layer's shared arrays.
#[derive(Debug, Clone, Copy)]
pub struct ShapeRef<'a> {
    kind: ShapeKind,
    coords: &'a [Coord],
    ring_ends: &'a [u32],
    ring_base: u32,
    part_ends: &'a [u32],
    part_base: u32,
}

impl<'a> ShapeRef<'a> {
    /// A view over shared arrays: `ring_ends` count coordinates from `ring_base`, `part_ends` count rings
    /// from `part_base`; `coords` are this geometry's alone.
    #[must_use]
    pub const fn of_arrays(
        kind: ShapeKind,
        coords: &'a [Coord],
        (ring_ends, ring_base): (&'a [u32], u32),
        (part_ends, part_base): (&'a [u32], u32),
    ) -> Self {
        Self { kind, coords, ring_ends, ring_base, part_ends, part_base }
    }

    /// The kind of geometry.
    #[must_use]
    pub const fn kind(&self) -> ShapeKind {
        self.kind
    }

    /// All coordinates, ring after ring.
    #[must_use]
    pub const fn coords(&self) -> &'a [Coord] {
        self.coords
    }

    /// The number of parts.
    #[must_use]
    pub const fn part_count(&self) -> usize {
        self.part_ends.len()
    }

    /// All rings of all parts, in order.
    pub fn rings(&self) -> impl Iterator<Item = &'a [Coord]> + use<'a> {
        let (coords, ends, base) = (self.coords, self.ring_ends, self.ring_base);
        (0..ends.len()).map(move |i| ring(coords, ends, base, i))
    }

    /// The rings of each part.
    pub fn parts(&self) -> impl Iterator<Item = RingsOf<'a>> + use<'a> {
        let view = *self;
        (0..view.part_ends.len()).map(move |i| {
            let start = if i == 0 { 0 } else { (view.part_ends[i - 1] - view.part_base) as usize };
            let end = (view.part_ends[i] - view.part_base) as usize;
            RingsOf { view, next: start, end }
        })
    }

    /// The smallest box around the geometry; `None` where it is empty or not numbers.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        Bounds::around(self.coords)
    }

    /// The shape with its own storage.
    #[must_use]
    pub fn to_shape(&self) -> Shape {
        Shape {
            kind: self.kind,
            coords: self.coords.to_vec(),
            ring_ends: self.ring_ends.iter().map(|end| end - self.ring_base).collect(),
            part_ends: self.part_ends.iter().map(|end| end - self.part_base).collect(),
        }
    }

    /// The same geometry for the geometry library. It closes rings that are not closed.
    #[must_use]
    pub fn to_geo(&self) -> Geometry {
        let paths = || self.rings().map(|ring| LineString::new(ring.to_vec()));
        let points = || self.coords.iter().map(|c| Point::from(*c));
        match self.kind {
            ShapeKind::Point => points().next().map_or_else(|| MultiPoint::new(vec![]).into(), Geometry::from),
            ShapeKind::MultiPoint => MultiPoint::new(points().collect()).into(),
            ShapeKind::LineString => paths().next().unwrap_or_else(|| LineString::new(vec![])).into(),
            ShapeKind::MultiLineString => MultiLineString::new(paths().collect()).into(),
            ShapeKind::Polygon | ShapeKind::MultiPolygon => self.to_multi_polygon().into(),
        }
    }

    /// The surfaces for the geometry library; none for points and lines. It closes rings that are not closed.
    #[must_use]
    pub fn to_multi_polygon(&self) -> MultiPolygon {
        if self.kind.dimension() < 2 {
            return MultiPolygon::new(vec![]);
        }
        let surface = |mut rings: RingsOf<'_>| {
            let outer = rings.next().unwrap_or_default().to_vec();
            Polygon::new(LineString::new(outer), rings.map(|ring| LineString::new(ring.to_vec())).collect())
        };
        MultiPolygon::new(self.parts().map(surface).collect())
    }
}

/// The rings of one part, outer ring first.
#[derive(Debug, Clone)]
pub struct RingsOf<'a> {
    view: ShapeRef<'a>,
    next: usize,
    end: usize,
}

impl<'a> Iterator for RingsOf<'a> {
    type Item = &'a [Coord];

    fn next(&mut self) -> Option<&'a [Coord]> {
        if self.next == self.end {
            return None;
        }
        self.next += 1;
        Some(ring(self.view.coords, self.view.ring_ends, self.view.ring_base, self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl ExactSizeIterator for RingsOf<'_> {}

fn ring<'a>(coords: &'a [Coord], ends: &[u32], base: u32, index: usize) -> &'a [Coord] {
    let start = if index == 0 { 0 } else { (ends[index - 1] - base) as usize };
    &coords[start..(ends[index] - base) as usize]
}
