//! Check-outs that come back more than once, while the workspace goes on, and copies of them.

use serde_json::{Value, json};

use super::{Desk, blob, ring};

fn checked_out() -> Desk {
    let desk = Desk::new();
    desk.ends_with(0, &["export", "--layer", "parcels", "--checkout", "--out", "a.gpkg"]);
    desk
}

fn merge(desk: &Desk, file: &str, code: i32, more: &[&str]) -> Value {
    desk.json(code, &[&["import", "--merge", file, "--author", "外业", "--format", "json"], more].concat())
}

/// Changes the workspace by another program that is taken in.
fn here(desk: &Desk, sql: &str) {
    desk.gdal("w.gpkg", sql);
    desk.ends_with(0, &["outside", "take"]);
}

/// The field edits a check-out.
fn field(desk: &Desk, file: &str, set: &str) {
    desk.gdal(file, &format!("UPDATE parcels SET {set}"));
}

fn copy(desk: &Desk, from: &str, to: &str) {
    std::fs::copy(desk.path(from), desk.path(to)).unwrap();
}

fn add(desk: &Desk, file: &str, code: &str, west: f64) {
    let shape = blob(&ring(west, 0.001, 0.0));
    desk.gdal(file, &format!("INSERT INTO parcels (geom, code) VALUES ({shape}, '{code}')"));
}

/// The parcels as `id code status floor note`.
fn parcels(desk: &Desk) -> Vec<String> {
    let sql = "SELECT fid || ' ' || code || ' ' || coalesce(status, '-') || ' ' || coalesce(floor, '-') || ' ' || \
               coalesce(note, '-') FROM parcels ORDER BY fid";
    desk.sql("w.gpkg", sql).lines().map(str::to_owned).collect()
}

fn undo(desk: &Desk, seq: &str) {
    desk.ends_with(0, &["history", "undo", seq, "--note", "不对"]);
}

