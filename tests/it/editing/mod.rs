//! Editing: what clients send, what is stored, what is refused and how.

mod changes;
mod items;
mod qgis;
mod rules;
mod sides;

use serde_json::Value;

use crate::http::{Answer, Own};

pub(super) const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");
pub(super) const PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");

/// A square of about 100 m of which the south-west corner is given, as GeoJSON coordinates.
pub(super) fn square(west: f64, south: f64) -> Value {
    // The doubles next to the decimals, as a client has them that was told decimals.
    let beside = |degrees: f64| (degrees * 1000.0 + 1.0).round() / 1000.0;
    let (east, north) = (beside(west), beside(south));
    serde_json::json!([[[west, south], [east, south], [east, north], [west, north], [west, south]]])
}

/// A parcel where there are none.
pub(super) fn parcel(west: f64, south: f64, properties: Value) -> Value {
    serde_json::json!({
        "type": "Feature", "properties": properties,
        "geometry": { "type": "Polygon", "coordinates": square(west, south) },
    })
}

/// The answer to a POST that must succeed.
pub(super) fn created(own: &Own, layer: &str, feature: &Value) -> Answer {
    let answer = own.send("POST", &format!("/collections/{layer}/items"), &[GEOJSON], &feature.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer
}

/// The words for what was found, with the property at fault.
pub(super) fn faults(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 422, "{}", answer.text());
    let findings = answer.json()["findings"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.iter().map(|finding| (text(&finding["fault"]), text(&finding["property"]))).collect()
}
