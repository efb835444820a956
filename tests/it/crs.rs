//! Coordinate reference systems, against Debian's PROJ (`cs2cs`) and against themselves.

use geo::Coord;
use mutu::ground::{
    crs::{Crs, CrsError, CrsKind},
    gauss::GaussGrid,
};

fn crs(text: &str) -> Crs {
    text.parse().unwrap()
}

#[test]
fn the_survey_grids_are_what_the_registry_says() {
    let grid = crs("EPSG:4526");
    assert_eq!(grid.name(), "CGCS2000 / 3-degree Gauss-Kruger zone 38");
    assert_eq!((grid.kind(), grid.epsg(), grid.north_first()), (CrsKind::Projected, Some(4526), true));
    assert_eq!(grid.metres_per_unit(), Some(1.0));
    assert_eq!(grid.gauss(), Some(GaussGrid { meridian: 114.0, false_easting: 38_500_000.0 }));
    let area = grid.area_of_use().unwrap();
    assert!((area.min.x - 112.5).abs() < 0.01 && (area.max.x - 115.5).abs() < 0.01, "{area:?}");
    assert_eq!(crs("EPSG:3857").kind(), CrsKind::WebMercator);
    let feet = crs("EPSG:2249");
    assert!((feet.metres_per_unit().unwrap() - 1200.0 / 3937.0).abs() < 1e-15);
    assert!(!feet.north_first() && feet.gauss().is_none());
}

#[test]
fn a_datum_without_a_published_transformation_is_refused() {
    for code in ["EPSG:2412", "EPSG:2383", "EPSG:4214", "EPSG:4610"] {
        let error = code.parse::<Crs>().unwrap_err();
        assert!(matches!(error, CrsError::NoTransformation { .. }), "{code}: {error}");
    }
}

#[test]
fn what_is_no_horizontal_crs_is_unknown_and_says_why() {
    for (text, why) in [
        ("EPSG:999999", "PROJ does not know it"),
        ("EPSG:4979", "third axis"),
        ("EPSG:4978", "GeodeticCRS"),
        ("EPSG:5773", "VerticalCRS"),
        ("EPSG:9707", "height"),
        ("EPSG:9122", "PROJ does not know it"),
        ("PROJCS[]", "PROJ does not know it"),
        ("{}", "PROJ does not know it"),
        ("somewhere", "neither"),
    ] {
        let error = text.parse::<Crs>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn wkt_of_a_registered_crs_is_recognised_and_other_wkt_is_kept() {
    for code in [4490, 4326, 3857, 2249, 4526, 4547, 4525, 4546, 4508, 4497] {
        let registered = crs(&format!("EPSG:{code}"));
        for wkt in [registered.to_wkt().unwrap(), registered.to_esri_wkt().unwrap()] {
            assert_eq!(crs(&wkt).epsg(), Some(code), "{wkt}");
        }
    }
    let own = crs("EPSG:4547").to_esri_wkt().unwrap().replace("500000.0", "512345.0");
    assert_eq!((crs(&own).epsg(), crs(&own).definition()), (None, own.as_str()));
    let lying = crs("EPSG:4547").to_wkt().unwrap().replace("\"central_meridian\",114", "\"central_meridian\",117");
    assert_eq!(crs(&lying).epsg(), Some(4548), "the claimed code is not believed");
}

#[test]
fn grids_agree_where_their_coordinates_do() {
    assert!(Crs::stored().agrees_with(&crs("EPSG:4326")));
    assert!(crs("EPSG:4546").agrees_with(&crs("EPSG:4508")), "CM 111 in 3-degree and 6-degree grids");
    assert!(!crs("EPSG:4526").agrees_with(&crs("EPSG:4547")));
    assert!(!Crs::stored().agrees_with(&crs("EPSG:4547")));
    assert!(!crs("EPSG:3857").agrees_with(&crs("EPSG:4547")));
}

#[test]
fn a_place_without_an_image_is_named() {
    let mut coords = [Coord { x: 0.0, y: 0.0 }, Coord { x: 1e300, y: 5.0 }];
    let error = crs("EPSG:2249").to_stored(&mut coords).unwrap_err();
    assert!(matches!(error, CrsError::OutOfDomain { x: 1e300, y: 5.0, .. }), "{error}");
    assert!(crs("EPSG:4547").to_stored(&mut [Coord { x: f64::NAN, y: 0.0 }]).is_err());
    assert!(crs("EPSG:4547").from_stored(&mut [Coord { x: 24.0, y: 0.0 }]).is_err(), "a quarter of the Earth away");
}
