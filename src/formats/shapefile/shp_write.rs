//! Writing the geometry of a shapefile: `.shp` and its index.
//!
//! Outer rings are written clockwise and holes counter-clockwise, as the format says; nothing else about a shape is
//! changed. A file holds one type; points become multi-points when the first multi-point comes.
//!
//! Source: ESRI Shapefile Technical Description, 1998.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use geo::Coord;

use crate::ground::shape::{Bounds, ShapeKind, ShapeRef};

use super::rings::doubled_area;

/// Bytes that a `.shp` may have: beyond, offsets turn negative in most readers.
const LARGEST: u64 = i32::MAX as u64;

/// What a `.shp` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Single points.
    Points = 1,
    /// Lines.
    Lines = 3,
    /// Surfaces.
    Surfaces = 5,
    /// Several points to a record.
    MultiPoints = 8,
}

impl Holds {
    /// The type that holds shapes of a kind.
    #[must_use]
    pub const fn of(kind: ShapeKind) -> Self {
        match kind {
            ShapeKind::Point => Self::Points,
            ShapeKind::MultiPoint => Self::MultiPoints,
            ShapeKind::LineString | ShapeKind::MultiLineString => Self::Lines,
            ShapeKind::Polygon | ShapeKind::MultiPolygon => Self::Surfaces,
        }
    }
}

/// Why a shape cannot be written.
#[derive(Debug)]
pub enum Refusal {
    /// The disk.
    Io(io::Error),
    /// The file would become larger than its format allows.
    TooLarge,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A `.shp` being written, its index kept aside.
#[derive(Debug)]
pub struct Shapes {
    path: PathBuf,
    out: BufWriter<File>,
    holds: Holds,
    bounds: Option<Bounds>,
    at: u64,
    /// Offset and length of each record, in words.
    index: Vec<(u32, u32)>,
}

impl Shapes {
    /// Begins a file.
    pub fn create(path: &Path, holds: Holds) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 17, File::create(path)?);
        out.write_all(&[0; 100])?;
        Ok(Self { path: path.to_owned(), out, holds, bounds: None, at: 100, index: Vec::new() })
    }

    /// What the file holds.
    #[must_use]
    pub fn holds(&self) -> Holds {
        self.holds
    }

    /// Adds a record.
    pub fn push(&mut self, shape: Option<ShapeRef<'_>>) -> Result<(), Refusal> {
        let content = match shape {
            None => 0_i32.to_le_bytes().to_vec(),
            Some(shape) => {
                if self.holds == Holds::Points && shape.coords().len() != 1 {
                    self.promote()?;
                }
                if let Some(bounds) = shape.bounds() {
                    self.bounds = Some(self.bounds.map_or(bounds, |all| all.union(bounds)));
                }
                content_of(shape, self.holds)
            }
        };
        self.record(&content)
    }

    fn record(&mut self, content: &[u8]) -> Result<(), Refusal> {
        if self.at + 8 + content.len() as u64 > LARGEST {
            return Err(Refusal::TooLarge);
        }
        let words = (content.len() / 2) as u32;
        self.index.push(((self.at / 2) as u32, words));
        self.out.write_all(&(self.index.len() as u32).to_be_bytes())?;
        self.out.write_all(&words.to_be_bytes())?;
        self.out.write_all(content)?;
        self.at += 8 + content.len() as u64;
        Ok(())
    }

    /// Writes what there is once more, as multi-points.
    fn promote(&mut self) -> Result<(), Refusal> {
        self.out.flush()?;
        let mut old = BufReader::new(File::open(&self.path)?);
        let beside = self.path.with_extension("shp-multi");
        let records = self.index.len();
        let bounds = self.bounds;
        let mut new = Self::create(&beside, Holds::MultiPoints)?;
        old.seek(SeekFrom::Start(100))?;
        for _ in 0..records {
            let mut frame = [0; 8];
            old.read_exact(&mut frame)?;
            let words = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
            let mut content = vec![0; words as usize * 2];
            old.read_exact(&mut content)?;
            let position = content.get(4..20).and_then(|bytes| Some((bytes.first_chunk()?, bytes.last_chunk()?)));
            let content = match position {
                Some((x, y)) => multi_point(&[Coord { x: f64::from_le_bytes(*x), y: f64::from_le_bytes(*y) }]),
                None => content,
            };
            new.record(&content)?;
        }
        std::fs::rename(&beside, &self.path)?;
        new.path.clone_from(&self.path);
        new.bounds = bounds;
        *self = new;
        Ok(())
    }

    /// Writes the headers and the index.
    pub fn finish(mut self, shx: &Path) -> io::Result<()> {
        let head = |length: u64| header(self.holds, length, self.bounds);
        let mut index = BufWriter::new(File::create(shx)?);
        index.write_all(&head(100 + 8 * self.index.len() as u64))?;
        for (offset, length) in &self.index {
            index.write_all(&offset.to_be_bytes())?;
            index.write_all(&length.to_be_bytes())?;
        }
        index.flush()?;
        let head = head(self.at);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&head)?;
        self.out.flush()
    }
}

