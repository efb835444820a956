//! The declared strategy: nothing vanishes, common edges stay common, bytes are kept.

use std::collections::{BTreeMap, BTreeSet};

use geo::{Area, BooleanOps, Coord, LineString, MultiPolygon, Polygon};
use mutu::{
    domain::{
        feature::Value,
        layer::{GeometryClass, Layer, Provenance},
        schema::{Code, Field, FieldType, Schema},
        tile_matrix::{TileAddress, TileMatrixSet},
    },
    engine::{
        filter::{Selection, bind, parse_text},
        table::{SegmentBuilder, Table},
        tiles::{BUFFER, Recipe, Source, Tile},
    },
    ground::shape::{Shape, ShapeKind},
};
use proptest::prelude::*;

use super::{Decoded, assert_rings, decode, twice_area, units_of};

const WEST: f64 = 112.91;
const SOUTH: f64 = 22.70;

fn layer(geometry: GeometryClass) -> Layer {
    let mut kind = Field::new("kind", FieldType::Text);
    let code =
        |value: &str| Code { value: value.to_owned(), title: value.to_owned(), title_en: String::new(), color: None };
    kind.codes = ["甲", "乙", "丙"].map(code).to_vec();
    let fields = vec![
        Field::new("name", FieldType::Text),
        kind,
        Field::new("number", FieldType::Integer),
        Field::new("share", FieldType::Real),
        Field::new("checked", FieldType::Boolean),
        Field::new("day", FieldType::Date),
        Field::new("at", FieldType::DateTime),
    ];
    Layer {
        id: "things".parse().unwrap(),
        title: "things".to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry,
        schema: Schema { fields },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: false,
        provenance: Provenance::Synthetic,
        rules: mutu::domain::rule::Rules::default(),
    }
}

fn values(id: i64) -> Vec<Value> {
    vec![
        if id % 5 == 0 { Value::Null } else { Value::Text(format!("名{id}")) },
        Value::Text(["甲", "乙", "丙"][(id % 3) as usize].to_owned()),
        Value::Integer(id - 3),
        Value::Real(id as f64 / 7.0),
        Value::Boolean(id % 2 == 0),
        Value::Date(id as i32),
        Value::DateTime(id * 1000),
    ]
}

/// A table of shapes with ids from 1, in segments of so many.
fn table(layer: &Layer, shapes: &[Shape], segment: usize) -> Table {
    let build = |(chunk, shapes): (usize, &[Shape])| {
        let mut builder = SegmentBuilder::new(layer, None);
        for (i, shape) in shapes.iter().enumerate() {
            let id = (chunk * segment + i + 1) as i64;
            let values = values(id);
            let views: Vec<_> = values.iter().map(Value::view).collect();
            builder.push((id, 1), Some(shape.view()), &views).unwrap();
        }
        builder.finish()
    };
    Table::of_segments(shapes.chunks(segment).enumerate().map(build).collect())
}

/// Parcels that leave no gap: `side` × `side` cells between nodes that each have their own small shift.
struct Fabric {
    side: usize,
    cell: f64,
}

impl Fabric {
    fn node(&self, x: usize, y: usize) -> Coord {
        let shift = |salt: usize| {
            let mixed = (x * 7919 + y * 104_729 + salt).wrapping_mul(2_654_435_761) % 1000;
            (mixed as f64 / 1000.0 - 0.5) * 0.4 * self.cell
        };
        Coord { x: WEST + x as f64 * self.cell + shift(1), y: SOUTH + y as f64 * self.cell + shift(2) }
    }

    fn parcels(&self) -> Vec<Shape> {
        let cell = |(x, y): (usize, usize)| {
            let corners = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1), (x, y)];
            Shape::polygon(&[corners.map(|(x, y)| self.node(x, y)).to_vec()])
        };
        (0..self.side).flat_map(|y| (0..self.side).map(move |x| (x, y))).map(cell).collect()
    }

    /// The nodes around all parcels.
    fn outline(&self) -> Vec<Coord> {
        let n = self.side;
        let south = (0..n).map(|x| (x, 0));
        let east = (0..n).map(|y| (n, y));
        let north = (1..=n).rev().map(|x| (x, n));
        let west = (1..=n).rev().map(|y| (0, y));
        south.chain(east).chain(north).chain(west).map(|(x, y)| self.node(x, y)).collect()
    }
}

