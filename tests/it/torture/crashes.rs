//! The process is killed, and the power fails, at every step of the session: what was acknowledged is there, what was
//! not is there whole or not at all, and work goes on.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::process::ExitStatusExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use mutu::{
    domain::edit::{Change, Edit},
    store::{Reader, Workspace},
};

use super::{
    Bench,
    disk::{Call, Disk, Image, look_at, read_trace},
    long, scratch,
    session::{PARCELS, State, feature, script, stored},
    workspace_in,
};

/// A disk after a crash, and the last sequence number that was acknowledged before it (-1: not even the workspace).
pub(super) struct Wreck {
    pub(super) image: Image,
    pub(super) acknowledged: i64,
    pub(super) what: String,
}

impl Wreck {
    /// Puts its files into a folder.
    pub(super) fn lay_out(&self, folder: &Path) {
        for (path, bytes) in &self.image {
            std::fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
        }
    }
}

/// Random enough (Numerical Recipes' LCG), and the same each time.
pub(super) struct Dice(pub(super) u32);

impl Dice {
    pub(super) fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % below
    }
}

/// The session's calls as they reached the disk.
fn trace() -> (Vec<Call>, Bench) {
    let bench = Bench::new();
    let output = bench.start("session", "off").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = read_trace(&std::fs::read(&bench.trace).unwrap());
    (calls, bench)
}

pub(super) fn said(text: &str) -> Option<i64> {
    text.trim().strip_prefix("ack ")?.parse().ok()
}

/// Calls `wreck` with every disk that a crash at some step may leave.
fn wrecks(calls: &[Call], mut disk: Disk, wreck: &mut dyn FnMut(Wreck)) {
    let mut acknowledged = -1;
    let mut seen = HashSet::new();
    let mut tell = |image: Image, acknowledged: i64, what: String| {
        let mut hash = DefaultHasher::new();
        (&image, acknowledged).hash(&mut hash);
        if seen.insert(hash.finish()) {
            wreck(Wreck { image, acknowledged, what });
        }
    };
    let seeds = if long() { 6 } else { 1 };
    for (number, call) in calls.iter().enumerate() {
        if let Call::Said(text) = call {
            acknowledged = said(text).map_or(acknowledged, |seq| if seq < -1 { acknowledged } else { seq });
        }
        if let Call::Write { inode, path, offset, bytes } = call {
            let half = bytes.len() / 2;
            for kept in [half, bytes.len().min(512)] {
                if long() || (kept == half) == (number % 2 == 0) {
                    let image = disk.torn(*inode, path, *offset, &bytes[..kept]);
                    tell(image, acknowledged, format!("call {number} torn after {kept} bytes"));
                }
            }
        }
        disk.apply(call);
        tell(disk.seen(), acknowledged, format!("killed after call {number}"));
        tell(disk.safe(), acknowledged, format!("power lost after call {number}"));
        for seed in 0..seeds {
            if long() || number % 3 == 0 {
                let mut dice = Dice(seed * 7919 + number as u32);
                // Some seeds lose almost all, some almost nothing.
                let odds = 1 + (seed + number as u32) % 7;
                let image = disk.perhaps(|| dice.roll(8) < odds);
                tell(image, acknowledged, format!("power lost after call {number}, seed {seed}"));
            }
        }
    }
}

