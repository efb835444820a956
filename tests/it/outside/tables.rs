//! Whole tables changed by other programs, and our own edits beside changes that wait.

use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::Value,
    },
    planner::{Choice, Planner},
    store::{After, StoreError, Workspace},
};
use serde_json::json;

use super::{Desk, Server, run};

#[test]
fn a_table_written_anew_by_ogr2ogr_is_named_and_the_server_goes_on() {
    let desk = Desk::new();
    let file = desk.file();
    let server = Server::start(&file, &[]);
    desk.ends_with(30, &["import", "parcels.geojson", "--layer", "more"]);
    // GDAL 3.6 complains that it does not find an R-tree trigger by its older name, and goes on.
    let (to, from) = (file.to_str().unwrap().to_owned(), desk.path("parcels.geojson"));
    let arguments = ["-f", "GPKG", "-overwrite", &to, from.to_str().unwrap(), "-nln", "parcels"];
    assert!(std::process::Command::new("ogr2ogr").args(arguments).output().unwrap().status.success());
    let told = server.wait_for("/outside", |told| told["layers"] != json!([]));
    let faults = told["layers"][0]["faults"].to_string();
    assert!(faults.contains("replaced as a whole by another program"), "{told}");
    // What is recorded is still in memory.
    assert_eq!(server.get("/collections/parcels/items/3")["properties"]["code"], json!("P3"));
    drop(server);

    // After a restart the recorded rows are nowhere: the layer is not shown, and every verb says why.
    let (_, said) = desk.ends_with(30, &["stats", "--layer", "parcels"]);
    assert!(said.contains("parcels") && said.contains("replaced as a whole"), "{said}");
    desk.ends_with(21, &["outside", "take"]);
    desk.ends_with(21, &["outside", "refuse"]);
    let server = Server::start(&file, &[]);
    assert_eq!(server.get("/collections")["collections"], json!([]));
    drop(server);
    desk.ends_with(0, &["import", "parcels.geojson", "--layer", "parcels", "--replace"]);
    desk.ends_with(0, &["outside", "show"]);
    let stats = desk.json(0, &["stats", "--layer", "parcels", "--format", "json"]);
    assert_eq!(stats["total"]["count"], json!(3));
}

#[test]
fn columns_that_another_program_adds_drops_or_renames_are_named() {
    let desk = Desk::new();
    desk.sql("w.gpkg", "ALTER TABLE parcels ADD COLUMN extra TEXT");
    let told = desk.json(21, &["outside", "show", "--format", "json"]);
    assert!(told["layers"][0]["faults"][0].as_str().unwrap().contains("\"extra\" was added"), "{told}");
    // Rows are taken in all the same, and the values of the added column stay where they are.
    desk.gdal("w.gpkg", "UPDATE parcels SET extra = 'x', floor = 8 WHERE fid = 1");
    desk.ends_with(21, &["outside", "take"]);
    assert_eq!(desk.sql("w.gpkg", "SELECT extra, floor FROM parcels WHERE fid = 1").trim(), "x|8.0");
    desk.alter("w.gpkg", "ALTER TABLE parcels DROP COLUMN extra");
    desk.ends_with(0, &["outside", "show"]);

    desk.alter("w.gpkg", "ALTER TABLE parcels RENAME COLUMN floor TO storeys");
    let (_, said) = desk.ends_with(30, &["stats", "--layer", "parcels"]);
    assert!(said.contains("\"floor\" was renamed to \"storeys\""), "{said}");
    desk.ends_with(0, &["outside", "refuse"]);
    desk.ends_with(0, &["outside", "show"]);
    assert_eq!(desk.sql("w.gpkg", "SELECT sum(floor) FROM parcels").trim(), "14.0");

    // Renamed back it is what it was.
    desk.sql("w.gpkg", "ALTER TABLE parcels RENAME TO elsewhere");
    let (_, said) = desk.ends_with(30, &["stats", "--layer", "parcels"]);
    assert!(said.contains("dropped or renamed") && said.contains("give a renamed one its name back"), "{said}");
    desk.sql("w.gpkg", "ALTER TABLE elsewhere RENAME TO parcels");
    desk.ends_with(0, &["stats", "--layer", "parcels"]);
    // Dropped under a server its rows are in the server's memory alone: what the sentence says brings them back.
    let server = Server::start(&desk.file(), &[]);
    let before = server.get("/collections/parcels/statistics")["total"].clone();
    desk.sql("w.gpkg", "DROP TABLE parcels");
    let rows = server.get("/collections/parcels/export?f=geojson&areas=false");
    std::fs::write(desk.path("rescued.geojson"), rows.to_string()).unwrap();
    drop(server);
    let (_, said) = desk.ends_with(30, &["stats", "--layer", "parcels"]);
    assert!(said.contains("dropped or renamed") && said.contains("--replace"), "{said}");
    desk.ends_with(0, &["import", "rescued.geojson", "--layer", "parcels", "--replace"]);
    let server = Server::start(&desk.file(), &[]);
    assert_eq!(server.get("/collections/parcels/statistics")["total"], before);
}

