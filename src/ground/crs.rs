//! Coordinate reference systems: the one place that knows EPSG codes and axis order, and the only one that
//! talks to PROJ.
//!
//! Invariants: coordinates inside the product are east (or longitude) first in every CRS, whatever order its
//! registry declares; a [`Crs`] exists only where PROJ knows a real transformation to stored coordinates.
//!
//! EPSG:4490 (CGCS2000), EPSG:4326 (WGS 84) and OGC:CRS84 are taken as one: their realisations agree to
//! centimetres in China, better than any parcel is drawn. Coordinates of other datums reach them through WGS 84.
//!
//! Question: why refuse a CRS instead of transforming as well as possible? PROJ falls back to a "ballpark"
//! operation, which keeps the figures and changes the datum's name: Beijing 1954 and Xi'an 1980 would land
//! 60–120 m away without a word. They need the county's own parameters, which WKT 1 can carry (`TOWGS84`).
//!
//! Question: why a lock around PROJ? The `proj` crate empties PROJ's global caches whenever a transformation is
//! dropped. Creating and dropping exclude everything else; transforming runs on all threads at once.

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use geo::Coord;
use proj::{Proj, ProjBuilder, wkt::WktVersion};

use super::{
    crs_text::{self, Written},
    gauss::GaussGrid,
    projjson::{self, Facts},
    shape::Bounds,
};

/// What kind of coordinates a CRS has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrsKind {
    /// Longitude and latitude in degrees.
    Geographic,
    /// A plane in which areas may be measured.
    Projected,
    /// A plane in which areas mean nothing (Web Mercator and its relatives).
    WebMercator,
}

/// A coordinate reference system that PROJ knows. Cheap to clone.
#[derive(Clone)]
pub struct Crs(Arc<Known>);

/// What is known about a CRS.
#[derive(Debug)]
struct Known {
    /// `AUTHORITY:CODE` where it has one, else WKT: also what PROJ is given.
    definition: String,
    epsg: Option<u32>,
    facts: Facts,
    area: Option<Bounds>,
}

/// What can be wrong with a CRS or with coordinates in one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CrsError {
    /// The text names no CRS that can be used.
    #[error("unknown coordinate reference system {given:?}: {why}; give EPSG:n, an OGC URI or URN, or WKT")]
    Unknown {
        /// The text as given, shortened.
        given: String,
        /// Why it cannot be used.
        why: String,
    },
    /// No transformation from its datum to CGCS2000 is published.
    #[error(
        "no transformation from {from} to CGCS2000 is published: convert the coordinates with the parameters of your \
         surveying authority first"
    )]
    NoTransformation {
        /// The CRS.
        from: String,
    },
    /// PROJ has found another version's definitions instead of the ones built in.
    #[error(
        "PROJ's definitions cannot be read: one of {searched} holds those of another version; unset PROJ_DATA and \
         PROJ_LIB, or move this program away from beside that directory"
    )]
    ForeignDefinitions {
        /// The directories that PROJ looks into, as it says.
        searched: String,
    },
    /// A coordinate cannot be transformed.
    #[error("({x}, {y}) cannot be transformed from {from} to {to}")]
    OutOfDomain {
        /// First coordinate.
        x: f64,
        /// Second coordinate.
        y: f64,
        /// The CRS of the coordinate.
        from: String,
        /// The CRS wanted.
        to: String,
    },
}

impl Crs {
    /// EPSG:4490, CGCS2000 longitude and latitude: what every stored coordinate is in.
    #[must_use]
    pub fn stored() -> Self {
        let facts = Facts {
            name: "China Geodetic Coordinate System 2000".to_owned(),
            kind: CrsKind::Geographic,
            claimed_epsg: Some(4490),
            north_first: true,
            metres_per_unit: None,
            datum: "China 2000".to_owned(),
            misnamed_cgcs2000: false,
            bound: false,
            gauss: None,
        };
        let area = Some(Bounds { min: Coord { x: 73.62, y: 16.7 }, max: Coord { x: 134.77, y: 53.56 } });
        Self(Arc::new(Known { definition: "EPSG:4490".to_owned(), epsg: Some(4490), facts, area }))
    }

