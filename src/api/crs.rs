//! The CRS in which coordinates are answered: OGC API - Features, Part 2 (18-058r1).
//!
//! Invariant: coordinates leave in the axis order that their CRS declares, whatever order they have inside; the
//! `Content-Crs` header names it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use geo::Coord;
use rustc_hash::FxHashMap;

use crate::{
    catalog::LayerState,
    ground::{
        crs::{Crs, CrsKind},
        print::{DEGREE_DECIMALS, METRE_DECIMALS, append_number},
        shape::{Shape, ShapeRef},
    },
};

use super::{
    error::ApiError,
    query::{Parameter, Query},
};

/// The CRS of answers that ask for none: longitude and latitude.
pub(super) const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
/// The header that names what an answer's coordinates are in.
pub(super) const CONTENT_CRS: HeaderName = HeaderName::from_static("content-crs");
/// What coordinates are stored in; inside the product east first.
pub(super) const STORED: &str = "http://www.opengis.net/def/crs/EPSG/0/4490";

/// Geographic and world-wide ones, which every layer is offered in, and the county's survey grids.
const EVERYWHERE: [u32; 3] = [4490, 4326, 3857];
/// 3-degree Gauss–Krüger zones on CGCS2000: with zone numbers from 25 (central meridian 75°E), and without.
const THREE_DEGREES: [u32; 2] = [4513, 4534];
/// 6-degree zones: with zone numbers from 13 (75°E), and without.
const SIX_DEGREES: [u32; 2] = [4491, 4502];

pub(super) const CRS: Parameter = Parameter {
    name: "crs",
    about: "What the answer's coordinates are in, one of the collection's crs, in its declared axis order; longitude and \
            latitude where not given.",
    schema: r#"{"type":"string","format":"uri"}"#,
};

/// The identifier of a CRS.
pub(super) fn uri_of(crs: &Crs) -> String {
    match crs.epsg() {
        Some(code) => format!("http://www.opengis.net/def/crs/EPSG/0/{code}"),
        None if crs.definition() == "OGC:CRS84" => CRS84.to_owned(),
        None => crs.definition().to_owned(),
    }
}

