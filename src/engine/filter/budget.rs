//! What a filter may cost: steps of about a nanosecond of one processor, estimated before and counted while
//! the filter runs.
//!
//! A filter is a program that a stranger sends. Length and nesting bound its size; what it costs is its size
//! times the layer, times the vertices of the geometries it compares. Steps are counted for each chunk of rows
//! (a clause over a column is a step or two a row) and for each comparison of two geometries, by their vertices.

use std::sync::atomic::{AtomicU64, Ordering};

use super::FilterError;

/// The steps that one filter may take: some four seconds of one processor.
pub const BUDGET: u64 = 4_000_000_000;

/// The steps that all threads have taken together.
#[derive(Debug, Default)]
pub(super) struct Meter(AtomicU64);

impl Meter {
    /// A meter for a filter that will take about so many steps.
    pub(super) fn estimated(estimate: u64) -> Result<Self, FilterError> {
        if estimate > BUDGET { Err(FilterError::OverBudget { estimate }) } else { Ok(Self::default()) }
    }

    /// Adds steps; the error is that they are too many.
    pub(super) fn spend(&self, steps: u64) -> Result<(), FilterError> {
        let spent = self.0.fetch_add(steps, Ordering::Relaxed) + steps;
        if spent > BUDGET { Err(FilterError::OverBudget { estimate: spent }) } else { Ok(()) }
    }
}

/// Steps of comparing two geometries by their vertices. Measured: building the graph of the fixed one costs
/// about 16 ns a vertex, that of the feature, with its edges looked up, ten times as much.
pub(super) const fn relate_steps(fixed: usize, feature: usize) -> u64 {
    1000 + fixed as u64 * 20 + feature as u64 * 200
}

/// Steps of looking for a point that two geometries share, edge by edge.
pub(super) const fn intersect_steps(fixed: usize, feature: usize) -> u64 {
    200 + fixed as u64 * feature as u64 * 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_threads_take_together_is_what_counts() {
        let meter = Meter::estimated(BUDGET).expect("no more than the budget");
        let half = BUDGET / 2 + 1;
        let spent = std::thread::scope(|scope| {
            let spend = || scope.spawn(|| meter.spend(half));
            [spend(), spend()].map(|thread| thread.join().expect("it ends"))
        });
        let over: Vec<_> = spent.into_iter().filter_map(Result::err).collect();
        assert_eq!(over, [FilterError::OverBudget { estimate: 2 * half }]);
        let said = over[0].to_string();
        assert!(
            said.contains("4000000002 steps") && said.contains("budget is 4000000000: narrow it by bbox"),
            "{said}"
        );
        assert!(Meter::estimated(BUDGET + 1).is_err());
    }
}