#[test]
fn what_was_undone_or_changed_here_between_two_check_ins_stays() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    field(&desk, "a.gpkg", "note = '现场' WHERE fid = 2");
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["seq"], json!(2));
    undo(&desk, "2");
    here(&desk, "UPDATE parcels SET note = '室内' WHERE fid = 3");
    field(&desk, "a.gpkg", "floor = 9 WHERE fid IN (1, 3)");

    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!(parcels(&desk), ["1 P1 认定 9.0 -", "2 P2 认定 2.5 -", "3 P3 认定 9.0 室内"]);
    assert_eq!(
        (&report["before"], &report["changed"], &report["conflicts"]),
        (&json!([2]), &json!([1, 3]), &json!([]))
    );
    assert_eq!(report["changedHere"], json!([2]), "what the file had brought and was undone is told");
    // The very same file once more has nothing new, and says so.
    let (said, _) = desk.ends_with(0, &["import", "--merge", "a.gpkg"]);
    assert!(said.contains("brought back before as number 5") && said.contains("nothing new in the file"), "{said}");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn what_both_changed_since_the_last_check_in_is_a_conflict_with_what_the_file_held_then() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 1");
    let conflict = |report: &Value| {
        let all = report["conflicts"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{report}");
        ["base", "ours", "theirs"].map(|side| all[0][side].as_str().unwrap().to_owned())
    };
    assert_eq!(conflict(&merge(&desk, "a.gpkg", 30, &[])), ["认定", "甲", "乙"]);
    // Decided once, though nothing changes by it: nobody is asked again.
    let report = merge(&desk, "a.gpkg", 0, &["--on-conflict", "ours"]);
    assert_eq!((conflict(&report), &report["seq"]), (["认定", "甲", "乙"].map(str::to_owned), &json!(3)));
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["seq"], &report["conflicts"]), (&Value::Null, &json!([])));
    assert_eq!(merge(&desk, "a.gpkg", 0, &["--on-conflict", "theirs"])["seq"], Value::Null);
    assert_eq!(parcels(&desk)[0], "1 P1 甲 1.5 -");
    // What the field says afterwards is another matter.
    field(&desk, "a.gpkg", "status = '丙' WHERE fid = 1");
    assert_eq!(conflict(&merge(&desk, "a.gpkg", 30, &[])), ["乙", "甲", "丙"]);
    assert_eq!(merge(&desk, "a.gpkg", 0, &["--on-conflict", "theirs"])["seq"], json!(4));
    assert_eq!(parcels(&desk)[0], "1 P1 丙 1.5 -");
    // Back to what the field had in the beginning: a change of the field's.
    field(&desk, "a.gpkg", "status = '认定' WHERE fid = 1");
    merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!(parcels(&desk)[0], "1 P1 认定 1.5 -");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn both_sides_changed_alike_is_known_when_one_of_them_takes_it_back() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '甲' WHERE fid = 1");
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 1");
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["seq"], &report["changed"]), (&json!(3), &json!([])));
    undo(&desk, "2");
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["seq"], Value::Null);
    assert_eq!(parcels(&desk)[0], "1 P1 认定 1.5 -");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn new_and_deleted_features_stay_the_same_ones_at_every_check_in() {
    let desk = checked_out();
    add(&desk, "a.gpkg", "新", 113.0);
    desk.gdal("a.gpkg", "DELETE FROM parcels WHERE fid = 2");
    add(&desk, "w.gpkg", "此", 113.01);
    desk.ends_with(0, &["outside", "take"]);
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["added"], &report["removed"]), (&json!([{ "there": 4, "id": 5 }]), &json!([2])));
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 5");
    desk.ends_with(0, &["history", "restore", "parcels", "--id", "2", "--to", "1"]);
    field(&desk, "a.gpkg", "note = '现场' WHERE fid = 4");
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["changed"], &report["added"], &report["removed"]), (&json!([5]), &json!([]), &json!([])));
    assert_eq!(report["changedHere"], json!([2]), "deleted there, put back here");
    assert_eq!(parcels(&desk)[1..].to_vec(), ["2 P2 认定 2.5 -", "3 P3 认定 3.5 -", "4 此 - - -", "5 新 甲 - 现场"]);
    // The new one is deleted there: it goes here, and does not come again.
    desk.gdal("a.gpkg", "DELETE FROM parcels WHERE fid = 4");
    let report = merge(&desk, "a.gpkg", 30, &[]);
    assert_eq!(report["conflicts"][0]["field"], json!("feature"), "it was changed here");
    assert_eq!(merge(&desk, "a.gpkg", 0, &["--on-conflict", "theirs"])["removed"], json!([5]));
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["seq"], Value::Null);
    assert_eq!(parcels(&desk).len(), 4);
    desk.ends_with(0, &["verify"]);
    desk.ends_with(0, &["check"]);
}

#[test]
fn two_copies_of_a_check_out_lose_nothing_of_each_other() {
    let desk = checked_out();
    copy(&desk, "a.gpkg", "b.gpkg");
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    add(&desk, "a.gpkg", "甲新", 113.0);
    desk.gdal("a.gpkg", "DELETE FROM parcels WHERE fid = 3");
    field(&desk, "b.gpkg", "floor = 7 WHERE fid IN (1, 2)");
    add(&desk, "b.gpkg", "乙新", 113.01);
    merge(&desk, "a.gpkg", 0, &[]);
    let report = merge(&desk, "b.gpkg", 0, &[]);
    // The copy is no later state of the first: what it does not have was not taken back, and its fourth is another.
    assert_eq!((&report["before"], &report["added"]), (&json!([]), &json!([{ "there": 4, "id": 5 }])), "{report}");
    let both = ["1 P1 乙 7.0 -", "2 P2 认定 7.0 -", "4 甲新 - - -", "5 乙新 - - -"];
    assert_eq!(parcels(&desk), both);
    // Each goes on from where it was.
    field(&desk, "a.gpkg", "note = 'a' WHERE fid IN (1, 4)");
    field(&desk, "b.gpkg", "note = 'b' WHERE fid IN (2, 4)");
    assert_eq!(merge(&desk, "b.gpkg", 0, &[])["before"], json!([3]));
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["before"], json!([2]));
    assert_eq!(parcels(&desk), ["1 P1 乙 7.0 a", "2 P2 认定 7.0 b", "4 甲新 - - a", "5 乙新 - - b"]);
    // The same feature, the same field: a conflict, and not the later one's word.
    field(&desk, "b.gpkg", "note = 'b' WHERE fid = 1");
    assert_eq!(merge(&desk, "b.gpkg", 30, &[])["conflicts"].as_array().unwrap().len(), 1);
    desk.ends_with(0, &["verify"]);
}

