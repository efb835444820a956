//! Dividing a surface by a line, and joining surfaces that share edges. Vertices stay where they are, to the last bit;
//! where a line meets an edge both parts get the very same new vertex.
//!
//! Edges are straight in the survey grid, as they are measured, so the parts' areas sum to the whole's but for the
//! rounding of the survey rule: coordinates to a millionth of a second, and points every 70 m that lie elsewhere on a
//! divided edge. [`Divided::cut_m`] says how long such edges are.

use geo::Coord;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ground::{
    crs::CrsError,
    fault::faults_of,
    measure::SurveyGrid,
    shape::{Shape, ShapeRef},
    topology::{Meeting, Side, meeting},
};

use super::{
    land::is_faulty,
    outline::{Face, NoFaces, Nodes, Plane, REACH_M, SNAP_M, divided, edges_of, faces, shape_of},
    plane::grid_of,
};

/// So many vertices together are divided or joined.
const MOST_VERTICES: usize = 50_000;
/// A line that divides has so many vertices.
const MOST_OF_A_LINE: usize = 1000;

/// Why a surface is not divided, or surfaces are not joined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// The feature is no surface.
    #[error("only surfaces can be divided and joined")]
    NotASurface,
    /// The outline is at fault, so it does not say what is inside.
    #[error("the outline crosses itself or breaks another rule: correct it first")]
    Faulty,
    /// The line has fewer than two places.
    #[error("the line has fewer than two different places")]
    NoLine,
    /// The line meets itself.
    #[error("the line crosses or touches itself: draw it without, or as several lines")]
    LineCrossesItself,
    /// The line does not divide the surface.
    #[error("the line does not divide the surface: draw it from outline to outline, its ends outside or on it")]
    DoesNotDivide,
    /// A part is too thin to be land.
    #[error("a part would be {fault} at {:.8}, {:.8}: draw the line elsewhere", at.x, at.y)]
    BadPart {
        /// What is wrong with it.
        fault: &'static str,
        /// Where.
        at: Coord,
    },
    /// The surfaces do not share an edge.
    #[error(
        "the surfaces do not share an edge: together they are {parts} parts; ask for a surface of several parts, or leave some out"
    )]
    Apart {
        /// The number of parts.
        parts: usize,
    },
    /// The surfaces claim the same land, or nearly touch.
    #[error("the surfaces overlap or leave a gap along their common outline: correct one of them first")]
    Overlap,
    /// Too many vertices.
    #[error("more than {MOST_VERTICES} vertices together, or a line of more than {MOST_OF_A_LINE}")]
    TooLarge,
    /// A coordinate has no image in the grid.
    #[error(transparent)]
    Crs(#[from] CrsError),
}

/// A surface divided, or surfaces joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Divided {
    /// The surfaces, the largest first.
    pub parts: Vec<Shape>,
    /// The length of the edges that have new vertices on them, m.
    pub cut_m: f64,
    /// The farthest that a vertex was off the edge it was put on, m.
    pub off_m: f64,
}

