//! Times in filters: reading days and moments, and the relations of instants and intervals.
//!
//! A day is no moment: it has no time zone, and where a day of Beijing begins, one of Greenwich has still eight
//! hours to go. So days are compared with days and moments with moments; what mixes them is an error.
//!
//! Source: OGC 21-065r2 §7.9; W3C/OGC Time Ontology in OWL, §4.2 (Allen's relations). Intervals are closed.

use crate::domain::{calendar, feature::Value};

use super::{FilterError, Node, Spot, TemporalOp, lexer::shortened};

/// Decimals of a second that a moment may have.
const MOST_DECIMALS: usize = 9;

/// A point of time: days or milliseconds since 1970, and nanoseconds within the millisecond.
pub(super) type Instant = (i64, u32);

/// The end of an interval that is open to the past.
pub(super) const EVER: Instant = (i64::MIN, 0);
/// The end of an interval that is open to the future.
pub(super) const NEVER: Instant = (i64::MAX, u32::MAX);

/// Reads `YYYY-MM-DD`.
pub(super) fn day(text: &str, at: &Spot) -> Result<Node, FilterError> {
    let day = calendar::parse_date(text).ok();
    day.map(|day| Node::Literal(Value::Date(day))).ok_or_else(|| bad(text, "date: use YYYY-MM-DD", at))
}

/// Reads an RFC 3339 timestamp, to the nanosecond.
pub(super) fn moment(text: &str, at: &Spot) -> Result<Node, FilterError> {
    let refused = || bad(text, "timestamp: use YYYY-MM-DDThh:mm:ssZ", at);
    let Some((whole, rest)) = text.split_at_checked(19).filter(|(_, rest)| rest.starts_with('.')) else {
        let ms = calendar::parse_date_time(text).map_err(|_| refused())?;
        return Ok(Node::Literal(Value::DateTime(ms)));
    };
    let decimals = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    let (Some(digits), Some(zone)) = (rest.get(1..=decimals), rest.get(decimals + 1..)) else { return Err(refused()) };
    if digits.is_empty() || digits.bytes().skip(MOST_DECIMALS).any(|digit| digit != b'0') {
        return Err(refused());
    }
    let ms = calendar::parse_date_time(&format!("{whole}{zone}")).map_err(|_| refused())?;
    let nanos = (0..MOST_DECIMALS)
        .fold(0, |sum, i| sum * 10 + digits.as_bytes().get(i).map_or(0, |digit| u32::from(digit - b'0')));
    let ms = ms + i64::from(nanos / 1_000_000);
    Ok(match nanos % 1_000_000 {
        0 => Node::Literal(Value::DateTime(ms)),
        nanos => Node::FineMoment { ms, nanos },
    })
}

/// Reads a day or a moment.
pub(super) fn day_or_moment(text: &str, at: &Spot) -> Result<Node, FilterError> {
    match day(text, at) {
        Ok(day) => Ok(day),
        Err(_) => moment(text, at).map_err(|_| bad(text, "date, timestamp or '..'", at)),
    }
}

/// A moment as RFC 3339 writes it, in UTC.
pub(super) fn moment_text(ms: i64, nanos: u32) -> String {
    let text = calendar::date_time_text(ms.div_euclid(1000) * 1000);
    let fraction = ms.rem_euclid(1000) * 1_000_000 + i64::from(nanos);
    if fraction == 0 {
        return text;
    }
    let digits = format!("{fraction:09}");
    format!("{}.{}Z", text.trim_end_matches('Z'), digits.trim_end_matches('0'))
}

fn bad(text: &str, wanted: &'static str, at: &Spot) -> FilterError {
    FilterError::BadLiteral { at: at.clone(), given: shortened(text), wanted }
}

