//! A picture after edits and merges answers every question as one that is built afresh from the same features.

use std::collections::BTreeMap;

use geo::Coord;
use mutu::{
    catalog::{Catalog, LayerState, grid_of},
    domain::{
        edit::Change,
        feature::{Feature, Value},
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
        tile_matrix::{TileAddress, TileMatrixSet},
    },
    engine::{
        filter::{bind, parse_text},
        find,
        table::{SegmentBuilder, Table},
        tiles::{Recipe, Source},
    },
    ground::{
        shape::{Bounds, Shape},
        units::Basis,
    },
    planner::{StatisticsQuestion, statistics},
};
use proptest::prelude::*;

/// A corner in Heshan, degrees.
const CORNER: Coord = Coord { x: 112.95, y: 22.75 };
/// Some ten metres, degrees.
const STEP: f64 = 0.0001;

/// All features with their versions.
type Held = BTreeMap<i64, (Feature, i64)>;

fn plots() -> Layer {
    Layer {
        id: "plots".parse().unwrap(),
        title: "plots".to_owned(),
        title_en: String::new(),
        description: String::new(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: vec![Field::new("name", FieldType::Text), Field::new("floors", FieldType::Integer)] },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: false,
        provenance: Provenance::Synthetic,
        rules: mutu::domain::rule::Rules::default(),
    }
}

fn at(east: f64, north: f64) -> Coord {
    Coord { x: CORNER.x + east * STEP, y: CORNER.y + north * STEP }
}

/// A square, or where it has many corners a ring around its middle.
fn surface(east: f64, north: f64, side: f64, corners: usize) -> Shape {
    let ring: Vec<Coord> = if corners == 4 {
        vec![
            at(east, north),
            at(east + side, north),
            at(east + side, north + side),
            at(east, north + side),
            at(east, north),
        ]
    } else {
        let angle = |i: usize| std::f64::consts::TAU * (i % corners) as f64 / corners as f64;
        (0..=corners).map(|i| at(east + side * angle(i).cos(), north + side * angle(i).sin())).collect()
    };
    Shape::polygon(&[ring])
}

fn feature(id: i64, shape: Option<Shape>, name: u8, floors: i64) -> Feature {
    let floors = if floors % 5 == 0 { Value::Null } else { Value::Integer(floors) };
    Feature { id, shape, values: vec![Value::Text(format!("村{}", name % 6)), floors] }
}

fn built(held: &Held, seq: i64) -> Catalog {
    let layer = plots();
    let mut builder = SegmentBuilder::new(&layer, Some(grid_of(&layer).unwrap()));
    for (id, (feature, version)) in held {
        let view = feature.view();
        builder.push((*id, *version), view.shape, &view.values).unwrap();
    }
    Catalog::build(vec![LayerState::of_segments(layer.clone(), vec![builder.finish()]).unwrap()], seq)
}

fn ids(table: &Table, rows: impl Iterator<Item = mutu::engine::table::Row>) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.map(|row| table.id(row)).collect();
    ids.sort_unstable();
    ids
}

/// Every kind of answer about a catalog, as text.
fn answers(catalog: &Catalog) -> BTreeMap<String, String> {
    let state = catalog.layer("plots").unwrap();
    let (table, mut said) = (state.table(), BTreeMap::new());
    let mut say = |question: String, answer: String| _ = said.insert(question, answer);
    for row in table.rows_by_id(i64::MIN) {
        let feature = table.feature(row);
        assert_eq!(table.row_of(feature.id), Some(row));
        let shape = feature.shape.map(|shape| shape.to_shape());
        let areas = [Basis::Ellipsoidal, Basis::Planar].map(|basis| table.area(row, basis));
        say(
            format!("feature {}", feature.id),
            format!("{} {areas:?} {shape:?} {:?}", table.version(row), feature.values),
        );
    }
    say("count".to_owned(), format!("{} {}", table.len(), table.rows().count()));
    say("extent".to_owned(), format!("{:?}", state.extent()));
    for place in 0..6 {
        let (min, side) = (at(f64::from(place) * 9.0, f64::from(place * place)), 3.0 + f64::from(place) * 4.0);
        let bounds = Bounds { min, max: Coord { x: min.x + side * STEP, y: min.y + side * STEP } };
        say(format!("in box {place}"), format!("{:?}", ids(table, find::in_box(table, bounds))));
        let near = find::nearest(table, min, 3, 1e5).into_iter().map(|near| near.row);
        say(format!("near {place}"), format!("{:?}", ids(table, near)));
    }
    for text in ["name = '村3'", "floors > 4 AND name <> '村1'", "floors IS NULL", "area_m2 > 400"] {
        let chosen = bind(&parse_text(text).unwrap(), state.layer()).unwrap().select(table, None).unwrap();
        say(text.to_owned(), format!("{:?}", ids(table, chosen.rows())));
    }
    let pairs: Vec<(i64, i64)> = state.overlaps().pairs().iter().map(|(a, b)| (table.id(*a), table.id(*b))).collect();
    say("overlaps".to_owned(), format!("{pairs:?}"));
    for basis in [Basis::Ellipsoidal, Basis::Planar] {
        let net = state.overlaps().net_of_all(table, basis).iter();
        let net: BTreeMap<i64, i64> = net.map(|(row, removed)| (table.id(*row), *removed)).collect();
        say(format!("net {basis:?}"), format!("{net:?}"));
    }
    for (group_by, within, filter, basis) in [
        (Some("name"), None, None, "ellipsoidal"),
        (None, None, None, "planar"),
        (Some("floors"), Some("plots"), None, "ellipsoidal"),
        (Some("name"), None, Some("floors > 3"), "planar"),
    ] {
        let [group, inside, which] = [group_by, within, filter].map(|text| text.map(str::to_owned));
        let question = StatisticsQuestion {
            group_by: group,
            within: inside,
            filter: which,
            basis: Some(basis.to_owned()),
            ..StatisticsQuestion::default()
        };
        let mut answer = match statistics(catalog, "plots", &question) {
            Ok(answer) => serde_json::to_value(answer).unwrap(),
            Err(error) => error.to_string().into(),
        };
        if let Some(members) = answer.as_object_mut() {
            members.remove("asOf");
        }
        say(format!("statistics {group_by:?} {within:?} {filter:?} {basis}"), answer.to_string());
    }
    for zoom in [6, 13, 16] {
        for number in 0..2 {
            let address = address_of(at(f64::from(number) * 12.0, 4.0), zoom);
            let source = Source { layer: state.layer(), table, selection: None };
            let tile = source.tile(&address, &Recipe::new(state.layer(), None, Some("name")).unwrap()).unwrap();
            say(format!("tile {zoom} {number}"), format!("{tile:?}"));
        }
    }
    said
}

