//! The process is killed, really, at many moments of imports and edits; what it acknowledged is there, and
//! nothing of what it did not finish.
//!
//! The moments come from a fixed sequence and are counted in acknowledgements read from the child, or in bytes
//! that its log has grown by, never in time.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use mutu::{
    domain::{edit::Change, feature::Value},
    store::{How, Workspace},
};

use super::{AT, Place, edit, feature, features, id, import, integrity, layer, note, put, put_change};

const ROLE: &str = "MUTU_TEST_CHILD_ROLE";
const FILE: &str = "MUTU_TEST_CHILD_FILE";
const ROWS: i64 = 4000;

/// Not a test of its own: what the killed process does. Returns at once in an ordinary run.
#[test]
fn child_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut workspace = Workspace::open(&PathBuf::from(std::env::var(FILE).unwrap())).unwrap();
    match role.as_str() {
        "import" => import_rows(&mut workspace),
        "edit" => edit_without_end(&mut workspace),
        other => panic!("unknown role {other}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nack {line}").unwrap();
    out.flush().unwrap();
}

fn import_rows(workspace: &mut Workspace) {
    let mut import = workspace.begin_import(&layer("新"), How::Create, note()).unwrap();
    for number in 1..=ROWS {
        put(&mut import, &feature(number)).unwrap();
        if number % 50 == 0 {
            say(&number.to_string());
        }
    }
    say("committing");
    let seq = import.commit("{}").unwrap();
    say(&format!("done {seq}"));
    workspace.commit(&edit(vec![put_change("旧", changed(1, seq + 1), Some(1))]), AT).unwrap();
    say("edited");
    std::thread::park();
}

/// Feature `number` as the edit of a sequence number leaves it.
fn changed(number: i64, seq: i64) -> mutu::domain::feature::Feature {
    let mut feature = feature(number);
    feature.shape = Some(super::square(number * 31 + seq));
    feature.values[2] = Value::Integer(seq);
    feature
}

/// Edit `seq` changes feature `seq % 20 + 1`, adds feature `1000 + seq` and deletes `1000 + seq - 5`.
fn edit_without_end(workspace: &mut Workspace) {
    for seq in workspace.seq().unwrap() + 1.. {
        let number = seq % 20 + 1;
        let mut changes = vec![
            put_change("旧", changed(number, seq), workspace.version("旧", number).unwrap()),
            put_change("旧", changed(1000 + seq, seq), None),
        ];
        if let Some(expects) = workspace.version("旧", 1000 + seq - 5).unwrap() {
            changes.push(Change::Delete { layer: id("旧"), id: 1000 + seq - 5, expects });
        }
        assert_eq!(workspace.commit(&edit(changes), AT + seq).unwrap().seq, seq);
        say(&seq.to_string());
    }
}

fn start(role: &str, path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store::kill::child_role", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// The next acknowledgement; `None` where the child has ended.
fn next(out: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        if let Some(ack) = line.trim_end().strip_prefix("ack ") {
            return Some(ack.to_owned());
        }
        line.clear();
    }
    None
}

/// Kills the child and returns the last acknowledgement that it had still written.
fn kill(mut child: Child, out: &mut BufReader<ChildStdout>) -> Option<String> {
    child.kill().unwrap();
    child.wait().unwrap();
    let mut last = None;
    while let Some(ack) = next(out) {
        last = Some(ack);
    }
    last
}

/// A fixed sequence of numbers below `below` that looks random (Numerical Recipes' LCG).
fn moments(below: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(12_345_u32), |s| Some(s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)))
        .map(move |s| (s >> 8) % below)
        .skip(1)
}

fn spin(times: u32) {
    for turn in 0..times * 2000 {
        std::hint::black_box(turn);
    }
}

fn with_old_layer() -> Place {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("旧"), 20);
    workspace.close().unwrap();
    place
}

