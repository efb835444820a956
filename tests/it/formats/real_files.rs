//! Files as they come from bureaus: counties in GBK, a cadastre in feet.

use encoding_rs::GBK;

use mutu::domain::{feature::Value, schema::FieldType};

use super::*;

const NAMES: [&str; 4] = ["行政区码", "行政区名", "面积km2", "source"];
const COUNTIES: [&str; 7] = ["蓬江区", "江海区", "新会区", "台山市", "开平市", "鹤山市", "恩平市"];

fn gbk(variant: &str) -> PathBuf {
    fixture(&format!("gbk_shapefiles/counties_gbk_{variant}.shp"))
}

#[test]
fn the_seven_counties_have_their_chinese_names_in_all_three_variants() {
    for (variant, encoding) in [
        ("cpg", "GBK (.cpg)"),
        ("nocpg_ldid4D", "GBK (language byte 0x4D)"),
        ("nocpg_ldid00", "GB18030 (detected in 7 of 7 rows; name it with --encoding if wrong)"),
    ] {
        let (contents, rows) = read_path(&gbk(variant));
        let names: Vec<_> = contents.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, NAMES, "{variant}");
        let kinds: Vec<_> = contents.columns.iter().map(|column| column.declared.unwrap()).collect();
        assert_eq!(kinds, [FieldType::Text, FieldType::Text, FieldType::Real, FieldType::Text]);
        let counties: Vec<_> = rows.iter().map(|row| row.values[1].clone()).collect();
        assert_eq!(counties, COUNTIES.map(text), "{variant}");
        assert_eq!(contents.encoding, encoding);
        assert_eq!(says(&contents).epsg(), Some(4526), "{variant}");
        assert!(contents.findings.is_empty(), "{variant}: {:?}", contents.findings);
    }
}

#[test]
fn an_encoding_that_the_user_names_goes_before_the_file() {
    let named = Source { encoding: Some(GBK), ..source(&gbk("nocpg_ldid00")) };
    let (contents, rows) = read(&named).unwrap();
    assert_eq!(contents.encoding, "GBK (as asked)");
    assert_eq!(rows[5].values[1], text("鹤山市"));
    let wrong = Source { encoding: Some(encoding_rs::UTF_8), ..source(&gbk("cpg")) };
    let (_, rows) = read(&wrong).unwrap();
    let damaged = rows.iter().filter(|row| faults(&row.findings).contains(&"bad-text")).count();
    assert_eq!(damaged, 7, "damage is told in each row");
}

#[test]
fn gdal_reads_the_same_names_and_values_from_the_gbk_files() {
    for variant in ["cpg", "nocpg_ldid4D", "nocpg_ldid00"] {
        let path = gbk(variant);
        let mut arguments = vec!["-q", "-al", "-geom=NO", path.to_str().unwrap()];
        if variant == "nocpg_ldid00" {
            // GDAL does not guess: it is told.
            arguments.extend(["-oo", "ENCODING=GBK"]);
        }
        let said = said_by("ogrinfo", &arguments);
        let (contents, rows) = read_path(&path);
        let mut ours = Vec::new();
        for row in &rows {
            for (column, value) in contents.columns.iter().zip(&row.values) {
                ours.push(match value {
                    Value::Text(text) => format!("{} (String) = {text}", column.name),
                    Value::Real(number) => format!("{} (Real) = {number:.15}", column.name),
                    other => panic!("{other:?}"),
                });
            }
        }
        let theirs: Vec<_> = said.lines().map(str::trim).filter(|line| line.contains(") = ")).collect();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            // GDAL prints fifteen decimals of the binary value, as Rust does; the texts must agree as they are.
            assert_eq!(ours, theirs, "{variant}");
        }
    }
}

#[test]
fn the_counties_lie_where_gdal_says() {
    let (_, rows) = read_path(&gbk("cpg"));
    let bounds = rows
        .iter()
        .filter_map(|row| row.shape.as_ref()?.view().bounds())
        .reduce(mutu::ground::shape::Bounds::union)
        .unwrap();
    let [west, south, east, north] = ogrinfo(&gbk("cpg")).extent.unwrap();
    for (ours, theirs) in [(bounds.min.x, west), (bounds.min.y, south), (bounds.max.x, east), (bounds.max.y, north)] {
        assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
    }
}

#[test]
fn the_cadastre_of_cambridge_reads_whole_in_its_feet() {
    for (year, count) in [(2014, 13_115), (2013, 13_159)] {
        let path = fixture(&format!("cambridge_parcels/cambridge_parcels_fy{year}_epsg2249.fgb"));
        let (contents, rows) = read_path(&path);
        let theirs = ogrinfo(&path);
        assert_eq!((rows.len(), theirs.count), (count, count));
        assert_eq!(says(&contents).epsg(), Some(2249));
        assert!(rows.iter().all(|row| row.shape.is_some() && row.findings.is_empty()));
        let names: Vec<_> = contents.columns.iter().map(|column| column.name.as_str()).collect();
        let said: Vec<_> = theirs.said.lines().filter(|line| line.ends_with("(0.0)")).collect();
        assert_eq!(names.len(), said.len());
        for (name, line) in names.iter().zip(said) {
            assert!(line.starts_with(&format!("{name}: ")), "{name}: {line}");
        }
        let bounds = rows
            .iter()
            .filter_map(|row| row.shape.as_ref()?.view().bounds())
            .reduce(mutu::ground::shape::Bounds::union)
            .unwrap();
        let [west, south, east, north] = theirs.extent.unwrap();
        for (ours, theirs) in [(bounds.min.x, west), (bounds.min.y, south), (bounds.max.x, east), (bounds.max.y, north)]
        {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }
}

#[test]
fn every_value_of_the_cadastre_is_what_gdal_reads() {
    let path = fixture("cambridge_parcels/cambridge_parcels_fy2014_epsg2249.fgb");
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join("theirs.geojson");
    // GDAL's own GeoJSON, in the same feet, as an independent reading of the FlatGeobuf file.
    said_by(
        "ogr2ogr",
        &[
            "-f",
            "GeoJSON",
            "-lco",
            "RFC7946=NO",
            "-lco",
            "COORDINATE_PRECISION=15",
            "-lco",
            "SIGNIFICANT_FIGURES=17",
            theirs.to_str().unwrap(),
            path.to_str().unwrap(),
        ],
    );
    let (ours, our_rows) = read_path(&path);
    let (theirs, their_rows) = read_path(&theirs);
    assert_eq!(says(&theirs).epsg(), Some(2249), "the crs member before the features is seen");
    let names = |contents: &Contents| contents.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    // The column "id" becomes the id of the feature in GDAL's GeoJSON.
    let columns: Vec<(usize, usize)> = names(&ours)
        .iter()
        .enumerate()
        .filter_map(|(i, name)| Some((i, names(&theirs).iter().position(|other| other == name)?)))
        .collect();
    assert!(columns.len() >= 25, "{columns:?}");
    for (our, their) in our_rows.iter().zip(&their_rows) {
        for (i, j) in &columns {
            let (our, their) = (&our.values[*i], their.values.get(*j).unwrap_or(&Value::Null));
            match (our, their) {
                (Value::Real(a), Value::Real(b)) => assert!((a - b).abs() <= a.abs() * 1e-15),
                (a, b) => assert_eq!(a, b),
            }
        }
        assert_eq!(our.shape, their.shape, "row {}", our.number);
    }
}
