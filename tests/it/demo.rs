//! The Heshan demo: totals of the documents exactly, no overlaps, everything in its place, nothing synthetic unsaid.
//!
//! Areas are checked twice: by the product's survey rule to 0.01 m², and by Karney's geodesic polygons (`geo`),
//! which share no code with it, to 1e-6. Overlaps and containment are checked with `geo`'s predicates and a
//! sweep of bounding boxes written here.

#[path = "../../geodata/generator/mod.rs"]
mod generator;

use std::{collections::BTreeMap, fs, path::PathBuf};

use geo::{Area as _, BooleanOps, Contains, GeodesicArea, Geometry, MultiPolygon, Relate, Validation};
use mutu::{
    domain::{
        feature::{Feature, Value},
        layer::{Layer, Provenance},
        schema::FieldType,
        target::{MeasureKind, TargetUnit},
    },
    ground::{
        crs::Crs,
        fault::faults_of,
        measure::{SurveyGrid, ellipsoidal_m2},
        units::{Area, AreaUnit, Basis},
    },
    seeds,
};

struct Loaded {
    layer: Layer,
    features: Vec<Feature>,
}

impl Loaded {
    fn text<'a>(&self, feature: &'a Feature, column: &str) -> Option<&'a str> {
        let at = self.layer.schema.position(column).expect("a column of the layer");
        match &feature.values[at] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn date(&self, feature: &Feature, column: &str) -> Option<i32> {
        let at = self.layer.schema.position(column).expect("a column of the layer");
        match feature.values[at] {
            Value::Date(day) => Some(day),
            _ => None,
        }
    }

    fn hundredths(&self, feature: &Feature) -> i64 {
        let crs: Crs = self.layer.grid.parse().expect("a known grid");
        let grid = SurveyGrid::new(crs, self.layer.surveyed_in_grid).expect("a survey grid");
        let m2 = ellipsoidal_m2(feature.shape.as_ref().expect("a surface").view(), Some(&grid));
        Area::from_m2(Basis::Ellipsoidal, m2).expect("a figure").hundredths_m2()
    }

    fn total(&self, chosen: impl Fn(&Feature) -> bool) -> Total {
        let chosen: Vec<&Feature> = self.features.iter().filter(|feature| chosen(feature)).collect();
        Total {
            hundredths: chosen.iter().map(|feature| self.hundredths(feature)).sum(),
            geodesic_m2: chosen.iter().map(|feature| geometry(feature).geodesic_area_signed().abs()).sum(),
        }
    }
}

struct Total {
    hundredths: i64,
    geodesic_m2: f64,
}

impl Total {
    /// The rule's figure is the expected one exactly; the independent figure agrees to 1e-6.
    fn is(&self, hundredths: i64) {
        assert_eq!(self.hundredths, hundredths);
        self.agrees();
    }

    fn agrees(&self) {
        let m2 = self.hundredths as f64 / 100.0;
        assert!((self.geodesic_m2 / m2 - 1.0).abs() < 1e-6, "{m2} m² against {} m²", self.geodesic_m2);
    }

    fn printed(&self, unit: AreaUnit) -> String {
        Area::from_hundredths_m2(Basis::Ellipsoidal, self.hundredths).rounded(unit, 2).to_string()
    }
}

fn geometry(feature: &Feature) -> Geometry {
    feature.shape.as_ref().expect("a geometry").view().to_geo()
}

fn surface(feature: &Feature) -> MultiPolygon {
    feature.shape.as_ref().expect("a surface").view().to_multi_polygon()
}

fn layer(id: &str) -> Loaded {
    let manifest = seeds::manifest().expect("the manifest is sound");
    let seed = manifest.layers.into_iter().find(|seed| seed.layer.id.as_str() == id).expect("a layer of the demo");
    let features = seed.features().expect("the features fit the manifest");
    Loaded { layer: seed.layer, features }
}

fn county() -> MultiPolygon {
    surface(&layer("county").features[0])
}

