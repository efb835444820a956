//! Groups sum to the total as printed, land counts once, and the JSON is what the interface says.

use mutu::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    engine::{
        filter::{bind, parse_text},
        overlay::{Overlaps, Zones},
        stats::{Request, Statistics, StatsError, statistics},
        table::{Row, Table},
    },
    ground::{
        shape::{Bounds, Shape},
        units::{AreaUnit, Basis},
    },
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Dice, layer, place, rectangle, stored, table, table_in};

fn ledger() -> Layer {
    let fields =
        [("town", FieldType::Text), ("status", FieldType::Text), ("far", FieldType::Real), ("on", FieldType::Date)];
    layer("parcels", &fields)
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) }
}

fn row(shape: Shape, town: &str, status: &str) -> (Option<Shape>, Vec<Value>) {
    (Some(shape), vec![text(town), text(status), Value::Real(1.5), Value::Date(19_723)])
}

fn request<'a>(group_by: &[&str]) -> Request<'a> {
    Request {
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        within: Vec::new(),
        unit: AreaUnit::M2,
        basis: Basis::Planar,
        decimals: None,
        filter: None,
        bounds: None,
        among: None,
        overlaps: None,
    }
}

fn zones(named: &[(&str, Shape)]) -> Zones {
    let layer = layer("zones", &[("name", FieldType::Text)]);
    let features: Vec<_> = named.iter().map(|(name, shape)| (Some(shape.clone()), vec![text(name)])).collect();
    Zones::prepare(&table(&layer, &features), Some(0)).expect("surfaces")
}

fn ask(table: &Table, request: &Request<'_>) -> Statistics {
    statistics(table, &ledger(), request, "2026-11-21").expect("a good request")
}

/// Groups as `key: count, area`.
fn lines(answer: &Statistics) -> Vec<String> {
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let key = |key: &[(String, Value)]| key.iter().map(|(_, v)| value(v)).collect::<Vec<_>>().join("/");
    answer.groups.iter().map(|group| format!("{}: {}, {}", key(&group.key.0), group.count, group.area)).collect()
}

fn sums_as_printed(answer: &Statistics) {
    assert_eq!(answer.groups.iter().map(|group| group.area).sum::<Decimal>(), answer.total.area);
    assert_eq!(answer.groups.iter().map(|group| group.overlap).sum::<Decimal>(), answer.overlap.area);
    let shares: Option<Decimal> = answer.groups.iter().map(|group| group.share).sum();
    if answer.total.area > Decimal::ZERO {
        assert_eq!(shares, Some(Decimal::ONE));
    }
}

#[test]
fn twenty_thousand_mu_are_grouped_by_town_and_status() {
    // 13,333,333.33 m² in three parcels of one metre's depth.
    let strip = |y: f64, width: f64| rectangle(0.0, y, width, 1000.0);
    let features = [
        row(strip(0.0, 6000.0), "址山镇", "完成处置"),
        row(strip(2000.0, 7000.0), "址山镇", "认定"),
        row(strip(4000.0, 333.333_33), "", "认定"),
    ];
    let table = table(&ledger(), &features);
    let mut request = request(&["town", "status"]);
    request.unit = AreaUnit::Mu;
    let answer = ask(&table, &request);
    assert_eq!(lines(&answer), ["址山镇/完成处置: 1, 9000.00", "址山镇/认定: 1, 10500.00", "-/认定: 1, 500.00"]);
    assert_eq!(answer.total.area.to_string(), "20000.00");
    sums_as_printed(&answer);
    let json = serde_json::to_value(&answer).expect("is JSON");
    let group = &json["groups"][0];
    assert_eq!(group["key"], serde_json::json!({"town": "址山镇", "status": "完成处置"}));
    assert_eq!((&group["count"], &group["area"], &group["share"]), (&1.into(), &9000.0.into(), &0.45.into()));
    assert_eq!(json["groups"][2]["key"]["town"], serde_json::Value::Null);
    assert_eq!(json["total"], serde_json::json!({"count": 3, "area": 20000.0}));
    assert_eq!(json["overlap"], serde_json::json!({"area": 0.0, "pairs": 0}));
    let head = serde_json::json!(["parcels", "planar", "mu", 2, "2026-11-21", 0]);
    let found = ["layer", "basis", "unit", "decimals", "asOf", "unmeasured"].map(|name| json[name].clone());
    assert_eq!(serde_json::Value::from(found.to_vec()), head);
    assert!(json["definition"]["zh"].as_str().is_some_and(|zh| zh.contains("1亩=2000/3平方米")));
}

