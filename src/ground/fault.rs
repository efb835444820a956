//! What can be wrong with a geometry: every fault has a name, a place and a weight.
//!
//! A geometry is valid, or it is refused, or it is stored as it is and flagged; it is never altered.

use geo::Coord;

use super::{
    crs::Crs,
    shape::{Bounds, RingsOf, ShapeRef},
    validity::breaches_of,
};

/// The kinds of fault, in the order in which they are looked for.
///
/// Refused: [`NotANumber`](Self::NotANumber) to [`ProbablySwappedAxes`](Self::ProbablySwappedAxes);
/// flagged: the rest (ISO 19125-1 / OGC 06-103r4 §6.1.11.1 where it is a rule of validity).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// A coordinate is NaN or infinite.
    NotANumber,
    /// The geometry has no coordinates.
    Empty,
    /// A ring has fewer than four coordinates, or a path fewer than two.
    TooFewPoints,
    /// The first and the last coordinate of a ring differ.
    RingNotClosed,
    /// Longitude outside ±180° or latitude outside ±90°.
    OutOfRange,
    /// The coordinates make sense only with x and y exchanged.
    ProbablySwappedAxes,
    /// Two edges of a surface cross or overlap.
    SelfIntersection,
    /// A hole lies (partly) outside its outer ring.
    HoleOutside,
    /// Two rings of a geometry are the same.
    DuplicateRing,
    /// Two surfaces of a multi-surface, or two holes of one surface, overlap.
    OverlappingParts,
    /// The outline is so long and winding that whether it is valid was not found out in time.
    TooIntricate,
    /// An edge runs back on the one before.
    Spike,
    /// The surface is far longer than wide: its mean width is under 0.1 m.
    Sliver,
    /// The geometry lies where GCJ-02 (火星坐标) would move a known one.
    ProbablyGcj02,
}

impl FaultKind {
    /// The stable word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotANumber => "not-a-number",
            Self::Empty => "empty-geometry",
            Self::TooFewPoints => "too-few-points",
            Self::RingNotClosed => "ring-not-closed",
            Self::OutOfRange => "out-of-range",
            Self::ProbablySwappedAxes => "probably-swapped-axes",
            Self::SelfIntersection => "self-intersection",
            Self::HoleOutside => "hole-outside",
            Self::DuplicateRing => "duplicate-ring",
            Self::OverlappingParts => "overlapping-parts",
            Self::TooIntricate => "too-intricate",
            Self::Spike => "spike",
            Self::Sliver => "sliver",
            Self::ProbablyGcj02 => "probably-gcj02",
        }
    }

    /// What is wrong, in a clause, and where it helps what to do.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotANumber => "a coordinate is not a number",
            Self::Empty => "the geometry has no coordinates",
            Self::TooFewPoints => "a ring has fewer than four coordinates, or a line fewer than two",
            Self::RingNotClosed => "a ring does not end where it begins: repeat its first coordinate at its end",
            Self::OutOfRange => "longitude is outside ±180° or latitude outside ±90°: check the CRS",
            Self::ProbablySwappedAxes => "longitude and latitude look exchanged: x must be the longitude",
            Self::SelfIntersection => "the outline crosses or overlaps itself",
            Self::HoleOutside => "a hole lies outside its outer ring",
            Self::DuplicateRing => "two rings are the same",
            Self::OverlappingParts => "two parts, or two holes of one part, overlap",
            Self::TooIntricate => {
                "the outline is too intricate to find out whether it is valid: divide it into several"
            }
            Self::Spike => "an edge runs back on the one before",
            Self::Sliver => "the surface is on average less than 0.1 m wide",
            Self::ProbablyGcj02 => "the place is probably shifted by GCJ-02",
        }
    }

    /// Whether a geometry with this fault is not stored at all.
    #[must_use]
    pub const fn refuses(self) -> bool {
        (self as u8) <= (Self::ProbablySwappedAxes as u8)
    }
}

/// One fault of one geometry.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where, in the coordinates of the geometry; `None` where it has no place (an empty geometry).
    pub at: Option<Coord>,
    /// The part and the ring in it, from 0.
    pub ring: Option<(usize, usize)>,
}

/// All faults of a geometry in longitude and latitude (degrees), worst first; none for a valid one. Of one
/// kind at most sixteen are told.
#[must_use]
pub fn faults_of(shape: ShapeRef<'_>) -> Vec<Fault> {
    told(shape, misplaced_on_earth(shape), None)
}