fn towns() -> BTreeMap<String, MultiPolygon> {
    let towns = layer("towns");
    let named = |town| (towns.text(town, "name").expect("a name").to_owned(), surface(town));
    towns.features.iter().map(named).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(file: &str) -> String {
    fs::read_to_string(root().join(file)).expect("a shipped file")
}

#[test]
fn the_generator_and_the_shipped_files_agree() {
    let real = ["geodata/county.geojson", "geodata/seats.geojson", "seeds/villages.csv"].map(shipped);
    for (name, text) in generator::files(&real[0], &real[1], &real[2]) {
        let path = root().join("geodata").join(name);
        if std::env::var_os("MUTU_WRITE_GEODATA").is_some() {
            fs::write(&path, &text).expect("geodata/ can be written");
        }
        let same = fs::read_to_string(&path).expect("a shipped file") == text;
        assert!(same, "{name} is not what the generator makes: MUTU_WRITE_GEODATA=1 rewrites it");
    }
}

#[test]
fn the_shipped_geometry_is_small_and_has_one_feature_a_line() {
    let mut bytes = 0;
    for seed in seeds::manifest().expect("the manifest is sound").layers {
        let text = shipped(&format!("geodata/{}", seed.file()));
        bytes += text.len();
        let features = text.lines().filter(|line| line.starts_with("{\"type\":\"Feature\",")).count();
        assert_eq!(features, seed.features().expect("sound").len(), "{}", seed.file());
    }
    assert!(bytes < 12_000_000, "{bytes} bytes");
}

#[test]
fn parcels_are_twenty_thousand_mu_exactly() {
    let parcels = layer("parcels");
    let total = parcels.total(|_| true);
    total.is(1_333_333_333);
    assert_eq!(total.printed(AreaUnit::Mu), "20000.00");
    let count = parcels.features.len();
    assert!((1_900..=2_100).contains(&count), "{count} parcels");
    let done = parcels.total(|f| matches!(parcels.text(f, "status"), Some("完成处置" | "效益复评")));
    let share = done.hundredths as f64 / total.hundredths as f64;
    assert!((0.45..=0.65).contains(&share), "{share} of the area is dealt with");
    let holes = |f: &&Feature| surface(f).0.iter().any(|part| !part.interiors().is_empty());
    assert!(parcels.features.iter().filter(holes).count() >= 5);
    assert!(parcels.features.iter().filter(|f| surface(f).0.len() > 1).count() >= 5);
}

#[test]
fn parks_have_the_stated_areas_and_do_not_touch() {
    let parks = layer("parks");
    let of = |kind: &str| parks.total(|f| parks.text(f, "kind") == Some(kind));
    of("主平台").is(3_120_000_000);
    assert_eq!(of("主平台").printed(AreaUnit::Km2), "31.20");
    of("产业园").is(1_029_000_000);
    assert_eq!(of("产业园").printed(AreaUnit::Ha), "1029.00");
    assert_eq!(parks.features.len(), 7);
    let stated = parks.layer.schema.position("stated_area").expect("a column");
    for (i, park) in parks.features.iter().enumerate() {
        let base = parks.text(park, "kind") == Some("产业平台");
        assert_eq!(park.values[stated] == Value::Null, base, "only two objects have an area in the documents");
        for other in &parks.features[i + 1..] {
            assert!(geometry(park).relate(&geometry(other)).is_disjoint());
        }
    }
}

#[test]
fn the_supply_plan_is_four_thousand_mu_of_industry_and_at_least_four_fifths_of_the_rest() {
    let supply = layer("supply");
    let industry = supply.total(|f| supply.text(f, "use") == Some("工业"));
    industry.is(266_666_667);
    assert_eq!(industry.printed(AreaUnit::Mu), "4000.00");
    let whole = supply.total(|f| supply.text(f, "use") != Some("基础设施"));
    whole.agrees();
    assert!(whole.hundredths > industry.hundredths, "there are other uses");
    assert!(industry.hundredths * 100 >= whole.hundredths * 80);
    let all = supply.total(|_| true);
    assert!(all.hundredths > whole.hundredths, "there is infrastructure");
}

#[test]
fn there_are_366_tasks_at_three_levels() {
    let tasks = layer("tasks");
    let of = |level: &str| tasks.features.iter().filter(|f| tasks.text(f, "level") == Some(level)).count();
    assert_eq!([of("县级"), of("镇级"), of("村级"), tasks.features.len()], [166, 84, 116, 366]);
    for task in &tasks.features {
        assert!(tasks.text(task, "lead_unit").is_some_and(|unit| unit.contains("示例")));
        assert!(tasks.text(task, "leader").is_some_and(|unit| unit.contains("示例")));
    }
}

#[test]
fn towns_and_land_use_sum_to_the_county() {
    let whole = layer("county").total(|_| true);
    whole.agrees();
    for id in ["towns", "landuse"] {
        let parts = layer(id);
        let total = parts.total(|_| true);
        total.agrees();
        // Each part is rounded to 0.01 m²; unrounded they sum up.
        let slack = i64::try_from(parts.features.len()).expect("few");
        assert!((total.hundredths - whole.hundredths).abs() <= slack, "{id}: {}", total.hundredths);
    }
    let landuse = layer("landuse");
    assert!((1_500..=3_000).contains(&landuse.features.len()));
    let towns = layer("towns");
    for town in &towns.features {
        let name = towns.text(town, "name");
        let parts = landuse.total(|f| landuse.text(f, "town") == name).hundredths;
        assert!((parts - towns.hundredths(town)).abs() <= 3_000, "{name:?}");
    }
}

/// Every edge of a partition is the outline's or is used once in each direction: no gap and no overlap.
#[test]
fn land_use_and_towns_share_their_edges_exactly() {
    let outline = edges(&layer("county").features);
    for id in ["towns", "landuse"] {
        let mut open = edges(&layer(id).features);
        for ((from, to), count) in &outline {
            assert_eq!((*count, open.get(&(*from, *to))), (1, Some(&1)), "{id} has the outline's edge");
        }
        open.retain(|edge, _| !outline.contains_key(edge));
        for ((from, to), count) in &open {
            assert_eq!((*count, open.get(&(*to, *from))), (1, Some(&1)), "{id}: an edge without its other side");
        }
    }
}

type Nano = [i64; 2];

/// Directed edges with the surface on their left, and how often each is used.
fn edges(features: &[Feature]) -> BTreeMap<(Nano, Nano), usize> {
    let mut found = BTreeMap::new();
    for feature in features {
        let shape = feature.shape.as_ref().expect("a surface");
        for part in shape.view().parts() {
            for (i, ring) in part.enumerate() {
                let mut ring: Vec<Nano> = ring.iter().map(|c| [c.x, c.y].map(|v| (v * 1e9).round() as i64)).collect();
                let left = generator::plane::doubled_area(&ring[1..]) > 0;
                if left != (i == 0) {
                    ring.reverse();
                }
                for w in ring.windows(2) {
                    *found.entry((w[0], w[1])).or_default() += 1;
                }
            }
        }
    }
    found
}

#[test]
fn parcels_and_supply_plots_do_not_overlap() {
    let [parcels, supply] = ["parcels", "supply"].map(layer);
    let all: Vec<MultiPolygon> = parcels.features.iter().chain(&supply.features).map(surface).collect();
    let pairs = overlapping(&all);
    assert!(pairs.is_empty(), "{pairs:?}");
}

#[test]
fn control_lines_do_not_overlap() {
    let all: Vec<MultiPolygon> = layer("constraints").features.iter().map(surface).collect();
    let pairs = overlapping(&all);
    assert!(pairs.is_empty(), "{pairs:?}");
}

/// Pairs whose interiors meet, by the exact intersection matrix; candidates by a sweep from west to east.
fn overlapping(all: &[MultiPolygon]) -> Vec<(usize, usize)> {
    use geo::BoundingRect;
    let boxes: Vec<_> = all.iter().map(|shape| shape.bounding_rect().expect("not empty")).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| boxes[*a].min().x.total_cmp(&boxes[*b].min().x));
    let mut found = Vec::new();
    let mut met = 0;
    for (k, i) in order.iter().enumerate() {
        for j in order[k + 1..].iter().take_while(|j| boxes[**j].min().x <= boxes[*i].max().x) {
            if boxes[*j].min().y > boxes[*i].max().y || boxes[*j].max().y < boxes[*i].min().y {
                continue;
            }
            met += 1;
            let matrix = all[*i].relate(&all[*j]);
            if matrix.matches("T********").expect("a matrix") {
                found.push((*i.min(j), *i.max(j)));
            }
        }
    }
    assert!(met > 0, "the sweep meets neighbours");
    found
}

