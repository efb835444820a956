//! GDAL opens the workspace as it stands and sees what we see.

use geo::Coord;
use mutu::{
    domain::{edit::Change, layer::GeometryClass},
    ground::shape::Bounds,
    store::{After, How, OutsideRow, Workspace},
};

use super::{AT, Place, edit, feature, features, id, import, integrity, layer, note, put, put_change, run, square};

#[test]
fn ogrinfo_reads_the_workspace_with_chinese_names_counts_types_and_extent() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("低效用地"), 100);
    let mut tasks = layer("任务");
    tasks.geometry = GeometryClass::None;
    let mut bare = feature(1);
    bare.shape = None;
    let mut import = workspace.begin_import(&tasks, How::Create, note()).unwrap();
    put(&mut import, &bare).unwrap();
    import.commit("{}").unwrap();
    workspace.close().unwrap();

    let path = place.path.to_str().unwrap();
    let told = run("ogrinfo", &["-ro", "-so", path, "低效用地"]);
    let bounds = (1..=100).map(|n| square(n).view().bounds().unwrap()).reduce(Bounds::union).unwrap();
    let extent =
        format!("Extent: ({:.6}, {:.6}) - ({:.6}, {:.6})", bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y);
    for wanted in [
        "Feature Count: 100",
        "Geometry: Polygon",
        &extent,
        "ID[\"EPSG\",4490]",
        "FID Column = fid",
        "Geometry Column = geom",
        "地块编号: String",
        "已处置: Integer(Boolean)",
        "序号: Integer64",
        "容积率: Real",
        "认定日期: Date",
        "更新时间: DateTime",
    ] {
        assert!(told.contains(wanted), "{wanted} is not in\n{told}");
    }
    let row = run("ogrinfo", &["-ro", path, "低效用地", "-fid", "7"]);
    for wanted in [
        "地块编号 (String) = 址山-00007",
        "已处置 (Integer(Boolean)) = 0",
        "序号 (Integer64) = 7000",
        "容积率 (Real) = 0.875",
        "认定日期 (Date) = 2024/10/11",
        "更新时间 (DateTime) = 2026/07/24 12:34:56.796+00",
    ] {
        assert!(row.contains(wanted), "{wanted} is not in\n{row}");
    }
    let all = run("ogrinfo", &["-ro", "-al", "-so", path]);
    let names: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("Layer name: ")).collect();
    assert_eq!(
        names,
        ["低效用地", "mutu_edit", "任务"].iter().copied().filter(|n| names.contains(n)).collect::<Vec<_>>()
    );
    assert_eq!(names.len(), 3, "{names:?}");
    integrity(&place.path);
    assert_eq!(run("sqlite3", &[path, "PRAGMA foreign_key_check"]), "");
    assert_eq!(run("sqlite3", &[path, "PRAGMA user_version; PRAGMA application_id"]), "10300\n1196444487\n");
}

/// How many features GDAL finds in a box by its own use of the R-tree.
fn found_by_gdal(path: &str, b: &Bounds) -> usize {
    let corners = [b.min.x, b.min.y, b.max.x, b.max.y].map(|v| format!("{v:.4}"));
    let mut args = vec!["-ro", "-so", path, "地块", "-spat"];
    args.extend(corners.iter().map(String::as_str));
    let told = run("ogrinfo", &args);
    let count = told.lines().find_map(|line| line.strip_prefix("Feature Count: ")).unwrap();
    count.parse().unwrap()
}

