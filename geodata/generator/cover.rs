//! Which town and which land use each triangle has; the patches, towns and control lines made of them.

use std::collections::BTreeMap;

use super::{
    mesh::{HAMLET, Mesh, bend},
    place::{Place, height},
    plane::{Metre, Surfaces, distance, distance_to_path, inside},
    random::{Random, noise},
    setting::{COURSES, RESERVOIRS, TOWNS, ZONES},
    trace::{outline, pieces},
};

/// One patch of land use: connected, in one town, of one use.
pub struct Patch {
    pub triangles: Vec<usize>,
    pub town: usize,
    pub use_code: &'static str,
    /// In a built-up zone.
    pub built: bool,
}

pub struct Cover {
    pub mesh: Mesh,
    pub town: Vec<usize>,
    pub patches: Vec<Patch>,
    /// The use of each block, in the order of [`Place::blocks`].
    pub block_use: Vec<&'static str>,
    /// Blocks that form one plot with the next block of their row.
    pub paired: Vec<Option<usize>>,
}

/// What a triangle belongs to before pieces are told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Plot(usize),
    Course(usize, i64),
    Reservoir(usize),
    Village(usize),
    Country(usize),
}

impl Cover {
    pub fn new(place: &Place) -> Self {
        let mut mesh = Mesh::new(place);
        let town = towns_of(&mesh, place);
        let paired = pair_blocks(place);
        let block_use = uses_of_blocks(place, &paired);
        let labels = label(&mesh, place, &town, &quarters_of(place, &block_use));
        let (patch_of, mut patches) = patches_of(&mesh, &town, &labels, &block_use);
        mesh.smooth(&patch_of, 4);
        patches.sort_by_key(|patch| (patch.town, patch.triangles[0]));
        Self { mesh, town, patches, block_use, paired }
    }

    /// The town's surfaces, largest first.
    pub fn town_outline(&self, town: usize) -> Surfaces {
        let own = pieces(&self.mesh, |t| self.town[t] == town, |_, _| true);
        own.iter().flat_map(|piece| outline(&self.mesh, piece)).collect()
    }

    pub fn patch_outline(&self, patch: &Patch) -> Surfaces {
        outline(&self.mesh, &patch.triangles)
    }

    /// Connected groups, within one town, of patches that satisfy `chosen`; those of at least `least` m².
    pub fn groups(&self, chosen: impl Fn(&Patch) -> bool, least: f64) -> Vec<(usize, Surfaces)> {
        let mut taken = vec![false; self.mesh.triangles.len()];
        for patch in self.patches.iter().filter(|patch| chosen(patch)) {
            patch.triangles.iter().for_each(|t| taken[*t] = true);
        }
        let all = pieces(&self.mesh, |t| taken[t], |a, b| self.town[a] == self.town[b]);
        let large = |piece: &&Vec<usize>| piece.iter().map(|t| self.mesh.area(*t)).sum::<f64>() >= least;
        let mut groups: Vec<_> =
            all.iter().filter(large).map(|piece| (self.town[piece[0]], outline(&self.mesh, piece))).collect();
        groups.sort_by_key(|group| group.0);
        groups
    }

    /// The middle of a patch's largest triangle: a position that lies in it.
    pub fn position_in(&self, patch: &Patch) -> Metre {
        let largest = patch.triangles.iter().max_by(|a, b| self.mesh.area(**a).total_cmp(&self.mesh.area(**b)));
        self.mesh.centroid(*largest.expect("a patch has triangles"))
    }
}

/// The nearest seat's town; what that cuts off from its seat goes to the neighbour it touches most.
fn towns_of(mesh: &Mesh, place: &Place) -> Vec<usize> {
    let mut town: Vec<usize> = (0..mesh.triangles.len()).map(|t| place.town_of(mesh.centroid(t))).collect();
    for own in 0..TOWNS.len() {
        let mut all = pieces(mesh, |t| town[t] == own, |_, _| true);
        all.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        for piece in all.iter().skip(1) {
            let mut touched: BTreeMap<usize, f64> = BTreeMap::new();
            for t in piece {
                for (i, other) in mesh.across[*t].iter().enumerate() {
                    if let Some(other) = other.filter(|other| town[*other] != own) {
                        let (a, b) = (mesh.triangles[*t][i], mesh.triangles[*t][(i + 1) % 3]);
                        *touched.entry(town[other]).or_default() += distance(mesh.points[a], mesh.points[b]);
                    }
                }
            }
            if let Some((to, _)) = touched.iter().max_by(|a, b| a.1.total_cmp(b.1)) {
                for t in piece {
                    town[*t] = *to;
                }
            }
        }
    }
    town
}

