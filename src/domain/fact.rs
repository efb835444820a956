//! Facts: figures that documents state, each with its source, and the conflicts between them.
//!
//! A fact is kept as its document printed it. Where two disagree both stay, and a [`Conflict`] names them.

use serde::{Deserialize, Serialize};

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its short id, such as `S1`.
    pub id: String,
    /// Who published it.
    pub publisher: String,
    /// When, as exactly as it is known.
    pub date: String,
    /// Its title.
    pub title: String,
    /// The page, where it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub page: String,
    /// What to know about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A figure that a document states.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// Its id, such as `L01`.
    pub id: String,
    /// The topic, such as `land`.
    pub topic: String,
    /// What it is about.
    pub subject: String,
    /// The figure as printed, such as `>100` or `一季度`; empty where the document gives none.
    pub quantity: String,
    /// The unit as printed.
    pub unit: String,
    /// The figure in `si_unit`, where it is one number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub si_value: Option<f64>,
    /// The unit of `si_value`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub si_unit: String,
    /// When it holds.
    pub period: String,
    /// Whose it is.
    pub actor: String,
    /// Where it is written.
    pub source: Source,
    /// What to know about it.
    pub note: String,
    /// Facts that say something else about the same thing, or that are easily confused with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts_with: Vec<String>,
}

/// Why several facts or names stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictKind {
    /// A later document replaces an earlier one.
    Superseded,
    /// The figures count different things.
    Scope,
    /// The figures cannot all come true.
    Tension,
    /// One thing is printed under several names.
    Alias,
    /// The figures differ by rounding.
    Rounding,
    /// Things that are easily confused are different.
    Distinct,
    /// Nobody knows yet.
    Unresolved,
}

/// Facts or names that disagree or may not be confused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// Its id, such as `K01`.
    pub id: String,
    /// Why they stand side by side.
    pub kind: ConflictKind,
    /// The facts.
    pub facts: Vec<String>,
    /// The names, first the one to use; for aliases and what is unresolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The fact to use, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<String>,
    /// In Chinese.
    pub title: String,
    /// In English.
    pub title_en: String,
    /// What to do about it.
    pub note: String,
}
