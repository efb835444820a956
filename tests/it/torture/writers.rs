//! Two writers on one parcel, round after round: exactly one wins each, the other is told the winner's version, and the
//! record is one line without a gap.

use std::{
    path::Path,
    sync::{Arc, Barrier},
};

use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::Value,
    },
    planner::{Planner, PlannerError},
    store::{StoreError, Workspace},
};

use crate::http::Own;

use super::{
    Bench, long, scratch,
    session::{PARCELS, feature, script, take, tell},
    workspace_in,
};

/// A workspace with the session's first layers, loaded.
pub(super) fn small(folder: &Path) -> Planner {
    let planner = Planner::open_or_create(&workspace_in(folder)).unwrap();
    planner.load(&mut |_| ()).unwrap();
    let (steps, _) = script();
    for (seq, step) in (1..3).zip(&steps) {
        take(&planner, seq, step, folder).unwrap();
    }
    planner
}

fn put(who: i64, round: i64, expects: i64) -> Edit {
    let mut contested = feature(3, 0);
    contested.values[1] = Value::Integer(round * 2 + who);
    let changes = vec![Change::Put { layer: PARCELS.parse().unwrap(), feature: contested, expects: Some(expects) }];
    Edit { author: format!("写者{who}"), note: format!("第{round}轮"), changes, lineage: vec![] }
}

/// What a writer hears: the number it was stored under, or the version that it lost to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Won(i64),
    Lost(i64),
}

fn heard(result: Result<mutu::store::Receipt, PlannerError>) -> Heard {
    match result {
        Ok(receipt) => Heard::Won(receipt.seq),
        Err(PlannerError::Conflicts(conflicts)) => {
            assert_eq!((conflicts.len(), conflicts[0].id), (1, 3));
            Heard::Lost(conflicts[0].found.unwrap())
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn of_two_writers_on_one_parcel_exactly_one_wins_each_round() {
    let rounds = if long() { 10_000 } else { 500 };
    let folder = scratch();
    let planner = small(folder.path());
    let (start, end) = (Barrier::new(2), Barrier::new(2));
    let write = |who: i64| {
        let told = (0..rounds).map(|round| {
            // Both know the version before either writes.
            start.wait();
            let expects = if round == 0 { 1 } else { 2 + round };
            assert_eq!(planner.read().seq(), expects.max(2));
            end.wait();
            heard(planner.commit(&put(who, round, expects)))
        });
        told.collect::<Vec<_>>()
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| write(1));
        (write(0), other.join().unwrap())
    });
    for (round, pair) in (0..rounds).zip(first.iter().zip(&second)) {
        let seq = 3 + round;
        let one_each = [(Heard::Won(seq), Heard::Lost(seq)), (Heard::Lost(seq), Heard::Won(seq))];
        assert!(one_each.contains(&(*pair.0, *pair.1)), "round {round}: {pair:?}");
    }
    let won = first.iter().filter(|heard| matches!(heard, Heard::Won(_))).count();
    planner.close().unwrap();

    // The record holds the winner of each round, one after the other.
    let workspace = Workspace::open(&workspace_in(folder.path())).unwrap();
    assert_eq!(workspace.check().unwrap(), []);
    let versions = workspace.history().history_of(PARCELS, 3).unwrap();
    let edits = workspace.history().edits_since(2).unwrap();
    assert_eq!((versions.len() as i64, edits.len() as i64), (rounds, rounds));
    let mut last = 3000;
    let mut changes: Vec<_> = versions.iter().collect();
    changes.sort_by_key(|change| change.seq);
    for (round, (change, edit)) in (0..rounds).zip(changes.into_iter().zip(edits)) {
        let who = i64::from(first[round as usize] == Heard::Lost(3 + round));
        let value = |feature: &Option<mutu::domain::feature::Feature>| feature.as_ref().unwrap().values[1].clone();
        assert_eq!((change.seq, edit.seq, edit.author), (3 + round, 3 + round, format!("写者{who}")));
        assert_eq!(value(&change.before), Value::Integer(last), "round {round}: an update is lost");
        last = round * 2 + who;
        assert_eq!(value(&change.after), Value::Integer(last));
    }
    eprintln!("{rounds} rounds of two writers, of which the first won {won}");
    assert!(won > 0 && (won as i64) < rounds, "one writer always wins: they do not meet");
}

#[test]
fn of_two_clients_that_change_one_parcel_exactly_one_wins_and_the_other_is_told_how_it_stands() {
    const ITEM: &str = "/collections/parcels/items/3";
    let rounds = if long() { 10_000 } else { 150 };
    let own = Own::new();
    let seq = own.planner.read().seq();
    let begin = own.get(ITEM).header("etag").to_owned();
    let round_of = |who: usize, round: usize, etag: &str| {
        let body = serde_json::json!({ "properties": { "note": format!("{round}-{who}") } }).to_string();
        own.send("PATCH", ITEM, &[("content-type", "application/merge-patch+json"), ("if-match", etag)], &body)
    };
    let mut etag = begin;
    let mut first_won = 0;
    for round in 0..rounds {
        let start = Barrier::new(2);
        let write = |who| {
            start.wait();
            round_of(who, round, &etag)
        };
        let answers = std::thread::scope(|scope| {
            let other = scope.spawn(|| write(1));
            [write(0), other.join().unwrap()]
        });
        let winner = usize::from(answers[0].status != 200);
        let (won, lost) = (&answers[winner], &answers[1 - winner]);
        assert_eq!((won.status.as_u16(), lost.status.as_u16()), (200, 412), "{}\n{}", won.text(), lost.text());
        let told = lost.json();
        assert_eq!((told["etag"].as_str(), &told["current"]), (Some(won.header("etag")), &won.json()));
        assert_eq!(told["current"]["properties"]["note"], format!("{round}-{winner}"));
        assert_ne!(won.header("etag"), etag);
        won.header("etag").clone_into(&mut etag);
        first_won += usize::from(winner == 0);
    }
    assert_eq!(own.planner.read().seq(), seq + rounds as i64, "a number for each round and no more");
    eprintln!("{rounds} rounds of two clients, of which the first won {first_won}");
    assert!(first_won > 0 && first_won < rounds, "one client always wins: they do not meet");
}

#[test]
fn a_second_process_is_told_who_has_the_workspace() {
    let bench = Bench::new();
    let planner = Planner::open_or_create(&bench.workspace()).unwrap();
    let output = bench.start("open", "off").wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    let me = format!("is open in another mutu (process {}): close that one, or work through it", std::process::id());
    assert!(told.contains("鹤山.gpkg") && told.contains(&me), "{told}");
    planner.close().unwrap();
    let output = bench.start("open", "off").wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("opened"), "{output:?}");
}

/// What the second process does: it opens the workspace, or says why it cannot.
pub(super) fn open(file: &Path) {
    match Planner::open(file) {
        Ok(planner) => {
            tell("opened");
            planner.close().unwrap();
        }
        Err(error) => {
            assert!(matches!(&error, PlannerError::Store(StoreError::Locked { .. })), "{error:?}");
            tell(&error.to_string());
        }
    }
}

/// The planner of [`small`] for several threads.
pub(super) fn shared(folder: &Path) -> Arc<Planner> {
    Arc::new(small(folder))
}
