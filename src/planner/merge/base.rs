//! Where a merge begins: the last state that the file and the workspace have in common, as between two branches.
//!
//! A file that was brought back before has that check-in in it where its own log of edits begins with the log that the
//! check-in kept; then what it held at that time is the base, and whatever was done in the workspace since is the
//! workspace's. A copy that went its own way before does not have it in it: its base is the check-out, or an earlier
//! check-in, so that neither copy's edits are taken for the undoing of the other's.
//!
//! Question: and where a program changed the file so that its log saw nothing? Then the rows themselves tell: a file that
//! holds some rows as that check-in brought them, and none as they were before, has it in it; one that holds none and
//! some as before does not; any other is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::feature::Feature,
    store::{Held, Image, Stamp, StoredCheckIn},
};

/// Features by their ids in a file: the ids in the workspace and the states.
pub(super) type Known = Held;

/// Where a merge begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Base {
    /// The check-ins that the file has in it, oldest first.
    pub(super) before: Vec<i64>,
    /// What it held at the last of them.
    pub(super) held: Known,
    /// The base of each feature, where it is another than what it was at the check-out.
    pub(super) known: Known,
    /// The edits that its log gained since.
    pub(super) gained: Vec<Stamp>,
    /// A check-in that had this state of the file in it and went on.
    pub(super) behind: Option<i64>,
}

/// Whether a file has this check-in in it cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclear(pub(super) i64);

/// A file that comes back.
pub(super) struct File<'a> {
    /// What it saw of its own edits, oldest first; `None` where it keeps no log.
    pub(super) log: Option<&'a [Stamp]>,
    /// Whether that is all of them.
    pub(super) sees_all: bool,
    pub(super) theirs: &'a BTreeMap<i64, Feature>,
    /// Its features at the check-out.
    pub(super) at_checkout: &'a BTreeMap<i64, Image>,
}

