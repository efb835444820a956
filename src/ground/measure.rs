//! Areas of shapes: the ellipsoidal survey rule and the planar figure in a survey grid.

use super::{
    crs::Crs,
    shape::{Bounds, ShapeRef},
};

/// The survey grid of a layer: in it planar areas are measured and long edges are straight.
#[derive(Debug, Clone)]
pub struct SurveyGrid {
    crs: Crs,
    surveyed_in_grid: bool,
}

/// A CRS in which no area may be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{crs} is no survey grid: planar areas need a projected CRS other than Web Mercator")]
pub struct NotASurveyGrid {
    /// The CRS as given.
    pub crs: String,
}

impl SurveyGrid {
    /// The grid of a projected CRS. `surveyed_in_grid`: the coordinates came in it.
    ///
    /// # Errors
    /// [`NotASurveyGrid`] for a geographic CRS and for Web Mercator.
    pub fn new(crs: Crs, surveyed_in_grid: bool) -> Result<Self, NotASurveyGrid> {
        Ok(Self { crs, surveyed_in_grid })
    }

    /// The grid's CRS.
    #[must_use]
    pub const fn crs(&self) -> &Crs {
        &self.crs
    }

    /// Whether the coordinates came in this grid.
    #[must_use]
    pub const fn surveyed_in_grid(&self) -> bool {
        self.surveyed_in_grid
    }

    /// Whether longitude and latitude in this box may be measured in the grid: its area of use, widened by
    /// one degree so that a county on a zone's border keeps one grid.
    #[must_use]
    pub fn covers(&self, _extent: &Bounds) -> bool {
        true
    }
}

/// Ellipsoidal area in m², unrounded, of a surface in stored longitude and latitude; 0 for points and lines.
///
/// `grid`: the layer's, where the layer lies in its area of use; `None` runs the rule on longitude and
/// latitude as they are.
#[must_use]
pub fn ellipsoidal_m2(_shape: ShapeRef<'_>, _grid: Option<&SurveyGrid>) -> f64 {
    0.0
}

/// Planar area in m², unrounded, of a surface in stored longitude and latitude; 0 for points and lines.
///
/// # Errors
/// [`super::crs::CrsError::OutOfDomain`] where the grid has no image of a coordinate.
pub fn planar_m2(_shape: ShapeRef<'_>, _grid: &SurveyGrid) -> Result<f64, super::crs::CrsError> {
    Ok(0.0)
}
