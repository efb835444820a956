//! One feature as GeoJSON bytes: the encoder that the server and the GeoJSON writer share.
//!
//! It only writes; reading files is the formats' job. It allocates nothing per value: names are escaped once
//! in [`PropertyNames`], coordinates go through
//! [`crate::ground::print`].
//!
//! Invariant: what it appends is one complete JSON value in UTF-8, whatever the feature holds.
//! Source: RFC 7946 (geometry, feature), RFC 8259 §7 (escapes).

use crate::ground::{
    print::append_positions,
    shape::{RingsOf, ShapeKind, ShapeRef},
};

use super::{
    calendar,
    feature::{FeatureRef, ValueRef},
    schema::Schema,
};

/// A member's name, escaped once: `,"name":`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    bytes: Box<[u8]>,
    /// The same with room behind, where it is short: a copy of a fixed length is a few moves.
    short: Option<[u8; SHORT_KEY]>,
}

/// Bytes of a short name.
const SHORT_KEY: usize = 32;

impl Key {
    /// The member's name as it stands in answers.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = vec![b','];
        write_text(&mut bytes, name);
        bytes.push(b':');
        let mut short = [0; SHORT_KEY];
        let room = short.get_mut(..bytes.len());
        let short = room.map(|room| room.copy_from_slice(&bytes)).map(|()| short);
        Self { bytes: bytes.into(), short }
    }
}

/// The names of a layer's columns, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyNames {
    keys: Vec<Key>,
}

impl PropertyNames {
    /// The names of all columns, in order.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        Self { keys: schema.fields.iter().map(|field| Key::new(&field.name)).collect() }
    }
}

/// The properties of a feature being written: receives further members after the stored ones.
#[derive(Debug)]
pub struct Properties<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl Properties<'_> {
    /// Adds a value.
    pub fn value(&mut self, key: &Key, value: ValueRef<'_>) {
        self.key(key);
        write_value(self.out, value);
    }

    /// Adds the exact decimal number `digits` × 10^-`decimals`, without trailing zeros: an area of hundredths of a
    /// square metre is `(hundredths, 2)`, in 亩 `(hundredths × 15, 6)`.
    pub fn decimal(&mut self, key: &Key, digits: i64, decimals: u8) {
        self.key(key);
        write_scaled(self.out, digits, decimals);
    }

    fn key(&mut self, key: &Key) {
        // The comma is part of the key; the first member goes without.
        match &key.short {
            Some(short) if !self.empty => {
                let end = self.out.len() + key.bytes.len();
                self.out.extend_from_slice(short);
                self.out.truncate(end);
            }
            _ => self.out.extend_from_slice(&key.bytes[usize::from(self.empty)..]),
        }
        self.empty = false;
    }
}

/// Appends a feature with its id, geometry and stored values, coordinates with at most `decimals` decimals
/// (9 for degrees).
pub fn write_feature(out: &mut Vec<u8>, feature: &FeatureRef<'_>, names: &PropertyNames, decimals: u8) {
    write_feature_with(out, feature, names, decimals, |_| ());
}