/// Divides a surface by a line in longitude and latitude.
///
/// Parts of a multi-surface that the line does not divide stay with the largest part.
///
/// # Errors
/// [`SplitError`].
pub fn split(shape: ShapeRef<'_>, line: &[Coord], grid: Option<&SurveyGrid>) -> Result<Divided, SplitError> {
    let bounds = shape.bounds().filter(|_| shape.kind().dimension() == 2).ok_or(SplitError::NotASurface)?;
    if shape.coords().len() > MOST_VERTICES || line.len() > MOST_OF_A_LINE {
        return Err(SplitError::TooLarge);
    }
    if is_faulty(shape) {
        return Err(SplitError::Faulty);
    }
    let grid = grid_of(grid, &bounds);
    let mut nodes = Nodes::new(Plane::new(grid.map(SurveyGrid::crs)));
    let rings = nodes.rings(shape)?;
    let mut cutting = Cutting::new(rings);
    let line = cutting.line(&mut nodes, line)?;
    cutting.meet(&mut nodes, &line)?;
    let (edges, drawn) = cutting.edges(&nodes, &line);
    let (faces, drawn) = divided_faces(&nodes, edges, drawn)?;
    let is_cut = |face: &&Face| face.rings.iter().any(|ring| edges_of(ring).any(|edge| drawn.contains(&edge)));
    let (mut cut, whole): (Vec<&Face>, Vec<&Face>) = faces.iter().partition(is_cut);
    if cut.len() < 2 {
        return Err(SplitError::DoesNotDivide);
    }
    cut.sort_by(|a, b| b.twice_area.total_cmp(&a.twice_area));
    let mut parts: Vec<Vec<&Face>> = cut.into_iter().map(|face| vec![face]).collect();
    parts[0].extend(whole);
    let parts: Vec<Shape> = parts.iter().map(|faces| shape_of(&nodes, faces)).collect();
    parts.iter().try_for_each(sound)?;
    Ok(Divided { parts, cut_m: cutting.cut_m, off_m: cutting.off_m })
}

/// Directed edges between nodes.
type Edges = FxHashSet<(u32, u32)>;

/// The faces, once the edges that bound nothing are taken away, and which of the drawn edges are left.
fn divided_faces(
    nodes: &Nodes<'_>,
    mut edges: FxHashSet<(u32, u32)>,
    mut drawn: FxHashSet<(u32, u32)>,
) -> Result<(Vec<Face>, Edges), SplitError> {
    loop {
        if drawn.is_empty() {
            return Err(SplitError::DoesNotDivide);
        }
        match faces(nodes, &edges) {
            Ok(faces) => return Ok((faces, drawn)),
            Err(NoFaces::Bridges(bridges)) if bridges.iter().any(|edge| drawn.contains(edge)) => {
                for edge in bridges {
                    if drawn.remove(&edge) {
                        edges.remove(&edge);
                    }
                }
            }
            Err(_) => return Err(SplitError::Faulty),
        }
    }
}

/// Refuses a part that no layer should hold.
fn sound(part: &Shape) -> Result<(), SplitError> {
    match faults_of(part.view()).first() {
        None => Ok(()),
        Some(fault) => {
            let at = fault.at.or_else(|| part.view().coords().first().copied()).unwrap_or_default();
            Err(SplitError::BadPart { fault: fault.kind.as_str(), at })
        }
    }
}

/// A surface and what a line does to its edges.
struct Cutting {
    rings: Vec<Vec<u32>>,
    edges: Vec<(u32, u32)>,
    /// For each edge the places on it.
    on_edges: Vec<Vec<(f64, u32)>>,
    /// For each edge of the line the places on it.
    on_line: Vec<Vec<(f64, u32)>>,
    cut_m: f64,
    off_m: f64,
}

impl Cutting {
    fn new(rings: Vec<Vec<u32>>) -> Self {
        let edges: Vec<(u32, u32)> = rings.iter().flat_map(|ring| edges_of(ring)).collect();
        Self { on_edges: vec![Vec::new(); edges.len()], on_line: Vec::new(), rings, edges, cut_m: 0.0, off_m: 0.0 }
    }

    /// The line's nodes: a place beside a vertex is that vertex, and an end beside an edge is on it.
    fn line(&mut self, nodes: &mut Nodes<'_>, line: &[Coord]) -> Result<Vec<u32>, SplitError> {
        let mut placed = Vec::with_capacity(line.len());
        for (number, stored) in line.iter().enumerate() {
            let at = nodes.plane.forward(*stored)?;
            let is_end = number == 0 || number + 1 == line.len();
            placed.push(match self.attached(nodes, at, is_end)? {
                Some(node) => node,
                None => nodes.of_stored(*stored)?,
            });
        }
        placed.dedup();
        if placed.len() < 2 {
            return Err(SplitError::NoLine);
        }
        Ok(placed)
    }

