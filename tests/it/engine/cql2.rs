//! CQL2 against the standard's own examples and the abstract tests of its annex A with their data.

use std::{collections::BTreeMap, fs, path::PathBuf};

use mutu::{
    catalog::LayerState,
    engine::{
        filter::{
            Expr, FilterError, MAX_VERTICES, Node, Op, bind, in_crs, parse_json, parse_text, properties, to_json,
            to_text,
        },
        table::Row,
    },
    ground::crs::Crs,
    planner::{IfExists, ImportRequest, Planner, Which, select},
};
use proptest::prelude::*;

use super::Dice;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cql2").join(name)
}

/// The standard's examples of a form by their names.
fn examples(form: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(fixture(form)).expect("the folder of examples");
    let read = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("UTF-8"))
    };
    files.map(|file| read(file.expect("readable").path())).collect()
}

fn text(name: &str, text: &str) -> Expr {
    parse_text(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

fn json(name: &str, text: &str) -> Expr {
    parse_json(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

#[test]
fn every_example_of_the_standard_is_read_and_both_forms_of_one_are_the_same_tree() {
    let (texts, jsons) = (examples("text"), examples("json"));
    assert_eq!((texts.len(), jsons.len()), (120, 109));
    for (name, written) in &texts {
        let tree = text(name, written);
        // An alternative is another way of writing the same; one example composes its accent in JSON only.
        let other = jsons.get(name.trim_end_matches("-alt01")).expect("a JSON form");
        if name != "example70" {
            assert_eq!(tree, json(name, other), "{name}");
        }
    }
}

#[test]
fn what_is_written_again_is_the_same_tree_and_the_standards_json() {
    for (name, written) in &examples("json") {
        let tree = json(name, written);
        assert_eq!(text(name, &to_text(&tree)), tree, "{name}: {}", to_text(&tree));
        assert_eq!(json(name, &to_json(&tree).to_string()), tree, "{name}");
        let theirs: serde_json::Value = serde_json::from_str(written).expect("JSON");
        let same = |a: &serde_json::Value, b: &serde_json::Value| numbers_alike(a) == numbers_alike(b);
        // Heights are not kept, and an interval's day is not made a moment.
        if !["example45", "example49"].contains(&name.as_str()) {
            assert!(same(&to_json(&tree), &theirs), "{name}: {} for {theirs}", to_json(&tree));
        }
    }
}

/// The document with every number as a double: `1` and `1.0` are one number in JSON.
fn numbers_alike(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(numbers_alike).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), numbers_alike(value))).collect(),
        other => other.clone(),
    }
}

/// The layers of the standard's test data.
fn test_data() -> (tempfile::TempDir, Planner) {
    let folder = tempfile::tempdir().expect("a folder");
    let planner = Planner::open_or_create(&folder.path().join("tests.gpkg")).expect("a workspace");
    for table in ["ne_110m_admin_0_countries", "ne_110m_populated_places_simple", "ne_110m_rivers_lake_centerlines"] {
        let request = ImportRequest {
            file: fixture("ne110m4cql2.gpkg"),
            layer: Some(table.to_owned()),
            table: Some(table.to_owned()),
            crs: None,
            encoding: None,
            if_exists: IfExists::Refuse,
            author: "tests".to_owned(),
        };
        planner.import(&request, &mut |_| ()).expect("the test data can be imported");
    }
    planner.load(&mut |_| ()).expect("it loads");
    (folder, planner)
}

fn selected(state: &LayerState, filter: &Expr) -> Result<Vec<Row>, FilterError> {
    Ok(bind(filter, state.layer())?.select(state.table(), None)?.rows().collect())
}

/// Filters for which annex A expects another count than its own data can give: of its places, Chișinău, Chicago and
/// Chengdu begin with "Ch", and Chișinău alone with "Chis".
const ERRATA: [(&str, usize); 3] = [
    ("ACCENTI(name) LIKE accenti('Ch%')", 3),
    ("ACCENTI(CASEI(name)) LIKE accenti(casei('Chiș%'))", 1),
    ("ACCENTI(CASEI(name)) LIKE accenti(casei('cHis%'))", 1),
];

