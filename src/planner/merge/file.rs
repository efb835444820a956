//! What the file of a check-out holds, as features of its layer.

use std::{collections::BTreeMap, path::Path};

use crate::{
    domain::{
        feature::{Feature, Value},
        layer::Layer,
    },
    formats::{self, CrsClaim, Row, RowId, Source},
    ground::crs::Crs,
    planner::{PlannerError, infer::convert},
};

/// The features of a file as the layer holds them; an error names the first that it cannot.
pub(super) fn features_of(file: &Path, layer: &Layer) -> Result<BTreeMap<i64, Feature>, PlannerError> {
    let name = file.display();
    let unfit = |what: String| PlannerError::Unfit(format!("{name}: {what}; nothing was changed"));
    let source = Source { path: file.to_owned(), table: Some(layer.id.to_string()), encoding: None };
    let fields = &layer.schema.fields;
    let (mut features, mut failure) = (BTreeMap::new(), None);
    let contents = formats::geopackage::read(&source, &mut |columns, row| {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        match feature_in(&names, row, layer) {
            Ok(feature) => {
                features.insert(feature.id, feature);
            }
            Err(what) => {
                failure.get_or_insert(what);
            }
        }
        Ok(())
    })?;
    let has = |name: &str| contents.columns.iter().any(|column| column.name == name);
    if let Some(field) = fields.iter().find(|field| !has(&field.name)) {
        return Err(unfit(format!("its column {:?} was removed or renamed", field.name)));
    }
    if let Some(column) = contents.columns.iter().find(|column| layer.schema.position(&column.name).is_none()) {
        return Err(unfit(format!("layer {} has no column {:?}: remove it from the file", layer.id, column.name)));
    }
    if let CrsClaim::Says(crs) = &contents.crs
        && !crs.agrees_with(&Crs::stored())
    {
        return Err(unfit(format!("its coordinates are in {crs}; a check-out is in {}", Crs::stored())));
    }
    match failure {
        Some(what) => Err(unfit(what)),
        None => Ok(features),
    }
}

fn feature_in(names: &[&str], mut row: Row, layer: &Layer) -> Result<Feature, String> {
    let number = row.number;
    let Some(RowId::Number(id)) = row.id else { return Err(format!("row {number} has no id that is a whole number")) };
    if let Some(finding) = row.findings.first() {
        return Err(format!("feature {id}: {}", finding.message));
    }
    row.values.resize(names.len(), Value::Null);
    let mut values = Vec::with_capacity(layer.schema.fields.len());
    for field in &layer.schema.fields {
        // A column that is missing is told once, after the last row.
        let place = names.iter().position(|name| *name == field.name);
        let given = place.map_or(Value::Null, |place| std::mem::replace(&mut row.values[place], Value::Null));
        let value = convert(given, field.kind);
        if value.kind().is_some_and(|kind| kind != field.kind) {
            let kind = value.kind().map_or("null", |kind| kind.as_str());
            let wanted = field.kind.as_str();
            return Err(format!("feature {id}, column {:?}: a value of type {kind}, not {wanted}", field.name));
        }
        values.push(value);
    }
    Ok(Feature { id, shape: row.shape, values })
}
