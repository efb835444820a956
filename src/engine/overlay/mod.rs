//! Overlay: which part of each feature lies in which zones, and which land features claim twice.
//!
//! All cutting is done in the plane of [`plane`], in which areas are those of the survey rule, so pieces add
//! up to the whole by construction. Boolean operations snap to a grid over the extent of both operands;
//! therefore zones are cut to the neighbourhood of a feature first ([`super::region`]), and most features
//! touch no zone's edge and need no operation at all.
//!
//! Invariant: the pieces of a feature are whole hundredths of a square metre and sum to the feature's own
//! area exactly. Pieces inside are measured, the part outside every zone is what is left; what rounding and
//! traces too thin to be land leave over goes to it, or to the largest piece, and the largest such sum is told.
//!
//! A feature that crosses itself is cut by the even-odd rule and its pieces are scaled to its own area; it is
//! named in the result, since no cut of it can be right.

mod claims;
mod cut;
mod land;
mod outline;
mod overlaps;
mod plane;
mod split;
mod zones;

pub use claims::{Lost, common_m2, outside_m2, shared_m2};
pub use cut::{Cut, Piece, cut};
pub use land::Land;
pub use overlaps::{Net, Overlaps};
pub use split::{Divided, SplitError, join, split};
pub use zones::{Zones, ZonesError};

/// A piece of smaller area is a trace of rounding, m².
const LEAST_AREA_M2: f64 = 0.005;
/// A piece of smaller mean width is a trace of rounding, m: stored coordinates hold a tenth of a millimetre.
const LEAST_WIDTH_M: f64 = 0.0005;
