//! Geometry as Mapbox Vector Tile writes it: commands and the steps between vertices (specification 2.1, 4.3).

use geo::Coord;

use super::{gather::Mark, protobuf::put_varint, snap::Snapped};

const MOVE_TO: u64 = 1;
const LINE_TO: u64 = 2;
const CLOSE_PATH: u64 = 7;
/// Vertices that a command can count.
const MOST_VERTICES: usize = (1 << 29) - 1;

/// A path with more vertices than a vector tile can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path has {0} vertices, and vector tiles count to {MOST_VERTICES}")]
pub(super) struct TooLong(usize);

/// Geometries of features one after another.
#[derive(Debug, Default)]
pub(super) struct Geometries {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    cursor: Coord<i32>,
}

impl Geometries {
    /// The bytes of a feature's geometry.
    pub(super) fn at(&self, feature: usize) -> &[u8] {
        let start = if feature == 0 { 0 } else { self.ends[feature - 1] };
        &self.bytes[start..self.ends[feature]]
    }

    /// Adds the geometry of a feature, some paths of the snapped ones.
    pub(super) fn add(&mut self, snapped: &Snapped, paths: (usize, usize), dimension: u8) -> Result<(), TooLong> {
        self.cursor = Coord::zero();
        for path in paths.0..paths.1 {
            let start = if path == 0 { 0 } else { snapped.paths[path - 1].0 };
            let (end, outer) = snapped.paths[path];
            self.path(&snapped.points[start..end], outer, dimension)?;
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds a mark's geometry: its cell for surfaces, a stroke across it for lines, its middle for points.
    pub(super) fn add_mark(&mut self, mark: &Mark, cell: u32) -> Result<(), TooLong> {
        self.cursor = Coord::zero();
        let (side, x, y) = (cell as i32, (mark.cell.0 * cell) as i32, (mark.cell.1 * cell) as i32);
        let at = |right: i32, down: i32| Coord { x: x + right, y: y + down };
        match mark.dimension {
            0 => self.path(&[at(side / 2, side / 2)], true, 0)?,
            1 => self.path(&[at(0, side / 2), at(side, side / 2)], true, 1)?,
            _ => self.path(&[at(0, 0), at(side, 0), at(side, side), at(0, side)], true, 2)?,
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn path(&mut self, path: &[Coord<i32>], outer: bool, dimension: u8) -> Result<(), TooLong> {
        if path.len() > MOST_VERTICES {
            return Err(TooLong(path.len()));
        }
        match dimension {
            0 => {
                self.command(MOVE_TO, path.len());
                for at in path {
                    self.step(*at);
                }
            }
            1 => self.run(path.iter()),
            // Outer rings have a positive area where y runs downwards, inner ones a negative one (4.3.4.4).
            _ if (twice_area(path) > 0) == outer => self.ring(path.iter()),
            _ => self.ring(path.iter().rev()),
        }
        Ok(())
    }

    fn ring<'a>(&mut self, path: impl ExactSizeIterator<Item = &'a Coord<i32>>) {
        self.run(path);
        self.command(CLOSE_PATH, 1);
    }

    fn run<'a>(&mut self, mut path: impl ExactSizeIterator<Item = &'a Coord<i32>>) {
        let Some(first) = path.next() else { return };
        self.command(MOVE_TO, 1);
        self.step(*first);
        if path.len() > 0 {
            self.command(LINE_TO, path.len());
            path.for_each(|at| self.step(*at));
        }
    }

    fn command(&mut self, command: u64, times: usize) {
        put_varint(&mut self.bytes, (times as u64) << 3 | command);
    }

    fn step(&mut self, to: Coord<i32>) {
        put_varint(&mut self.bytes, zigzag(to.x - self.cursor.x));
        put_varint(&mut self.bytes, zigzag(to.y - self.cursor.y));
        self.cursor = to;
    }
}

const fn zigzag(step: i32) -> u64 {
    ((step << 1) ^ (step >> 31)) as u32 as u64
}

/// Twice the signed area of an open ring. Coordinates are a tile's: nothing overflows.
fn twice_area(ring: &[Coord<i32>]) -> i64 {
    let cross = |a: &Coord<i32>, b: &Coord<i32>| i64::from(a.x) * i64::from(b.y) - i64::from(b.x) * i64::from(a.y);
    let closing = ring.last().zip(ring.first()).map_or(0, |(last, first)| cross(last, first));
    closing + ring.windows(2).map(|pair| cross(&pair[0], &pair[1])).sum::<i64>()
}
