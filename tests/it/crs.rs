//! Coordinate reference systems, against Debian's PROJ (`cs2cs`) and against themselves.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use geo::Coord;
use mutu::ground::{
    crs::{Crs, CrsError, CrsKind},
    gauss::GaussGrid,
    shape::Bounds,
};
use proptest::prelude::*;

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
fn cgcs2000_is_known_by_its_other_names() {
    for datum in ["D_CGCS2000", "CGCS2000", "CGCS_2000", "China_2000", "D_China_Geodetic_Coordinate_System_2000"] {
        let (grid, plain) = (crs("EPSG:4526").to_esri_wkt().unwrap(), Crs::stored().to_esri_wkt().unwrap());
        for (wkt, code) in [(grid, 4526), (plain, 4490)] {
            let renamed =
                wkt.replace("D_China_2000", datum).replace("GCS_China_Geodetic_Coordinate_System_2000", "GCS_CGCS");
            assert_eq!(crs(&renamed).epsg(), Some(code), "{renamed}");
            let other = renamed.replace("298.257222101", "298.3");
            assert!(
                matches!(other.parse::<Crs>(), Err(CrsError::NoTransformation { .. })),
                "another ellipsoid: {other}"
            );
        }
    }
}

#[test]
fn own_parameters_make_an_old_datum_usable() {
    let old =
        Command::new("projinfo").args(["EPSG:2434", "-o", "WKT1:GDAL", "-q"]).output().expect("projinfo of proj-bin");
    let old = String::from_utf8(old.stdout).unwrap();
    assert!(matches!(old.parse::<Crs>(), Err(CrsError::NoTransformation { .. })), "{old}");
    // TOWGS84 follows the ellipsoid in WKT 1.
    let (before, after) = old.split_once("AUTHORITY[\"EPSG\",\"7024\"]]").unwrap();
    let with = format!("{before}AUTHORITY[\"EPSG\",\"7024\"]],TOWGS84[15.8,-154.4,-82.3,0,0,0,0]{after}");
    let crs = with.parse::<Crs>().unwrap();
    assert_eq!((crs.epsg(), crs.kind()), (None, CrsKind::Projected));
    let mut at = [Coord { x: 500_000.0, y: 2_500_000.0 }];
    crs.to_stored(&mut at).unwrap();
    // Three translations on the ellipsoid, by cs2cs.
    let golden = {
        let from = "+proj=tmerc +lat_0=0 +lon_0=111 +k=1 +x_0=500000 +ellps=krass +towgs84=15.8,-154.4,-82.3,0,0,0,0 +type=crs";
        let mut child = Command::new("cs2cs")
            .args(["-f", "%.11f", from, "+to", "+proj=longlat +datum=WGS84 +type=crs"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cs2cs of proj-bin");
        writeln!(child.stdin.take().unwrap(), "500000 2500000").unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let golden: Vec<f64> = golden.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!((at[0].x - golden[0]).abs() < 1e-8 && (at[0].y - golden[1]).abs() < 1e-8, "{at:?} {golden:?}");
}

#[test]
fn projjson_is_read_and_kept_as_wkt() {
    let json =
        Command::new("projinfo").args(["EPSG:4547", "-o", "PROJJSON", "-q"]).output().expect("projinfo of proj-bin");
    let json = String::from_utf8(json.stdout).unwrap();
    assert_eq!(crs(&json).epsg(), Some(4547));
    let own = json.replace("500000", "512345").replace("4547", "999999");
    assert!(
        crs(&own).definition().starts_with("PROJCRS[")
            && crs(&own).gauss().unwrap().false_easting.to_string() == "512345"
    );
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

/// The CRS that the product must know, all of them.
const REQUIRED: [u32; 9] = [4490, 4526, 4547, 4525, 4546, 4508, 4326, 3857, 2249];

/// Places spread over a box.
fn places(area: &Bounds, across: u8) -> Vec<Coord> {
    let share = |i: u8| (f64::from(i) + 0.4) / f64::from(across);
    let size = area.max - area.min;
    (0..across)
        .flat_map(|i| (0..across).map(move |j| (i, j)))
        .map(|(i, j)| Coord { x: area.min.x + size.x * share(i), y: area.min.y + size.y * share(j) })
        .collect()
}

/// Where golden points of a CRS are taken: its area of use, for the world's the part that is China.
fn golden_area(crs: &Crs) -> Bounds {
    let china = Crs::stored().area_of_use().unwrap();
    let area = crs.area_of_use().unwrap();
    if area.contains(&china) { china } else { area }
}

/// Longitudes and latitudes through Debian's `cs2cs`, which keeps to the registry's axis order.
///
/// From CGCS2000 to its own grids, from WGS 84 to everything else: Debian's knows no other way either.
fn cs2cs(to: &Crs, lon_lat: &[Coord]) -> Vec<Coord> {
    let from = if to.name().starts_with("CGCS2000") { "EPSG:4490" } else { "EPSG:4326" };
    let mut child = Command::new("cs2cs")
        .args(["-f", "%.10f", from, to.definition()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cs2cs of the package proj-bin");
    let mut input = child.stdin.take().unwrap();
    for at in lon_lat {
        writeln!(input, "{} {}", at.y, at.x).unwrap();
    }
    drop(input);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let coord = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<f64>().unwrap());
        let (first, second) = (numbers.next().unwrap(), numbers.next().unwrap());
        if to.north_first() { Coord { x: second, y: first } } else { Coord { x: first, y: second } }
    };
    output.lines().map(coord).collect()
}

fn assert_golden(code: u32) {
    let crs = crs(&format!("EPSG:{code}"));
    let metres = crs.metres_per_unit().unwrap_or(111_320.0);
    let lon_lat = places(&golden_area(&crs), 7);
    let golden = cs2cs(&crs, &lon_lat);
    assert_eq!(golden.len(), lon_lat.len());
    let mut ours = lon_lat.clone();
    crs.from_stored(&mut ours).unwrap();
    let mut back = golden.clone();
    crs.to_stored(&mut back).unwrap();
    for (i, at) in lon_lat.iter().enumerate() {
        let away = (ours[i] - golden[i]) * metres;
        assert!(away.x.hypot(away.y) < 1e-3, "EPSG:{code} at {at:?}: {:?}, cs2cs {:?}", ours[i], golden[i]);
        let away = (back[i] - *at) * 111_320.0;
        assert!(away.x.hypot(away.y) < 1e-3, "EPSG:{code} back to {at:?}: {:?}", back[i]);
    }
}

#[test]
fn golden_points_agree_with_cs2cs_to_a_millimetre() {
    REQUIRED.into_iter().for_each(assert_golden);
    // And some of what else PROJ knows: two UTM and two polar grids.
    [25832, 3031, 32650, 32661].into_iter().for_each(assert_golden);
}

#[test]
fn the_own_series_is_that_of_cs2cs_to_its_last_digit() {
    let crs = crs("EPSG:4547");
    let grid = crs.gauss().unwrap();
    let lon_lat = places(&Bounds { min: Coord { x: 110.0, y: 0.0 }, max: Coord { x: 118.0, y: 56.0 } }, 9);
    for (at, golden) in lon_lat.iter().zip(cs2cs(&crs, &lon_lat)) {
        let ours = grid.forward(*at);
        assert!((ours.x - golden.x).abs() < 1e-8 && (ours.y - golden.y).abs() < 1e-8, "{at:?}: {ours:?} {golden:?}");
    }
}

#[test]
fn many_threads_get_the_same_answers() {
    let codes = [4547, 2249, 3857, 27700, 4508];
    let answer = |code: u32| {
        let crs = crs(&format!("EPSG:{code}"));
        let mut coords = places(&golden_area(&crs), 5);
        crs.from_stored(&mut coords).unwrap();
        coords
    };
    let expected = codes.map(answer);
    let wkt = crs("EPSG:4547").to_esri_wkt().unwrap();
    std::thread::scope(|scope| {
        for shift in 0..8 {
            let (expected, wkt) = (&expected, &wkt);
            scope.spawn(move || {
                for turn in 0..5 {
                    let i = (shift + turn) % codes.len();
                    assert_eq!(answer(codes[i]), expected[i]);
                    // A new definition each time: PROJ objects are made and dropped while others work.
                    let moved = format!("{}", 500_000 + 1000 * shift + turn);
                    let wkt = wkt.replace("500000.0", &format!("{moved}.0"));
                    let mut at = [Coord { x: 114.0, y: 22.5 }];
                    crs(&wkt).from_stored(&mut at).unwrap();
                    assert!((at[0].x - moved.parse::<f64>().unwrap()).abs() < 1e-6);
                }
            });
        }
    });
}

#[test]
fn definitions_are_built_in_and_need_no_files() {
    // PROJ looks into PROJ_DATA and nowhere else where it is set; nothing is there.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crs::the_survey_grids_are_what_the_registry_says"])
        .env_clear()
        .env("PROJ_DATA", "/nonexistent")
        .env("PROJ_SKIP_READ_USER_WRITABLE_DIRECTORY", "YES")
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_place_in_a_box_lies_in_the_stored_box(which in 0..13_usize, shares in (0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64), (along, up) in (0.0..=1.0_f64, 0.0..=1.0_f64)) {
        let code = [REQUIRED.as_slice(), &[27700, 3031, 32650, 2056]].concat()[which];
        let crs = crs(&format!("EPSG:{code}"));
        let area = golden_area(&crs);
        // The plane's box around the area of use, a little smaller so that PROJ has images everywhere.
        let mut corners = places(&area, 9);
        crs.from_stored(&mut corners).unwrap();
        let plane = Bounds::around(&corners).unwrap();
        let size = plane.max - plane.min;
        let at = |x: f64, y: f64| Coord { x: plane.min.x + size.x * x, y: plane.min.y + size.y * y };
        let bounds = Bounds::of_corners(at(shares.0, shares.1), at(shares.2, shares.3));
        let stored = crs.bounds_to_stored(&bounds).unwrap();
        let size = bounds.max - bounds.min;
        let mut inside = [Coord { x: bounds.min.x + size.x * along, y: bounds.min.y + size.y * up }];
        if crs.to_stored(&mut inside).is_ok() {
            prop_assert!(stored.holds(inside[0]), "EPSG:{code} {bounds:?} -> {stored:?} lacks {:?}", inside[0]);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Crs>();
    }
}
