//! `mutu user`: who may sign in, what each may do, tokens, the record.
//!
//! Secrets come from a prompt or standard input and never from an argument, which every program on the machine can read.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal},
};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    domain::{calendar, schema::LayerId},
    people::{Altered, Entry, Kind, NewPerson, NewToken, People, Rights, Role, Subject},
    planner::{Planner, now_ms},
};

use super::{
    Failure, Outcome, WorkspaceArgument,
    output::{self, Format},
};

/// Decide who may sign in, and make tokens for scripts and GIS programs
///
/// People are kept in a file of their own beside the workspace (FILE.people), which only its owner may read. A running
/// server follows within a tenth of a second.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Roles: reader (reads), editor (changes features), manager (imports, restores, sees all rows), \
                        administrator (people too).\n\nExamples:\n  mutu user add li --role administrator\n  \
                        mutu user add wang --role editor --edit parcels,supply --rows \"parcels=town = '址山镇'\"\n  \
                        mutu user add chen --role reader --oidc-issuer https://login.office.example \
                        --oidc-subject 248289761001\n  \
                        mutu user token --role reader --name qgis --days 365"
)]
pub(super) struct User {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add somebody; the password is asked for, or read from standard input
    Add(Add),
    /// List everybody
    List(List),
    /// Give somebody another password, asked for or read from standard input; their sessions end
    Password(Password),
    /// Give somebody another role
    Role(ChangeRole),
    /// Say anew which layers and rows somebody sees and may change; all where nothing is said
    Grant(Grant),
    /// Say who somebody is at an identity provider (see mutu serve --oidc-issuer); their sessions end
    Link(Link),
    /// Somebody is nobody at an identity provider any more; their sessions end
    Unlink(Named),
    /// Keep somebody out for the time being
    Disable(Named),
    /// Let somebody in again
    Enable(Named),
    /// Remove somebody with their tokens and sessions
    Remove(Named),
    /// Make a token and print it: it is shown this once
    Token(MakeToken),
    /// List all tokens, without their secrets
    Tokens(List),
    /// End a token for good
    Revoke(Revoke),
    /// Show the record of changes, sign-ins and refusals, the newest first
    Audit(Audit),
}

/// What somebody sees and may change.
#[derive(Debug, clap::Args)]
struct RightArguments {
    /// Layers that may be read, separated by commas; all where not given
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    read: Option<Vec<LayerId>>,
    /// Layers that an editor may change, separated by commas; all that may be read where not given
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    edit: Option<Vec<LayerId>>,
    /// Rows of a layer that may be seen, as a CQL2 filter; may be given once for each layer
    #[arg(long, value_name = "LAYER=CQL2")]
    rows: Vec<String>,
}

/// Refused with words: an argument is no place for a secret.
#[derive(Debug, clap::Args)]
#[expect(clippy::option_option, reason = "an option with a value or without one, which is refused either way")]
struct NoSecret {
    #[arg(long, hide = true, num_args = 0..=1)]
    password: Option<Option<String>>,
}

impl NoSecret {
    fn check(&self) -> Result<(), Failure> {
        if self.password.is_none() {
            return Ok(());
        }
        Err(Failure::usage(
            "--password is not taken: every program on this machine can read arguments, and shells keep them. Leave it out \
             and type the password when asked, or send it on standard input",
        ))
    }
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
    /// reader, editor, manager or administrator
    #[arg(long, value_name = "ROLE")]
    role: Role,
    #[command(flatten)]
    rights: RightArguments,
    /// No password: only tokens let them in; so it is where they sign in at an identity provider
    #[arg(long)]
    no_password: bool,
    /// The identity provider where they sign in, to the letter as it calls itself
    #[arg(long, value_name = "URL", requires = "oidc_subject")]
    oidc_issuer: Option<String>,
    /// Whom it says they are (sub): the refusal of who is not linked shows it
    #[arg(long, value_name = "SUBJECT", requires = "oidc_issuer")]
    oidc_subject: Option<String>,
    #[command(flatten)]
    secret: NoSecret,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
}