/// Whether two times, each from its beginning to its end, are in a relation.
pub(super) fn relates(op: TemporalOp, (b1, e1): (Instant, Instant), (b2, e2): (Instant, Instant)) -> bool {
    match op {
        TemporalOp::After => b1 > e2,
        TemporalOp::Before => e1 < b2,
        TemporalOp::Contains => b1 < b2 && e1 > e2,
        TemporalOp::Disjoint => b1 > e2 || e1 < b2,
        TemporalOp::During => b1 > b2 && e1 < e2,
        TemporalOp::Equals => b1 == b2 && e1 == e2,
        TemporalOp::FinishedBy => b1 < b2 && e1 == e2,
        TemporalOp::Finishes => b1 > b2 && e1 == e2,
        TemporalOp::Intersects => b1 <= e2 && e1 >= b2,
        TemporalOp::Meets => e1 == b2,
        TemporalOp::MetBy => b1 == e2,
        TemporalOp::OverlappedBy => b1 > b2 && b1 < e2 && e1 > e2,
        TemporalOp::Overlaps => b1 < b2 && e1 > b2 && e1 < e2,
        TemporalOp::StartedBy => b1 == b2 && e1 > e2,
        TemporalOp::Starts => b1 == b2 && e1 < e2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_nanosecond_and_written_back() {
        for (text, back) in [
            ("2012-08-10T05:30:00Z", "2012-08-10T05:30:00Z"),
            ("2012-08-10T05:30:00.000000Z", "2012-08-10T05:30:00Z"),
            ("2012-08-10T05:30:00.393Z", "2012-08-10T05:30:00.393Z"),
            ("2012-08-10T05:30:00.393216Z", "2012-08-10T05:30:00.393216Z"),
            ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
            ("2012-08-10T13:30:00.000000001+08:00", "2012-08-10T05:30:00.000000001Z"),
        ] {
            let said = match moment(text, &Spot::Unknown).expect(text) {
                Node::Literal(Value::DateTime(ms)) => moment_text(ms, 0),
                Node::FineMoment { ms, nanos } => moment_text(ms, nanos),
                other => panic!("{other:?}"),
            };
            assert_eq!(said, back);
        }
        for text in [
            "2012-08-10T05:30:00.Z",
            "2012-08-10T05:30:00.0000000001Z",
            "2012-08-10T05:30:00.5",
            "2012-02-30T05:30:00.5Z",
            "2012-08-10T05:30:00.５Z",
            "",
            ".",
        ] {
            assert!(moment(text, &Spot::Unknown).is_err(), "{text}");
        }
    }

    #[test]
    fn every_pair_of_proper_intervals_is_in_exactly_one_of_allens_relations() {
        use TemporalOp::{
            After, Before, Contains, During, Equals, FinishedBy, Finishes, Meets, MetBy, OverlappedBy, Overlaps,
            StartedBy, Starts,
        };
        let allen = [
            (After, Before),
            (Contains, During),
            (FinishedBy, Finishes),
            (MetBy, Meets),
            (OverlappedBy, Overlaps),
            (StartedBy, Starts),
        ];
        let ends: Vec<Instant> = [EVER].into_iter().chain((0..5).map(|n| (n, 0))).chain([NEVER]).collect();
        let proper = || ends.iter().flat_map(|b| ends.iter().filter(move |e| b < *e).map(move |e| (*b, *e)));
        for a in proper() {
            for b in proper() {
                let held =
                    allen.iter().flat_map(|(op, inverse)| [op, inverse]).filter(|op| relates(**op, a, b)).count();
                assert_eq!(held + usize::from(relates(Equals, a, b)), 1, "{a:?} {b:?}");
                for (op, inverse) in allen {
                    assert_eq!(relates(op, a, b), relates(inverse, b, a), "{op:?} {a:?} {b:?}");
                }
                let disjoint = relates(Before, a, b) || relates(After, a, b);
                assert_eq!(relates(TemporalOp::Disjoint, a, b), disjoint);
                assert_eq!(relates(TemporalOp::Intersects, a, b), !disjoint);
            }
        }
    }
}