    /// `EPSG:n` (or another registry's code) where it has one, else its WKT.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.0.definition
    }

    /// What kind of coordinates it has.
    #[must_use]
    pub fn kind(&self) -> CrsKind {
        self.0.facts.kind
    }

    /// The name in the EPSG registry or in its WKT.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.facts.name
    }

    /// The code in the EPSG registry, where it has one.
    #[must_use]
    pub fn epsg(&self) -> Option<u32> {
        self.0.epsg
    }

    /// Whether its official axis order is north first; coordinates inside the product are east first always.
    #[must_use]
    pub fn north_first(&self) -> bool {
        self.0.facts.north_first
    }

    /// Metres in one unit of its axes, for a projected CRS.
    #[must_use]
    pub fn metres_per_unit(&self) -> Option<f64> {
        self.0.facts.metres_per_unit
    }

    /// Where it may be used, in degrees of longitude and latitude; `None` where its definition does not say
    /// or where it crosses the antimeridian.
    #[must_use]
    pub fn area_of_use(&self) -> Option<Bounds> {
        self.0.area
    }

    /// Its meridian and false easting, where it is a Gauss–Krüger grid on CGCS2000.
    #[must_use]
    pub fn gauss(&self) -> Option<GaussGrid> {
        self.0.facts.gauss
    }

    /// Whether its coordinates are stored as they are: EPSG:4490, EPSG:4326, OGC:CRS84.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        matches!(self.0.epsg, Some(4490 | 4326)) || self.0.definition == "OGC:CRS84"
    }

    /// Whether both describe the same coordinates, to a millimetre at places in their area of use.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self == other || self.agrees_within(other, 1e-3)
    }

    /// As [`Self::agrees_with`], to a given distance in metres.
    fn agrees_within(&self, other: &Self, metres: f64) -> bool {
        const WORLD: Bounds = Bounds { min: Coord { x: -179.0, y: -89.0 }, max: Coord { x: 179.0, y: 89.0 } };
        let scale = |crs: &Self| crs.metres_per_unit().unwrap_or(METRES_PER_DEGREE);
        if (self.kind() == CrsKind::Geographic) != (other.kind() == CrsKind::Geographic) {
            return false;
        }
        let mut compared = 0;
        for place in grid_in(&self.area_of_use().or(other.area_of_use()).unwrap_or(WORLD)) {
            let (mut a, mut b) = ([place], [place]);
            match (self.from_stored(&mut a), other.from_stored(&mut b)) {
                (Ok(()), Ok(())) => {
                    let (dx, dy) =
                        (a[0].x * scale(self) - b[0].x * scale(other), a[0].y * scale(self) - b[0].y * scale(other));
                    let apart = dx.hypot(dy);
                    if apart.is_nan() || apart > metres {
                        return false;
                    }
                    compared += 1;
                }
                (Err(_), Err(_)) => {}
                _ => return false,
            }
        }
        compared > 3
    }

    /// Its definition as WKT 1 in ESRI's dialect: what a `.prj` file holds.
    ///
    /// # Errors
    /// [`CrsError::Unknown`] where PROJ cannot write it in that dialect.
    pub fn to_esri_wkt(&self) -> Result<String, CrsError> {
        wkt_of(self.definition(), WktVersion::Wkt1_Esri)
    }

    /// Its definition as WKT 1 in GDAL's dialect: what `gpkg_spatial_ref_sys` holds.
    ///
    /// # Errors
    /// [`CrsError::Unknown`] where PROJ cannot write it in that dialect.
    pub fn to_wkt(&self) -> Result<String, CrsError> {
        wkt_of(self.definition(), WktVersion::Wkt1_Gdal)
    }

    /// Moves coordinates of this CRS (east first) to EPSG:4490 longitude and latitude.
    ///
    /// # Errors
    /// [`CrsError::OutOfDomain`] names the first coordinate that has no image; the slice is then unspecified.
    pub fn to_stored(&self, coords: &mut [Coord]) -> Result<(), CrsError> {
        if self.is_stored() {
            return Ok(());
        }
        if let Some(grid) = self.gauss().filter(|grid| coords.iter().all(|at| grid.reaches_plane(*at))) {
            for at in coords {
                *at = grid.inverse(*at);
            }
            return Ok(());
        }
        self.run(true, coords)
    }

    /// Moves stored longitude and latitude to this CRS (east first).
    ///
    /// # Errors
    /// [`CrsError::OutOfDomain`] names the first coordinate that has no image; the slice is then unspecified.
    pub fn from_stored(&self, coords: &mut [Coord]) -> Result<(), CrsError> {
        if self.is_stored() {
            return Ok(());
        }
        let fits = |grid: &GaussGrid| coords.iter().all(|at| grid.reaches(at.x) && at.y.abs() < 85.0);
        if let Some(grid) = self.gauss().filter(fits) {
            for at in coords {
                *at = grid.forward(*at);
            }
            return Ok(());
        }
        self.run(false, coords)
    }

    /// A box in stored longitude and latitude that surely holds every place of a box in this CRS (east first).
    ///
    /// # Errors
    /// [`CrsError::OutOfDomain`] where a place on the box's edge has no image.
    pub fn bounds_to_stored(&self, bounds: &Bounds) -> Result<Bounds, CrsError> {
        if self.is_stored() {
            return Ok(*bounds);
        }
        let mut edge = outline_of(bounds);
        self.to_stored(&mut edge)?;
        let Some(mut stored) = Bounds::around(&edge) else { return Ok(*bounds) };
        // Between two samples the edge bulges by at most about an eighth of the second difference: take all of it.
        let mut bulge = Coord { x: 1e-11_f64, y: 1e-11_f64 };
        for i in 0..edge.len() {
            let (a, b, c) = (edge[i], edge[(i + 1) % edge.len()], edge[(i + 2) % edge.len()]);
            if (a.x - b.x).abs() > 180.0 {
                // The edge crosses the antimeridian: every longitude is possible.
                (stored.min.x, stored.max.x) = (-180.0, 180.0);
            }
            let corner = (i + 1) % EDGE_SAMPLES == 0;
            if !corner {
                bulge.x = bulge.x.max((a.x - 2.0 * b.x + c.x).abs());
                bulge.y = bulge.y.max((a.y - 2.0 * b.y + c.y).abs());
            }
        }
        stored.min = Coord { x: (stored.min.x - bulge.x).max(-180.0), y: (stored.min.y - bulge.y).max(-90.0) };
        stored.max = Coord { x: (stored.max.x + bulge.x).min(180.0), y: (stored.max.y + bulge.y).min(90.0) };
        for pole in [-90.0, 90.0] {
            let mut at = [Coord { x: 0.0, y: pole }];
            if self.kind() != CrsKind::Geographic && self.from_stored(&mut at).is_ok() && bounds.holds(at[0]) {
                stored = stored.union(Bounds::of_corners(Coord { x: -180.0, y: pole }, Coord { x: 180.0, y: pole }));
            }
        }
        Ok(stored)
    }

    fn run(&self, to_stored: bool, coords: &mut [Coord]) -> Result<(), CrsError> {
        let out_of_domain = |at: Coord| {
            let (from, to) =
                if to_stored { (self.definition(), "EPSG:4490") } else { ("EPSG:4490", self.definition()) };
            CrsError::OutOfDomain { x: at.x, y: at.y, from: shortened(from), to: shortened(to) }
        };
        // PROJ answers figures beyond any map with a pole: not a wrong place, but no place at all.
        if let Some(bad) = coords.iter().find(|at| !(at.x.abs() < BEYOND_ANY_MAP && at.y.abs() < BEYOND_ANY_MAP)) {
            return Err(out_of_domain(*bad));
        }
        with_line(&self.0, to_stored, |line| line.run(coords))?.map_err(out_of_domain)
    }
}

