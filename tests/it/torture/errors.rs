//! The disk is full or fails at every step of the session: what was asked for is refused with a clear word, the picture
//! that is served stays the last committed one, and as soon as the disk is well again work goes on in the same process.

use std::path::Path;

use mutu::{
    planner::{ErrorClass, Planner, PlannerError},
    store::{Reader, StoreError, Workspace},
};

use super::{
    Bench, command, count, long,
    session::{State, Step, script, shown, stored, take, tell},
    workspace_in,
};

/// What fails, as the library is told.
const FAULTS: [&str; 5] = ["fail EIO once", "fail ENOSPC once", "fail EIO on", "fail ENOSPC on", "short"];

/// What the tortured process does: the session again and again, each time with a fault at another step.
pub(super) fn run(folder: &Path, sources: &Path, control: &Path) {
    let share: Vec<u64> = std::env::var(SHARE).unwrap().split(',').map(|number| number.parse().unwrap()).collect();
    let (first, stride) = (share[0], share[1]);
    let (mut sessions, mut refused, mut reached) = (0_u64, 0_u64, 0_u64);
    let mut number = first;
    loop {
        let faults = if long() { &FAULTS[..] } else { &FAULTS[(sessions as usize) % 5..][..1] };
        let mut steps = 0;
        for fault in faults {
            let place = folder.join(format!("{sessions}"));
            std::fs::create_dir(&place).unwrap();
            command(control, "reset");
            command(control, &format!("{fault} {number}"));
            let mut session = Session { control, sources, what: format!("{fault} {number}"), refused: 0 };
            session.run(&workspace_in(&place));
            command(control, "off");
            steps = count(control);
            sessions += 1;
            refused += session.refused;
            std::fs::remove_dir_all(&place).unwrap();
        }
        if number > steps {
            break;
        }
        reached = reached.max(number);
        number += stride;
    }
    tell(&format!(
        "errors: {sessions} sessions, a fault at one step of each up to step {reached}, {refused} times refused"
    ));
    // A session with a fault at any step refuses something, unless what failed is tried again by itself or not needed.
    assert!(reached > 400 && refused > sessions / 2, "the faults do not arrive");
}

/// Which steps a process fails at: the first, and how far to the next.
const SHARE: &str = "MUTU_TORTURE_SHARE";

struct Session<'a> {
    control: &'a Path,
    sources: &'a Path,
    what: String,
    refused: u64,
}

impl Session<'_> {
    fn run(&mut self, file: &Path) {
        let (steps, states) = script();
        let mut planner = self.open(file);
        for (seq, step) in (1..).zip(&steps) {
            if let Err(error) = take(&planner, seq, step, self.sources) {
                self.meet(&error);
                self.expect(&planner, &states[seq as usize - 1], "after a refusal");
                take(&planner, seq, step, self.sources).unwrap_or_else(|error| panic!("{}: again: {error}", self.what));
            }
            self.expect(&planner, &states[seq as usize], "after a step");
            if matches!(step, Step::Compact { .. }) {
                self.close(planner);
                planner = self.open(file);
            }
        }
        self.close(planner);
        command(self.control, "off");
        let workspace = Workspace::open(file).unwrap();
        // Where closing failed the next opening says so, and that nothing was cut off.
        assert!(workspace.recovered().is_none_or(|recovery| !recovery.discarded), "{}", self.what);
        assert_eq!(&stored(&workspace).unwrap(), states.last().unwrap(), "{}", self.what);
        assert_eq!(workspace.check().unwrap(), [], "{}", self.what);
        let edits: Vec<i64> = workspace.history().edits_since(0).unwrap().iter().map(|edit| edit.seq).collect();
        assert_eq!(edits, (1..=steps.len() as i64).collect::<Vec<_>>(), "{}", self.what);
        workspace.close().unwrap();
        let verified = Reader::open(file).unwrap().verify(&mut |_, _| ()).unwrap();
        assert_eq!(verified.discrepancies, [], "{}", self.what);
    }

    fn open(&mut self, file: &Path) -> Planner {
        let planner = Planner::open_or_create(file).unwrap_or_else(|error| {
            self.meet(&error);
            Planner::open_or_create(file).unwrap_or_else(|error| panic!("{}: again: {error}", self.what))
        });
        planner.load(&mut |_| ()).unwrap_or_else(|error| panic!("{}: loading: {error}", self.what));
        planner
    }

    fn close(&mut self, planner: Planner) {
        if let Err(error) = planner.close() {
            self.meet(&error);
        }
    }

    /// An error of the disk, and of nothing else; the disk is well afterwards.
    fn meet(&mut self, error: &PlannerError) {
        command(self.control, "off");
        self.refused += 1;
        assert_eq!(error.class(), ErrorClass::Io, "{}: {error:?}", self.what);
        if self.what.contains("ENOSPC") {
            // The engine does not say why it cannot make a file.
            let is_full = matches!(error, PlannerError::Store(StoreError::DiskFull));
            assert!(is_full || error.to_string().contains("is the disk full"), "{}: {error:?}", self.what);
        }
    }

    fn expect(&self, planner: &Planner, state: &State, when: &str) {
        assert!(&shown(&planner.read()) == state, "{}: {when} another picture is served", self.what);
    }
}

#[test]
fn a_disk_that_fails_at_any_step_is_reported_and_the_process_goes_on() {
    // Two processes share the steps in the long form; in the short one, one of them takes some.
    let shares = if long() { vec!["1,2", "2,2"] } else { vec!["1,17"] };
    let started: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let bench = Bench::new();
            let child = bench.start_with("errors", "off", &[(SHARE, share)]);
            (child, bench)
        })
        .collect();
    for (child, _bench) in started {
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        eprintln!("{}", out.lines().find(|line| line.starts_with("errors: ")).unwrap());
    }
}
