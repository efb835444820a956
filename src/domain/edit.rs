//! One kind of change: puts and deletes over any layers, with the versions they expect, an author and a note; what is
//! wrong with one, and what takes it back.

use std::fmt;

use serde::Serialize;

use super::{
    feature::{Feature, FeatureRef, ValueRef},
    layer::Layer,
    schema::{Field, FieldType, LayerId},
};

/// One change of one feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The feature shall be as given. `expects` is the version it replaces; `None` for a new feature.
    ///
    /// A new feature whose id is below 1 gets one from the planner: the number is a placeholder, of which each stands
    /// for one feature of the layer in the edit, also in its [`Lineage`].
    Put {
        /// The layer.
        layer: LayerId,
        /// The feature as it shall be.
        feature: Feature,
        /// The version that the author saw.
        expects: Option<i64>,
    },
    /// The feature shall be no more.
    Delete {
        /// The layer.
        layer: LayerId,
        /// The feature's id.
        id: i64,
        /// The version that the author saw.
        expects: i64,
    },
}

impl Change {
    /// The layer and the id of the feature that it changes.
    #[must_use]
    pub const fn target(&self) -> (&LayerId, i64) {
        match self {
            Self::Put { layer, feature, .. } => (layer, feature.id),
            Self::Delete { layer, id, .. } => (layer, *id),
        }
    }

    /// The version that it replaces; `None` for a new feature.
    #[must_use]
    pub const fn expects(&self) -> Option<i64> {
        match self {
            Self::Put { expects, .. } => *expects,
            Self::Delete { expects, .. } => Some(*expects),
        }
    }

    /// What the feature becomes; `None` where it is no more.
    #[must_use]
    pub const fn after(&self) -> Option<&Feature> {
        match self {
            Self::Put { feature, .. } => Some(feature),
            Self::Delete { .. } => None,
        }
    }
}

/// Features that came from others: a split has one parent and several children, a merge several parents and one child.
/// A feature may be both, where it keeps its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The layer of all of them.
    pub layer: LayerId,
    /// The features before, by id.
    pub parents: Vec<i64>,
    /// The features after, by id; each is put by the same edit.
    pub children: Vec<i64>,
}

/// A change of the workspace, all of it or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// What, in order.
    pub changes: Vec<Change>,
    /// Which of the features put came from which.
    pub lineage: Vec<Lineage>,
}

impl Edit {
    /// The edit that takes this one back, once it was committed as number `seq`: last change first, parents and children
    /// exchanged. `before` has for each change, in order, the feature that it replaced.
    ///
    /// `None` where `before` lacks a feature that a change replaced, or has one that it did not.
    #[must_use]
    pub fn inverse(&self, before: &[Option<Feature>], seq: i64) -> Option<Self> {
        if before.len() != self.changes.len() {
            return None;
        }
        let taken_back = |(change, before): (&Change, &Option<Feature>)| {
            let (layer, id) = change.target();
            let layer = layer.clone();
            match (change, before) {
                (Change::Put { expects: None, .. }, None) => Some(Change::Delete { layer, id, expects: seq }),
                (Change::Put { expects: Some(_), .. }, Some(before)) if before.id == id => {
                    Some(Change::Put { layer, feature: before.clone(), expects: Some(seq) })
                }
                (Change::Delete { .. }, Some(before)) if before.id == id => {
                    Some(Change::Put { layer, feature: before.clone(), expects: None })
                }
                _ => None,
            }
        };
        let changes = self.changes.iter().zip(before).rev().map(taken_back).collect::<Option<_>>()?;
        let exchanged = |lineage: &Lineage| Lineage {
            layer: lineage.layer.clone(),
            parents: lineage.children.clone(),
            children: lineage.parents.clone(),
        };
        let lineage = self.lineage.iter().map(exchanged).collect();
        Some(Self { author: self.author.clone(), note: self.note.clone(), changes, lineage })
    }
}

/// One thing for which an edit is not carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Which change of the edit, from 0.
    pub change: usize,
    /// The layer.
    pub layer: String,
    /// The feature; none where it has no id yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// A stable word for what is wrong.
    pub fault: String,
    /// The property at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Where, as longitude and latitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<[f64; 2]>,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// What else the message tells of, for those who may not see it.
    #[serde(skip)]
    pub other: Option<Other>,
}