/// Asserts that a wreck holds what was acknowledged and nothing in part, and that work goes on with it.
fn check(wreck: &Wreck, states: &[State], folder: &Path, thoroughly: bool) {
    let what = &wreck.what;
    wreck.lay_out(folder);
    let file = workspace_in(folder);
    if !file.exists() {
        assert_eq!(wreck.acknowledged, -1, "{what}: the workspace is gone");
        return;
    }
    let may_be = [wreck.acknowledged.max(0), wreck.acknowledged + 1];
    let expect = |seq: i64, who: &str| -> &State {
        assert!(may_be.contains(&seq), "{what}: {who} finds {seq}, {} is acknowledged", wreck.acknowledged);
        &states[seq as usize]
    };
    if thoroughly {
        let table = if may_be[0] > 0 { PARCELS } else { "mutu_edit" };
        let told = Command::new("ogrinfo").args(["-ro", "-al", "-so"]).arg(&file).arg(table).output().unwrap();
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        let err = String::from_utf8_lossy(&told.stderr);
        // While the mode changes, at opening and closing, there is a moment in which the file has to be played back first:
        // who may only read waits for somebody who may write.
        let is_between = file.with_file_name("鹤山.gpkg-journal").exists() && text.contains("Unable to open");
        assert!(
            is_between || told.status.success() && !err.contains("ERROR") && text.contains("Feature Count"),
            "{what}: {text}{err}"
        );
    }
    let reader = Reader::open(&file).unwrap_or_else(|error| panic!("{what}: a reader: {error}"));
    assert_eq!(&stored(&reader).unwrap(), expect(reader.seq(), "a reader"), "{what}");
    drop(reader);

    let mut workspace = Workspace::open(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    let seq = workspace.seq().unwrap();
    assert_eq!(&stored(&workspace).unwrap(), expect(seq, "a writer"), "{what}");
    assert_eq!(workspace.check().unwrap(), [], "{what}");
    let edits: Vec<i64> = workspace.history().edits_since(0).unwrap().iter().map(|edit| edit.seq).collect();
    assert_eq!(edits, (1..=seq).collect::<Vec<_>>(), "{what}");
    if seq > 0 {
        let changes = vec![Change::Put { layer: PARCELS.parse().unwrap(), feature: feature(900, 0), expects: None }];
        let next = Edit { author: "王工".to_owned(), note: "事后".to_owned(), changes, lineage: vec![] };
        assert_eq!(workspace.commit(&next, 1_784_896_496_789).unwrap().seq, seq + 1, "{what}");
        let mut wanted = states[seq as usize].clone();
        wanted.get_mut(PARCELS).unwrap().insert(900, (feature(900, 0), seq + 1));
        assert_eq!(stored(&workspace).unwrap(), wanted, "{what}");
    }
    workspace.close().unwrap();
    let verified = Reader::open(&file).unwrap().verify(&mut |_, _| ()).unwrap();
    assert_eq!(verified.discrepancies, [], "{what}");
    assert_eq!(look_at(folder).len(), 1 + leftovers(folder), "{what}: something stays beside the workspace");
}

/// Parts of a new file that was never named: nothing removes them but their owner's hand.
fn leftovers(folder: &Path) -> usize {
    look_at(folder).keys().filter(|path| path.extension().is_some_and(|ending| ending == "part")).count()
}

#[test]
fn a_kill_or_a_loss_of_power_at_any_step_keeps_what_was_acknowledged_and_nothing_in_part() {
    let (calls, bench) = trace();
    // The trace is the truth: carried out, it gives the very bytes that are on the disk.
    let mut disk = Disk::default();
    for call in &calls {
        disk.apply(call);
    }
    assert!(disk.seen() == look_at(&bench.folder), "the library does not see every call");
    let last = calls.iter().rev().find_map(|call| match call {
        Call::Said(text) => said(text),
        _ => None,
    });
    let steps = calls.iter().filter(|call| !matches!(call, Call::Said(_))).count();
    assert_eq!(last, Some(-(steps as i64)), "the library counts what it does not tell");

    let (_, states) = script();
    let checked =
        explore(&calls, Disk::default(), &|wreck, folder, thoroughly| check(wreck, &states, folder, thoroughly));
    eprintln!("{steps} calls of the session changed the disk; {checked} different disks after a crash are sound");
    assert!(steps > 400 && checked > steps, "{steps} steps, {checked} disks");
}

/// Checks every disk that a crash may leave, each in a folder of its own, two at a time; returns how many there are.
pub(super) fn explore(calls: &[Call], disk: Disk, check: &(dyn Fn(&Wreck, &Path, bool) + Sync)) -> usize {
    let (sender, receiver) = mpsc::sync_channel::<Wreck>(16);
    let receiver = Mutex::new(receiver);
    let checked = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = receiver.lock().unwrap().recv();
                    let Ok(wreck) = next else { break };
                    let number = checked.fetch_add(1, Ordering::Relaxed);
                    let folder = scratch();
                    let thoroughly = number.is_multiple_of(if long() { 10 } else { 97 });
                    let sound = AssertUnwindSafe(|| check(&wreck, folder.path(), thoroughly));
                    if catch_unwind(sound).is_err() {
                        failed.lock().unwrap().push(wreck.what);
                    }
                }
            });
        }
        wrecks(calls, disk, &mut |wreck| sender.send(wreck).unwrap());
        drop(sender);
    });
    let (checked, failed) = (checked.into_inner(), failed.into_inner().unwrap());
    assert!(failed.is_empty(), "{} of {checked} disks: {failed:#?}", failed.len());
    checked
}

/// The session really killed: the process, and the files as the operating system keeps them.
#[test]
fn a_process_killed_at_a_step_leaves_what_the_trace_says() {
    let (_, states) = script();
    let (mut kills, mut number) = (0, 1);
    loop {
        for word in if long() { vec!["before", "after"] } else { vec![["before", "after"][kills % 2]] } {
            let bench = Bench::new();
            let output = bench.start("session", &format!("kill {word} {number}")).wait_with_output().unwrap();
            if output.status.success() {
                eprintln!("{kills} processes were killed, spread over the steps up to {number}");
                assert!(kills > 10 && number > 400, "{kills} kills up to step {number}");
                return;
            }
            assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
            kills += 1;
            let acks = String::from_utf8(output.stdout).unwrap();
            let acknowledged = acks.lines().filter_map(said).next_back().unwrap_or(-1);
            let what = format!("killed {word} step {number}");
            check(&Wreck { image: Image::new(), acknowledged, what }, &states, &bench.folder, kills % 10 == 0);
        }
        number += if long() { 1 } else { 53 };
    }
}