#[test]
fn everything_lies_in_the_county() {
    let county = county();
    for seed in seeds::manifest().expect("sound").layers {
        let loaded = layer(seed.layer.id.as_str());
        let of_whole_edges = ["county", "towns", "landuse", "constraints"].contains(&loaded.layer.id.as_str());
        for feature in loaded.features.iter().filter(|feature| feature.shape.is_some()) {
            let within = if of_whole_edges {
                // These share the outline's own edges, where predicates on doubles need none of their slack.
                county.relate(&surface(feature)).is_covers() || outside_m2(feature, &county) < 1e-3
            } else {
                county.contains(&geometry(feature))
            };
            assert!(within, "{} {} leaves the county", loaded.layer.id, feature.id);
        }
    }
}

fn outside_m2(feature: &Feature, county: &MultiPolygon) -> f64 {
    // Degrees to square metres, roughly, at this latitude.
    surface(feature).difference(county).unsigned_area() * 102_778.0 * 110_739.0
}

#[test]
fn what_names_a_town_lies_in_it() {
    let towns = towns();
    for id in ["seats", "parcels", "parks", "belts", "villages", "supply", "projects", "tasks"] {
        let loaded = layer(id);
        let column = if id == "seats" { "name" } else { "town" };
        let mut named = 0;
        for feature in loaded.features.iter().filter(|feature| feature.shape.is_some()) {
            let Some(town) = loaded.text(feature, column) else { continue };
            named += 1;
            assert!(towns[town].contains(&geometry(feature)), "{id} {} is not in {town}", feature.id);
        }
        assert!(named > 0, "{id}");
    }
}

