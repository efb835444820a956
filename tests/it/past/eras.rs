//! The past across imports: rows that were added later are absent, rows that were replaced are back.

use std::path::Path;

use geo::Coord;
use mutu::{
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value, ValueRef},
        layer::{GeometryClass, Layer, Provenance},
        schema::{Field, FieldType, Schema},
    },
    ground::shape::{Bounds, Shape},
    planner::{ErrorClass, Planner, PlannerError, When},
    store::{How, Note, Workspace},
};

use super::{Place, layer, picture};

/// An hour, in milliseconds; tests write at hours of their own.
const HOUR: i64 = 3_600_000;
/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;

pub(super) fn parcels(columns: &[&str]) -> Layer {
    Layer {
        id: layer("地块"),
        title: "地块".to_owned(),
        title_en: String::new(),
        description: "测试数据".to_owned(),
        geometry: GeometryClass::Surface,
        schema: Schema { fields: columns.iter().map(|name| Field::new(name, FieldType::Text)).collect() },
        grid: "EPSG:4547".to_owned(),
        surveyed_in_grid: true,
        provenance: Provenance::Imported,
        rules: mutu::domain::rule::Rules::default(),
    }
}

/// A square of which the side grows with `size`, in a place of its own.
pub(super) fn square(id: i64, size: i64) -> Shape {
    let (west, south) = (112.5 + (id % 100) as f64 * 0.005, 22.5 + (id / 100) as f64 * 0.005);
    let side = 0.0005 * size as f64;
    Shape::of_bounds(&Bounds::of_corners(Coord { x: west, y: south }, Coord { x: west + side, y: south + side }))
}

pub(super) fn parcel(id: i64, name: &str, size: i64) -> Feature {
    Feature { id, shape: Some(square(id, size)), values: vec![Value::Text(name.to_owned())] }
}

pub(super) fn import(workspace: &mut Workspace, layer: &Layer, how: How, rows: &[Feature], at: i64) -> i64 {
    let note = Note { author: "李工", note: "地块.shp", at };
    let mut import = workspace.begin_import(layer, how, note).unwrap();
    for row in rows {
        let id = (how != How::Append).then_some(row.id);
        let values: Vec<ValueRef<'_>> = row.values.iter().map(Value::view).collect();
        import.put(id, row.shape.as_ref().map(Shape::view), &values).unwrap();
    }
    import.commit("{}").unwrap()
}

pub(super) fn edit(workspace: &mut Workspace, changes: Vec<Change>, at: i64) -> i64 {
    let edit = Edit { author: "王工".to_owned(), note: "补测".to_owned(), changes, lineage: vec![] };
    workspace.commit(&edit, at).unwrap().seq
}

pub(super) fn put(feature: Feature, expects: Option<i64>) -> Change {
    Change::Put { layer: layer("地块"), feature, expects }
}

pub(super) fn loaded(path: &Path) -> Planner {
    let planner = Planner::open(path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    planner
}

/// A workspace whose picture was taken after each number: import, edit, append, edit, replace, edit.
fn lived(path: &Path) -> Vec<std::collections::BTreeMap<i64, String>> {
    let table = parcels(&["名称"]);
    let rows = |ids: std::ops::RangeInclusive<i64>, name: &str| -> Vec<Feature> {
        ids.map(|id| parcel(id, name, 1)).collect()
    };
    drop(Workspace::create(path).unwrap());
    let mut pictures = vec![std::collections::BTreeMap::default()];
    let steps: [Step<'_>; 8] = [
        &|workspace, at| import(workspace, &table, How::Create, &rows(1..=5, "甲"), at),
        &|workspace, at| {
            let gone = Change::Delete { layer: layer("地块"), id: 3, expects: 1 };
            edit(workspace, vec![put(parcel(2, "改", 2), Some(1)), put(parcel(6, "新", 1), None), gone], at)
        },
        &|workspace, at| import(workspace, &table, How::Append, &rows(1..=3, "续"), at), // 7, 8, 9
        &|workspace, at| {
            let gone = Change::Delete { layer: layer("地块"), id: 9, expects: 3 };
            edit(workspace, vec![put(parcel(8, "续改", 3), Some(3)), put(parcel(2, "再改", 2), Some(2)), gone], at)
        },
        &|workspace, at| import(workspace, &table, How::Replace, &rows(2..=4, "换"), at),
        &|workspace, at| edit(workspace, vec![put(parcel(2, "换改", 4), Some(5)), put(parcel(10, "新", 1), None)], at),
        &|workspace, at| import(workspace, &table, How::Append, &rows(1..=2, "又续"), at), // 11, 12
        &|workspace, at| edit(workspace, vec![put(parcel(3, "末", 1), Some(5))], at),
    ];
    for (step, number) in steps.iter().zip(1..) {
        let mut workspace = Workspace::open(path).unwrap();
        assert_eq!(step(&mut workspace, BEGIN + number * HOUR), number);
        workspace.close().unwrap();
        pictures.push(picture(&loaded(path).read(), "地块"));
    }
    pictures
}

/// Writes at a moment and says under which number.
type Step<'s> = &'s dyn Fn(&mut Workspace, i64) -> i64;

#[test]
fn the_state_after_every_number_is_the_one_that_was_there_whatever_was_imported_since() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let pictures = lived(&path);
    let planner = loaded(&path);
    for (number, wanted) in pictures.iter().enumerate().rev() {
        let number = number as i64;
        let past = planner.read_at(When::After(number)).unwrap();
        assert_eq!(past.seq(), number);
        if number == 0 {
            assert_eq!(past.layers().count(), 0);
            continue;
        }
        assert_eq!(picture(&past, "地块"), *wanted, "after {number}");
        // The same by the clock.
        let then = planner.read_at(When::At(BEGIN + number * HOUR)).unwrap();
        assert_eq!(picture(&then, "地块"), *wanted, "at hour {number}");
    }
    assert!(matches!(planner.read_at(When::After(9)), Err(error) if error.class() == ErrorClass::NotFound));
}

