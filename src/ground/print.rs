//! Numbers of coordinates as text, short and fast: at most so many decimals, no zeros at the end, no exponent.
//!
//! Not for areas: those are exact decimals ([`super::units`]). Rounding is half away from zero on the decimal
//! value of the number. Everything goes through whole numbers, two digits at a time: formatting doubles the
//! general way costs ten times as much, and a box of parcels is mostly coordinates.

use geo::Coord;

/// Decimals that keep a longitude or latitude to 0.1 mm.
pub const DEGREE_DECIMALS: u8 = 9;
/// Decimals that keep metres to 0.1 mm.
pub const METRE_DECIMALS: u8 = 4;

/// Appends a number with at most `decimals` (0 to 15) decimals; more are taken as 15.
///
/// Zero has no sign. A number too large for so many decimals is written in full precision, if need be with an
/// exponent; what is no number is written `null`, which JSON can hold.
pub fn append_number(out: &mut Vec<u8>, value: f64, decimals: u8) {
    match decimals {
        4 => append::<4>(out, value),
        9 => append::<9>(out, value),
        0 => append::<0>(out, value),
        1 => append::<1>(out, value),
        2 => append::<2>(out, value),
        3 => append::<3>(out, value),
        5 => append::<5>(out, value),
        6 => append::<6>(out, value),
        7 => append::<7>(out, value),
        8 => append::<8>(out, value),
        10 => append::<10>(out, value),
        11 => append::<11>(out, value),
        12 => append::<12>(out, value),
        13 => append::<13>(out, value),
        14 => append::<14>(out, value),
        _ => append::<15>(out, value),
    }
}

/// Appends a longitude or latitude with at most nine decimals.
pub fn append_degrees(out: &mut Vec<u8>, value: f64) {
    append::<9>(out, value);
}

/// Appends positions as JSON has them, `[x,y],[x,y]`, with at most `decimals` decimals as [`append_number`] says.
///
/// Degrees, which a box of parcels mostly consists of, go the short way: room for all is made once, and every number
/// is written as words of eight digits.
pub fn append_positions(out: &mut Vec<u8>, coords: &[Coord], decimals: u8) {
    if decimals == DEGREE_DECIMALS {
        let before = out.len();
        if append_short_way(out, coords).is_some() {
            return;
        }
        out.truncate(before);
    }
    for (i, at) in coords.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        append_number(out, at.x, decimals);
        out.push(b',');
        append_number(out, at.y, decimals);
        out.push(b']');
    }
}

/// Bytes that a position may take: brackets, commas, and twice a sign, three digits, a point and nine decimals; and
/// what a copy of eight bytes reaches beyond them.
const POSITION: usize = 48;

/// `None` where a number has more than three digits before its point.
fn append_short_way(out: &mut Vec<u8>, coords: &[Coord]) -> Option<()> {
    let mut end = out.len();
    out.resize(end + coords.len() * POSITION, 0);
    for at in coords {
        let room = out.get_mut(end..)?.first_chunk_mut::<POSITION>()?;
        room[0] = b'[';
        let comma = put_degrees(room, 1, at.x)?;
        room[comma] = b',';
        let bracket = put_degrees(room, comma + 1, at.y)?;
        room[bracket..bracket + 2].copy_from_slice(b"],");
        end += bracket + 2;
    }
    // The comma after the last position.
    out.truncate(end - usize::from(!coords.is_empty()));
    Some(())
}

/// Writes a number below 1000 with at most nine decimals from `at` on; the place after it.
fn put_degrees(room: &mut [u8; POSITION], mut at: usize, value: f64) -> Option<usize> {
    let scaled = value.abs() * 1e9;
    if scaled.is_nan() || scaled >= 999e9 {
        return None;
    }
    let number = rounded::<9>(value, scaled);
    let (whole, rest) = (number / 1_000_000_000, number % 1_000_000_000);
    room[at] = b'-';
    at += usize::from(value < 0.0 && number > 0);
    let [first, second, third, length] = WHOLE[whole as usize];
    room[at..at + 3].copy_from_slice(&[first, second, third]);
    at += usize::from(length);
    let (eight, ninth) = (rest / 10, rest % 10);
    let digits = eight_digits(eight);
    room[at] = b'.';
    room[at + 1..at + 9].copy_from_slice(&(digits | ASCII_ZEROS).to_le_bytes());
    room[at + 9] = b'0' + ninth as u8;
    // What is beyond the last digit that is not zero is written over.
    let after_zeros = if digits == 0 { 0 } else { 9 - digits.leading_zeros() as usize / 8 };
    Some(at + if ninth > 0 { 10 } else { after_zeros })
}

