//! Where a file's coordinates are: the CRS that the file and the user name, and whether it can be believed.

use geo::Coord;

use crate::{
    formats::CrsClaim,
    ground::{
        crs::{Crs, CrsKind},
        shape::Bounds,
    },
};

use super::PlannerError;

/// Coordinates may lie so far outside a CRS's area of use, in degrees, before the CRS is doubted.
const BELIEVABLE: f64 = 3.0;

/// The CRS of a file, and who said so.
///
/// # Errors
/// [`PlannerError::CrsDoubtful`] where nobody says, two say different things, or the coordinates do not fit.
pub(super) fn settle(
    claim: &CrsClaim,
    asked: Option<&Crs>,
    extent: Option<&Bounds>,
    samples: &[Coord],
) -> Result<(Crs, String), PlannerError> {
    let (crs, said) = choose(claim, asked)?;
    if let Some(extent) = extent {
        believe(&crs, extent, samples)?;
    }
    Ok((crs, said))
}

fn choose(claim: &CrsClaim, asked: Option<&Crs>) -> Result<(Crs, String), PlannerError> {
    match (claim, asked) {
        (CrsClaim::Says(says), Some(asked)) if !says.agrees_with(asked) => Err(PlannerError::CrsDoubtful(format!(
            "the file says its coordinates are in {says}, --crs says {asked}: leave --crs out, or correct the file"
        ))),
        (CrsClaim::ByFormat(fixed), Some(asked)) if !fixed.agrees_with(asked) => {
            Ok((asked.clone(), format!("{asked} (--crs; the format by itself means {fixed})")))
        }
        (CrsClaim::Says(says), _) => Ok((says.clone(), format!("{says} (the file)"))),
        (CrsClaim::ByFormat(fixed), _) => Ok((fixed.clone(), format!("{fixed} (fixed by the format)"))),
        (_, Some(asked)) => Ok((asked.clone(), format!("{asked} (--crs)"))),
        (CrsClaim::Silent, None) => Err(PlannerError::CrsDoubtful(
            "the file does not say what its coordinates are in: say it with --crs, for instance --crs EPSG:4547 \
             (CGCS2000 / 3-degree GK CM 114E, without zone prefix) or --crs EPSG:4526 (zone 38, with prefix)"
                .to_owned(),
        )),
        (CrsClaim::Unreadable(text), None) => Err(PlannerError::CrsDoubtful(format!(
            "the file names a coordinate reference system that is not known ({}): say what it is with --crs",
            text.chars().take(120).collect::<String>()
        ))),
    }
}

/// Refuses coordinates that cannot be in the CRS that they are said to be in.
fn believe(crs: &Crs, extent: &Bounds, samples: &[Coord]) -> Result<(), PlannerError> {
    let box_text = format!("x from {} to {}, y from {} to {}", extent.min.x, extent.max.x, extent.min.y, extent.max.y);
    let degrees = Bounds { min: Coord { x: -180.0, y: -90.0 }, max: Coord { x: 180.0, y: 90.0 } };
    if crs.kind() == CrsKind::Geographic {
        if degrees.intersects(extent) {
            return Ok(());
        }
        let hint = if fits(&survey_grid(), extent) {
            ": they look like EPSG:4547"
        } else if degrees.intersects(&exchanged(extent)) {
            ": x and y look exchanged, x must be the longitude"
        } else {
            ""
        };
        return Err(PlannerError::CrsDoubtful(format!(
            "{box_text} are no degrees, but {crs} has longitude and latitude{hint}; say the right one with --crs"
        )));
    }
    // A few rows elsewhere do not make the CRS doubtful: each is refused by itself.
    if fits(crs, extent) || mostly_fit(crs, samples) {
        return Ok(());
    }
    let hint = if degrees.contains(extent) {
        "they look like degrees"
    } else if fits(crs, &exchanged(extent)) {
        "x and y look exchanged: x must be the easting, y the northing"
    } else {
        "they lie far outside its area of use"
    };
    Err(PlannerError::CrsDoubtful(format!("{box_text} cannot be in {crs}: {hint}; say the right one with --crs")))
}

/// Whether the middle and the corners of a box lie in the CRS's area of use, or near it.
fn fits(crs: &Crs, extent: &Bounds) -> bool {
    let Some(area) = crs.area_of_use() else { return true };
    let mut places = [
        extent.min,
        extent.max,
        extent.center(),
        Coord { x: extent.min.x, y: extent.max.y },
        Coord { x: extent.max.x, y: extent.min.y },
    ];
    crs.to_stored(&mut places).is_ok() && places.iter().all(|place| area.widened(BELIEVABLE).holds(*place))
}

/// Whether most of some places lie in the CRS's area of use, or near it.
fn mostly_fit(crs: &Crs, samples: &[Coord]) -> bool {
    let Some(area) = crs.area_of_use() else { return true };
    let area = area.widened(BELIEVABLE);
    let fit = samples.iter().filter(|at| {
        let mut place = [**at];
        crs.to_stored(&mut place).is_ok() && area.holds(place[0])
    });
    2 * fit.count() > samples.len()
}

/// The box with x and y exchanged.
fn exchanged(extent: &Bounds) -> Bounds {
    let turn = |at: Coord| Coord { x: at.y, y: at.x };
    Bounds { min: turn(extent.min), max: turn(extent.max) }
}

/// The county's grid without zone prefix, by which a hint is given.
fn survey_grid() -> Crs {
    super::WORKSPACE_GRID.parse().unwrap_or_else(|_| Crs::stored())
}
