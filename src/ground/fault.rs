//! What can be wrong with a geometry: every fault has a name, a place and a weight.
//!
//! A geometry is valid, or it is refused, or it is stored as it is and flagged; it is never altered.

use geo::Coord;

use super::{
    shape::{RingsOf, ShapeRef},
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
    let mut faults = refusals_of(shape);
    if faults.is_empty() && shape.kind().dimension() == 2 {
        faults = breaches_of(shape)
            .into_iter()
            .map(|b| Fault { kind: b.kind, at: Some(b.at), ring: Some(b.ring) })
            .collect();
        for (part, rings) in shape.parts().enumerate() {
            for flaw in flaws_of(part, rings) {
                if !faults.iter().any(|known| known.kind == flaw.kind && known.at == flaw.at) {
                    faults.push(flaw);
                }
            }
        }
    }
    faults.sort_by_key(|fault| fault.kind);
    let mut told = (FaultKind::NotANumber, 0);
    faults.retain(|fault| {
        told = if told.0 == fault.kind { (told.0, told.1 + 1) } else { (fault.kind, 1) };
        told.1 <= MOST_OF_A_KIND
    });
    faults
}

/// Whether a geometry is valid by OGC 06-103r4: fit for overlay. Slivers are, and spikes that do not run back
/// exactly.
#[must_use]
pub fn is_valid(shape: ShapeRef<'_>) -> bool {
    refusals_of(shape).is_empty() && (shape.kind().dimension() < 2 || breaches_of(shape).is_empty())
}

const MOST_OF_A_KIND: usize = 16;
/// A turn is a spike where the shorter of its edges ends this near to the longer, in metres.
const SPIKE_WIDTH_M: f64 = 0.001;
/// Shorter edges make no spike, in metres.
const SPIKE_LENGTH_M: f64 = 0.05;
/// Mean width of a sliver, in metres.
const SLIVER_WIDTH_M: f64 = 0.1;
/// Length over mean width of a sliver; a square has 4.
const SLIVER_LENGTH: f64 = 8.0;

/// The faults for which a geometry is not stored.
fn refusals_of(shape: ShapeRef<'_>) -> Vec<Fault> {
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
    let on_earth = |at: &Coord| at.x.abs() <= 180.0 && at.y.abs() <= 90.0;
    let first = shape.coords()[0];
    if let Some(off) = shape.coords().iter().find(|at| at.x.is_finite() && at.y.is_finite() && !on_earth(at)) {
        let swapped = shape.coords().iter().all(|at| on_earth(&Coord { x: at.y, y: at.x }));
        let kind = if swapped { FaultKind::ProbablySwappedAxes } else { FaultKind::OutOfRange };
        fault(kind, Some(*off), None);
    } else if shape.coords().iter().all(|at| (3.0..=54.0).contains(&at.x) && (73.0..=136.0).contains(&at.y)) {
        // China, mirrored; what really lies there is the Arctic Ocean.
        fault(FaultKind::ProbablySwappedAxes, Some(first), None);
    }
    faults
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
fn flaws_of(part: usize, rings: RingsOf<'_>) -> Vec<Fault> {
    let mut flaws = Vec::new();
    let (mut area, mut perimeter, mut start) = (0.0_f64, 0.0, None);
    for (within, ring) in rings.enumerate() {
        let first = ring[0];
        start.get_or_insert(first);
        let scale = metres_per_degree(first.y);
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
            perimeter += (b.x - a.x).hypot(b.y - a.y);
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
