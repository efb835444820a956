//! Tile matrix sets: how a plane is divided into tiles, zoom by zoom (OGC 17-083r4, Two Dimensional Tile Matrix Set).
//!
//! Both sets here are quads over one square of the world, 360° wide: a place is told by `u` (eastwards) and `v`
//! (southwards) as shares of that width, and matrix `z` has 2^z columns. In [`TileMatrixSet::WebMercatorQuad`] the
//! square is full; in [`TileMatrixSet::Cgcs2000Quad`] latitude fills the upper half of it.
//!
//! Question: why not PROJ? A tile has hundreds of thousands of vertices; the spherical formula takes 20 ns. That the
//! sphere's formula is applied to CGCS2000 latitudes is what EPSG:3857 itself does with those of WGS 84.

use std::{f64::consts::TAU, ops::RangeInclusive};

use geo::Coord;

use crate::ground::shape::Bounds;

/// Units along the side of a tile (the `extent` of Mapbox Vector Tile 2.1).
pub const UNITS: u32 = 4096;
const UNIT_BITS: u8 = 12;

/// The latitude at which the Web Mercator square ends.
pub const MERCATOR_LIMIT: f64 = 85.051_128_779_806_59;

/// Half the width of the Web Mercator square in metres: π times the semi-major axis of WGS 84.
const HALF_WIDTH_M: f64 = 20_037_508.342_789_244;
/// The size of a pixel for which OGC 17-083r4 defines scales, in metres.
const PIXEL_M: f64 = 0.000_28;
/// Metres in a degree of the equator, by the semi-major axis (OGC 17-083r4, 6.1.1.1).
const METRES_PER_DEGREE: f64 = HALF_WIDTH_M / 180.0;
/// Pixels along the side of a tile for which scales are told.
pub const TILE_PIXELS: u32 = 256;

/// Scale denominators and cell sizes of Web Mercator Quad, to the digit as the OGC has registered them
/// (registry/json/WebMercatorQuad.json of opengeospatial/2D-Tile-Matrix-Set).
const MERCATOR_MATRICES: [(f64, f64); 25] = [
    (559_082_264.028_717, 156_543.033_928_041),
    (279_541_132.014_358, 78_271.516_964_020_4),
    (139_770_566.007_179, 39_135.758_482_010_2),
    (69_885_283.003_589_7, 19_567.879_241_005_1),
    (34_942_641.501_794_8, 9_783.939_620_502_56),
    (17_471_320.750_897_4, 4_891.969_810_251_28),
    (8_735_660.375_448_71, 2_445.984_905_125_64),
    (4_367_830.187_724_35, 1_222.992_452_562_82),
    (2_183_915.093_862_17, 611.496_226_281_41),
    (1_091_957.546_931_08, 305.748_113_140_704),
    (545_978.773_465_544, 152.874_056_570_352),
    (272_989.386_732_772, 76.437_028_285_176_2),
    (136_494.693_366_386, 38.218_514_142_588_1),
    (68_247.346_683_193, 19.109_257_071_294),
    (34_123.673_341_596_4, 9.554_628_535_647_03),
    (17_061.836_670_798_2, 4.777_314_267_823_51),
    (8_530.918_335_399_13, 2.388_657_133_911_75),
    (4_265.459_167_699_56, 1.194_328_566_955_87),
    (2_132.729_583_849_78, 0.597_164_283_477_939),
    (1_066.364_791_924_89, 0.298_582_141_738_97),
    (533.182_395_962_445, 0.149_291_070_869_485),
    (266.591_197_981_222, 0.074_645_535_434_742_4),
    (133.295_598_990_611, 0.037_322_767_717_371_2),
    (66.647_799_495_305_6, 0.018_661_383_858_685_6),
    (33.323_899_747_652_8, 0.009_330_691_929_342_8),
];

/// A way to divide the world into tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileMatrixSet {
    /// EPSG:3857, as every web map has it; matrix 0 is one tile.
    WebMercatorQuad,
    /// EPSG:4490, longitude and latitude as they are; matrix 1 is two tiles beside each other, as in the `_c`
    /// services of 天地图.
    Cgcs2000Quad,
}

