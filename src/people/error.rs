//! What can be wrong with people and their file.

/// Why people could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// Others may read the file, and that cannot be mended.
    #[error(
        "{path}: others may read it (mode {mode:03o}) and it could not be kept to its owner: {source}; say chmod 600"
    )]
    Open {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{path} is not a file of people: move it away, or name another workspace")]
    NotOurs {
        /// The file.
        path: String,
    },
    /// The file comes from a later version.
    #[error("{path} was written by a later version of mutu (its format is {found}, this one knows {known})")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The engine of the file.
    #[error("the people's file: {0}")]
    Engine(#[from] rusqlite::Error),
    /// A name that cannot be one.
    #[error("{given:?} cannot be a person's name: {why}")]
    BadName {
        /// The name.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A password that cannot be one; it is not repeated.
    #[error("this cannot be a password: {0}")]
    BadPassword(String),
    /// A word that is no role.
    #[error("{0:?} is no role: say reader, editor, manager or administrator")]
    UnknownRole(String),
    /// There is somebody of that name.
    #[error("there is {0:?} already: choose another name")]
    Exists(String),
    /// Nobody would be left who decides about people.
    #[error("this is the last administrator: make another one first")]
    LastAdministrator,
    /// A subject of an identity provider that cannot be one.
    #[error("{0}")]
    BadSubject(String),
    /// Another person is that subject.
    #[error("{0:?} is linked with that subject already: unlink them first")]
    SubjectTaken(String),
    /// There is nobody of that name.
    #[error("there is nobody called {0:?}")]
    Nobody(String),
    /// There is no token of that number.
    #[error("there is no token {0}")]
    NoToken(i64),
    /// Rights that make no sense.
    #[error("{0}")]
    BadRights(String),
    /// The machine has no randomness.
    #[error("the operating system gives no random bits: {0}")]
    NoRandomness(String),
    /// What is stored cannot be read.
    #[error("the people's file holds {0} that cannot be read")]
    Unreadable(String),
}
