//! What goes in comes out, exactly.

use mutu::{
    domain::{
        feature::{Feature, Value},
        layer::GeometryClass,
        schema::{Field, FieldType, Schema},
    },
    ground::shape::{Shape, ShapeKind},
    store::{How, Reader, StoreError, Workspace},
};
use proptest::prelude::*;

use super::{AT, Place, feature, features, import, layer, note, put, square};

#[test]
fn every_type_of_value_comes_back_as_it_went_in_after_closing() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    let rows = [
        vec![
            Value::Text(String::new()),
            Value::Boolean(true),
            Value::Integer(i64::MIN),
            Value::Real(f64::MIN_POSITIVE),
            Value::Date(-719_528),
            Value::DateTime(-62_167_219_200_000),
        ],
        vec![
            Value::Text("鹤山市\u{1F3ED}\"'; DROP TABLE 地块;--\n\t\0末".to_owned()),
            Value::Boolean(false),
            Value::Integer(i64::MAX),
            Value::Real(-f64::MAX),
            Value::Date(2_932_896),
            Value::DateTime(253_402_300_799_999),
        ],
        vec![Value::Null; 6],
        vec![
            Value::Text("123".to_owned()),
            Value::Null,
            Value::Integer(9_007_199_254_740_993),
            Value::Real(0.1 + 0.2),
            Value::Date(0),
            Value::DateTime(-1),
        ],
    ];
    let shapes = [
        Some(square(1)),
        None,
        Some(Shape::new(ShapeKind::MultiPolygon)),
        Some(Shape::polygon(&[vec![geo::Coord { x: 1.0, y: 2.0 }, geo::Coord { x: 3.0, y: 4.0 }]])), // unclosed
    ];
    let wanted: Vec<Feature> = rows
        .into_iter()
        .zip(shapes)
        .zip([5, 1, i64::MAX, 7])
        .map(|((values, shape), id)| Feature { id, shape, values })
        .collect();
    let mut import = workspace.begin_import(&layer("地块"), How::Create, note()).unwrap();
    for feature in &wanted {
        put(&mut import, feature).unwrap();
    }
    import.commit("{}").unwrap();
    workspace.close().unwrap();

    let workspace = Workspace::open(&place.path).unwrap();
    let mut wanted = wanted;
    wanted.sort_by_key(|feature| feature.id);
    assert_eq!(features(&workspace, "地块"), wanted);
    assert_eq!(workspace.fid_range("地块").unwrap(), Some((1, i64::MAX)));
    assert_eq!(workspace.check().unwrap(), []);
    assert!(!place.beside("-wal").exists() || std::fs::metadata(place.beside("-wal")).unwrap().len() == 0);
    assert_eq!(workspace.recovered(), None);
}

#[test]
fn a_value_that_the_column_cannot_hold_is_refused_and_names_its_place() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    let layer = layer("地块");
    let mut import = workspace.begin_import(&layer, How::Create, note()).unwrap();
    for (column, value) in [
        (3, Value::Real(f64::NAN)),
        (3, Value::Real(f64::INFINITY)),
        (3, Value::Integer(1)),
        (2, Value::Real(1.0)),
        (0, Value::Integer(1)),
        (4, Value::Date(i32::MAX)),
        (5, Value::DateTime(i64::MAX)),
    ] {
        let mut wrong = feature(1);
        wrong.values[column] = value.clone();
        let error = put(&mut import, &wrong).unwrap_err();
        let name = &layer.schema.fields[column].name;
        assert!(matches!(error, StoreError::Refused { .. }), "{value:?}: {error}");
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
    let mut short = feature(1);
    short.values.pop();
    assert!(matches!(put(&mut import, &short), Err(StoreError::Refused { .. })));
    let mut zero = feature(1);
    zero.id = 0;
    assert!(matches!(put(&mut import, &zero), Err(StoreError::Refused { .. })));
    put(&mut import, &feature(1)).unwrap();
    assert!(matches!(put(&mut import, &feature(1)), Err(StoreError::DuplicateId { id: 1, .. })));
    import.commit("{}").unwrap();
    assert_eq!(features(&workspace, "地块"), [feature(1)]);
}

