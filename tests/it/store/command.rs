//! `mutu verify` and `mutu history`, by the built program.

use std::process::{Command, Output};

use mutu::{gpkg::connection, store::Workspace};
use serde_json::Value;

use super::{AT, Place, edit, feature, proof, put_change};

fn mutu(code: i32, place: &Place, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
    let output = program
        .current_dir(place.path.parent().unwrap())
        .env_remove("MUTU_WORKSPACE")
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn verify_prints_the_head_to_note_and_ends_with_20_naming_what_was_altered() {
    let place = Place::new();
    proof::with_record(&place, false);
    let told = said(&mutu(0, &place, &["verify", "-w", "鹤山.gpkg"]));
    assert!(told.contains("7 entries of the record, 15 rows: nothing was altered"), "{told}");
    let head = told.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();
    assert!(head.starts_with("7:") && head.len() == 66, "{head}");
    mutu(0, &place, &["verify", "-w", "鹤山.gpkg", "--expect", &head]);
    mutu(2, &place, &["verify", "-w", "鹤山.gpkg", "--expect", "7:abc"]);
    mutu(40, &place, &["verify", "-w", "无.gpkg"]);

    let mut workspace = Workspace::open(&place.path).unwrap();
    workspace.commit(&edit(vec![put_change("地块", feature(40), None)]), AT).unwrap();
    workspace.close().unwrap();
    // An earlier head is still one of the record's.
    mutu(0, &place, &["verify", "-w", "鹤山.gpkg", "--expect", &head]);
    let other = format!("7:{}", "0".repeat(64));
    let output = mutu(20, &place, &["verify", "-w", "鹤山.gpkg", "--expect", &other]);
    assert!(said(&output).contains("number 7: the record was rewritten"), "{output:?}");

    connection::open(&place.path).unwrap().execute("UPDATE 地块 SET 容积率 = 9 WHERE fid = 4", []).unwrap();
    let output = mutu(20, &place, &["verify", "-w", "鹤山.gpkg"]);
    assert!(said(&output).contains("地块, feature 4, number 3: the feature was altered"), "{output:?}");
    assert!(complained(&output).contains("1 discrepancies"), "{output:?}");
    let told = json(&mutu(20, &place, &["verify", "-w", "鹤山.gpkg", "--format", "json"]));
    assert_eq!((&told["sound"], &told["entries"], &told["provenFrom"]), (&false.into(), &8.into(), &1.into()));
    let one = &told["discrepancies"][0];
    assert_eq!((&one["layer"], &one["id"], &one["seq"]), (&"地块".into(), &4.into(), &3.into()));
}

#[test]
fn a_file_that_is_cut_off_ends_verify_with_20_and_not_in_a_panic() {
    let place = Place::new();
    proof::with_record(&place, false);
    let whole = std::fs::read(&place.path).unwrap();
    for part in 1..8 {
        std::fs::write(&place.path, &whole[..whole.len() * part / 8]).unwrap();
        mutu(20, &place, &["verify", "-w", "鹤山.gpkg"]);
    }
}

#[test]
fn history_lists_moves_and_compacts() {
    let place = Place::new();
    proof::with_record(&place, false);
    let list = |more: &[&str]| {
        json(&mutu(0, &place, &[&["history", "list", "-w", "鹤山.gpkg", "--format", "json"], more].concat()))
    };
    let all = list(&[]);
    let entries = all["entries"].as_array().unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["import", "edit", "import", "import", "merge", "import", "edit"]);
    let did = |entry: &Value| entry["layers"].to_string();
    assert_eq!(did(&entries[0]), r#"[{"id":"地块","added":6,"changed":0,"removed":0}]"#);
    assert_eq!(did(&entries[1]), r#"[{"id":"地块","added":2,"changed":1,"removed":1}]"#);
    assert_eq!(did(&entries[3]), r#"[{"id":"地块","added":1,"changed":0,"removed":0}]"#);
    assert_eq!(
        did(&entries[6]),
        r#"[{"id":"任务","added":0,"changed":1,"removed":0},{"id":"地块","added":1,"changed":0,"removed":0}]"#
    );
    assert_eq!(entries[6]["at"], "2026-07-24T12:34:56.792Z");
    assert_eq!(list(&["--since", "5"])["entries"].as_array().unwrap().len(), 2);
    // The day begins in China eight hours before it does in Greenwich, and everything was done on that day.
    assert_eq!(list(&["--since", "2026-07-24"])["entries"].as_array().unwrap().len(), 7);
    assert_eq!(list(&["--since", "2026-07-25"])["entries"].as_array().unwrap().len(), 0);
    let table = said(&mutu(0, &place, &["history", "list", "-w", "鹤山.gpkg"]));
    assert!(table.lines().nth(2).unwrap().contains("地块 +2 ~1 -1"), "{table}");
    mutu(2, &place, &["history", "list", "-w", "鹤山.gpkg", "--since", "昨天"]);

    let exported = said(&mutu(0, &place, &["history", "export", "-w", "鹤山.gpkg", "--out", "记录.gpkg"]));
    mutu(30, &place, &["history", "export", "-w", "鹤山.gpkg", "--out", "记录.gpkg"]);
    let imported = said(&mutu(0, &place, &["history", "import", "记录.gpkg", "-w", "新.gpkg"]));
    mutu(30, &place, &["history", "import", "记录.gpkg", "-w", "新.gpkg"]);
    let head = |text: &str| text.lines().last().unwrap().to_owned();
    assert!(head(&exported).starts_with("head 7:"), "{exported}");
    assert_eq!(head(&exported), head(&imported));
    let verified = said(&mutu(0, &place, &["verify", "-w", "新.gpkg"]));
    assert_eq!(head(&verified), head(&exported));
    assert_eq!(said(&mutu(0, &place, &["history", "list", "-w", "新.gpkg"])), table);

    let told = json(&mutu(
        0,
        &place,
        &["history", "compact", "-w", "新.gpkg", "--before", "4", "--author", "王工", "--format", "json"],
    ));
    assert_eq!((&told["changes"], &told["eras"]), (&4.into(), &1.into()));
    let told = told["head"].as_str().unwrap().to_owned();
    mutu(0, &place, &["verify", "-w", "新.gpkg", "--expect", &told]);
    mutu(0, &place, &["verify", "-w", "新.gpkg", "--expect", head(&exported).strip_prefix("head ").unwrap()]);
    mutu(40, &place, &["history", "compact", "-w", "新.gpkg", "--before", "2"]);
    mutu(2, &place, &["history", "compact", "-w", "新.gpkg", "--before", "99"]);
    connection::open(&place.path).unwrap().execute("UPDATE mutu_edit SET note = '' WHERE seq = 2", []).unwrap();
    let output = mutu(20, &place, &["history", "export", "-w", "鹤山.gpkg", "--out", "再.gpkg"]);
    assert!(complained(&output).contains("number 2 of the record was altered"), "{output:?}");
    assert!(!place.path.with_file_name("再.gpkg").exists());
}
