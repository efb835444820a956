//! The laws of check-outs that come back again and again: a workspace and the copies of a check-out are edited in any
//! order and brought back in any order, beside a model that knows of every copy which edits it has in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value},
    },
    gpkg::connection,
    planner::{ExportOptions, ExportRequest, ImportRequest, MergeRequest, OnConflict, Planner, Standard, Which},
    store::Reader,
};
use proptest::prelude::*;
use serde_json::json;

type Row = [i64; 2];
type Rows = BTreeMap<i64, Row>;

/// What happens.
#[derive(Debug, Clone)]
enum Deed {
    /// In a copy or, without one, here: a field of a feature gets a value.
    Set(Option<usize>, usize, usize, i64),
    Delete(Option<usize>, usize),
    Insert(Option<usize>, i64),
    /// A copy comes back; whether it wins.
    CheckIn(usize, bool),
    /// The last edit here is undone.
    Undo,
    /// A copy is copied.
    Copy(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let place = || prop_oneof![1 => Just(None), 2 => (0..3_usize).prop_map(Some)];
    prop_oneof![
        6 => (place(), 0..8_usize, 0..2_usize, 0..3_i64).prop_map(|(place, at, field, value)| Deed::Set(place, at, field, value)),
        1 => (place(), 0..8_usize).prop_map(|(place, at)| Deed::Delete(place, at)),
        1 => (place(), 0..3_i64).prop_map(|(place, value)| Deed::Insert(place, value)),
        5 => (0..3_usize, any::<bool>()).prop_map(|(copy, wins)| Deed::CheckIn(copy, wins)),
        2 => Just(Deed::Undo),
        1 => (0..3_usize).prop_map(Deed::Copy),
    ]
}

/// An edit in a copy: a number of its own, the feature, and the copy after it.
#[derive(Debug, Clone)]
struct Made {
    number: usize,
    id: i64,
    after: Rows,
}

#[derive(Debug, Clone)]
struct CopyOf {
    file: PathBuf,
    now: Rows,
    made: Vec<Made>,
    /// The edit that each feature was born of; none for those that were checked out.
    born: BTreeMap<i64, usize>,
    next: i64,
}

/// A copy as it came back.
#[derive(Debug, Clone)]
struct CameBack {
    made: Vec<Made>,
    held: Rows,
}

impl CopyOf {
    fn shares(&self, other: &[Made]) -> usize {
        self.made.iter().zip(other).take_while(|(a, b)| a.number == b.number).count()
    }

    fn made(&mut self, number: usize, id: i64) {
        self.made.push(Made { number, id, after: self.now.clone() });
    }
}

struct World {
    planner: Planner,
    here: Rows,
    /// The states before each entry of the record that can be undone.
    undoable: Option<Rows>,
    next: i64,
    copies: Vec<CopyOf>,
    began: Rows,
    came_back: Vec<CameBack>,
    /// Where the features that were born elsewhere live here.
    lives: BTreeMap<usize, i64>,
    edits: usize,
    folder: tempfile::TempDir,
}

const LAYER: &str = "points";

impl World {
    fn new() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let began: Rows = (1..=4).map(|id| (id, [0, 0])).collect();
        let features = began.keys().map(|id| {
            json!({ "type": "Feature", "id": id, "geometry": { "type": "Point", "coordinates": [112.9, 22.7] },
                    "properties": { "a": 0, "b": 0 } })
        });
        let text = json!({ "type": "FeatureCollection", "features": features.collect::<Vec<_>>() }).to_string();
        let source = folder.path().join("points.geojson");
        std::fs::write(&source, text).unwrap();
        let planner = Planner::open_or_create(&folder.path().join("w.gpkg")).unwrap();
        planner.load(&mut |_| ()).unwrap();
        planner.import(&ImportRequest { file: source, ..Default::default() }, &mut |_| ()).unwrap();
        let file = folder.path().join("copy-0.gpkg");
        let request = ExportRequest {
            layer: LAYER.to_owned(),
            out: file.clone(),
            which: Which::default(),
            options: ExportOptions::default(),
        };
        planner.check_out(&request).unwrap();
        let copy = CopyOf { file, now: began.clone(), made: vec![], born: BTreeMap::new(), next: 5 };
        Self {
            planner,
            here: began.clone(),
            undoable: None,
            next: 5,
            copies: vec![copy],
            began,
            came_back: vec![],
            lives: BTreeMap::new(),
            edits: 0,
            folder,
        }
    }

