//! The county cut into triangles, from which towns, land use and control lines are put together.
//!
//! Everything that is made of whole triangles shares its edges exactly, and the parts sum to the county's
//! area. The mesh meets the real outline at the outline's own vertices only. A constrained Delaunay
//! triangulation with exact predicates gives it, so it does not depend on the library's version.

use spade::{ConstrainedDelaunayTriangulation, Point2, Triangulation};

use super::{
    place::Place,
    plane::{Metre, Nano, Near, distance, metre, nano, turn},
    random::Random,
    setting::COURSES,
};

pub struct Mesh {
    pub points: Vec<Metre>,
    /// Points that smoothing leaves where they are.
    pinned: Vec<bool>,
    /// Counter-clockwise.
    pub triangles: Vec<[usize; 3]>,
    /// The triangle across the edge from corner i to corner i + 1.
    pub across: Vec<[Option<usize>; 3]>,
}

#[derive(Default)]
struct Sketch {
    points: Vec<Metre>,
    edges: Vec<(usize, usize)>,
    by_position: std::collections::BTreeMap<Nano, usize>,
}

impl Sketch {
    fn add(&mut self, p: Metre) -> usize {
        let key = nano(p);
        *self.by_position.entry(key).or_insert_with(|| {
            self.points.push(metre(key));
            self.points.len() - 1
        })
    }

    fn link(&mut self, path: &[usize]) {
        self.edges.extend(path.windows(2).map(|w| (w[0], w[1])));
    }
}

impl Mesh {
    pub fn new(place: &Place) -> Self {
        let mut sketch = Sketch::default();
        let mut near = Near::new();
        let border: Vec<usize> = place.outline_m.iter().map(|p| sketch.add(*p)).collect();
        sketch.link(&border);
        sketch.link(&[border[border.len() - 1], border[0]]);
        let must = sketch.edges.len();
        for block in &place.blocks {
            let ids = block.corners.map(|p| sketch.add(p));
            sketch.link(&[ids[0], ids[1], ids[2], ids[3], ids[0]]);
            block.corners.iter().for_each(|p| near.add(*p));
        }
        draw_courses(place, &mut sketch, &mut near);
        draw_divides(place, &mut sketch, &mut near);
        draw_hamlets(place, &mut sketch, &mut near);
        let pinned = sketch.points.len();
        scatter(place, &mut sketch, &near);
        Self::triangulate(place, sketch, must, pinned)
    }

    fn triangulate(place: &Place, sketch: Sketch, must: usize, pinned: usize) -> Self {
        let mut plane = ConstrainedDelaunayTriangulation::<Point2<f64>>::new();
        let insert = |p: &Metre| plane.insert(Point2::new(p[0], p[1])).expect("finite");
        let handles: Vec<_> = sketch.points.iter().map(insert).collect();
        for (i, (a, b)) in sketch.edges.iter().enumerate() {
            let (a, b) = (handles[*a], handles[*b]);
            assert!(i >= must || plane.can_add_constraint(a, b), "the outline crosses itself");
            if plane.can_add_constraint(a, b) {
                plane.add_constraint(a, b);
            }
        }
        let mut id = vec![usize::MAX; handles.len()];
        handles.iter().enumerate().for_each(|(i, handle)| id[handle.index()] = i);
        let mut triangles: Vec<[usize; 3]> = plane
            .inner_faces()
            .map(|face| face.vertices().map(|vertex| id[vertex.fix().index()]))
            .filter(|t| place.in_county(centroid(&sketch.points, t)))
            .map(|t| rotated(&t))
            .collect();
        // The order of faces is the library's own business; ours is by corners.
        triangles.sort_unstable();
        let across = neighbours(&triangles);
        let pinned = (0..sketch.points.len()).map(|i| i < pinned).collect();
        Self { points: sketch.points, pinned, triangles, across }
    }

    pub fn centroid(&self, triangle: usize) -> Metre {
        centroid(&self.points, &self.triangles[triangle])
    }

