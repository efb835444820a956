//! Moments as people write them, and which state of the workspace each of them means.
//!
//! Sequence numbers order events, never the clock. A moment means the state after the largest sequence number up to
//! which the latest recorded time is not after the moment: a clock that stepped back hides nothing and reorders nothing.
//!
//! A day without a time is a day of China (UTC+8, without summer time since 1991), whatever clock the server has: asked
//! for alone it means its end, as the first of two its beginning, as the second its end.
//!
//! Source: OGC 17-069r4, `/req/core/fc-time-definition`; RFC 3339; GB/T 7408.

use crate::domain::calendar::{self, CalendarError};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// How far the day of China is ahead of that of Greenwich.
const CHINA_MS: i64 = 8 * 3_600_000;

/// What moment, or which span between two, a question is about. Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// One moment.
    At(i64),
    /// From one moment to another, both included; `None` for an open end.
    Between(Option<i64>, Option<i64>),
    /// After an edit or import, by its sequence number.
    After(i64),
}

/// Why a text says no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    /// A part of it is neither a day nor a moment.
    #[error("{0}; or a day such as 2026-11-20, which ends at midnight UTC+8, or two of them and a slash between")]
    Calendar(#[from] CalendarError),
    /// A part of it is a duration.
    #[error(
        "{given:?} says a duration, of which OGC API Features knows none: say both ends as moments or days, or .. for an open one"
    )]
    Duration {
        /// The text.
        given: String,
    },
    /// Both ends are open.
    #[error("{given:?} is open at both ends: leave it out for the present, or say one end")]
    Endless {
        /// The text.
        given: String,
    },
    /// The end comes before the beginning.
    #[error("{given:?} ends before it begins")]
    Reversed {
        /// The text.
        given: String,
    },
}

impl When {
    /// Reads a moment (`2026-11-20T08:30:00+08:00`), a day (`2026-11-20`), or two of them and a slash between, of which
    /// one may be `..` or empty for an open end.
    ///
    /// # Errors
    /// [`BadMoment`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, BadMoment> {
        // ISO 8601 has P1M/2026-11-20 as well; RFC 3339 knows the grammar and the standard leaves it out.
        if text.split('/').any(|part| part.starts_with(['P', 'p'])) {
            return Err(BadMoment::Duration { given: shown(text) });
        }
        let Some((from, to)) = text.split_once('/') else { return Ok(Self::At(moment(text, End::Last)?)) };
        let end = |part: &str, end: End| match part {
            "" | ".." => Ok(None),
            part => moment(part, end).map(Some),
        };
        match (end(from, End::First)?, end(to, End::Last)?) {
            (None, None) => Err(BadMoment::Endless { given: shown(text) }),
            (Some(from), Some(to)) if from > to => Err(BadMoment::Reversed { given: shown(text) }),
            (from, to) => Ok(Self::Between(from, to)),
        }
    }

    /// Reads what [`Self::parse`] reads of single moments, or a sequence number.
    ///
    /// # Errors
    /// [`BadMoment`] says what is wrong with the text.
    pub fn parse_one(text: &str) -> Result<Self, BadMoment> {
        match text.parse::<i64>() {
            Ok(seq) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::After(seq)),
            _ => Ok(Self::At(moment(text, End::Last)?)),
        }
    }
}

/// Which end of a day a day means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