    fn do_it(&mut self, deed: &Deed) {
        match *deed {
            Deed::Set(None, at, field, value) => self.set_here(at, field, value),
            Deed::Delete(None, at) => self.delete_here(at),
            Deed::Insert(None, value) => self.insert_here(value),
            Deed::Set(Some(copy), at, field, value) => self.set_there(copy, at, field, value),
            Deed::Delete(Some(copy), at) => self.delete_there(copy, at),
            Deed::Insert(Some(copy), value) => self.insert_there(copy, value),
            Deed::CheckIn(copy, wins) => self.check_in(copy, wins),
            Deed::Undo => self.undo(),
            Deed::Copy(copy) => self.copy(copy),
        }
        assert_eq!(self.stored(), self.here, "{deed:?}");
    }

    fn stored(&self) -> Rows {
        let catalog = self.planner.read();
        let table = catalog.layer(LAYER).unwrap().table();
        let number = |value: Value| match value {
            Value::Integer(number) => number,
            other => panic!("{other:?}"),
        };
        let rows = table
            .rows_by_id(i64::MIN)
            .map(|row| (table.id(row), [0, 1].map(|place| number(table.value(row, place).to_value()))));
        rows.collect()
    }

    fn at(rows: &Rows, at: usize) -> Option<i64> {
        rows.keys().nth(at % rows.len().max(1)).copied()
    }

    fn commit(&mut self, change: Change, after: Rows) {
        let edit = Edit { author: "室内".to_owned(), note: String::new(), changes: vec![change], lineage: vec![] };
        self.planner.commit(&edit).unwrap();
        self.undoable = Some(std::mem::replace(&mut self.here, after));
    }

    fn version(&self, id: i64) -> Option<i64> {
        let catalog = self.planner.read();
        let table = catalog.layer(LAYER).unwrap().table();
        table.row_of(id).map(|row| table.version(row))
    }

    fn put(&mut self, id: i64, row: Row) {
        let shape = Some(mutu::ground::shape::Shape::point(geo::Coord { x: 112.9, y: 22.7 }));
        let feature = Feature { id, shape, values: row.map(Value::Integer).to_vec() };
        let change = Change::Put { layer: LAYER.parse().unwrap(), feature, expects: self.version(id) };
        let mut after = self.here.clone();
        after.insert(id, row);
        self.commit(change, after);
    }

    fn set_here(&mut self, at: usize, field: usize, value: i64) {
        let Some(id) = Self::at(&self.here, at) else { return };
        let mut row = self.here[&id];
        row[field] = value;
        self.put(id, row);
    }

    fn insert_here(&mut self, value: i64) {
        self.put(self.next, [value, value]);
        self.next += 1;
    }

    fn delete_here(&mut self, at: usize) {
        let Some(id) = Self::at(&self.here, at) else { return };
        let change = Change::Delete { layer: LAYER.parse().unwrap(), id, expects: self.version(id).unwrap() };
        let mut after = self.here.clone();
        after.remove(&id);
        self.commit(change, after);
    }

    fn undo(&mut self) {
        let Some(before) = self.undoable.take() else { return };
        let last = self.planner.read().seq();
        let edit = self.planner.undoing(last, "室内", "").unwrap();
        self.planner.carry_out(edit, Standard::Restored).unwrap();
        self.undoable = Some(std::mem::replace(&mut self.here, before));
    }

    /// Lets another program edit a copy.
    fn edit(&mut self, copy: usize, sql: &str, id: i64) {
        connection::open(&self.copies[copy].file).unwrap().execute_batch(sql).unwrap();
        self.edits += 1;
        self.copies[copy].made(self.edits, id);
    }

    fn set_there(&mut self, copy: usize, at: usize, field: usize, value: i64) {
        let copy = copy % self.copies.len();
        let Some(id) = Self::at(&self.copies[copy].now, at) else { return };
        self.copies[copy].now.get_mut(&id).unwrap()[field] = value;
        let column = ["a", "b"][field];
        self.edit(copy, &format!("UPDATE {LAYER} SET {column} = {value} WHERE fid = {id}"), id);
    }

    fn delete_there(&mut self, copy: usize, at: usize) {
        let copy = copy % self.copies.len();
        let Some(id) = Self::at(&self.copies[copy].now, at) else { return };
        self.copies[copy].now.remove(&id);
        self.edit(copy, &format!("DELETE FROM {LAYER} WHERE fid = {id}"), id);
    }

    fn insert_there(&mut self, copy: usize, value: i64) {
        let copy = copy % self.copies.len();
        let one = &mut self.copies[copy];
        let id = one.next;
        one.next += 1;
        one.now.insert(id, [value, value]);
        one.born.insert(id, self.edits + 1);
        self.edit(copy, &format!("INSERT INTO {LAYER} (a, b) VALUES ({value}, {value})"), id);
    }

    fn copy(&mut self, of: usize) {
        if self.copies.len() < 3 {
            let mut copy = self.copies[of % self.copies.len()].clone();
            let file = self.folder.path().join(format!("copy-{}.gpkg", self.copies.len()));
            std::fs::copy(&copy.file, &file).unwrap();
            copy.file = file;
            self.copies.push(copy);
        }
    }