/// The tile of a zoom that holds a place.
fn address_of(place: Coord, zoom: u8) -> TileAddress {
    let set = TileMatrixSet::WebMercatorQuad;
    let limits = set.limits(zoom, &Bounds { min: place, max: place });
    TileAddress::new(set, i64::from(zoom), i64::from(limits.rows.0), i64::from(limits.columns.0)).unwrap()
}

fn assert_same(edited: &Catalog, held: &Held) {
    let (found, wanted) = (answers(edited), answers(&built(held, edited.seq())));
    for (question, answer) in &wanted {
        assert_eq!(found.get(question), Some(answer), "{question}");
    }
    assert_eq!(found.len(), wanted.len());
}

/// What happens to the picture.
#[derive(Debug, Clone)]
enum Happening {
    /// An edit: an id each, and what becomes of it, or `None` where it shall be no more.
    Edit(Vec<(i64, Option<Feature>)>),
    /// Somebody asks everything there is to ask.
    Ask,
    /// Somebody asks for little.
    AskLittle,
}

fn any_feature() -> impl Strategy<Value = (i64, Option<Feature>)> {
    let place = (0.0..40.0_f64, 0.0..30.0_f64, 0.5..6.0_f64, 0_u8..12);
    (1_i64..60, place, any::<u8>(), 0_i64..12, 0_u8..6).prop_map(
        |(id, (east, north, side, form), name, floors, fate)| {
            let shape = match form {
                0 => None,
                1 => Some(surface(east, north, side, 400)),
                // Along common sides, as parcels lie.
                2..=8 => Some(surface(east.round(), north.round(), side.ceil(), 4)),
                _ => Some(surface(east, north, side, 4)),
            };
            (id, (fate > 0).then(|| feature(id, shape, name, floors)))
        },
    )
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        5 => prop::collection::vec(any_feature(), 1..6).prop_map(Happening::Edit),
        1 => prop::collection::vec(any_feature(), 20..40).prop_map(Happening::Edit),
        1 => Just(Happening::Ask),
        2 => Just(Happening::AskLittle),
    ]
}

