//! Changes of other programs beside a running server: taken in, asked about, refused.

use serde_json::{Value, json};

use super::{Desk, Server, blob, ring, run};

const HEAD: &str = "/changes?limit=100&f=json";

/// A parcel's row as it lies in the file.
fn row(desk: &Desk, id: i64) -> String {
    desk.sql(
        "w.gpkg",
        &format!("SELECT fid, hex(geom), code, status, quote(floor), note FROM parcels WHERE fid = {id}"),
    )
}

/// The area, m², that a triangle of 1 m beside the eastern side of a parcel adds: from the radii of curvature.
fn added_by(degrees: f64) -> f64 {
    let (a, flattening, latitude) = (6_378_137.0_f64, 1.0 / 298.257_222_101, 22.7705_f64.to_radians());
    let e2 = flattening * (2.0 - flattening);
    let w = (1.0 - e2 * latitude.sin().powi(2)).sqrt();
    let (m, n) = (a * (1.0 - e2) / w.powi(3), a / w);
    n * latitude.cos() * degrees.to_radians() * m * 0.001_f64.to_radians() / 2.0
}

#[test]
fn a_vertex_moved_by_a_metre_is_one_change_of_one_feature_by_a_named_outsider() {
    let desk = Desk::new();
    let server = Server::start(&desk.file(), &["--outsider", "外部 (QGIS)"]);
    let items = "/collections/parcels/items";
    let before = server.get(items);
    let rows: Vec<String> = (1..=3).map(|id| row(&desk, id)).collect();
    // 1 m at this latitude.
    let by = 9.736e-6;
    desk.gdal("w.gpkg", &format!("UPDATE parcels SET geom = {} WHERE fid = 2", blob(&ring(112.97, 0.001, by))));

    let feed = server.wait_for(HEAD, |feed| feed["head"] == 2);
    let entry = feed["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&entry["author"], &entry["kind"]), (&json!("外部 (QGIS)"), &json!("outside")));
    let layer = &entry["layers"][0];
    assert_eq!((&layer["added"], &layer["changed"], &layer["removed"]), (&json!(0), &json!(1), &json!(0)), "{entry}");
    let change = server.get("/changes/2?f=json");
    let features = change["features"].as_array().unwrap();
    assert_eq!(features.len(), 1);
    assert_eq!((&features[0]["id"], &features[0]["operation"]), (&json!(2), &json!("changed")));

    let after = server.get(items);
    let area = |page: &Value, at: usize| page["features"][at]["properties"]["area_m2"].as_f64().unwrap();
    let grown = area(&after, 1) - area(&before, 1);
    assert!((grown - added_by(by)).abs() < 0.02, "{grown} and not {}", added_by(by));
    for other in [0, 2] {
        assert_eq!(after["features"][other], before["features"][other]);
        assert_eq!(row(&desk, other as i64 + 1), rows[other]);
    }
    assert_eq!(server.get("/outside")["layers"], json!([]));
    drop(server);
    assert_eq!(desk.sql("w.gpkg", "PRAGMA integrity_check").trim(), "ok");
    desk.ends_with(0, &["check"]);
    desk.ends_with(0, &["verify"]);
}

#[test]
fn what_was_done_while_the_server_was_stopped_is_taken_in_at_its_start() {
    let desk = Desk::new();
    desk.gdal("w.gpkg", "DELETE FROM parcels WHERE fid = 3");
    desk.gdal("w.gpkg", "UPDATE parcels SET status = '改造中', floor = 9 WHERE fid = 1");
    let insert = format!("INSERT INTO parcels (geom, code) VALUES ({}, 'N')", blob(&ring(112.99, 0.001, 0.0)));
    desk.gdal("w.gpkg", &insert);
    // The proof names every row that is not as it is recorded.
    let (out, err) = desk.ends_with(20, &["verify"]);
    for row in ["1", "3", "4"] {
        assert!(
            out.contains(&format!("parcels {row}")) || out.contains(&format!("feature {row}")),
            "{row}: {out}{err}"
        );
    }
    let told = desk.json(21, &["outside", "show", "--format", "json"]);
    let features = told["layers"][0]["features"].as_array().unwrap();
    let operations: Vec<_> = features.iter().map(|f| (f["id"].as_i64().unwrap(), f["operation"].clone())).collect();
    assert_eq!(operations, [(1, json!("changed")), (3, json!("removed")), (4, json!("added"))]);
    assert_eq!(
        features[0]["differences"],
        json!([{ "property": "status", "before": "认定", "after": "改造中" },
               { "property": "floor", "before": 1.5, "after": 9.0 }])
    );
    // What the other verbs read is what is recorded.
    let stats = desk.json(0, &["stats", "--layer", "parcels", "--group-by", "status", "--format", "json"]);
    assert_eq!((&stats["total"]["count"], stats["groups"].as_array().unwrap().len()), (&json!(3), 1), "{stats}");
    let server = Server::start(&desk.file(), &[]);
    let entry = server.wait_for(HEAD, |feed| feed["head"] == 2)["changes"][1].clone();
    let layer = &entry["layers"][0];
    assert_eq!((&layer["added"], &layer["changed"], &layer["removed"]), (&json!(1), &json!(1), &json!(1)), "{entry}");
    assert_eq!(server.get("/collections/parcels/items/1")["properties"]["floor"], json!(9.0));
}

#[test]
fn a_change_that_waits_is_shown_and_served_as_recorded_until_somebody_decides() {
    let desk = Desk::new();
    let server = Server::start(&desk.file(), &["--outside", "ask"]);
    let rows: Vec<String> = (1..=3).map(|id| row(&desk, id)).collect();
    desk.gdal("w.gpkg", "UPDATE parcels SET status = '甲' WHERE fid < 3");
    let waiting = server.wait_for("/outside", |told| told["layers"] != json!([]));
    assert_eq!(waiting["layers"][0]["waiting"], json!(2), "{waiting}");
    assert_eq!(server.get("/collections/parcels/items/1")["properties"]["status"], json!("认定"));

    let settled = server.post("/outside", &json!({ "do": "take", "note": "补测", "layers": ["parcels"], "ids": [1] }));
    assert_eq!((&settled["seq"], &settled["taken"], &settled["left"]), (&json!(2), &json!(1), &json!([])), "{settled}");
    assert_eq!(server.get("/collections/parcels/items/1")["properties"]["status"], json!("甲"));
    assert_eq!(server.get("/collections/parcels/items/2")["properties"]["status"], json!("认定"));

    let settled = server.post("/outside", &json!({ "do": "refuse", "note": "未经批准" }));
    assert_eq!((&settled["refused"], &settled["left"]), (&json!(1), &json!([])));
    assert_eq!([row(&desk, 2), row(&desk, 3)], rows[1..]);
    let told = server.get("/outside");
    assert_eq!(told["layers"], json!([]));
    let refused = &told["refused"][0];
    assert_eq!((&refused["id"], &refused["note"]), (&json!(2), &json!("未经批准")));
    assert_eq!(refused["row"]["status"], json!("'甲'"));
    for (body, status) in
        [("{\"do\":\"keep\"}", 400), ("{\"do\":\"take\",\"x\":1}", 400), ("{\"do\":\"take\",\"layers\":[\"无\"]}", 404)]
    {
        assert_eq!(server.send("POST", "/outside", body).0, status, "{body}");
    }
}

#[test]
fn what_is_no_feature_of_the_layer_is_named_and_never_taken_in() {
    let desk = Desk::new();
    let rows: Vec<String> = (1..=3).map(|id| row(&desk, id)).collect();
    let bow = "POLYGON((112.97 22.77, 112.971 22.771, 112.971 22.77, 112.97 22.771, 112.97 22.77))";
    desk.gdal("w.gpkg", &format!("UPDATE parcels SET geom = AsGPB(GeomFromText('{bow}', 4490)) WHERE fid = 2"));
    desk.gdal("w.gpkg", "UPDATE parcels SET floor = 'high', geom = X'0102' WHERE fid = 3");
    desk.gdal("w.gpkg", "UPDATE parcels SET status = '甲' WHERE fid = 1");
    let settled = desk.json(21, &["outside", "take", "--format", "json"]);
    assert_eq!((&settled["seq"], &settled["taken"]), (&Value::Null, &json!(0)));
    let left: Vec<(i64, &str)> = settled["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| (left["id"].as_i64().unwrap(), left["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(left[0].1.contains("other features"), "{left:?}");
    assert!(left[1].1.contains("crosses or overlaps itself"), "{left:?}");
    assert!(left[2].1.contains("geometry") && left[2].1.contains("\"floor\": a value of type text"), "{left:?}");
    // The server shows what is recorded, and the operator chooses what is sound.
    let server = Server::start(&desk.file(), &[]);
    assert_eq!(server.get("/collections/parcels/items/3")["properties"]["floor"], json!(3.5));
    let settled = server.post("/outside", &json!({ "do": "take", "layers": ["parcels"], "ids": [1] }));
    assert_eq!(settled["taken"], json!(1), "{settled}");
    drop(server);
    desk.ends_with(0, &["outside", "refuse", "--author", "王工"]);
    assert_eq!([row(&desk, 2), row(&desk, 3)], rows[1..]);
    desk.ends_with(0, &["outside", "show"]);
    desk.ends_with(0, &["check"]);
}

#[test]
fn a_refusing_server_puts_every_change_back() {
    let desk = Desk::new();
    let rows: Vec<String> = (1..=3).map(|id| row(&desk, id)).collect();
    let server = Server::start(&desk.file(), &["--outside", "refuse"]);
    desk.gdal("w.gpkg", "UPDATE parcels SET floor = 0");
    desk.gdal("w.gpkg", "DELETE FROM parcels WHERE fid = 1");
    server.wait_for("/outside", |told| told["layers"] == json!([]) && told["refused"].as_array().unwrap().len() >= 3);
    assert_eq!((1..=3).map(|id| row(&desk, id)).collect::<Vec<_>>(), rows);
    assert_eq!(server.get(HEAD)["head"], json!(1));
}

#[test]
fn a_second_writer_gets_a_message_and_nothing_breaks() {
    let desk = Desk::new();
    desk.gdal("w.gpkg", "UPDATE parcels SET floor = 0 WHERE fid = 1");
    // Another program holds a write transaction.
    let hold = "import sqlite3,sys\n\
                db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                db.execute('BEGIN IMMEDIATE')\n\
                print('held', flush=True)\n\
                sys.stdin.read()\n\
                db.execute('ROLLBACK')\n";
    let mut python = std::process::Command::new("/usr/bin/python3")
        .args(["-c", hold, desk.file().to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(python.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), "held");
    let (_, said) = desk.ends_with(30, &["outside", "take"]);
    assert!(said.contains("another program holds the workspace"), "{said}");
    drop(python.stdin.take());
    assert!(python.wait().unwrap().success());
    desk.ends_with(0, &["outside", "take"]);

    // We hold one: the other program is told so at once.
    let mut workspace = mutu::store::Workspace::open(&desk.file()).unwrap();
    let layer = mutu::domain::layer::Layer { id: "held".parse().unwrap(), ..workspace.layers()[0].layer.clone() };
    let note = mutu::store::Note { author: "", note: "", at: 0 };
    let held = workspace.begin_import(&layer, mutu::store::How::Create, note).unwrap();
    let write = "import sqlite3,sys\n\
                 db = sqlite3.connect(sys.argv[1], timeout=0.1)\n\
                 try:\n    db.execute('DELETE FROM parcels WHERE fid = 1')\n\
                 except sqlite3.OperationalError as error:\n    print(error)\n";
    let said = run("/usr/bin/python3", &["-c", write, desk.file().to_str().unwrap()]);
    assert_eq!(said.trim(), "database is locked");
    drop(held);
    workspace.close().unwrap();
    assert_eq!(desk.sql("w.gpkg", "PRAGMA integrity_check").trim(), "ok");
    desk.ends_with(0, &["outside", "show"]);
}