    fn merge(&self, copy: usize, wins: bool) -> mutu::planner::MergeReport {
        let request = MergeRequest {
            file: self.copies[copy].file.clone(),
            author: "外业".to_owned(),
            on_conflict: if wins { OnConflict::Theirs } else { OnConflict::Ours },
            anew: false,
            dry_run: false,
        };
        self.planner.merge(&request).unwrap()
    }

    fn check_in(&mut self, copy: usize, wins: bool) {
        let copy = copy % self.copies.len();
        let report = self.merge(copy, wins);
        self.expect_of(copy, wins, report.behind.is_some());
        let again = self.merge(copy, !wins);
        assert_eq!((again.seq, again.conflicts.len()), (None, 0), "the same file again has nothing new");
    }

    /// What bringing a copy back makes of the model.
    fn expect_of(&mut self, copy: usize, wins: bool, is_behind: bool) {
        let one = self.copies[copy].clone();
        let in_it = self.came_back.iter().filter(|back| one.shares(&back.made) == back.made.len());
        let last = in_it.max_by_key(|back| back.made.len());
        let tip = last.map_or(0, |back| back.made.len());
        let held = last.map_or_else(|| self.began.clone(), |back| back.held.clone());
        let went_on = |back: &&CameBack| back.made.len() > one.made.len() && one.shares(&back.made) == one.made.len();
        let is_old = one.made.len() > tip && self.came_back.iter().any(|back| went_on(&back));
        assert_eq!(is_behind, is_old);
        if is_old {
            return;
        }
        let mut bases = held.clone();
        let mut parted = None;
        for back in &self.came_back {
            let length = one.shares(&back.made);
            if length > tip && parted.as_ref().is_none_or(|(longest, _)| length > *longest) {
                parted = Some((length, back));
            }
        }
        if let Some((length, back)) = parted {
            let since = |made: &[Made]| made[length..].iter().map(|made| made.id).collect::<BTreeSet<_>>();
            let (there, mine) = (since(&back.made), since(&one.made));
            for made in &one.made[tip..length] {
                // What both changed since they parted began where nobody knows: at what came back before.
                if !(there.contains(&made.id) && mine.contains(&made.id)) {
                    match one.made[length - 1].after.get(&made.id) {
                        Some(row) => bases.insert(made.id, *row),
                        None => bases.remove(&made.id),
                    };
                }
            }
        }
        let mut after = self.here.clone();
        let all: BTreeSet<i64> =
            self.began.keys().chain(one.now.keys()).chain(held.keys()).chain(one.born.keys()).copied().collect();
        for there in all {
            let birth = one.born.get(&there);
            let theirs = one.now.get(&there).copied();
            let here = match birth.map(|birth| self.lives.get(birth)) {
                None => there,
                Some(Some(here)) => *here,
                Some(None) if theirs.is_none() => continue,
                Some(None) => {
                    self.lives.insert(one.born[&there], self.next);
                    self.next += 1;
                    self.next - 1
                }
            };
            match merged(bases.get(&there).copied(), after.get(&here).copied(), theirs, wins) {
                Some(row) => after.insert(here, row),
                None => after.remove(&here),
            };
        }
        if after != self.here || held != one.now {
            self.undoable = (after != self.here).then(|| self.here.clone());
            self.came_back.push(CameBack { made: one.made, held: one.now });
        }
        self.here = after;
    }
}

/// Three states of a row, merged: what both changed in different ways is the winner's.
fn merged(base: Option<Row>, ours: Option<Row>, theirs: Option<Row>, wins: bool) -> Option<Row> {
    let winner = if wins { theirs } else { ours };
    match (base, ours, theirs) {
        _ if theirs == base => ours,
        _ if ours == base => theirs,
        (Some(base), Some(ours), Some(theirs)) => {
            Some([0, 1].map(|field| match (ours[field] == base[field], theirs[field] == base[field]) {
                (_, true) => ours[field],
                (true, false) => theirs[field],
                (false, false) => {
                    if wins {
                        theirs[field]
                    } else {
                        ours[field]
                    }
                }
            }))
        }
        _ => winner,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn however_copies_are_edited_and_come_back_nothing_is_lost_nor_taken_back(deeds in prop::collection::vec(deed(), 4..24)) {
        let mut world = World::new();
        for deed in &deeds {
            world.do_it(deed);
        }
        let file = world.folder.path().join("w.gpkg");
        world.planner.close().unwrap();
        let found = Reader::open(&file).unwrap().verify(&mut |_, _| ()).unwrap();
        prop_assert_eq!(found.discrepancies, vec![]);
    }
}