/// As [`write_feature`], with further properties after the stored ones.
pub fn write_feature_with(
    out: &mut Vec<u8>,
    feature: &FeatureRef<'_>,
    names: &PropertyNames,
    decimals: u8,
    derived: impl FnOnce(&mut Properties<'_>),
) {
    write_feature_of(out, feature.id, feature.shape, decimals, |properties| {
        for (key, value) in names.keys.iter().zip(&feature.values) {
            properties.value(key, *value);
        }
        derived(properties);
    });
}

/// Appends a feature with the properties that `write` gives it.
pub fn write_feature_of(
    out: &mut Vec<u8>,
    id: i64,
    shape: Option<ShapeRef<'_>>,
    decimals: u8,
    write: impl FnOnce(&mut Properties<'_>),
) {
    out.extend_from_slice(br#"{"type":"Feature","id":"#);
    out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
    out.extend_from_slice(br#","geometry":"#);
    match shape {
        Some(shape) => write_geometry(out, shape, decimals),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","properties":{"#);
    let mut properties = Properties { out, empty: true };
    write(&mut properties);
    out.extend_from_slice(b"}}");
}

/// Appends a geometry, coordinates with at most `decimals` decimals.
///
/// A point without a position is written as `null`, which is how RFC 7946 says "no place". A coordinate that is
/// not a number, which no layer holds, makes `null` too.
pub fn write_geometry(out: &mut Vec<u8>, shape: ShapeRef<'_>, decimals: u8) {
    let coords = shape.coords();
    if (coords.is_empty() && shape.kind() == ShapeKind::Point) || coords.iter().any(|c| !(c.x + c.y).is_finite()) {
        out.extend_from_slice(b"null");
        return;
    }
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(shape.kind().as_str().as_bytes());
    out.extend_from_slice(br#"","coordinates":"#);
    match shape.kind() {
        ShapeKind::Point => append_positions(out, &coords[..1], decimals),
        ShapeKind::MultiPoint => positions(out, coords, decimals),
        ShapeKind::LineString => positions(out, shape.rings().next().unwrap_or_default(), decimals),
        ShapeKind::MultiLineString => list(out, shape.rings(), |out, ring| positions(out, ring, decimals)),
        ShapeKind::Polygon => surface(out, shape.parts().next(), decimals),
        ShapeKind::MultiPolygon => list(out, shape.parts(), |out, part| surface(out, Some(part), decimals)),
    }
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn surface(out: &mut Vec<u8>, rings: Option<RingsOf<'_>>, decimals: u8) {
    list(out, rings.into_iter().flatten(), |out, ring| positions(out, ring, decimals));
}

fn positions(out: &mut Vec<u8>, coords: &[geo::Coord], decimals: u8) {
    out.push(b'[');
    append_positions(out, coords, decimals);
    out.push(b']');
}

/// `00` to `99`.
const PAIRS: [u8; 200] = {
    let mut pairs = [b'0'; 200];
    let mut i = 0;
    while i < 100 {
        pairs[2 * i] = b'0' + (i / 10) as u8;
        pairs[2 * i + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
};

/// Appends `digits` × 10^-`decimals` without trailing zeros after the point.
fn write_scaled(out: &mut Vec<u8>, digits: i64, decimals: u8) {
    if digits < 0 {
        out.push(b'-');
    }
    let mut text = [b'0'; 40];
    let mut start = 40;
    let mut rest = digits.unsigned_abs();
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    start -= 2;
    text[start..start + 2].copy_from_slice(&PAIRS[rest as usize * 2..rest as usize * 2 + 2]);
    let point = 40 - usize::from(decimals.min(20));
    if text[start] == b'0' {
        start += 1;
    }
    start = start.min(point - 1);
    out.extend_from_slice(&text[start..point]);
    let kept = text[point..].iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    if kept > 0 {
        out.push(b'.');
        out.extend_from_slice(&text[point..point + kept]);
    }
}

/// Appends a value as JSON: dates and moments as text, a number that is not finite as `null`.
pub fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Boolean(true) => out.extend_from_slice(b"true"),
        ValueRef::Boolean(false) => out.extend_from_slice(b"false"),
        ValueRef::Integer(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
        ValueRef::Real(v) => write_real(out, v),
        ValueRef::Text(v) => write_text(out, v),
        ValueRef::Date(days) => {
            out.push(b'"');
            calendar::write_date(out, days);
            out.push(b'"');
        }
        ValueRef::DateTime(ms) => {
            out.push(b'"');
            calendar::write_date_time(out, ms);
            out.push(b'"');
        }
    }
}

/// The shortest text that reads back as the same number; always with a point or an exponent.
fn write_real(out: &mut Vec<u8>, v: f64) {
    if let Some((digits, decimals)) = few_decimals(v) {
        write_scaled(out, digits, decimals);
        if decimals == 0 {
            out.extend_from_slice(b".0");
        }
    } else if v.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(v).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// A number as the decimal of least digits that reads back as it, where it has at most two decimals and 15 digits:
/// most measured and counted values do, and finding it this way is cheaper than in general.
fn few_decimals(v: f64) -> Option<(i64, u8)> {
    // So few digits are told apart by doubles, and the quotient of whole numbers is rounded as the decimal is.
    if v.is_nan() || v.abs() >= 1e13 || (v == 0.0 && v.is_sign_negative()) {
        return None;
    }
    [(1.0, 0), (10.0, 1), (100.0, 2)].into_iter().find_map(|(unit, decimals)| {
        let digits = (v * unit).round();
        (digits / unit).to_bits().eq(&v.to_bits()).then_some((digits as i64, decimals))
    })
}

/// Appends a text as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(byte) = rest.get(plain) else { break };
        write_escape(out, *byte);
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// The number of leading bytes that need no escape, eight at a time.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
        // A borrow can mark a byte above a true hit, never below: the lowest mark is right.
        let marks = control | quote | backslash;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = &bytes[at..];
    at + tail.iter().position(|b| *b < 0x20 || matches!(b, b'"' | b'\\')).unwrap_or(tail.len())
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use geo::Coord;
    use proptest::prelude::*;

    use crate::{
        domain::{
            feature::{Feature, Value},
            schema::{Field, FieldType},
        },
        ground::shape::Shape,
    };

    use super::*;

    fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_feature_is_written_as_rfc_7946_says() {
        let schema = Schema { fields: vec![Field::new("名\"称", FieldType::Text), Field::new("d", FieldType::Date)] };
        let shape = Shape::polygon(&[vec![
            Coord { x: 112.5, y: 22.0 },
            Coord { x: 112.6, y: 22.0 },
            Coord { x: 112.123_456_789_4, y: -0.000_000_000_4 },
            Coord { x: 112.5, y: 22.0 },
        ]]);
        let values = vec![Value::Text("鹤山\n\u{1}".to_owned()), Value::Date(0)];
        let feature = Feature { id: 7, shape: Some(shape), values };
        let names = PropertyNames::new(&schema);
        let area = Key::new("area_m2");
        let text = text_of(|out| {
            write_feature_with(out, &feature.view(), &names, 9, |more| more.decimal(&area, 1_000_050, 2));
        });
        assert_eq!(
            text,
            "{\"type\":\"Feature\",\"id\":7,\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[112.5,22],[112.6,22],\
             [112.123456789,0],[112.5,22]]]},\"properties\":{\"名\\\"称\":\"鹤山\\n\\u0001\",\"d\":\"1970-01-01\",\
             \"area_m2\":10000.5}}"
        );
    }

    #[test]
    fn a_feature_without_columns_or_shape_is_still_json() {
        let feature = Feature { id: 1, shape: None, values: vec![] };
        let names = PropertyNames::new(&Schema::default());
        let text = text_of(|out| write_feature(out, &feature.view(), &names, 9));
        assert_eq!(text, r#"{"type":"Feature","id":1,"geometry":null,"properties":{}}"#);
        let area = Key::new("a");
        let text = text_of(|out| {
            write_feature_with(out, &feature.view(), &names, 9, |more| more.value(&area, ValueRef::Null));
        });
        assert_eq!(text, r#"{"type":"Feature","id":1,"geometry":null,"properties":{"a":null}}"#);
    }

    #[test]
    fn every_kind_of_geometry_has_its_nesting() {
        let at = |x: f64| Coord { x, y: 1.0 };
        let lines = |kind, per_path: &[usize]| {
            let mut shape = Shape::new(kind);
            for count in per_path {
                (0..*count).for_each(|i| shape.push(at(i as f64)));
                shape.end_ring();
                shape.end_part();
            }
            text_of(|out| write_geometry(out, shape.view(), 9))
        };
        assert_eq!(lines(ShapeKind::Point, &[1]), r#"{"type":"Point","coordinates":[0,1]}"#);
        assert_eq!(lines(ShapeKind::MultiPoint, &[1, 1]), r#"{"type":"MultiPoint","coordinates":[[0,1],[0,1]]}"#);
        assert_eq!(lines(ShapeKind::LineString, &[2]), r#"{"type":"LineString","coordinates":[[0,1],[1,1]]}"#);
        assert_eq!(
            lines(ShapeKind::MultiLineString, &[2, 1]),
            r#"{"type":"MultiLineString","coordinates":[[[0,1],[1,1]],[[0,1]]]}"#
        );
        assert_eq!(
            lines(ShapeKind::MultiPolygon, &[2, 1]),
            r#"{"type":"MultiPolygon","coordinates":[[[[0,1],[1,1]]],[[[0,1]]]]}"#
        );
        assert_eq!(lines(ShapeKind::Polygon, &[]), r#"{"type":"Polygon","coordinates":[]}"#);
        assert_eq!(lines(ShapeKind::Point, &[]), "null");
    }

    #[test]
    fn exact_decimals_keep_what_they_need_and_no_more() {
        let decimal = |digits, decimals| text_of(|out| write_scaled(out, digits, decimals));
        assert_eq!(decimal(i64::MIN, 2), "-92233720368547758.08");
        assert_eq!(decimal(0, 2), "0");
        assert_eq!(decimal(5, 2), "0.05");
        assert_eq!(decimal(-150, 2), "-1.5");
        assert_eq!(decimal(1_333_333_333 * 15, 6), "19999.999995");
        assert_eq!(decimal(1, 19), "0.0000000000000000001");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_by_an_independent_parser(text in "(?s).{0,60}") {
            let json = text_of(|out| write_text(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn bytes_that_need_escapes_are_found_wherever_they_stand(
            text in proptest::collection::vec(prop_oneof![Just('"'), Just('\\'), Just('\n'), Just('\u{1f}'), Just('!'), Just('#'), Just('水')], 0..30)
        ) {
            let text: String = text.into_iter().collect();
            let json = text_of(|out| write_text(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn a_real_of_few_decimals_is_written_as_the_general_way_writes_it(digits in -20_000_000_000_000i64..20_000_000_000_000, decimals in 0..6, near in -3i64..=3) {
            let v = digits as f64 / 10f64.powi(decimals);
            let v = f64::from_bits(v.to_bits().wrapping_add_signed(near));
            prop_assume!(v.is_finite());
            let text = text_of(|out| write_value(out, ValueRef::Real(v)));
            let mut general = ryu::Buffer::new();
            prop_assert_eq!(text, general.format_finite(v));
        }

        #[test]
        fn a_real_comes_back_the_same(v: f64) {
            let text = text_of(|out| write_value(out, ValueRef::Real(v)));
            let back: Option<f64> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.map(f64::to_bits), v.is_finite().then_some(v.to_bits()));
        }
    }
}
