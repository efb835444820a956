//! The command line: what was typed, then what it means. One file for each verb.
//!
//! Exit codes: 0 done; 2 usage; 20 invalid data (the file as a whole); 21 done, but rows were refused;
//! 30 conflict (the layer exists, the workspace is in use); 40 not found; 60 input/output; 70 a fault of ours.

mod check;
mod export;
mod history;
mod history_past;
mod import;
mod merge;
mod output;
mod outside;
mod progress;
mod seed;
mod serve;
mod stats;
mod user;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    people::PeopleError,
    planner::{ErrorClass, PlannerError},
};

/// 亩图 Mutu: parcels, parks and their numbers in one durable file.
#[derive(Debug, Parser)]
#[command(name = "mutu", version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 2 usage, 20 invalid data, 21 done but rows were refused, 30 conflict, \
                        40 not found, 60 input/output.\n\nExample:\n  mutu seed --workspace heshan.gpkg\n  \
                        mutu serve --workspace heshan.gpkg")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the workspace: the map in the browser and the API
    Serve(serve::Serve),
    /// Make a new workspace with the Heshan demonstration data
    Seed(seed::Seed),
    /// Take files into a layer of the workspace, all or nothing
    Import(import::Import),
    /// Write a layer to a file
    Export(export::Export),
    /// Count and measure features by group
    Stats(stats::Stats),
    /// Show, take in or refuse what other programs did to the file
    Outside(outside::Outside),
    /// Look for faults in the file and in the geometry of its layers
    Check(check::Check),
    /// Prove that nothing in the record was altered behind its back
    Verify(verify::Verify),
    /// List, move and compact the record of what was done
    History(history::History),
    /// Decide who may sign in, and make tokens for scripts and GIS programs
    User(user::User),
}

/// The workspace, which every verb has.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkspaceArgument {
    /// The workspace file
    #[arg(long, short = 'w', value_name = "FILE", env = "MUTU_WORKSPACE", default_value = "mutu.gpkg")]
    workspace: PathBuf,
}

/// Why a verb did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    pub(crate) fn io(message: impl Into<String>) -> Self {
        Self { code: 60, message: message.into() }
    }
}

impl From<PlannerError> for Failure {
    fn from(error: PlannerError) -> Self {
        let code = match error.class() {
            ErrorClass::Usage => 2,
            ErrorClass::InvalidData => 20,
            ErrorClass::Conflict => 30,
            ErrorClass::NotFound => 40,
            ErrorClass::Io => 60,
            ErrorClass::Internal => 70,
        };
        Self { code, message: error.to_string() }
    }
}

impl From<PeopleError> for Failure {
    fn from(error: PeopleError) -> Self {
        let code = match &error {
            PeopleError::BadName { .. }
            | PeopleError::BadPassword(_)
            | PeopleError::UnknownRole(_)
            | PeopleError::BadRights(_)
            | PeopleError::BadSubject(_) => 2,
            PeopleError::NotOurs { .. } | PeopleError::Newer { .. } | PeopleError::Unreadable(_) => 20,
            PeopleError::Exists(_) | PeopleError::SubjectTaken(_) | PeopleError::LastAdministrator => 30,
            PeopleError::Nobody(_) | PeopleError::NoToken(_) => 40,
            PeopleError::Io { .. }
            | PeopleError::Open { .. }
            | PeopleError::Engine(_)
            | PeopleError::NoRandomness(_) => 60,
        };
        Self { code, message: error.to_string() }
    }
}

/// What a verb that ran to its end says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Done, but rows were refused or faults were found.
    WithRefusals,
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.verb {
        Verb::Serve(verb) => verb.run(),
        Verb::Seed(verb) => verb.run(),
        Verb::Import(verb) => verb.run(),
        Verb::Export(verb) => verb.run(),
        Verb::Stats(verb) => verb.run(),
        Verb::Outside(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Verify(verb) => verb.run(),
        Verb::History(verb) => verb.run(),
        Verb::User(verb) => verb.run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::WithRefusals) => ExitCode::from(21),
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
