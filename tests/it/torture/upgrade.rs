//! The upgrade of a workspace of format 1, cut off or failing at every step: the old one or the new one is there, whole,
//! and the copy of the old one wherever it is called so.

use std::path::{Path, PathBuf};

use mutu::{
    planner::Planner,
    store::{Reader, StoreError, Workspace},
};

use super::{
    Bench, command, count,
    crashes::{Wreck, explore},
    disk::{Disk, look_at, read_trace},
    long, scratch,
    session::{State, say, stored, tell},
    workspace_in,
};

/// Puts the workspace that the last program of format 1 wrote into a folder.
fn old(folder: &Path) -> PathBuf {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/workspaces/format-1.gpkg");
    let file = workspace_in(folder);
    std::fs::copy(fixture, &file).unwrap();
    file
}

/// What it holds: `tests/it/store/upgrade.rs` says so in figures.
fn held() -> State {
    let folder = scratch();
    let reader = Reader::open(&old(folder.path())).unwrap();
    assert_eq!((reader.format(), reader.seq()), (1, 11));
    let state = stored(&reader).unwrap();
    assert!(state.len() == 3 && state.values().map(std::collections::BTreeMap::len).sum::<usize>() == 6);
    state
}

/// Asserts that an upgraded, or not yet upgraded, workspace is whole and can be worked with.
fn check(folder: &Path, acknowledged: bool, held: &State, what: &str) {
    let file = workspace_in(folder);
    let reader = Reader::open(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    let format = reader.format();
    assert_eq!(&stored(&reader).unwrap(), held, "{what}");
    assert_eq!(reader.seq(), 10 + format, "{what}");
    drop(reader);
    let copies = |folder: &Path| {
        let copies = look_at(folder).into_keys().filter(|path| path.to_string_lossy().contains(".format-1"));
        let copies: Vec<PathBuf> =
            copies.filter(|path| path.extension().is_some_and(|ending| ending == "gpkg")).collect();
        for copy in &copies {
            let reader = Reader::open(copy).unwrap_or_else(|error| panic!("{what}: the copy: {error}"));
            assert_eq!((reader.format(), reader.seq(), &stored(&reader).unwrap()), (1, 11, held), "{what}: the copy");
            assert_eq!(reader.check().unwrap(), [], "{what}: the copy");
        }
        copies.len()
    };
    assert!(copies(folder) > 0 || format == 1, "{what}: upgraded without a copy");
    assert!(format == 2 || !acknowledged, "{what}: the upgrade was acknowledged and is gone");

    let workspace = Workspace::open(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(workspace.upgraded().is_some(), format == 1, "{what}");
    assert_eq!(&stored(&workspace).unwrap(), held, "{what}");
    assert_eq!(workspace.check().unwrap(), [], "{what}");
    workspace.close().unwrap();
    assert!(copies(folder) > 0, "{what}");
    let reader = Reader::open(&file).unwrap();
    assert_eq!((reader.format(), reader.seq()), (2, 12), "{what}");
    assert_eq!(reader.verify(&mut |_, _| ()).unwrap().discrepancies, [], "{what}");
}

/// What the tortured process does: it opens the old workspace to write.
pub(super) fn run(file: &Path) {
    let planner = Planner::open(file).unwrap();
    say(12);
    planner.close().unwrap();
}

#[test]
fn an_upgrade_cut_off_at_any_step_leaves_the_old_or_the_new_workspace_whole() {
    let bench = Bench::new();
    old(&bench.folder);
    let before = Disk::of(&bench.folder);
    let output = bench.start("upgrade", "off").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = read_trace(&std::fs::read(&bench.trace).unwrap());
    let mut disk = before.clone();
    for call in &calls {
        disk.apply(call);
    }
    assert!(disk.seen() == look_at(&bench.folder), "the library does not see every call");
    let held = held();
    let checked = explore(&calls, before, &|wreck: &Wreck, folder, _| {
        wreck.lay_out(folder);
        check(folder, wreck.acknowledged == 12, &held, &wreck.what);
    });
    eprintln!("{} calls of the upgrade; {checked} different disks after a crash are sound", calls.len());
    assert!(calls.len() > 60 && checked > 60);
}

/// What the tortured process does: it opens the old workspace with a fault at each step in turn.
pub(super) fn run_with_errors(folder: &Path, control: &Path) {
    let held = held();
    let faults = ["fail EIO once", "fail ENOSPC once", "fail EIO on", "fail ENOSPC on", "short"];
    let (mut number, mut refused) = (1, 0);
    loop {
        let one = number % faults.len();
        let mut steps = 0;
        for fault in if long() { &faults[..] } else { &faults[one..=one] } {
            let place = folder.join(format!("{number} {fault}"));
            std::fs::create_dir(&place).unwrap();
            let file = old(&place);
            command(control, "reset");
            command(control, &format!("{fault} {number}"));
            let what = format!("{fault} {number}");
            let opened = Workspace::open(&file);
            command(control, "off");
            match opened {
                Ok(workspace) => workspace.close().unwrap(),
                Err(StoreError::DiskFull | StoreError::Io { .. } | StoreError::Uncertain { .. }) => refused += 1,
                Err(other) => panic!("{what}: {other:?}"),
            }
            steps = count(control) as usize;
            check(&place, false, &held, &what);
            std::fs::remove_dir_all(&place).unwrap();
        }
        if number > steps {
            break;
        }
        number += if long() { 1 } else { 4 };
    }
    tell(&format!("upgrades: a fault at steps up to {number}, {refused} refused"));
    assert!(number > 60 && refused > 10);
}

#[test]
fn an_upgrade_on_a_failing_disk_is_refused_and_done_the_next_time() {
    let bench = Bench::new();
    let output = bench.start("upgrades", "off").wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    eprintln!("{}", out.lines().find(|line| line.starts_with("upgrades: ")).unwrap());
}