/// All tiles of a matrix that have anything, by row and column.
fn tiles(source: &Source<'_>, set: TileMatrixSet, zoom: u8, recipe: &Recipe) -> BTreeMap<(u32, u32), Tile> {
    let limits = set.limits(zoom, &source.table.extent().unwrap());
    let mut tiles = BTreeMap::new();
    for row in limits.rows.0..=limits.rows.1 {
        for column in limits.columns.0..=limits.columns.1 {
            let address = TileAddress::new(set, i64::from(zoom), i64::from(row), i64::from(column)).unwrap();
            tiles.insert((row, column), source.tile(&address, recipe).unwrap());
        }
    }
    tiles
}

fn plain<'a>(layer: &'a Layer, table: &'a Table) -> Source<'a> {
    Source { layer, table, selection: None }
}

/// The tile that holds the middle of a feature's box.
fn owner(set: TileMatrixSet, zoom: u8, shape: &Shape) -> (u32, u32) {
    let (x, y) = units_of(set, zoom, shape.view().bounds().unwrap().center());
    ((y / 4096.0) as u32, (x / 4096.0) as u32)
}

/// Every feature is drawn or counted in the tile that owns it: marks' counts and drawn features sum to all.
fn assert_nothing_vanishes(shapes: &[Shape], set: TileMatrixSet, zoom: u8, tiles: &BTreeMap<(u32, u32), Tile>) {
    let mut owned: BTreeMap<(u32, u32), BTreeSet<u64>> = BTreeMap::new();
    for (i, shape) in shapes.iter().enumerate() {
        owned.entry(owner(set, zoom, shape)).or_default().insert(i as u64 + 1);
    }
    let mut whole = 0;
    for (place, tile) in tiles {
        let features = decode(&tile.bytes, "things");
        let mine = owned.remove(place).unwrap_or_default();
        let drawn: BTreeSet<u64> = features.iter().filter(|f| f.count().is_none()).map(|f| f.id.unwrap()).collect();
        let counted: u64 = features.iter().filter_map(Decoded::count).sum();
        let own = drawn.intersection(&mine).count() as u64;
        let lost: Vec<_> = mine.difference(&drawn).take(3).collect();
        assert_eq!(
            own + counted,
            mine.len() as u64,
            "{set:?} {zoom}, tile {place:?}, cell {}: not drawn {lost:?}",
            tile.cell
        );
        assert_eq!((drawn.len(), counted as usize), (tile.drawn, tile.gathered), "what the tile says of itself");
        for feature in &features {
            let same = feature.properties.get("_same").and_then(serde_json::Value::as_u64);
            match (feature.count(), feature.id) {
                (None | Some(1), Some(_)) => assert_eq!(same, None),
                (Some(count), None) if count > 1 => assert!(same.is_none_or(|same| 0 < same && same < count)),
                other => panic!("a feature with count and id {other:?}"),
            }
            if feature.kind == 3 {
                assert_rings(feature);
            }
        }
        whole += own + counted;
    }
    assert!(owned.is_empty(), "features owned by tiles outside the limits: {owned:?}");
    assert_eq!(whole, shapes.len() as u64);
}

#[test]
fn no_parcel_vanishes_at_any_zoom_however_few_bytes_a_tile_may_have() {
    let layer = layer(GeometryClass::Surface);
    let shapes = Fabric { side: 40, cell: 0.0004 }.parcels();
    let table = table(&layer, &shapes, 700);
    for set in TileMatrixSet::ALL {
        for (zoom, budget) in
            [(1, 500_000), (8, 500_000), (11, 500_000), (12, 500_000), (13, 500_000), (14, 500_000), (16, 500_000)]
                .into_iter()
                .chain([(11, 2_000), (12, 9_000), (13, 4_000), (14, 4_000), (15, 1_000), (16, 500)])
        {
            let recipe = Recipe::new(&layer, None, None).unwrap().within(budget);
            let tiles = tiles(&plain(&layer, &table), set, zoom, &recipe);
            assert_nothing_vanishes(&shapes, set, zoom, &tiles);
            let over = tiles.values().filter(|tile| tile.bytes.len() > budget && tile.cell < 4096).count();
            assert_eq!(over, 0, "{set:?} zoom {zoom}: tiles of more than {budget} bytes");
        }
    }
}

