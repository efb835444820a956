//! Findings of one kind about many rows, counted into one finding about the file: a report of a million
//! sentences tells nobody anything.

use crate::domain::report::{Finding, Weight};

/// One kind of finding, and how often it was met.
#[derive(Debug)]
struct Count {
    fault: &'static str,
    /// The column, or whatever else tells two counts of a fault apart; empty for none.
    about: String,
    weight: Weight,
    times: u64,
    first_row: u64,
    what: String,
}

/// Counts of findings, in order of first appearance.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Vec<Count>,
}

impl Tally {
    /// Counts one note. `what` makes the sentence from which the first occurrence is told.
    pub fn note(&mut self, fault: &'static str, about: &str, row: u64, what: impl FnOnce() -> String) {
        self.count(Weight::Note, (fault, about), row, what);
    }

    /// Counts one finding of a weight.
    pub fn count(
        &mut self,
        weight: Weight,
        (fault, about): (&'static str, &str),
        row: u64,
        what: impl FnOnce() -> String,
    ) {
        match self.counts.iter_mut().find(|count| count.fault == fault && count.about == about) {
            Some(count) => count.times += 1,
            None => self.counts.push(Count {
                fault,
                about: about.to_owned(),
                weight,
                times: 1,
                first_row: row,
                what: what(),
            }),
        }
    }

    /// One finding about the file for each kind that was counted.
    pub fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.counts.into_iter().map(|count| {
            let times = match count.times {
                1 => format!("row {}", count.first_row),
                times => format!("{times} times, first in row {}", count.first_row),
            };
            about_file(count.weight, count.fault, format!("{} ({times})", count.what))
        })
    }
}

/// A finding about a file.
pub fn about_file(weight: Weight, fault: &str, message: impl Into<String>) -> Finding {
    Finding { row: None, id: None, weight, fault: fault.to_owned(), place: None, message: message.into() }
}

/// A finding about a row.
pub fn about_row(row: u64, weight: Weight, fault: &str, message: impl Into<String>) -> Finding {
    Finding { row: Some(row), ..about_file(weight, fault, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_notes_of_one_kind_are_one_sentence_with_the_count() {
        let mut tally = Tally::default();
        for row in 3..1_000_003 {
            tally.note("z-dropped", "", row, || "heights are left out".to_owned());
        }
        tally.note("z-dropped", "b", 9, || "another column".to_owned());
        let messages: Vec<_> = tally.into_findings().map(|finding| finding.message).collect();
        assert_eq!(messages, ["heights are left out (1000000 times, first in row 3)", "another column (row 9)"]);
    }
}