impl PartialEq for Crs {
    fn eq(&self, other: &Self) -> bool {
        self.definition() == other.definition()
    }
}

impl fmt::Debug for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crs({})", self.definition())
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.definition())
    }
}

impl FromStr for Crs {
    type Err = CrsError;

    fn from_str(given: &str) -> Result<Self, CrsError> {
        /// Looking a CRS up costs milliseconds, and requests name the same few again and again.
        static SEEN: Mutex<Vec<(String, Crs)>> = Mutex::new(Vec::new());
        const KEPT: usize = 64;
        let text = given.trim();
        let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, crs)) = seen().iter().find(|(key, _)| key == text) {
            return Ok(crs.clone());
        }
        let crs = match crs_text::read(text) {
            Written::Code(code) => look_up(code, given)?,
            Written::Definition if text.starts_with('{') => defined(wkt_of(text, WktVersion::Wkt2_2019)?, given)?,
            Written::Definition => defined(text.to_owned(), given)?,
            Written::Neither => return Err(unknown(given, "it is neither a code nor a definition")),
        };
        if !crs.is_stored() {
            with_line(&crs.0, true, |_| ())?;
        }
        let mut seen = seen();
        if seen.len() == KEPT {
            seen.remove(0);
        }
        seen.push((text.to_owned(), crs.clone()));
        Ok(crs)
    }
}