#[test]
fn figures_in_json_have_the_digits_that_are_printed() {
    let table = table(&ledger(), &[row(rectangle(0.0, 0.0, 123.45, 67.89), "址山镇", "")]);
    for unit in [AreaUnit::M2, AreaUnit::Ha, AreaUnit::Mu, AreaUnit::Km2] {
        for decimals in 0..=8 {
            let answer = ask(&table, &Request { unit, decimals: Some(decimals), ..request(&["town"]) });
            let json = serde_json::to_value(&answer).expect("is JSON");
            let number: Decimal = json["total"]["area"].to_string().parse().expect("a plain number");
            assert_eq!(number, answer.total.area);
            assert_eq!(answer.total.area.scale(), decimals);
        }
    }
}

#[test]
fn groups_by_numbers_days_and_derived_areas_come_in_their_order() {
    let mut features = Vec::new();
    for (width, far, day) in [
        (30.0, Some(2.5), Some(19_724)),
        (20.0, Some(-0.0), None),
        (10.0, Some(0.0), Some(19_723)),
        (10.0, None, Some(19_723)),
    ] {
        let values =
            vec![Value::Null, Value::Null, far.map_or(Value::Null, Value::Real), day.map_or(Value::Null, Value::Date)];
        features.push((Some(rectangle(f64::from(features.len() as u32) * 50.0, 0.0, width, 10.0)), values));
    }
    let table = table_in(&ledger(), &features, 2);
    assert_eq!(
        lines(&ask(&table, &request(&["far"]))),
        ["Real(0.0): 2, 300.00", "Real(2.5): 1, 300.00", "-: 1, 100.00"]
            .map(|line| line.replace("Real(0.0)", "Real(-0.0)"))
    );
    assert_eq!(
        lines(&ask(&table, &request(&["on"]))),
        ["Date(19723): 2, 200.00", "Date(19724): 1, 300.00", "-: 1, 200.00"]
    );
    let json = serde_json::to_value(ask(&table, &request(&["on"]))).expect("is JSON");
    assert_eq!(json["groups"][0]["key"]["on"], "2024-01-01");
    let by_area = ask(&table, &request(&["area_planar_m2"]));
    assert_eq!(lines(&by_area), ["Real(100.0): 2, 200.00", "Real(200.0): 1, 200.00", "Real(300.0): 1, 300.00"]);
}

#[test]
fn land_in_zones_outside_them_and_in_several_is_told_apart() {
    let table = table(
        &ledger(),
        &[row(rectangle(0.0, 0.0, 100.0, 100.0), "址山镇", ""), row(rectangle(500.0, 0.0, 10.0, 10.0), "", "")],
    );
    let parks = zones(&[("园A", rectangle(-10.0, -10.0, 60.0, 200.0)), ("园B", rectangle(25.0, -10.0, 50.0, 200.0))]);
    let within = vec![("parks".parse().expect("a good id"), &parks)];
    let answer = ask(&table, &Request { within: within.clone(), ..request(&[]) });
    assert_eq!(lines(&answer), ["园A: 1, 2500.00", "园A + 园B: 1, 2500.00", "园B: 1, 2500.00", "-: 2, 2600.00"]);
    assert_eq!((answer.total.count, answer.total.area.to_string().as_str()), (2, "10100.00"));
    sums_as_printed(&answer);
    let json = serde_json::to_value(&answer).expect("is JSON");
    assert_eq!(json["groups"][1]["key"], serde_json::json!({"parks": "园A + 园B"}));
    let both = ask(&table, &Request { within, ..request(&["town"]) });
    assert_eq!(lines(&both)[3..], ["址山镇/-: 1, 2500.00", "-/-: 1, 100.00"]);
}