/// All faults of a geometry in the CRS that it came in (east first), as [`faults_of`].
///
/// This is the verdict to report: a transformation moves vertices by nanometres, which is enough to make or
/// mend a touch. In a projected CRS a geometry is out of range where it is more than 10° from the CRS's area of
/// use, as degrees taken for metres are.
#[must_use]
pub fn faults_in(shape: ShapeRef<'_>, crs: &Crs) -> Vec<Fault> {
    match crs.metres_per_unit() {
        Some(metres) => told(shape, misplaced_in(shape, crs), Some(metres)),
        None => faults_of(shape),
    }
}

/// Whether a geometry is valid by OGC 06-103r4: fit for overlay. Slivers are, and spikes that do not run back
/// exactly. In any plane coordinates, and in longitude and latitude.
#[must_use]
pub fn is_valid(shape: ShapeRef<'_>) -> bool {
    malformed(shape).is_empty() && (shape.kind().dimension() < 2 || breaches_of(shape).is_empty())
}

/// All faults, given where the geometry is misplaced, and its scale where it is in a plane.
fn told(shape: ShapeRef<'_>, misplaced: Option<Fault>, metres_per_unit: Option<f64>) -> Vec<Fault> {
    let mut faults = malformed(shape);
    faults.extend(misplaced);
    if faults.is_empty() && shape.kind().dimension() == 2 {
        faults = breaches_of(shape)
            .into_iter()
            .map(|b| Fault { kind: b.kind, at: Some(b.at), ring: Some(b.ring) })
            .collect();
        // An outline that crosses itself has no mean width.
        let has_area = faults.iter().all(|fault| fault.kind == FaultKind::Spike);
        for (part, rings) in shape.parts().enumerate() {
            let flaws = flaws_of(part, rings, metres_per_unit).into_iter();
            for flaw in flaws.filter(|flaw| has_area || flaw.kind != FaultKind::Sliver) {
                if !faults.iter().any(|known| known.kind == flaw.kind && known.at == flaw.at) {
                    faults.push(flaw);
                }
            }
        }
    }
    faults.sort_by_key(|fault| fault.kind);
    let mut last = (FaultKind::NotANumber, 0);
    faults.retain(|fault| {
        last = if last.0 == fault.kind { (last.0, last.1 + 1) } else { (fault.kind, 1) };
        last.1 <= MOST_OF_A_KIND
    });
    faults
}

const MOST_OF_A_KIND: usize = 16;
/// A geometry farther from the area of use of its CRS is not in it.
const OUTLIER_DEGREES: f64 = 10.0;
/// A turn is a spike where the shorter of its edges ends this near to the longer, in metres.
const SPIKE_WIDTH_M: f64 = 0.001;
/// Shorter edges make no spike, in metres.
const SPIKE_LENGTH_M: f64 = 0.05;
/// Mean width of a sliver, in metres.
const SLIVER_WIDTH_M: f64 = 0.1;
/// Length over mean width of a sliver; a square has 4.
const SLIVER_LENGTH: f64 = 8.0;

/// The faults for which a geometry is not stored, wherever it lies.
fn malformed(shape: ShapeRef<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |kind, at, ring| faults.push(Fault { kind, at, ring });
    if shape.coords().is_empty() {
        fault(FaultKind::Empty, None, None);
        return faults;
    }
    for (part, rings) in shape.parts().enumerate() {
        for (within, ring) in rings.enumerate() {
            let place = Some((part, within));
            if ring.iter().any(|at| !at.x.is_finite() || !at.y.is_finite()) {
                fault(FaultKind::NotANumber, None, place);
            } else if !has_enough_points(ring, shape.kind().dimension()) {
                fault(FaultKind::TooFewPoints, ring.first().copied(), place);
            } else if shape.kind().dimension() == 2 && ring.first() != ring.last() {
                fault(FaultKind::RingNotClosed, ring.last().copied(), place);
            }
        }
    }
    faults
}

/// Longitudes and latitudes that are none, or that are exchanged.
fn misplaced_on_earth(shape: ShapeRef<'_>) -> Option<Fault> {
    let on_earth = |at: &Coord| at.x.abs() <= 180.0 && at.y.abs() <= 90.0;
    let fault = |kind, at: &Coord| Some(Fault { kind, at: Some(*at), ring: None });
    if let Some(off) = shape.coords().iter().find(|at| at.x.is_finite() && at.y.is_finite() && !on_earth(at)) {
        let swapped = shape.coords().iter().all(|at| on_earth(&swapped(*at)));
        return fault(if swapped { FaultKind::ProbablySwappedAxes } else { FaultKind::OutOfRange }, off);
    }
    // China, mirrored; what really lies there is the Arctic Ocean.
    let mirrored = |at: &Coord| (3.0..=54.0).contains(&at.x) && (73.0..=136.0).contains(&at.y);
    let first = shape.coords().first().filter(|first| mirrored(first))?;
    if shape.coords().iter().all(mirrored) { fault(FaultKind::ProbablySwappedAxes, first) } else { None }
}