#[test]
fn a_surface_is_in_the_tiles_of_its_corners_at_every_zoom() {
    let layer = layer(GeometryClass::Surface);
    let boxes = [
        (112.9, 22.7, 112.901, 22.701),
        (112.8, 22.4, 112.9, 23.0),
        (112.0, 20.0, 113.0, 35.0),
        (100.0, 0.0, 101.0, 80.0),
        (-179.0, -60.0, 179.0, 60.0),
    ];
    let recipe = Recipe::new(&layer, None, None).unwrap();
    for (west, south, east, north) in boxes {
        let at = |x, y| Coord { x, y };
        let ring = [at(west, south), at(east, south), at(east, north), at(west, north), at(west, south)];
        let table = table(&layer, &[Shape::polygon(&[ring.to_vec()])], 1);
        for set in TileMatrixSet::ALL {
            for zoom in set.zooms() {
                // A hundredth of a second of arc inside, less than the finest tile.
                let inside = 2e-6;
                for (lon, lat) in [(west + inside, north - inside), (east - inside, south + inside)] {
                    let share = set.project(at(lon, lat));
                    let index = |share: f64| (share * f64::from(1_u32 << zoom)).floor() as i64;
                    let address = TileAddress::new(set, i64::from(zoom), index(share.y), index(share.x)).unwrap();
                    let tile = plain(&layer, &table).tile(&address, &recipe).unwrap();
                    let found = decode(&tile.bytes, "things");
                    assert_eq!(found.len(), 1, "{} {zoom}: nothing at {lon}, {lat} of {west},{south}", set.id());
                }
            }
        }
    }
}

#[test]
fn bytes_are_kept_by_dropping_properties_before_cells_grow_and_features_never_go() {
    let layer = layer(GeometryClass::Surface);
    let shapes = Fabric { side: 20, cell: 0.0004 }.parcels();
    let table = table(&layer, &shapes, 1000);
    let source = plain(&layer, &table);
    let recipe = Recipe::new(&layer, None, None).unwrap();
    let names = |tile: &Tile| tile.dropped.iter().map(|a| a.name(&layer).to_owned()).collect::<Vec<_>>();
    let set = TileMatrixSet::WebMercatorQuad;
    let limits = set.limits(13, &table.extent().unwrap());
    let address = TileAddress::new(set, 13, limits.rows.0.into(), limits.columns.0.into()).unwrap();
    let full = source.tile(&address, &recipe).unwrap();
    assert_eq!((full.drawn, full.cell, names(&full)), (400, 8, Vec::new()));
    let mut budget = full.bytes.len() - 1;
    let mut before = 0;
    let mut cells = Vec::new();
    while budget > 2_000 {
        let tile = source.tile(&address, &recipe.clone().within(budget)).unwrap();
        assert!(tile.bytes.len() <= budget);
        let dropped = names(&tile);
        // The class stays; the last of the list goes first.
        assert!(!dropped.contains(&"kind".to_owned()));
        let order = ["area_mu", "area_m2", "at", "day", "checked", "share", "number", "name"];
        assert_eq!(dropped, order[..dropped.len()]);
        if tile.cell == 8 {
            assert_eq!((tile.drawn, tile.gathered), (400, 0));
            assert!(dropped.len() >= before, "fewer bytes bring nothing back");
            before = dropped.len();
        } else {
            assert_eq!(before, order.len(), "cells grew before all properties were gone");
            assert_eq!(tile.drawn + tile.gathered, 400);
        }
        cells.push(tile.cell);
        budget = budget * 9 / 10;
    }
    assert!(cells.is_sorted() && cells.last() > Some(&8), "{cells:?}");
}