/// Larger than any coordinate in any unit and with any zone number in front.
const BEYOND_ANY_MAP: f64 = 1e9;
/// Datums whose published transformations hold for single oil fields, not for the place at hand: PROJ would
/// take one of them anywhere in China.
const WITHOUT_TRANSFORMATION: [&str; 3] = ["Beijing 1954", "New Beijing", "Xian 1980"];
/// Degrees are compared as metres on the equator.
const METRES_PER_DEGREE: f64 = 111_320.0;
/// Samples on one side of a box.
const EDGE_SAMPLES: usize = 32;

fn unknown(given: &str, why: &str) -> CrsError {
    CrsError::Unknown { given: shortened(given), why: why.to_owned() }
}

/// Why PROJ found nothing: it knows no such thing, or it cannot read its definitions at all.
fn unknown_to_proj(given: &str) -> CrsError {
    if guarded(|| Proj::new("EPSG:4490")).is_some() {
        return unknown(given, "PROJ does not know it");
    }
    let searched = ProjBuilder::new().lib_info().map_or_else(|error| error.to_string(), |info| info.searchpath);
    CrsError::ForeignDefinitions { searched }
}

/// A definition may be pages of WKT: messages carry its beginning.
fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Asks PROJ about a code or a definition.
fn look_up(definition: String, given: &str) -> Result<Crs, CrsError> {
    let (json, area) = {
        let _alone = ENGINE.write().unwrap_or_else(PoisonError::into_inner);
        let found = guarded(|| Proj::new(&definition)).ok_or_else(|| unknown_to_proj(given))?;
        let json = found.to_projjson(None, None, None).map_err(|_| unknown(given, "PROJ cannot describe it"))?;
        (json, found.area_of_use().ok().and_then(|(area, _)| area))
    };
    let facts = projjson::facts_of(&json).map_err(|why| unknown(given, &why))?;
    let area = area
        .filter(|area| area.west < area.east)
        .map(|area| Bounds { min: Coord { x: area.west, y: area.south }, max: Coord { x: area.east, y: area.north } });
    let epsg = definition.strip_prefix("EPSG:").and_then(|code| code.parse().ok());
    Ok(Crs(Arc::new(Known { definition, epsg, facts, area })))
}

/// The CRS of a WKT, by its code where it can be proven.
fn defined(wkt: String, given: &str) -> Result<Crs, CrsError> {
    let crs = look_up(wkt, given)?;
    let facts = &crs.0.facts;
    if facts.misnamed_cgcs2000 && !facts.bound {
        let named = crs.definition().replace(&format!("\"{}\"", facts.datum), "\"D_China_2000\"");
        return Ok(recognised(look_up(named, given)?));
    }
    Ok(recognised(crs))
}