#[derive(Debug, clap::Args)]
struct Link {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
    /// The identity provider, to the letter as it calls itself
    #[arg(long, value_name = "URL")]
    oidc_issuer: String,
    /// Whom it says they are (sub): the refusal of who is not linked shows it
    #[arg(long, value_name = "SUBJECT")]
    oidc_subject: String,
}

#[derive(Debug, clap::Args)]
struct Password {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
    #[command(flatten)]
    secret: NoSecret,
}

#[derive(Debug, clap::Args)]
struct ChangeRole {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
    /// reader, editor, manager or administrator
    role: Role,
}

#[derive(Debug, clap::Args)]
struct Grant {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The name
    name: String,
    #[command(flatten)]
    rights: RightArguments,
}

#[derive(Debug, clap::Args)]
struct MakeToken {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// What it lets one do; what the person may where --user is given
    #[arg(long, value_name = "ROLE", required_unless_present = "user")]
    role: Option<Role>,
    /// Whose it is; it then shows what that person sees
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What it is called, in the list and in the history
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// After so many days it ends; never where not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    #[command(flatten)]
    rights: RightArguments,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The token's number; see mutu user tokens
    id: i64,
}

#[derive(Debug, clap::Args)]
struct Audit {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// Entries
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl User {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self.verb {
            Verb::Add(verb) => verb.run()?,
            Verb::List(verb) => verb.people()?,
            Verb::Password(verb) => verb.run()?,
            Verb::Role(verb) => {
                let people = open(&verb.workspace)?;
                people.set_role(&verb.name, verb.role)?;
                note(&people, &format!("{} becomes {}", verb.name, verb.role));
            }
            Verb::Grant(verb) => {
                let people = open(&verb.workspace)?;
                let rights = verb.rights.read(&verb.workspace)?;
                people.set_rights(&verb.name, &rights)?;
                note(&people, &format!("rights of {}", verb.name));
            }
            Verb::Link(verb) => {
                let people = open(&verb.workspace)?;
                let subject = Subject { issuer: verb.oidc_issuer, subject: verb.oidc_subject };
                let what = format!("link {} with subject {} of {}", verb.name, subject.subject, subject.issuer);
                set_subject(&people, &verb.name, Some(subject), &what)?;
            }
            Verb::Unlink(verb) => {
                let what = format!("unlink {}", verb.name);
                set_subject(&open(&verb.workspace)?, &verb.name, None, &what)?;
            }
            Verb::Disable(verb) => verb.set_disabled(true)?,
            Verb::Enable(verb) => verb.set_disabled(false)?,
            Verb::Remove(verb) => {
                let people = open(&verb.workspace)?;
                people.remove(&verb.name)?;
                note(&people, &format!("remove {}", verb.name));
            }
            Verb::Token(verb) => verb.run()?,
            Verb::Tokens(verb) => verb.tokens()?,
            Verb::Revoke(verb) => {
                let people = open(&verb.workspace)?;
                people.revoke_token(verb.id)?;
                note(&people, &format!("revoke token {}", verb.id));
            }
            Verb::Audit(verb) => verb.run()?,
        }
        Ok(Outcome::Done)
    }
}

/// The people of a workspace that is there: beside a mistyped name nobody shall be added.
fn open(workspace: &WorkspaceArgument) -> Result<People, Failure> {
    let path = &workspace.workspace;
    drop(Planner::open_to_read(path)?);
    let people = People::open(path)?;
    if let Some(notice) = people.notice() {
        output::say(&format!("mutu: {notice}"));
    }
    Ok(people)
}

/// Says who somebody is at an identity provider, or that they are nobody there.
fn set_subject(people: &People, name: &str, subject: Option<Subject>, what: &str) -> Result<(), Failure> {
    people.alter(name, &Altered { subject: Some(subject), ..Altered::default() })?;
    note(people, what);
    Ok(())
}

/// Writes down what was changed at the machine itself.
fn note(people: &People, what: &str) {
    let who = std::env::var("USER").unwrap_or_default();
    people.record(Entry {
        kind: Kind::Change,
        who,
        address: "command line".to_owned(),
        what: format!("user: {what}"),
        outcome: "ok".to_owned(),
    });
}

