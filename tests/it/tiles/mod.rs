//! Vector tiles: what they hold against the source, in its strategy and over HTTP. What three further decoders read
//! in tiles stands in `tests/clients/with_tiles.py`.

mod http;
mod strategy;

use std::collections::BTreeMap;

use fast_mvt::{MvtReaderRef, MvtValueRef};
use geo::Coord;
use mutu::domain::tile_matrix::{TileMatrixSet, UNITS};
use serde_json::{Value, json};

/// A feature of a decoded tile.
#[derive(Debug, Clone, PartialEq)]
struct Decoded {
    id: Option<u64>,
    /// 1 points, 2 lines, 3 surfaces.
    kind: i32,
    /// Paths as written: rings open, closed by their command.
    paths: Vec<Vec<(i64, i64)>>,
    properties: BTreeMap<String, Value>,
}

impl Decoded {
    fn count(&self) -> Option<u64> {
        self.properties.get("_count").and_then(Value::as_u64)
    }
}

/// The features of a tile of one layer. Protobuf is read by `fast_mvt`, geometry by the commands of the specification
/// (Mapbox Vector Tile 2.1, 4.3) here, so that nothing is set right on the way.
fn decode(bytes: &[u8], layer: &str) -> Vec<Decoded> {
    let reader = MvtReaderRef::new(bytes).unwrap();
    let layers: Vec<_> = reader.layers().collect();
    if bytes.is_empty() {
        return Vec::new();
    }
    assert_eq!(layers.iter().map(|l| (l.name(), l.version(), l.extent())).collect::<Vec<_>>(), [(layer, 2, UNITS)]);
    let feature = |feature: fast_mvt::MvtFeatureRef<'_>| {
        let properties = feature.properties().map(|property| {
            let (key, value) = property.unwrap();
            (key.to_owned(), value_of(&value))
        });
        Decoded {
            id: feature.id(),
            kind: feature.geom_type_value().unwrap(),
            paths: paths_of(feature.geometry_commands(), feature.geom_type_value().unwrap()),
            properties: properties.collect(),
        }
    };
    layers[0].features().map(feature).collect()
}

fn value_of(value: &MvtValueRef<'_>) -> Value {
    match value {
        MvtValueRef::String(text) => json!(text),
        MvtValueRef::Double(number) => json!(number),
        MvtValueRef::Int(number) | MvtValueRef::SInt(number) => json!(number),
        MvtValueRef::UInt(number) => json!(number),
        MvtValueRef::Bool(truth) => json!(truth),
        other => panic!("a value that we never write: {other:?}"),
    }
}

fn paths_of(commands: &[u32], kind: i32) -> Vec<Vec<(i64, i64)>> {
    let mut paths: Vec<Vec<(i64, i64)>> = Vec::new();
    let mut path: Vec<(i64, i64)> = Vec::new();
    let (mut x, mut y, mut at) = (0_i64, 0_i64, 0);
    let unzigzag = |value: u32| i64::from(value >> 1) ^ -i64::from(value & 1);
    while at < commands.len() {
        let (command, count) = (commands[at] & 7, commands[at] >> 3);
        at += 1;
        match command {
            1 | 2 => {
                assert!(count > 0, "a command without places");
                if command == 1 {
                    assert!(kind == 1 || count == 1, "a path begins once");
                    if !path.is_empty() {
                        paths.push(std::mem::take(&mut path));
                    }
                }
                for _ in 0..count {
                    x += unzigzag(commands[at]);
                    y += unzigzag(commands[at + 1]);
                    at += 2;
                    path.push((x, y));
                }
            }
            7 => {
                assert!(kind == 3 && count == 1, "only rings are closed");
                paths.push(std::mem::take(&mut path));
            }
            other => panic!("command {other}"),
        }
    }
    if !path.is_empty() {
        assert_ne!(kind, 3, "a ring that is not closed");
        paths.push(path);
    }
    paths
}

/// Twice the area of an open ring by the surveyor's formula in tile units, y downwards: positive for an outer ring
/// (Mapbox Vector Tile 2.1, 4.3.4.4).
fn twice_area(ring: &[(i64, i64)]) -> i64 {
    (0..ring.len())
        .map(|i| {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            a.0 * b.1 - b.0 * a.1
        })
        .sum()
}

/// The specification's rules for rings: an outer ring first, areas, no vertex twice in a row.
fn assert_rings(feature: &Decoded) {
    assert!(!feature.paths.is_empty(), "{:?} has no geometry", feature.id);
    for (number, ring) in feature.paths.iter().enumerate() {
        let area = twice_area(ring);
        assert!(ring.len() >= 3 && area != 0, "feature {:?}: ring {number} {ring:?} has no area", feature.id);
        assert!(number > 0 || area > 0, "feature {:?}: the first ring must be an outer one", feature.id);
        assert!((0..ring.len()).all(|i| ring[i] != ring[(i + 1) % ring.len()]), "a vertex twice in {ring:?}");
    }
}

/// Where a place lies in a matrix, in units from its north-western corner, by the textbook's formulas.
fn units_of(set: TileMatrixSet, zoom: u8, at: Coord) -> (f64, f64) {
    let world = 4096.0 * 2.0_f64.powi(i32::from(zoom));
    let x = (at.x + 180.0) / 360.0;
    let y = match set {
        TileMatrixSet::WebMercatorQuad => {
            let latitude = at.y.to_radians();
            (1.0 - (latitude.tan() + 1.0 / latitude.cos()).ln() / std::f64::consts::PI) / 2.0
        }
        TileMatrixSet::Cgcs2000Quad => (90.0 - at.y) / 360.0,
    };
    (x * world, y * world)
}