#[test]
fn the_same_parcels_imported_twice_are_the_same_land() {
    let once = [row(rectangle(0.0, 0.0, 100.0, 100.0), "甲", ""), row(rectangle(200.0, 0.0, 50.0, 50.0), "乙", "")];
    let twice = table_in(&ledger(), &[once.clone(), once.clone()].concat(), 2);
    let overlaps = Overlaps::of(&twice);
    let parks = zones(&[("园", rectangle(-10.0, -10.0, 60.0, 200.0))]);
    for basis in [Basis::Planar, Basis::Ellipsoidal] {
        let single = ask(&table(&ledger(), &once), &Request { basis, ..request(&["town"]) });
        let answer = ask(&twice, &Request { basis, overlaps: Some(&overlaps), ..request(&["town"]) });
        assert_eq!(answer.total.area, single.total.area);
        assert_eq!(answer.overlap.area, single.total.area);
        assert_eq!((answer.total.count, answer.overlap.pairs), (4, 2));
        sums_as_printed(&answer);
        let within = vec![("parks".parse().expect("a good id"), &parks)];
        let divided = ask(&twice, &Request { basis, overlaps: Some(&overlaps), within, ..request(&[]) });
        assert_eq!((divided.total.area, divided.overlap.area), (single.total.area, single.total.area));
        sums_as_printed(&divided);
    }
}

#[test]
fn an_overlap_is_removed_from_the_greater_id_and_only_among_the_selected() {
    let features =
        [row(rectangle(0.0, 0.0, 100.0, 100.0), "甲", "旧"), row(rectangle(50.0, 0.0, 100.0, 100.0), "乙", "新")];
    let table = table(&ledger(), &features);
    let overlaps = Overlaps::of(&table);
    let answer = ask(&table, &Request { overlaps: Some(&overlaps), ..request(&["town"]) });
    assert_eq!(lines(&answer), ["乙: 1, 5000.00", "甲: 1, 10000.00"]);
    assert_eq!((answer.overlap.area.to_string().as_str(), answer.overlap.pairs), ("5000.00", 1));
    let parks = zones(&[("园", rectangle(-10.0, -10.0, 85.0, 200.0))]);
    let within = vec![("parks".parse().expect("a good id"), &parks)];
    let divided = ask(&table, &Request { overlaps: Some(&overlaps), within, ..request(&["town"]) });
    assert_eq!(lines(&divided), ["乙/园: 1, 0.00", "乙/-: 1, 5000.00", "甲/园: 1, 7500.00", "甲/-: 1, 2500.00"]);
    assert_eq!(divided.overlap.area.to_string(), "5000.00");
    let filter = bind(&parse_text("status = '新'").expect("CQL2"), &ledger()).expect("binds");
    let only_new = ask(&table, &Request { overlaps: Some(&overlaps), filter: Some(&filter), ..request(&["town"]) });
    assert_eq!(lines(&only_new), ["乙: 1, 10000.00"]);
    assert_eq!(only_new.overlap.pairs, 0);
}

#[test]
fn replaced_features_count_no_more() {
    let table = table_in(
        &ledger(),
        &[row(rectangle(0.0, 0.0, 10.0, 10.0), "甲", ""), row(rectangle(50.0, 0.0, 10.0, 10.0), "乙", "")],
        1,
    );
    let dead = table.row_of(1).expect("is there");
    let table = table.with_last(1, None, &[dead]);
    assert_eq!(lines(&ask(&table, &request(&["town"]))), ["乙: 1, 100.00"]);
    assert!(Overlaps::of(&table).pairs().is_empty());
}

#[test]
fn features_without_an_area_are_counted_and_said() {
    let values = || vec![text("甲"), Value::Null, Value::Null, Value::Null];
    let features = [
        (Some(Shape::point(place(5.0, 5.0))), values()),
        (None, values()),
        row(rectangle(0.0, 0.0, 10.0, 10.0), "甲", ""),
    ];
    let table = table(&ledger(), &features);
    let answer = ask(&table, &request(&["town"]));
    assert_eq!((lines(&answer), answer.unmeasured), (vec!["甲: 3, 100.00".to_owned()], 2));
    let parks = zones(&[("园", rectangle(-10.0, -10.0, 60.0, 200.0))]);
    let answer = ask(&table, &Request { within: vec![("parks".parse().expect("a good id"), &parks)], ..request(&[]) });
    assert_eq!((lines(&answer), answer.unmeasured), (vec!["园: 2, 100.00".to_owned(), "-: 1, 0.00".to_owned()], 2));
}