/// The EPSG code of a definition, where it can be proven: same datum, same coordinates to a micrometre. The
/// code that a definition claims is tried first; it is not believed.
fn recognised(crs: Crs) -> Crs {
    let facts = &crs.0.facts;
    let mut candidates: Vec<u32> = facts.claimed_epsg.into_iter().collect();
    match (facts.gauss, facts.kind) {
        (Some(grid), _) => candidates.extend(gauss_codes(grid, &facts.name)),
        (None, CrsKind::Geographic) => candidates.extend([4490, 4326]),
        (None, CrsKind::WebMercator) => candidates.push(3857),
        (None, CrsKind::Projected) => candidates.push(2249),
    }
    // Own parameters make the datum's name irrelevant.
    let proven = candidates.into_iter().find_map(|code| {
        let candidate = Crs::from_str(&format!("EPSG:{code}")).ok()?;
        let same = (facts.bound || candidate.0.facts.datum == facts.datum) && candidate.agrees_within(&crs, 1e-6);
        same.then_some(candidate)
    });
    proven.unwrap_or(crs)
}

/// The EPSG codes that a Gauss–Krüger grid on CGCS2000 can have. Without a zone in front of the easting the
/// 3-degree and the 6-degree grids of a meridian are one; the name decides, and without one it is the 3-degree.
fn gauss_codes(grid: GaussGrid, name: &str) -> Vec<u32> {
    let whole = |value: f64, most: f64| (value.fract() == 0.0 && (0.0..=most).contains(&value)).then_some(value as u32);
    let zone = whole((grid.false_easting - 500_000.0) / 1e6, 60.0);
    let mut codes = match (whole(grid.meridian, 180.0), zone) {
        (Some(meridian), Some(0)) => {
            let three = (75..=135).contains(&meridian) && meridian % 3 == 0;
            let six = three && meridian % 6 == 3;
            three
                .then(|| 4534 + (meridian - 75) / 3)
                .into_iter()
                .chain(six.then(|| 4502 + (meridian - 75) / 6))
                .collect()
        }
        (Some(meridian), Some(zone)) if meridian == 3 * zone && (25..=45).contains(&zone) => vec![4513 + zone - 25],
        (Some(meridian), Some(zone)) if meridian + 3 == 6 * zone && (13..=23).contains(&zone) => vec![4491 + zone - 13],
        _ => vec![],
    };
    if name.contains("6-degree") || name.contains("6_Degree") || name.starts_with("CGCS2000 / Gauss-Kruger") {
        codes.reverse();
    }
    codes
}

/// Places spread over a box, away from its edges.
fn grid_in(area: &Bounds) -> impl Iterator<Item = Coord> + use<> {
    let (min, size) = (area.min, area.max - area.min);
    let share = |i: u8| (f64::from(i) + 0.5) / 5.0;
    (0..25u8).map(move |i| Coord { x: min.x + size.x * share(i % 5), y: min.y + size.y * share(i / 5) })
}

/// Samples along the outline of a box, [`EDGE_SAMPLES`] to a side, corners included.
fn outline_of(bounds: &Bounds) -> Vec<Coord> {
    let (a, c) = (bounds.min, bounds.max);
    let corners = [a, Coord { x: c.x, y: a.y }, c, Coord { x: a.x, y: c.y }];
    let side = |i: usize| {
        let (from, to) = (corners[i], corners[(i + 1) % 4]);
        (0..EDGE_SAMPLES).map(move |step| from + (to - from) * (step as f64 / EDGE_SAMPLES as f64))
    };
    (0..4).flat_map(side).collect()
}

/// Taken for writing while PROJ objects are made or dropped, for reading while they work.
static ENGINE: RwLock<()> = RwLock::new(());

/// A PROJ call whose binding panics where PROJ fails without an error number.
fn guarded<T, E>(call: impl FnOnce() -> Result<T, E>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok().and_then(Result::ok)
}

fn wkt_of(definition: &str, dialect: WktVersion) -> Result<String, CrsError> {
    let _alone = ENGINE.write().unwrap_or_else(PoisonError::into_inner);
    let found = guarded(|| Proj::new(definition)).ok_or_else(|| unknown_to_proj(definition))?;
    guarded(|| found.as_wkt(Some(dialect), None)).ok_or_else(|| unknown(definition, "PROJ cannot write it as WKT"))
}