#[test]
fn a_copy_taken_on_the_way_shares_what_was_edited_before_and_an_older_state_brings_nothing() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    add(&desk, "a.gpkg", "新", 113.0);
    copy(&desk, "a.gpkg", "b.gpkg");
    copy(&desk, "a.gpkg", "older.gpkg");
    field(&desk, "a.gpkg", "floor = 8 WHERE fid = 2");
    merge(&desk, "a.gpkg", 0, &[]);
    undo(&desk, "2");
    assert_eq!(parcels(&desk).len(), 3);
    let report = merge(&desk, "older.gpkg", 0, &[]);
    assert_eq!((&report["behind"], &report["seq"]), (&json!(2), &Value::Null), "{report}");
    field(&desk, "b.gpkg", "floor = 5 WHERE fid IN (1, 3)");
    let report = merge(&desk, "b.gpkg", 0, &[]);
    assert_eq!((&report["added"], &report["changed"]), (&json!([]), &json!([1, 3])), "{report}");
    assert_eq!(parcels(&desk), ["1 P1 认定 5.0 -", "2 P2 认定 2.5 -", "3 P3 认定 5.0 -"], "the undone stays undone");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn a_merge_that_was_undone_comes_again_by_undoing_the_undoing_or_anew() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    add(&desk, "a.gpkg", "新", 113.0);
    desk.gdal("a.gpkg", "DELETE FROM parcels WHERE fid = 3");
    merge(&desk, "a.gpkg", 0, &[]);
    let brought = parcels(&desk);
    undo(&desk, "2");
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["seq"], &report["changedHere"]), (&Value::Null, &json!([1, 3, 4])), "{report}");
    let (said, _) = desk.ends_with(0, &["import", "--merge", "a.gpkg"]);
    assert!(said.contains("what is here stays: 1, 3, 4") && said.contains("--anew"), "{said}");
    undo(&desk, "3");
    assert_eq!(parcels(&desk), brought);
    undo(&desk, "4");
    let report = merge(&desk, "a.gpkg", 0, &["--anew"]);
    assert_eq!((&report["changed"], &report["removed"]), (&json!([1, 4]), &json!([3])), "{report}");
    assert_eq!(parcels(&desk), brought, "under the same ids");
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["seq"], Value::Null);
    assert_eq!(merge(&desk, "a.gpkg", 0, &["--anew"])["seq"], Value::Null);
    desk.ends_with(0, &["verify"]);
}