fn header(holds: Holds, length: u64, bounds: Option<Bounds>) -> [u8; 100] {
    let mut head = [0; 100];
    head[..4].copy_from_slice(&9994_i32.to_be_bytes());
    head[24..28].copy_from_slice(&((length / 2) as u32).to_be_bytes());
    head[28..32].copy_from_slice(&1000_i32.to_le_bytes());
    head[32..36].copy_from_slice(&(holds as i32).to_le_bytes());
    if let Some(bounds) = bounds {
        head[36..68].copy_from_slice(&bounds_bytes(bounds));
    }
    head
}

fn bounds_bytes(bounds: Bounds) -> [u8; 32] {
    let mut bytes = [0; 32];
    let sides = [bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y];
    bytes.chunks_exact_mut(8).zip(sides).for_each(|(to, side)| to.copy_from_slice(&side.to_le_bytes()));
    bytes
}

fn content_of(shape: ShapeRef<'_>, holds: Holds) -> Vec<u8> {
    match holds {
        Holds::Points => {
            let mut content = 1_i32.to_le_bytes().to_vec();
            shape.coords().iter().for_each(|at| push_position(&mut content, *at));
            content
        }
        Holds::MultiPoints => multi_point(shape.coords()),
        Holds::Lines => paths(shape, holds, &shape.rings().map(<[Coord]>::to_vec).collect::<Vec<_>>()),
        Holds::Surfaces => {
            let turned = |(i, ring): (usize, &[Coord])| {
                let mut ring = ring.to_vec();
                // Clockwise outside, counter-clockwise inside.
                let area = doubled_area(&ring);
                if (i == 0 && area > 0.0) || (i > 0 && area < 0.0) {
                    ring.reverse();
                }
                ring
            };
            let rings: Vec<Vec<Coord>> = shape.parts().flat_map(|part| part.enumerate().map(turned)).collect();
            paths(shape, holds, &rings)
        }
    }
}

fn multi_point(coords: &[Coord]) -> Vec<u8> {
    let mut content = 8_i32.to_le_bytes().to_vec();
    content.extend_from_slice(&Bounds::around(coords).map_or([0; 32], bounds_bytes));
    content.extend_from_slice(&(coords.len() as i32).to_le_bytes());
    for at in coords {
        push_position(&mut content, *at);
    }
    content
}

fn paths(shape: ShapeRef<'_>, holds: Holds, paths: &[Vec<Coord>]) -> Vec<u8> {
    let mut content = Vec::with_capacity(44 + 4 * paths.len() + 16 * shape.coords().len());
    content.extend_from_slice(&(holds as i32).to_le_bytes());
    content.extend_from_slice(&shape.bounds().map_or([0; 32], bounds_bytes));
    content.extend_from_slice(&(paths.len() as i32).to_le_bytes());
    content.extend_from_slice(&(shape.coords().len() as i32).to_le_bytes());
    let mut start = 0_i32;
    for path in paths {
        content.extend_from_slice(&start.to_le_bytes());
        start += path.len() as i32;
    }
    paths.iter().flatten().for_each(|at| push_position(&mut content, *at));
    content
}

fn push_position(content: &mut Vec<u8>, at: Coord) {
    content.extend_from_slice(&at.x.to_le_bytes());
    content.extend_from_slice(&at.y.to_le_bytes());
}
