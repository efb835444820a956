//! Rules between layers, judged from both sides: of random edits those are refused that make something worse, and no
//! others. The oracle counts cells of a lattice on which all outlines lie, and knows nothing of indexes and overlays.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::OnceLock,
};

use geo::Coord;
use mutu::{
    domain::{
        edit::{Change, Edit, Finding},
        feature::{Feature, Value, ValueRef},
        layer::{GeometryClass, Layer, Provenance},
        rule::{Inside, NoOverlap, Rules},
        schema::{Field, FieldType, LayerId, Schema},
    },
    ground::shape::{Bounds, Shape},
    planner::{Planner, PlannerError, Standard},
    store::{How, Note, Workspace},
};
use proptest::prelude::*;

/// A rectangle of the lattice: west, south, width, height in cells.
type Plan = (i32, i32, i32, i32);
type Cells = BTreeSet<(i32, i32)>;
/// The features of one layer.
type Plans = BTreeMap<i64, Plan>;

/// A cell in degrees: some 2,850 m². The place is far from the layers' grid, so edges are straight in longitude and latitude.
const CELL: f64 = 0.0005;

/// Nine blocks that leave no gap, and plots on them; two overlap, one lies half outside, one on two blocks.
const BLOCKS: [Plan; 9] = [
    (0, 0, 8, 8),
    (8, 0, 8, 8),
    (16, 0, 8, 8),
    (0, 8, 8, 8),
    (8, 8, 8, 8),
    (16, 8, 8, 8),
    (0, 16, 8, 8),
    (8, 16, 8, 8),
    (16, 16, 8, 8),
];
const PLOTS: [Plan; 9] = [
    (1, 1, 3, 3),
    (3, 2, 3, 3),
    (22, 4, 4, 4),
    (6, 10, 4, 3),
    (9, 1, 2, 2),
    (10, 10, 5, 5),
    (17, 17, 6, 6),
    (1, 17, 3, 3),
    (14, 4, 4, 2),
];

fn id(name: &str) -> LayerId {
    name.parse().unwrap()
}

fn layer(name: &str, rules: Rules) -> Layer {
    Layer {
        id: id(name),
        title: name.to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: vec![Field::new("note", FieldType::Text)] },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: true,
        provenance: Provenance::Imported,
        rules,
    }
}

fn shape((west, south, width, height): Plan) -> Shape {
    let at = |x: i32, y: i32| Coord { x: 100.0 + f64::from(x) * CELL, y: 22.5 + f64::from(y) * CELL };
    Shape::of_bounds(&Bounds::of_corners(at(west, south), at(west + width, south + height)))
}

