//! The engine on whole tables: finding, filtering, overlay, statistics. Figures are checked against grids of
//! known squares, against GEOS, and against linear scans.

mod cql2;
mod filters;
mod finding;
mod overlays;
mod relations;
mod rows;
mod splits;
mod statistics;

use geo::Coord;
use mutu::{
    domain::{
        feature::Value,
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
    },
    engine::table::{SegmentBuilder, Table},
    ground::{
        crs::Crs,
        measure::SurveyGrid,
        shape::{Shape, ShapeKind},
    },
};

/// A place in Heshan, in EPSG:4547.
const ORIGIN: Coord = Coord { x: 393_000.0, y: 2_519_000.0 };

fn grid_crs() -> Crs {
    "EPSG:4547".parse().expect("PROJ knows it")
}

fn grid() -> SurveyGrid {
    SurveyGrid::new(grid_crs(), true).expect("projected")
}

fn layer(id: &str, fields: &[(&str, FieldType)]) -> Layer {
    Layer {
        id: id.parse().expect("a good id"),
        title: id.to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: fields.iter().map(|(name, kind)| Field::new(name, *kind)).collect() },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: true,
        provenance: Provenance::Synthetic,
        rules: mutu::domain::rule::Rules::default(),
    }
}

/// A table of features with ids from 1, in `segments` segments.
fn table_in(layer: &Layer, features: &[(Option<Shape>, Vec<Value>)], segments: usize) -> Table {
    let size = features.len().div_ceil(segments).max(1);
    let built = features.chunks(size).enumerate().map(|(chunk, features)| {
        let mut builder = SegmentBuilder::new(layer, Some(grid()));
        for (i, (shape, values)) in features.iter().enumerate() {
            let id = (chunk * size + i + 1) as i64;
            let values: Vec<_> = values.iter().map(Value::view).collect();
            builder.push((id, 1), shape.as_ref().map(Shape::view), &values).expect("fits the layer");
        }
        builder.finish()
    });
    Table::of_segments(built.collect())
}

fn table(layer: &Layer, features: &[(Option<Shape>, Vec<Value>)]) -> Table {
    table_in(layer, features, 1)
}

/// Rings in metres east and north of [`ORIGIN`], as stored.
fn stored(rings: &[Vec<(f64, f64)>]) -> Shape {
    let place = |(x, y): &(f64, f64)| Coord { x: ORIGIN.x + x, y: ORIGIN.y + y };
    let mut shape = Shape::polygon(&rings.iter().map(|ring| ring.iter().map(place).collect()).collect::<Vec<_>>());
    grid_crs().to_stored(shape.coords_mut()).expect("in the grid");
    shape
}

/// A rectangle in metres from [`ORIGIN`].
fn rectangle(west: f64, south: f64, width: f64, height: f64) -> Shape {
    let (east, north) = (west + width, south + height);
    stored(&[vec![(west, south), (east, south), (east, north), (west, north), (west, south)]])
}

/// A place in metres from [`ORIGIN`], as stored.
fn place(x: f64, y: f64) -> Coord {
    let mut at = [Coord { x: ORIGIN.x + x, y: ORIGIN.y + y }];
    grid_crs().to_stored(&mut at).expect("in the grid");
    at[0]
}

/// Several surfaces as one.
fn together(parts: &[Shape]) -> Shape {
    let mut shape = Shape::new(ShapeKind::MultiPolygon);
    for part in parts {
        for ring in part.view().rings() {
            for c in ring {
                shape.push(*c);
            }
            shape.end_ring();
        }
        shape.end_part();
    }
    shape
}

/// Reproducible numbers in 0..1 (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() * limit as f64) as usize
    }

    /// A star around a place, in metres from [`ORIGIN`]: never crosses itself.
    fn star(&mut self, (x, y): (f64, f64), radius: f64, corners: usize) -> Vec<(f64, f64)> {
        let mut ring: Vec<(f64, f64)> = (0..corners)
            .map(|i| {
                let angle = (i as f64 + 0.8 * self.roll()) / corners as f64 * std::f64::consts::TAU;
                let r = radius * (0.4 + 0.6 * self.roll());
                (x + r * angle.cos(), y + r * angle.sin())
            })
            .collect();
        ring.push(ring[0]);
        ring
    }
}