#[test]
fn all_geometries_are_valid() {
    for seed in seeds::manifest().expect("sound").layers {
        let mut shapes = 0;
        for feature in seed.features().expect("sound") {
            let Some(shape) = &feature.shape else { continue };
            shapes += 1;
            assert_eq!(faults_of(shape.view()), vec![], "{} {}", seed.layer.id, feature.id);
            let checked = shape.view().to_geo();
            assert!(checked.is_valid(), "{} {}: {:?}", seed.layer.id, feature.id, checked.validation_errors());
        }
        assert!(shapes > 0);
    }
}

#[test]
fn every_feature_says_what_it_is() {
    for seed in seeds::manifest().expect("sound").layers {
        let loaded = layer(seed.layer.id.as_str());
        let word = match loaded.layer.provenance {
            Provenance::Real => "real",
            Provenance::Approximate => "approximate",
            Provenance::Synthetic => "synthetic",
            Provenance::Imported => panic!("nothing shipped is imported"),
        };
        for feature in &loaded.features {
            assert_eq!(loaded.text(feature, "provenance"), Some(word), "{} {}", loaded.layer.id, feature.id);
        }
        let said = match word {
            "synthetic" => loaded.layer.title.contains("虚构") && loaded.layer.title_en.contains("synthetic"),
            "approximate" => loaded.layer.title.contains("近似") && loaded.layer.title_en.contains("approximate"),
            _ => true,
        };
        assert!(said, "the title of {} says that it is {word}", loaded.layer.id);
        let note = loaded.layer.schema.fields.iter().find(|field| field.name == "note").expect("a note");
        assert_eq!(note.kind, FieldType::Text);
    }
    let real: Vec<String> = seeds::manifest()
        .expect("sound")
        .layers
        .into_iter()
        .filter(|seed| seed.layer.provenance == Provenance::Real)
        .map(|seed| seed.layer.id.to_string())
        .collect();
    assert_eq!(real, ["county", "seats"]);
}