/// The digits of the whole numbers below 1000, and how many they are.
static WHOLE: [[u8; 4]; 1000] = {
    let mut all = [[0; 4]; 1000];
    let mut n = 0;
    while n < 1000 {
        let (a, b, c) = (b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8);
        all[n] = match n {
            0..10 => [c, 0, 0, 1],
            10..100 => [b, c, 0, 2],
            _ => [a, b, c, 3],
        };
        n += 1;
    }
    all
};

const PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Whole numbers below this are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn append<const DECIMALS: u32>(out: &mut Vec<u8>, value: f64) {
    let scaled = value.abs() * 10u64.pow(DECIMALS) as f64;
    if scaled.is_nan() || scaled >= EXACT {
        return append_large(out, value);
    }
    append_scaled::<DECIMALS>(out, value < 0.0, rounded::<DECIMALS>(value, scaled));
}

/// The whole number nearest to a value's magnitude, scaled to so many decimals.
fn rounded<const DECIMALS: u32>(value: f64, scaled: f64) -> u64 {
    // The product may be off by its last bit: where that could decide, the decimal value does.
    let whole = scaled as i64;
    let over_half = scaled - whole as f64 - 0.5;
    if over_half.abs() <= scaled * f64::EPSILON {
        tied(value, DECIMALS)
    } else {
        (whole + i64::from(over_half > 0.0)) as u64
    }
}

fn append_scaled<const DECIMALS: u32>(out: &mut Vec<u8>, negative: bool, number: u64) {
    let unit = 10u64.pow(DECIMALS);
    let (mut whole, rest) = (number / unit, number % unit);
    let mut text = [b'.'; TEXT];
    let mut end = POINT;
    if rest > 0 {
        let decimals = DECIMALS as usize;
        if DECIMALS <= 8 {
            let digits = eight_digits(rest * 10u64.pow(8 - DECIMALS.min(8)));
            text[POINT + 1..POINT + 9].copy_from_slice(&(digits | ASCII_ZEROS).to_le_bytes());
            end += 9 - digits.leading_zeros() as usize / 8;
        } else {
            let (high, low) = (eight_digits(rest / 100_000_000), eight_digits(rest % 100_000_000));
            let from = POINT + 1 + decimals - 8;
            // The high digits are right-aligned: their leading zeros land on the point, which is put back.
            text[from - 8..from].copy_from_slice(&(high | ASCII_ZEROS).to_le_bytes());
            text[from..from + 8].copy_from_slice(&(low | ASCII_ZEROS).to_le_bytes());
            text[POINT] = b'.';
            let zeros = if low == 0 { 8 + high.leading_zeros() as usize / 8 } else { low.leading_zeros() as usize / 8 };
            end += 1 + decimals - zeros;
        }
    }
    let mut start = POINT;
    while whole >= 100 {
        start -= 2;
        put_pair(&mut text, start, whole % 100);
        whole /= 100;
    }
    if whole >= 10 {
        start -= 2;
        put_pair(&mut text, start, whole);
    } else {
        start -= 1;
        text[start] = b'0' + whole as u8;
    }
    if negative && number > 0 {
        start -= 1;
        text[start] = b'-';
    }
    // A copy of a fixed length is a few moves, of any other a call: what was copied too much is cut again.
    let length = end - start;
    if length <= COPIED {
        let before = out.len();
        out.extend_from_slice(&text[start..start + COPIED]);
        out.truncate(before + length);
    } else {
        out.extend_from_slice(&text[start..end]);
    }
}

/// Where the decimal point stands while a text is built: a sign and sixteen digits fit before it.
const POINT: usize = 20;
/// Bytes that are copied at once.
const COPIED: usize = 24;
/// Fifteen decimals fit after the point, and a copy from its left reaches no further.
const TEXT: usize = POINT + COPIED;
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight digits of a number below 10^8, the first in the lowest byte, all at once: halves, quarters and
/// eighths of the word are divided side by side by multiplication.
const fn eight_digits(number: u64) -> u64 {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((quarters - 10 * tens) << 8)
}

fn put_pair(text: &mut [u8; TEXT], at: usize, pair: u64) {
    let from = 2 * pair as usize;
    text[at..at + 2].copy_from_slice(&PAIRS[from..from + 2]);
}