#[test]
fn a_kill_during_an_import_leaves_all_of_it_or_nothing_and_the_next_opening_says_so() {
    let (mut absent, mut complete) = (0, 0);
    let place = with_old_layer();
    let backup = std::fs::read(&place.path).unwrap();
    for (round, moment) in moments(80).take(26).enumerate() {
        std::fs::write(&place.path, &backup).unwrap();
        let (child, mut out) = start("import", &place.path);
        // A third of the rounds: somewhere among the rows. The others: around the commit and after it.
        let stop_at = if round % 3 == 0 { ((moment + 1) * 50).to_string() } else { "committing".to_owned() };
        let mut last = next(&mut out).unwrap();
        while last != stop_at {
            last = next(&mut out).unwrap();
        }
        if round % 3 == 2 {
            // Far enough into the commit for its log to have grown by so much.
            let log = place.beside("-wal");
            let enough = u64::from(moment) * 20_000;
            let mut looks = 0;
            while std::fs::metadata(&log).map_or(0, |m| m.len()) < enough && looks < 30_000 {
                looks += 1;
            }
        } else {
            spin(moment * 40);
        }
        let last = kill(child, &mut out).unwrap_or(last);

        let workspace = Workspace::open(&place.path).unwrap();
        let recovery = workspace.recovered().expect("the child did not close the workspace").clone();
        let seq = workspace.seq().unwrap();
        assert!(recovery.message.contains(&format!("number {seq};")), "{}", recovery.message);
        assert_eq!(workspace.check().unwrap(), [], "round {round}");
        if seq == 1 {
            absent += 1;
            assert!(!last.starts_with("done") && last != "edited", "acknowledged and lost: {last}");
            assert_eq!(workspace.layers().len(), 1);
            assert!(recovery.discarded);
            assert!(recovery.message.contains("the import of 地块.shp into 新 by 李工"), "{}", recovery.message);
            assert!(recovery.message.contains("left nothing"), "{}", recovery.message);
            assert_eq!(features(&workspace, "旧"), (1..=20).map(feature).collect::<Vec<_>>());
        } else {
            complete += 1;
            assert!(seq == 3 || last != "edited", "acknowledged and lost: {last}");
            assert_eq!(features(&workspace, "新"), (1..=ROWS).map(feature).collect::<Vec<_>>());
        }
        workspace.close().unwrap();
        integrity(&place.path);
        assert_eq!(Workspace::open(&place.path).unwrap().recovered(), None);
    }
    assert!(absent >= 8 && complete >= 1, "{absent} absent, {complete} complete: the moments are badly chosen");
}

#[test]
fn a_kill_during_edits_loses_none_that_was_acknowledged_and_keeps_none_in_part() {
    let place = with_old_layer();
    let mut acknowledged = 1;
    for (round, moment) in moments(40).take(30).enumerate() {
        let (child, mut out) = start("edit", &place.path);
        let mut last = acknowledged;
        for _ in 0..=moment {
            last = next(&mut out).unwrap().parse().unwrap();
        }
        spin(moments(100).nth(round).unwrap() * 5);
        let last = kill(child, &mut out).map_or(last, |ack| ack.parse().unwrap());

        let workspace = Workspace::open(&place.path).unwrap();
        let seq = workspace.seq().unwrap();
        assert!(seq == last || seq == last + 1, "acknowledged {last}, found {seq}");
        assert!(workspace.recovered().is_some());
        assert_eq!(workspace.check().unwrap(), [], "round {round}");
        let all = features(&workspace, "旧");
        // What edits 2 to seq leave, worked out without the store.
        let mut wanted: Vec<_> = (1..=20)
            .map(|number| {
                let by = (2..=seq).rev().find(|seq| seq % 20 + 1 == number);
                by.map_or_else(|| feature(number), |seq| changed(number, seq))
            })
            .collect();
        wanted.extend((2.max(seq - 4)..=seq).map(|seq| changed(1000 + seq, seq)));
        assert_eq!(all, wanted, "round {round}");
        assert_eq!(workspace.history().edits_since(0).unwrap().len() as i64, seq);
        let changes = workspace.history().changes_of(seq).unwrap();
        assert_eq!(changes[0].after.as_ref(), Some(&changed(seq % 20 + 1, seq)));
        if round % 2 == 0 {
            workspace.close().unwrap();
            integrity(&place.path);
        }
        acknowledged = seq;
    }
    assert!(acknowledged > 200, "only {acknowledged} edits were tried");
}
