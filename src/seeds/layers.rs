//! `seeds/manifest.toml` → layers with schemas; code lists come from the manifest and from the land-use table.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{
    layer::{GeometryClass, Layer, Provenance},
    rule::Rules,
    schema::{Code, Field, FieldType, LayerId, Schema},
};

use super::{Manifest, SeedError, SeedLayer, check_day, rows, toml_of};

const FILE: &str = "manifest.toml";
/// The table whose rows are the code list of the same name.
const LANDUSE: &str = "landuse_2023";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    title_en: String,
    as_of: String,
    notice: String,
    notice_en: String,
    attribution: String,
    layer: Vec<WrittenLayer>,
    codes: BTreeMap<String, Vec<Code>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLayer {
    id: LayerId,
    title: String,
    title_en: String,
    file: String,
    geometry: GeometryClass,
    provenance: Provenance,
    #[serde(default)]
    rules: Rules,
    grid: String,
    description: String,
    columns: Vec<WrittenColumn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumn {
    name: String,
    #[serde(rename = "type")]
    kind: FieldType,
    title: String,
    title_en: String,
    unit: Option<String>,
    /// The name of a code list.
    codes: Option<String>,
    /// Only the codes that begin so, where the list is long.
    #[serde(default)]
    prefixes: Vec<String>,
    /// Whether every feature has a value in it.
    #[serde(default)]
    required: bool,
    minimum: Option<serde_json::Number>,
    maximum: Option<serde_json::Number>,
}

#[derive(Deserialize)]
struct LanduseRow {
    code: String,
    name_zh: String,
    name_en: String,
    color: String,
}

pub(super) fn manifest() -> Result<Manifest, SeedError> {
    let mut written: Written = toml_of(FILE)?;
    check_day(FILE, &written.as_of)?;
    written.codes.insert(LANDUSE.to_owned(), landuse_codes()?);
    let codes = written.codes;
    let layers = written.layer.into_iter().map(|layer| layer_of(layer, &codes)).collect::<Result<_, _>>()?;
    Ok(Manifest {
        title: written.title,
        title_en: written.title_en,
        as_of: written.as_of,
        notice: written.notice,
        notice_en: written.notice_en,
        attribution: written.attribution,
        layers,
    })
}

fn landuse_codes() -> Result<Vec<Code>, SeedError> {
    let table: Vec<LanduseRow> = rows("landuse_2023.csv")?;
    let code =
        |row: LanduseRow| Code { value: row.code, title: row.name_zh, title_en: row.name_en, color: Some(row.color) };
    Ok(table.into_iter().map(code).collect())
}

fn layer_of(written: WrittenLayer, codes: &BTreeMap<String, Vec<Code>>) -> Result<SeedLayer, SeedError> {
    let fields = written.columns.into_iter().map(|column| field_of(column, codes)).collect::<Result<_, _>>()?;
    let layer = Layer {
        id: written.id,
        title: written.title,
        title_en: written.title_en,
        description: written.description,
        geometry: written.geometry,
        schema: Schema { fields },
        grid: written.grid,
        surveyed_in_grid: false,
        provenance: written.provenance,
        rules: written.rules,
    };
    Ok(SeedLayer { layer, file: written.file })
}

fn field_of(column: WrittenColumn, codes: &BTreeMap<String, Vec<Code>>) -> Result<Field, SeedError> {
    let mut list = match &column.codes {
        None => Vec::new(),
        Some(name) => codes
            .get(name)
            .cloned()
            .ok_or_else(|| SeedError::broken(FILE, format!("column {} names no code list {name:?}", column.name)))?,
    };
    if !column.prefixes.is_empty() {
        list.retain(|code| column.prefixes.iter().any(|prefix| code.value.starts_with(prefix.as_str())));
    }
    Ok(Field {
        name: column.name,
        kind: column.kind,
        title: column.title,
        title_en: column.title_en,
        unit: column.unit,
        codes: list,
        required: column.required,
        minimum: column.minimum,
        maximum: column.maximum,
    })
}
