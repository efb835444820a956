//! Reading GeoJSON.
//!
//! Invariant: memory does not grow with the file, only with its largest feature. Text is UTF-8. A geometry
//! comes as written: nothing is closed, turned or dropped, save heights, which are counted.
//!
//! Question: why not `geojson::FeatureReader`? It looks for the first `[` of the file (which may be that of a
//! `bbox`), never sees the members before and after `features`, and stops at the first bad feature. Here the
//! outer document is taken apart by [`super::split`], each feature is isolated as raw text, and the `geojson`
//! crate reads its geometry, so that one bad feature costs one row. Properties are taken from the raw text,
//! because a parsed number no longer tells a whole number beyond 64 bits from a fraction.

use std::{collections::HashMap, path::Path};

use ::geojson::{Geometry, GeometryValue, Position};
use geo::Coord;
use serde::de;
use serde_json::value::RawValue;

use crate::{
    domain::{feature::Value, report::Weight},
    ground::shape::{Shape, ShapeKind},
};

use super::{
    super::{
        Column, Contents, CrsClaim, FormatError, Row, RowId, Source, Visit, broken, open,
        tally::{Tally, about_row},
    },
    raw::{Members, Pairs},
    split::Input,
};

/// Streams the features of a file.
///
/// # Errors
/// [`FormatError::Broken`] where the file is not GeoJSON in UTF-8 or ends too early, with line and byte.
pub fn read(source: &Source, visit: &mut Visit<'_>) -> Result<Contents, FormatError> {
    if source.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request(format!(
            "{}: GeoJSON is UTF-8 by its standard; convert the file to UTF-8 and leave the encoding out",
            source.path.display()
        )));
    }
    let (file, _) = open(&source.path)?;
    let mut input = Input::new(file, &source.path);
    let mut tally = Tally::default();
    if input.skip_mark()? {
        tally.note("byte-order-mark", "", 1, || {
            "the file begins with a byte order mark, which GeoJSON does not have; it is skipped".to_owned()
        });
    }
    let mut reading =
        Reading { path: &source.path, visit, columns: Vec::new(), places: HashMap::new(), rows: 0, tally, crs: None };
    let mut documents = 0;
    while input.next_document()? {
        documents += 1;
        reading.document(&mut input)?;
    }
    if documents == 0 {
        return Err(broken(&source.path, "is empty: a GeoJSON file holds at least one object"));
    }
    Ok(reading.contents())
}

/// What is known while a file is read.
struct Reading<'r, 'v> {
    path: &'r Path,
    visit: &'r mut Visit<'v>,
    columns: Vec<Column>,
    places: HashMap<String, usize>,
    rows: u64,
    tally: Tally,
    crs: Option<CrsClaim>,
}

impl Reading<'_, '_> {
    fn contents(self) -> Contents {
        Contents {
            columns: self.columns,
            // RFC 7946 §4 fixes longitude and latitude on WGS 84 where the older member does not say otherwise.
            crs: self.crs.unwrap_or_else(|| {
                CrsClaim::ByFormat("OGC:CRS84".parse().unwrap_or_else(|_| crate::ground::crs::Crs::stored()))
            }),
            encoding: String::new(),
            rows: self.rows,
            findings: self.tally.into_findings().collect(),
        }
    }

    /// Reads one object of the file to its end.
    fn document(&mut self, input: &mut Input<'_>) -> Result<(), FormatError> {
        let mut members: Vec<(String, String)> = Vec::new();
        let (mut buffer, mut collected) = (Vec::new(), false);
        input.expect(b'{', "a GeoJSON object")?;
        let mut more = input.unless(b'}')?;
        while more {
            input.value(&mut buffer)?;
            let name: String =
                serde_json::from_slice(&buffer).map_err(|error| input.broken(&error.to_string(), self.rows))?;
            input.expect(b':', "a colon")?;
            if name == "features" {
                if std::mem::replace(&mut collected, true) {
                    return Err(input.broken("the member \"features\" stands twice", self.rows));
                }
                self.collection(input, &mut buffer)?;
            } else {
                input.value(&mut buffer)?;
                let text = input.text(&buffer, self.rows)?;
                if let Err(error) = serde_json::from_str::<de::IgnoredAny>(text) {
                    return Err(input.broken(&error.to_string(), self.rows));
                }
                match name.as_str() {
                    "crs" => self.crs = crs_of(text),
                    _ => members.push((name, text.to_owned())),
                }
            }
            more = input.comma_or(b'}')?;
        }
        self.finish(&members, collected)
    }

