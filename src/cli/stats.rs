//! `mutu stats`.

use crate::{
    engine::stats::{Group, Statistics},
    planner::{Planner, StatisticsQuestion},
};

use super::{
    Failure, Outcome, WorkspaceArgument,
    history_past::picture,
    output::{self, Format},
    progress::Bar,
};

/// Count and measure features by group
///
/// The JSON is the very one of the API. Printed parts sum to the printed total; overlapping land is counted once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mutu stats --layer parcels --group-by town,status --unit mu\n  \
                        mutu stats --layer parcels --within parks --unit ha --format json\n  \
                        mutu stats --layer parcels --filter \"status = '认定' AND area_mu >= 10\"")]
pub(super) struct Stats {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The layer
    #[arg(long, value_name = "ID")]
    layer: String,
    /// Properties to group by, separated by commas
    #[arg(long, value_name = "NAMES")]
    group_by: Option<String>,
    /// Layers of zones: group by the part that lies in each
    #[arg(long, value_name = "LAYERS")]
    within: Option<String>,
    /// The unit of area: m2, ha, mu or km2
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// How areas are measured: ellipsoidal or planar
    #[arg(long, value_name = "BASIS")]
    basis: Option<String>,
    /// Decimals of areas
    #[arg(long, value_name = "N")]
    decimals: Option<String>,
    /// Only features for which this CQL2 filter is true
    #[arg(long, value_name = "CQL2")]
    filter: Option<String>,
    /// How the filter is written: cql2-text (where not given) or cql2-json
    #[arg(long, value_name = "LANGUAGE")]
    filter_lang: Option<String>,
    /// The coordinate reference system of the filter's geometries; longitude and latitude where not given
    #[arg(long, value_name = "EPSG:N")]
    filter_crs: Option<String>,
    /// Only features that touch this box: west,south,east,north
    #[arg(long, value_name = "BOX", allow_hyphen_values = true)]
    bbox: Option<String>,
    /// The coordinate reference system of the box; longitude and latitude where not given
    #[arg(long, value_name = "EPSG:N")]
    bbox_crs: Option<String>,
    /// The figures as they were: at a moment, at the end of a day (UTC+8), or after an edit or import by its number
    #[arg(long, value_name = "DATE|SEQ")]
    as_of: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Stats {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        let question = StatisticsQuestion {
            group_by: self.group_by,
            within: self.within,
            unit: self.unit,
            basis: self.basis,
            decimals: self.decimals,
            filter: self.filter,
            filter_lang: self.filter_lang,
            filter_crs: self.filter_crs,
            bbox: self.bbox,
            bbox_crs: self.bbox_crs,
            properties: Vec::new(),
        };
        let catalog = picture(&planner, self.as_of.as_deref())?;
        let answer = planner.statistics_at(&catalog, &self.layer, &question)?;
        bar.finish();
        let text = serde_json::to_string(&answer).map_err(|error| Failure::io(error.to_string()))?;
        match self.format {
            Format::Json => output::put(&format!("{text}\n"))?,
            Format::Table | Format::Csv => {
                let (head, rows) = table_of(&answer);
                let written =
                    if self.format == Format::Csv { output::csv(&head, &rows) } else { output::columns(&head, &rows) };
                output::put(&written)?;
                for remark in remarks_on(&answer) {
                    output::say(&format!("mutu: {remark}"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}

/// The groups as rows, the total last.
fn table_of(answer: &Statistics) -> (Vec<String>, Vec<Vec<String>>) {
    let keys: Vec<String> =
        answer.groups.first().map(|g| g.key.0.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    let area = format!("area_{}", answer.unit.as_str());
    let mut head = keys.clone();
    head.extend(["count".to_owned(), area, "share".to_owned()]);
    let row = |group: &Group| {
        let mut row: Vec<String> =
            keys.iter().map(|name| group.key.shown(name).unwrap_or_else(|| "-".to_owned())).collect();
        let share = group.share.map_or_else(|| "-".to_owned(), |share| share.to_string());
        // No area is not an area of nothing.
        let area = if group.unmeasured == group.count { "-".to_owned() } else { group.area.to_string() };
        row.extend([group.count.to_string(), area, share]);
        row
    };
    let mut rows: Vec<Vec<String>> = answer.groups.iter().map(row).collect();
    if !keys.is_empty() || rows.is_empty() {
        let mut total = vec![String::new(); keys.len()];
        if let Some(first) = total.first_mut() {
            "total".clone_into(first);
        }
        let share = if answer.groups.iter().any(|group| group.share.is_some()) { "1" } else { "-" };
        total.extend([answer.total.count.to_string(), answer.total.area.to_string(), share.to_owned()]);
        rows.push(total);
    }
    (head, rows)
}

/// What has to be said beside the figures.
fn remarks_on(answer: &Statistics) -> Vec<String> {
    let mut remarks = vec![format!("areas are {}; {}", answer.basis.as_str(), answer.definition.en)];
    if answer.overlap.pairs > 0 {
        remarks.push(format!(
            "{} {} under {} pairs of overlapping features were counted once",
            answer.overlap.area,
            answer.unit.as_str(),
            answer.overlap.pairs
        ));
    }
    if answer.unmeasured > 0 {
        remarks.push(format!("{} features have no area on this basis", answer.unmeasured));
    }
    if !answer.faulty.is_empty() || !answer.faulty_zones.is_empty() {
        remarks.push("some geometries cross themselves: see mutu check before relying on their parts".to_owned());
    }
    remarks
}