fn pair_blocks(place: &Place) -> Vec<Option<usize>> {
    let mut random = Random::new(51);
    let index: BTreeMap<(usize, (i64, i64)), usize> =
        place.blocks.iter().enumerate().map(|(i, block)| ((block.zone, block.at), i)).collect();
    let mut paired = vec![None; place.blocks.len()];
    for (i, block) in place.blocks.iter().enumerate() {
        let next = index.get(&(block.zone, (block.at.0 + 1, block.at.1)));
        let chance = if ZONES[block.zone].industrial { 0.55 } else { 0.2 };
        if let (true, Some(next)) = (block.at.0.rem_euclid(2) == 0 && random.chance(chance), next) {
            paired[i] = Some(*next);
        }
    }
    paired
}

fn uses_of_blocks(place: &Place, paired: &[Option<usize>]) -> Vec<&'static str> {
    let mut random = Random::new(52);
    let mut uses = vec![""; place.blocks.len()];
    for (i, block) in place.blocks.iter().enumerate() {
        let zone = &ZONES[block.zone];
        let middle = block.frame.place(90.0, 75.0);
        let core = 1.0 - distance(middle, zone.centre) / (zone.half[0] + zone.half[1]) * 2.0;
        let given = match (zone.industrial, zone.park) {
            (true, "P12") => random.pick(&[("1101", 0.55), ("1001", 0.38), ("1208", 0.04), ("1402", 0.03)]),
            (true, _) => random.pick(&[
                ("1001", 0.835),
                ("1101", 0.06),
                ("0701", 0.025),
                ("1402", 0.03),
                ("1309", 0.01),
                ("1303", 0.01),
                ("0802", 0.01),
                ("16", 0.02),
            ]),
            (false, _) => random.pick(&[
                ("0701", 0.52),
                ("0901", 0.10 + 0.12 * core.max(0.0)),
                ("0902", 0.04),
                ("0801", 0.04),
                ("0803", 0.02),
                ("0804", 0.09),
                ("0805", 0.02),
                ("0806", 0.03),
                ("0702", 0.03),
                ("1401", 0.08),
                ("1403", 0.015),
                ("1001", 0.05),
                ("1208", 0.015),
                ("1301", 0.01),
            ]),
        };
        if uses[i].is_empty() {
            uses[i] = given;
        }
        if let Some(next) = paired[i] {
            uses[next] = uses[i];
        }
    }
    uses
}

