//! Reading the geometry of a shapefile (`.shp`, and the offsets in its `.shx`).
//!
//! Invariant: no length or offset in the file is believed before it is held against the size of the file, and
//! nothing larger than what is left of the file is allocated. A record whose frame is right but whose content is
//! not costs its row; a frame that lies breaks the file, because nothing after it can be trusted.
//!
//! Question: why not the `shapefile` crate? It allocates for the counts that a record claims, turns and closes
//! rings as it reads, and ignores what stands between records only where it finds an index.
//!
//! Source: ESRI Shapefile Technical Description, 1998.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
};

use geo::Coord;

use crate::ground::shape::{Shape, ShapeKind};

use super::{
    super::{FormatError, broken, open, refused_by_system, short_read},
    rings,
};

const HEAD: u64 = 100;

/// The geometry of one record.
#[derive(Debug, PartialEq)]
pub enum Geometry {
    /// None.
    Null,
    /// As written; `more` where heights or measures were left out.
    Shape {
        /// The shape.
        shape: Shape,
        /// Whether the record has heights or measures.
        more: bool,
        /// Whether the orientation of its rings made no sense.
        by_containment: bool,
    },
    /// A kind of geometry that is not read.
    Unsupported(String),
    /// The content of the record is broken: what is wrong.
    Broken(String),
}

/// The records of a `.shp`, in order of its index where there is one.
#[derive(Debug)]
pub struct Records {
    input: BufReader<File>,
    length: u64,
    at: u64,
    offsets: Option<Vec<u64>>,
    next: usize,
    content: Vec<u8>,
    /// Bytes after the end that the header states.
    pub beyond: u64,
}

impl Records {
    /// Reads the header, and the index where there is one.
    ///
    /// # Errors
    /// [`FormatError::Broken`] where a header or an offset cannot be true.
    pub fn open(shp: &Path, shx: Option<&Path>, named: &Path) -> Result<Self, FormatError> {
        let (file, length) = open(shp)?;
        let mut input = BufReader::with_capacity(1 << 16, file);
        let stated = read_head(&mut input, named, ".shp")?;
        if stated > length {
            return Err(broken(named, format!("is cut off: its header states {stated} bytes, it has {length}")));
        }
        let offsets = shx.map(|shx| read_offsets(shx, named, stated)).transpose()?;
        Ok(Self { input, length: stated, at: HEAD, offsets, next: 0, content: Vec::new(), beyond: length - stated })
    }

    /// The number of records, where the index says it.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        self.offsets.as_ref().map(Vec::len)
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// [`FormatError::Broken`] names the record whose frame cannot be true.
    pub fn next(&mut self, named: &Path) -> Result<Option<Geometry>, FormatError> {
        let number = self.next + 1;
        let wrong = |what: String| broken(named, format!("record {number}: {what}"));
        let refused = |error| refused_by_system(named, error);
        if let Some(offsets) = &self.offsets {
            let Some(offset) = offsets.get(self.next) else { return Ok(None) };
            if *offset != self.at {
                self.input.seek_relative(offset.wrapping_sub(self.at) as i64).map_err(refused)?;
                self.at = *offset;
            }
        } else if self.at == self.length {
            return Ok(None);
        }
        if self.length - self.at < 8 {
            return Err(wrong(format!("is cut off at byte {}", self.at)));
        }
        let mut frame = [0; 8];
        self.input.read_exact(&mut frame).map_err(refused)?;
        let words = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        let left = self.length - self.at - 8;
        let claimed = u64::try_from(words).ok().map(|words| words * 2).filter(|bytes| (4..=left).contains(bytes));
        let Some(claimed) = claimed else {
            let claimed = i64::from(words) * 2;
            return Err(wrong(format!("claims {claimed} bytes at byte {}, {left} are left in the file", self.at)));
        };
        self.content.resize(claimed as usize, 0);
        self.input.read_exact(&mut self.content).map_err(refused)?;
        self.at += 8 + claimed;
        self.next = number;
        Ok(Some(geometry_of(&self.content)))
    }
}