#[test]
fn columns_called_fid_and_geom_keep_their_names() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    let mut layer = layer("地块");
    let names = ["FID", "geom", "fid_1", "select", "a\"b", "面积 (亩)"];
    layer.schema = Schema { fields: names.iter().map(|name| Field::new(name, FieldType::Text)).collect() };
    let row = Feature {
        id: 3,
        shape: Some(square(3)),
        values: names.iter().map(|name| Value::Text((*name).to_owned())).collect(),
    };
    let mut import = workspace.begin_import(&layer, How::Create, note()).unwrap();
    put(&mut import, &row).unwrap();
    import.commit("{}").unwrap();
    workspace.close().unwrap();
    let workspace = Workspace::open(&place.path).unwrap();
    assert_eq!(features(&workspace, "地块"), [row]);
    assert_eq!(workspace.check().unwrap(), []);
}

#[test]
fn names_that_cannot_stand_in_a_table_are_refused_before_anything_is_written() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    for names in [["", "b"], ["a\0", "b"], ["Name", "NAME"]] {
        let mut layer = layer("地块");
        layer.schema = Schema { fields: names.iter().map(|name| Field::new(name, FieldType::Text)).collect() };
        assert!(matches!(workspace.begin_import(&layer, How::Create, note()), Err(StoreError::Refused { .. })));
    }
    assert_eq!(workspace.seq().unwrap(), 0);
}

#[test]
fn a_layer_is_created_once_extended_and_replaced() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    assert_eq!(import(&mut workspace, &layer("Parcels"), 3), 1);
    let again = workspace.begin_import(&layer("parcels"), How::Create, note()).unwrap_err();
    assert!(matches!(again, StoreError::LayerExists { ref found, .. } if found == "Parcels"), "{again}");
    let unknown = workspace.begin_import(&layer("地块"), How::Append, note()).unwrap_err();
    assert!(matches!(unknown, StoreError::UnknownLayer { .. }));

    let mut append = workspace.begin_import(&layer("Parcels"), How::Append, note()).unwrap();
    let values: Vec<_> = feature(4).values;
    let views: Vec<_> = values.iter().map(Value::view).collect();
    assert_eq!(append.put(None, Some(square(4).view()), &views).unwrap(), 4);
    assert!(matches!(put(&mut append, &feature(2)), Err(StoreError::DuplicateId { id: 2, .. })));
    assert_eq!(append.commit("{}").unwrap(), 2);
    assert_eq!(features(&workspace, "Parcels"), [feature(1), feature(2), feature(3), feature(4)]);
    assert_eq!(workspace.layers()[0].base, 1);
    assert_eq!([3, 4].map(|id| workspace.layers()[0].import_of(id)), [1, 2]);
    assert_eq!(workspace.check().unwrap(), []);

    let mut narrow = layer("Parcels");
    narrow.schema.fields.truncate(1);
    assert!(matches!(workspace.begin_import(&narrow, How::Append, note()), Err(StoreError::Refused { .. })));
    let mut replace = workspace.begin_import(&narrow, How::Replace, note()).unwrap();
    let mut only = feature(9);
    only.values.truncate(1);
    put(&mut replace, &only).unwrap();
    assert_eq!(replace.commit(r#"{"read":1}"#).unwrap(), 3);
    assert_eq!(features(&workspace, "Parcels"), [only]);
    assert_eq!(workspace.check().unwrap(), []);
    let imports = workspace.history().imports().unwrap();
    assert_eq!(
        imports.iter().map(|i| (i.edit.seq, i.edit.at, i.report.as_str())).collect::<Vec<_>>(),
        [(1, AT, r#"{"stored":1}"#), (2, AT, "{}"), (3, AT, r#"{"read":1}"#)]
    );
}

#[test]
fn an_import_that_is_not_committed_leaves_nothing() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("旧"), 5);
    for how in [How::Replace, How::Append] {
        let mut import = workspace.begin_import(&layer("旧"), how, note()).unwrap();
        put(&mut import, &feature(100)).unwrap();
        drop(import);
        assert_eq!(features(&workspace, "旧").len(), 5);
        assert_eq!(workspace.seq().unwrap(), 1);
        assert_eq!(workspace.check().unwrap(), []);
    }
    workspace.close().unwrap();
    assert_eq!(Workspace::open(&place.path).unwrap().recovered(), None);
}

#[test]
fn tables_without_geometry_and_layers_of_several_kinds_are_stored() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    let mut tasks = layer("任务");
    tasks.geometry = GeometryClass::None;
    let mut row = feature(1);
    row.shape = None;
    let mut import = workspace.begin_import(&tasks, How::Create, note()).unwrap();
    assert!(matches!(put(&mut import, &feature(2)), Err(StoreError::Refused { .. })));
    put(&mut import, &row).unwrap();
    import.commit("{}").unwrap();
    assert_eq!(features(&workspace, "任务"), [row]);

    let mut multi = feature(2);
    let mut shape = square(2);
    shape.set_kind(ShapeKind::MultiPolygon);
    multi.shape = Some(shape);
    let mut import = workspace.begin_import(&layer("混合"), How::Create, note()).unwrap();
    put(&mut import, &feature(1)).unwrap();
    put(&mut import, &multi).unwrap();
    import.commit("{}").unwrap();
    assert_eq!(features(&workspace, "混合"), [feature(1), multi]);
    assert_eq!(workspace.check().unwrap(), []);
}