/// For each block the first block of its quarter: neighbours of one use are one patch.
fn quarters_of(place: &Place, block_use: &[&'static str]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    place
        .blocks
        .iter()
        .enumerate()
        .map(|(i, block)| {
            let (columns, rows) = match block_use[i] {
                "1001" => (4, 2),
                "0701" => (2, 2),
                _ => (2, 1),
            };
            let quarter = (block.at.0.div_euclid(columns), block.at.1.div_euclid(rows));
            *first.entry((block.zone, block_use[i], quarter)).or_insert(i)
        })
        .collect()
}

fn label(mesh: &Mesh, place: &Place, town: &[usize], first: &[usize]) -> Vec<Label> {
    let courses: Vec<Vec<Metre>> = COURSES.iter().map(|course| bend(course.path)).collect();
    let seeds = country_seeds(place);
    (0..mesh.triangles.len())
        .map(|t| {
            let p = mesh.centroid(t);
            let block = place.blocks.iter().position(|b| distance(b.corners[0], p) < 240.0 && inside(p, &b.corners));
            if let Some(block) = block {
                return Label::Plot(first[block]);
            }
            for (i, path) in courses.iter().enumerate() {
                if distance_to_path(p, path) < COURSES[i].half_width {
                    return Label::Course(i, ((p[0] + p[1]) / 9_000.0).floor() as i64);
                }
            }
            let wobble = |size: f64| 1.0 + 0.4 * noise(p, size, 61);
            let lake = RESERVOIRS.iter().position(|(centre, r)| distance(*centre, p) < r * wobble(400.0));
            if let Some(lake) = lake {
                return Label::Reservoir(lake);
            }
            let hamlet = |v: &super::place::Village| v.at.is_some_and(|at| distance(at, p) < HAMLET * 0.87);
            if let Some(village) = place.villages.iter().position(hamlet) {
                return Label::Village(village);
            }
            Label::Country(nearest_seed(&seeds, p, town[t]))
        })
        .collect()
}

/// Patches of countryside, about.
const SEEDS: usize = 1_400;

fn country_seeds(place: &Place) -> Vec<(Metre, usize)> {
    let mut random = Random::new(53);
    let mut seeds = Vec::new();
    while seeds.len() < SEEDS {
        let p = [random.between(-34_500.0, 25_500.0), random.between(-21_500.0, 22_500.0)];
        // Woods on the hills come in larger patches than fields on the plain.
        if place.in_county(p) && random.chance(1.0 - 0.65 * height(p).clamp(0.0, 1.0)) {
            seeds.push((p, place.town_of(p)));
        }
    }
    seeds
}

fn nearest_seed(seeds: &[(Metre, usize)], p: Metre, town: usize) -> usize {
    let warped = [p[0] + 260.0 * noise(p, 700.0, 54), p[1] + 260.0 * noise(p, 700.0, 55)];
    let measure = |seed: &(Metre, usize)| {
        let (dx, dy) = (seed.0[0] - warped[0], seed.0[1] - warped[1]);
        dx * dx + dy * dy + if seed.1 == town { 0.0 } else { 1e12 }
    };
    let mut best = (f64::INFINITY, 0);
    for (i, seed) in seeds.iter().enumerate() {
        let d = measure(seed);
        if d < best.0 {
            best = (d, i);
        }
    }
    best.1
}

/// Connected pieces of one label and town; slivers of countryside join a neighbour.
fn patches_of(mesh: &Mesh, town: &[usize], labels: &[Label], block_use: &[&'static str]) -> (Vec<usize>, Vec<Patch>) {
    let first = pieces(mesh, |_| true, |a, b| labels[a] == labels[b] && town[a] == town[b]);
    let mut piece_of = vec![0; mesh.triangles.len()];
    first.iter().enumerate().for_each(|(i, piece)| piece.iter().for_each(|t| piece_of[*t] = i));
    for (i, piece) in first.iter().enumerate() {
        let small = piece.iter().map(|t| mesh.area(*t)).sum::<f64>() < 45_000.0;
        if small && matches!(labels[piece[0]], Label::Country(_)) {
            let host = piece.iter().flat_map(|t| mesh.across[*t]).flatten().find(|other| {
                piece_of[*other] != i
                    && town[*other] == town[piece[0]]
                    && matches!(labels[*other], Label::Country(_) | Label::Village(_))
            });
            if let Some(host) = host {
                let host = piece_of[host];
                for t in piece {
                    piece_of[*t] = host;
                }
            }
        }
    }
    let mut random = Random::new(56);
    let mut country = vec![""; SEEDS];
    let merged = pieces(mesh, |_| true, |a, b| piece_of[a] == piece_of[b]);
    let mut patch_of = vec![0; mesh.triangles.len()];
    let mut patches = Vec::new();
    for (i, mut piece) in merged.into_iter().enumerate() {
        for t in &piece {
            patch_of[*t] = i;
        }
        let of = labels[first[piece_of[piece[0]]][0]];
        let use_code = match of {
            Label::Plot(block) => block_use[block],
            Label::Course(course, _) => COURSES[course].use_code,
            Label::Reservoir(_) => "1703",
            Label::Village(_) => "0703",
            Label::Country(seed) => {
                if country[seed].is_empty() {
                    country[seed] = country_use(mesh.centroid(piece[0]), town[piece[0]], &mut random);
                }
                country[seed]
            }
        };
        let built = matches!(of, Label::Plot(_));
        let town = town[piece[0]];
        piece.sort_unstable();
        patches.push(Patch { triangles: piece, town, use_code, built });
    }
    (patch_of, patches)
}

fn country_use(p: Metre, town: usize, random: &mut Random) -> &'static str {
    use super::setting::{GULAO, SHAPING, SHUANGHE, ZHAIWU};
    let height = height(p);
    let ponds = if town == GULAO || town == SHAPING { 0.34 } else { 0.06 };
    let tea = if town == SHUANGHE || town == GULAO { 0.14 } else { 0.02 };
    let dry = if town == ZHAIWU { 0.16 } else { 0.09 };
    if height > 0.62 {
        random.pick(&[("0301", 0.8), ("0302", 0.06), ("0304", 0.08), ("0403", 0.02), ("0202", tea * 0.4)])
    } else if height > 0.3 {
        random.pick(&[
            ("0301", 0.42),
            ("0304", 0.1),
            ("0303", 0.05),
            ("0201", 0.17),
            ("0202", tea),
            ("0205", 0.04),
            ("0103", 0.09),
            ("0101", 0.08),
            ("0403", 0.03),
        ])
    } else {
        random.pick(&[
            ("0101", 0.42),
            ("0102", 0.08),
            ("0103", dry),
            ("0201", 0.09),
            ("1704", ponds),
            ("0304", 0.07),
            ("0602", 0.03),
            ("0703", 0.05),
            ("2301", 0.01),
            ("0506", 0.01),
            ("1702", 0.005),
        ])
    }
}