#[test]
fn common_edges_stay_common_so_parcels_leave_no_gap_and_do_not_overlap() {
    let layer = layer(GeometryClass::Surface);
    for (side, cell) in [(12, 0.0004), (25, 0.0002), (6, 0.0009)] {
        let fabric = Fabric { side, cell };
        let table = table(&layer, &fabric.parcels(), 1000);
        let recipe = Recipe::new(&layer, None, None).unwrap();
        for (set, zoom) in [(TileMatrixSet::WebMercatorQuad, 13), (TileMatrixSet::Cgcs2000Quad, 14)] {
            let tiles = tiles(&plain(&layer, &table), set, zoom, &recipe);
            let ((row, column), tile) = tiles.first_key_value().unwrap();
            assert_eq!((tiles.len(), tile.marks), (1, 0), "the fabric lies in one tile and is drawn");
            let features = decode(&tile.bytes, "things");
            let sum: i64 = features.iter().flat_map(|f| &f.paths).map(|ring| twice_area(ring)).sum();
            let snapped: Vec<(i64, i64)> = fabric
                .outline()
                .into_iter()
                .map(|at| units_of(set, zoom, at))
                .map(|(x, y)| (x.round() as i64 - i64::from(*column) * 4096, y.round() as i64 - i64::from(*row) * 4096))
                .collect();
            // Exact in whole numbers: a gap or an overlap of one square unit would show.
            assert_eq!(sum, -twice_area(&snapped), "{set:?} {zoom}");
            // And each inner edge is run through once in each direction.
            let mut runs: BTreeMap<[(i64, i64); 2], i64> = BTreeMap::new();
            for ring in features.iter().flat_map(|f| &f.paths) {
                for i in 0..ring.len() {
                    let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
                    *runs.entry([a.min(b), a.max(b)]).or_default() += if a < b { 1 } else { -1 };
                }
            }
            let open = runs.values().filter(|runs| **runs != 0).count();
            assert!(open <= 4 * side + 8, "{open} edges are no neighbour's, of {} around the fabric", 4 * side);
        }
    }
}

#[test]
fn equal_contents_are_equal_bytes_however_the_rows_lie() {
    let layer = layer(GeometryClass::Surface);
    let shapes = Fabric { side: 30, cell: 0.0004 }.parcels();
    let recipe = Recipe::new(&layer, None, None).unwrap();
    let (one, many) = (table(&layer, &shapes, 10_000), table(&layer, &shapes, 37));
    for zoom in [9, 12, 13, 15] {
        let set = TileMatrixSet::WebMercatorQuad;
        let one = tiles(&plain(&layer, &one), set, zoom, &recipe);
        assert_eq!(one, tiles(&plain(&layer, &many), set, zoom, &recipe), "zoom {zoom}");
        assert!(one.values().any(|tile| !tile.bytes.is_empty()));
    }
}

#[test]
fn marks_show_the_class_that_most_of_their_features_have() {
    let layer = layer(GeometryClass::Surface);
    // Seven parcels in one pixel of zoom 5: kinds 乙丙甲乙丙甲乙.
    let shapes = Fabric { side: 3, cell: 0.0004 }.parcels()[..7].to_vec();
    let table = table(&layer, &shapes, 100);
    let recipe = Recipe::new(&layer, None, None).unwrap();
    let set = TileMatrixSet::WebMercatorQuad;
    let decoded = |source: &Source<'_>, recipe: &Recipe| {
        let tiles = tiles(source, set, 5, recipe);
        tiles.values().flat_map(|tile| decode(&tile.bytes, "things")).collect::<Vec<_>>()
    };
    let marks = decoded(&plain(&layer, &table), &recipe);
    assert_eq!(marks.len(), 1);
    assert_eq!(serde_json::json!(marks[0].properties), serde_json::json!({"_count": 7, "_same": 3, "kind": "乙"}));
    let side = |axis: fn(&(i64, i64)) -> i64| {
        let along: Vec<i64> = marks[0].paths[0].iter().map(axis).collect();
        along.iter().max().unwrap() - along.iter().min().unwrap()
    };
    assert_eq!((side(|at| at.0), side(|at| at.1)), (8, 8), "the square of a pixel");
    // Of one kind nothing is mixed; of one feature everything is told.
    let bound = bind(&parse_text("kind = '甲'").unwrap(), &layer).unwrap();
    let selection = bound.select(&table, None).unwrap();
    let some = Source { layer: &layer, table: &table, selection: Some(&selection) };
    assert_eq!(
        serde_json::json!(decoded(&some, &recipe)[0].properties),
        serde_json::json!({"_count": 2, "kind": "甲"})
    );
    let one = Selection::of(&table, table.row_of(4).into_iter());
    let single = decoded(&Source { layer: &layer, table: &table, selection: Some(&one) }, &recipe);
    assert_eq!(single.len(), 1);
    let area = table.area(table.row_of(4).unwrap(), mutu::ground::units::Basis::Ellipsoidal).unwrap();
    let m2 = area.hundredths_m2() as f64 / 100.0;
    let mu = area.hundredths_m2() as f64 * 15.0 / 1e6;
    assert_eq!(single[0].id, Some(4));
    assert_eq!(
        serde_json::json!(single[0].properties),
        serde_json::json!({
            "_count": 1, "kind": "乙", "name": "名4", "number": 1, "share": 4.0 / 7.0, "checked": true,
            "day": "1970-01-05", "at": "1970-01-01T00:00:04Z", "area_m2": m2, "area_mu": mu,
        })
    );
    // Without a class nothing is claimed about the kinds.
    let none = decoded(&plain(&layer, &table), &Recipe::new(&layer, Some(""), Some("")).unwrap());
    assert_eq!(serde_json::json!(none[0].properties), serde_json::json!({"_count": 7}));
}

