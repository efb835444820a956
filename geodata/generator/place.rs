//! What is known of the county before anything is drawn: its outline, the seats, the blocks of the built-up zones.

use super::{
    plane::{Frame, Metre, Nano, Near, distance, distance_to_path, distance_to_segment, inside, metre, nano},
    random::{Random, noise},
    setting::{ASSUMED_SHUANGHE, COURSES, HILLS, TOWNS, ZONES},
};

/// Blocks are this long and deep, metres between street centre lines.
pub const BLOCK: [f64; 2] = [180.0, 150.0];

/// One block of a zone, with its four corners counter-clockwise.
pub struct Block {
    pub zone: usize,
    pub at: (i64, i64),
    /// The zone's frame moved to the block's first corner.
    pub frame: Frame,
    pub corners: [Metre; 4],
}

pub struct Place {
    /// The county's outline, open; its vertices survive the way to the plane and back exactly.
    pub outline_m: Vec<Metre>,
    /// One seat for each town, in the order of [`TOWNS`].
    pub seats: [Metre; 10],
    pub blocks: Vec<Block>,
    /// Villages and communities: see [`Village`].
    pub villages: Vec<Village>,
}

/// A village or community of the official list, with the position we made up for it.
pub struct Village {
    pub code: String,
    pub name: String,
    pub street_name: String,
    /// `None` for the two units that belong to no town: they get no position.
    pub town: Option<usize>,
    pub at: Option<Metre>,
}

fn position(feature: &serde_json::Value, path: &str) -> Nano {
    let pair = feature.pointer(path).and_then(|pair| pair.as_array()).expect("a position");
    [0, 1].map(|i| (pair[i].as_f64().expect("a number") * 1e9).round() as i64)
}

/// Invented height above the plain, 0 to about 1.5.
pub fn height(p: Metre) -> f64 {
    let hills: f64 = HILLS
        .iter()
        .map(|(centre, radius)| {
            let d = distance(*centre, p) / radius;
            1.0 / (1.0 + d * d * d * d)
        })
        .sum();
    hills + 0.28 * noise(p, 2_600.0, 11) + 0.12 * noise(p, 900.0, 12)
}

impl Place {
    pub fn new(county: &str, seats: &str, villages: &str) -> Self {
        let county: serde_json::Value = serde_json::from_str(county).expect("county.geojson is JSON");
        let ring = "/features/0/geometry/coordinates/0";
        let count = county.pointer(ring).and_then(|ring| ring.as_array()).expect("a ring").len();
        let outline: Vec<Nano> = (0..count - 1).map(|i| position(&county, &format!("{ring}/{i}"))).collect();
        let seats: serde_json::Value = serde_json::from_str(seats).expect("seats.geojson is JSON");
        let mut at = [metre(ASSUMED_SHUANGHE); 10];
        for (i, feature) in seats["features"].as_array().expect("features").iter().enumerate() {
            assert_eq!(feature["properties"]["code"], TOWNS[i].0, "seats stand in the order of their codes");
            at[i] = metre(position(feature, "/geometry/coordinates"));
        }
        let outline_m: Vec<Metre> = outline.iter().map(|p| metre(*p)).collect();
        assert!(outline.iter().zip(&outline_m).all(|(exact, p)| nano(*p) == *exact));
        let mut place = Self { outline_m, seats: at, blocks: Vec::new(), villages: Vec::new() };
        place.lay_blocks();
        place.settle_villages(villages);
        place
    }

    pub fn border_distance(&self, p: Metre) -> f64 {
        let n = self.outline_m.len();
        let edge = |i: usize| distance_to_segment(p, self.outline_m[i], self.outline_m[(i + 1) % n]);
        (0..n).map(edge).fold(f64::INFINITY, f64::min)
    }

    pub fn in_county(&self, p: Metre) -> bool {
        inside(p, &self.outline_m)
    }