#[test]
fn edits_that_no_log_saw_are_told_apart_by_the_rows_or_refused() {
    let desk = checked_out();
    for trigger in ["insert", "update", "delete"] {
        desk.sql("a.gpkg", &format!("DROP TRIGGER mutu_checkout_{trigger}"));
    }
    copy(&desk, "a.gpkg", "b.gpkg");
    field(&desk, "a.gpkg", "status = '乙' WHERE fid IN (1, 2)");
    merge(&desk, "a.gpkg", 0, &[]);
    undo(&desk, "2");
    // It holds what it had brought: it is the same file, and has nothing new in those.
    field(&desk, "a.gpkg", "floor = 9 WHERE fid = 3");
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["before"], json!([2]));
    assert_eq!(parcels(&desk), ["1 P1 认定 1.5 -", "2 P2 认定 2.5 -", "3 P3 认定 9.0 -"]);
    // This one holds nothing of it: it is a copy.
    field(&desk, "b.gpkg", "note = 'b' WHERE fid = 3");
    assert_eq!(merge(&desk, "b.gpkg", 0, &[])["before"], json!([]));
    assert_eq!(parcels(&desk)[2], "3 P3 认定 9.0 b");
    // One of the two is as before: changed back there, or never changed in a copy?
    field(&desk, "a.gpkg", "status = '认定' WHERE fid = 1");
    let before = parcels(&desk);
    let (_, said) = desk.ends_with(20, &["import", "--merge", "a.gpkg"]);
    assert!(said.contains("came back as number 2 or another copy of it"), "{said}");
    assert_eq!(parcels(&desk), before);
    // A file that lost its log is told apart in the same way.
    desk.ends_with(0, &["export", "--layer", "parcels", "--checkout", "--out", "c.gpkg"]);
    field(&desk, "c.gpkg", "status = '乙' WHERE fid IN (1, 2)");
    let report = merge(&desk, "c.gpkg", 0, &[]);
    undo(&desk, &report["seq"].to_string());
    desk.sql("c.gpkg", "DROP TABLE mutu_checkout_log; DROP TRIGGER mutu_checkout_update");
    field(&desk, "c.gpkg", "note = 'c' WHERE fid = 1");
    assert_eq!(merge(&desk, "c.gpkg", 0, &[])["before"], json!([report["seq"]]));
    assert_eq!(parcels(&desk)[..2].to_vec(), ["1 P1 认定 1.5 c", "2 P2 认定 2.5 -"]);
    desk.ends_with(0, &["verify"]);
}

#[test]
fn a_record_moved_or_compacted_between_two_check_ins_knows_the_file_still() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    merge(&desk, "a.gpkg", 0, &[]);
    undo(&desk, "2");
    here(&desk, "UPDATE parcels SET floor = 6 WHERE fid = 3");
    desk.ends_with(0, &["history", "export", "--out", "moved.gpkg"]);
    std::fs::remove_file(desk.file()).unwrap();
    desk.ends_with(0, &["history", "import", "moved.gpkg"]);
    field(&desk, "a.gpkg", "note = '现场' WHERE fid = 2");
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["before"], json!([2]));
    assert_eq!(parcels(&desk), ["1 P1 认定 1.5 -", "2 P2 认定 2.5 现场", "3 P3 认定 6.0 -"]);
    let seq = desk.sql("w.gpkg", "SELECT max(seq) FROM mutu_edit").trim().to_owned();
    desk.ends_with(0, &["history", "compact", "--before", &seq]);
    desk.ends_with(0, &["verify"]);
    // What the file held is known by its hash where the file has not changed it since.
    let before = parcels(&desk);
    assert_eq!(merge(&desk, "a.gpkg", 0, &[])["seq"], Value::Null);
    field(&desk, "a.gpkg", "note = '现场二' WHERE fid = 2");
    merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!(parcels(&desk)[1], "2 P2 认定 2.5 现场二");
    // And where it has, nobody knows what was changed.
    field(&desk, "a.gpkg", "status = '丙' WHERE fid = 1");
    let (_, said) = desk.ends_with(20, &["import", "--merge", "a.gpkg"]);
    assert!(said.contains("feature 1") && said.contains("compacted"), "{said}");
    assert_eq!(parcels(&desk)[0], before[0]);
    desk.ends_with(0, &["verify"]);
}