#[test]
fn points_and_lines_are_told_once_and_keep_their_kind() {
    let place = |i: i64| Coord { x: WEST + (i % 17) as f64 * 0.01, y: SOUTH + (i / 17) as f64 * 0.01 };
    let points: Vec<Shape> = (0..200).map(|i| Shape::point(place(i))).collect();
    let lines: Vec<Shape> = (0..200)
        .map(|i| {
            let mut line = Shape::new(ShapeKind::LineString);
            (0..4).for_each(|k| {
                line.push(Coord { x: place(i).x + f64::from(k) * 0.004, y: place(i).y + f64::from(k % 2) * 0.003 });
            });
            line.end_ring();
            line.end_part();
            line
        })
        .collect();
    for (class, shapes, kind) in [(GeometryClass::Point, &points, 1), (GeometryClass::Line, &lines, 2)] {
        let layer = layer(class);
        let table = table(&layer, shapes, 64);
        for (zoom, budget) in [(3, 500_000), (9, 500_000), (9, 1500), (13, 500_000), (16, 500_000)] {
            let recipe = Recipe::new(&layer, None, None).unwrap().within(budget);
            let set = TileMatrixSet::WebMercatorQuad;
            let tiles = tiles(&plain(&layer, &table), set, zoom, &recipe);
            assert_nothing_vanishes(shapes, set, zoom, &tiles);
            let features: Vec<Decoded> = tiles.values().flat_map(|tile| decode(&tile.bytes, "things")).collect();
            assert!(features.iter().all(|feature| feature.kind == kind));
            if kind == 1 && budget == 500_000 {
                assert!(features.iter().all(|feature| feature.count().is_none()), "points are drawn as they are");
                assert_eq!(features.len(), 200, "each in one tile");
                let inside = |(x, y): &(i64, i64)| (0..4096).contains(x) && (0..4096).contains(y);
                assert!(features.iter().flat_map(|f| f.paths.iter().flatten()).all(inside));
            }
        }
    }
}

#[test]
fn ids_that_vector_tiles_cannot_hold_are_told_as_a_property() {
    let layer = layer(GeometryClass::Surface);
    let shape = Fabric { side: 1, cell: 0.004 }.parcels().remove(0);
    let mut builder = SegmentBuilder::new(&layer, None);
    for id in [-7, 5] {
        let values = values(id.max(0));
        builder.push((id, 1), Some(shape.view()), &values.iter().map(Value::view).collect::<Vec<_>>()).unwrap();
    }
    let table = Table::of_segments(vec![builder.finish()]);
    let recipe = Recipe::new(&layer, Some("number"), Some("")).unwrap();
    let tiles = tiles(&plain(&layer, &table), TileMatrixSet::WebMercatorQuad, 14, &recipe);
    let features = decode(&tiles.values().next().unwrap().bytes, "things");
    let told: Vec<_> = features.iter().map(|f| (f.id, f.properties.get("_id").cloned())).collect();
    assert_eq!(told, [(None, Some(serde_json::json!(-7))), (Some(5), None)]);
}