impl TileMatrixSet {
    /// All sets, the usual one first.
    pub const ALL: [Self; 2] = [Self::WebMercatorQuad, Self::Cgcs2000Quad];

    /// The name in requests.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::WebMercatorQuad => "WebMercatorQuad",
            Self::Cgcs2000Quad => "CGCS2000Quad",
        }
    }

    /// The set of a name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.id() == id)
    }

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::WebMercatorQuad => "Google Maps Compatible for the World",
            Self::Cgcs2000Quad => "CGCS2000 longitude and latitude, as the _c services of 天地图 (Tianditu) divide it",
        }
    }

    /// The URI by which it is known: the OGC's, or a name of ours where the OGC has not registered the set.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::WebMercatorQuad => "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
            Self::Cgcs2000Quad => "urn:mutu:tilematrixset:CGCS2000Quad",
        }
    }

    /// The URI of its CRS.
    #[must_use]
    pub const fn crs(self) -> &'static str {
        match self {
            Self::WebMercatorQuad => "http://www.opengis.net/def/crs/EPSG/0/3857",
            Self::Cgcs2000Quad => "http://www.opengis.net/def/crs/EPSG/0/4490",
        }
    }

    /// The axes in the order of the CRS.
    #[must_use]
    pub const fn axes(self) -> [&'static str; 2] {
        match self {
            Self::WebMercatorQuad => ["X", "Y"],
            Self::Cgcs2000Quad => ["Lat", "Lon"],
        }
    }

    /// The north-western corner in the CRS's axis order and unit.
    #[must_use]
    pub const fn origin(self) -> [f64; 2] {
        match self {
            Self::WebMercatorQuad => [-20_037_508.342_789_2, 20_037_508.342_789_2],
            Self::Cgcs2000Quad => [90.0, -180.0],
        }
    }

    /// Its tile matrices.
    #[must_use]
    pub const fn zooms(self) -> RangeInclusive<u8> {
        match self {
            Self::WebMercatorQuad => 0..=24,
            Self::Cgcs2000Quad => 1..=24,
        }
    }

    /// Columns and rows of a matrix.
    #[must_use]
    pub const fn size(self, zoom: u8) -> (u32, u32) {
        match self {
            Self::WebMercatorQuad => (1 << zoom, 1 << zoom),
            Self::Cgcs2000Quad => (1 << zoom, 1 << (zoom - 1)),
        }
    }

    /// The side of a pixel in the CRS's unit, for tiles of [`TILE_PIXELS`].
    #[must_use]
    pub fn cell_size(self, zoom: u8) -> f64 {
        match self {
            Self::WebMercatorQuad => MERCATOR_MATRICES[usize::from(zoom)].1,
            Self::Cgcs2000Quad => 360.0 / f64::from(TILE_PIXELS) / f64::from(1_u32 << zoom),
        }
    }

    /// The scale's denominator as OGC 17-083r4 defines it (pixels of 0.28 mm; 天地图 prints others, for 96 dpi).
    #[must_use]
    pub fn scale_denominator(self, zoom: u8) -> f64 {
        match self {
            Self::WebMercatorQuad => MERCATOR_MATRICES[usize::from(zoom)].0,
            Self::Cgcs2000Quad => self.cell_size(zoom) * METRES_PER_DEGREE / PIXEL_M,
        }
    }

    /// A place of EPSG:4490 (x = longitude, y = latitude, degrees) as shares of the square: x eastwards, y southwards.
    ///
    /// # Validity
    /// Latitudes from -90 to 90; in Web Mercator the poles are moved 1e-9° towards the equator, far outside the square.
    #[must_use]
    pub fn project(self, at: Coord) -> Coord {
        let x = (at.x + 180.0) / 360.0;
        let y = match self {
            Self::WebMercatorQuad => {
                let sin = at.y.clamp(-90.0 + 1e-9, 90.0 - 1e-9).to_radians().sin();
                0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (2.0 * TAU)
            }
            Self::Cgcs2000Quad => (90.0 - at.y) / 360.0,
        };
        Coord { x, y }
    }

    /// The place of EPSG:4490 at shares of the square.
    #[must_use]
    pub fn unproject(self, at: Coord) -> Coord {
        let x = at.x * 360.0 - 180.0;
        let y = match self {
            Self::WebMercatorQuad => ((0.5 - at.y) * TAU).sinh().atan().to_degrees(),
            Self::Cgcs2000Quad => 90.0 - at.y * 360.0,
        };
        Coord { x, y }
    }

    /// The first and the last row and column of a matrix whose tiles share land with a box of EPSG:4490.
    #[must_use]
    pub fn limits(self, zoom: u8, bounds: &Bounds) -> Limits {
        let (columns, rows) = self.size(zoom);
        let tiles = f64::from(1_u32 << zoom);
        let north_west = self.project(Coord { x: bounds.min.x, y: bounds.max.y });
        let south_east = self.project(Coord { x: bounds.max.x, y: bounds.min.y });
        let within = |share: f64, count: u32| (share * tiles).floor().clamp(0.0, f64::from(count - 1)) as u32;
        Limits {
            rows: (within(north_west.y, rows), within(south_east.y, rows)),
            columns: (within(north_west.x, columns), within(south_east.x, columns)),
        }
    }
}

