//! Well-known binary, read and written.
//!
//! Reads ISO WKB and EWKB of the six simple kinds, either byte order, with heights and measures (which are left
//! out, and said so); writes ISO WKB, little-endian, two-dimensional. Rings are read as they are, closed or not.
//! Any bytes are safe to read: nothing is allocated for what the bytes only claim to hold.
//!
//! Source: OGC 06-103r4 §8; EWKB as `PostGIS` writes it. An empty point is one of NaN, as in OGC 12-128r19.

use geo::Coord;

use super::shape::{RingsOf, Shape, ShapeKind, ShapeRef};

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct WkbRead {
    /// The geometry.
    pub shape: Shape,
    /// Whether it had heights or measures, which are left out.
    pub dropped_z: bool,
    /// The number of the CRS that an EWKB names.
    pub srid: Option<u32>,
}

/// What can be wrong with bytes that are meant to be WKB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WkbError {
    /// The bytes end before the geometry.
    #[error("the geometry is cut off: {missing} more bytes are needed at byte {at}")]
    CutOff {
        /// Position from the start.
        at: usize,
        /// At least so many are missing.
        missing: u64,
    },
    /// Neither 0 nor 1 stands where the byte order is told.
    #[error("byte {at} is {found}, which is no byte order")]
    ByteOrder {
        /// Position from the start.
        at: usize,
        /// What stands there.
        found: u8,
    },
    /// A kind of geometry that cannot be held.
    #[error("geometry type {code} ({name}) cannot be held: use points, lines or polygons")]
    Unsupported {
        /// The code as it stands there.
        code: u32,
        /// The name of the kind.
        name: &'static str,
    },
    /// A multi-geometry holds something else than its own kind.
    #[error("a {outer} holds a {inner} at byte {at}")]
    WrongMember {
        /// The multi-geometry.
        outer: &'static str,
        /// Its member.
        inner: &'static str,
        /// Position from the start.
        at: usize,
    },
    /// Bytes are left over.
    #[error("{count} bytes are left after the geometry")]
    LeftOver {
        /// How many.
        count: usize,
    },
}

/// Reads one geometry.
///
/// # Errors
/// [`WkbError`] tells what is wrong and where.
pub fn read_wkb(bytes: &[u8]) -> Result<WkbRead, WkbError> {
    let mut reader = Reader { bytes, at: 0, dropped_z: false, srid: None };
    let head = reader.head()?;
    let mut shape = Shape::new(head.kind);
    if head.kind.multi() == head.kind {
        // A member has five bytes at least, so a count beyond that is known to be cut off.
        for _ in 0..reader.count(&head, 5)? {
            let at = reader.at;
            let member = reader.head()?;
            if member.kind == head.kind || member.kind.multi() != head.kind {
                let (outer, inner) = (head.kind.as_str(), member.kind.as_str());
                return Err(WkbError::WrongMember { outer, inner, at });
            }
            reader.single(&member, &mut shape)?;
        }
    } else {
        reader.single(&head, &mut shape)?;
    }
    match bytes.len() - reader.at {
        0 => Ok(WkbRead { shape, dropped_z: reader.dropped_z, srid: reader.srid }),
        count => Err(WkbError::LeftOver { count }),
    }
}

/// Appends one geometry.
pub fn append_wkb(out: &mut Vec<u8>, shape: ShapeRef<'_>) {
    let kind = shape.kind();
    out.reserve(16 * shape.coords().len() + 9 * shape.part_count() + 9);
    if kind.multi() == kind {
        put_head(out, kind);
        put_count(out, shape.part_count());
        let single = single_of(kind);
        shape.parts().for_each(|part| put_single(out, single, part));
    } else {
        let mut parts = shape.parts();
        let first = parts.next();
        match first {
            Some(part) => put_single(out, kind, part),
            None => put_empty(out, kind),
        }
    }
}

/// Code and dimensions of one geometry.
struct Head {
    kind: ShapeKind,
    little: bool,
    /// Numbers in a position.
    numbers: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    dropped_z: bool,
    srid: Option<u32>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WkbError> {
        let left = self.bytes.len() - self.at;
        if count > left {
            return Err(WkbError::CutOff { at: self.at, missing: (count - left) as u64 });
        }
        self.at += count;
        Ok(&self.bytes[self.at - count..self.at])
    }