/// The area of a decoded feature, holes taken off, in square units.
fn area_of(feature: &Decoded) -> f64 {
    feature.paths.iter().map(|ring| twice_area(ring) as f64 / 2.0).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Stars with a hole, larger than tiles and across their sides: what a tile has of them is what is in its reach.
    #[test]
    fn a_surface_across_tiles_is_cut_to_each_tiles_reach(
        radii in prop::collection::vec(0.3_f64..1.0, 8..60),
        size in 0.002_f64..0.08,
        (dx, dy) in (-0.02_f64..0.02, -0.02_f64..0.02),
        hole in 0.05_f64..0.25,
    ) {
        let corners = radii.len();
        let at = |i: usize, r: f64| {
            let angle = i as f64 / corners as f64 * std::f64::consts::TAU;
            Coord { x: WEST + dx + size * r * angle.cos(), y: SOUTH + dy + size * r * angle.sin() }
        };
        let ring = |r: &dyn Fn(usize) -> f64| (0..=corners).map(|i| at(i % corners, r(i % corners))).collect::<Vec<_>>();
        let shape = Shape::polygon(&[ring(&|i| radii[i]), ring(&|_| hole)]);
        let layer = layer(GeometryClass::Surface);
        let table = table(&layer, std::slice::from_ref(&shape), 1);
        let recipe = Recipe::new(&layer, None, None).unwrap();
        let (set, zoom) = (TileMatrixSet::WebMercatorQuad, 13);
        let tiles = tiles(&plain(&layer, &table), set, zoom, &recipe);
        assert_nothing_vanishes(std::slice::from_ref(&shape), set, zoom, &tiles);
        for ((row, column), tile) in &tiles {
            let corner = (f64::from(*column) * 4096.0, f64::from(*row) * 4096.0);
            let place = |at: &Coord| {
                let (x, y) = units_of(set, zoom, *at);
                Coord { x: x.round() - corner.0, y: y.round() - corner.1 }
            };
            let rings: Vec<LineString> =
                shape.view().rings().map(|ring| ring.iter().map(place).collect()).collect();
            let whole = MultiPolygon::new(vec![Polygon::new(rings[0].clone(), vec![rings[1].clone()])]);
            let (low, high) = (-f64::from(BUFFER), f64::from(4096 + BUFFER));
            let reach = geo::Rect::new(Coord { x: low, y: low }, Coord { x: high, y: high }).to_polygon();
            let wanted = whole.intersection(&MultiPolygon::new(vec![reach])).unsigned_area();
            let features = decode(&tile.bytes, "things");
            features.iter().for_each(assert_rings);
            let found: f64 = features.iter().map(area_of).sum();
            // Cut places are rounded to the unit: each moves two edges by less than one, over the tile's diagonal.
            let allowed = 1.0 + 6000.0 * (corners as f64).min(8.0) / 2.0 * 0.5;
            prop_assert!((found - wanted).abs() <= allowed, "tile {row}/{column}: {found} for {wanted}");
            let inside = |(x, y): &(i64, i64)| {
                let reach = -i64::from(BUFFER)..=4096 + i64::from(BUFFER);
                reach.contains(x) && reach.contains(y)
            };
            prop_assert!(features.iter().flat_map(|f| f.paths.iter().flatten()).all(inside));
        }
    }

    /// Parcels of any place and size, in any bytes.
    #[test]
    fn nothing_vanishes_whatever_the_sizes(
        places in prop::collection::vec((0.0_f64..0.2, 0.0_f64..0.2, 1e-6_f64..0.02, 1e-6_f64..0.02), 1..80),
        zoom in 1_u8..17,
        budget in prop::sample::select(vec![400_usize, 1500, 6000, 500_000]),
        geographic in any::<bool>(),
    ) {
        let rectangle = |(x, y, w, h): &(f64, f64, f64, f64)| {
            let (a, b) = (Coord { x: WEST + x, y: SOUTH + y }, Coord { x: WEST + x + w, y: SOUTH + y + h });
            Shape::polygon(&[vec![a, Coord { x: b.x, y: a.y }, b, Coord { x: a.x, y: b.y }, a]])
        };
        let shapes: Vec<Shape> = places.iter().map(rectangle).collect();
        let layer = layer(GeometryClass::Surface);
        let table = table(&layer, &shapes, 17);
        let recipe = Recipe::new(&layer, None, None).unwrap().within(budget);
        let set = if geographic { TileMatrixSet::Cgcs2000Quad } else { TileMatrixSet::WebMercatorQuad };
        let limits = set.limits(zoom, &table.extent().unwrap());
        prop_assume!((limits.rows.1 - limits.rows.0) * (limits.columns.1 - limits.columns.0) < 900);
        let tiles = tiles(&plain(&layer, &table), set, zoom, &recipe);
        assert_nothing_vanishes(&shapes, set, zoom, &tiles);
    }
}
