//! `mutu export`.

use std::path::{Path, PathBuf};

use crate::planner::{ExportOptions, ExportRequest, Planner, Which};

use super::{Failure, Outcome, WorkspaceArgument, history_past::picture, output, progress::Bar};

/// Write a layer to a file
///
/// The format follows the file's ending: .geojson, .geojsons (a sequence of RFC 8142), .geojsonl (one feature a line),
/// .gpkg, .shp or .zip (Shapefile), .fgb, .csv. What the format cannot hold is named. The file is complete or absent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mutu export --layer parcels --out parcels.geojson\n  \
                        mutu export --layer parcels --out parcels.zip --crs EPSG:4526 --encoding GBK\n  \
                        mutu export --layer parcels --out done.csv --filter \"status = '完成处置'\"\n  \
                        mutu export --layer parcels --out before.gpkg --as-of 2026-03-31\n  \
                        mutu export --layer parcels --filter \"town = '共和镇'\" --checkout --out field.gpkg")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Export {
    #[command(flatten)]
    workspace: WorkspaceArgument,
    /// The layer
    #[arg(long, value_name = "ID")]
    layer: String,
    /// The file
    #[arg(long, short = 'o', value_name = "FILE")]
    out: PathBuf,
    /// The coordinate reference system of the file; CGCS2000 longitude and latitude where not given
    #[arg(long, value_name = "EPSG:N")]
    crs: Option<String>,
    /// Only features for which this CQL2 text is true
    #[arg(long, value_name = "CQL2")]
    filter: Option<String>,
    /// How the filter is written: cql2-text (usual) or cql2-json
    #[arg(long, value_name = "LANG", requires = "filter")]
    filter_lang: Option<String>,
    /// What the coordinates in the filter are in, in the axis order which that CRS declares; CRS84 where not given
    #[arg(long, value_name = "EPSG:N", requires = "filter")]
    filter_crs: Option<String>,
    /// Only features that share a point with this box of longitude and latitude
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    bbox: Option<String>,
    /// The layer as it was: at a moment, at the end of a day (UTC+8), or after an edit or import by its number
    #[arg(long, value_name = "DATE|SEQ")]
    as_of: Option<String>,
    /// The encoding of text in a shapefile or in CSV: UTF-8 (usual) or GBK
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// CSV with text exactly as stored: no byte order mark, and no apostrophe before what Excel would run as a formula
    #[arg(long)]
    exact_text: bool,
    /// Add the derived areas as columns
    #[arg(long)]
    with_areas: bool,
    /// Only these properties, stored or derived, separated by commas
    #[arg(long, value_name = "NAMES", conflicts_with = "with_areas")]
    properties: Option<String>,
    /// The order of the features, by properties with - before them for descending; by id where not given
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    sort_by: Option<String>,
    /// A GeoPackage to be edited elsewhere (in the field, in QGIS) and brought back with `mutu import --merge`
    #[arg(long, conflicts_with_all = ["crs", "with_areas", "encoding", "force", "as_of", "properties", "sort_by"])]
    checkout: bool,
    /// Overwrite the file where it exists
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let in_the_way = members(&self.out).into_iter().find(|path| path.exists());
        if let Some(path) = in_the_way.filter(|_| !self.force) {
            return Err(Failure {
                code: 30,
                message: format!("{} exists: say --force to overwrite it", path.display()),
            });
        }
        let planner = Planner::open_to_read(&self.workspace.workspace)?;
        let bar = Bar::new();
        planner.load(&mut |progress| bar.tell(progress))?;
        super::outside::tell_left_out(&planner);
        let catalog = picture(&planner, self.as_of.as_deref())?;
        let request = ExportRequest {
            layer: self.layer.clone(),
            out: self.out.clone(),
            which: Which {
                filter: self.filter.as_deref(),
                filter_lang: self.filter_lang.as_deref(),
                filter_crs: self.filter_crs.as_deref(),
                bbox: self.bbox.as_deref(),
                ..Which::default()
            },
            options: ExportOptions {
                crs: self.crs.as_deref(),
                encoding: self.encoding.as_deref(),
                with_areas: self.with_areas,
                exact_text: self.exact_text,
                sort_by: self.sort_by.as_deref(),
                properties: self.properties.as_deref(),
                ..ExportOptions::default()
            },
        };
        let written =
            if self.checkout { planner.check_out(&request)? } else { planner.export_at(&catalog, &request)? };
        bar.finish();
        for loss in &written.losses {
            output::say(&format!("mutu: {}: {loss}", self.out.display()));
        }
        output::say(&format!("mutu: {} holds {} features", self.out.display(), written.features));
        Ok(Outcome::Done)
    }
}

/// The file, and for a shapefile all files that are parts of it.
fn members(out: &Path) -> Vec<PathBuf> {
    let is_shapefile = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("shp"));
    let endings: &[&str] = if is_shapefile { &["shx", "dbf", "prj", "cpg", "qix", "sbn", "sbx"] } else { &[] };
    std::iter::once(out.to_owned()).chain(endings.iter().map(|ending| out.with_extension(ending))).collect()
}