#[test]
fn a_span_over_imports_holds_every_feature_that_was_there_as_it_last_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let pictures = lived(&path);
    let planner = loaded(&path);
    for from in 1..=8_i64 {
        for to in from..=8 {
            // Whatever was there after any of the numbers of the span, as it was after the last that has it.
            let mut wanted = std::collections::BTreeMap::new();
            for number in from..=to {
                wanted.extend(pictures[number as usize].clone());
            }
            let span = When::Between(Some(BEGIN + from * HOUR), Some(BEGIN + to * HOUR));
            assert_eq!(picture(&planner.read_at(span).unwrap(), "地块"), wanted, "from {from} to {to}");
        }
    }
}

#[test]
fn columns_of_the_time_are_the_columns_and_a_span_over_other_columns_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    import(&mut workspace, &parcels(&["名称"]), How::Create, &[parcel(1, "甲", 1)], BEGIN);
    import(&mut workspace, &parcels(&["项目"]), How::Replace, &[parcel(1, "乙", 1)], BEGIN + HOUR);
    workspace.close().unwrap();
    let place = Place::open(folder, &path);
    let names = |datetime: &str| {
        let items = place.json(&format!("/collections/地块/items?datetime={datetime}"));
        items["features"][0]["properties"].as_object().unwrap().keys().next().unwrap().clone()
    };
    assert_eq!((names("2026-01-01T00:30:00Z"), names("2026-01-02")), ("名称".to_owned(), "项目".to_owned()));
    let then = place.json("/collections/地块/schema?datetime=2026-01-01T00:30:00Z");
    assert!(then["properties"].get("名称").is_some() && then["properties"].get("项目").is_none());
    let refused = place.get("/collections/地块/items?datetime=2026-01-01T00:30:00Z/..");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("地块") && refused.text().contains("number 2"), "{}", refused.text());
    let error = place.planner.read_at(When::Between(Some(BEGIN), None)).unwrap_err();
    assert!(matches!(error, PlannerError::Past(_)), "{error}");
}

#[test]
fn a_clock_that_stepped_back_hides_no_edit_and_a_record_of_the_year_9999_stands_after_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let mut workspace = Workspace::create(&path).unwrap();
    import(&mut workspace, &parcels(&["名称"]), How::Create, &[parcel(1, "1", 1)], BEGIN);
    // Numbers 2 to 6; the clock steps back at 4, as at the end of summer time, and goes wild at 6.
    let times = [BEGIN + HOUR, BEGIN + 2 * HOUR, BEGIN + HOUR + 1, BEGIN + 3 * HOUR, 253_402_300_799_000];
    for (at, seq) in times.into_iter().zip(2..) {
        edit(&mut workspace, vec![put(parcel(1, &seq.to_string(), 1), Some(seq - 1))], at);
    }
    workspace.close().unwrap();
    let planner = loaded(&path);
    let at = |moment: i64| {
        let past = planner.read_at(When::At(moment)).unwrap();
        let table = past.layer("地块").unwrap().table();
        table.value(table.row_of(1).unwrap(), 0).to_value()
    };
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(at(BEGIN), text("1"));
    assert_eq!(at(BEGIN + HOUR), text("2"));
    assert_eq!(at(BEGIN + HOUR + 1), text("2"), "what was recorded after a later time came after it");
    assert_eq!(at(BEGIN + 2 * HOUR), text("4"), "the step back hides nothing");
    assert_eq!(at(BEGIN + 3 * HOUR), text("5"));
    // A moment that is to come is the present, whatever the clock once said.
    assert_eq!(at(253_402_300_799_999), text("6"));
}
