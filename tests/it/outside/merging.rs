//! Check-out, editing elsewhere by GDAL, and check-in.

use serde_json::{Value, json};

use super::{Desk, blob, ring};

/// A workspace, and a check-out of it.
fn checked_out() -> Desk {
    let desk = Desk::new();
    desk.ends_with(0, &["export", "--layer", "parcels", "--checkout", "--out", "field.gpkg"]);
    desk
}

/// Changes the workspace by another program that is taken in.
fn here(desk: &Desk, sql: &str) {
    desk.gdal("w.gpkg", sql);
    desk.ends_with(0, &["outside", "take"]);
}

fn merge(desk: &Desk, code: i32, more: &[&str]) -> Value {
    let arguments = [&["import", "--merge", "field.gpkg", "--author", "外业", "--format", "json"], more].concat();
    desk.json(code, &arguments)
}

fn parcels(desk: &Desk) -> String {
    desk.sql("w.gpkg", "SELECT fid, hex(geom), code, status, floor, note FROM parcels ORDER BY fid")
}

fn edits(desk: &Desk) -> String {
    desk.sql("w.gpkg", "SELECT seq, author, kind FROM mutu_edit ORDER BY seq DESC LIMIT 1").trim().to_owned()
}

#[test]
fn a_check_out_that_nobody_changed_brings_nothing_back_whatever_happened_here() {
    let desk = checked_out();
    let before = parcels(&desk);
    let report = merge(&desk, 0, &[]);
    assert_eq!((&report["seq"], &report["unchanged"], &report["conflicts"]), (&Value::Null, &json!(3), &json!([])));
    assert_eq!((parcels(&desk), edits(&desk)), (before, "1||import".to_owned()));
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 1");
    let before = parcels(&desk);
    assert_eq!(merge(&desk, 0, &[])["seq"], Value::Null);
    assert_eq!(parcels(&desk), before);
}

#[test]
fn what_both_sides_changed_in_different_fields_is_merged_and_new_features_get_new_ids() {
    let desk = checked_out();
    let moved = blob(&ring(112.96, 0.001, 1e-5));
    desk.gdal("field.gpkg", &format!("UPDATE parcels SET geom = {moved}, note = '现场' WHERE fid = 1"));
    desk.gdal("field.gpkg", "DELETE FROM parcels WHERE fid = 2");
    let insert = format!("INSERT INTO parcels (geom, code) VALUES ({}, '新')", blob(&ring(113.0, 0.001, 0.0)));
    desk.gdal("field.gpkg", &insert);
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid IN (1, 3)");
    let insert = format!("INSERT INTO parcels (geom, code) VALUES ({}, '此')", blob(&ring(113.01, 0.001, 0.0)));
    here(&desk, &insert);
    let before = parcels(&desk);
    let preview = merge(&desk, 0, &["--dry-run"]);
    assert_eq!((&preview["seq"], &preview["dryRun"]), (&Value::Null, &json!(true)));
    assert_eq!(parcels(&desk), before);

    let report = merge(&desk, 0, &[]);
    assert_eq!(report["seq"], json!(4), "{report}");
    assert_eq!((&report["changed"], &report["removed"]), (&json!([1]), &json!([2])));
    assert_eq!(report["added"], json!([{ "there": 4, "id": 5 }]));
    assert_eq!(edits(&desk), "4|外业|merge");
    let told = desk.sql("w.gpkg", "SELECT fid, code, status, note FROM parcels ORDER BY fid");
    assert_eq!(told.lines().collect::<Vec<_>>(), ["1|P1|甲|现场", "3|P3|甲|", "4|此||", "5|新||"]);
    let shape = |file: &str| desk.sql(file, "SELECT hex(geom) FROM parcels WHERE fid = 1");
    assert_eq!(shape("w.gpkg"), shape("field.gpkg"), "the geometry of the field");
    desk.ends_with(0, &["check"]);
    desk.ends_with(0, &["outside", "show"]);

    // The same file once more, edited further: what came before is known again, also its new feature.
    assert_eq!(merge(&desk, 0, &[])["seq"], Value::Null);
    desk.gdal("field.gpkg", "UPDATE parcels SET floor = 3 WHERE fid = 4");
    let report = merge(&desk, 0, &[]);
    assert_eq!((&report["changed"], &report["added"]), (&json!([5]), &json!([])), "{report}");
    assert_eq!(desk.sql("w.gpkg", "SELECT code, floor FROM parcels WHERE fid = 5").trim(), "新|3.0");
}

