//! What is acknowledged stays, whatever happens to the process, the disk or the power; what fails says so and harms
//! nothing; writers and readers never see or lose half a change.
//!
//! The faults come from `tests/torture/faulty.c`, a C library preloaded into a process of its own: this test binary,
//! started again in one of the roles below. `MUTU_TORTURE=long` (`make torture`) tries every fault at every step;
//! otherwise every step is tried and the faults take turns.

mod crashes;
mod disk;
mod errors;
mod readers;
mod session;
mod syncs;
mod upgrade;
mod writers;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

const ROLE: &str = "MUTU_TORTURE_ROLE";
const FOLDER: &str = "FAULTY_FOLDER";
const CONTROL: &str = "FAULTY_CONTROL";
const TRACE: &str = "FAULTY_TRACE";

/// Whether everything shall be tried.
fn long() -> bool {
    match std::env::var("MUTU_TORTURE").as_deref() {
        Ok("long") => true,
        Ok(other) if !other.is_empty() => panic!("MUTU_TORTURE is {other:?}: say long, or leave it unset"),
        _ => false,
    }
}

/// The library that fails on command, built once.
fn faulty() -> &'static Path {
    static BUILT: OnceLock<(PathBuf, tempfile::TempDir)> = OnceLock::new();
    let (path, _) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("faulty.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/faulty.c");
        let mut compiler = Command::new("gcc");
        compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        let built = compiler.arg(&library).arg(&source).args(["-ldl", "-lpthread"]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        (library, folder)
    });
    path
}

/// A folder for a tortured workspace and what belongs to it, in memory where the machine has such a place: the
/// library, not the disk, says what is durable.
struct Bench {
    _all: tempfile::TempDir,
    /// What the library watches.
    folder: PathBuf,
    sources: PathBuf,
    control: PathBuf,
    trace: PathBuf,
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

impl Bench {
    fn new() -> Self {
        let all = scratch();
        let at = |name: &str| all.path().join(name);
        let bench =
            Self { folder: at("data"), sources: at("sources"), control: at("control"), trace: at("trace"), _all: all };
        std::fs::create_dir(&bench.folder).unwrap();
        std::fs::create_dir(&bench.sources).unwrap();
        std::fs::write(&bench.control, "").unwrap();
        bench
    }

    fn workspace(&self) -> PathBuf {
        workspace_in(&self.folder)
    }

    /// This binary again, in a role, with the library between it and the disk, and with a first command for it.
    fn start(&self, role: &str, command: &str) -> Child {
        self.start_with(role, command, &[])
    }

    fn start_with(&self, role: &str, command: &str, variables: &[(&str, &str)]) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["torture::child_role", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env("MUTU_TORTURE_COMMAND", command)
            .env(FOLDER, &self.folder)
            .env(CONTROL, &self.control)
            .env(TRACE, &self.trace)
            .env("LD_PRELOAD", faulty())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

fn workspace_in(folder: &Path) -> PathBuf {
    folder.join("鹤山.gpkg")
}

/// Tells the library what to do.
fn command(control: &Path, words: &str) {
    std::fs::write(control, words).unwrap();
}

/// So many steps the library has counted.
fn count(control: &Path) -> u64 {
    command(control, "count");
    std::fs::read_to_string(control).unwrap().parse().unwrap()
}

/// Not a test of its own: what the tortured process does. Returns at once in an ordinary run.
#[test]
fn child_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = |name: &str| PathBuf::from(std::env::var(name).unwrap());
    let control = path(CONTROL);
    let folder = path(FOLDER);
    let sources = folder.with_file_name("sources");
    command(&control, &std::env::var("MUTU_TORTURE_COMMAND").unwrap());
    match role.as_str() {
        "session" => session::run(&workspace_in(&folder), &sources),
        "upgrade" => upgrade::run(&workspace_in(&folder)),
        "upgrades" => return upgrade::run_with_errors(&folder, &control),
        "open" => return writers::open(&workspace_in(&folder)),
        "syncs" => return syncs::run(&workspace_in(&folder), &sources, &control),
        "errors" => return errors::run(&folder, &sources, &control),
        other => panic!("unknown role {other}"),
    }
    let steps = count(&control);
    session::say(-(steps as i64));
}