#[cold]
fn append_large(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// The scaled number, rounded half up on the decimal digits of the value's magnitude.
#[cold]
fn tied(value: f64, decimals: u32) -> u64 {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value.abs());
    let (mantissa, exponent) = text.split_once('e').map_or((text, 0), |(m, e)| (m, e.parse::<i32>().unwrap_or(0)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat(b'0'));
    // Position of the decimal point of the scaled number among the digits.
    let kept = whole.len() as i32 + exponent + decimals as i32;
    if kept < 0 {
        return 0;
    }
    let number = (0..kept).fold(0u64, |n, _| n * 10 + u64::from(digits.next().unwrap_or(b'0') - b'0'));
    number + u64::from(digits.next().is_some_and(|digit| digit >= b'5'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(value: f64, decimals: u8) -> String {
        let mut out = Vec::new();
        append_number(&mut out, value, decimals);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_short_and_rounded_half_away_on_their_decimal_value() {
        for (value, decimals, text) in [
            (112.96, 9, "112.96"),
            (22.770_000_000_4, 9, "22.77"),
            (22.770_000_000_5, 9, "22.770000001"),
            (-0.000_000_000_4, 9, "0"),
            (-0.0, 9, "0"),
            (0.0, 9, "0"),
            (5e-10, 9, "0.000000001"),
            (-5e-10, 9, "-0.000000001"),
            (1.000_05, 4, "1.0001"),
            (2.675, 2, "2.68"),
            (1.005, 2, "1.01"),
            (0.5, 0, "1"),
            (-2.5, 0, "-3"),
            (38_393_192.634_013, 4, "38393192.634"),
            (10.0, 4, "10"),
            (100.01, 9, "100.01"),
            (0.1 + 0.2, 15, "0.3"),
            (1e16, 4, "1e16"),
            (123_456_789_012_345.6, 9, "123456789012345.6"),
            (f64::MAX, 9, "1.7976931348623157e308"),
            (f64::NAN, 9, "null"),
            (f64::NEG_INFINITY, 9, "null"),
        ] {
            assert_eq!(printed(value, decimals), text, "{value:e} with {decimals}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_number_is_within_half_a_unit_of_its_last_place(value in -2e8..2e8_f64, decimals in 0u8..=9) {
            let text = printed(value, decimals);
            let back: f64 = text.parse().unwrap();
            let half = 0.5 * 10f64.powi(-i32::from(decimals));
            prop_assert!((back - value).abs() <= half * (1.0 + 1e-6) + value.abs() * f64::EPSILON, "{value} as {text}");
            prop_assert!(text.split_once('.').is_none_or(|(_, d)| d.len() <= decimals.into() && !d.ends_with('0')));
            prop_assert!(text != "-0");
        }

        #[test]
        fn positions_are_printed_as_their_numbers_are(
            numbers in proptest::collection::vec(
                prop_oneof![
                    -180.0..180.0_f64,
                    -1100.0..1100.0_f64,
                    (-1_800_000i64..1_800_000).prop_map(|n| n as f64 / 1e4),
                    (-20i64..20).prop_map(|n| n as f64 * 5e-10),
                    any::<f64>(),
                ],
                0..24,
            ),
            few in 0usize..24,
            decimals in prop_oneof![Just(9u8), 0u8..12],
        ) {
            // Mostly short lists, in which all numbers may be degrees.
            let coords: Vec<Coord> = numbers[..few.min(numbers.len())].chunks_exact(2).map(|c| Coord { x: c[0], y: c[1] }).collect();
            let wanted: Vec<String> = coords.iter().map(|c| format!("[{},{}]", printed(c.x, decimals), printed(c.y, decimals))).collect();
            let mut out = b"before".to_vec();
            append_positions(&mut out, &coords, decimals);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before{}", wanted.join(",")));
        }

        #[test]
        fn any_double_is_printed_as_a_number_or_null(bits: u64, decimals: u8) {
            let value = f64::from_bits(bits);
            let text = printed(value, decimals);
            if value.is_finite() {
                let back: f64 = text.parse().unwrap();
                prop_assert!((back - value).abs() <= 0.5 || ((back - value) / value).abs() <= f64::EPSILON, "{value:e} as {text}");
            } else {
                prop_assert_eq!(text, "null");
            }
        }

        #[test]
        fn a_decimal_of_so_many_places_comes_back_as_it_was(thousandths in -200_000_000_000i64..200_000_000_000) {
            let text = format!("{}{}.{:03}", if thousandths < 0 { "-" } else { "" }, thousandths.abs() / 1000, thousandths.abs() % 1000);
            let value: f64 = text.parse().unwrap();
            prop_assert_eq!(printed(value, 9).parse::<f64>().unwrap().to_bits(), (value + 0.0).to_bits());
        }
    }
}