impl RightArguments {
    /// The rights, with their rules checked against the layers as they are.
    fn read(&self, workspace: &WorkspaceArgument) -> Result<Rights, Failure> {
        let set =
            |layers: &Option<Vec<LayerId>>| layers.as_ref().map(|ids| ids.iter().cloned().collect::<BTreeSet<_>>());
        let mut rows = BTreeMap::new();
        let planner = Planner::open_to_read(&workspace.workspace)?;
        for given in &self.rows {
            let (layer, rule) = given.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--rows {given:?}: say LAYER=CQL2, such as \"parcels=town = '址山镇'\""))
            })?;
            let layer: LayerId = layer.trim().parse().map_err(|error| Failure::usage(format!("--rows: {error}")))?;
            planner.check_rule(layer.as_str(), rule.trim())?;
            if rows.insert(layer.clone(), rule.trim().to_owned()).is_some() {
                return Err(Failure::usage(format!(
                    "--rows is given twice for layer {layer}: join the rules with AND or OR"
                )));
            }
        }
        for layer in self.read.iter().chain(&self.edit).flatten() {
            planner.check_rule(layer.as_str(), "1 = 1")?;
        }
        Ok(Rights { read: set(&self.read), edit: set(&self.edit), rows })
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        self.secret.check()?;
        let people = open(&self.workspace)?;
        let rights = self.rights.read(&self.workspace)?;
        if people.person(&self.name).is_some() {
            return Err(crate::people::PeopleError::Exists(self.name).into());
        }
        let subject = self.oidc_issuer.zip(self.oidc_subject);
        let subject = subject.map(|(issuer, subject)| Subject { issuer, subject });
        let password = if self.no_password || subject.is_some() { None } else { Some(ask_password(&self.name)?) };
        let is_first = !people.has_people();
        people.add_person(&NewPerson {
            name: &self.name,
            role: self.role,
            rights: &rights,
            password: password.as_deref(),
            subject: subject.as_ref(),
        })?;
        let link = subject.map_or(String::new(), |subject| {
            format!(", linked with subject {} of {}", subject.subject, subject.issuer)
        });
        note(&people, &format!("add {} as {}{link}", self.name, self.role));
        if is_first {
            output::say("mutu: from now on nobody reads without signing in, on this machine neither");
            if self.role != Role::Administrator {
                output::say("mutu: nobody is administrator yet: people are changed on the command line only");
            }
        }
        Ok(())
    }
}

impl Password {
    fn run(self) -> Result<(), Failure> {
        self.secret.check()?;
        let people = open(&self.workspace)?;
        people.person(&self.name).ok_or_else(|| crate::people::PeopleError::Nobody(self.name.clone()))?;
        people.set_password(&self.name, &ask_password(&self.name)?, None)?;
        note(&people, &format!("password of {}", self.name));
        Ok(())
    }
}

/// A password, typed twice and not shown, or the first line of standard input.
fn ask_password(name: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::io(format!("the password cannot be read: {error}"));
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(failed)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let password = rpassword::prompt_password(format!("password of {name}: ")).map_err(failed)?;
    let again = rpassword::prompt_password("again: ").map_err(failed)?;
    if password == again { Ok(password) } else { Err(Failure::usage("the two are not the same: nothing was changed")) }
}

impl Named {
    fn set_disabled(self, is_disabled: bool) -> Result<(), Failure> {
        let people = open(&self.workspace)?;
        people.set_disabled(&self.name, is_disabled)?;
        note(&people, &format!("{} {}", if is_disabled { "disable" } else { "enable" }, self.name));
        Ok(())
    }
}

impl MakeToken {
    fn run(self) -> Result<(), Failure> {
        let people = open(&self.workspace)?;
        let rights = self.rights.read(&self.workspace)?;
        let role = match (self.role, &self.user) {
            (Some(role), _) => role,
            // A person's token may do at most what the person may.
            (None, _) => Role::Administrator,
        };
        let name = self.name.clone().unwrap_or_else(|| self.user.clone().unwrap_or_else(|| role.to_string()));
        let expires_at = self.days.map(|days| now_ms() + i64::from(days) * 86_400_000);
        let new = NewToken { name: name.clone(), person: self.user, role, rights, expires_at };
        let secret = people.make_token(&new)?;
        note(&people, &format!("token {name} of {role}"));
        output::put(&format!("{}\n", secret.reveal()))
    }
}

