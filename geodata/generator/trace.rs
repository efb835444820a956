//! The outlines of sets of triangles, as valid surfaces.

use std::collections::BTreeMap;

use super::{
    mesh::Mesh,
    plane::{Nano, Ring, Surfaces, doubled_area, nano},
};

/// The connected pieces of the triangles that satisfy `chosen`: connected across edges that `open` lets pass.
pub fn pieces(mesh: &Mesh, chosen: impl Fn(usize) -> bool, open: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mesh.triangles.len()];
    let mut out = Vec::new();
    for start in 0..mesh.triangles.len() {
        if seen[start] || !chosen(start) {
            continue;
        }
        seen[start] = true;
        let mut piece = vec![start];
        let mut next = 0;
        while next < piece.len() {
            let t = piece[next];
            next += 1;
            for other in mesh.across[t].into_iter().flatten() {
                if !seen[other] && chosen(other) && open(t, other) {
                    seen[other] = true;
                    piece.push(other);
                }
            }
        }
        out.push(piece);
    }
    out
}

/// The outline of one connected piece: an outer ring and holes, each simple.
pub fn outline(mesh: &Mesh, piece: &[usize]) -> Surfaces {
    let edges = piece.iter().flat_map(|t| {
        let corners = mesh.triangles[*t];
        (0..3).map(move |i| (corners[i], corners[(i + 1) % 3]))
    });
    let rings = rings_of(edges).into_iter().map(|ring| ring.iter().map(|p| nano(mesh.points[*p])).collect());
    nest(rings.collect())
}

/// Rings of the edges that no opposite edge cancels, split where a ring meets itself at a point.
pub fn rings_of<K: Ord + Copy>(edges: impl Iterator<Item = (K, K)>) -> Vec<Vec<K>> {
    let mut left = std::collections::BTreeSet::new();
    for (a, b) in edges {
        if !left.remove(&(b, a)) {
            left.insert((a, b));
        }
    }
    let mut out: BTreeMap<K, Vec<K>> = BTreeMap::new();
    left.iter().rev().for_each(|(a, b)| out.entry(*a).or_default().push(*b));
    let mut rings = Vec::new();
    while let Some(start) = out.keys().next().copied() {
        let mut path = vec![start];
        while let Some(nexts) = out.get_mut(path.last().expect("never empty")) {
            let next = nexts.pop().expect("empty lists are removed");
            let last = *path.last().expect("never empty");
            if out[&last].is_empty() {
                out.remove(&last);
            }
            if let Some(from) = path.iter().position(|k| *k == next) {
                rings.push(path.split_off(from));
                if path.is_empty() {
                    break;
                }
                path.push(next);
            } else {
                path.push(next);
            }
        }
    }
    rings
}

/// One surface of rings of which one is the outer: it comes first.
fn nest(mut rings: Vec<Ring>) -> Surfaces {
    rings.sort_by_key(|ring| -doubled_area(ring));
    let outers = rings.iter().filter(|ring| doubled_area(ring) > 0).count();
    assert_eq!(outers, 1, "a connected piece has one outer ring");
    for ring in &mut rings {
        let first = (0..ring.len()).min_by_key(|i| ring[*i]).unwrap_or(0);
        ring.rotate_left(first);
    }
    vec![rings]
}

/// The outline of rings that share edges (lots of one block), outer ring only.
pub fn merged(lots: &[Ring]) -> Vec<Ring> {
    let edges = lots.iter().flat_map(|ring| (0..ring.len()).map(|i| (ring[i], ring[(i + 1) % ring.len()])));
    rings_of::<Nano>(edges)
}