    fn attached(&mut self, nodes: &mut Nodes<'_>, at: Coord, is_end: bool) -> Result<Option<u32>, SplitError> {
        let metres = |nodes: &Nodes<'_>, node: u32| {
            let apart = nodes.place(node) - at;
            nodes.plane.metres(apart.x.hypot(apart.y))
        };
        let vertex = self.edges.iter().map(|(from, _)| (metres(nodes, *from), *from));
        let vertex = vertex.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(m, _)| *m <= REACH_M);
        if let Some((_, node)) = vertex {
            return Ok(Some(node));
        }
        if !is_end {
            return Ok(None);
        }
        let nearest = self.edges.iter().enumerate().map(|(edge, ends)| (nodes.beside(at, *ends), edge));
        let nearest = nearest.min_by(|a, b| a.0.0.total_cmp(&b.0.0)).filter(|((m, _), _)| *m <= REACH_M);
        let Some(((_, share), edge)) = nearest else { return Ok(None) };
        let (a, b) = (nodes.place(self.edges[edge].0), nodes.place(self.edges[edge].1));
        let node = nodes.of_place(a + (b - a) * share)?;
        self.put_on(nodes, edge, node);
        Ok(Some(node))
    }

    /// Notes that a node lies on an edge of the surface.
    fn put_on(&mut self, nodes: &Nodes<'_>, edge: usize, node: u32) {
        let ends = self.edges[edge];
        if node == ends.0 || node == ends.1 || self.on_edges[edge].iter().any(|(_, known)| *known == node) {
            return;
        }
        let (off, share) = nodes.beside(nodes.place(node), ends);
        if self.on_edges[edge].is_empty() {
            self.cut_m += nodes.distance_m(ends.0, ends.1);
        }
        self.off_m = self.off_m.max(off);
        self.on_edges[edge].push((share, node));
    }

    /// Finds where the line meets the surface's edges.
    fn meet(&mut self, nodes: &mut Nodes<'_>, line: &[u32]) -> Result<(), SplitError> {
        let pieces: Vec<(u32, u32)> = line.windows(2).map(|pair| (pair[0], pair[1])).collect();
        self.on_line = vec![Vec::new(); pieces.len()];
        for (number, piece) in pieces.iter().enumerate() {
            let placed = (nodes.place(piece.0), nodes.place(piece.1));
            for other in &pieces[number + 1..] {
                meets_itself(nodes, *piece, *other, &pieces)?;
            }
            for edge in 0..self.edges.len() {
                let ends = self.edges[edge];
                if let Some(met) = meeting(placed, (nodes.place(ends.0), nodes.place(ends.1))) {
                    self.met(nodes, (number, *piece), edge, met)?;
                }
            }
        }
        Ok(())
    }

    fn met(
        &mut self,
        nodes: &mut Nodes<'_>,
        (number, piece): (usize, (u32, u32)),
        edge: usize,
        met: Meeting,
    ) -> Result<(), SplitError> {
        let ends = self.edges[edge];
        let near = |nodes: &Nodes<'_>, at: Coord, node: u32| {
            let apart = nodes.place(node) - at;
            nodes.plane.metres(apart.x.hypot(apart.y)) <= SNAP_M
        };
        let on_line = |this: &mut Self, nodes: &Nodes<'_>, node: u32| {
            if node != piece.0 && node != piece.1 {
                let (_, share) = nodes.beside(nodes.place(node), piece);
                this.on_line[number].push((share, node));
            }
        };
        match met {
            Meeting::Cross(at) | Meeting::Touch(at) => {
                // What is there already, a vertex or where the line was put on the edge.
                let there = [ends.0, ends.1].into_iter().chain(self.on_edges[edge].iter().map(|(_, node)| *node));
                let vertex = there.into_iter().find(|node| near(nodes, at, *node));
                let drawn = [piece.0, piece.1].into_iter().find(|node| nodes.place(*node) == at);
                let node = match (vertex, drawn) {
                    (Some(node), _) | (None, Some(node)) => node,
                    (None, None) => nodes.of_place(at)?,
                };
                self.put_on(nodes, edge, node);
                on_line(self, nodes, node);
            }
            Meeting::Overlap(_) => {
                for node in [ends.0, ends.1] {
                    if lies_on(nodes, node, piece) {
                        on_line(self, nodes, node);
                    }
                }
                for node in [piece.0, piece.1] {
                    if lies_on(nodes, node, ends) {
                        self.put_on(nodes, edge, node);
                    }
                }
            }
        }
        Ok(())
    }

    /// All directed edges, and those of them that the line drew: inside, and leading somewhere.
    fn edges(&mut self, nodes: &Nodes<'_>, line: &[u32]) -> (Edges, Edges) {
        let mut edges: FxHashSet<(u32, u32)> = FxHashSet::default();
        for (ends, places) in self.edges.iter().zip(&mut self.on_edges) {
            edges.extend(divided(*ends, places));
        }
        let mut drawn: Vec<(u32, u32)> = Vec::new();
        for (pair, places) in line.windows(2).zip(&mut self.on_line) {
            drawn.extend(divided((pair[0], pair[1]), places));
        }
        drawn.retain(|(a, b)| {
            let middle = (nodes.place(*a) + nodes.place(*b)) / 2.0;
            let runs_along = edges.contains(&(*a, *b)) || edges.contains(&(*b, *a));
            !runs_along && nodes.side(&self.rings, middle) == Side::Inside
        });
        let outline: FxHashSet<u32> = edges.iter().map(|(from, _)| *from).collect();
        prune(&mut drawn, &outline);
        let drawn: FxHashSet<(u32, u32)> = drawn.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        edges.extend(&drawn);
        (edges, drawn)
    }
}