    pub fn area(&self, triangle: usize) -> f64 {
        let [a, b, c] = self.triangles[triangle].map(|i| self.points[i]);
        turn(a, b, c) / 2.0
    }

    /// Rounds off the borders between differently labelled triangles, never turning a triangle over.
    pub fn smooth(&mut self, label: &[usize], rounds: usize) {
        let mut around: Vec<Vec<usize>> = vec![Vec::new(); self.points.len()];
        let mut ties: Vec<Vec<usize>> = vec![Vec::new(); self.points.len()];
        for (t, corners) in self.triangles.iter().enumerate() {
            for i in 0..3 {
                around[corners[i]].push(t);
                if self.across[t][i].is_none_or(|other| label[other] != label[t]) {
                    ties[corners[i]].push(corners[(i + 1) % 3]);
                }
            }
        }
        for _ in 0..rounds {
            for p in 0..self.points.len() {
                if self.pinned[p] || ties[p].len() != 2 {
                    continue;
                }
                let (old, a, b) = (self.points[p], self.points[ties[p][0]], self.points[ties[p][1]]);
                self.points[p] = [0, 1].map(|i| 0.5 * old[i] + 0.25 * (a[i] + b[i]));
                if around[p].iter().any(|t| self.area(*t) < 900.0) {
                    self.points[p] = old;
                }
            }
        }
    }
}

fn centroid(points: &[Metre], t: &[usize; 3]) -> Metre {
    [0, 1].map(|i| (points[t[0]][i] + points[t[1]][i] + points[t[2]][i]) / 3.0)
}

fn rotated(t: &[usize; 3]) -> [usize; 3] {
    let first = (0..3).min_by_key(|i| t[*i]).unwrap_or(0);
    [t[first], t[(first + 1) % 3], t[(first + 2) % 3]]
}

fn neighbours(triangles: &[[usize; 3]]) -> Vec<[Option<usize>; 3]> {
    let mut owner = std::collections::BTreeMap::new();
    for (t, corners) in triangles.iter().enumerate() {
        (0..3).for_each(|i| {
            owner.insert((corners[i], corners[(i + 1) % 3]), t);
        });
    }
    let other = |corners: &[usize; 3], i: usize| owner.get(&(corners[(i + 1) % 3], corners[i])).copied();
    triangles.iter().map(|corners| [0, 1, 2].map(|i| other(corners, i))).collect()
}

/// Points on both sides of each river and road, so that triangles between them follow it.
fn draw_courses(place: &Place, sketch: &mut Sketch, near: &mut Near) {
    for course in &COURSES {
        let step = (course.half_width * 2.0).clamp(90.0, 220.0);
        let bent = bend(course.path);
        for side in [-1.0, 1.0] {
            let mut run: Vec<usize> = Vec::new();
            let mut last: Option<Metre> = None;
            for p in offset(&bent, course.half_width * side) {
                if last.is_some_and(|q| distance(p, q) < step) {
                    continue;
                }
                last = Some(p);
                if place.in_county(p) && place.border_distance(p) > 45.0 && !near.any(p, 45.0) {
                    run.push(sketch.add(p));
                } else {
                    sketch.link(&run);
                    run.clear();
                }
            }
            sketch.link(&run);
            for i in &run {
                near.add(sketch.points[*i]);
            }
        }
        let sides = offset(&bent, course.half_width).into_iter().chain(offset(&bent, -course.half_width));
        sides.for_each(|p| near.add(p));
    }
}

/// A path with its corners rounded (Chaikin, three times).
pub fn bend(path: &[Metre]) -> Vec<Metre> {
    let mut path = path.to_vec();
    for _ in 0..3 {
        let mut next = vec![path[0]];
        for w in path.windows(2) {
            next.push([0, 1].map(|i| 0.75 * w[0][i] + 0.25 * w[1][i]));
            next.push([0, 1].map(|i| 0.25 * w[0][i] + 0.75 * w[1][i]));
        }
        next.push(path[path.len() - 1]);
        path = next;
    }
    resampled(&path, 40.0)
}

