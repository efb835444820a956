//! Which columns a file has and in which order its features come: as the pages of items have them.

use super::*;

const WHICH: &str = "town=址山镇&sortby=-status,area_mu&properties=status,area_mu,town&limit=40";

/// The id, status and area of features in order, as a page has them.
fn page() -> Vec<(i64, String, f64)> {
    let page = get(demo(), &format!("/collections/parcels/items?{WHICH}")).json();
    let told: Vec<_> = page["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| {
            let properties = &feature["properties"];
            let status = properties["status"].as_str().unwrap().to_owned();
            (feature["id"].as_i64().unwrap(), status, properties["area_mu"].as_f64().unwrap())
        })
        .collect();
    assert_eq!(told.len(), 40);
    assert!(!told.is_sorted_by_key(|(id, ..)| *id), "the order must tell");
    told
}

fn columns_by_gdal(path: &Path) -> Vec<String> {
    let said = said_by("ogrinfo", &["-ro", "-so", "-al", &for_gdal(path)]);
    let known = ["status", "town", "area_mu", "area_m2", "note", "code"];
    known.iter().filter(|name| said.contains(&format!("\n{name}: "))).map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_file_has_the_order_and_the_columns_that_a_page_would() {
    let (wanted, folder) = (page(), tempfile::tempdir().unwrap());
    // Read by us.
    let csv = get(demo(), &format!("/collections/parcels/items?f=csv&{WHICH}"));
    let mut reader = ::csv::Reader::from_reader(&csv.body[..]);
    assert_eq!(reader.headers().unwrap(), vec!["WKT", "id", "town", "status", "area_mu"]);
    let row = |row: ::csv::StringRecord| (row[1].parse().unwrap(), row[3].to_owned(), row[4].parse().unwrap());
    let rows: Vec<(i64, String, f64)> = reader.records().map(|record| row(record.unwrap())).collect();
    assert_eq!(rows, wanted);
    for (f, accept) in [("geojsonseq", "\u{1e}"), ("geojson", "")] {
        let path = if f == "geojson" { "export" } else { "items" };
        let which = if f == "geojson" { WHICH.replace("&limit=40", "") } else { WHICH.to_owned() };
        let answer = get(demo(), &format!("/collections/parcels/{path}?f={f}&{which}"));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let features: Vec<Value> = if f == "geojson" {
            answer.json()["features"].as_array().unwrap().clone()
        } else {
            answer
                .text()
                .split(accept)
                .filter(|text| !text.trim().is_empty())
                .map(|text| serde_json::from_str(text).unwrap())
                .collect()
        };
        let got = features.iter().take(40).map(|feature| {
            let own = &feature["properties"];
            assert_eq!(own.as_object().unwrap().len(), 3, "{own}");
            (
                feature["id"].as_i64().unwrap(),
                own["status"].as_str().unwrap().to_owned(),
                own["area_mu"].as_f64().unwrap(),
            )
        });
        assert_eq!(got.collect::<Vec<_>>(), wanted, "{f}");
    }
    // Read by GDAL, which tells records of a shapefile in their order.
    let (shapefile, _) = saved(demo(), folder.path(), &format!("/collections/parcels/items?f=shapefile&{WHICH}"));
    let out = folder.path().join("out.csv");
    said_by("ogr2ogr", &["-f", "CSV", out.to_str().unwrap(), &for_gdal(&shapefile)]);
    let mut reader = ::csv::Reader::from_path(&out).unwrap();
    let status = reader.headers().unwrap().iter().position(|name| name == "status").unwrap();
    let got: Vec<String> = reader.records().map(|record| record.unwrap()[status].to_owned()).collect();
    assert_eq!(got, wanted.iter().map(|(_, status, _)| status.clone()).collect::<Vec<_>>());
    for f in ["geopackage", "flatgeobuf", "shapefile"] {
        let (file, answer) = saved(
            demo(),
            folder.path(),
            &format!("/collections/parcels/items?f={f}&properties=status,area_mu,town&limit=5"),
        );
        assert_eq!(columns_by_gdal(&file), ["status", "town", "area_mu"], "{f}");
        assert_eq!(answer.header("ogc-numberreturned"), "5");
    }
}

#[test]
fn what_a_file_cannot_have_is_refused_and_never_left_out() {
    for (path, parameter) in [
        ("items?f=geopackage&sortby=town", "sortby"),
        ("export?f=flatgeobuf&sortby=-town", "sortby"),
        ("items?f=csv&sortby=nix", "sortby"),
        ("items?f=csv&sortby=town,town", "sortby"),
        ("items?f=csv&properties=nix", "properties"),
        ("export?f=csv&properties=town&areas=true", "areas"),
        ("items?f=csv&lang=en", "lang"),
    ] {
        let refused = get(demo(), &format!("/collections/parcels/{path}"));
        assert_eq!(
            (refused.status, &refused.json()["parameter"]),
            (StatusCode::BAD_REQUEST, &parameter.into()),
            "{path}"
        );
    }
    // No columns at all are columns, too.
    let none = get(demo(), "/collections/parcels/export?f=csv&properties=");
    assert!(none.text().starts_with("WKT,id\r\n"), "{}", none.text().lines().next().unwrap());
}

#[test]
fn a_head_tells_the_losses_that_are_known_without_the_file() {
    for f in ["csv", "geojson", "geojsonseq"] {
        let path = format!("/collections/parcels/export?f={f}");
        let (head, whole) = (send(demo(), Method::HEAD, &path, &[]), get(demo(), &path));
        assert_eq!(losses(&head), losses(&whole), "{f}");
        assert_eq!(head.body.len(), 0);
        for name in ["content-type", "ogc-numbermatched", "content-disposition", "etag"] {
            assert_eq!(head.header(name), whole.header(name), "{f}: {name}");
        }
    }
    assert!(!losses(&send(demo(), Method::HEAD, "/collections/parcels/export?f=csv", &[])).is_empty());
}
