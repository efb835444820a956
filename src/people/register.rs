//! Everybody at one moment: who has which token and session, and what that lets them do.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, Row};
use rustc_hash::FxHashMap;

use super::{
    LOCAL,
    error::PeopleError,
    person::{Person, Subject},
    right::{Rights, Role},
    secret::Hash,
    session, token,
};

/// Somebody who has shown who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name under which the history keeps what they change.
    pub author: String,
    /// The person; none for a token of its own, and at one's own machine.
    pub person: Option<String>,
    /// What they may do.
    pub role: Role,
    /// What they see.
    pub rights: Arc<Rights>,
    /// How they showed it.
    pub means: Means,
    /// What is kept of what they showed.
    pub(super) proof: Hash,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By the cookie of a session.
    Session,
    /// By a token.
    Token,
}

/// All people, tokens and sessions.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// By name in small letters.
    pub(super) people: BTreeMap<String, Arc<Person>>,
    /// Whom an issuer's subject is, as names in small letters.
    pub(super) subjects: BTreeMap<Subject, String>,
    pub(super) tokens: FxHashMap<Hash, Arc<token::Stored>>,
    pub(super) sessions: FxHashMap<Hash, Arc<session::Stored>>,
}

impl Register {
    pub(super) fn read(conn: &Connection) -> Result<Self, PeopleError> {
        let mut register = Self::default();
        let mut statement = conn.prepare_cached(
            "SELECT p.name, p.role, p.password, p.rights, p.disabled, s.issuer, s.subject \
             FROM person p LEFT JOIN subject s ON s.person = p.name",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let person = Person {
                name: row.get(0)?,
                role: role_of(row, 1)?,
                password: row.get(2)?,
                rights: rights_of(row, 3)?,
                is_disabled: row.get(4)?,
                subject: match (row.get(5)?, row.get(6)?) {
                    (Some(issuer), Some(subject)) => Some(Subject { issuer, subject }),
                    _ => None,
                },
            };
            if let Some(subject) = &person.subject {
                register.subjects.insert(subject.clone(), key_of(&person.name));
            }
            register.people.insert(key_of(&person.name), Arc::new(person));
        }
        for stored in token::read(conn)? {
            register.tokens.insert(stored.hash, Arc::new(stored));
        }
        for stored in session::read(conn)? {
            register.sessions.insert(stored.hash, Arc::new(stored));
        }
        Ok(register)
    }

    pub(super) fn person(&self, name: &str) -> Option<&Arc<Person>> {
        self.people.get(&key_of(name))
    }

    /// Whom an issuer vouches for.
    pub(super) fn of_subject(&self, subject: &Subject) -> Option<&Arc<Person>> {
        self.people.get(self.subjects.get(subject)?)
    }

    /// Whom a session is of; a session at one's own machine is nobody's once there are people.
    pub(super) fn of_session(&self, session: &session::Stored) -> Option<Identity> {
        let means = Means::Session;
        let Some(name) = &session.person else {
            let local = || Identity {
                author: LOCAL.to_owned(),
                person: None,
                role: Role::Administrator,
                rights: Arc::default(),
                means,
                proof: session.hash,
            };
            return self.people.is_empty().then(local);
        };
        let person = self.person(name).filter(|person| !person.is_disabled)?;
        Some(Identity {
            author: person.name.clone(),
            person: Some(person.name.clone()),
            role: person.role,
            rights: Arc::clone(&person.rights),
            means,
            proof: session.hash,
        })
    }

    /// Whom a token is of. A person's token may do what both may.
    pub(super) fn of_token(&self, token: &token::Stored) -> Option<Identity> {
        let means = Means::Token;
        let Some(name) = &token.token.person else {
            let (author, rights) = (token.author(), Arc::clone(&token.token.rights));
            return Some(Identity { author, person: None, role: token.token.role, rights, means, proof: token.hash });
        };
        let person = self.person(name).filter(|person| !person.is_disabled)?;
        Some(Identity {
            author: person.name.clone(),
            person: Some(person.name.clone()),
            role: person.role.min(token.token.role),
            rights: Arc::clone(&person.rights),
            means,
            proof: token.hash,
        })
    }
}

/// What names are compared by.
fn key_of(name: &str) -> String {
    name.to_ascii_lowercase()
}

pub(super) fn role_of(row: &Row<'_>, column: usize) -> Result<Role, PeopleError> {
    let text: String = row.get(column)?;
    text.parse()
}

/// Rights that cannot be read are an error: taken for none they would show everything.
pub(super) fn rights_of(row: &Row<'_>, column: usize) -> Result<Arc<Rights>, PeopleError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map(Arc::new).map_err(|error| PeopleError::Unreadable(format!("rights ({error})")))
}
