//! Import: a file becomes a layer in one transaction, all of it or nothing, and a report says what became of
//! each row.
//!
//! The file is read twice: first to learn its schema from all rows, its CRS and its ids, then to store it.

use std::path::PathBuf;

use geo::Coord;

use crate::{
    domain::{
        feature::{Value, ValueRef},
        layer::{GeometryClass, Layer, Provenance},
        report::{Finding, ImportReport, Weight},
        schema::LayerId,
    },
    formats::{self, Contents, FormatError, Read, Row, RowId, Source},
    ground::{
        crs::{Crs, CrsKind},
        fault::{Fault, faults_in},
        gcj02,
        shape::Shape,
        wkb,
    },
    store::{How, Import as Transaction, Note, TableFault, Workspace},
};

use super::{
    PlannerError, Progress, WORKSPACE_GRID,
    infer::convert,
    place,
    survey::{Numbering, SeenIds, Survey, survey},
};

/// So many findings are listed in a report; the rest are counted.
const LISTED_FINDINGS: usize = 10_000;

/// So many features of each layer are compared with incoming ones.
const KNOWN_FEATURES: i64 = 2000;

/// What to do where the layer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfExists {
    /// Fail.
    #[default]
    Refuse,
    /// Add the file's features to the layer's.
    Append,
    /// Put the file's features in the place of the layer's.
    Replace,
}

/// What to import, and what the user said about it.
#[derive(Debug, Clone, Default)]
pub struct ImportRequest {
    /// The file.
    pub file: PathBuf,
    /// The layer in the workspace; the file's name where not given.
    pub layer: Option<String>,
    /// The table in a file of several.
    pub table: Option<String>,
    /// What the coordinates are, where the file does not say.
    pub crs: Option<String>,
    /// The encoding of text, where the file does not say.
    pub encoding: Option<String>,
    /// What to do where the layer exists.
    pub if_exists: IfExists,
    /// Who imports.
    pub author: String,
}

/// A note about the file as a whole.
pub(super) fn note(fault: &str, message: String) -> Finding {
    Finding { row: None, id: None, weight: Weight::Note, fault: fault.to_owned(), place: None, message }
}

/// Imports a file into a workspace.
pub(super) fn import(
    workspace: &mut Workspace,
    request: &ImportRequest,
    at_ms: i64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ImportReport, PlannerError> {
    let (read, source) = open(request)?;
    let id = layer_id(request)?;
    let existing = workspace.layers().iter().find(|stored| stored.layer.id == id).map(|stored| stored.layer.clone());
    if existing.is_some() && request.if_exists == IfExists::Refuse {
        return Err(PlannerError::LayerExists(id));
    }
    let survey = survey(read, &source, progress)?;
    if survey.contents.rows == 0 {
        return Err(PlannerError::Unfit(format!(
            "{}: the file holds no features; nothing was imported",
            request.file.display()
        )));
    }
    let asked = request.crs.as_deref().map(str::parse::<Crs>).transpose()?;
    let (crs, said) = place::settle(&survey.contents.crs, asked.as_ref(), survey.extent.as_ref(), &survey.samples)?;
    let layer = match (existing, request.if_exists) {
        (Some(existing), IfExists::Append) => fit_existing(existing, &survey)?,
        _ => new_layer(id, request, &survey, &crs),
    };
    let mut report = ImportReport {
        file: request.file.display().to_string(),
        layer: layer.id.to_string(),
        crs: said,
        encoding: survey.contents.encoding.clone(),
        ..ImportReport::default()
    };
    let shifted = shifted_by_gcj02(workspace, &survey, &crs)?;
    for finding in survey.contents.findings.iter().chain(&survey.findings).cloned().chain(shifted) {
        report.findings.push(finding);
    }
    if request.if_exists == IfExists::Append && survey.numbering == Numbering::AsInFile {
        let message = "features are numbered on from the layer's last: the file's own ids are not kept";
        report.findings.push(note("ids-renumbered", message.to_owned()));
    }
    let mode = match request.if_exists {
        IfExists::Refuse => How::Create,
        IfExists::Append => How::Append,
        IfExists::Replace => How::Replace,
    };
    let why = format!("import of {}", request.file.display());
    let why = Note { author: &request.author, note: &why, at: at_ms };
    let transaction = workspace.begin_import(&layer, mode, why)?;
    let storing = Storing { layer: &layer, crs: &crs, numbering: survey.numbering, append: mode == How::Append };
    storing.run((read, &source), &survey.contents, transaction, report, progress)
}

fn open(request: &ImportRequest) -> Result<(Read, Source), PlannerError> {
    let format = formats::by_extension(&request.file).and_then(|format| format.read);
    let read = format.ok_or_else(|| {
        PlannerError::UnknownFormat(format!(
            "{}: the ending names no format that can be read; there are {}",
            request.file.display(),
            formats::readable()
        ))
    })?;
    let encoding = request.encoding.as_deref().map(encoding_named).transpose()?;
    Ok((read, Source { path: request.file.clone(), table: request.table.clone(), encoding }))
}

/// The encoding of a name.
pub(super) fn encoding_named(name: &str) -> Result<&'static encoding_rs::Encoding, PlannerError> {
    encoding_rs::Encoding::for_label(name.as_bytes())
        .ok_or_else(|| PlannerError::UnknownFormat(format!("unknown encoding {name:?}: say for instance GBK or UTF-8")))
}

