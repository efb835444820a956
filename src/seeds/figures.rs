//! The founding figures: facts, their sources and conflicts, and the targets made of them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::{
    fact::{Conflict, Fact, Source},
    schema::LayerId,
    target::{Direction, Measure, MeasureKind, Period, Target, TargetSource, TargetUnit, Words},
};

use super::{SeedError, check_day, rows, toml_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactRow {
    id: String,
    topic: String,
    subject: String,
    quantity: String,
    unit: String,
    si_value: Option<f64>,
    si_unit: String,
    period: String,
    actor: String,
    source: String,
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenConflicts {
    conflict: Vec<Conflict>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTargets {
    target: Vec<WrittenTarget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    id: String,
    title: String,
    title_en: String,
    direction: Direction,
    value: String,
    unit: TargetUnit,
    period: Period,
    sources: Vec<WrittenSource>,
    #[serde(default)]
    measure: Vec<WrittenMeasure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    source: String,
    fact: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMeasure {
    layer: LayerId,
    kind: MeasureKind,
    filter: String,
    of: Option<String>,
    definition: String,
    definition_en: String,
    #[serde(default)]
    note: String,
    from: String,
    to: Option<String>,
}

/// The documents that facts come from, by their ids.
///
/// # Errors
/// [`SeedError`] names the file and the row that is wrong.
pub fn sources() -> Result<Vec<Source>, SeedError> {
    rows("sources.csv")
}

/// All facts, in the order of their table, each with its source and what it conflicts with.
///
/// # Errors
/// [`SeedError`] names the file and the row that is wrong.
pub fn facts() -> Result<Vec<Fact>, SeedError> {
    const FILE: &str = "facts.csv";
    let sources: BTreeMap<String, Source> = sources()?.into_iter().map(|s| (s.id.clone(), s)).collect();
    let conflicts = conflicts()?;
    let fact = |row: FactRow| {
        let source = sources.get(&row.source).cloned();
        let source =
            source.ok_or_else(|| SeedError::broken(FILE, format!("{}: no source {:?}", row.id, row.source)))?;
        let with = conflicts.iter().filter(|conflict| conflict.facts.contains(&row.id)).flat_map(|c| &c.facts);
        let conflicts_with = with.filter(|id| **id != row.id).cloned().collect();
        Ok(Fact {
            id: row.id,
            topic: row.topic,
            subject: row.subject,
            quantity: row.quantity,
            unit: row.unit,
            si_value: row.si_value,
            si_unit: row.si_unit,
            period: row.period,
            actor: row.actor,
            source,
            note: row.note,
            conflicts_with,
        })
    };
    rows::<FactRow>(FILE)?.into_iter().map(fact).collect()
}

/// The facts and names that disagree or may not be confused.
///
/// # Errors
/// [`SeedError`] names the file and the place that is wrong.
pub fn conflicts() -> Result<Vec<Conflict>, SeedError> {
    Ok(toml_of::<WrittenConflicts>("conflicts.toml")?.conflict)
}

/// The targets, in the order in which they are shown.
///
/// # Errors
/// [`SeedError`] names the file and the target that is wrong.
pub fn targets() -> Result<Vec<Target>, SeedError> {
    let documents = sources()?;
    let written = toml_of::<WrittenTargets>(TARGETS)?.target;
    written.into_iter().map(|target| target_of(target, &documents)).collect()
}

const TARGETS: &str = "targets.toml";

fn target_of(written: WrittenTarget, documents: &[Source]) -> Result<Target, SeedError> {
    let id = written.id;
    let value: Decimal = written
        .value
        .parse()
        .map_err(|error| SeedError::broken(TARGETS, format!("{id}: value {:?}: {error}", written.value)))?;
    check_period(&written.period)?;
    let source = |cited: WrittenSource| {
        let document = documents.iter().find(|document| document.id == cited.source);
        let document =
            document.ok_or_else(|| SeedError::broken(TARGETS, format!("{id}: no source {:?}", cited.source)))?;
        Ok(TargetSource {
            document: document.title.clone(),
            date: document.date.clone(),
            source: cited.source,
            fact: cited.fact,
            text: cited.text,
        })
    };
    let sources = written.sources.into_iter().map(source).collect::<Result<_, SeedError>>()?;
    let measures = written.measure.into_iter().map(measure_of).collect::<Result<_, _>>()?;
    Ok(Target {
        title: written.title,
        title_en: written.title_en,
        direction: written.direction,
        value,
        unit: written.unit,
        period: written.period,
        sources,
        measures,
        id,
    })
}

fn measure_of(written: WrittenMeasure) -> Result<Measure, SeedError> {
    let period = Period { from: written.from, to: written.to };
    check_period(&period)?;
    Ok(Measure {
        layer: written.layer,
        kind: written.kind,
        filter: written.filter,
        of: written.of,
        definition: Words { zh: written.definition, en: written.definition_en },
        note: written.note,
        period,
    })
}

fn check_period(period: &Period) -> Result<(), SeedError> {
    check_day(TARGETS, &period.from)?;
    period.to.as_deref().map_or(Ok(()), |to| check_day(TARGETS, to))
}