    /// The nearest and the second nearest seat, with their distances.
    pub fn nearest_seats(&self, p: Metre) -> [(usize, f64); 2] {
        let mut order: Vec<(usize, f64)> = self.seats.iter().map(|s| distance(*s, p)).enumerate().collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        [order[0], order[1]]
    }

    pub fn town_of(&self, p: Metre) -> usize {
        self.nearest_seats(p)[0].0
    }

    fn lay_blocks(&mut self) {
        let mut taken = Near::new();
        for (z, zone) in ZONES.iter().enumerate() {
            let frame = Frame { origin: zone.centre, slope: zone.slope };
            let (columns, rows) = ((zone.half[0] / BLOCK[0]) as i64, (zone.half[1] / BLOCK[1]) as i64);
            let mut own = Vec::new();
            for at in (-columns..columns).flat_map(|i| (-rows..rows).map(move |j| (i, j))) {
                let (u, v) = (at.0 as f64 * BLOCK[0], at.1 as f64 * BLOCK[1]);
                let middle = frame.place(u + BLOCK[0] / 2.0, v + BLOCK[1] / 2.0);
                let ragged = (at.0 as f64 + 0.5) / columns as f64;
                let ragged =
                    ragged * ragged + ((at.1 as f64 + 0.5) / rows as f64) * ((at.1 as f64 + 0.5) / rows as f64);
                if ragged + 0.35 * noise(middle, 500.0, 21) > 1.45 {
                    continue;
                }
                let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
                    .map(|(i, j)| frame.place(u + i * BLOCK[0], v + j * BLOCK[1]));
                let free = |p: &Metre| {
                    let [first, second] = self.nearest_seats(*p);
                    first.0 == zone.town
                        && second.1 - first.1 > 200.0
                        && self.in_county(*p)
                        && self.border_distance(*p) > 90.0
                        && !taken.any(*p, 150.0)
                        && COURSES.iter().all(|c| distance_to_path(*p, c.path) > c.half_width + 70.0)
                };
                // A course may pass between the corners.
                if corners.iter().all(free) && free(&middle) {
                    let frame = Frame { origin: corners[0], slope: zone.slope };
                    own.push(Block { zone: z, at, frame, corners });
                }
            }
            for block in &own {
                block.corners.iter().for_each(|p| taken.add(*p));
            }
            self.blocks.extend(own);
        }
    }

    fn settle_villages(&mut self, list: &str) {
        let mut random = Random::new(31);
        let mut built = Near::new();
        self.blocks.iter().flat_map(|b| b.corners).for_each(|p| built.add(p));
        let mut settled = Near::new();
        for line in list.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let town = TOWNS.iter().position(|town| town.0 == cells[2]);
            let at = town.map(|town| {
                let community = cells[1].contains("社区");
                self.find_site(town, community, &mut random, &built, &settled)
            });
            if let Some(at) = at {
                settled.add(at);
            }
            self.villages.push(Village {
                code: cells[0].to_owned(),
                name: cells[1].to_owned(),
                street_name: cells[3].to_owned(),
                town,
                at,
            });
        }
    }

    fn find_site(&self, town: usize, community: bool, random: &mut Random, built: &Near, settled: &Near) -> Metre {
        let seat = self.seats[town];
        let reach = if community { 1_800.0 } else { 9_000.0 };
        loop {
            let p = [seat[0] + random.between(-reach, reach), seat[1] + random.between(-reach, reach)];
            let [first, second] = self.nearest_seats(p);
            let quiet = community || (!built.any(p, 300.0) && height(p) < 0.75);
            let apart = if community { 180.0 } else { 390.0 };
            if first.0 == town
                && second.1 - first.1 > 500.0
                && quiet
                && self.in_county(p)
                && self.border_distance(p) > 350.0
                && !settled.any(p, apart)
                && COURSES.iter().all(|c| distance_to_path(p, c.path) > c.half_width + 200.0)
            {
                return metre(nano(p));
            }
        }
    }
}