fn layer_id(request: &ImportRequest) -> Result<LayerId, PlannerError> {
    if let Some(id) = &request.layer {
        return Ok(id.parse()?);
    }
    let stem = request.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(request.table.as_deref().unwrap_or(&stem).parse()?)
}

fn new_layer(id: LayerId, request: &ImportRequest, survey: &Survey, crs: &Crs) -> Layer {
    let in_grid = crs.kind() == CrsKind::Projected;
    Layer {
        title: id.to_string(),
        title_en: String::new(),
        description: format!("{}, {}", request.file.file_name().unwrap_or_default().to_string_lossy(), crs.name()),
        geometry: survey.geometry,
        schema: survey.schema.clone(),
        grid: if in_grid { crs.definition().to_owned() } else { WORKSPACE_GRID.to_owned() },
        surveyed_in_grid: in_grid,
        provenance: Provenance::Imported,
        rules: crate::domain::rule::Rules::default(),
        id,
    }
}

/// The layer that a file is added to, where its columns are the layer's.
fn fit_existing(existing: Layer, survey: &Survey) -> Result<Layer, PlannerError> {
    let names = |layer: &crate::domain::schema::Schema| {
        layer.fields.iter().map(|field| format!("{} {}", field.name, field.kind.as_str())).collect::<Vec<_>>()
    };
    let (has, brings) = (names(&existing.schema), names(&survey.schema));
    if has != brings {
        return Err(PlannerError::Unfit(format!(
            "the file's columns ({}) are not those of layer {} ({}): nothing was imported",
            brings.join(", "),
            existing.id,
            has.join(", ")
        )));
    }
    let class = if existing.geometry == survey.geometry { existing.geometry } else { GeometryClass::Mixed };
    Ok(Layer { geometry: class, ..existing })
}

/// Whether the file's vertices lie where GCJ-02 would move vertices that the workspace holds.
fn shifted_by_gcj02(workspace: &Workspace, survey: &Survey, crs: &Crs) -> Result<Option<Finding>, PlannerError> {
    let mut incoming = survey.samples.clone();
    if crs.to_stored(&mut incoming).is_err() {
        return Ok(None);
    }
    let reference = known_vertices(workspace)?;
    let Some(share) = gcj02::likely_shifted(&incoming, &reference) else { return Ok(None) };
    let message = format!(
        "{:.0} % of the vertices match features of this workspace once a GCJ-02 shift (about 600 m) is taken out, but \
         not as they are: they are probably GCJ-02 (高德, 腾讯) and not {crs}; stored as they are: do not rely on their \
         place",
        share * 100.0
    );
    Ok(Some(Finding {
        row: None,
        id: None,
        weight: Weight::Flagged,
        fault: "probably-gcj02".to_owned(),
        place: None,
        message,
    }))
}

/// Vertices of the workspace that incoming ones may be compared with: the outlines of its smaller layers.
fn known_vertices(workspace: &Workspace) -> Result<Vec<Coord>, PlannerError> {
    let mut vertices = Vec::new();
    for stored in workspace.layers() {
        let id = stored.layer.id.as_str();
        // A table that another program dropped or put in another's place has no rows to be compared with.
        if !workspace.table_faults(id)?.iter().all(TableFault::is_bearable) {
            continue;
        }
        let Some((first, _)) = workspace.fid_range(id)? else { continue };
        workspace.scan(id, Some((first, first.saturating_add(KNOWN_FEATURES))), &mut |row| {
            if let Some(read) = row.wkb()?.and_then(|bytes| wkb::read_wkb(bytes).ok()) {
                vertices.extend_from_slice(read.shape.view().coords());
            }
            Ok(())
        })?;
    }
    Ok(vertices)
}

/// The second reading.
struct Storing<'a> {
    layer: &'a Layer,
    crs: &'a Crs,
    numbering: Numbering,
    append: bool,
}

/// What becomes of a row.
enum Verdict {
    Store { id: Option<i64>, flagged: bool },
    Refuse,
}