/// Positions along a path, `step` metres apart, its ends kept.
pub fn resampled(path: &[Metre], step: f64) -> Vec<Metre> {
    let mut out = vec![path[0]];
    for w in path.windows(2) {
        let count = (distance(w[0], w[1]) / step).ceil().max(1.0);
        for k in 1..=count as i64 {
            let t = k as f64 / count;
            out.push([0, 1].map(|i| w[0][i] + t * (w[1][i] - w[0][i])));
        }
    }
    out
}

/// The path moved to its left.
pub fn offset(path: &[Metre], by: f64) -> Vec<Metre> {
    let n = path.len();
    (0..n)
        .map(|i| {
            let (a, b) = (path[i.saturating_sub(1)], path[(i + 1).min(n - 1)]);
            let length = distance(a, b);
            [path[i][0] - (b[1] - a[1]) / length * by, path[i][1] + (b[0] - a[0]) / length * by]
        })
        .collect()
}

/// Points on the lines that are as far from one seat as from another: the borders of the approximate towns.
fn draw_divides(place: &Place, sketch: &mut Sketch, near: &mut Near) {
    for i in 0..place.seats.len() {
        for j in i + 1..place.seats.len() {
            let (a, b) = (place.seats[i], place.seats[j]);
            let middle = [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])];
            let length = distance(a, b);
            let along = [-(b[1] - a[1]) / length, (b[0] - a[0]) / length];
            let mut run: Vec<usize> = Vec::new();
            for k in -150..150 {
                let reach = f64::from(k) * 230.0;
                let p = [middle[0] + reach * along[0], middle[1] + reach * along[1]];
                let [first, second] = place.nearest_seats(p);
                let ours = (first.0, second.0) == (i, j) || (first.0, second.0) == (j, i);
                if ours && place.in_county(p) && place.border_distance(p) > 60.0 && !near.any(p, 70.0) {
                    run.push(sketch.add(p));
                } else {
                    sketch.link(&run);
                    run.clear();
                }
            }
            sketch.link(&run);
            for i in &run {
                near.add(sketch.points[*i]);
            }
        }
    }
}

/// The mean radius of a hamlet, metres.
pub const HAMLET: f64 = 150.0;

/// A ring of points around each village that stands free.
fn draw_hamlets(place: &Place, sketch: &mut Sketch, near: &mut Near) {
    let mut random = Random::new(42);
    let half = 0.5_f64.sqrt();
    let around =
        [(1.0, 0.0), (half, half), (0.0, 1.0), (-half, half), (-1.0, 0.0), (-half, -half), (0.0, -1.0), (half, -half)];
    for at in place.villages.iter().filter_map(|village| village.at) {
        let radii = around.map(|_| HAMLET * random.between(0.72, 1.22));
        if near.any(at, 280.0) {
            continue;
        }
        let ring: Vec<usize> =
            around.iter().zip(radii).map(|((x, y), r)| sketch.add([at[0] + r * x, at[1] + r * y])).collect();
        sketch.link(&ring);
        sketch.link(&[ring[7], ring[0]]);
        sketch.add(at);
        for i in &ring {
            near.add(sketch.points[*i]);
        }
        near.add(at);
    }
}

/// Countryside: a jittered lattice that keeps its distance from all that is drawn.
fn scatter(place: &Place, sketch: &mut Sketch, near: &Near) {
    const STEP: f64 = 250.0;
    let mut random = Random::new(41);
    for j in -100..100 {
        for i in -140..110 {
            let shift = if j % 2 == 0 { 0.0 } else { 0.5 };
            let (dx, dy) = (random.between(-0.32, 0.32), random.between(-0.32, 0.32));
            let p = [(f64::from(i) + shift + dx) * STEP, (f64::from(j) + dy) * STEP * 0.87];
            let clear = place.in_county(p) && place.border_distance(p) > 70.0 && !near.any(p, 125.0);
            if clear {
                sketch.add(p);
            }
        }
    }
}