/// A part of a tile matrix, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first and the last row.
    pub rows: (u32, u32),
    /// The first and the last column.
    pub columns: (u32, u32),
}

impl Limits {
    /// Whether a tile lies within.
    #[must_use]
    pub const fn hold(&self, row: u32, column: u32) -> bool {
        self.rows.0 <= row && row <= self.rows.1 && self.columns.0 <= column && column <= self.columns.1
    }
}

/// One tile of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileAddress {
    set: TileMatrixSet,
    zoom: u8,
    row: u32,
    column: u32,
}

/// A tile that its set does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchTile {
    /// The set has no such matrix.
    #[error("{set} has tile matrices {first} to {last}, not {zoom}")]
    Matrix {
        /// The set.
        set: &'static str,
        /// Its first matrix.
        first: u8,
        /// Its last matrix.
        last: u8,
        /// The one asked for.
        zoom: i64,
    },
    /// The matrix has no such row or column.
    #[error(
        "tile matrix {zoom} of {set} has {rows} rows and {columns} columns: there is no row {row}, column {column}"
    )]
    Place {
        /// The set.
        set: &'static str,
        /// The matrix.
        zoom: u8,
        /// Its rows.
        rows: u32,
        /// Its columns.
        columns: u32,
        /// The row asked for.
        row: i64,
        /// The column asked for.
        column: i64,
    },
}

impl TileAddress {
    /// A tile of a set.
    ///
    /// # Errors
    /// [`NoSuchTile`] where the set has no such matrix, or the matrix no such row or column.
    pub fn new(set: TileMatrixSet, zoom: i64, row: i64, column: i64) -> Result<Self, NoSuchTile> {
        let zooms = set.zooms();
        let held = u8::try_from(zoom).ok().filter(|zoom| zooms.contains(zoom));
        let zoom = held.ok_or(NoSuchTile::Matrix { set: set.id(), first: *zooms.start(), last: *zooms.end(), zoom })?;
        let (columns, rows) = set.size(zoom);
        let within = |at: i64, count: u32| u32::try_from(at).ok().filter(|at| *at < count);
        match (within(row, rows), within(column, columns)) {
            (Some(row), Some(column)) => Ok(Self { set, zoom, row, column }),
            _ => Err(NoSuchTile::Place { set: set.id(), zoom, rows, columns, row, column }),
        }
    }

    /// The set.
    #[must_use]
    pub const fn set(&self) -> TileMatrixSet {
        self.set
    }

    /// The tile matrix.
    #[must_use]
    pub const fn zoom(&self) -> u8 {
        self.zoom
    }

    /// The row, counted from the north.
    #[must_use]
    pub const fn row(&self) -> u32 {
        self.row
    }

    /// The column, counted from 180° west.
    #[must_use]
    pub const fn column(&self) -> u32 {
        self.column
    }