#[test]
fn what_both_sides_changed_in_one_field_is_a_conflict_with_its_three_values() {
    let desk = checked_out();
    desk.gdal("field.gpkg", "UPDATE parcels SET status = '乙', note = '现场' WHERE fid = 1");
    desk.gdal("field.gpkg", "DELETE FROM parcels WHERE fid = 2");
    desk.gdal("field.gpkg", "UPDATE parcels SET floor = 4 WHERE fid = 3");
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 1");
    here(&desk, "UPDATE parcels SET floor = 7 WHERE fid = 2");
    here(&desk, "DELETE FROM parcels WHERE fid = 3");
    let before = parcels(&desk);
    let report = merge(&desk, 30, &[]);
    assert_eq!(report["seq"], Value::Null);
    let conflicts = report["conflicts"].as_array().unwrap();
    assert_eq!(conflicts[0], json!({ "id": 1, "field": "status", "base": "认定", "ours": "甲", "theirs": "乙" }));
    assert_eq!((&conflicts[1]["id"], &conflicts[1]["field"]), (&json!(2), &json!("feature")));
    assert_eq!((&conflicts[1]["ours"]["properties"]["floor"], &conflicts[1]["theirs"]), (&json!(7.0), &Value::Null));
    assert_eq!((&conflicts[2]["ours"], &conflicts[2]["theirs"]["properties"]["floor"]), (&Value::Null, &json!(4.0)));
    assert_eq!(conflicts.len(), 3);
    assert_eq!(parcels(&desk), before);

    let told = || desk.sql("w.gpkg", "SELECT fid, status, floor, note FROM parcels ORDER BY fid");
    let file = desk.path("w.gpkg");
    let undecided = std::fs::read(&file).unwrap();
    merge(&desk, 0, &["--on-conflict", "ours"]);
    assert_eq!(told().lines().collect::<Vec<_>>(), ["1|甲|1.5|现场", "2|认定|7.0|"]);
    std::fs::write(&file, undecided).unwrap();
    merge(&desk, 0, &["--on-conflict", "theirs"]);
    assert_eq!(told().lines().collect::<Vec<_>>(), ["1|乙|1.5|现场", "3|认定|4.0|"]);
}

#[test]
fn a_file_that_is_no_check_out_of_this_layer_as_it_is_now_is_refused_by_name() {
    let desk = checked_out();
    let refused = |file: &str, why: &str| {
        let before = parcels(&desk);
        let (_, said) = desk.ends_with(20, &["import", "--merge", file]);
        assert!(said.contains(why), "{said}");
        assert_eq!(parcels(&desk), before);
    };
    desk.ends_with(0, &["export", "--layer", "parcels", "--out", "plain.gpkg"]);
    refused("plain.gpkg", "it is no check-out");
    desk.ends_with(40, &["import", "--merge", "none.gpkg"]);
    desk.ends_with(30, &["export", "--layer", "parcels", "--checkout", "--out", "field.gpkg"]);
    desk.ends_with(2, &["export", "--layer", "parcels", "--checkout", "--out", "f.gpkg", "--crs", "EPSG:4547"]);

    let copy = |name: &str| std::fs::copy(desk.path("field.gpkg"), desk.path(name)).unwrap();
    copy("later.gpkg");
    desk.sql("later.gpkg", "UPDATE mutu_checkout SET value = '99' WHERE key = 'seq'");
    refused("later.gpkg", "number 99, which this workspace does not know");
    copy("column.gpkg");
    desk.sql("column.gpkg", "ALTER TABLE parcels ADD COLUMN extra TEXT");
    refused("column.gpkg", "has no column \"extra\"");
    copy("renamed.gpkg");
    desk.alter("renamed.gpkg", "ALTER TABLE parcels RENAME COLUMN status TO state");
    refused("renamed.gpkg", "\"status\" was removed or renamed");
    copy("text.gpkg");
    desk.gdal("text.gpkg", "UPDATE parcels SET floor = 'high' WHERE fid = 2");
    refused("text.gpkg", "feature 2, column \"floor\"");
    copy("bow.gpkg");
    let bow = "POLYGON((112.97 22.77, 112.971 22.771, 112.971 22.77, 112.97 22.771, 112.97 22.77))";
    desk.gdal("bow.gpkg", &format!("UPDATE parcels SET geom = AsGPB(GeomFromText('{bow}', 4490)) WHERE fid = 2"));
    refused("bow.gpkg", "crosses or overlaps itself");

    let other = Desk::new();
    std::fs::copy(desk.path("field.gpkg"), other.path("field.gpkg")).unwrap();
    let (_, said) = other.ends_with(20, &["import", "--merge", "field.gpkg"]);
    assert!(said.contains("from another workspace"), "{said}");
    desk.ends_with(0, &["import", "parcels.geojson", "--layer", "parcels", "--replace"]);
    refused("field.gpkg", "replaced as a whole by number 2");
}

#[test]
fn a_part_of_a_layer_comes_back_without_touching_the_rest() {
    let desk = Desk::new();
    let filter = "code = 'P2'";
    desk.ends_with(0, &["export", "--layer", "parcels", "--filter", filter, "--checkout", "--out", "field.gpkg"]);
    assert_eq!(desk.sql("field.gpkg", "SELECT fid, version FROM mutu_checkout_row").trim(), "2|1");
    desk.gdal("field.gpkg", "UPDATE parcels SET floor = 0 WHERE fid = 2");
    let report = merge(&desk, 0, &[]);
    assert_eq!((&report["changed"], &report["removed"]), (&json!([2]), &json!([])));
    assert_eq!(desk.sql("w.gpkg", "SELECT floor FROM parcels ORDER BY fid").replace('\n', " ").trim(), "1.5 0.0 3.5");
}