impl Storing<'_> {
    fn run(
        &self,
        (read, source): (Read, &Source),
        surveyed: &Contents,
        mut transaction: Transaction<'_>,
        mut report: ImportReport,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<ImportReport, PlannerError> {
        let mut seen = SeenIds::default();
        let mut unlisted = 0;
        let mut failure = None;
        let outcome = read(source, &mut |_, row: Row| {
            progress(&Progress { stage: "storing", done: row.number });
            report.read += 1;
            let mut findings = Vec::new();
            let stored = self.store(&mut transaction, &mut seen, row, &mut findings);
            let room = LISTED_FINDINGS.saturating_sub(report.findings.len());
            unlisted += findings.len().saturating_sub(room);
            report.findings.extend(findings.into_iter().take(room));
            match stored {
                Ok(Verdict::Refuse) => report.refused += 1,
                Ok(Verdict::Store { flagged, .. }) => {
                    report.stored += 1;
                    report.flagged += u64::from(flagged);
                }
                Err(error) => {
                    failure = Some(error);
                    return Err(FormatError::Stopped("the workspace refused".into()));
                }
            }
            Ok(())
        });
        if let Some(error) = failure {
            return Err(error.into());
        }
        let again = outcome?;
        if (&again.columns, &again.crs, again.rows) != (&surveyed.columns, &surveyed.crs, surveyed.rows) {
            let message = format!("{} changed while it was read: nothing was imported", report.file);
            return Err(PlannerError::Unfit(message));
        }
        if unlisted > 0 {
            report.findings.push(note("more-findings", format!("{unlisted} further findings are not listed")));
        }
        if report.stored == 0 {
            return Err(PlannerError::AllRefused(Box::new(report)));
        }
        transaction.commit(&serde_json::to_string(&report).unwrap_or_default())?;
        Ok(report)
    }

    fn store(
        &self,
        transaction: &mut Transaction<'_>,
        seen: &mut SeenIds,
        mut row: Row,
        findings: &mut Vec<Finding>,
    ) -> Result<Verdict, crate::store::StoreError> {
        let verdict = self.judge(seen, &mut row, findings);
        let Verdict::Store { id, flagged } = verdict else { return Ok(Verdict::Refuse) };
        let file_id = row.id.take();
        let mut values = std::mem::take(&mut row.values);
        let fields = &self.layer.schema.fields;
        if self.numbering == Numbering::CountedWithColumn {
            values.resize(fields.len() - 1, Value::Null);
            values.push(file_id.map_or(Value::Null, |id| match id {
                RowId::Number(number) => Value::Text(number.to_string()),
                RowId::Text(text) => Value::Text(text),
            }));
        }
        values.resize(fields.len(), Value::Null);
        let values: Vec<Value> = values.into_iter().zip(fields).map(|(value, f)| convert(value, f.kind)).collect();
        let views: Vec<ValueRef<'_>> = values.iter().map(Value::view).collect();
        let stored = transaction.put(id, row.shape.as_ref().map(Shape::view), &views)?;
        for finding in findings.iter_mut() {
            finding.id = Some(stored);
        }
        Ok(Verdict::Store { id: Some(stored), flagged })
    }

    /// Moves the row's geometry to stored coordinates and decides whether it can be stored.
    fn judge(&self, seen: &mut SeenIds, row: &mut Row, findings: &mut Vec<Finding>) -> Verdict {
        findings.append(&mut row.findings);
        let number = row.number;
        if let Some(earlier) = row.id.as_ref().and_then(|id| seen.earlier(id, number)) {
            let message = format!("row {number} has the id of row {earlier}: ids must differ");
            findings.push(self.finding(number, Weight::Refused, "duplicate-id", None, message));
        }
        if let Some(shape) = &mut row.shape {
            // Judged as it came: a transformation moves vertices by nanometres, enough to make or mend a touch.
            findings.extend(faults_in(shape.view(), self.crs).iter().map(|fault| self.fault(number, fault)));
            if findings.iter().all(|finding| finding.weight < Weight::Refused)
                && let Err(error) = self.crs.to_stored(shape.coords_mut())
            {
                findings.push(self.finding(number, Weight::Refused, "out-of-domain", None, error.to_string()));
            }
        }
        let worst = findings.iter().map(|finding| finding.weight).max();
        if worst == Some(Weight::Refused) {
            return Verdict::Refuse;
        }
        let id = match (self.numbering, &row.id) {
            (Numbering::AsInFile, Some(RowId::Number(number))) if !self.append => Some(*number),
            _ => None,
        };
        Verdict::Store { id, flagged: worst == Some(Weight::Flagged) }
    }

    fn fault(&self, row: u64, fault: &Fault) -> Finding {
        let place = fault.at;
        let weight = if fault.kind.refuses() { Weight::Refused } else { Weight::Flagged };
        let where_text = place.map_or_else(String::new, |at| format!(" at {}, {}", short(at.x), short(at.y)));
        let ring =
            fault.ring.map_or_else(String::new, |(part, ring)| format!(" (part {}, ring {})", part + 1, ring + 1));
        let message = format!("row {row}: {}{where_text}{ring}", fault.kind.sentence());
        self.finding(row, weight, fault.kind.as_str(), place, message)
    }

    #[expect(clippy::unused_self, reason = "reads as what this reading says about a row")]
    fn finding(&self, row: u64, weight: Weight, fault: &str, place: Option<Coord>, message: String) -> Finding {
        let place = place.map(|at| [at.x, at.y]);
        Finding { row: Some(row), id: None, weight, fault: fault.to_owned(), place, message }
    }
}

/// A coordinate for people: millimetres, or as many decimals of a degree.
fn short(value: f64) -> String {
    let decimals = if value.abs() <= 360.0 { 8 } else { 3 };
    format!("{value:.decimals$}")
}