#[test]
fn columns_have_titles_in_both_languages_and_code_lists_have_plan_colours() {
    for seed in seeds::manifest().expect("sound").layers {
        let schema = &seed.layer.schema;
        for (i, field) in schema.fields.iter().enumerate() {
            assert!(!field.title.is_empty() && !field.title_en.is_empty(), "{} {}", seed.layer.id, field.name);
            assert_eq!(schema.position(&field.name), Some(i), "column names are unique");
            if field.name == "use_code" {
                assert!(field.codes.iter().all(|code| code.color.is_some()) && !field.codes.is_empty());
            }
        }
    }
    let landuse = layer("landuse");
    let codes = &landuse.layer.schema.fields[landuse.layer.schema.position("use_code").expect("a column")].codes;
    let industrial = codes.iter().find(|code| code.value == "1001").expect("1001 is listed");
    assert_eq!((industrial.title.as_str(), industrial.color.as_deref()), ("工业用地", Some("#bb9674")));
    for feature in &landuse.features {
        let title = codes.iter().find(|code| Some(code.value.as_str()) == landuse.text(feature, "use_code"));
        assert_eq!(title.map(|code| code.title.as_str()), landuse.text(feature, "use_name"));
    }
}

#[test]
fn dates_of_parcels_follow_their_status_over_three_years() {
    let parcels = layer("parcels");
    let steps = ["confirmed_on", "approved_on", "started_on", "completed_on"];
    let mut finished = BTreeMap::new();
    for parcel in &parcels.features {
        let status = parcels.text(parcel, "status").expect("a status");
        let reached = match status {
            "线索" | "调查" => 0,
            "认定" | "入库" | "方案编制" | "暂缓" | "撤销" => 1,
            "方案批准" | "主体确认" => 2,
            "收储实施" | "改造实施" => 3,
            _ => 4,
        };
        let dates: Vec<Option<i32>> = steps.iter().map(|step| parcels.date(parcel, step)).collect();
        assert_eq!(dates.iter().flatten().count(), reached, "{status} {dates:?}");
        assert!(dates[..reached].iter().all(Option::is_some));
        assert!(dates[..reached].windows(2).all(|w| w[0] <= w[1]), "{dates:?}");
        // 2023-01-01 is day 19358, 2025-06-30 is day 20269 (date -d … +%s / 86400).
        assert!(dates.iter().flatten().all(|day| (19_340..=20_269).contains(day)), "{dates:?}");
        let year = dates[3].map(|day| (day - 19_358) / 365);
        *finished.entry(year).or_insert(0) += 1;
    }
    for year in 0..3 {
        assert!(finished.get(&Some(year)).is_some_and(|count| *count > 100), "{finished:?}");
    }
}

#[test]
fn the_missing_coordinate_is_said_and_not_invented() {
    let seats = layer("seats");
    assert_eq!(seats.features.len(), 9);
    assert!(seats.features.iter().all(|seat| seats.text(seat, "name") != Some("双合镇")));
    assert!(seats.layer.description.contains("双合镇"));
    let villages = layer("villages");
    assert_eq!(villages.features.len(), 141);
    let homeless: Vec<&str> =
        villages.features.iter().filter(|v| v.shape.is_none()).filter_map(|v| villages.text(v, "unit")).collect();
    assert_eq!(homeless, ["广东省江门监狱", "江门市四堡林场"]);
}