/// Plane coordinates that lie nowhere near the CRS's area of use, or would if they were exchanged.
fn misplaced_in(shape: ShapeRef<'_>, crs: &Crs) -> Option<Fault> {
    let first = *shape.coords().first().filter(|at| at.x.is_finite() && at.y.is_finite())?;
    let distance = |at: Coord| {
        let mut stored = [at];
        crs.to_stored(&mut stored).ok()?;
        Some(crs.area_of_use().map_or(0.0, |area| degrees_outside(&area, stored[0])))
    };
    let fault = |kind| Some(Fault { kind, at: Some(first), ring: None });
    match distance(first) {
        Some(degrees) if degrees < OUTLIER_DEGREES / 4.0 => None,
        _ if distance(swapped(first)).is_some_and(|degrees| degrees < OUTLIER_DEGREES / 4.0) => {
            fault(FaultKind::ProbablySwappedAxes)
        }
        Some(degrees) if degrees <= OUTLIER_DEGREES => None,
        _ => fault(FaultKind::OutOfRange),
    }
}

const fn swapped(at: Coord) -> Coord {
    Coord { x: at.y, y: at.x }
}

/// How far a place lies outside a box, in the larger of both axes.
fn degrees_outside(area: &Bounds, at: Coord) -> f64 {
    let beyond = |value: f64, low: f64, high: f64| (low - value).max(value - high).max(0.0);
    beyond(at.x, area.min.x, area.max.x).max(beyond(at.y, area.min.y, area.max.y))
}

fn has_enough_points(path: &[Coord], dimension: u8) -> bool {
    let edges = path.windows(2).filter(|pair| pair[0] != pair[1]).count();
    match dimension {
        0 => path.len() == 1,
        1 => edges > 0,
        _ => {
            let closed = path.first() == path.last();
            path.len() > 3 && edges + usize::from(!closed) > 2
        }
    }
}

/// Flaws in metres of a part that may be valid: spikes and slivers.
fn flaws_of(part: usize, rings: RingsOf<'_>, metres_per_unit: Option<f64>) -> Vec<Fault> {
    let mut flaws = Vec::new();
    let (mut area, mut perimeter, mut start) = (0.0_f64, 0.0, None);
    for (within, ring) in rings.enumerate() {
        let first = ring[0];
        start.get_or_insert(first);
        let scale = metres_per_unit.map_or_else(|| metres_per_degree(first.y), |metres| Coord { x: metres, y: metres });
        let edge = |a: Coord, b: Coord| Coord { x: (b.x - a.x) * scale.x, y: (b.y - a.y) * scale.y };
        let mut twice = 0.0;
        let mut last: Option<Coord> = None;
        let distinct = ring.windows(2).filter(|pair| pair[0] != pair[1]);
        for pair in distinct.clone().chain(distinct.take(1)) {
            let next = edge(pair[0], pair[1]);
            if last.is_some_and(|last| is_spike(last, next)) {
                flaws.push(Fault { kind: FaultKind::Spike, at: Some(pair[0]), ring: Some((part, within)) });
            }
            last = Some(next);
        }
        for pair in ring.windows(2) {
            let (a, b) = (edge(first, pair[0]), edge(first, pair[1]));
            twice += a.x * b.y - b.x * a.y;
            let side = b - a;
            perimeter += (side.x * side.x + side.y * side.y).sqrt();
        }
        area += if within == 0 { twice.abs() } else { -twice.abs() } / 2.0;
    }
    let (width, length) = (2.0 * area.max(0.0) / perimeter, perimeter / 2.0);
    if width < SLIVER_WIDTH_M && length > SLIVER_LENGTH * width {
        flaws.push(Fault { kind: FaultKind::Sliver, at: start, ring: Some((part, 0)) });
    }
    flaws
}

/// Whether an edge runs back on the one before, both in metres.
fn is_spike(before: Coord, after: Coord) -> bool {
    let dot = before.x * after.x + before.y * after.y;
    if dot >= 0.0 {
        return false;
    }
    let (a, b) = (before.x.hypot(before.y), after.x.hypot(after.y));
    let across = (before.x * after.y - before.y * after.x).abs() / a.max(b);
    across < SPIKE_WIDTH_M && a.min(b) >= SPIKE_LENGTH_M
}

/// Metres in a degree of longitude and of latitude, to a percent.
fn metres_per_degree(latitude: f64) -> Coord {
    Coord { x: 111_320.0 * latitude.to_radians().cos(), y: 111_000.0 }
}
