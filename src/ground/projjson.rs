//! Facts about a CRS, read from its PROJJSON: kind, name, axes, unit, datum, grid. Knows no PROJ.
//!
//! Source: PROJJSON schema 0.7 (<https://proj.org/en/stable/specifications/projjson.html>).

use serde_json::Value;

use super::{crs::CrsKind, gauss::GaussGrid};

/// What PROJJSON tells of a CRS.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    pub name: String,
    pub kind: CrsKind,
    /// Code in the EPSG registry that the definition itself claims.
    pub claimed_epsg: Option<u32>,
    pub north_first: bool,
    /// For a projected CRS.
    pub metres_per_unit: Option<f64>,
    /// Name of the datum (or ensemble) under the coordinates.
    pub datum: String,
    /// Whether that is CGCS2000 under a name that is not the registry's.
    pub misnamed_cgcs2000: bool,
    /// Whether the definition carries its own parameters to WGS 84 (`TOWGS84`).
    pub bound: bool,
    /// For a Gauss–Krüger grid on CGCS2000 without such parameters.
    pub gauss: Option<GaussGrid>,
}

/// The facts of a geographic (2D) or projected CRS; else why it is neither.
pub(super) fn facts_of(projjson: &str) -> Result<Facts, String> {
    let root: Value = serde_json::from_str(projjson).map_err(|error| format!("its PROJJSON is broken ({error})"))?;
    let claimed_epsg = epsg_of(&root);
    let bound = text(&root, "type") == "BoundCRS";
    let crs = if bound { &root["source_crs"] } else { &root };
    let claimed_epsg = claimed_epsg.or_else(|| epsg_of(crs));
    let axes = axes_of(crs);
    let name = text(crs, "name").to_owned();
    let north_first = north_first(&axes);
    match text(crs, "type") {
        "GeographicCRS" if axes.len() == 2 => Ok(Facts {
            name,
            kind: CrsKind::Geographic,
            claimed_epsg,
            north_first,
            metres_per_unit: None,
            datum: datum_of(crs),
            misnamed_cgcs2000: is_misnamed_cgcs2000(crs),
            bound,
            gauss: None,
        }),
        "ProjectedCRS" if axes.len() == 2 => {
            let metres = unit_of(&axes[0]["unit"]);
            if metres != unit_of(&axes[1]["unit"]) {
                return Err("its two axes have different units".to_owned());
            }
            let metres = metres.ok_or("the unit of its axes is unknown")?;
            let datum = datum_of(&crs["base_crs"]);
            let mercator = is_mercator(text(&crs["conversion"]["method"], "name"));
            let gauss =
                if is(metres, 1.0) && datum == "China 2000" && !bound { gauss_of(&crs["conversion"]) } else { None };
            let misnamed_cgcs2000 = is_misnamed_cgcs2000(&crs["base_crs"]);
            let kind = if mercator { CrsKind::WebMercator } else { CrsKind::Projected };
            let metres_per_unit = Some(metres);
            Ok(Facts { name, kind, claimed_epsg, north_first, metres_per_unit, datum, misnamed_cgcs2000, bound, gauss })
        }
        "GeographicCRS" | "ProjectedCRS" => Err("it has a third axis; give its horizontal CRS".to_owned()),
        "CompoundCRS" => Err("it has a height; give its horizontal CRS".to_owned()),
        "" => Err("it is no coordinate reference system".to_owned()),
        other => Err(format!("it is a {other}; only geographic and projected ones can be used")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn epsg_of(crs: &Value) -> Option<u32> {
    let id = &crs["id"];
    if text(id, "authority") != "EPSG" {
        return None;
    }
    id["code"].as_u64().and_then(|code| u32::try_from(code).ok()).or_else(|| text(id, "code").parse().ok())
}

fn axes_of(crs: &Value) -> Vec<Value> {
    crs["coordinate_system"]["axis"].as_array().cloned().unwrap_or_default()
}

/// Whether the first axis is the northing or latitude; for polar grids the axes carry a meridian, and the
/// easting is the one at 90° to the other.
fn north_first(axes: &[Value]) -> bool {
    let [first, second, ..] = axes else { return false };
    let meridian = |axis: &Value| {
        let longitude = &axis["meridian"]["longitude"];
        longitude.as_f64().or_else(|| longitude["value"].as_f64())
    };
    match (text(first, "direction"), text(second, "direction")) {
        ("north", "east") => true,
        ("south", "south") => (meridian(first), meridian(second)) == (Some(180.0), Some(90.0)),
        ("north", "north") => {
            matches!((meridian(first), meridian(second)), (Some(0.0), Some(90.0)) | (Some(180.0), Some(-90.0)))
        }
        _ => false,
    }
}

/// Metres or radians in a unit.
fn unit_of(unit: &Value) -> Option<f64> {
    match unit.as_str() {
        Some("metre" | "unity") => Some(1.0),
        Some("degree") => Some(1f64.to_radians()),
        _ => unit["conversion_factor"].as_f64(),
    }
}

/// WKT 1 knows no ensembles, so "World Geodetic System 1984" and its ensemble are one.
fn datum_of(geographic: &Value) -> String {
    let datum = text(&geographic["datum"], "name");
    let name = if datum.is_empty() { text(&geographic["datum_ensemble"], "name") } else { datum };
    name.trim_end_matches(" ensemble").to_owned()
}

/// Programs spell the datum's name in their own ways, which PROJ takes for datums that it knows nothing of.
fn is_misnamed_cgcs2000(geographic: &Value) -> bool {
    let name = datum_of(geographic);
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let spelt = ["china2000", "cgcs2000", "chinageodeticcoordinatesystem2000"];
    let ellipsoid = &geographic["datum"]["ellipsoid"];
    let number = |key: &str| ellipsoid[key].as_f64().unwrap_or_default();
    let same =
        is(number("semi_major_axis"), 6_378_137.0) && (number("inverse_flattening") - 298.257_222_101).abs() < 1e-9;
    let greenwich = geographic["datum"]["prime_meridian"].is_null();
    name != "China 2000" && spelt.contains(&letters.strip_prefix('d').unwrap_or(&letters)) && same && greenwich
}

/// Mercator's projections and their relatives blow areas up with latitude.
fn is_mercator(method: &str) -> bool {
    let plain = method.to_ascii_lowercase().replace(['_', '-'], " ");
    plain.contains("mercator") && !plain.contains("transverse") && !plain.contains("oblique")
}

fn gauss_of(conversion: &Value) -> Option<GaussGrid> {
    if !matches!(text(&conversion["method"], "name"), "Transverse Mercator" | "Gauss Kruger" | "Gauss-Kruger") {
        return None;
    }
    let parameter = |name: &str| {
        let all = conversion["parameters"].as_array()?;
        let found = all.iter().find(|p| text(p, "name") == name)?;
        Some(found["value"].as_f64()? * unit_of(&found["unit"])?)
    };
    let plain = is(parameter("Latitude of natural origin")?, 0.0)
        && is(parameter("Scale factor at natural origin")?, 1.0)
        && is(parameter("False northing")?, 0.0);
    let meridian = parameter("Longitude of natural origin")?.to_degrees();
    // Degrees that went through radians come back a hair off.
    let meridian = if (meridian - meridian.round()).abs() < 1e-9 { meridian.round() } else { meridian };
    plain.then_some(GaussGrid { meridian, false_easting: parameter("False easting")? })
}

/// Exactly: a grid whose scale is almost 1 is another grid.
fn is(value: f64, wanted: f64) -> bool {
    value.total_cmp(&wanted).is_eq()
}