/// Layer, items expected and filter, as annex A lists them.
fn expected() -> Vec<(String, usize, String)> {
    let lines = fs::read_to_string(fixture("expected.tsv")).expect("the list");
    let read = |line: &str| {
        let [_, layer, items, filter] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (layer.to_owned(), items.parse().expect("a count"), filter.to_owned())
    };
    lines.lines().skip(1).map(read).collect()
}

#[test]
fn the_abstract_tests_of_the_standard_select_what_they_say() {
    let (_folder, planner) = test_data();
    let catalog = planner.read();
    let expected = expected();
    assert_eq!(expected.len(), 274);
    let mut wrong = Vec::new();
    for (layer, items, written) in &expected {
        let state = catalog.layer(layer).expect("imported");
        let tree = text(written, written);
        let right = ERRATA.iter().find(|(filter, _)| filter == written).map(|(_, items)| items);
        let items = right.unwrap_or(items);
        match selected(state, &tree) {
            Ok(rows) if rows.len() == *items => {}
            found => wrong.push(format!("{layer} {written}: {items} expected, {:?}", found.map(|rows| rows.len()))),
        }
        let again = json(written, &to_json(&tree).to_string());
        assert_eq!(again, tree);
        // Row by row is the same as column by column.
        let bound = bind(&tree, state.layer()).expect("it binds");
        let by_row: Vec<Row> = state.table().rows().filter(|row| bound.matches(state.table(), *row)).collect();
        assert_eq!(Ok(by_row), selected(state, &tree), "{written}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn combinations_of_the_abstract_tests_are_those_of_their_results() {
    let (_folder, planner) = test_data();
    let catalog = planner.read();
    let expected = expected();
    let mut dice = Dice(11);
    for layer in ["ne_110m_admin_0_countries", "ne_110m_populated_places_simple", "ne_110m_rivers_lake_centerlines"] {
        let state = catalog.layer(layer).expect("imported");
        let filters: Vec<&String> = expected.iter().filter(|(of, ..)| of == layer).map(|(.., filter)| filter).collect();
        for _ in 0..40 {
            let p: Vec<&String> = (0..4).map(|_| filters[dice.below(filters.len())]).collect();
            let whole = format!(
                "((NOT ({}) AND ({})) OR (({}) and NOT ({})) or not (({}) AND ({})))",
                p[0], p[1], p[2], p[3], p[0], p[3]
            );
            // Three truth values of each, by asking for it and for its negation.
            let holds = |filter: &str| selected(state, &text(filter, filter)).expect("it runs");
            let truths: Vec<(Vec<Row>, Vec<Row>)> =
                p.iter().map(|p| (holds(p), holds(&format!("NOT ({p})")))).collect();
            let truth = |i: usize, row: &Row| {
                if truths[i].0.contains(row) {
                    Some(true)
                } else if truths[i].1.contains(row) {
                    Some(false)
                } else {
                    None
                }
            };
            let not = |a: Option<bool>| a.map(|a| !a);
            let and = |a: Option<bool>, b: Option<bool>| match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let or = |a, b| not(and(not(a), not(b)));
            let wanted = |row: &Row| {
                let [p1, p2, p3, p4] = [truth(0, row), truth(1, row), truth(2, row), truth(3, row)];
                or(or(and(not(p1), p2), and(p3, not(p4))), not(and(p1, p4))) == Some(true)
            };
            let wanted: Vec<Row> = state.table().rows().filter(wanted).collect();
            assert_eq!(holds(&whole), wanted, "{whole}");
        }
    }
}

#[test]
fn the_abstract_tests_without_figures_run() {
    let (_folder, planner) = test_data();
    let catalog = planner.read();
    let places = catalog.layer("ne_110m_populated_places_simple").expect("imported");
    let count = |filter: &str| selected(places, &text(filter, filter)).map(|rows| rows.len());
    for filter in [
        "true",
        "name LIKE '_%'",
        "name like '%%'",
        "\"date\" in ('2022-04-16', '2022-04-15')",
        "start in ('2022-04-16T10:13:19Z', '2022-04-14T15:52:56Z')",
        "S_INTERSECTS(geom,BBOX(-180,-90,180,90))",
        "S_DISJOINT(geom,POINT(90 180))",
        "S_WITHIN(geom,POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90)))",
    ] {
        assert!(count(filter).is_ok_and(|count| count > 0), "{filter}: {:?}", count(filter));
    }
    for filter in [
        "false",
        "name like ''",
        "name LIKE '\\%\\_'",
        "pop_other between 100.0 and 1.0",
        "S_INTERSECTS(geom,POINT(90 180))",
        "S_INTERSECTS(geom,MULTIPOINT(7.02 49.92, 90 180))",
        "S_TOUCHES(geom,BBOX(-180,-90,180,90))",
        "S_WITHIN(geom,MULTIPOINT(7 50,10 51))",
        "S_OVERLAPS(geom,MULTIPOINT(7 50,10 51))",
        "S_CROSSES(geom,LINESTRING(7 50,10 51))",
        "1 <> 1",
        "TIMESTAMP('2022-04-14T14:48:46Z') < TIMESTAMP('2022-04-14T14:48:46Z')",
    ] {
        assert_eq!(count(filter), Ok(0), "{filter}");
    }
    assert_eq!(count("id = 3"), Ok(1), "the id is a property");
    assert_eq!(count("geom IS NULL OR geometry IS NULL"), Ok(0));
}

#[test]
fn properties_are_named_once_in_their_order() {
    let tree = text("", "b > 1 AND T_DURING(INTERVAL(c, d), INTERVAL('..', '2020-01-01')) AND f(b, a_list) IN (e, c)");
    assert_eq!(properties(&tree), ["b", "c", "d", "a_list", "e"]);
}

/// Trees of everything that can be written.
fn tree() -> impl Strategy<Value = Expr> {
    use mutu::domain::feature::Value;
    let names = ["a", "用途", "and", "x:y.z", "two words", "\"q\"", "POINT", "bbox", "div", "É", "_1", "1a", ""];
    let name = || prop::sample::select(names.to_vec()).prop_map(|name| Node::Property(name.to_owned()));
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-50..50_i64).prop_map(Value::Integer),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Real),
        "[a-z'\"\\\\%_址é\n\t]{0,8}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Boolean),
        (-700_000..2_900_000_i32).prop_map(Value::Date),
        (-62_000_000_000_000..253_000_000_000_000_i64).prop_map(Value::DateTime),
    ];
    let scalar = prop_oneof![
        value.prop_map(Node::Literal),
        name(),
        (-9_000_000_000_000..9_000_000_000_000_i64, 1..1_000_000_u32)
            .prop_map(|(ms, nanos)| Node::FineMoment { ms, nanos }),
        prop::sample::select(vec![
            "POINT(1.5 -2)",
            "MULTIPOINT((1 2), (3 4))",
            "LINESTRING(0 0, 1e-7 1)",
            "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
            "POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 1.5, 1 1))",
            "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)), ((9 9, 8 9, 8 8, 9 9)))",
            "GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))",
            "BBOX(170, -1.25, -170, 1)",
        ])
        .prop_map(|wkt| text(wkt, wkt).node),
        Just(text("", "INTERVAL('..', '2020-01-01')").node),
        Just(text("", "INTERVAL(a, f(b))").node),
        Just(text("", "INTERVAL('2020-01-01T00:00:00.123456Z', b)").node),
    ];
    let leaf = scalar.prop_map(Expr::from);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let many = |least: usize| prop::collection::vec(inner.clone(), least..4);
        let of = |least: usize, op: Op| many(least).prop_map(move |args| Expr::from(Node::Op(op.clone(), args)));
        let op = |name: &'static str, args: Vec<Expr>| {
            let json = serde_json::json!({ "op": name, "args": args.iter().map(to_json).collect::<Vec<_>>() });
            json_of(&json)
        };
        let two = || prop::collection::vec(inner.clone(), 2);
        let names =
            vec!["=", "<>", "<", "<=", ">", ">=", "like", "+", "-", "*", "/", "%", "div", "^", "s_touches", "t_metBy"];
        let list = |items: Vec<Expr>| Expr::from(Node::List(items));
        prop_oneof![
            of(2, Op::And),
            of(2, Op::Or),
            of(0, Op::Function("f".to_owned())),
            inner.clone().prop_map(move |arg| op("not", vec![arg])),
            inner.clone().prop_map(move |arg| op("isNull", vec![arg])),
            inner.clone().prop_map(move |arg| op("casei", vec![arg])),
            (prop::sample::select(names), two()).prop_map(move |(name, args)| op(name, args)),
            prop::collection::vec(inner.clone(), 3).prop_map(move |args| op("between", args)),
            (inner.clone(), many(0)).prop_map(move |(value, items)| op("in", vec![value, list(items)])),
            (many(0), many(1)).prop_map(move |(a, b)| op("a_overlaps", vec![list(a), list(b)])),
        ]
    })
}