    fn collection(&mut self, input: &mut Input<'_>, buffer: &mut Vec<u8>) -> Result<(), FormatError> {
        input.expect(b'[', "an array of features")?;
        let mut more = input.unless(b']')?;
        while more {
            input.value(buffer)?;
            let text = input.text(buffer, self.rows)?;
            self.feature(text).map_err(|error| match error {
                Trouble::Syntax(what) => input.broken(&what, self.rows - 1),
                Trouble::Receiver(error) => error,
            })?;
            more = input.comma_or(b']')?;
        }
        Ok(())
    }

    fn feature(&mut self, text: &str) -> Result<(), Trouble> {
        self.rows += 1;
        let number = self.rows;
        let mut row = Row { number, id: None, shape: None, values: Vec::new(), findings: Vec::new() };
        match serde_json::from_str::<Members<'_>>(text) {
            Ok(members) => self.fill(&mut row, &members),
            Err(error) if !error.is_data() => return Err(Trouble::Syntax(error.to_string())),
            Err(error) => row.findings.push(about_row(
                number,
                Weight::Refused,
                "not-a-feature",
                format!("features[{}]: {error}", number - 1),
            )),
        }
        (self.visit)(&self.columns, row).map_err(Trouble::Receiver)
    }

    fn fill(&mut self, row: &mut Row, members: &Members<'_>) {
        let path = format!("features[{}]", row.number - 1);
        if members.kind.as_deref() != Some("Feature") {
            let found = members.kind.as_deref().map_or("no member \"type\"".to_owned(), |kind| format!("{kind:?}"));
            let message = format!("{path}: its type is not \"Feature\" but {found}");
            row.findings.push(about_row(row.number, Weight::Refused, "not-a-feature", message));
            return;
        }
        row.id = members.id.and_then(|raw| self.id_of(raw, row.number));
        if let Some(properties) = members.properties {
            self.properties(row, properties, &path);
        }
        if let Some(geometry) = members.geometry {
            self.geometry(row, geometry, &path);
        }
        for name in &members.foreign {
            self.tally.note("foreign-member", name, row.number, || {
                format!("the member {name:?} beside \"properties\" is not read")
            });
        }
    }

    fn id_of(&mut self, raw: &RawValue, row: u64) -> Option<RowId> {
        let text = raw.get();
        if text == "null" {
            return None;
        }
        if let Ok(number) = text.parse() {
            return Some(RowId::Number(number));
        }
        if let Ok(name) = serde_json::from_str(text) {
            return Some(RowId::Text(name));
        }
        if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            self.tally
                .note("odd-id", "", row, || "an id is neither text nor number; it is kept as it stands".to_owned());
        }
        Some(RowId::Text(text.to_owned()))
    }

    fn properties(&mut self, row: &mut Row, raw: &RawValue, path: &str) {
        let pairs = match serde_json::from_str::<Option<Pairs<'_>>>(raw.get()) {
            Ok(pairs) => pairs.map_or_else(Vec::new, |pairs| pairs.0),
            Err(error) => {
                let message = format!("{path}.properties: {error}");
                row.findings.push(about_row(row.number, Weight::Refused, "not-a-feature", message));
                return;
            }
        };
        row.values.resize(self.columns.len(), Value::Null);
        let mut seen = vec![false; self.columns.len()];
        for (name, raw) in pairs {
            let known = self.places.get(name.as_ref()).copied();
            let place = known.unwrap_or_else(|| {
                self.places.insert(name.clone().into_owned(), self.columns.len());
                self.columns.push(Column { name: name.clone().into_owned(), declared: None });
                row.values.push(Value::Null);
                seen.push(false);
                self.columns.len() - 1
            });
            if std::mem::replace(&mut seen[place], true) {
                let message = format!("{path}.properties has {name:?} twice; which of them holds is not said");
                row.findings.push(about_row(row.number, Weight::Refused, "duplicate-member", message));
            }
            row.values[place] = self.value_of(&name, raw, row.number);
        }
    }

    fn value_of(&mut self, name: &str, raw: &RawValue, row: u64) -> Value {
        let text = raw.get();
        match text.as_bytes().first() {
            None | Some(b'n') => Value::Null,
            Some(b't') => Value::Boolean(true),
            Some(b'f') => Value::Boolean(false),
            Some(b'"') => serde_json::from_str(text).map_or_else(|_| Value::Text(text.to_owned()), Value::Text),
            Some(b'{' | b'[') => {
                self.tally.note("nested-value", name, row, || {
                    format!("column {name:?} holds objects or arrays; they are kept as text in JSON")
                });
                Value::Text(text.to_owned())
            }
            Some(_) => self.number_of(name, text, row),
        }
    }

    fn number_of(&mut self, name: &str, text: &str, row: u64) -> Value {
        let whole = !text.contains(['.', 'e', 'E']);
        if let (true, Ok(number)) = (whole, text.parse()) {
            return Value::Integer(number);
        }
        match text.parse::<f64>() {
            Ok(number) if !whole && number.is_finite() => Value::Real(number),
            _ => {
                self.tally.note("number-too-large", name, row, || {
                    format!("column {name:?} holds numbers beyond what 64 bits can keep; they are kept as text")
                });
                Value::Text(text.to_owned())
            }
        }
    }

    fn geometry(&mut self, row: &mut Row, raw: &RawValue, path: &str) {
        let refused = |row: &Row, fault, message| about_row(row.number, Weight::Refused, fault, message);
        match serde_json::from_str::<Option<Geometry>>(raw.get()) {
            Ok(None) => {}
            Ok(Some(Geometry { value: GeometryValue::GeometryCollection { .. }, .. })) => {
                let message =
                    format!("{path}.geometry is a GeometryCollection: split it into features of one geometry each");
                row.findings.push(refused(row, "unsupported-geometry", message));
            }
            Ok(Some(geometry)) => match shape_of(geometry.value) {
                Ok((shape, more)) => {
                    if more {
                        self.tally.note("z-dropped", "", row.number, || {
                            "heights (and whatever follows longitude and latitude) are left out".to_owned()
                        });
                    }
                    row.shape = Some(shape);
                }
                Err(length) => {
                    let message = format!(
                        "{path}.geometry.coordinates: a position of {length} numbers is no place; two are needed"
                    );
                    row.findings.push(refused(row, "not-a-geometry", message));
                }
            },
            Err(error) => row.findings.push(refused(row, "not-a-geometry", format!("{path}.geometry: {error}"))),
        }
    }
}

