//! Cutting one feature's land by the zones of one or more layers.

use geo::Coord;

use crate::{
    engine::region::{Region, Side},
    ground::shape::Bounds,
};

use super::{
    land::{Land, Rings, Surfaces, is_trace},
    zones::Zones,
};

/// The land of a feature that lies in the same zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// For each zone the layer's place in the request and the zone's number, ascending.
    pub zones: Vec<(u8, u32)>,
    /// Area in hundredths of a square metre.
    pub hundredths_m2: i64,
}

/// A feature's land, divided.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// The pieces; their areas sum to the land's.
    pub pieces: Vec<Piece>,
    /// What moved between pieces to make the sum exact, m²: rounding, and traces too thin to be land.
    pub helped_m2: f64,
    /// Whether the land crosses itself, so that its pieces are scaled and not to be relied on.
    pub faulty: bool,
}

type ZoneSet = Vec<(u8, u32)>;

/// Divides land by the zones of several layers.
#[must_use]
pub fn cut(land: &Land<'_>, layers: &[&Zones]) -> Cut {
    let in_plane = land.bounds_in_plane();
    let mut around: ZoneSet = Vec::new();
    let mut crossing: Vec<((u8, u32), &Region)> = Vec::new();
    for (layer, zones) in (0..).zip(layers) {
        for (number, region, side) in zones.near(land.bounds(), &in_plane) {
            if side == Side::Inside {
                around.push((layer, number));
            } else {
                crossing.push(((layer, number), region));
            }
        }
    }
    around.sort_unstable();
    around.dedup();
    crossing.retain(|(zone, _)| !around.contains(zone));
    if crossing.is_empty() {
        return whole(land, around);
    }
    crossing.sort_by_key(|(zone, _)| *zone);
    divided(land, &in_plane, around, &crossing)
}

/// All land in the same zones.
fn whole(land: &Land<'_>, zones: ZoneSet) -> Cut {
    let pieces = vec![Piece { zones, hundredths_m2: land.whole() }];
    Cut { pieces, helped_m2: 0.0, faulty: false }
}

/// A part of the land while it is being divided.
struct Part {
    zones: ZoneSet,
    land: Surfaces,
    /// Area on the basis, hundredths of a square metre.
    hundredths: f64,
}

/// What all parts of one land have in common.
struct Division<'l> {
    land: &'l Land<'l>,
    /// From measured hundredths to those that the land counts with: 1, but for land that crosses itself.
    scale: f64,
    /// What the sum had to be helped by, hundredths.
    helped: f64,
}

fn divided(land: &Land<'_>, in_plane: &Bounds, around: ZoneSet, crossing: &[((u8, u32), &Region)]) -> Cut {
    let mut gross = land.surfaces();
    let mut faulty = land.is_faulty();
    if faulty {
        // The outline says nothing about the area of a surface that crosses itself.
        gross = gross.rings.and(&frame(in_plane));
    }
    let (measured, hundredths) = (land.measured(&gross), land.whole() as f64);
    if measured <= 0.0 {
        return Cut { faulty: true, ..whole(land, around) };
    }
    let off = (hundredths - measured).abs();
    faulty |= off > 2.0 + 2e-6 * hundredths;
    let mut division = Division {
        land,
        scale: if faulty { hundredths / measured } else { 1.0 },
        helped: if faulty { 0.0 } else { off },
    };
    let near = neighbourhood(in_plane);
    let mut parts = vec![Part { zones: around, land: gross, hundredths }];
    for (i, (zone, region)) in crossing.iter().enumerate() {
        let cutter = Rings::new(region.within(&near));
        if cutter.is_empty() {
            continue;
        }
        let last = i + 1 == crossing.len();
        parts = parts.into_iter().flat_map(|part| division.split(part, (*zone, &cutter), last)).collect();
    }
    division.closed(parts, faulty)
}

impl Division<'_> {
    /// Splits a part into what lies in a zone and what does not. The last zone needs no outline of the latter.
    fn split(&mut self, mut part: Part, (zone, cutter): ((u8, u32), &Rings), last: bool) -> Vec<Part> {
        let inside = part.land.rings.and(cutter);
        if inside.m2 <= 0.0 {
            self.helped += 100.0 * inside.traces_m2;
            return vec![part];
        }
        let mut zones = part.zones.clone();
        if !zones.contains(&zone) {
            zones.push(zone);
        }
        let rest_m2 = part.land.m2 - inside.m2 - inside.traces_m2;
        let maybe_thin = is_trace(rest_m2, part.land.rings.length_m() + inside.rings.length_m());
        let outside = if maybe_thin || !last { part.land.rings.without(cutter) } else { Surfaces::default() };
        if maybe_thin && outside.m2 <= 0.0 {
            self.helped += 100.0 * rest_m2.abs();
            part.zones = zones;
            return vec![part];
        }
        self.helped += 100.0 * inside.traces_m2;
        let hundredths = self.land.measured(&inside) * self.scale;
        let rest = Part {
            zones: part.zones,
            hundredths: part.hundredths - hundredths,
            land: Surfaces { m2: rest_m2, ..outside },
        };
        vec![Part { zones, hundredths, land: inside }, rest]
    }

    /// Pieces in whole hundredths that sum to the land's area.
    fn closed(mut self, parts: Vec<Part>, faulty: bool) -> Cut {
        let whole = self.land.whole();
        let mut sums: Vec<(ZoneSet, f64)> = Vec::with_capacity(parts.len());
        for mut part in parts {
            part.zones.sort_unstable();
            match sums.iter_mut().find(|(zones, _)| *zones == part.zones) {
                Some((_, sum)) => *sum += part.hundredths,
                None => sums.push((part.zones, part.hundredths)),
            }
        }
        let rounded = |(zones, sum): (ZoneSet, f64)| Piece { zones, hundredths_m2: sum.round() as i64 };
        let mut pieces: Vec<Piece> = sums.into_iter().map(rounded).filter(|piece| piece.hundredths_m2 > 0).collect();
        pieces.sort_by(|a, b| a.zones.cmp(&b.zones));
        let missing = whole - pieces.iter().map(|piece| piece.hundredths_m2).sum::<i64>();
        match pieces.iter_mut().max_by_key(|piece| piece.hundredths_m2) {
            Some(largest) => largest.hundredths_m2 += missing,
            None => pieces.push(Piece { zones: Vec::new(), hundredths_m2: whole }),
        }
        self.helped += missing.abs() as f64;
        Cut { pieces, helped_m2: self.helped / 100.0, faulty }
    }
}

/// The box of the land with room around it, so that its sides meet no edge of the land.
fn neighbourhood(in_plane: &Bounds) -> Bounds {
    let size = (in_plane.max.x - in_plane.min.x).max(in_plane.max.y - in_plane.min.y);
    in_plane.widened(0.05 * size + 0.1)
}

fn frame(in_plane: &Bounds) -> Rings {
    let Bounds { min: a, max: c } = neighbourhood(in_plane);
    Rings::new([vec![a, Coord { x: c.x, y: a.y }, c, Coord { x: a.x, y: c.y }]])
}