/// Takes away what ends inside.
fn prune(drawn: &mut Vec<(u32, u32)>, outline: &FxHashSet<u32>) {
    loop {
        let degree = |node: u32| drawn.iter().filter(|(a, b)| *a == node || *b == node).count();
        let dangles = |node: u32| !outline.contains(&node) && degree(node) < 2;
        let kept: Vec<(u32, u32)> = drawn.iter().copied().filter(|(a, b)| !dangles(*a) && !dangles(*b)).collect();
        if kept.len() == drawn.len() {
            return;
        }
        *drawn = kept;
    }
}

fn lies_on(nodes: &Nodes<'_>, node: u32, edge: (u32, u32)) -> bool {
    let (_, share) = nodes.beside(nodes.place(node), edge);
    node != edge.0 && node != edge.1 && share > 0.0 && share < 1.0
}

/// Refuses two pieces of a line that meet elsewhere than where one goes on in the other.
fn meets_itself(nodes: &Nodes<'_>, a: (u32, u32), b: (u32, u32), all: &[(u32, u32)]) -> Result<(), SplitError> {
    let place = |(from, to): (u32, u32)| (nodes.place(from), nodes.place(to));
    let closes = all.len() > 2 && a == all[0] && b == all[all.len() - 1] && a.0 == b.1;
    match meeting(place(a), place(b)) {
        None => Ok(()),
        Some(Meeting::Touch(_)) if a.1 == b.0 || closes => Ok(()),
        Some(_) => Err(SplitError::LineCrossesItself),
    }
}

