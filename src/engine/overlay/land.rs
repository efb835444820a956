//! Land: a surface in the plane of overlays, and the only place that runs boolean operations on it.

use geo::{BooleanOps, Coord, LineString, MultiPolygon};

use crate::{
    engine::table::{Row, Table},
    ground::{
        fault::{FaultKind, faults_of},
        measure::{SurveyGrid, planar_m2},
        shape::{Bounds, Shape, ShapeKind, ShapeRef},
        units::Basis,
    },
};

use super::{
    LEAST_AREA_M2, LEAST_WIDTH_M,
    plane::{bounds_in_plane, from_plane, grid_of, ring_in_plane, twice_area_and_length},
};

/// Rings in the plane under the even-odd rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Rings(pub(super) Vec<LineString>);

impl BooleanOps for Rings {
    type Scalar = f64;

    fn rings(&self) -> impl Iterator<Item = &LineString> {
        self.0.iter()
    }
}

impl Rings {
    /// Rings of coordinates, open or closed.
    pub(super) fn new(rings: impl IntoIterator<Item = Vec<Coord>>) -> Self {
        let closed = |ring: Vec<Coord>| {
            let mut ring = LineString::new(ring);
            ring.close();
            ring
        };
        Self(rings.into_iter().filter(|ring| ring.len() > 2).map(closed).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn length_m(&self) -> f64 {
        self.0.iter().map(|ring| twice_area_and_length(&ring.0).1).sum()
    }

    /// The common part.
    pub(super) fn and(&self, other: &Self) -> Surfaces {
        Surfaces::of(&self.intersection(other))
    }

    /// The part outside the other.
    pub(super) fn without(&self, other: &Self) -> Surfaces {
        Surfaces::of(&self.difference(other))
    }
}

/// The outcome of an operation: surfaces that do not cross themselves, traces of rounding left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Surfaces {
    pub(super) rings: Rings,
    /// Area, m².
    pub(super) m2: f64,
    /// Area of the traces left out, m².
    pub(super) traces_m2: f64,
    /// The rings of each surface.
    pub(super) ring_counts: Vec<usize>,
}

impl Surfaces {
    fn of(result: &MultiPolygon) -> Self {
        let mut surfaces = Self::default();
        for polygon in result {
            let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
            let (mut m2, mut length) = (0.0, 0.0);
            for (i, ring) in rings.clone().enumerate() {
                let (twice, ring_length) = twice_area_and_length(&ring.0);
                m2 += if i == 0 { twice.abs() / 2.0 } else { -twice.abs() / 2.0 };
                length += ring_length;
            }
            if is_thin(m2, length) {
                surfaces.traces_m2 += m2;
                continue;
            }
            surfaces.m2 += m2;
            surfaces.ring_counts.push(1 + polygon.interiors().len());
            surfaces.rings.0.extend(rings.cloned());
        }
        if surfaces.m2 < LEAST_AREA_M2 {
            return Self { traces_m2: surfaces.m2 + surfaces.traces_m2, ..Self::default() };
        }
        surfaces
    }

    /// Planar area in a grid, m².
    pub(super) fn planar_m2(&self, grid: &SurveyGrid) -> Option<f64> {
        let mut shape = Shape::new(ShapeKind::MultiPolygon);
        let mut rings = self.rings.0.iter();
        for count in &self.ring_counts {
            for ring in rings.by_ref().take(*count) {
                ring.0.iter().for_each(|c| shape.push(from_plane(*c)));
                shape.end_ring();
            }
            shape.end_part();
        }
        planar_m2(shape.view(), grid).ok()
    }
}

/// Whether a piece is too small or too thin to be land.
pub(super) fn is_trace(m2: f64, length_m: f64) -> bool {
    m2 < LEAST_AREA_M2 || is_thin(m2, length_m)
}

fn is_thin(m2: f64, length_m: f64) -> bool {
    2.0 * m2 < LEAST_WIDTH_M * length_m
}

/// A feature's land: its rings in the plane and the area that it counts with.
#[derive(Debug, Clone)]
pub struct Land<'t> {
    shape: ShapeRef<'t>,
    grid: Option<&'t SurveyGrid>,
    bounds: Bounds,
    basis: Basis,
    whole: i64,
    /// What other features left of it, where they took some.
    left: Option<Surfaces>,
}

impl<'t> Land<'t> {
    /// The land of a feature on a basis; `None` where it has no area on it.
    #[must_use]
    pub fn of(table: &'t Table, row: Row, basis: Basis) -> Option<Self> {
        let whole = table.area(row, basis)?.hundredths_m2();
        let shape = table.shape(row).filter(|shape| shape.kind().dimension() == 2)?;
        let bounds = shape.bounds()?;
        Some(Self { shape, grid: grid_of(table.segment(row).grid(), &bounds), bounds, basis, whole, left: None })
    }

    /// The same feature with less land.
    pub(super) fn reduced(&self, left: Surfaces, whole: i64) -> Self {
        Self { left: Some(left), whole, ..self.clone() }
    }

    /// Its area in hundredths of a square metre.
    #[must_use]
    pub const fn whole(&self) -> i64 {
        self.whole
    }

    pub(super) const fn shape(&self) -> ShapeRef<'t> {
        self.shape
    }

    /// The box of its vertices, longitude and latitude.
    pub(super) const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A box in the plane that holds it.
    pub(super) fn bounds_in_plane(&self) -> Bounds {
        bounds_in_plane(&self.bounds)
    }

    /// Its surfaces in the plane, as its rings say.
    pub(super) fn surfaces(&self) -> Surfaces {
        if let Some(left) = &self.left {
            return left.clone();
        }
        let mut surfaces = Surfaces::default();
        for rings in self.shape.parts() {
            let before = surfaces.rings.0.len();
            surfaces.rings.0.extend(Rings::new(rings.map(|ring| ring_in_plane(ring, self.grid))).0);
            let added = &surfaces.rings.0[before..];
            let area = |ring: &LineString| twice_area_and_length(&ring.0).0.abs() / 2.0;
            surfaces.m2 += added.iter().map(area).enumerate().fold(0.0, |m2, (i, a)| if i == 0 { a } else { m2 - a });
            surfaces.ring_counts.push(added.len());
        }
        surfaces
    }

    /// Whether the surface breaks a rule of validity that a cut relies on.
    pub(super) fn is_faulty(&self) -> bool {
        self.left.is_none() && is_faulty(self.shape)
    }

    /// The area of a piece on the land's basis, hundredths of a square metre, unrounded.
    pub(super) fn measured(&self, piece: &Surfaces) -> f64 {
        let planar = || piece.planar_m2(self.grid?);
        100.0 * if self.basis == Basis::Planar { planar().unwrap_or(0.0) } else { piece.m2 }
    }
}

/// Whether a surface breaks a rule of validity that a cut relies on.
pub(super) fn is_faulty(shape: ShapeRef<'_>) -> bool {
    use FaultKind::{
        DuplicateRing, HoleOutside, OverlappingParts, RingNotClosed, SelfIntersection, TooFewPoints, TooIntricate,
    };
    faults_of(shape).iter().any(|fault| {
        matches!(
            fault.kind,
            SelfIntersection
                | HoleOutside
                | DuplicateRing
                | OverlappingParts
                | TooIntricate
                | RingNotClosed
                | TooFewPoints
        )
    })
}