#[test]
fn what_check_outs_held_is_under_the_proof_and_older_programs_keep_away() {
    let desk = checked_out();
    let format = || desk.sql("w.gpkg", "SELECT value FROM mutu_workspace WHERE key = 'format'").trim().to_owned();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    assert_eq!(format(), "2");
    merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!(format(), "3");
    desk.ends_with(0, &["verify"]);
    let whole = std::fs::read(desk.file()).unwrap();
    for spoil in [
        "UPDATE mutu_checkin SET checkout = 'x'",
        "UPDATE mutu_checkin SET parent = 1",
        "UPDATE mutu_checkin SET log = x''",
        "UPDATE mutu_checkin_row SET there = 2",
        "UPDATE mutu_checkin_row SET here = 2",
        "UPDATE mutu_checkin_row SET theirs = NULL",
        "DELETE FROM mutu_checkin_row",
        "DELETE FROM mutu_checkin",
        "DROP TABLE mutu_checkin",
        "INSERT INTO mutu_checkin_row VALUES (9, 1, 1, NULL)",
        "INSERT INTO mutu_checkin VALUES (9, 'x', 'parcels', NULL, x'')",
        "INSERT INTO mutu_checkin_row VALUES (1, 1, 1, NULL)",
    ] {
        desk.sql("w.gpkg", spoil);
        let (out, err) = desk.ends_with(20, &["verify"]);
        assert!(format!("{out}{err}").contains("number "), "{spoil}: {out}{err}");
        std::fs::write(desk.file(), &whole).unwrap();
    }
    desk.ends_with(0, &["verify"]);
}

#[test]
fn a_copy_of_the_workspace_that_went_on_by_itself_does_not_take_the_check_out_for_its_own() {
    let desk = Desk::new();
    copy(&desk, "w.gpkg", "other.gpkg");
    here(&desk, "UPDATE parcels SET status = '甲' WHERE fid = 1");
    desk.ends_with(0, &["export", "--layer", "parcels", "--checkout", "--out", "a.gpkg"]);
    copy(&desk, "other.gpkg", "w.gpkg");
    here(&desk, "UPDATE parcels SET status = '乙' WHERE fid = 2");
    let (_, said) = desk.ends_with(20, &["import", "--merge", "a.gpkg"]);
    assert!(said.contains("another copy of this workspace: number 2"), "{said}");
}

#[test]
fn a_file_that_an_older_program_brought_back_does_not_bring_its_new_features_twice() {
    let desk = checked_out();
    add(&desk, "a.gpkg", "新", 113.0);
    merge(&desk, "a.gpkg", 0, &[]);
    // As an older program would have left both files, the chain aside.
    let checkout = desk.sql("a.gpkg", "SELECT value FROM mutu_checkout WHERE key = 'checkout'");
    desk.sql(
        "w.gpkg",
        &format!(
            "CREATE TABLE mutu_merged (checkout TEXT, layer TEXT, there INTEGER, here INTEGER, seq INTEGER);
             INSERT INTO mutu_merged VALUES ('{}', 'parcels', 4, 4, 2);
             DROP TABLE mutu_checkin; DROP TABLE mutu_checkin_row;
             UPDATE mutu_workspace SET value = '2' WHERE key = 'format'",
            checkout.trim()
        ),
    );
    desk.sql(
        "a.gpkg",
        "DROP TABLE mutu_checkout_log; DROP TRIGGER mutu_checkout_insert; DROP TRIGGER mutu_checkout_update; \
         DROP TRIGGER mutu_checkout_delete; DELETE FROM mutu_checkout WHERE key = 'hash'",
    );
    field(&desk, "a.gpkg", "note = '现场' WHERE fid = 1");
    let report = merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!((&report["before"], &report["changed"], &report["added"]), (&json!([2]), &json!([1]), &json!([])));
}