/// Rights in a line.
fn words_of(rights: &Rights, role: Role) -> String {
    if role >= Role::Manager {
        return "everything".to_owned();
    }
    let list = |layers: &BTreeSet<LayerId>| layers.iter().map(LayerId::as_str).collect::<Vec<_>>().join(",");
    let mut words = vec![format!("reads {}", rights.read.as_ref().map_or_else(|| "all".to_owned(), list))];
    if role == Role::Editor {
        words.push(format!("edits {}", rights.edit.as_ref().map_or_else(|| "all of these".to_owned(), list)));
    }
    words.extend(rights.rows.iter().map(|(layer, rule)| format!("rows of {layer}: {rule}")));
    words.join("; ")
}

fn tell(format: Format, name: &str, head: &[&str], rows: &[(Vec<String>, Value)]) -> Result<(), Failure> {
    let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
    let cells: Vec<Vec<String>> = rows.iter().map(|(cells, _)| cells.clone()).collect();
    match format {
        Format::Json => {
            let list: Vec<&Value> = rows.iter().map(|(_, value)| value).collect();
            output::put_json(&json!({ name: list }))
        }
        Format::Csv => output::put(&output::csv(&head, &cells)),
        Format::Table if rows.is_empty() => output::put(&format!("no {name}\n")),
        Format::Table => output::put(&output::columns(&head, &cells)),
    }
}

impl List {
    fn people(self) -> Result<(), Failure> {
        let rows: Vec<(Vec<String>, Value)> = open(&self.workspace)?
            .everybody()
            .iter()
            .map(|person| {
                let state = if person.is_disabled { "disabled" } else { "" };
                let cells = [&*person.name, person.role.as_str(), state, &words_of(&person.rights, person.role)];
                let mut value = json!({ "name": person.name, "role": person.role, "disabled": person.is_disabled,
                                        "rights": *person.rights });
                if let Some(subject) = &person.subject {
                    value["oidc"] = json!(subject);
                }
                (cells.map(str::to_owned).to_vec(), value)
            })
            .collect();
        tell(self.format, "users", &["name", "role", "state", "rights"], &rows)
    }

    fn tokens(self) -> Result<(), Failure> {
        let moment = |at: Option<i64>| at.map_or(String::new(), calendar::date_time_text);
        let rows: Vec<(Vec<String>, Value)> = open(&self.workspace)?
            .tokens()
            .iter()
            .map(|token| {
                let user = token.person.clone().unwrap_or_default();
                let rights =
                    if user.is_empty() { words_of(&token.rights, token.role) } else { "the user's".to_owned() };
                let cells = vec![
                    token.id.to_string(),
                    token.name.clone(),
                    user,
                    token.role.to_string(),
                    moment(token.expires_at),
                    moment(token.used_at),
                    rights,
                ];
                let value = json!({
                    "id": token.id, "name": token.name, "user": token.person, "role": token.role,
                    "rights": *token.rights, "made": calendar::date_time_text(token.made_at),
                    "expires": token.expires_at.map(calendar::date_time_text),
                    "used": token.used_at.map(calendar::date_time_text),
                });
                (cells, value)
            })
            .collect();
        tell(self.format, "tokens", &["id", "name", "user", "role", "expires", "used", "rights"], &rows)
    }
}

impl Audit {
    fn run(self) -> Result<(), Failure> {
        let rows: Vec<(Vec<String>, Value)> = open(&self.workspace)?
            .recorded(self.limit)?
            .iter()
            .map(|entry| {
                let at = calendar::date_time_text(entry.at);
                let cells = [&at, &entry.kind, &entry.who, &entry.address, &entry.what, &entry.outcome];
                let value = json!({ "at": at, "kind": entry.kind, "who": entry.who, "from": entry.address,
                                    "what": entry.what, "outcome": entry.outcome });
                (cells.map(Clone::clone).to_vec(), value)
            })
            .collect();
        tell(self.format, "entries", &["at", "kind", "who", "from", "what", "outcome"], &rows)
    }
}