/// Joins surfaces along the edges that they share. `apart`: whether they may be several parts.
///
/// # Errors
/// [`SplitError`].
pub fn join(shapes: &[ShapeRef<'_>], grid: Option<&SurveyGrid>, apart: bool) -> Result<Divided, SplitError> {
    if shapes.iter().map(|shape| shape.coords().len()).sum::<usize>() > MOST_VERTICES {
        return Err(SplitError::TooLarge);
    }
    let bounds = shapes.iter().map(|shape| shape.bounds().filter(|_| shape.kind().dimension() == 2));
    let bounds = bounds.collect::<Option<Vec<_>>>().ok_or(SplitError::NotASurface)?;
    if shapes.iter().any(|shape| is_faulty(*shape)) {
        return Err(SplitError::Faulty);
    }
    let around = bounds.into_iter().reduce(crate::ground::shape::Bounds::union).ok_or(SplitError::NotASurface)?;
    let grid = grid_of(grid, &around);
    let mut nodes = Nodes::new(Plane::new(grid.map(SurveyGrid::crs)));
    let mut rings = Vec::with_capacity(shapes.len());
    for shape in shapes {
        rings.push(nodes.rings(*shape)?);
    }
    let (same, mut off_m) = nodes.nearly_same();
    let mut cuttings: Vec<Cutting> = rings.into_iter().map(|rings| Cutting::new(unified(rings, &same))).collect();
    meet_each_other(&nodes, &mut cuttings);
    let (mut edges, mut cut_m) = (FxHashSet::default(), 0.0);
    for cutting in &mut cuttings {
        (cut_m, off_m) = (cut_m + cutting.cut_m, off_m.max(cutting.off_m));
        for (ends, places) in cutting.edges.iter().zip(&mut cutting.on_edges) {
            for edge in divided(*ends, places) {
                if !edges.insert(edge) {
                    return Err(SplitError::Overlap);
                }
            }
        }
    }
    // Where two have an edge in common, there and back, there is land on both sides.
    let outline: FxHashSet<(u32, u32)> = edges.iter().filter(|(a, b)| !edges.contains(&(*b, *a))).copied().collect();
    let faces = faces(&nodes, &outline).map_err(|_| SplitError::Overlap)?;
    let parts = faces.len();
    if parts > 1 && !apart {
        // Two that overlap are no one outline either; that is said first.
        let whole = shape_of(&nodes, &faces.iter().collect::<Vec<_>>());
        return Err(if is_faulty(whole.view()) { SplitError::Overlap } else { SplitError::Apart { parts } });
    }
    let joined = shape_of(&nodes, &faces.iter().rev().collect::<Vec<_>>());
    if parts == 0 || is_faulty(joined.view()) {
        return Err(SplitError::Overlap);
    }
    sound(&joined)?;
    Ok(Divided { parts: vec![joined], cut_m, off_m })
}

/// Rings whose nodes are taken for others.
fn unified(mut rings: Vec<Vec<u32>>, same: &FxHashMap<u32, u32>) -> Vec<Vec<u32>> {
    for ring in &mut rings {
        for node in ring.iter_mut() {
            *node = same.get(node).copied().unwrap_or(*node);
        }
        ring.dedup();
        if ring.len() > 1 && ring.first() == ring.last() {
            ring.pop();
        }
    }
    rings
}

/// Puts vertices of each surface on the edges of the others that they lie on.
fn meet_each_other(nodes: &Nodes<'_>, cuttings: &mut [Cutting]) {
    for of in 0..cuttings.len() {
        for on in (0..cuttings.len()).filter(|on| *on != of) {
            let vertices: Vec<u32> = cuttings[of].edges.iter().map(|(from, _)| *from).collect();
            for edge in 0..cuttings[on].edges.len() {
                let ends = cuttings[on].edges[edge];
                let (a, b) = (nodes.place(ends.0), nodes.place(ends.1));
                let reach = crate::ground::shape::Bounds::of_corners(a, b).widened(SNAP_M);
                for vertex in vertices.iter().filter(|vertex| reach.holds(nodes.place(**vertex))) {
                    if nodes.beside(nodes.place(*vertex), ends).0 <= SNAP_M && lies_on(nodes, *vertex, ends) {
                        cuttings[on].put_on(nodes, edge, *vertex);
                    }
                }
            }
        }
    }
}
