//! A feature as bytes, for the history: the geometry and the values before and after a change.
//!
//! Layout, version 1, little-endian: `1`; geometry: length as u32 (`u32::MAX` for none) and that many bytes of
//! well-known binary; number of values as u32; each value: a tag (0 null, 1 false, 2 true, 3 integer, 4 real,
//! 5 text, 6 date, 7 datetime) and its bytes (i64, f64, length as u32 and UTF-8, i32, i64).

use crate::{
    domain::feature::{Value, ValueRef},
    ground::{shape::Shape, wkb},
};

const VERSION: u8 = 1;
const NO_GEOMETRY: u32 = u32::MAX;

/// Writes a record. `geometry` is well-known binary.
pub(super) fn encode<'v>(geometry: Option<&[u8]>, values: impl ExactSizeIterator<Item = ValueRef<'v>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + geometry.map_or(0, <[u8]>::len));
    out.push(VERSION);
    match geometry {
        None => out.extend(NO_GEOMETRY.to_le_bytes()),
        Some(bytes) => put_bytes(&mut out, bytes),
    }
    out.extend((values.len() as u32).to_le_bytes());
    for value in values {
        match value {
            ValueRef::Null => out.push(0),
            ValueRef::Boolean(v) => out.push(1 + u8::from(v)),
            ValueRef::Integer(v) => put(&mut out, 3, v.to_le_bytes()),
            // Adding zero makes minus zero zero, as the engine does when it stores the row.
            ValueRef::Real(v) => put(&mut out, 4, (v + 0.0).to_le_bytes()),
            ValueRef::Text(v) => {
                out.push(5);
                put_bytes(&mut out, v.as_bytes());
            }
            ValueRef::Date(v) => put(&mut out, 6, v.to_le_bytes()),
            ValueRef::DateTime(v) => put(&mut out, 7, v.to_le_bytes()),
        }
    }
    out
}

fn put<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
    out.push(tag);
    out.extend(bytes);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a record; `None` where the bytes are none of a known version.
pub(super) fn decode(bytes: &[u8]) -> Option<(Option<Shape>, Vec<Value>)> {
    let mut rest = bytes;
    if take::<1>(&mut rest)? != [VERSION] {
        return None;
    }
    let shape = match u32::from_le_bytes(take(&mut rest)?) {
        NO_GEOMETRY => None,
        len => Some(wkb::read_wkb(take_slice(&mut rest, len)?).ok()?.shape),
    };
    let count = u32::from_le_bytes(take(&mut rest)?);
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(match take::<1>(&mut rest)?[0] {
            0 => Value::Null,
            tag @ (1 | 2) => Value::Boolean(tag == 2),
            3 => Value::Integer(i64::from_le_bytes(take(&mut rest)?)),
            4 => Value::Real(f64::from_le_bytes(take(&mut rest)?)),
            5 => {
                let len = u32::from_le_bytes(take(&mut rest)?);
                Value::Text(std::str::from_utf8(take_slice(&mut rest, len)?).ok()?.to_owned())
            }
            6 => Value::Date(i32::from_le_bytes(take(&mut rest)?)),
            7 => Value::DateTime(i64::from_le_bytes(take(&mut rest)?)),
            _ => return None,
        });
    }
    rest.is_empty().then_some((shape, values))
}

/// Whether a record is, byte for byte, what [`encode`] makes of the row that it stands for.
pub(super) fn is_canonical(bytes: &[u8]) -> bool {
    let Some((shape, values)) = decode(bytes) else { return false };
    let geometry = shape.map(|shape| {
        let mut geometry = Vec::new();
        wkb::append_wkb(&mut geometry, shape.view());
        geometry
    });
    encode(geometry.as_deref(), values.iter().map(Value::view)) == bytes
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}

fn take_slice<'a>(rest: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    let (chunk, after) = rest.split_at_checked(len as usize)?;
    *rest = after;
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use geo::Coord;
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(Value::Real),
            ".*".prop_map(Value::Text),
            any::<i32>().prop_map(Value::Date),
            any::<i64>().prop_map(Value::DateTime),
        ]
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_written_and_no_prefix_of_it_reads(values in prop::collection::vec(value(), 0..8)) {
            let shape = Shape::point(Coord { x: 112.9, y: 22.7 });
            let mut geometry = Vec::new();
            wkb::append_wkb(&mut geometry, shape.view());
            let bytes = encode(Some(&geometry), values.iter().map(Value::view));
            prop_assert_eq!(decode(&bytes), Some((Some(shape), values)));
            for len in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..len]), None);
            }
        }
    }

    #[test]
    fn a_record_without_geometry_and_one_of_a_later_version_are_told_apart() {
        let mut bytes = encode(None, std::iter::empty());
        assert_eq!(decode(&bytes), Some((None, vec![])));
        bytes[0] = 2;
        assert_eq!(decode(&bytes), None);
    }
}