#[test]
fn gdal_sees_the_layers_and_the_record_and_nothing_of_the_watch() {
    let desk = Desk::new();
    desk.gdal("w.gpkg", "UPDATE parcels SET floor = 0 WHERE fid = 1");
    let told = run("ogrinfo", &["-q", desk.file().to_str().unwrap()]);
    let names: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once(": ")?.1.split_once(" (")?.0)).collect();
    assert_eq!(names, ["parcels", "mutu_edit"]);
}

#[test]
fn our_own_edit_of_a_feature_that_waits_is_a_conflict_that_says_so() {
    let desk = Desk::new();
    desk.gdal("w.gpkg", "UPDATE parcels SET floor = 0 WHERE fid = 1");
    let planner = Planner::open(&desk.file()).unwrap();
    planner.load(&mut |_| ()).unwrap();
    let mut feature = None;
    let reader = Workspace::open(&desk.file());
    assert!(matches!(reader, Err(StoreError::Locked { .. })));
    mutu::store::Reader::open(&desk.file())
        .unwrap()
        .scan("parcels", Some((1, 1)), &mut |row| {
            feature = Some(row.to_feature()?);
            Ok(())
        })
        .unwrap();
    let mut feature = feature.unwrap();
    assert_eq!(feature.values[2], Value::Real(1.5), "what is recorded");
    feature.values[2] = Value::Real(5.0);
    let put = Change::Put { layer: "parcels".parse().unwrap(), feature: feature.clone(), expects: Some(1) };
    let edit = Edit { author: "王工".to_owned(), changes: vec![put], ..Edit::default() };
    let error = planner.commit(&edit).unwrap_err();
    assert!(error.to_string().contains("changed by another program, and that change waits"), "{error}");
    // A replacement of the layer would lose the change.
    let request = mutu::planner::ImportRequest {
        file: desk.path("parcels.geojson"),
        layer: Some("parcels".to_owned()),
        if_exists: mutu::planner::IfExists::Replace,
        ..mutu::planner::ImportRequest::default()
    };
    assert!(planner.import(&request, &mut |_| ()).unwrap_err().to_string().contains("that change waits"));
    let settled = planner.refuse_outside(&Choice { author: "王工".to_owned(), ..Choice::default() }).unwrap();
    assert_eq!((settled.refused, settled.left.len()), (1, 0));
    planner.commit(&edit).unwrap();
    planner.close().unwrap();
    assert_eq!(desk.sql("w.gpkg", "SELECT floor FROM parcels WHERE fid = 1").trim(), "5.0");
}

#[test]
fn a_row_written_without_a_difference_is_no_change_and_gets_its_bytes_back() {
    let desk = Desk::new();
    let bytes = || desk.sql("w.gpkg", "SELECT hex(geom) FROM parcels WHERE fid = 2");
    let before = bytes();
    // The same geometry without its envelope, as some programs write it.
    let bare = "CAST(X'47500001' || X'8A110000' || substr(geom, 41) AS BLOB)";
    desk.gdal("w.gpkg", &format!("UPDATE parcels SET geom = {bare} WHERE fid = 2"));
    assert_ne!(bytes(), before);
    let waiting = mutu::store::Reader::open(&desk.file()).unwrap().outside().unwrap();
    assert!(waiting[0].rows.iter().all(|row| row.after != After::Gone) && waiting[0].rows.is_empty(), "{waiting:?}");
    assert_eq!(waiting[0].same, [2]);
    desk.ends_with(0, &["outside", "take"]);
    assert_eq!(bytes(), before);
    assert_eq!(desk.sql("w.gpkg", "SELECT count(*) FROM mutu_edit").trim(), "1");
}