/// Reads a header of a hundred bytes; the length that it states, in bytes.
fn read_head(input: &mut BufReader<File>, named: &Path, what: &str) -> Result<u64, FormatError> {
    let mut head = [0; HEAD as usize];
    input
        .read_exact(&mut head)
        .map_err(|error| short_read(named, &format!("its {what} is cut off in its header"), error))?;
    if head[..4] != 9994_i32.to_be_bytes() {
        return Err(broken(named, format!("its {what} is no part of a shapefile: it does not begin with 9994")));
    }
    let words = i32::from_be_bytes([head[24], head[25], head[26], head[27]]);
    match u64::try_from(words) {
        Ok(words) if words >= HEAD / 2 => Ok(words * 2),
        _ => Err(broken(named, format!("its {what} states a length of {words} words, less than its header has"))),
    }
}

/// The offsets of an index, in bytes.
fn read_offsets(shx: &Path, named: &Path, shp_length: u64) -> Result<Vec<u64>, FormatError> {
    let (file, length) = open(shx)?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let stated = read_head(&mut input, named, ".shx")?;
    if stated > length || !(stated - HEAD).is_multiple_of(8) {
        return Err(broken(
            named,
            format!(
                "its .shx is cut off or broken (it states {stated} bytes and has {length}); without a .shx the records \
                 are read one after the other"
            ),
        ));
    }
    let mut offsets = Vec::with_capacity((stated as usize - HEAD as usize) / 8);
    let mut entry = [0; 8];
    for number in 1..=(stated - HEAD) / 8 {
        input.read_exact(&mut entry).map_err(|error| refused_by_system(shx, error))?;
        let words = i32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let offset = u64::try_from(words).ok().map(|words| words * 2).filter(|at| (HEAD..shp_length).contains(at));
        offsets.push(offset.ok_or_else(|| {
            broken(
                named,
                format!(
                    "record {number}: its .shx points to word {words}, outside the .shp; without a .shx the records are \
                     read one after the other"
                ),
            )
        })?);
    }
    Ok(offsets)
}

/// The geometry in the content of a record.
fn geometry_of(content: &[u8]) -> Geometry {
    let mut bytes = content;
    let kind = int(&mut bytes).unwrap_or(-1);
    // 0 plain, 10 with heights, 20 with measures; bytes behind the positions are those.
    let more = kind > 10;
    let shape = match kind {
        0 => return Geometry::Null,
        1 | 11 | 21 => position(&mut bytes).map(|at| (Shape::point(at), false)),
        8 | 18 | 28 => multi_point(bytes).map(|shape| (shape, false)),
        3 | 13 | 23 => paths(bytes).map(|paths| (lines(&paths.views()), false)),
        5 | 15 | 25 => match paths(bytes).map(|paths| rings::group(&paths.views())) {
            Some(Some(grouped)) => Some((grouped.shape, grouped.by_containment)),
            Some(None) => return Geometry::Unsupported("a polygon of too many rings: split it".to_owned()),
            None => None,
        },
        31 => {
            return Geometry::Unsupported(
                "a multipatch (a body in space): only points, lines and surfaces are read".to_owned(),
            );
        }
        other => return Geometry::Unsupported(format!("a geometry of the unknown type {other}")),
    };
    match shape {
        Some((shape, by_containment)) => Geometry::Shape { shape, more, by_containment },
        None => Geometry::Broken(format!("its counts and offsets do not fit into its {} bytes", content.len())),
    }
}

fn multi_point(mut bytes: &[u8]) -> Option<Shape> {
    skip(&mut bytes, 32)?;
    let count = usize::try_from(int(&mut bytes)?).ok().filter(|count| *count <= bytes.len() / 16)?;
    let mut shape = Shape::new(ShapeKind::MultiPoint);
    for _ in 0..count {
        shape.push(position(&mut bytes)?);
        shape.end_ring();
        shape.end_part();
    }
    Some(shape)
}

