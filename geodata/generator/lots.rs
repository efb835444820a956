//! Blocks cut into lots: believable outlines that share their fences exactly and never overlap.

use super::{
    place::{BLOCK, Block},
    plane::{Frame, Nano, Ring, Surfaces, distance, doubled_area, metre, nano},
    random::Random,
    trace::merged,
};

/// One lot of a block.
pub struct Lot {
    pub surfaces: Surfaces,
}

/// A fence across the block: positions along it from the lower street to the upper.
struct Fence {
    low: [f64; 2],
    high: [f64; 2],
    /// Where lots on either side meet it, as shares of its length, in order.
    stops: Vec<f64>,
}

impl Fence {
    fn at(&self, share: f64) -> [f64; 2] {
        [0, 1].map(|i| self.low[i] + share * (self.high[i] - self.low[i]))
    }

    fn between(&self, from: f64, to: f64) -> Vec<[f64; 2]> {
        self.stops.iter().filter(|s| **s >= from && **s <= to).map(|s| self.at(*s)).collect()
    }
}

/// Cuts a block into lots.
pub fn cut(block: &Block, random: &mut Random) -> Vec<Lot> {
    let street = random.between(7.0, 11.0);
    let corner = |u: f64, v: f64, random: &mut Random| [u + random.between(-3.5, 3.5), v + random.between(-3.5, 3.5)];
    let quad = [
        corner(street, street, random),
        corner(BLOCK[0] - street, street, random),
        corner(BLOCK[0] - street, BLOCK[1] - street, random),
        corner(street, BLOCK[1] - street, random),
    ];
    let columns = random.pick(&[(1usize, 0.10), (2, 0.37), (3, 0.37), (4, 0.16)]);
    let mut fences = fences_of(&quad, columns, random);
    let splits: Vec<Option<(f64, f64)>> = (0..columns)
        .map(|_| {
            let middle = random.between(0.35, 0.65);
            let tilt = random.between(-0.04, 0.04);
            random.chance(if columns == 1 { 0.1 } else { 0.28 }).then_some((middle - tilt, middle + tilt))
        })
        .collect();
    for (i, split) in splits.iter().enumerate() {
        if let Some((left, right)) = split {
            fences[i].stops.push(*left);
            fences[i + 1].stops.push(*right);
        }
    }
    for fence in &mut fences {
        fence.stops.sort_by(f64::total_cmp);
    }
    let mut cells: Vec<Vec<Ring>> = Vec::new();
    for (i, split) in splits.iter().enumerate() {
        let (left, right) = (&fences[i], &fences[i + 1]);
        let ring = |from: (f64, f64), to: (f64, f64)| {
            let mut points = right.between(from.1, to.1);
            points.extend(left.between(from.0, to.0).into_iter().rev());
            points.iter().map(|p| nano(block.frame.place(p[0], p[1]))).collect::<Ring>()
        };
        cells.push(match split {
            None => vec![ring((0.0, 0.0), (1.0, 1.0))],
            Some(at) => vec![ring((0.0, 0.0), *at), ring(*at, (1.0, 1.0))],
        });
    }
    let corners = quad.map(|p| nano(block.frame.place(p[0], p[1])));
    finish(cells, &corners, block.frame, random)
}

fn fences_of(quad: &[[f64; 2]; 4], columns: usize, random: &mut Random) -> Vec<Fence> {
    let along = |a: [f64; 2], b: [f64; 2], share: f64| [0, 1].map(|i| a[i] + share * (b[i] - a[i]));
    (0..=columns)
        .map(|k| {
            let share = k as f64 / columns as f64;
            let inner = k > 0 && k < columns;
            let drift = if inner { random.between(-0.3, 0.3) / columns as f64 } else { 0.0 };
            let skew = if inner { random.between(-0.05, 0.05) } else { 0.0 };
            Fence {
                low: along(quad[0], quad[1], share + drift - skew),
                high: along(quad[3], quad[2], share + drift + skew),
                stops: vec![0.0, 1.0],
            }
        })
        .collect()
}

/// Some lots become L-shaped, have two parts or a hole; street corners are cut off.
fn finish(mut cells: Vec<Vec<Ring>>, corners: &[Nano; 4], frame: Frame, random: &mut Random) -> Vec<Lot> {
    let mut lots: Vec<Vec<Ring>> = Vec::new();
    if cells.len() >= 2 && cells[0].len() == 1 && cells[1].len() == 2 && random.chance(0.5) {
        // The first column takes the lower half of the second: an L.
        let lower = cells[1].remove(0);
        let column = cells.remove(0).remove(0);
        lots.push(merged(&[column, lower]));
    } else if cells.len() == 3 && cells[0].len() == 2 && cells[2].len() == 2 && random.chance(0.7) {
        // One owner on both sides of a neighbour: two parts.
        let (left, right) = (cells[0].remove(1), cells[2].remove(1));
        lots.push(vec![left, right]);
    }
    lots.extend(cells.into_iter().flatten().map(|ring| vec![ring]));
    lots.into_iter()
        .map(|parts| {
            let mut surfaces: Surfaces =
                parts.into_iter().map(|ring| vec![chamfered(&ring, corners, random)]).collect();
            if surfaces.len() == 1 && is_large(&surfaces[0][0]) && random.chance(0.3) {
                surfaces[0].push(yard(frame, random));
            }
            Lot { surfaces }
        })
        .collect()
}

/// Whether the lot covers (nearly) a whole block.
fn is_large(ring: &Ring) -> bool {
    doubled_area(ring) > 2 * 1_650_000_000_000 && ring.len() <= 8
}

/// A transformer yard or pond in the middle of a lot that fills its block: clockwise, as a hole.
fn yard(frame: Frame, random: &mut Random) -> Ring {
    let (u, v) = (random.between(75.0, 95.0), random.between(60.0, 80.0));
    let (w, h) = (random.between(10.0, 16.0), random.between(8.0, 13.0));
    let corners = [(-w, -h), (-w, h), (w, h), (w, -h)];
    corners.iter().map(|(du, dv)| nano(frame.place(u + du, v + dv))).collect()
}

fn chamfered(ring: &Ring, corners: &[Nano; 4], random: &mut Random) -> Ring {
    let n = ring.len();
    let mut out = Ring::new();
    for i in 0..n {
        let (before, at, after) = (ring[(i + n - 1) % n], ring[i], ring[(i + 1) % n]);
        let depth = random.between(4.0, 8.0);
        if !corners.contains(&at) || random.chance(0.4) {
            out.push(at);
            continue;
        }
        for other in [before, after] {
            let length = distance(metre(at), metre(other));
            let share = (depth / length).min(0.4);
            out.push([0, 1].map(|k| at[k] + ((other[k] - at[k]) as f64 * share).round() as i64));
        }
    }
    out
}
