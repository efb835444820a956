//! Filters mean what SQL says, select the same row by row and at once, and tell what is wrong with bad ones.

use mutu::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    engine::{
        filter::{self, FilterError, MAX_TEXT, bind, parse_text},
        table::Table,
    },
    ground::shape::Bounds,
};
use proptest::prelude::*;

use super::{Dice, layer, place, rectangle, table, table_in};

fn ledger() -> Layer {
    layer(
        "parcels",
        &[
            ("town", FieldType::Text),
            ("容积率", FieldType::Real),
            ("floors", FieldType::Integer),
            ("idle", FieldType::Boolean),
            ("confirmed_on", FieldType::Date),
            ("seen_at", FieldType::DateTime),
            ("code", FieldType::Text),
        ],
    )
}

/// A row of the ledger as plain values; `None` is no value.
#[derive(Debug, Clone)]
struct Entry {
    town: Option<String>,
    far: Option<f64>,
    floors: Option<i64>,
    number: usize,
}

fn entries(seed: u64, count: usize) -> Vec<Entry> {
    let mut dice = Dice(seed);
    let towns = ["址山镇", "雅瑶镇", "Gonghe", "GONGHE", "a_b%", ""];
    let entry = |dice: &mut Dice, number: usize| Entry {
        town: (dice.below(5) > 0).then(|| towns[dice.below(towns.len())].to_owned()),
        far: (dice.below(5) > 0).then(|| dice.below(9) as f64 / 2.0),
        floors: (dice.below(5) > 0).then(|| dice.below(7) as i64 - 2),
        number,
    };
    (0..count).map(|number| entry(&mut dice, number)).collect()
}

fn table_of(entries: &[Entry], segments: usize) -> Table {
    let row = |(i, entry): (usize, &Entry)| {
        let values = vec![
            entry.town.clone().map_or(Value::Null, Value::Text),
            entry.far.map_or(Value::Null, Value::Real),
            entry.floors.map_or(Value::Null, Value::Integer),
            Value::Boolean(i % 2 == 0),
            Value::Date(i as i32),
            Value::DateTime(i as i64 * 1000),
            Value::Text(format!("code-{i}")),
        ];
        (Some(rectangle(i as f64 * 20.0, 0.0, 10.0, 10.0)), values)
    };
    table_in(&ledger(), &entries.iter().enumerate().map(row).collect::<Vec<_>>(), segments)
}

