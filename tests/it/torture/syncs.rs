//! A sync fails at each place of a session in turn, and then the power, at once: what the error said of the change is so
//! when the workspace is opened again. A change of which it said that it left nothing is absent; one of which it said that
//! nobody knows may be there, whole; what was acknowledged before and afterwards stays.

use std::path::Path;

use mutu::{
    planner::{ErrorClass, Planner, PlannerError},
    store::{Reader, StoreError, Workspace},
};

use super::{
    Bench, command,
    crashes::{Dice, Wreck, said},
    disk::{Call, Disk, read_trace},
    long, scratch,
    session::{State, Step, say, script, stored, take, tell},
    workspace_in,
};

/// What the tortured process does: the session until a step fails; after a fault that passes, that step once more.
pub(super) fn run(file: &Path, sources: &Path, control: &Path) {
    let (steps, _) = script();
    let open = || {
        let planner = Planner::open_or_create(file)?;
        planner.load(&mut |_| ())?;
        Ok::<_, PlannerError>(planner)
    };
    let planner = match open() {
        Ok(planner) => planner,
        Err(error) => {
            refused(&error);
            std::process::exit(0);
        }
    };
    say(0);
    for (seq, step) in
        (1..).zip(&steps).filter(|(_, step)| !matches!(step, Step::Compact { .. })).take_while(|(seq, _)| *seq < 10)
    {
        if let Err(error) = take(&planner, seq, step, sources) {
            refused(&error);
            command(control, "off");
            take(&planner, seq, step, sources).unwrap_or_else(|error| panic!("again: {error}"));
            say(seq);
            // As it stands, without closing.
            std::process::exit(0);
        }
        say(seq);
    }
    if let Err(error) = planner.close() {
        refused(&error);
    }
    tell("ack through");
    std::process::exit(0);
}

fn refused(error: &PlannerError) {
    assert_eq!(error.class(), ErrorClass::Io, "{error:?}");
    let is_uncertain = matches!(error, PlannerError::Store(StoreError::Uncertain { .. }));
    tell(if is_uncertain { "ack uncertain" } else { "ack nothing" });
}

/// What may be in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MayBe {
    from: i64,
    to: i64,
}

/// Opens a wreck and returns the number of the last entry; -1 where there is no workspace.
fn opened(wreck: &Wreck, states: &[State], may_be: MayBe) -> i64 {
    let what = &wreck.what;
    let folder = scratch();
    wreck.lay_out(folder.path());
    let file = workspace_in(folder.path());
    if !file.exists() {
        assert_eq!(may_be.from, -1, "{what}: the workspace is gone");
        return -1;
    }
    let workspace = Workspace::open(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    let seq = workspace.seq().unwrap();
    assert!(
        (may_be.from..=may_be.to).contains(&seq),
        "{what}: the workspace holds number {seq}, it should be {may_be:?}"
    );
    assert_eq!(&stored(&workspace).unwrap(), &states[seq as usize], "{what}");
    workspace.close().unwrap();
    let verified = Reader::open(&file).unwrap().verify(&mut |_, _| ()).unwrap();
    assert_eq!(verified.discrepancies, [], "{what}");
    seq
}

/// How often which was met.
#[derive(Debug, Default)]
struct Met {
    nothing: u64,
    uncertain: u64,
    /// A change of which nobody knew was there after all.
    there: u64,
    disks: u64,
}

/// Goes through the trace, and looks at what a loss of power leaves whenever the process has said something of a failure.
fn look(calls: &[Call], states: &[State], what: &str, met: &mut Met) -> bool {
    let mut disk = Disk::default();
    let (mut acknowledged, mut has_failed, mut is_through) = (-1, false, false);
    for call in calls {
        disk.apply(call);
        let Call::Said(text) = call else { continue };
        is_through |= text.trim() == "ack through";
        let may_be = match text.trim() {
            "ack nothing" => {
                met.nothing += 1;
                MayBe { from: acknowledged, to: acknowledged.max(0) }
            }
            "ack uncertain" => {
                met.uncertain += 1;
                MayBe { from: acknowledged, to: acknowledged + 1 }
            }
            other => {
                acknowledged = said(other).filter(|seq| *seq > -2).unwrap_or(acknowledged);
                MayBe { from: acknowledged, to: acknowledged }
            }
        };
        has_failed |= text.contains("nothing") || text.contains("uncertain");
        if !has_failed {
            continue;
        }
        let mut images = vec![("killed", disk.seen()), ("power lost", disk.safe())];
        for seed in 0..if long() { 12 } else { 3 } {
            let mut dice = Dice(seed * 104_729);
            images.push(("power lost in part", disk.perhaps(|| dice.roll(8) < 1 + seed % 7)));
        }
        for (how, image) in images {
            let wreck = Wreck { image, acknowledged, what: format!("{what}, {how} after {:?}", text.trim()) };
            let seq = opened(&wreck, states, may_be);
            met.disks += 1;
            met.there += u64::from(text.contains("uncertain") && seq > acknowledged);
        }
    }
    is_through
}

#[test]
fn what_is_said_of_a_change_whose_sync_failed_holds_after_a_loss_of_power() {
    let (_, states) = script();
    let mut met = Met::default();
    for how in ["once", "on"] {
        let mut number = 1;
        loop {
            let bench = Bench::new();
            let what = format!("sync {how} {number}");
            let output = bench.start("syncs", &what).wait_with_output().unwrap();
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            let failed_before = met.nothing + met.uncertain;
            let calls = read_trace(&std::fs::read(&bench.trace).unwrap());
            let is_through = look(&calls, &states, &what, &mut met);
            if is_through
                && met.nothing + met.uncertain == failed_before
                && !calls.iter().any(|call| matches!(call, Call::FailedSync { .. }))
            {
                break;
            }
            number += if long() { 1 } else { 3 };
        }
        assert!(number > 15, "{number} syncs");
    }
    eprintln!(
        "a sync failed: {} times the change was said to have left nothing, {} times that nobody knows (and it was there on \
         {} disks); {} disks after a loss of power are as said",
        met.nothing, met.uncertain, met.there, met.disks
    );
    assert!(met.nothing > 3 && met.uncertain > 1 && met.there > 0, "{met:?}");
}
