//! `GeoJSON` lines: one feature a line, coordinates in whole billionths of a degree.

use serde_json::Value;

use super::plane::{Nano, Ring, Surfaces};

/// A feature with surfaces.
pub struct Row<'a> {
    pub surfaces: &'a Surfaces,
    pub properties: Value,
}

impl Row<'_> {
    pub fn line(&self) -> String {
        let surface = |rings: &Vec<Ring>| list(rings.iter().map(|ring| list(ring.iter().chain(&ring[..1]).map(pair))));
        let geometry = if self.surfaces.len() == 1 {
            format!("{{\"type\":\"Polygon\",\"coordinates\":{}}}", surface(&self.surfaces[0]))
        } else {
            let all = list(self.surfaces.iter().map(surface));
            format!("{{\"type\":\"MultiPolygon\",\"coordinates\":{all}}}")
        };
        feature(&self.properties, &geometry)
    }
}

/// A feature with a point, or with no geometry.
pub fn point_line(at: Option<Nano>, properties: &Value) -> String {
    let geometry =
        at.map_or_else(|| "null".to_owned(), |at| format!("{{\"type\":\"Point\",\"coordinates\":{}}}", pair(&at)));
    feature(properties, &geometry)
}

fn feature(properties: &Value, geometry: &str) -> String {
    format!("\"properties\":{properties},\"geometry\":{geometry}}}")
}

/// The whole file; ids run from 1 in the order of the lines.
pub fn collection(name: &str, lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("{{\"type\":\"FeatureCollection\",\"name\":\"{name}\",\"features\":[\n");
    for (i, line) in lines.enumerate() {
        if i > 0 {
            text.push_str(",\n");
        }
        text.push_str("{\"type\":\"Feature\",\"id\":");
        text.push_str(&(i + 1).to_string());
        text.push(',');
        text.push_str(&line);
    }
    text.push_str("\n]}\n");
    text
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn pair(at: &Nano) -> String {
    format!("[{},{}]", degrees(at[0]), degrees(at[1]))
}

fn degrees(nano: i64) -> String {
    let fraction = format!("{:09}", nano.rem_euclid(1_000_000_000));
    let text = format!("{}.{}", nano.div_euclid(1_000_000_000), fraction);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