#[test]
fn gdal_finds_by_the_r_tree_what_a_walk_over_all_features_finds() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 3000);
    let mut append = workspace.begin_import(&layer("地块"), How::Append, note()).unwrap();
    for number in 3001..=3500 {
        put(&mut append, &feature(number)).unwrap();
    }
    append.commit("{}").unwrap();
    for number in (1..300).step_by(3) {
        let mut moved = feature(number);
        moved.shape = if number % 2 == 0 { None } else { Some(square(number + 500_000)) };
        let changes = vec![
            put_change("地块", moved, Some(1)),
            Change::Delete { layer: id("地块"), id: number + 1, expects: 1 },
            put_change("地块", feature(10_000 + number), None),
        ];
        workspace.commit(&edit(changes), AT).unwrap();
    }
    assert_eq!(workspace.check().unwrap(), []);
    let all = features(&workspace, "地块");
    workspace.close().unwrap();
    let path = place.path.to_str().unwrap();
    for step in 0..8 {
        // Edges between the squares' own edges, so that rounding decides nothing.
        let (west, south) = (112.5503 + f64::from(step) * 0.11, 22.0407 + f64::from(step) * 0.1);
        let side = 0.1 + 0.03 * f64::from(step);
        let b = Bounds::of_corners(Coord { x: west, y: south }, Coord { x: west + side, y: south + side });
        let touches = |f: &&mutu::domain::feature::Feature| {
            f.shape.as_ref().is_some_and(|s| s.view().bounds().unwrap().intersects(&b))
        };
        let wanted = all.iter().filter(touches).count();
        assert!(wanted > 0);
        assert_eq!(found_by_gdal(path, &b), wanted, "box {step}");
    }
}

#[test]
fn an_edit_by_gdal_keeps_the_workspace_sound_and_waits_to_be_taken_in() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 10);
    workspace.close().unwrap();
    let path = place.path.to_str().unwrap();
    run("ogrinfo", &[path, "-sql", "DELETE FROM 地块 WHERE fid = 4"]);
    run(
        "ogrinfo",
        &[
            path,
            "-dialect",
            "sqlite",
            "-sql",
            "UPDATE 地块 SET geom = (SELECT geom FROM 地块 WHERE fid = 9), 容积率 = 2.5 WHERE fid = 5",
        ],
    );
    let workspace = Workspace::open(&place.path).unwrap();
    assert_eq!(workspace.check().unwrap(), []);
    // What is read is what is recorded, until somebody decides.
    assert_eq!(features(&workspace, "地块"), (1..=10).map(feature).collect::<Vec<_>>());
    let waiting = workspace.reader().unwrap().outside().unwrap();
    assert_eq!(waiting.len(), 1);
    let mut changed = feature(5);
    changed.shape = feature(9).shape;
    changed.values[3] = mutu::domain::feature::Value::Real(2.5);
    let wanted = [
        OutsideRow { id: 4, before: Some(feature(4)), after: After::Gone },
        OutsideRow { id: 5, before: Some(feature(5)), after: After::Feature(changed) },
    ];
    assert_eq!((waiting[0].rows.as_slice(), waiting[0].faults.as_slice()), (&wanted[..], &[][..]));
}

#[test]
fn gdal_reads_the_workspace_while_it_is_open_and_being_edited() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 10);
    workspace.commit(&edit(vec![put_change("地块", feature(11), None)]), AT).unwrap();
    let told = run("ogrinfo", &["-ro", "-so", place.path.to_str().unwrap(), "地块"]);
    assert!(told.contains("Feature Count: 11"), "{told}");
    workspace.commit(&edit(vec![put_change("地块", feature(12), None)]), AT).unwrap();
    assert_eq!(features(&workspace, "地块").len(), 12);
}

#[test]
fn srs_definitions_are_those_of_the_epsg_dataset_as_gdal_knows_it() {
    let place = Place::new();
    Workspace::create(&place.path).unwrap().close().unwrap();
    for code in ["4490", "4526", "4547"] {
        let sql = format!(
            "SELECT definition FROM gpkg_spatial_ref_sys WHERE srs_id = {code} AND organization = 'EPSG' AND organization_coordsys_id = {code}"
        );
        let ours = run("sqlite3", &[place.path.to_str().unwrap(), &sql]);
        let theirs = run("gdalsrsinfo", &["-o", "wkt1", "--single-line", &format!("EPSG:{code}")]);
        assert_eq!(ours.trim(), theirs.trim());
    }
    let sql = "SELECT group_concat(srs_id) FROM (SELECT srs_id FROM gpkg_spatial_ref_sys ORDER BY srs_id)";
    assert_eq!(run("sqlite3", &[place.path.to_str().unwrap(), sql]).trim(), "-1,0,4326,4490,4526,4547");
}