fn json_of(json: &serde_json::Value) -> Expr {
    parse_json(&json.to_string()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_tree_is_read_back_from_what_is_written(tree in tree()) {
        let (written, document) = (to_text(&tree), to_json(&tree).to_string());
        prop_assert_eq!(parse_text(&written), Ok(tree.clone()), "{}", written);
        prop_assert_eq!(parse_json(&document), Ok(tree), "{}", document);
    }

    #[test]
    fn no_text_and_no_document_makes_a_reader_panic(text in "\\PC{0,80}", document in "[\\[\\]{}\":,a-z0-9.e-]{0,80}") {
        let _ = (parse_text(&text), parse_json(&text), parse_json(&document));
    }

    #[test]
    fn a_damaged_example_is_read_or_refused(which: prop::sample::Index, at: prop::sample::Index, by in "\\PC{0,3}", cut in 0..6_usize) {
        for (form, read) in [("text", parse_text as fn(&str) -> Result<Expr, FilterError>), ("json", parse_json)] {
            let all: Vec<String> = examples(form).into_values().collect();
            let chars: Vec<char> = which.get(&all).chars().collect();
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            let damaged: String = chars[..at].iter().copied().chain(by.chars()).chain(chars[end..].iter().copied()).collect();
            if let Ok(tree) = read(&damaged) {
                prop_assert_eq!(&json_of(&to_json(&tree)), &tree);
                let _ = bind(&tree, &super::layer("any", &[("value", mutu::domain::schema::FieldType::Real)]));
            }
        }
    }
}

#[test]
fn what_is_too_much_is_refused_at_once() {
    let said = |found: Result<Expr, FilterError>| found.expect_err("refused").to_string();
    let nested = |n: usize| format!("{}true{}", r#"{"op":"not","args":["#.repeat(n), "]}".repeat(n));
    assert!(parse_json(&nested(60)).is_ok());
    assert!(said(parse_json(&nested(64))).contains("deeper than 64"), "{}", said(parse_json(&nested(64))));
    assert!(said(parse_json(&nested(2000))).contains("deeper than 64"));
    assert!(said(parse_json(&"[".repeat(60_000))).contains("deeper than 64"));
    assert!(said(parse_text(&"A_EQUALS((".repeat(300))).contains("deeper than 64"));
    assert!(said(parse_text(&"(".repeat(300))).contains("deeper than 64"));
    let list = |n: usize| format!(r#"{{"op":"in","args":[{{"property":"a"}},[{}]]}}"#, vec!["1"; n].join(","));
    assert!(parse_json(&list(10_000)).is_ok());
    assert_eq!(said(parse_json(&list(10_001))), "list at /args/1 has more than 10000 items");
    let line = format!("S_CROSSES(geom, LINESTRING({}0 0))", "0 1,".repeat(15_000));
    assert!(parse_text(&line).is_ok(), "{MAX_VERTICES} vertices do not fit into the text");
    assert!(said(parse_text(&format!("{line}{line}"))).contains("too long"));
    for (document, wanted) in [
        ("", "filter is not JSON: EOF"),
        ("1e999", "number out of range"),
        ("NaN", "expected value"),
        (r#"{"op":"="}"#, "at the root found null, expected a list as \"args\""),
        (r#"{"op":"=","args":[1]}"#, "= takes 2 arguments, not 1 (at the root)"),
        (r#"{"op":"and","args":[true,{"op":"not","args":[]}]}"#, "NOT takes 1 argument, not 0 (at /args/1)"),
        (r#"{"op":"and","args":[true]}"#, "AND takes 2 or more arguments, not 1"),
        (r#"{"op":"in","args":[1,2]}"#, "one value stands where a list is needed (at /args/1)"),
        (r#"{"op":"=","args":[1,null]}"#, "at /args/1 found null"),
        (r#"{"op":"=","op":"<","args":[1,2]}"#, "member \"op\" is given twice"),
        (r#"{"op":"=","args":[1,2],"also":3}"#, "found member \"also\""),
        (r#"{"property":1}"#, "the name of a property"),
        (r#"{"date":"2024-02-30"}"#, "\"2024-02-30\" at /date is no date"),
        (r#"{"bbox":[1,2,3]}"#, "a list of four or six numbers"),
        (r#"{"bbox":[1,2,3,"4"]}"#, "a list of four or six numbers"),
        (
            r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}"#,
            "at /coordinates/0 found a list, expected a ring",
        ),
        (r#"{"type":"Point","coordinates":[1]}"#, "a position of two or three numbers"),
        (r#"{"type":"Circle","coordinates":[1,2]}"#, "a GeoJSON geometry of a known type"),
        (r#"{"interval":["..","yesterday"]}"#, "\"yesterday\" at /interval/1 is no date, timestamp or '..'"),
        ("{}", "an object with op, property"),
        (r#"{"what":1}"#, "found an object with \"what\""),
    ] {
        let found = said(parse_json(document));
        assert!(found.contains(wanted), "{document}: {found}");
    }
}

#[test]
fn geometries_of_another_crs_are_moved_in_its_own_axis_order() {
    let crs = |text: &str| text.parse::<Crs>().expect("PROJ knows it");
    let moved = |filter: &str, by: &str| in_crs(text(filter, filter), &crs(by));
    let plain = text("", "S_INTERSECTS(geometry, POLYGON((112 22, 113 22, 113 23, 112 22))) AND a IN (1, 2)");
    let north = "S_INTERSECTS(geometry, POLYGON((22 112, 22 113, 23 113, 22 112))) AND a IN (1, 2)";
    assert_eq!(moved(north, "http://www.opengis.net/def/crs/EPSG/0/4326"), Ok(plain.clone()));
    assert_eq!(moved(north, "EPSG:4490"), Ok(plain.clone()));
    assert_eq!(in_crs(plain.clone(), &crs("CRS84")), Ok(plain));
    assert_eq!(
        moved("S_WITHIN(geometry, BBOX(22, 112, 23, 113))", "EPSG:4326"),
        Ok(text("", "S_WITHIN(geometry, BBOX(112, 22, 113, 23))"))
    );
    // The zone 38 grid: north first, metres. A side of 40 km bulges by metres in longitude and latitude.
    let grid =
        moved("S_WITHIN(geometry, BBOX(2500000, 38380000, 2540000, 38420000))", "EPSG:4526").expect("it lies in China");
    let Node::Op(_, args) = &grid.node else { panic!("{grid:?}") };
    let Node::Geometry(shape) = &args[1].node else { panic!("{grid:?}") };
    let mut back = shape.clone();
    crs("EPSG:4526").from_stored(back.coords_mut()).expect("back");
    assert!(shape.view().coords().len() > 100, "{} vertices", shape.view().coords().len());
    let (west, east) = (38_380_000.0, 38_420_000.0);
    let (south, north) = (2_500_000.0, 2_540_000.0);
    for pair in shape.view().coords().windows(2) {
        // The middle of each edge, straight in longitude and latitude, lies on the side of the box to 2 mm.
        let mut middle =
            [geo::Coord { x: f64::midpoint(pair[0].x, pair[1].x), y: f64::midpoint(pair[0].y, pair[1].y) }];
        crs("EPSG:4526").from_stored(&mut middle).expect("back");
        let at = middle[0];
        let off =
            [at.x - west, at.x - east, at.y - south, at.y - north].map(f64::abs).into_iter().fold(f64::MAX, f64::min);
        assert!(off < 0.002, "{at:?} is {off} m off");
    }
    for (filter, by, wanted) in [
        ("S_WITHIN(geometry, BBOX(5, 1, 4, 2))", "EPSG:3857", "western edge"),
        ("S_WITHIN(geometry, BBOX(1, 5, 2, 4))", "EPSG:3857", "southern edge"),
        ("S_WITHIN(geometry, POINT(1e300 1e300))", "EPSG:4526", "cannot be transformed"),
    ] {
        let said = moved(filter, by).expect_err(filter).to_string();
        assert!(said.contains(wanted), "{filter}: {said}");
    }
}

#[test]
fn a_question_says_in_which_language_and_crs_its_filter_is_written() {
    let (_folder, planner) = test_data();
    let catalog = planner.read();
    let countries = catalog.layer("ne_110m_admin_0_countries").expect("imported");
    let count = |filter: Option<&str>, filter_lang: Option<&str>, filter_crs: Option<&str>| {
        let which = Which { filter, filter_lang, filter_crs, ..Which::default() };
        let found = select(countries, &which).map(|found| found.map(|found| found.len()));
        found.map_err(|error| format!("{}: {}", error.parameter, error.detail))
    };
    // Annex A: the point lies in Luxembourg's surroundings, one country.
    let document = r#"{"op":"s_contains","args":[{"property":"geom"},{"type":"Point","coordinates":[7.02,49.92]}]}"#;
    assert_eq!(count(Some("S_CONTAINS(geom, POINT(7.02 49.92))"), None, None), Ok(Some(1)));
    assert_eq!(count(Some(document), Some("cql2-json"), None), Ok(Some(1)));
    let north_first = "S_CONTAINS(geom, POINT(49.92 7.02))";
    assert_eq!(count(Some(north_first), None, Some("http://www.opengis.net/def/crs/EPSG/0/4326")), Ok(Some(1)));
    assert_eq!(count(Some("S_CONTAINS(geom, POINT(781462.8 6426938.6))"), None, Some("EPSG:3857")), Ok(Some(1)));
    for (question, wanted) in [
        (count(Some(document), None, None), "filter: filter: at position 1 found '{'"),
        (count(Some("true"), Some("cql2-json-ish"), None), "filter-lang: \"cql2-json-ish\" is neither"),
        (count(Some("true"), None, Some("EPSG:1")), "filter-crs: unknown coordinate reference system"),
        (count(None, Some("cql2-text"), None), "filter-lang: says how a filter is written, but there is no filter"),
        (count(None, None, Some("CRS84")), "filter-crs: says what a filter's coordinates are in"),
    ] {
        let said = question.expect_err(wanted);
        assert!(said.starts_with(wanted), "{said}");
    }
}
