//! Speed of the engine on a made-up cadastre of a million parcels and 300 zones, in memory: run with
//! `cargo bench --bench engine [-- PARCELS]`. Prints CPU seconds; figures of other machines are not comparable.
//!
//! The parcels tile 0.55° × 0.40° near Heshan, share all their vertices with their neighbours, have 14 of them,
//! and come in the order of no map, as in a register; zones are stars of 500 to 5,000 vertices.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::many_single_char_names, reason = "x, y, a, b, t are what they are in geometry")]

use std::{hint::black_box, time::Instant};

use geo::Coord;
use mutu::{
    domain::{
        feature::ValueRef,
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
    },
    engine::{
        filter::{bind, parse_text},
        find,
        overlay::{Overlaps, Zones},
        stats::{Request, statistics},
        table::{SegmentBuilder, Table},
    },
    ground::{
        crs::Crs,
        measure::SurveyGrid,
        shape::{Bounds, Shape},
        units::{AreaUnit, Basis},
    },
};

const WEST: f64 = 112.45;
const SOUTH: f64 = 22.45;

/// Reproducible numbers (`SplitMix64`).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn unit(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1_u64 << 53) as f64
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
        surveyed_in_grid: false,
        provenance: Provenance::Synthetic,
    }
}

fn survey_grid() -> SurveyGrid {
    SurveyGrid::new("EPSG:4547".parse::<Crs>().expect("known"), false).expect("projected")
}

/// The cadastre: `side` × `side` cells.
struct Fabric {
    side: u64,
}

impl Fabric {
    fn cell(&self) -> (f64, f64) {
        (0.55 / self.side as f64, 0.40 / self.side as f64)
    }

    fn node(&self, x: u64, y: u64) -> Coord {
        let (w, h) = self.cell();
        let inner = x > 0 && y > 0 && x < self.side && y < self.side;
        let jitter = |salt| if inner { (unit(x * 1_000_003 + y * 17 + salt) - 0.5) * 0.3 } else { 0.0 };
        let rounded = |v: f64| (v * 1e7).round() / 1e7;
        Coord { x: rounded(WEST + (x as f64 + jitter(1)) * w), y: rounded(SOUTH + (y as f64 + jitter(2)) * h) }
    }

    /// The inner points of the edge from a node to the next one east or north.
    fn edge(&self, x: u64, y: u64, north: bool) -> Vec<Coord> {
        let (a, b) = (self.node(x, y), if north { self.node(x, y + 1) } else { self.node(x + 1, y) });
        let seed = (x * 2_000_003 + y) * 2 + u64::from(north);
        let count = 2 + mix(seed) % 2;
        let point = |i: u64| {
            let t = i as f64 / (count + 1) as f64;
            let off = (unit(seed * 7 + i) - 0.5) * 0.08;
            let d = b - a;
            let at = Coord { x: a.x + t * d.x - off * d.y, y: a.y + t * d.y + off * d.x };
            Coord { x: (at.x * 1e7).round() / 1e7, y: (at.y * 1e7).round() / 1e7 }
        };
        (1..=count).map(point).collect()
    }

    fn parcel(&self, x: u64, y: u64) -> Shape {
        let reversed = |mut points: Vec<Coord>| {
            points.reverse();
            points
        };
        let mut ring = vec![self.node(x, y)];
        ring.extend(self.edge(x, y, false));
        ring.push(self.node(x + 1, y));
        ring.extend(self.edge(x + 1, y, true));
        ring.push(self.node(x + 1, y + 1));
        ring.extend(reversed(self.edge(x, y + 1, false)));
        ring.push(self.node(x, y + 1));
        ring.extend(reversed(self.edge(x, y, true)));
        ring.push(ring[0]);
        Shape::polygon(&[ring])
    }
}

fn parcels(layer: &Layer, side: u64) -> Table {
    let fabric = Fabric { side };
    let mut builder = SegmentBuilder::new(layer, Some(survey_grid()));
    let count = side * side;
    for id in 0..count {
        // A step that shares no factor with the count visits every cell once.
        let cell = (id * 7919 * 13) % count;
        let (x, y) = (cell % side, cell / side);
        let shape = fabric.parcel(x, y);
        let town = format!("镇{}", (x * 5 / side) + 5 * (y * 2 / side));
        let land_use = format!("{:04}", mix(cell) % 28 * 101);
        let far = unit(cell) * 4.0;
        let values = [ValueRef::Text(&town), ValueRef::Text(&land_use), ValueRef::Real(far)];
        builder.push((id as i64 + 1, 1), Some(shape.view()), &values).expect("fits");
    }
    Table::of_segments(vec![builder.finish()])
}

fn zones(layer: &Layer) -> Table {
    let mut builder = SegmentBuilder::new(layer, Some(survey_grid()));
    for z in 0..300_u64 {
        let vertices = 500 + mix(z) % 4500;
        let radius =
            (1200.0 * (0.6 * (unit(z + 7) + unit(z + 8) + unit(z + 9) - 1.5) * 2.0).exp()).clamp(300.0, 4000.0);
        let center = Coord { x: WEST + unit(z * 31) * 0.55, y: SOUTH + unit(z * 37) * 0.40 };
        let mut ring: Vec<Coord> = (0..vertices)
            .map(|v| {
                let angle = v as f64 / vertices as f64 * std::f64::consts::TAU;
                let wave: f64 = (1..20_u64)
                    .map(|k| (unit(z * 100 + k) - 0.5) * 0.5 / k as f64 * (k as f64 * angle + k as f64).cos())
                    .sum();
                let r = radius * (1.0 + wave).clamp(0.25, 3.0) * (1.0 + (unit(z * 10_000 + v) - 0.5) * 0.004);
                Coord { x: center.x + r * angle.cos() / 102_800.0, y: center.y + r * angle.sin() / 110_750.0 }
            })
            .collect();
        ring.push(ring[0]);
        let name = format!("区{z}");
        builder.push((z as i64 + 1, 1), Some(Shape::polygon(&[ring]).view()), &[ValueRef::Text(&name)]).expect("fits");
    }
    Table::of_segments(vec![builder.finish()])
}