/// A planner of its own on the workspace that is as above.
fn planner() -> (Planner, tempfile::TempDir) {
    static MADE: OnceLock<(PathBuf, tempfile::TempDir)> = OnceLock::new();
    let (made, _) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.gpkg");
        let mut workspace = Workspace::create(&path).unwrap();
        let tolerance_m2 = serde_json::Number::from(1);
        let rules = Rules {
            no_overlap: Some(NoOverlap { tolerance_m2: tolerance_m2.clone() }),
            inside: Some(Inside { layer: id("blocks"), tolerance_m2 }),
        };
        for (layer, plans) in [(layer("blocks", Rules::default()), BLOCKS), (layer("plots", rules), PLOTS)] {
            let note = Note { author: "甲", note: "", at: 1_784_896_496_789 };
            let mut import = workspace.begin_import(&layer, How::Create, note).unwrap();
            for plan in plans {
                import.put(None, Some(shape(plan).view()), &[ValueRef::Null]).unwrap();
            }
            import.commit("{}").unwrap();
        }
        workspace.close().unwrap();
        (path, folder)
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.gpkg");
    std::fs::copy(made, &path).unwrap();
    let planner = Planner::open(&path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    (planner, folder)
}

fn cells((west, south, width, height): Plan) -> Cells {
    (west..west + width).flat_map(|x| (south..south + height).map(move |y| (x, y))).collect()
}

/// What breaks a rule: a pair of plots or a plot, and the cells at fault.
fn broken(plots: &Plans, blocks: &Plans) -> BTreeMap<(i64, Option<i64>), Cells> {
    let land: Cells = blocks.values().flat_map(|plan| cells(*plan)).collect();
    let mut broken = BTreeMap::new();
    for (a, plan) in plots {
        broken.insert((*a, None), cells(*plan).difference(&land).copied().collect());
        for (b, other) in plots.range(a + 1..) {
            broken.insert((*a, Some(*b)), cells(*plan).intersection(&cells(*other)).copied().collect());
        }
    }
    broken.retain(|_, cells: &mut Cells| !cells.is_empty());
    broken
}

/// One step of an edit: what, of which layer, which feature, where to.
type Step = (u8, bool, usize, Plan);

/// The changes of some steps, with what they make of the layers. New features have the number of their change, less a
/// thousand, until they are stored.
fn changes(steps: &[Step], planner: &Planner, plans: &[Plans; 2]) -> (Vec<Change>, [Plans; 2]) {
    let (catalog, mut after, mut changes) = (planner.read(), plans.clone(), Vec::new());
    let mut touched = BTreeSet::new();
    for (what, is_block, pick, plan) in steps {
        let (name, number) = if *is_block { ("blocks", 1) } else { ("plots", 0) };
        let held = &plans[number];
        let Some((old, was)) = held.iter().nth(pick % held.len().max(1)) else { continue };
        let table = catalog.layer(name).unwrap().table();
        let version = Some(table.version(table.row_of(*old).unwrap()));
        let new = changes.len() as i64 - 1000;
        let (west, south, width, height) = *was;
        let (key, expects, plan) = match what % 6 {
            0 => (*old, version, None),
            1 => (new, None, Some(*plan)),
            2 => (*old, version, Some(*plan)),
            // Of its own land it keeps half.
            3 => (*old, version, Some((west, south, (width / 2).max(1), height))),
            4 => (*old, version, Some((west, south, width, (height / 2).max(1)))),
            _ => (*old, version, Some(*was)),
        };
        if !touched.insert((number, key)) {
            continue;
        }
        let layer = id(name);
        if let Some(plan) = plan {
            after[number].insert(key, plan);
            let feature = Feature { id: key, shape: Some(shape(plan)), values: vec![Value::Text(format!("{what}"))] };
            changes.push(Change::Put { layer, feature, expects });
        } else {
            after[number].remove(&key);
            changes.push(Change::Delete { layer, id: key, expects: expects.unwrap() });
        }
    }
    (changes, after)
}

/// What findings must be about: the change and its fault, and the plots left outside.
#[derive(Debug, Default, PartialEq, Eq)]
struct Blamed {
    changes: BTreeSet<(usize, String)>,
    left: BTreeSet<i64>,
}

fn blamed(findings: &[Finding]) -> Blamed {
    let mut blamed = Blamed::default();
    for finding in findings {
        if finding.fault == "left-outside" {
            assert_eq!(finding.layer, "blocks");
            let words = finding.message.split("of feature ").nth(1).unwrap();
            assert!(blamed.left.insert(words.split(' ').next().unwrap().parse().unwrap()), "told twice: {findings:?}");
        } else {
            blamed.changes.insert((finding.change, finding.fault.clone()));
        }
    }
    blamed
}

/// What the lattice says an edit must answer for; `None` where figures that differ by the earth's roundness decide.
fn expected(changes: &[Change], before: &[Plans; 2], after: &[Plans; 2]) -> Option<Blamed> {
    let (old, new) = (broken(&before[0], &before[1]), broken(&after[0], &after[1]));
    let moved = |plot: i64| {
        let is_it =
            |change: &Change| change.target() == (&id("plots"), plot) && after[0].get(&plot) != before[0].get(&plot);
        changes.iter().position(is_it)
    };
    let mut blamed = Blamed::default();
    for ((a, b), cells) in new {
        let was = old.get(&(a, b)).cloned().unwrap_or_default();
        if cells.len() == was.len() && cells != was {
            return None;
        }
        if cells.len() <= was.len() {
            continue;
        }
        let fault = if b.is_some() { "overlaps" } else { "outside" };
        let at: Vec<usize> = std::iter::once(a).chain(b).filter_map(moved).collect();
        if at.is_empty() {
            blamed.left.insert(a);
        }
        blamed.changes.extend(at.into_iter().map(|at| (at, fault.to_owned())));
    }
    Some(blamed)
}

/// The layers as they are stored.
fn stored(planner: &Planner) -> [Plans; 2] {
    let catalog = planner.read();
    ["plots", "blocks"].map(|name| {
        let table = catalog.layer(name).unwrap().table();
        let cell = |degrees: f64, from: f64| ((degrees - from) / CELL).round() as i32;
        let plan = |row| {
            let bounds = table.shape(row).unwrap().bounds().unwrap();
            let (west, south) = (cell(bounds.min.x, 100.0), cell(bounds.min.y, 22.5));
            (table.id(row), (west, south, cell(bounds.max.x, 100.0) - west, cell(bounds.max.y, 22.5) - south))
        };
        table.rows().map(plan).collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    (0u8..6, any::<bool>(), 0usize..20, (-1i32..24, -1i32..24, 1i32..9, 1i32..9))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_edits_answer_for_what_they_make_worse_and_for_nothing_else(
        edits in prop::collection::vec(prop::collection::vec(step(), 1..5), 1..12),
    ) {
        let (planner, _folder) = planner();
        for steps in edits {
            let before = stored(&planner);
            let (changes, after) = changes(&steps, &planner, &before);
            let Some(expected) = expected(&changes, &before, &after) else { continue };
            let edit = Edit { author: "甲".to_owned(), note: String::new(), changes, lineage: vec![] };
            match planner.carry_out(edit, Standard::New) {
                Ok(_) => prop_assert_eq!(&expected, &Blamed::default(), "{:?}", steps),
                Err(PlannerError::Findings(findings)) => {
                    prop_assert_eq!(blamed(&findings), expected, "{:?}: {:?}", steps, findings);
                    prop_assert_eq!(stored(&planner), before);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}

/// An edit of blocks or plots.
fn edit_of(planner: &Planner, layer: &str, wanted: &[(i64, Option<Plan>)]) -> Edit {
    let catalog = planner.read();
    let table = catalog.layer(layer).unwrap().table();
    let change = |(key, plan): &(i64, Option<Plan>)| {
        let expects = table.row_of(*key).map(|row| table.version(row));
        match plan {
            None => Change::Delete { layer: id(layer), id: *key, expects: expects.unwrap() },
            Some(plan) => {
                let feature = Feature { id: *key, shape: Some(shape(*plan)), values: vec![Value::Null] };
                Change::Put { layer: id(layer), feature, expects }
            }
        }
    };
    Edit {
        author: "甲".to_owned(), note: String::new(), changes: wanted.iter().map(change).collect(), lineage: vec![]
    }
}

fn told(planner: &Planner, edit: Edit) -> Vec<Finding> {
    match planner.carry_out(edit, Standard::New) {
        Ok(_) => Vec::new(),
        Err(PlannerError::Findings(findings)) => findings,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn who_takes_land_away_is_told_every_feature_that_would_lose_it_and_where() {
    let (planner, _folder) = planner();
    // Plots 1 and 2 stand on block 1.
    let gone = told(&planner, edit_of(&planner, "blocks", &[(1, None)]));
    assert_eq!(blamed(&gone).left, BTreeSet::from([1, 2]), "{gone:?}");
    assert!(gone.iter().all(|finding| (finding.id, finding.change) == (Some(1), 0)), "{gone:?}");
    // 9 cells of some 2,850 m², as the message says.
    let m2: f64 = gone[0].message.split(' ').next().unwrap().parse().unwrap();
    let cell = (CELL.to_radians() * 6_371_000.0).powi(2) * 22.5_f64.to_radians().cos();
    assert!((m2 / (9.0 * cell) - 1.0).abs() < 0.01, "{m2}, a cell is {cell}");
    let place = gone[0].place.unwrap();
    assert!((place[0] - 100.001_25).abs() < 1e-9 && (place[1] - 22.501_25).abs() < 1e-9, "{place:?}");
    // Another block takes the land over in the same edit, or the plots go elsewhere: nothing is left outside.
    let instead = edit_of(&planner, "blocks", &[(1, None), (-1, Some((0, 0, 8, 8)))]);
    assert_eq!(told(&planner, instead), []);
    // Plot 3 lay half outside before: what takes no land from it may be done, what takes more may not.
    assert_eq!(told(&planner, edit_of(&planner, "blocks", &[(3, Some((16, 3, 8, 5)))])), []);
    let more = told(&planner, edit_of(&planner, "blocks", &[(3, Some((16, 3, 7, 5)))]));
    assert_eq!(blamed(&more).left, BTreeSet::from([3]), "{more:?}");
    assert_eq!(told(&planner, edit_of(&planner, "plots", &[(3, Some((21, 4, 4, 4)))])), []);
    let outwards = told(&planner, edit_of(&planner, "plots", &[(3, Some((22, 4, 4, 4)))]));
    assert_eq!(blamed(&outwards).changes, BTreeSet::from([(0, "outside".to_owned())]), "{outwards:?}");
}

#[test]
fn many_small_cuts_are_judged_by_what_they_amount_to() {
    let (planner, _folder) = planner();
    // Each takes a strip of a tenth of a millimetre: no land by itself. Plot 6 reaches to the upper edge.
    let without = |cut: f64| {
        let at = |x: f64, y: f64| Coord { x: 100.0 + x * CELL, y: 22.5 + y * CELL - cut };
        Shape::of_bounds(&Bounds::of_corners(at(8.0, 8.0), at(16.0, 15.0)))
    };
    let mut accepted = 0;
    for step in 0..200 {
        let mut edit = edit_of(&planner, "blocks", &[(5, Some((8, 8, 8, 8)))]);
        let Change::Put { feature, .. } = &mut edit.changes[0] else { unreachable!() };
        feature.shape = Some(without(f64::from(step) * 1e-9));
        match planner.carry_out(edit, Standard::New) {
            Ok(_) => accepted += 1,
            Err(_) => break,
        }
    }
    // 1 m² on 5 cells of 51 m are 3.9 mm: some 35 strips of 0.11 mm.
    assert!((30..=40).contains(&accepted), "{accepted}");
}

#[test]
fn taking_back_an_edit_tells_which_rules_it_breaks_beside_what_came_since() {
    let (planner, _folder) = planner();
    let done = planner.carry_out(edit_of(&planner, "plots", &[(8, Some((1, 17, 1, 3)))]), Standard::New).unwrap();
    assert_eq!(done.notices, []);
    assert_eq!(told(&planner, edit_of(&planner, "plots", &[(-1, Some((2, 17, 2, 2)))])), []);
    let undoing = planner.undoing(done.seq.unwrap(), "甲", "").unwrap();
    let undone = planner.carry_out(undoing, Standard::Restored).unwrap();
    let faults: Vec<_> = undone.notices.iter().map(|notice| (notice.fault.as_str(), notice.id)).collect();
    assert_eq!(faults, [("overlaps", Some(8))]);
    assert!(undone.notices[0].message.contains("with feature 10 of the layer"), "{:?}", undone.notices);
}