    /// Units across the whole square in this matrix.
    #[must_use]
    pub fn world_units(&self) -> f64 {
        (1_u64 << (self.zoom + UNIT_BITS)) as f64
    }

    /// The units of the tile's north-western corner from that of the square.
    #[must_use]
    pub fn corner_units(&self) -> (i64, i64) {
        (i64::from(self.column) << UNIT_BITS, i64::from(self.row) << UNIT_BITS)
    }

    /// The box of EPSG:4490 that the tile covers, widened by some units on each side; it ends where longitude and
    /// latitude end.
    #[must_use]
    pub fn bounds(&self, widened_units: u32) -> Bounds {
        let (column, row) = (f64::from(self.column), f64::from(self.row));
        let (by, tiles) = (f64::from(widened_units) / f64::from(UNITS), f64::from(1_u32 << self.zoom));
        let corner = |column: f64, row: f64| {
            let at = self.set.unproject(Coord { x: column / tiles, y: row / tiles });
            Coord { x: at.x.clamp(-180.0, 180.0), y: at.y.clamp(-90.0, 90.0) }
        };
        Bounds::of_corners(corner(column - by, row - by), corner(column + 1.0 + by, row + 1.0 + by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_mercator_quad_is_the_registered_one() {
        let set = TileMatrixSet::WebMercatorQuad;
        for (zoom, (scale, cell)) in (0..).zip(MERCATOR_MATRICES) {
            // A misprint in the table would not be what the definition gives.
            let exact = 2.0 * HALF_WIDTH_M / 256.0 / f64::from(1_u32 << zoom);
            assert!((cell / exact - 1.0).abs() < 1e-13 && (scale * PIXEL_M / exact - 1.0).abs() < 1e-13, "{zoom}");
            assert_eq!(set.size(zoom), (1 << zoom, 1 << zoom));
        }
        assert_eq!(MERCATOR_MATRICES.len(), set.zooms().count());
    }

    #[test]
    fn the_geographic_quad_begins_with_two_tiles_of_half_the_world() {
        let set = TileMatrixSet::Cgcs2000Quad;
        assert_eq!(set.size(1), (2, 1));
        assert_eq!(set.size(18), (262_144, 131_072));
        let east = TileAddress::new(set, 1, 0, 1).unwrap().bounds(0);
        assert_eq!(east, Bounds { min: Coord { x: 0.0, y: -90.0 }, max: Coord { x: 180.0, y: 90.0 } });
        assert!((set.cell_size(1) - 0.703_125).abs() < 1e-15);
        assert!((set.scale_denominator(1) - 279_541_132.014_358).abs() < 1e-3);
    }

    #[test]
    fn a_place_is_found_again_from_its_shares() {
        for set in TileMatrixSet::ALL {
            for place in [(112.97, 22.77), (-179.9, -84.0), (0.0, 0.0), (73.5, 53.6)] {
                let place = Coord { x: place.0, y: place.1 };
                let back = set.unproject(set.project(place));
                assert!((back.x - place.x).abs() < 1e-12 && (back.y - place.y).abs() < 1e-12, "{set:?} {back:?}");
            }
        }
        let top = TileMatrixSet::WebMercatorQuad.project(Coord { x: 0.0, y: MERCATOR_LIMIT });
        assert!(top.y.abs() < 1e-15, "{top:?}");
    }

    #[test]
    fn tiles_that_a_set_does_not_have_are_refused() {
        let set = TileMatrixSet::WebMercatorQuad;
        for (zoom, row, column) in
            [(-1, 0, 0), (25, 0, 0), (31, 0, 0), (i64::MAX, 0, 0), (3, 8, 0), (3, 0, 8), (3, -1, 0)]
        {
            assert!(TileAddress::new(set, zoom, row, column).is_err(), "{zoom}/{row}/{column}");
        }
        assert!(TileAddress::new(TileMatrixSet::Cgcs2000Quad, 0, 0, 0).is_err());
        assert!(TileAddress::new(TileMatrixSet::Cgcs2000Quad, 1, 1, 0).is_err());
        assert!(TileAddress::new(set, 24, (1 << 24) - 1, 0).is_ok());
    }
}