impl File<'_> {
    /// Where its merge begins, `all` being the check-ins of the file and of its copies, oldest first; `anew` where what was
    /// brought before shall be brought again.
    pub(super) fn base(&self, all: &[StoredCheckIn], anew: bool) -> Result<Base, Unclear> {
        let log = self.log.unwrap_or_default();
        let lineage = self.lineage(all)?;
        let tip = lineage.last().map_or(0, |last| last.log.len()).min(log.len());
        let held = fold(&lineage);
        let later = |one: &&StoredCheckIn| tip < log.len() && one.log.starts_with(log);
        let behind = all.iter().find(later).filter(|one| lineage.iter().all(|in_it| in_it.seq != one.seq));
        // An older state to the log, which may have seen nothing of what came later.
        if let Some(one) = behind.filter(|_| !self.sees_all) {
            return Err(Unclear(one.seq));
        }
        let behind = behind.filter(|_| !anew);
        let mut known = held.clone();
        if behind.is_none() {
            self.overlay_fork(all, (log, tip), &mut known)?;
        }
        Ok(Base {
            before: lineage.iter().map(|one| one.seq).collect(),
            held,
            known,
            gained: log[tip..].to_vec(),
            behind: behind.map(|one| one.seq),
        })
    }

    /// The check-ins that the file has in it, oldest first.
    fn lineage<'c>(&self, all: &'c [StoredCheckIn]) -> Result<Vec<&'c StoredCheckIn>, Unclear> {
        let length_before = |one: &StoredCheckIn| find(all, one.parent).map_or(0, |parent| parent.log.len());
        let is_dated = |one: &&StoredCheckIn| {
            one.log.len() > length_before(one) && self.log.is_some_and(|log| log.starts_with(&one.log))
        };
        let mut tip = all.iter().filter(is_dated).max_by_key(|one| (one.log.len(), one.seq));
        // Those after it whose edits no log saw.
        let mut after = 0;
        loop {
            let (parent, length) = (tip.map(|tip| tip.seq), tip.map_or(0, |tip| tip.log.len()));
            let is_unseen = |one: &&StoredCheckIn| self.log.is_none() || one.log.len() == length;
            let is_next = |one: &&StoredCheckIn| one.parent == parent && one.seq > after && is_unseen(one);
            let Some(next) = all.iter().find(is_next) else { break };
            after = next.seq;
            if self.holds(next, &fold(&ancestry(all, tip)))? {
                tip = Some(next);
            }
        }
        Ok(ancestry(all, tip))
    }

    /// Whether the rows themselves say that the file has a check-in in it.
    fn holds(&self, check_in: &StoredCheckIn, before: &Known) -> Result<bool, Unclear> {
        let (mut as_then, mut as_before) = (0, 0);
        for (there, (_, then)) in &check_in.rows {
            let theirs = self.theirs.get(there);
            let was = before.get(there).map(|(_, was)| was).or_else(|| self.at_checkout.get(there));
            as_then += usize::from(then.is(theirs));
            as_before += usize::from(was.unwrap_or(&Image::Absent).is(theirs));
        }
        match (as_then, as_before) {
            _ if check_in.rows.is_empty() => Ok(true),
            (1.., 0) => Ok(true),
            (0, 1..) => Ok(false),
            _ => Err(Unclear(check_in.seq)),
        }
    }

    /// A copy taken between two check-ins shares the edits before with the file that was brought back: of these features,
    /// what both held when they parted.
    fn overlay_fork(
        &self,
        all: &[StoredCheckIn],
        (log, tip): (&[Stamp], usize),
        known: &mut Known,
    ) -> Result<(), Unclear> {
        let shared = |one: &StoredCheckIn| one.log.iter().zip(log).take_while(|(a, b)| a == b).count();
        let forks = all.iter().map(|one| (shared(one), one)).filter(|(length, _)| *length > tip);
        // Of several, the first that went on from there is nearest.
        let Some((length, other)) = forks.max_by_key(|(length, one)| (*length, -one.seq)) else { return Ok(()) };
        if !self.sees_all {
            return Err(Unclear(other.seq));
        }
        let held = fold(&ancestry(all, Some(other)));
        let ids = |stamps: &[Stamp]| stamps.iter().map(|stamp| stamp.id).collect::<BTreeSet<i64>>();
        let (there_since, since) = (ids(&other.log[length..]), ids(&log[length..]));
        for id in ids(&log[tip..length]) {
            let entry = held.get(&id);
            let here = entry.map(|(here, _)| *here).or_else(|| self.at_checkout.contains_key(&id).then_some(id));
            match (there_since.contains(&id), since.contains(&id), here) {
                // The other has not changed it since they parted.
                (false, _, _) => known.extend(entry.map(|entry| (id, entry.clone()))),
                // This one has not.
                (true, false, Some(here)) => {
                    let state = self.theirs.get(&id).map_or(Image::Absent, |theirs| Image::Held(theirs.clone()));
                    known.insert(id, (here, state));
                }
                // Both have: it stays one feature, of which nobody knows how it was then.
                (true, true, Some(here)) if !self.at_checkout.contains_key(&id) => {
                    known.entry(id).or_insert((here, Image::Absent));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn find(all: &[StoredCheckIn], seq: Option<i64>) -> Option<&StoredCheckIn> {
    all.iter().find(|one| Some(one.seq) == seq)
}

/// A check-in and those before it that the file had in it, oldest first.
fn ancestry<'c>(all: &'c [StoredCheckIn], tip: Option<&'c StoredCheckIn>) -> Vec<&'c StoredCheckIn> {
    let mut line: Vec<&StoredCheckIn> =
        std::iter::successors(tip, |one| find(all, one.parent).filter(|parent| parent.seq < one.seq)).collect();
    line.reverse();
    line
}

/// What a file held after a line of check-ins, as far as it was another than at the check-out.
fn fold(line: &[&StoredCheckIn]) -> Known {
    line.iter().flat_map(|one| one.rows.iter().map(|(there, row)| (*there, row.clone()))).collect()
}