/// The changes of an edit as the layer stands, and the layer after it.
fn changes(held: &mut Held, edit: &[(i64, Option<Feature>)], seq: i64) -> Vec<Change> {
    let by_id: BTreeMap<i64, &Option<Feature>> = edit.iter().map(|(id, feature)| (*id, feature)).collect();
    let mut changes = Vec::new();
    for (id, feature) in by_id {
        let layer = "plots".parse().unwrap();
        let expects = held.get(&id).map(|(_, version)| *version);
        match (feature, expects) {
            (Some(feature), _) => {
                held.insert(id, (feature.clone(), seq));
                changes.push(Change::Put { layer, feature: feature.clone(), expects });
            }
            (None, Some(expects)) => {
                held.remove(&id);
                changes.push(Change::Delete { layer, id, expects });
            }
            (None, None) => {}
        }
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn after_any_edits_every_answer_is_that_of_a_fresh_picture(
        first in prop::collection::vec(any_feature(), 0..50),
        happenings in prop::collection::vec(any_happening(), 1..12),
    ) {
        let mut held = Held::new();
        changes(&mut held, &first, 1);
        let mut catalog = built(&held, 1);
        for (happening, seq) in happenings.iter().zip(2..) {
            match happening {
                Happening::Edit(edit) => catalog = catalog.apply(&changes(&mut held, edit, seq), seq).unwrap(),
                Happening::Ask => assert_same(&catalog, &held),
                Happening::AskLittle => {
                    let state = catalog.layer("plots").unwrap();
                    let _ = (state.extent(), state.overlaps().net_of_all(state.table(), Basis::Ellipsoidal));
                }
            }
        }
        assert_same(&catalog, &held);
        prop_assert!(catalog.layer("plots").unwrap().table().segments().len() < 9);
    }
}

/// A square in a mesh of a hundred and twenty in a row; its neighbours touch it, few overlap it.
fn meshed(id: i64, name: u8, floors: i64) -> Feature {
    let (east, north) = ((id % 120) as f64, (id / 120) as f64);
    let side = if id % 97 == 0 { 1.3 } else { 1.0 };
    feature(id, Some(surface(east, north, side, 4)), name, floors)
}

#[test]
fn a_merge_beside_edits_leaves_every_answer_as_it_was() {
    let mut held: Held = (1..=5000).map(|id| (id, (meshed(id, (id % 5) as u8, id % 7), 1))).collect();
    let mut catalog = built(&held, 1);
    let _ = catalog.layer("plots").unwrap().overlaps();
    assert!(!catalog.wants_merge());
    // As many others as make it worth while to join them with the first.
    let many: Vec<(i64, Option<Feature>)> =
        (2000..4600).map(|id| (id, (id % 10 > 0).then(|| meshed(id, 4, id % 9)))).collect();
    catalog = catalog.apply(&changes(&mut held, &many, 2), 2).unwrap();
    let more: Vec<_> = (5001..5040).map(|id| (id, Some(meshed(id, 2, 3)))).collect();
    catalog = catalog.apply(&changes(&mut held, &more, 3), 3).unwrap();
    assert!(catalog.wants_merge());
    let merge = catalog.merge().unwrap();
    // Edited before the merge is there: of what it joins, and of what it does not.
    let meanwhile: Vec<_> = [7, 2001, 2013, 5007, 5100]
        .map(|id| (id, (id != 2013).then(|| feature(id, Some(surface(3.5, 3.5, 2.0, 4)), 5, 8))))
        .to_vec();
    catalog = catalog.apply(&changes(&mut held, &meanwhile, 4), 4).unwrap();
    let before = catalog.layer("plots").unwrap().table().segments().len();
    let merged = catalog.with_merge(&merge).unwrap();
    assert!(merged.layer("plots").unwrap().table().segments().len() < before);
    assert!(!merged.wants_merge());
    assert_same(&merged, &held);
    assert_same(&catalog, &held);
    // A second time there is nothing of it to put in.
    assert!(merged.with_merge(&merge).is_none());
    let after = merged.apply(
        &changes(
            &mut held,
            &[(2002, None), (1, Some(meshed(2, 1, 1)))].map(|(id, f)| (id, f.map(|f| Feature { id, ..f }))),
            5,
        ),
        5,
    );
    assert_same(&after.unwrap(), &held);
}

/// What a read of a layer goes through: its segments, and the rows in them, also those that are no more.
fn work_of(catalog: &Catalog) -> (usize, usize) {
    let segments = catalog.layer("plots").unwrap().table().segments();
    (segments.len(), segments.iter().map(|segment| segment.len()).sum())
}

#[test]
fn ten_thousand_single_edits_leave_reads_as_little_to_go_through_as_before() {
    const FEATURES: i64 = 6000;
    let mut held: Held = (1..=FEATURES).map(|id| (id, (meshed(id, 1, 1), 1))).collect();
    let mut catalog = built(&held, 1);
    let base = std::sync::Arc::clone(&catalog.layer("plots").unwrap().table().segments()[0]);
    let (mut most, mut merges) = ((0, 0), 0);
    for seq in 2..10_002 {
        let id = 1 + seq * 7 % (FEATURES - 100);
        catalog = catalog.apply(&changes(&mut held, &[(id, Some(meshed(id, 3, seq)))], seq), seq).unwrap();
        if merges == 0 {
            // An edit copies nothing of the many.
            assert!(std::sync::Arc::ptr_eq(&catalog.layer("plots").unwrap().table().segments()[0], &base));
        }
        while let Some(merge) = catalog.merge() {
            catalog = catalog.with_merge(&merge).unwrap();
            merges += 1;
        }
        let now = work_of(&catalog);
        most = (most.0.max(now.0), most.1.max(now.1));
    }
    // Segments double in size, the first is joined when a quarter of it is edited.
    assert!(most.0 <= 14, "{} segments", most.0);
    assert!(most.1 <= 2 * FEATURES as usize, "{} rows are gone through for {FEATURES}", most.1);
    assert!((1..=20).contains(&merges), "{merges} merges");
    let table = catalog.layer("plots").unwrap().table();
    assert_eq!(table.len(), held.len());
    assert!(held.iter().all(|(id, (_, version))| table.row_of(*id).is_some_and(|row| table.version(row) == *version)));
}