/// A condition with its text and its meaning.
#[derive(Debug, Clone)]
enum Condition {
    Town(&'static str, &'static str),
    TownLike(&'static str),
    TownFolded(&'static str),
    TownIn(Vec<&'static str>),
    Far(&'static str, i32),
    FarBetween(i32, i32),
    FloorsIn(Vec<i64>),
    Sum(&'static str, i32),
    NoFar,
    NoTown,
    NoFloors,
    Idle,
    Floors(&'static str, i32),
    Id(&'static str, i64),
    Day(&'static str, i32),
    Area(&'static str, i32),
    Remainder(i64),
    Known(Box<Condition>),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

fn holds<T: PartialOrd>(op: &str, a: &T, b: &T) -> bool {
    match op {
        "=" => a == b,
        "<>" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Condition {
    fn text(&self) -> String {
        let listed = |items: Vec<String>| items.join(", ");
        match self {
            Self::Town(op, town) => format!("town {op} {}", quoted(town)),
            Self::TownLike(pattern) => format!("\"town\" LIKE {}", quoted(pattern)),
            Self::TownFolded(town) => format!("CASEI(town) = casei({})", quoted(town)),
            Self::TownIn(towns) => format!("town IN ({})", listed(towns.iter().map(|t| quoted(t)).collect())),
            Self::Far(op, halves) => format!("容积率 {op} {}", f64::from(*halves) / 2.0),
            Self::FarBetween(low, high) => format!("容积率 BETWEEN {low} AND {high}"),
            Self::FloorsIn(floors) => format!("floors IN ({})", listed(floors.iter().map(i64::to_string).collect())),
            Self::Sum(op, wanted) => format!("容积率 * 2 + floors {op} {wanted}"),
            Self::NoFar => "容积率 IS NULL".to_owned(),
            Self::NoTown => "town IS NULL".to_owned(),
            Self::NoFloors => "floors IS NULL".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Floors(op, halves) => format!("{} {op} floors", f64::from(*halves) / 2.0),
            Self::Id(op, id) => format!("id {op} {id}"),
            Self::Day(op, day) => format!("confirmed_on {op} DATE('1971-01-{:02}')", day + 1),
            Self::Area(op, area) => format!("area_planar_m2 {op} {area}"),
            Self::Remainder(rest) => format!("floors % 3 = {rest} AND floors div 3 * 3 + floors % 3 = floors"),
            Self::Known(inner) => format!("({}) IS NOT NULL", inner.text()),
            Self::Not(inner) => format!("NOT ({})", inner.text()),
            Self::And(a, b) => format!("({}) AND ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
        }
    }

    /// True, false or unknown, as SQL defines it.
    fn meaning(&self, entry: &Entry) -> Option<bool> {
        match self {
            Self::Town(op, town) => entry.town.as_ref().map(|t| holds(op, &t.as_str(), town)),
            Self::TownLike(pattern) => entry.town.as_ref().map(|town| match *pattern {
                "%镇" => town.ends_with('镇'),
                "址%" => town.starts_with('址'),
                "_on%" => town.chars().skip(1).collect::<String>().starts_with("on"),
                _ => town.contains("_b%"),
            }),
            Self::TownFolded(town) => entry.town.as_ref().map(|t| t.eq_ignore_ascii_case(town)),
            Self::TownIn(towns) => entry.town.as_ref().map(|t| towns.contains(&t.as_str())),
            Self::Far(op, halves) => entry.far.map(|far| holds(op, &far, &(f64::from(*halves) / 2.0))),
            Self::FarBetween(low, high) => entry.far.map(|far| far >= f64::from(*low) && far <= f64::from(*high)),
            Self::FloorsIn(floors) => entry.floors.map(|f| floors.contains(&f)),
            Self::Sum(op, wanted) => Some(holds(op, &(entry.far? * 2.0 + entry.floors? as f64), &f64::from(*wanted))),
            Self::NoFar => Some(entry.far.is_none()),
            Self::NoTown => Some(entry.town.is_none()),
            Self::NoFloors => Some(entry.floors.is_none()),
            Self::Idle => Some(entry.number.is_multiple_of(2)),
            Self::Floors(op, halves) => {
                entry.floors.map(|floors| holds(op, &(f64::from(*halves) / 2.0), &(floors as f64)))
            }
            Self::Id(op, id) => Some(holds(op, &(entry.number as i64 + 1), id)),
            Self::Day(op, day) => Some(holds(op, &(entry.number as i32), &(365 + day))),
            Self::Area(op, area) => Some(holds(op, &100, area)),
            Self::Remainder(rest) => entry.floors.map(|floors| floors % 3 == *rest),
            Self::Known(inner) => Some(inner.meaning(entry).is_some()),
            Self::Not(inner) => inner.meaning(entry).map(|truth| !truth),
            Self::And(a, b) => match (a.meaning(entry), b.meaning(entry)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.meaning(entry), b.meaning(entry)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = || prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let town = || prop::sample::select(vec!["址山镇", "雅瑶镇", "Gonghe", "gonghe", "", "it's"]);
    let leaf = prop_oneof![
        (op(), town()).prop_map(|(op, town)| Condition::Town(op, town)),
        prop::sample::select(vec!["%镇", "址%", "_on%", "%\\_b\\%%"]).prop_map(Condition::TownLike),
        town().prop_map(Condition::TownFolded),
        prop::collection::vec(town(), 0..3).prop_map(Condition::TownIn),
        (op(), -1..10_i32).prop_map(|(op, halves)| Condition::Far(op, halves)),
        (-1..3_i32, 0..5_i32).prop_map(|(low, high)| Condition::FarBetween(low, high)),
        prop::collection::vec(-3..6_i64, 1..4).prop_map(Condition::FloorsIn),
        (op(), -3..12_i32).prop_map(|(op, wanted)| Condition::Sum(op, wanted)),
        prop::sample::select(vec![Condition::NoFar, Condition::NoTown, Condition::NoFloors, Condition::Idle]),
        (op(), -5..9_i32).prop_map(|(op, halves)| Condition::Floors(op, halves)),
        (op(), 0..500_i64).prop_map(|(op, id)| Condition::Id(op, id)),
        (op(), 0..31_i32).prop_map(|(op, day)| Condition::Day(op, day)),
        (op(), 99..102_i32).prop_map(|(op, area)| Condition::Area(op, area)),
        (-2..3_i64).prop_map(Condition::Remainder),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = || (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| Condition::Not(Box::new(a))),
            inner.clone().prop_map(|a| Condition::Known(Box::new(a))),
            pair().prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            pair().prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_filter_selects_what_it_means(seed: u64, condition in condition(), segments in 1_usize..4) {
        let entries = entries(seed, 450);
        let table = table_of(&entries, segments);
        let bound = bind(&parse_text(&condition.text()).expect("is CQL2"), &ledger()).expect("fits the ledger");
        let selection = bound.select(&table, None).expect("in budget");
        for row in table.rows() {
            let wanted = condition.meaning(&entries[table.id(row) as usize - 1]) == Some(true);
            prop_assert_eq!(bound.matches(&table, row), wanted, "{} for row {}", condition.text(), table.id(row));
            prop_assert_eq!(selection.contains(row), wanted, "{} at once", condition.text());
        }
        prop_assert_eq!(selection.rows().count(), selection.len());
        let bounds = Bounds::of_corners(place(500.0, 2.0), place(1500.0, 3.0));
        let boxed = bound.select(&table, Some(bounds)).expect("in budget");
        let near = table.rows().filter(|row| selection.contains(*row) && (26..=76).contains(&table.id(*row)));
        prop_assert_eq!(boxed.rows().collect::<Vec<_>>(), near.collect::<Vec<_>>());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        let _ = parse_text(&text);
    }

    #[test]
    fn no_row_of_words_makes_the_reader_panic(words in prop::collection::vec(prop::sample::select(vec![
        "town", "(", ")", "AND", "OR", "NOT", "'x'", "1", "-", "+", "*", "/", "<", "=", "IN", "LIKE", "BETWEEN", "IS", "NULL", ",",
        "POINT", "POLYGON", "BBOX", "DATE", "CASEI", "S_INTERSECTS", "geometry", "EMPTY", "Z", "\"a\"", "'", "%", "^", "DIV",
    ]), 0..30)) {
        if let Ok(expr) = parse_text(&words.join(" ")) {
            let _ = bind(&expr, &ledger());
        }
    }
}

fn selected(text: &str) -> Result<usize, FilterError> {
    let entries = entries(7, 50);
    Ok(bind(&parse_text(text)?, &ledger())?.select(&table_of(&entries, 2), None)?.len())
}

fn refusal(text: &str) -> String {
    selected(text).expect_err(text).to_string()
}

#[test]
fn dates_moments_truths_and_derived_areas_are_compared() {
    assert_eq!(selected("confirmed_on < DATE('1970-01-11')"), Ok(10));
    assert_eq!(selected("DATE('1970-01-11') > confirmed_on"), Ok(10));
    assert_eq!(selected("seen_at >= TIMESTAMP('1970-01-01T00:00:40Z')"), Ok(10));
    assert_eq!(selected("seen_at >= TIMESTAMP('1970-01-01T08:00:40+08:00')"), Ok(10));
    assert_eq!(selected("idle"), Ok(25));
    assert_eq!(selected("idle = false AND TRUE"), Ok(25));
    assert_eq!(selected("area_planar_m2 = 100"), Ok(50));
    assert_eq!(selected("area_mu BETWEEN 0.149 AND 0.151"), Ok(50));
    assert_eq!(selected("area_m2 / 0 > 1"), Ok(0), "a division by zero has no value");
    assert_eq!(selected("NOT (area_m2 / 0 > 1)"), Ok(0));
    assert_eq!(selected("-floors = 2 AND floors = -2"), selected("floors = -2"));
    assert_eq!(selected("9223372036854775807 + 1 > 0"), Ok(50), "an overflow of whole numbers goes on as real");
}

#[test]
fn places_are_compared_in_longitude_and_latitude() {
    let (a, b) = (place(-5.0, -5.0), place(95.0, 15.0));
    let ring = format!("(({} {}, {} {}, {} {}, {} {}, {} {}))", a.x, a.y, b.x, a.y, b.x, b.y, a.x, b.y, a.x, a.y);
    let bbox = format!("BBOX({}, {}, {}, {})", a.x, a.y, b.x, b.y);
    for area in [format!("POLYGON{ring}"), format!("MULTIPOLYGON({ring})"), bbox, format!("polygon z {ring}")] {
        assert_eq!(selected(&format!("S_INTERSECTS(geometry, {area})")), Ok(5), "{area}");
        assert_eq!(selected(&format!("s_intersects({area}, geom)")), Ok(5), "{area}");
        assert_eq!(selected(&format!("S_WITHIN(geometry, {area})")), Ok(5), "{area}");
        assert_eq!(selected(&format!("S_CONTAINS({area}, geometry)")), Ok(5), "{area}");
        assert_eq!(selected(&format!("S_DISJOINT(geometry, {area})")), Ok(45), "{area}");
        assert_eq!(selected(&format!("NOT S_INTERSECTS(geometry, {area}) AND idle")), Ok(22), "{area}");
        assert_eq!(selected(&format!("S_INTERSECTS(geometry, {area}) OR confirmed_on = DATE('1970-02-10')")), Ok(6));
    }
    let (p, q) = (place(25.0, 5.0), place(66.0, 5.0));
    assert_eq!(selected(&format!("S_CONTAINS(geometry, POINT({} {}))", p.x, p.y)), Ok(1));
    assert_eq!(selected(&format!("S_INTERSECTS(geometry, LINESTRING({} {}, {} {}))", p.x, p.y, q.x, q.y)), Ok(3));
    assert_eq!(selected(&format!("S_INTERSECTS(geometry, MULTIPOINT({} {}, ({} {})))", p.x, p.y, q.x, q.y)), Ok(2));
    assert_eq!(selected("geometry IS NULL"), Ok(0));
}

#[test]
fn a_wrong_filter_says_what_is_wrong_and_where() {
    for (text, wanted) in [
        ("", "at position 1 found the end"),
        ("town = ", "at position 8 found the end"),
        ("town = 'x", "expected a closing '"),
        ("town == 'x'", "at position 7 found \"=\""),
        ("容积率 > > 2", "at position 7 found \">\""),
        ("town = 'x' town", "expected AND, OR or the end"),
        ("town = 'x'; DROP TABLE parcels", "found ';'"),
        ("town NOT 'x'", "expected LIKE, BETWEEN or IN"),
        ("twon = 'x'", "unknown property \"twon\": did you mean town?"),
        ("Town = 'x'", "did you mean town?"),
        ("exec = 'x'", "unknown property \"exec\": the layer has town, 容积率"),
        ("town > 5", "property \"town\" (text) and 5 (number) cannot be compared"),
        ("容积率 = 'x'", "property \"容积率\" (number) and \"x\" (text) cannot be compared"),
        ("confirmed_on > 'soon'", "\"soon\" at position 16 is no date"),
        ("confirmed_on > 5", "property \"confirmed_on\" (date) and 5 (number) cannot be compared (at position 1)"),
        ("confirmed_on = seen_at", "(date) and property \"seen_at\" (timestamp) cannot be compared"),
        ("confirmed_on > DATE('2024-13-01')", "is no date: use YYYY-MM-DD"),
        ("town", "stands where a condition is needed"),
        ("floors + 'x' = 1", "\"x\" (text) stands where a number is needed"),
        ("floors LIKE 'x'", "stands where text is needed"),
        ("floors IN (1, 'x')", "cannot be compared"),
        ("floors = 1e400", "is no finite number"),
        ("strStartsWith(town, 'x') = true", "function \"strStartsWith\" is not supported"),
        (
            "T_AFTER(confirmed_on, TIMESTAMP('2024-01-01T00:00:00Z'))",
            "a date and a timestamp cannot be compared, for a date has no time zone",
        ),
        ("T_AFTER(town, DATE('2024-01-01'))", "property \"town\" (text) stands where a date or a timestamp"),
        (
            "T_DURING(seen_at, INTERVAL('..', '..'))",
            "an instant in T_DURING stands where an interval is needed (at position 10)",
        ),
        (
            "T_AFTER(seen_at, INTERVAL('2024-01-01', '2024-01-01T00:00:00Z'))",
            "a date and a timestamp cannot be compared",
        ),
        ("T_AFTER(seen_at, INTERVAL('2024-01-01', '2023-01-01'))", "an interval that ends before it begins"),
        ("T_AFTER(seen_at)", "T_AFTER takes 2 arguments, not 1 (at position 1)"),
        ("T_NEVER(seen_at, seen_at)", "function \"T_NEVER\" is not supported (at position 1)"),
        ("A_CONTAINS(town, ('x'))", "property \"town\" (text) stands where a list is needed (at position 12)"),
        ("A_CONTAINS((town), (geometry))", "(geometry) stands where a value is needed"),
        ("ACCENTI(floors) = 'x'", "property \"floors\" (number) stands where text is needed (at position 9)"),
        ("2 ^ 3 ^ 2 = 1", "at position 7 found \"^\", expected parentheses"),
        ("town LIKE code", "LIKE with a pattern that is no literal is not supported (at position 11)"),
        ("(floors > 1) = TRUE", "a condition stands where a value is needed (at position 1)"),
        (
            "S_INTERSECTS(geometry, POINT(22.7 113))",
            "at position 24 (22.7 113) is no longitude and latitude: they look exchanged",
        ),
        ("S_INTERSECTS(geometry, POINT(38393000 2519000))", "for another reference system say so in filter-crs"),
        ("S_INTERSECTS(geometry, BBOX(1,2,3,1))", "the southern edge 2 of the box lies north"),
        (
            "S_WITHIN(geometry, POLYGON((0 0, 2 2, 2 0, 0 2, 0 0)))",
            "the geometry at position 20 cannot be related to others: the outline crosses",
        ),
        (
            "S_TOUCHES(geometry, GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 2 2)))",
            "S_TOUCHES with a GEOMETRYCOLLECTION of several kinds or of surfaces that overlap is not supported",
        ),
        ("S_WITHIN(geometry, Buffer(geometry, 10, 'm'))", "function \"Buffer\" is not supported (at position 20)"),
        ("S_INTERSECTS(geometry, POINT EMPTY)", "POINT EMPTY is not supported"),
        ("S_INTERSECTS(geometry, POLYGON((1 1, 2 1, 2 2)))", "ring of four or more coordinates"),
        ("S_INTERSECTS(geometry, POLYGON((1 1, 2 1, 2 2, 1 2)))", "closed ring"),
        ("S_INTERSECTS(geometry, BBOX(1,2,3))", "box of four or six numbers"),
        ("S_INTERSECTS(geometry, town)", "stands where a geometry is needed"),
        ("S_INTERSECTS(town, 5)", "property \"town\" (text) stands where a geometry is needed"),
        ("S_INTERSECTS(geometry)", "takes 2 arguments, not 1"),
        ("CASEI(town, town) = 'x'", "CASEI takes 1 argument, not 2"),
        ("\"__proto__\" = 'x'", "unknown property \"__proto__\""),
    ] {
        let said = refusal(text);
        assert!(said.contains(wanted), "{text}: {said}");
    }
}

#[test]
fn attacks_are_data_or_errors_and_cost_nothing() {
    assert_eq!(selected("town = 'x'' OR ''1''=''1'"), Ok(0));
    assert_eq!(selected("town='x' OR '1'='1'"), Ok(50), "a comparison of constants is CQL2");
    let deep = |n: usize| format!("{}town = 'x'{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(selected(&deep(60)), Ok(0));
    assert!(refusal(&deep(10_000)).contains("deeper than 64"));
    assert_eq!(selected(&format!("{}idle", "NOT ".repeat(10_000))), Ok(25), "only length bounds negations");
    assert_eq!(selected(&format!("-1 < {}1", "-".repeat(30_000))), Ok(50));
    assert!(refusal(&format!("floors = 1{}", " + 1".repeat(300))).contains("deeper"));
    assert!(refusal(&"a".repeat(MAX_TEXT + 1)).contains("too long"));
    let many = |n: usize| format!("floors IN ({})", vec!["1"; n].join(","));
    assert!(selected(&many(10_000)).is_ok());
    assert!(refusal(&many(10_001)).contains("more than 10000 items"));
    let said = refusal(&format!("{} = 1", "名".repeat(10_000)));
    assert!(said.len() < 600, "{} bytes", said.len());
    assert_eq!(selected(&format!("code LIKE '{}b'", "%a".repeat(5000))), Ok(0));
    assert!(refusal(&"POINT(".repeat(2000)).contains("expected a number"));
}

#[test]
fn a_simple_property_filter_is_read_by_the_columns_type() {
    let table = table_of(&entries(7, 50), 1);
    let count = |name: &str, value: &str| -> Result<usize, FilterError> {
        Ok(bind(&filter::property_equals(name, value, &ledger())?, &ledger())?.select(&table, None)?.len())
    };
    assert_eq!(count("code", "code-7"), Ok(1));
    assert_eq!(count("floors", "3"), Ok(selected("floors = 3").expect("good")));
    assert_eq!(count("容积率", "1.5"), Ok(selected("容积率 = 1.5").expect("good")));
    assert_eq!(count("idle", "true"), Ok(25));
    assert_eq!(count("confirmed_on", "1970-01-03"), Ok(1));
    assert_eq!(count("seen_at", "1970-01-01T00:00:03Z"), Ok(1));
    for (name, value) in
        [("floors", "three"), ("容积率", "inf"), ("容积率", "NaN"), ("idle", "yes"), ("confirmed_on", "1970-1-3")]
    {
        assert!(matches!(count(name, value), Err(FilterError::BadLiteral { .. })), "{name}={value}");
    }
    assert!(matches!(count("nothing", "1"), Err(FilterError::UnknownProperty { .. })));
}

#[test]
fn plain_text_columns_are_filtered_like_coded_ones() {
    let layer = layer("codes", &[("code", FieldType::Text)]);
    let features: Vec<_> = (0..30_000)
        .map(|i| (None, vec![if i % 7 == 0 { Value::Null } else { Value::Text(format!("地块{i}")) }]))
        .collect();
    let table = table(&layer, &features);
    let bound = |text: &str| bind(&parse_text(text).expect("CQL2"), &layer).expect("binds");
    let count = |text: &str| bound(text).select(&table, None).expect("in budget").len();
    assert_eq!(count("code = '地块12345'"), 1);
    assert_eq!(count("code LIKE '地块1234_'"), 8, "12340 to 12349 but for two without a code");
    assert_eq!(count("code IS NULL"), 4286);
    assert_eq!(count("code IN ('地块1', '地块2', '地块7')"), 2);
}

#[test]
fn a_filter_over_its_budget_is_refused_before_it_runs() {
    let layer = layer("codes", &[("code", FieldType::Text), ("n", FieldType::Integer)]);
    let row = |n: i64| (None, vec![Value::Text(format!("地块{n}")), Value::Integer(n)]);
    let table = table(&layer, &(0..20_000).map(row).collect::<Vec<_>>());
    let select = |text: &str| bind(&parse_text(text).expect("CQL2"), &layer).expect("binds").select(&table, None);
    let listed = |count: usize| vec!["1"; count].join(",");
    let costly = format!("A_CONTAINS(({}), (n))", listed(10_000));
    let said = select(&costly).expect_err("six thousand million steps").to_string();
    assert!(said.contains("the budget is 4000000000") && said.contains("shorter lists"), "{said}");
    assert_eq!(select(&format!("A_CONTAINS(({}), (n))", listed(20))).map(|found| found.len()), Ok(1));
    // A long list of constants is looked up, not walked.
    assert_eq!(select(&format!("n IN ({})", listed(10_000))).map(|found| found.len()), Ok(1));
}

#[test]
fn times_and_lists_are_related() {
    for (filter, count) in [
        ("T_BEFORE(confirmed_on, DATE('1970-01-11'))", 10),
        ("T_AFTER(INTERVAL('1970-01-05', '..'), confirmed_on)", 4),
        ("T_INTERSECTS(confirmed_on, INTERVAL('1970-01-05', '1970-01-10'))", 6),
        ("T_DURING(INTERVAL(seen_at, '1970-01-01T00:01:00Z'), INTERVAL('1970-01-01T00:00:39.9995Z', '..'))", 10),
        ("T_FINISHEDBY(INTERVAL('..', '1970-01-01T00:01:00Z'), INTERVAL(seen_at, '1970-01-01T00:01:00Z'))", 50),
        ("T_INTERSECTS(INTERVAL(seen_at, '1970-01-01T00:00:09Z'), INTERVAL('..', '..'))", 10),
        ("seen_at > TIMESTAMP('1970-01-01T00:00:39.999999999Z')", 10),
        ("seen_at = TIMESTAMP('1970-01-01T00:00:39.0000001Z')", 0),
        ("confirmed_on >= '1970-01-11' AND seen_at < '1970-01-01T00:00:20Z'", 10),
        ("A_OVERLAPS((code, 'x'), ('code-1', 'code-2', 7))", 2),
        ("A_CONTAINEDBY((idle, TRUE), (TRUE, FALSE))", 50),
        ("A_EQUALS((idle, TRUE, 1), (1.0, TRUE))", 25),
        ("A_CONTAINS(((1, 2), 'a'), ((2, 1)))", 50),
        ("A_CONTAINS((1, 2), ())", 50),
        ("id BETWEEN 5 AND 7 OR id = 50", 4),
        ("-id ^ 2 = 49 AND 7 - id = 0", 1),
        ("'a\\tb\\'c' = 'a\tb''c'", 50),
        ("(town = 'x') IS NULL AND town IS NOT NULL", 0),
    ] {
        assert_eq!(selected(filter), Ok(count), "{filter}");
    }
}