#[test]
fn founding_facts_come_with_their_sources_and_conflicts() {
    let facts = seeds::facts().expect("sound");
    assert_eq!(facts.len(), 154);
    let by_id: BTreeMap<&str, _> = facts.iter().map(|fact| (fact.id.as_str(), fact)).collect();
    assert_eq!(by_id.len(), 154, "ids are unique");
    assert_eq!(by_id["G02"].quantity, "7.5");
    assert_eq!(by_id["G02"].source.id, "S3");
    assert_eq!(by_id["G02"].conflicts_with, ["G03"]);
    assert_eq!(by_id["G03"].source.date, "2023-02-25");
    assert_eq!(by_id["L01"].si_value, Some(13_333_333.33));
    let conflicts = seeds::conflicts().expect("sound");
    for conflict in &conflicts {
        assert!(conflict.facts.iter().chain(&conflict.in_force).all(|id| by_id.contains_key(id.as_str())));
        assert!(conflict.facts.len() + conflict.names.len() > 0);
    }
    let growth = conflicts.iter().find(|conflict| conflict.facts == ["G02", "G03"]).expect("story 15");
    assert_eq!(growth.in_force.as_deref(), Some("G03"));
    for pair in [["J01", "J02"], ["J03", "J04"], ["J35", "J36"]] {
        assert!(by_id[pair[0]].conflicts_with.contains(&pair[1].to_owned()), "{pair:?}");
    }
}

#[test]
fn targets_name_their_layer_their_rule_and_their_source() {
    let targets = seeds::targets().expect("sound");
    let facts: Vec<String> = seeds::facts().expect("sound").into_iter().map(|fact| fact.id).collect();
    let area = |id: &str| {
        let target = targets.iter().find(|target| target.id == id).expect("a target");
        target.area().expect("a figure").expect("an area").hundredths_m2()
    };
    assert_eq!(area("L01"), 1_333_333_333);
    assert_eq!(area("L03"), 266_666_667);
    assert_eq!(area("P01"), 3_120_000_000);
    assert_eq!(area("P07"), 1_029_000_000);
    let manifest = seeds::manifest().expect("sound");
    for target in &targets {
        assert!(!target.sources.is_empty() && target.sources.iter().all(|source| facts.contains(&source.fact)));
        for measure in &target.measures {
            assert!(manifest.layers.iter().any(|seed| seed.layer.id == measure.layer), "{}", target.id);
            assert!(!measure.definition.zh.is_empty() && !measure.definition.en.is_empty());
            assert_eq!(measure.of.is_some(), measure.kind == MeasureKind::Share);
            assert_eq!(target.unit.area().is_some(), measure.kind == MeasureKind::Area);
            assert_eq!(target.unit == TargetUnit::Count, measure.kind == MeasureKind::Count);
        }
    }
    let remediation = targets.iter().find(|target| target.id == "L01").expect("a target");
    let rule = remediation.measure_on(&manifest.as_of).expect("a rule in force");
    assert_eq!(rule.filter, "status IN ('完成处置','效益复评')");
}

#[test]
fn no_person_and_no_unnamed_firm_stands_in_synthetic_rows() {
    // The only firms and leaders are those of `projects`, each with the facts that name them.
    let projects = layer("projects");
    let facts: Vec<String> = seeds::facts().expect("sound").into_iter().map(|fact| fact.id).collect();
    for project in &projects.features {
        let cited = projects.text(project, "source").expect("a source");
        assert!(cited.split(',').all(|id| facts.iter().any(|fact| fact == id)), "{cited}");
    }
    let names: std::collections::BTreeSet<_> = projects.features.iter().map(|f| projects.text(f, "name")).collect();
    assert_eq!(names.len(), projects.features.len(), "one row a project: amounts of other scopes are never summed");
    for id in ["parcels", "supply", "tasks", "landuse", "constraints"] {
        let text = shipped(&format!("geodata/{id}.geojson"));
        assert!(!text.contains("公司") && !text.contains("集团") && !text.contains("厂有限"), "{id}");
    }
}