fn moment(text: &str, end: End) -> Result<i64, BadMoment> {
    if text.len() == 10 {
        let midnight = i64::from(calendar::parse_date(text)?) * DAY_MS - CHINA_MS;
        return Ok(if end == End::First { midnight } else { midnight + DAY_MS - 1 });
    }
    Ok(calendar::parse_date_time(text)?)
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// When each edit and import was recorded: which of them a moment includes.
#[derive(Debug, Default)]
pub(in crate::planner) struct Timeline {
    /// Sequence numbers ascending, each with the latest time recorded up to it.
    known: Vec<(i64, i64)>,
}

impl Timeline {
    /// The last sequence number that it knows; 0 for none.
    pub(in crate::planner) fn last(&self) -> i64 {
        self.known.last().map_or(0, |(seq, _)| *seq)
    }

    /// Adds the next edit or import.
    pub(in crate::planner) fn push(&mut self, seq: i64, at: i64) {
        let latest = self.known.last().map_or(at, |(_, latest)| at.max(*latest));
        self.known.push((seq, latest));
    }

    /// The last sequence number that a moment includes; 0 where it is before all.
    pub(in crate::planner) fn seq_at(&self, at: i64) -> i64 {
        let after = self.known.partition_point(|(_, latest)| *latest <= at);
        after.checked_sub(1).map_or(0, |place| self.known[place].0)
    }

    /// The latest time that was recorded up to a sequence number.
    pub(in crate::planner) fn time_of(&self, seq: i64) -> Option<i64> {
        let after = self.known.partition_point(|(known, _)| *known <= seq);
        Some(self.known[after.checked_sub(1)?].1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        calendar::parse_date_time(text).unwrap()
    }

    #[test]
    fn a_day_is_one_of_china_and_means_its_end_alone_and_as_the_last_of_two() {
        assert_eq!(When::parse("2026-11-20"), Ok(When::At(at("2026-11-20T23:59:59.999+08:00"))));
        let both = When::Between(Some(at("2026-11-19T16:00:00Z")), Some(at("2026-11-20T15:59:59.999Z")));
        assert_eq!(When::parse("2026-11-20/2026-11-20"), Ok(both));
        assert_eq!(When::parse("../2024-12-31"), Ok(When::Between(None, Some(at("2024-12-31T23:59:59.999+08:00")))));
        assert_eq!(When::parse("2024-01-01/"), Ok(When::Between(Some(at("2023-12-31T16:00:00Z")), None)));
        // China had summer time in these years; the day of the record has none.
        assert_eq!(When::parse("1990-07-01"), Ok(When::At(at("1990-07-01T23:59:59.999+08:00"))));
        assert_eq!(When::parse("9999-12-31"), Ok(When::At(at("9999-12-31T15:59:59.999Z"))));
        assert_eq!(When::parse("2026-11-20T08:00:00+08:00"), Ok(When::At(at("2026-11-20T00:00:00Z"))));
    }

    #[test]
    fn what_is_no_moment_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "not a moment"),
            ("..", "not a moment"),
            ("../..", "open at both ends"),
            ("/", "open at both ends"),
            ("../2024", "not a moment"),
            ("2024", "not a moment"),
            ("2024-02-30", "no such day"),
            ("2024-01-02/2024-01-01", "ends before it begins"),
            ("2024-01-01T00:00:00", "not a moment"),
            ("10000-01-01T00:00:00Z", "not a moment"),
            ("2024-01-01/2024-01-02/2024-01-03", "not a moment"),
            ("昨天", "not a moment"),
            ("P1M", "says a duration"),
            ("2024-01-01/P1M", "says a duration"),
            ("PT36H/2024-01-01T00:00:00Z", "says a duration"),
            ("p1y/..", "says a duration"),
        ] {
            let error = When::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(When::parse_one("42"), Ok(When::After(42)));
        assert!(When::parse_one("-42").is_err() && When::parse_one("2024-01-01/..").is_err());
    }

    #[test]
    fn a_clock_that_steps_back_hides_and_reorders_nothing() {
        let mut line = Timeline::default();
        // The fourth was recorded by a clock that stood an hour back, the sixth by one of the year 9999.
        for (seq, at) in [(1, 10), (2, 20), (3, 100), (4, 40), (5, 110), (6, 253_402_300_799_999), (7, 120)] {
            line.push(seq, at);
        }
        let wanted = [(9, 0), (10, 1), (39, 2), (40, 2), (99, 2), (100, 4), (109, 4), (110, 5), (130, 5)];
        for (at, seq) in wanted {
            assert_eq!(line.seq_at(at), seq, "{at}");
        }
        assert_eq!(line.seq_at(253_402_300_799_999), 7);
        assert_eq!((line.time_of(4), line.time_of(0), line.time_of(99)), (Some(100), None, Some(253_402_300_799_999)));
    }

    proptest! {
        #[test]
        fn a_later_moment_never_includes_less(times in prop::collection::vec(-50..50_i64, 0..20), a in -60..60_i64, b in 0..60_i64) {
            let mut line = Timeline::default();
            times.iter().zip(1..).for_each(|(at, seq)| line.push(seq, *at));
            prop_assert!(line.seq_at(a) <= line.seq_at(a + b));
            let latest = |seq: i64| times[..seq as usize].iter().copied().max();
            let includes = |seq: i64| latest(seq).is_none_or(|latest| latest <= a);
            let wanted = (0..=times.len() as i64).rev().find(|seq| includes(*seq)).unwrap();
            prop_assert_eq!(line.seq_at(a), wanted);
        }

        #[test]
        fn any_text_is_a_moment_or_an_error(text in "(?s).{0,60}") {
            let _ = (When::parse(&text), When::parse_one(&text));
        }
    }
}