    fn u32(&mut self, little: bool) -> Result<u32, WkbError> {
        let four = self.take(4)?.try_into().expect("four bytes were taken");
        Ok(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    }

    fn head(&mut self) -> Result<Head, WkbError> {
        const Z: u32 = 0x8000_0000;
        const M: u32 = 0x4000_0000;
        const SRID: u32 = 0x2000_0000;
        let at = self.at;
        let little = match self.take(1)?[0] {
            0 => false,
            1 => true,
            found => return Err(WkbError::ByteOrder { at, found }),
        };
        let code = self.u32(little)?;
        let (flags, plain) = (code & (Z | M | SRID), code & !(Z | M | SRID));
        let (iso, base) = (plain / 1000, plain % 1000);
        let kind = kind_of(base).filter(|_| iso <= 3 && (iso == 0 || flags & (Z | M) == 0));
        let kind = kind.ok_or(WkbError::Unsupported { code, name: name_of(if iso <= 3 { base } else { 0 }) })?;
        if flags & SRID != 0 {
            self.srid = Some(self.u32(little)?);
        }
        let extra = usize::from(flags & Z != 0) + usize::from(flags & M != 0);
        let numbers = 2 + extra + [0, 1, 1, 2][iso as usize];
        self.dropped_z |= numbers > 2;
        Ok(Head { kind, little, numbers })
    }

    /// A count of things that have at least so many bytes each.
    fn count(&mut self, head: &Head, bytes_each: usize) -> Result<usize, WkbError> {
        let count = self.u32(head.little)?;
        let (needed, left) = (u64::from(count) * bytes_each as u64, (self.bytes.len() - self.at) as u64);
        if needed > left {
            return Err(WkbError::CutOff { at: self.at, missing: needed - left });
        }
        Ok(count as usize)
    }

    fn single(&mut self, head: &Head, shape: &mut Shape) -> Result<(), WkbError> {
        match head.kind.dimension() {
            0 => {
                let at = position(self.take(8 * head.numbers)?, head.little);
                if at.x.is_nan() && at.y.is_nan() {
                    return Ok(());
                }
                shape.push(at);
                shape.end_ring();
            }
            1 => self.ring(head, shape)?,
            _ => {
                let rings = self.count(head, 4)?;
                for _ in 0..rings {
                    self.ring(head, shape)?;
                }
            }
        }
        shape.end_part();
        Ok(())
    }

    fn ring(&mut self, head: &Head, shape: &mut Shape) -> Result<(), WkbError> {
        let count = self.count(head, 8 * head.numbers)?;
        let bytes = self.take(count * 8 * head.numbers)?;
        for each in bytes.chunks_exact(8 * head.numbers) {
            shape.push(position(each, head.little));
        }
        shape.end_ring();
        Ok(())
    }
}

/// The first two numbers.
fn position(bytes: &[u8], little: bool) -> Coord {
    let number = |from: usize| {
        let eight = bytes[from..from + 8].try_into().expect("eight bytes were sliced");
        if little { f64::from_le_bytes(eight) } else { f64::from_be_bytes(eight) }
    };
    Coord { x: number(0), y: number(8) }
}

const KINDS: [ShapeKind; 6] = [
    ShapeKind::Point,
    ShapeKind::LineString,
    ShapeKind::Polygon,
    ShapeKind::MultiPoint,
    ShapeKind::MultiLineString,
    ShapeKind::MultiPolygon,
];

fn kind_of(base: u32) -> Option<ShapeKind> {
    KINDS.get((base as usize).checked_sub(1)?).copied()
}

fn code_of(kind: ShapeKind) -> u32 {
    KINDS.iter().position(|k| *k == kind).map_or(0, |i| i as u32 + 1)
}

fn single_of(kind: ShapeKind) -> ShapeKind {
    KINDS.into_iter().find(|single| single.multi() == kind).unwrap_or(kind)
}

fn name_of(base: u32) -> &'static str {
    match base {
        7 => "geometry collection",
        8 => "circular string",
        9 => "compound curve",
        10 => "curve polygon",
        11 => "multi-curve",
        12 => "multi-surface",
        15 => "polyhedral surface",
        16 => "triangulated network",
        17 => "triangle",
        _ => "unknown",
    }
}