#[test]
fn an_empty_layer_has_a_total_of_nothing() {
    let answer = ask(&Table::default(), &request(&["town"]));
    assert!(answer.groups.is_empty());
    assert_eq!((answer.total.count, answer.total.area.to_string().as_str()), (0, "0.00"));
}

#[test]
fn a_bad_request_names_itself() {
    let ask = |request: &Request<'_>| statistics(&Table::default(), &ledger(), request, "").expect_err("is bad");
    assert!(matches!(ask(&request(&["twon"])), StatsError::Property(_)));
    assert_eq!(ask(&request(&["town", "town"])), StatsError::TwiceNamed { name: "town".to_owned() });
    assert_eq!(ask(&Request { decimals: Some(9), ..request(&[]) }), StatsError::TooManyDecimals { given: 9 });
    assert_eq!(ask(&request(&["town"; 17])), StatsError::TooManyKeys { found: 17 });
}

#[test]
fn many_groups_are_counted_as_few_ones_are() {
    let layer = layer("codes", &[("code", FieldType::Text), ("kind", FieldType::Integer)]);
    let feature = |i: i64| {
        (
            Some(rectangle((i % 200) as f64 * 20.0, (i / 200) as f64 * 20.0, 10.0, 10.0)),
            vec![Value::Text(format!("{:05}", i / 2)), Value::Integer(i % 2)],
        )
    };
    let table = table_in(&layer, &(0..6000).map(feature).collect::<Vec<_>>(), 2);
    let answer = statistics(&table, &layer, &request(&["code", "kind"]), "").expect("sums");
    assert_eq!((answer.groups.len(), answer.total.count), (6000, 6000));
    assert!(answer.groups.iter().all(|group| group.count == 1 && group.area.to_string() == "100.00"));
    sums_as_printed(&answer);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_asked_groups_sum_to_the_total_as_printed(seed: u64, unit in 0..4_usize, decimals in 0..6_u32, segments in 1_usize..4) {
        let mut dice = Dice(seed);
        let names = ["甲", "乙", "丙", ""];
        let features: Vec<_> = (0..60).map(|_| {
            let at = (dice.roll() * 500.0, dice.roll() * 500.0);
            row(stored(&[dice.star(at, 60.0, 8)]), names[dice.below(4)], names[dice.below(4)])
        }).collect();
        let table = table_in(&ledger(), &features, segments);
        let named: Vec<(&str, Shape)> = (0..5).map(|i| {
            let at = (dice.roll() * 500.0, dice.roll() * 500.0);
            (["A", "B", "C", "D", "A"][i], stored(&[dice.star(at, 200.0, 40)]))
        }).collect();
        let parks = zones(&named);
        let overlaps = Overlaps::of(&table);
        let unit = [AreaUnit::M2, AreaUnit::Ha, AreaUnit::Mu, AreaUnit::Km2][unit];
        for basis in [Basis::Ellipsoidal, Basis::Planar] {
            let plain = Request { unit, basis, decimals: Some(decimals), ..request(&["town"]) };
            let answer = ask(&table, &plain);
            sums_as_printed(&answer);
            let gross: i64 = table.rows().map(|row: Row| table.area(row, basis).expect("a surface").hundredths_m2()).sum();
            let exact = mutu::ground::units::Area::from_hundredths_m2(basis, gross);
            prop_assert_eq!(answer.total.area, exact.rounded(unit, decimals));
            let within = vec![("parks".parse().expect("a good id"), &parks)];
            let divided = ask(&table, &Request { within: within.clone(), ..plain.clone() });
            sums_as_printed(&divided);
            prop_assert_eq!(divided.total.area, answer.total.area);
            prop_assert_eq!(divided.total.count, 60);
            let net = ask(&table, &Request { overlaps: Some(&overlaps), ..plain.clone() });
            let net_divided = ask(&table, &Request { overlaps: Some(&overlaps), within, ..plain });
            sums_as_printed(&net);
            sums_as_printed(&net_divided);
            prop_assert_eq!(net.total.area, net_divided.total.area);
            prop_assert_eq!(net.overlap.area, net_divided.overlap.area);
            let bounds = Bounds::of_corners(place(0.0, 0.0), place(200.0, 200.0));
            sums_as_printed(&ask(&table, &Request { bounds: Some(bounds), ..request(&["town", "status"]) }));
        }
    }
}