/// What a layer is offered in: longitude and latitude, its own grid, and the grids of the nation that can hold it whole:
/// far from its meridian a zone's numbers fold back, and a box in them would mean another place.
pub(super) fn offered(state: &LayerState) -> Vec<String> {
    let mut codes = EVERYWHERE.to_vec();
    if let Some(extent) = state.extent() {
        let zones = |first: [u32; 2], count: u32, step: f64| {
            let holding = (0..count).filter(move |zone| {
                // A zone is used beyond its edges, where land straddles two.
                let meridian = 75.0 + f64::from(*zone) * step;
                extent.min.x >= meridian - step && extent.max.x <= meridian + step
            });
            holding.flat_map(move |zone| first.map(|code| code + zone)).collect::<Vec<_>>()
        };
        codes.extend(zones(THREE_DEGREES, 21, 3.0));
        codes.extend(zones(SIX_DEGREES, 11, 6.0));
    }
    let mut uris = vec![CRS84.to_owned()];
    uris.extend(codes.into_iter().map(|code| format!("http://www.opengis.net/def/crs/EPSG/0/{code}")));
    if let Ok(grid) = state.layer().grid.parse::<Crs>() {
        let uri = uri_of(&grid);
        // A grid that only a definition names has no identifier that could stand in a URL.
        if uri.starts_with("http") && !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    uris
}

/// A coordinate as a key; both zeros are one.
fn bits(at: Coord) -> (u64, u64) {
    ((at.x + 0.0).to_bits(), (at.y + 0.0).to_bits())
}

/// The CRS of one answer, or of the coordinates that a client sends.
#[derive(Debug, Clone)]
pub(super) struct AnswerCrs {
    /// `None` for longitude and latitude.
    crs: Option<Crs>,
    uri: String,
}

impl AnswerCrs {
    /// The CRS that a request asks for.
    ///
    /// # Errors
    /// 400 where the layer is not offered in it.
    pub(super) fn read(query: &Query, state: &LayerState) -> Result<Self, ApiError> {
        let Some(text) = query.value("crs") else { return Ok(Self { crs: None, uri: CRS84.to_owned() }) };
        let refused = |why: String| {
            let detail = format!("parameter \"crs\" = {text:?}: {why}");
            ApiError::bad_parameter("crs", "bad-value", detail)
        };
        let crs: Crs = text.parse().map_err(|error: crate::ground::crs::CrsError| refused(error.to_string()))?;
        let uri = uri_of(&crs);
        let known = offered(state);
        if !known.contains(&uri) {
            return Err(refused(format!("the layer is offered in {}", known.join(", "))));
        }
        Ok(Self { crs: (uri != CRS84).then_some(crs), uri })
    }

    /// The CRS that the coordinates of a body are in: what `Content-Crs` says, with or without angle brackets (QGIS sends
    /// none), or longitude and latitude.
    ///
    /// # Errors
    /// 400 where the header is no CRS, or one that the layer is not offered in.
    pub(super) fn of_content(headers: &HeaderMap, state: &LayerState) -> Result<Self, ApiError> {
        let Some(value) = headers.get(CONTENT_CRS) else { return Ok(Self { crs: None, uri: CRS84.to_owned() }) };
        let refused =
            |why: String| ApiError::bad_parameter("Content-Crs", "bad-crs", format!("header Content-Crs: {why}"));
        if headers.get_all(CONTENT_CRS).iter().count() > 1 {
            return Err(refused("it is given more than once".to_owned()));
        }
        let text = value.to_str().map_err(|_| refused("it is no text in ASCII".to_owned()))?.trim();
        let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        let crs: Crs = text.parse().map_err(|error: crate::ground::crs::CrsError| refused(error.to_string()))?;
        let uri = uri_of(&crs);
        let known = offered(state);
        if !known.contains(&uri) {
            return Err(refused(format!("{text:?} is none of the layer's crs: {}", known.join(", "))));
        }
        Ok(Self { crs: (uri != CRS84).then_some(crs), uri })
    }

    /// A shape as it came in this CRS, in longitude and latitude east first. A coordinate that is one of the current
    /// feature's as an answer in this CRS prints it is that coordinate to the last bit: who sends back what they were told
    /// changes nothing, and parcels that share an edge go on sharing it.
    ///
    /// # Errors
    /// 400 where a coordinate has no place on the Earth.
    pub(super) fn receive(&self, given: Shape, current: Option<ShapeRef<'_>>) -> Result<Shape, ApiError> {
        let known = current.map(|current| self.printed(current)).transpose()?.unwrap_or_default();
        let mut shape = given.clone();
        if let Some(crs) = &self.crs {
            if crs.north_first() {
                for at in shape.coords_mut() {
                    *at = Coord { x: at.y, y: at.x };
                }
            }
            let outside = |error: crate::ground::crs::CrsError| {
                ApiError::bad_parameter("Content-Crs", "outside-crs", error.to_string())
            };
            // The stored CRS is there already; out of range is found with everything else that is wrong.
            if !crs.is_stored() {
                crs.to_stored(shape.coords_mut()).map_err(outside)?;
            }
        }
        for (at, given) in shape.coords_mut().iter_mut().zip(given.view().coords()) {
            if let Some(Some(stored)) = known.get(&bits(*given)) {
                *at = *stored;
            }
        }
        Ok(shape)
    }

    /// The coordinates of a stored shape by what an answer prints of them; `None` where two print alike.
    fn printed(&self, stored: ShapeRef<'_>) -> Result<FxHashMap<(u64, u64), Option<Coord>>, ApiError> {
        let moved = self.place(stored)?;
        let moved = moved.as_ref().map_or(stored, Shape::view);
        let mut known: FxHashMap<(u64, u64), Option<Coord>> = FxHashMap::default();
        for (at, stored) in moved.coords().iter().zip(stored.coords()) {
            let printed = Coord { x: self.as_printed(at.x), y: self.as_printed(at.y) };
            let one = known.entry(bits(printed)).or_insert(Some(*stored));
            if one.is_some_and(|one| one != *stored) {
                *one = None;
            }
        }
        Ok(known)
    }

    /// A number as a client reads it from an answer.
    fn as_printed(&self, value: f64) -> f64 {
        let mut text = Vec::with_capacity(24);
        append_number(&mut text, value, self.decimals());
        std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(value)
    }

    /// The header that names it.
    pub(super) fn header(&self) -> Result<HeaderValue, ApiError> {
        HeaderValue::from_str(&format!("<{}>", self.uri)).map_err(ApiError::internal)
    }

    /// Its identifier.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether its coordinates are degrees.
    pub(super) fn is_geographic(&self) -> bool {
        self.crs.as_ref().is_none_or(|crs| crs.kind() == CrsKind::Geographic)
    }

    /// Whether coordinates leave north first.
    pub(super) fn north_first(&self) -> bool {
        self.crs.as_ref().is_some_and(Crs::north_first)
    }

    /// Decimals that keep its coordinates to a tenth of a millimetre.
    pub(super) fn decimals(&self) -> u8 {
        match self.crs.as_ref().map(Crs::kind) {
            None | Some(CrsKind::Geographic) => DEGREE_DECIMALS,
            Some(CrsKind::Projected | CrsKind::WebMercator) => METRE_DECIMALS,
        }
    }

    /// A shape as it leaves; `None` where it leaves as it is stored.
    ///
    /// # Errors
    /// 400 where a coordinate has no image in the CRS.
    pub(super) fn place(&self, shape: ShapeRef<'_>) -> Result<Option<Shape>, ApiError> {
        let Some(crs) = &self.crs else { return Ok(None) };
        let mut moved = shape.to_shape();
        crs.from_stored(moved.coords_mut())
            .map_err(|error| ApiError::bad_parameter("crs", "outside-crs", error.to_string()))?;
        if crs.north_first() {
            for at in moved.coords_mut() {
                *at = Coord { x: at.y, y: at.x };
            }
        }
        Ok(Some(moved))
    }
}