fn put_head(out: &mut Vec<u8>, kind: ShapeKind) {
    out.push(1);
    out.extend_from_slice(&code_of(kind).to_le_bytes());
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn put_coords(out: &mut Vec<u8>, coords: &[Coord]) {
    for at in coords {
        out.extend_from_slice(&at.x.to_le_bytes());
        out.extend_from_slice(&at.y.to_le_bytes());
    }
}

fn put_single(out: &mut Vec<u8>, kind: ShapeKind, mut rings: RingsOf<'_>) {
    put_head(out, kind);
    match kind.dimension() {
        0 => put_coords(out, rings.next().unwrap_or_default()),
        1 => {
            let path = rings.next().unwrap_or_default();
            put_count(out, path.len());
            put_coords(out, path);
        }
        _ => {
            put_count(out, rings.len());
            for ring in rings {
                put_count(out, ring.len());
                put_coords(out, ring);
            }
        }
    }
}

fn put_empty(out: &mut Vec<u8>, kind: ShapeKind) {
    put_head(out, kind);
    if kind == ShapeKind::Point {
        put_coords(out, &[Coord { x: f64::NAN, y: f64::NAN }]);
    } else {
        put_count(out, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::string_slice, reason = "hexadecimal digits are ASCII")]
    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn point(x: f64, y: f64) -> Shape {
        Shape::point(Coord { x, y })
    }

    #[test]
    fn points_of_every_dialect_are_read() {
        // From PostGIS: ST_AsBinary and ST_AsEWKB of POINT[ Z| M| ZM](1 2[ 3[ 4]]), SRID 4490.
        let (one, two, three) = ("000000000000F03F", "0000000000000040", "0000000000000840");
        for (text, dropped_z, srid) in [
            (format!("0101000000{one}{two}"), false, None),
            (format!("01E9030000{one}{two}{three}"), true, None),
            (format!("01D1070000{one}{two}{three}"), true, None),
            (format!("01B90B0000{one}{two}{three}{three}"), true, None),
            (format!("0101000080{one}{two}{three}"), true, None),
            (format!("0101000040{one}{two}{three}"), true, None),
            (format!("01010000C0{one}{two}{three}{three}"), true, None),
            (format!("01010000208A110000{one}{two}"), false, Some(4490)),
            ("00000000013FF00000000000004000000000000000".to_owned(), false, None),
        ] {
            let read = read_wkb(&hex(&text)).unwrap();
            assert_eq!(read, WkbRead { shape: point(1.0, 2.0), dropped_z, srid }, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_held_is_named() {
        for (code, name) in
            [(7u32, "geometry collection"), (8, "circular string"), (1010, "curve polygon"), (99, "unknown")]
        {
            let mut bytes = vec![1];
            bytes.extend_from_slice(&code.to_le_bytes());
            assert_eq!(read_wkb(&bytes), Err(WkbError::Unsupported { code, name }));
        }
        assert_eq!(read_wkb(&[2, 1, 0, 0, 0]), Err(WkbError::ByteOrder { at: 0, found: 2 }));
        assert_eq!(read_wkb(&[]), Err(WkbError::CutOff { at: 0, missing: 1 }));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let claimed = hex("0103000000FFFFFFFF");
        assert!(matches!(read_wkb(&claimed), Err(WkbError::CutOff { at: 9, missing }) if missing > 1 << 33));
        let claimed = hex("010300000001000000FFFFFFFF");
        assert!(matches!(read_wkb(&claimed), Err(WkbError::CutOff { at: 13, missing }) if missing > 1 << 35));
    }

    #[test]
    fn members_of_another_kind_and_left_over_bytes_are_errors() {
        let line_in_polygons = hex("010600000001000000010200000000000000");
        assert_eq!(
            read_wkb(&line_in_polygons),
            Err(WkbError::WrongMember { outer: "MultiPolygon", inner: "LineString", at: 9 })
        );
        let mut bytes = Vec::new();
        append_wkb(&mut bytes, point(1.0, 2.0).view());
        bytes.push(0);
        assert_eq!(read_wkb(&bytes), Err(WkbError::LeftOver { count: 1 }));
    }

    #[test]
    fn empty_geometries_stay_empty_and_of_their_kind() {
        for kind in KINDS {
            let mut bytes = Vec::new();
            append_wkb(&mut bytes, Shape::new(kind).view());
            let back = read_wkb(&bytes).unwrap().shape;
            assert_eq!((back.view().kind(), back.view().coords().len()), (kind, 0), "{kind:?}");
        }
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        let coord = (any::<f64>(), any::<f64>()).prop_filter("numbers", |(x, y)| !x.is_nan() && !y.is_nan());
        let ring = prop::collection::vec(coord, 0..6);
        let parts = prop::collection::vec(prop::collection::vec(ring, 1..4), 1..4);
        (0..6usize, parts).prop_map(|(kind, parts)| {
            let kind = KINDS[kind];
            let mut shape = Shape::new(kind);
            let parts = parts.into_iter().take(if kind.multi() == kind { 4 } else { 1 });
            for part in parts {
                for ring in part.into_iter().take(if kind.dimension() == 2 { 4 } else { 1 }) {
                    let mut ring: Vec<Coord> = ring.into_iter().map(Coord::from).collect();
                    if kind.dimension() == 0 {
                        ring = vec![ring.first().copied().unwrap_or_default()];
                    }
                    for at in ring {
                        shape.push(at);
                    }
                    shape.end_ring();
                }
                shape.end_part();
            }
            shape
        })
    }

    proptest! {
        #[test]
        fn every_shape_comes_back_as_it_was(shape in any_shape()) {
            let mut bytes = Vec::new();
            append_wkb(&mut bytes, shape.view());
            prop_assert_eq!(read_wkb(&bytes).unwrap().shape, shape);
        }

        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_wkb(&bytes);
        }

        #[test]
        fn a_damaged_geometry_is_safe(shape in any_shape(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            append_wkb(&mut bytes, shape.view());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read_wkb(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(read_wkb(&bytes).is_err() || bytes.len() >= 9);
        }
    }
}