/// CPU seconds that this process has used.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn timed<T>(what: &str, times: u32, mut work: impl FnMut() -> T) -> T {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let mut result = work();
    for _ in 1..times {
        result = work();
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64() / f64::from(times), (cpu_seconds() - cpu) / f64::from(times));
    println!("{what:<58} {:>10.3} ms wall {:>10.3} ms CPU", wall * 1e3, cpu * 1e3);
    result
}

fn main() {
    let wanted = std::env::args().skip(1).find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(1_000_000);
    let side = (wanted as f64).sqrt() as u64;
    let fields = [("town", FieldType::Text), ("land_use", FieldType::Text), ("far", FieldType::Real)];
    let (parcel_layer, zone_layer) = (layer("parcels", &fields), layer("zones", &[("name", FieldType::Text)]));
    let table = timed("build the table with ellipsoidal areas and index", 1, || parcels(&parcel_layer, side));
    let zone_table = timed("build 300 zones", 1, || zones(&zone_layer));
    let vertices: usize = zone_table.rows().filter_map(|row| Some(zone_table.shape(row)?.coords().len())).sum();
    println!("{} parcels, {vertices} vertices of zones", table.len());

    finding(&table);
    grouping(&table, &parcel_layer);
    overlaying(&table, &parcel_layer, &zone_table);
}

fn finding(table: &Table) {
    let places: Vec<Coord> =
        (0..100_000).map(|i| Coord { x: WEST + unit(i * 3) * 0.55, y: SOUTH + unit(i * 5 + 1) * 0.40 }).collect();
    let hits = timed("locate 100,000 points, together", 3, || find::locate_each(table, &places).len());
    println!("    {hits} hits");
    timed("locate 100,000 points, one by one", 3, || {
        places.iter().map(|at| find::at_point(table, *at, 0.0).len()).sum::<usize>()
    });
    let outside: Vec<Coord> = places.iter().map(|c| Coord { x: c.x + 0.00001, y: c.y }).collect();
    timed("nearest of 100,000 points, together", 3, || find::nearest_each(table, &outside).len());
    timed("nearest of 100,000 points, one by one", 1, || {
        outside.iter().map(|at| find::nearest(table, *at, 1, f64::INFINITY).len()).sum::<usize>()
    });
    let boxes: Vec<Bounds> =
        places.iter().take(2000).map(|c| Bounds { min: *c, max: Coord { x: c.x + 0.0127, y: c.y + 0.0093 } }).collect();
    let found = timed("2,000 boxes of some 550 features", 3, || {
        boxes
            .iter()
            .map(|bounds| {
                find::in_box(table, *bounds)
                    .map(|row| u64::from(row.row))
                    .fold((0, 0_u64), |(n, sum), row| (n + 1, sum ^ row))
                    .0
            })
            .sum::<u64>()
    });
    println!("    {} features a box", found / 2000);
}

fn grouping(table: &Table, layer: &Layer) {
    let request = |filter| Request {
        group_by: vec!["town".to_owned(), "land_use".to_owned()],
        within: Vec::new(),
        unit: AreaUnit::Mu,
        basis: Basis::Ellipsoidal,
        decimals: None,
        filter,
        bounds: None,
        among: None,
        overlaps: None,
    };
    let groups =
        timed("statistics by town and use", 10, || statistics(table, layer, &request(None), "").expect("sums"));
    println!("    {} groups, {} mu", groups.groups.len(), groups.total.area);
    for text in ["town = '镇3'", "land_use LIKE '0%' AND far > 2", "far BETWEEN 1 AND 2 OR town IN ('镇1', '镇2')"] {
        let bound = bind(&parse_text(text).expect("CQL2"), layer).expect("binds");
        let found = timed(text, 5, || bound.select(table, None).expect("in budget").len());
        println!("    {found} features");
    }
}

fn overlaying(table: &Table, layer: &Layer, zone_table: &Table) {
    let zones = timed("prepare 300 zones", 1, || Zones::prepare(zone_table, Some(0)).expect("surfaces"));
    for basis in [Basis::Ellipsoidal, Basis::Planar] {
        let request = Request {
            group_by: vec!["land_use".to_owned()],
            within: vec![("zones".parse().expect("a good id"), &zones)],
            unit: AreaUnit::Mu,
            basis,
            decimals: None,
            filter: None,
            bounds: None,
            among: None,
            overlaps: None,
        };
        if basis == Basis::Planar {
            timed("planar areas", 1, || black_box(table.segments()[0].areas(Basis::Planar)(0)));
        }
        let what = format!("overlay by use, {}", basis.as_str());
        let answer = timed(&what, 1, || statistics(table, layer, &request, "").expect("sums"));
        let (counted, faulty) = (answer.groups.iter().map(|group| group.count).sum::<u64>(), answer.faulty.len());
        println!(
            "    {} groups, {counted} pieces, {faulty} faulty, residual {} m²",
            answer.groups.len(),
            answer.residual_m2
        );
    }
    let overlaps = timed("overlap within the layer", 1, || Overlaps::of(table));
    println!("    {} pairs", overlaps.pairs().len());
}