/// The shape of a geometry, and whether positions held more than two numbers; else the length of a short one.
fn shape_of(value: GeometryValue) -> Result<(Shape, bool), usize> {
    let mut build = Build { shape: Shape::new(ShapeKind::Point), more: false };
    match value {
        GeometryValue::Point { coordinates } => build.paths(ShapeKind::Point, vec![vec![coordinates]])?,
        GeometryValue::MultiPoint { coordinates } => {
            build.paths(ShapeKind::MultiPoint, coordinates.into_iter().map(|at| vec![at]))?;
        }
        GeometryValue::LineString { coordinates } => build.paths(ShapeKind::LineString, vec![coordinates])?,
        GeometryValue::MultiLineString { coordinates } => build.paths(ShapeKind::MultiLineString, coordinates)?,
        GeometryValue::Polygon { coordinates } => build.surfaces(ShapeKind::Polygon, vec![coordinates])?,
        GeometryValue::MultiPolygon { coordinates } => build.surfaces(ShapeKind::MultiPolygon, coordinates)?,
        GeometryValue::GeometryCollection { .. } => {}
    }
    Ok((build.shape, build.more))
}

struct Build {
    shape: Shape,
    more: bool,
}

impl Build {
    fn paths(&mut self, kind: ShapeKind, paths: impl IntoIterator<Item = Vec<Position>>) -> Result<(), usize> {
        self.shape.set_kind(kind);
        for path in paths {
            self.ring(&path)?;
            self.shape.end_part();
        }
        Ok(())
    }