/// A transformation between a CRS and stored coordinates, in one direction.
struct Line {
    proj: Option<Proj>,
    /// Whether PROJ takes, and whether it gives, the north first.
    swaps: (bool, bool),
}

impl Line {
    fn new(known: &Known, to_stored: bool) -> Result<Self, CrsError> {
        let no_transformation = || CrsError::NoTransformation { from: shortened(&known.facts.name) };
        if WITHOUT_TRANSFORMATION.contains(&known.facts.datum.as_str()) && !known.facts.bound {
            return Err(no_transformation());
        }
        // PROJ knows no transformation to CGCS2000 but from itself; everything else goes by way of WGS 84.
        let hub = if known.facts.datum == "China 2000" && !known.facts.bound { "EPSG:4490" } else { "EPSG:4326" };
        let (from, to) = if to_stored { (known.definition.as_str(), hub) } else { (hub, known.definition.as_str()) };
        let _alone = ENGINE.write().unwrap_or_else(PoisonError::into_inner);
        let proj = guarded(|| Proj::new_known_crs(from, to, None)).ok_or_else(no_transformation)?;
        let description = proj.proj_info().description.unwrap_or_default();
        if description.contains("Ballpark") {
            return Err(no_transformation());
        }
        if !description.starts_with("unavailable") {
            return Ok(Self { proj: Some(proj), swaps: (false, false) });
        }
        // Several operations, chosen place by place; that choice must not contain a ballpark one.
        drop(proj);
        let (source, target) = (guarded(|| Proj::new(from)), guarded(|| Proj::new(to)));
        let (Some(source), Some(target)) = (source, target) else { return Err(no_transformation()) };
        let strict = || source.create_crs_to_crs_from_pj(&target, None, Some(vec!["ALLOW_BALLPARK=NO"]));
        let proj = guarded(strict).ok_or_else(no_transformation)?;
        let own = known.facts.north_first;
        Ok(Self { proj: Some(proj), swaps: if to_stored { (own, true) } else { (true, own) } })
    }

    /// Transforms all; the error is the first coordinate, as it was, that has no image.
    fn run(&self, coords: &mut [Coord]) -> Result<(), Coord> {
        let _working = ENGINE.read().unwrap_or_else(PoisonError::into_inner);
        let proj = self.proj.as_ref().expect("it is taken only when dropped");
        let swapped = |at: Coord, swap: bool| if swap { Coord { x: at.y, y: at.x } } else { at };
        for at in coords {
            let image = proj.convert(swapped(*at, self.swaps.0)).map_err(|_| *at)?;
            if !image.x.is_finite() || !image.y.is_finite() {
                return Err(*at);
            }
            *at = swapped(image, self.swaps.1);
        }
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _alone = ENGINE.write().unwrap_or_else(PoisonError::into_inner);
        drop(self.proj.take());
    }
}

/// Runs `work` with this thread's transformation of a CRS, made on first use.
fn with_line<T>(known: &Arc<Known>, to_stored: bool, work: impl FnOnce(&Line) -> T) -> Result<T, CrsError> {
    const KEPT: usize = 32;
    thread_local! {
        static LINES: RefCell<Vec<(Arc<Known>, bool, Line)>> = const { RefCell::new(Vec::new()) };
    }
    let is_it = |(held, direction, _): &(Arc<Known>, bool, Line)| {
        *direction == to_stored && (Arc::ptr_eq(held, known) || held.definition == known.definition)
    };
    LINES.with_borrow_mut(|lines| {
        let place = lines.iter().position(is_it).map_or_else(
            || {
                if lines.len() == KEPT {
                    lines.remove(0);
                }
                lines.push((Arc::clone(known), to_stored, Line::new(known, to_stored)?));
                Ok(lines.len() - 1)
            },
            Ok,
        )?;
        Ok(work(&lines[place].2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_crs_is_the_registrys() {
        let (own, registry) = (Crs::stored(), look_up("EPSG:4490".to_owned(), "").unwrap());
        assert_eq!(own.0.facts, registry.0.facts);
        assert_eq!(own.area_of_use(), registry.area_of_use());
    }
}