fn lines(paths: &[&[Coord]]) -> Shape {
    let mut shape = Shape::new(if paths.len() == 1 { ShapeKind::LineString } else { ShapeKind::MultiLineString });
    for path in paths {
        path.iter().for_each(|at| shape.push(*at));
        shape.end_ring();
        shape.end_part();
    }
    shape
}

/// Positions, and where each path begins.
struct Paths {
    coords: Vec<Coord>,
    starts: Vec<usize>,
}

impl Paths {
    fn views(&self) -> Vec<&[Coord]> {
        let ends = self.starts.iter().skip(1).copied().chain([self.coords.len()]);
        self.starts.iter().zip(ends).map(|(start, end)| &self.coords[*start..end]).collect()
    }
}

/// The paths of a line or polygon; `None` where counts or offsets cannot be true.
fn paths(mut bytes: &[u8]) -> Option<Paths> {
    skip(&mut bytes, 32)?;
    let parts = usize::try_from(int(&mut bytes)?).ok()?;
    let points = usize::try_from(int(&mut bytes)?).ok()?;
    if parts > bytes.len() / 4 || points > (bytes.len() - parts * 4) / 16 {
        return None;
    }
    let mut starts = Vec::with_capacity(parts);
    for i in 0..parts {
        let start = usize::try_from(int(&mut bytes)?).ok().filter(|start| *start <= points)?;
        let rising = starts.last().is_none_or(|last| *last <= start);
        if !rising || (i == 0 && start != 0) {
            return None;
        }
        starts.push(start);
    }
    if parts == 0 && points > 0 {
        return None;
    }
    let mut coords = Vec::with_capacity(points);
    for _ in 0..points {
        coords.push(position(&mut bytes)?);
    }
    Some(Paths { coords, starts })
}

fn position(bytes: &mut &[u8]) -> Option<Coord> {
    Some(Coord { x: f64::from_le_bytes(chunk(bytes)?), y: f64::from_le_bytes(chunk(bytes)?) })
}

fn int(bytes: &mut &[u8]) -> Option<i32> {
    chunk(bytes).map(i32::from_le_bytes)
}

fn skip(bytes: &mut &[u8], count: usize) -> Option<()> {
    *bytes = bytes.get(count..)?;
    Some(())
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn polygon(parts: &[i32], claimed_points: i32, points: usize) -> Vec<u8> {
        let mut content = 5_i32.to_le_bytes().to_vec();
        content.extend_from_slice(&[0; 32]);
        content.extend_from_slice(&(parts.len() as i32).to_le_bytes());
        content.extend_from_slice(&claimed_points.to_le_bytes());
        for part in parts {
            content.extend_from_slice(&part.to_le_bytes());
        }
        (0..points * 2).for_each(|i| content.extend_from_slice(&(i as f64).to_le_bytes()));
        content
    }

    #[test]
    fn offsets_and_counts_that_lie_cost_their_row_and_no_memory() {
        assert!(matches!(geometry_of(&polygon(&[0], 4, 4)), Geometry::Shape { .. }));
        for content in [
            polygon(&[0], i32::MAX, 4),
            polygon(&[0], -1, 4),
            polygon(&[-1], 4, 4),
            polygon(&[0, 3, 1], 4, 4),
            polygon(&[2], 4, 4),
            polygon(&[0, 5], 4, 4),
            polygon(&[], 4, 4),
            polygon(&[0], 4, 3),
        ] {
            assert!(matches!(geometry_of(&content), Geometry::Broken(_)));
        }
    }

    #[test]
    fn an_unclosed_ring_arrives_unclosed() {
        let Geometry::Shape { shape, .. } = geometry_of(&polygon(&[0], 4, 4)) else { panic!("no shape") };
        assert_eq!(shape.view().coords().len(), 4);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_geometry_or_a_complaint(kind in 0..40_i32, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut content = kind.to_le_bytes().to_vec();
            content.extend(rest);
            let _ = geometry_of(&content);
        }
    }
}