#[test]
fn a_file_whose_log_was_taken_away_with_its_table_is_not_taken_for_an_older_state_or_a_fork() {
    for also in [None, Some("1")] {
        let desk = checked_out();
        field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
        copy(&desk, "a.gpkg", "b.gpkg");
        field(&desk, "a.gpkg", &format!("note = '甲' WHERE fid = {}", also.unwrap_or("2")));
        merge(&desk, "a.gpkg", 0, &[]);
        let before = parcels(&desk);
        if also.is_some() {
            field(&desk, "b.gpkg", "note = '记得' WHERE fid = 2");
        }
        // Another table in the layer's place, as ogr2ogr -overwrite makes it: nothing writes the log any more.
        let triggers = ["insert", "update", "delete"].map(|what| format!("DROP TRIGGER mutu_checkout_{what};"));
        desk.sql("b.gpkg", &triggers.concat());
        field(&desk, "b.gpkg", "floor = 99 WHERE fid = 1");
        let (_, said) = desk.ends_with(20, &["import", "--merge", "b.gpkg"]);
        assert!(said.contains("its log did not see it"), "{said}");
        assert_eq!(parcels(&desk), before);
    }
}

#[test]
fn an_older_state_of_a_file_comes_again_where_that_is_said() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    add(&desk, "a.gpkg", "N", 0.01);
    copy(&desk, "a.gpkg", "b.gpkg");
    field(&desk, "a.gpkg", "note = '后来' WHERE fid = 2");
    merge(&desk, "a.gpkg", 0, &[]);
    undo(&desk, "2");
    assert_eq!(merge(&desk, "b.gpkg", 0, &[])["behind"], json!(2));
    assert_eq!(parcels(&desk)[0], "1 P1 认定 1.5 -");
    merge(&desk, "b.gpkg", 0, &["--anew"]);
    let now = parcels(&desk);
    assert_eq!(now[..2].to_vec(), ["1 P1 乙 1.5 -", "2 P2 认定 2.5 -"]);
    assert_eq!(now.iter().filter(|row| row.contains(" N ")).count(), 1, "{now:?}");
    merge(&desk, "b.gpkg", 0, &["--anew"]);
    assert_eq!(parcels(&desk), now, "what is there is not brought twice");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn content_that_only_its_hash_is_left_of_is_known_where_nobody_has_changed_it_here() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    merge(&desk, "a.gpkg", 0, &[]);
    here(&desk, "UPDATE parcels SET floor = 6 WHERE fid = 3");
    desk.ends_with(0, &["history", "compact", "--before", "3"]);
    field(&desk, "a.gpkg", "status = '丙' WHERE fid = 1");
    merge(&desk, "a.gpkg", 0, &[]);
    assert_eq!(parcels(&desk)[0], "1 P1 丙 1.5 -");
    desk.ends_with(0, &["verify"]);
}

#[test]
fn what_a_check_in_held_may_not_be_replaced_by_its_hash() {
    let desk = checked_out();
    field(&desk, "a.gpkg", "status = '乙' WHERE fid = 1");
    merge(&desk, "a.gpkg", 0, &[]);
    let whole = std::fs::read(desk.file()).unwrap();
    for (table, column) in [("mutu_checkin_row", "theirs"), ("mutu_checkin", "log")] {
        // To the chain a content and its hash are the same, or nothing could be compacted.
        let script = format!(
            "import sqlite3,sys,hashlib\nc=sqlite3.connect(sys.argv[1])\nfor n,b in c.execute('SELECT rowid, {column} FROM \
             {table}').fetchall():\n c.execute('UPDATE {table} SET {column} = ? WHERE rowid = ?', \
             (b'\\xff'+hashlib.sha256(b).digest(), n))\nc.commit()\nc.close()"
        );
        assert!(
            std::process::Command::new("python3").args(["-c", &script]).arg(desk.file()).status().unwrap().success()
        );
        let (out, err) = desk.ends_with(20, &["verify"]);
        assert!(format!("{out}{err}").contains("the check-in of number 2"), "{table}: {out}{err}");
        std::fs::write(desk.file(), &whole).unwrap();
    }
}