    fn surfaces(
        &mut self,
        kind: ShapeKind,
        surfaces: impl IntoIterator<Item = Vec<Vec<Position>>>,
    ) -> Result<(), usize> {
        self.shape.set_kind(kind);
        for rings in surfaces {
            rings.iter().try_for_each(|ring| self.ring(ring))?;
            self.shape.end_part();
        }
        Ok(())
    }

    fn ring(&mut self, positions: &[Position]) -> Result<(), usize> {
        for position in positions {
            let [x, y, more @ ..] = position.as_slice() else { return Err(position.len()) };
            self.shape.push(Coord { x: *x, y: *y });
            self.more |= !more.is_empty();
        }
        self.shape.end_ring();
        Ok(())
    }
}

/// Why a feature was not taken.
enum Trouble {
    /// Its text is no JSON.
    Syntax(String),
    /// The receiver of the rows stopped.
    Receiver(FormatError),
}

impl Reading<'_, '_> {
    /// A document that is one feature.
    fn lone(&mut self, text: &str) -> Result<(), FormatError> {
        self.feature(text).map_err(|error| match error {
            Trouble::Syntax(what) => broken(self.path, format!("is not GeoJSON: {what}")),
            Trouble::Receiver(error) => error,
        })
    }

    /// What a document is, once all its members are known.
    fn finish(&mut self, members: &[(String, String)], collected: bool) -> Result<(), FormatError> {
        let member = |name: &str| members.iter().find(|(given, _)| given == name).map(|(_, raw)| raw.as_str());
        let kind = member("type").and_then(|raw| serde_json::from_str::<String>(raw).ok());
        match kind.as_deref() {
            Some("FeatureCollection") if collected => Ok(()),
            Some("FeatureCollection") => Err(broken(self.path, "is a FeatureCollection without \"features\"")),
            Some(kind) if collected => {
                Err(broken(self.path, format!("has \"features\", but its type is {kind:?}, not \"FeatureCollection\"")))
            }
            Some("Feature") => self.lone(&object_of(members)),
            Some(
                "Point" | "MultiPoint" | "LineString" | "MultiLineString" | "Polygon" | "MultiPolygon"
                | "GeometryCollection",
            ) => self.lone(&format!(r#"{{"type":"Feature","geometry":{}}}"#, object_of(members))),
            Some(kind) => Err(broken(self.path, format!("is JSON, but its type {kind:?} is none of GeoJSON's"))),
            None => {
                let esri = member("geometryType").is_some() || member("fields").is_some();
                let hint = if esri { " (it looks like Esri JSON: export it as GeoJSON)" } else { "" };
                Err(broken(self.path, format!("is JSON, but has no member \"type\": not GeoJSON{hint}")))
            }
        }
    }
}

/// An object of members that were read one by one.
fn object_of(members: &[(String, String)]) -> String {
    let mut text = String::with_capacity(members.iter().map(|(name, raw)| name.len() + raw.len() + 8).sum());
    for (name, raw) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(raw);
    }
    text.push('}');
    text
}

/// What the `crs` member of GeoJSON 2008 says.
fn crs_of(raw: &str) -> Option<CrsClaim> {
    let value: serde_json::Value = serde_json::from_str(raw).ok()?;
    if value.is_null() {
        // "No CRS can be assumed", GeoJSON 2008 §3.
        return Some(CrsClaim::Silent);
    }
    let property = |name: &str| value.get("properties").and_then(|properties| properties.get(name));
    let name = match (property("name").and_then(serde_json::Value::as_str), property("code")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(serde_json::Value::Number(code))) => format!("EPSG:{code}"),
        _ => return Some(CrsClaim::Unreadable(raw.chars().take(200).collect())),
    };
    Some(claim_of(&name))
}

fn claim_of(name: &str) -> CrsClaim {
    match name.parse() {
        Ok(crs) => CrsClaim::Says(crs),
        Err(_) => CrsClaim::Unreadable(name.to_owned()),
    }
}