/// What a feature does not go together with: a layer, or one feature of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The layer.
    pub layer: LayerId,
    /// The feature; none for the layer as a whole.
    pub id: Option<i64>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)?;
        if let Some(id) = self.id {
            write!(f, " {id}")?;
        }
        if let Some(property) = &self.property {
            write!(f, ", {property}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A feature that is not in the version which an edit expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The layer.
    pub layer: String,
    /// The feature.
    pub id: i64,
    /// The version that the author saw; `None`: no such feature.
    pub expected: Option<i64>,
    /// The version in the workspace; `None`: no such feature.
    pub found: Option<i64>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said =
            |version: Option<i64>| version.map_or_else(|| "no such feature".to_owned(), |v| format!("version {v}"));
        let (expected, found) = (said(self.expected), said(self.found));
        write!(f, "feature {} of {}: the edit expects {expected}, the workspace has {found}", self.id, self.layer)
    }
}

/// A value that its column does not take: a stable word, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit<'l> {
    /// The column.
    pub field: &'l Field,
    /// The word.
    pub fault: &'static str,
    /// The sentence.
    pub message: String,
}

/// What is wrong with the values of a feature, by its layer's columns. What `before` had in the same column is not judged:
/// who changes one value need not answer for the others.
#[must_use]
pub fn unfit_values<'l>(layer: &'l Layer, feature: &Feature, before: Option<&FeatureRef<'_>>) -> Vec<Unfit<'l>> {
    let mut unfit = Vec::new();
    for (column, (field, value)) in layer.schema.fields.iter().zip(&feature.values).enumerate() {
        let value = value.view();
        if before.is_none_or(|before| before.values.get(column) != Some(&value))
            && let Err((fault, message)) = fits(field, value)
        {
            unfit.push(Unfit { field, fault, message });
        }
    }
    unfit
}

/// Whether a column takes a value; else why not.
fn fits(field: &Field, value: ValueRef<'_>) -> Result<(), (&'static str, String)> {
    let kind = match value {
        ValueRef::Null if field.required => {
            return Err(("required", "a value is required: give one".to_owned()));
        }
        ValueRef::Null => return Ok(()),
        ValueRef::Boolean(_) => FieldType::Boolean,
        ValueRef::Integer(_) => FieldType::Integer,
        ValueRef::Real(_) => FieldType::Real,
        ValueRef::Text(_) => FieldType::Text,
        ValueRef::Date(_) => FieldType::Date,
        ValueRef::DateTime(_) => FieldType::DateTime,
    };
    if kind != field.kind {
        let message = format!("a value of type {} in a column of type {}", kind.as_str(), field.kind.as_str());
        return Err(("wrong-type", message));
    }
    match value {
        ValueRef::Text(text) => fits_codes(field, text),
        ValueRef::Integer(number) => fits_range(field, number as f64),
        ValueRef::Real(number) if !number.is_finite() => {
            Err(("not-a-number", "the number is not finite: give a number or none".to_owned()))
        }
        ValueRef::Real(number) => fits_range(field, number),
        _ => Ok(()),
    }
}

fn fits_codes(field: &Field, text: &str) -> Result<(), (&'static str, String)> {
    if text.contains('\0') {
        return Err(("bad-text", "the text holds a character with the code 0, which no file keeps".to_owned()));
    }
    if field.codes.is_empty() || field.codes.iter().any(|code| code.value == text) {
        return Ok(());
    }
    let shown: String = text.chars().take(40).collect();
    let codes: Vec<&str> = field.codes.iter().map(|code| code.value.as_str()).collect();
    Err(("not-in-list", format!("{shown:?} is not in its list: use one of {}", codes.join(", "))))
}

fn fits_range(field: &Field, number: f64) -> Result<(), (&'static str, String)> {
    let bound = |bound: &Option<serde_json::Number>| bound.as_ref().and_then(serde_json::Number::as_f64);
    if let Some(minimum) = bound(&field.minimum).filter(|minimum| number < *minimum) {
        return Err(("below-minimum", format!("{number} is less than {minimum}, the least that is allowed")));
    }
    if let Some(maximum) = bound(&field.maximum).filter(|maximum| number > *maximum) {
        return Err(("above-maximum", format!("{number} is more than {maximum}, the most that is allowed")));
    }
    Ok(())
}