#[test]
fn readers_on_other_threads_see_the_rows_of_their_range() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("地块"), 1000);
    let halves = [(1, 500), (501, 1000)].map(|range| {
        let reader = workspace.reader().unwrap();
        std::thread::spawn(move || {
            let mut ids = Vec::new();
            reader
                .scan("地块", Some(range), &mut |row| {
                    assert!(row.wkb()?.is_some());
                    ids.push(row.id()?);
                    Ok(())
                })
                .unwrap();
            ids
        })
    });
    let ids: Vec<i64> = halves.into_iter().flat_map(|half| half.join().unwrap()).collect();
    assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
}

#[test]
fn a_reader_sees_the_moment_of_its_opening_and_keeps_nobody_from_closing() {
    let place = Place::new();
    let mut workspace = Workspace::create(&place.path).unwrap();
    import(&mut workspace, &layer("甲"), 5);
    let reader = Reader::open(&place.path).unwrap();
    import(&mut workspace, &layer("乙"), 7);
    assert_eq!((reader.seq(), reader.layers().len(), reader.fid_range("甲").unwrap()), (1, 1, Some((1, 5))));
    workspace.close().unwrap();
    let mut seen = Vec::new();
    reader
        .scan("甲", None, &mut |row| {
            seen.push(row.to_feature()?);
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, (1..=5).map(feature).collect::<Vec<_>>());
    assert_eq!(reader.check().unwrap(), []);
    drop(reader);
    let workspace = Workspace::open(&place.path).unwrap();
    assert_eq!((workspace.recovered(), features(&workspace, "乙").len()), (None, 7));
    workspace.close().unwrap();
    assert!(!place.beside("-wal").exists() && !place.beside("-shm").exists());
}

fn any_value(kind: FieldType) -> BoxedStrategy<Value> {
    let some = match kind {
        FieldType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        FieldType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        FieldType::Real => any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(Value::Real).boxed(),
        FieldType::Text => ".*".prop_map(Value::Text).boxed(),
        FieldType::Date => (-719_528..=2_932_896).prop_map(Value::Date).boxed(),
        FieldType::DateTime => (-62_167_219_200_000..=253_402_300_799_999_i64).prop_map(Value::DateTime).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => some].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn random_rows_come_back_as_they_went_in(
        rows in prop::collection::vec(
            layer("x").schema.fields.iter().map(|field| any_value(field.kind)).collect::<Vec<_>>(), 1..40)
    ) {
        let place = Place::new();
        let mut workspace = Workspace::create(&place.path).unwrap();
        let mut import = workspace.begin_import(&layer("地块"), How::Create, note()).unwrap();
        let wanted: Vec<Feature> = (1..).zip(rows)
            .map(|(id, values)| Feature { id, shape: Some(square(id)), values })
            .collect();
        for feature in &wanted {
            put(&mut import, feature).unwrap();
        }
        import.commit("{}").unwrap();
        prop_assert_eq!(features(&workspace, "地块"), wanted);
    }
}
