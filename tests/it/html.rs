//! The pages for people, called without a socket: every resource, both languages, the figures of the JSON, hostile values.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    http::{Method, StatusCode},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    planner::{ImportRequest, Planner},
};
use serde_json::{Value, json};

use crate::http::{Answer, send_to};

/// What Chromium and Firefox send for an address that somebody typed.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// Everything that people can read beside the map.
const READABLE: [&str; 17] = [
    "/conformance",
    "/api",
    "/collections",
    "/collections/parcels",
    "/collections/parcels/schema",
    "/collections/parcels/queryables",
    "/collections/parcels/sortables",
    "/collections/parcels/items",
    "/collections/parcels/items/1",
    "/collections/parcels/statistics",
    "/collections/parcels/tiles",
    "/collections/parcels/tiles/WebMercatorQuad",
    "/tileMatrixSets",
    "/tileMatrixSets/WebMercatorQuad",
    "/styles",
    "/targets",
    "/facts",
];

fn serve(base_url: &str, prepare: impl FnOnce(&std::path::Path)) -> (Router, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workspace.gpkg");
    prepare(&path);
    let planner = Planner::open_to_read(&path).unwrap();
    planner.load(&mut |_| ()).unwrap();
    let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
    config.base_url = base_url.to_owned();
    (router(AppState::new(Arc::new(planner), config)), folder)
}

fn seed(path: &std::path::Path) {
    let seeded = Planner::seed(path, &mut |_| ()).unwrap();
    assert!(seeded.features > 5000);
}

/// The demonstration workspace, made once for all tests of this file, which only read it.
fn demo() -> Router {
    static APP: OnceLock<(Router, tempfile::TempDir)> = OnceLock::new();
    APP.get_or_init(|| serve("http://mutu.test", seed)).0.clone()
}

fn ask(app: Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_to(&app, Method::GET, path, headers)
}

/// What a browser set to a language gets.
fn browse(path: &str, language: &str) -> Answer {
    ask(demo(), path, &[("accept", BROWSER), ("accept-language", language)])
}

fn json_of(path: &str) -> Value {
    let answer = ask(demo(), path, &[]);
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.json()
}

/// A start tag: its name and its attributes, the values still escaped.
type Tag = (String, Vec<(String, String)>);

/// The start tags of a page, taken apart by the rules of HTML that a hostile value would have to beat: a tag begins at `<`
/// and a letter, values stand in double quotes.
fn tags(page: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        rest = &rest[name.len()..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if rest.starts_with('>') || rest.is_empty() {
                break;
            }
            let attribute: String = rest.chars().take_while(|c| !"=> \n".contains(*c)).collect();
            assert!(!attribute.is_empty(), "a page of ours has well-formed tags: {}", &rest[..rest.len().min(80)]);
            rest = &rest[attribute.len()..];
            let mut value = String::new();
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let end = quoted.find('"').unwrap();
                quoted[..end].clone_into(&mut value);
                rest = &quoted[end + 1..];
            }
            attributes.push((attribute, value));
        }
        found.push((name, attributes));
    }
    found
}

/// The text of a page without its tags, as a reader sees it.
fn text_of(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in page.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if !is_tag => text.push(c),
            _ => {}
        }
    }
    unescaped(&text)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    tag.1.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A number as pages print it.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, ""), |(whole, fraction)| (whole, fraction));
    let digits: Vec<char> = whole.chars().rev().collect();
    let parts: Vec<String> = digits.chunks(3).map(|part| part.iter().collect()).collect();
    let whole: String = parts.join(",").chars().rev().collect();
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// Nothing that runs, nothing that the page policy would refuse, no tag that we do not write.
fn assert_harmless(path: &str, page: &str) {
    const OURS: &str = " html head meta title link body a header span nav div main ol li h1 h2 h3 p strong details summary \
                        form label input select option button table thead tbody tfoot tr th td bdi code figure figcaption svg \
                        rect g line text path circle ul dl dt dd section footer ";
    for tag in tags(page) {
        assert!(OURS.contains(&format!(" {} ", tag.0)), "{path}: a tag <{}> that is none of ours", tag.0);
        for (name, value) in &tag.1 {
            assert!(
                !name.to_ascii_lowercase().starts_with("on") && name != "style",
                "{path}: attribute {name}={value}"
            );
            if ["href", "src", "action"].contains(&name.as_str()) {
                let goes_home = value.starts_with('/') && !value.starts_with("//") || value.starts_with('#');
                assert!(goes_home || value.starts_with("http://") || value.starts_with("https://"), "{path}: {value}");
            }
        }
    }
}

#[test]
fn every_resource_is_a_page_in_both_languages() {
    for path in READABLE {
        for (language, tag, word) in [("zh-CN,zh;q=0.9", "zh-CN", "图层"), ("en-GB,en;q=0.9", "en", "Layers")] {
            let page = browse(path, language);
            assert_eq!(
                (page.status, page.header("content-type")),
                (StatusCode::OK, "text/html; charset=utf-8"),
                "{path}"
            );
            assert_eq!(page.header("content-language"), tag, "{path}");
            assert_eq!(page.header("vary"), "accept, accept-language", "{path}");
            assert!(page.header("content-security-policy").starts_with("default-src 'self'; "));
            assert!(page.text().starts_with(&format!("<!DOCTYPE html><html lang=\"{tag}\">")), "{path}");
            let tags = tags(&page.text());
            assert_eq!(tags.iter().filter(|tag| tag.0 == "h1").count(), 1, "{path}");
            assert!(text_of(&page.text()).contains(word), "{path}: {word}");
            assert!(page.text().contains("class=\"way\""), "{path}: no breadcrumb");
            assert!(
                tags.iter().filter(|tag| tag.0 == "th").all(|tag| attribute(tag, "scope").is_some()),
                "{path}: scope"
            );
            assert_harmless(path, &page.text());
            for other in ["zh", "en"] {
                let switch = tags
                    .iter()
                    .any(|tag| attribute(tag, "href").is_some_and(|href| href.ends_with(&format!("lang={other}"))));
                assert!(switch, "{path}: no way to {other}");
            }
            let alternate =
                tags.iter().find(|tag| tag.0 == "link" && attribute(tag, "rel") == Some("alternate")).unwrap();
            let other = ask(demo(), &unescaped(attribute(alternate, "href").unwrap()), &[("accept", BROWSER)]);
            assert_eq!(other.header("content-type"), attribute(alternate, "type").unwrap(), "{path}");
            assert!(other.json().is_object(), "{path}");
        }
    }
}

#[test]
fn a_browser_gets_the_page_and_a_program_what_it_got_before() {
    let path = "/collections/parcels/items?limit=1";
    assert_eq!(browse(path, "zh").header("content-type"), "text/html; charset=utf-8");
    for accept in ["*/*", "application/geo+json", "application/geo+json, application/json;q=0.9, */*;q=0.1"] {
        assert_eq!(ask(demo(), path, &[("accept", accept)]).header("content-type"), "application/geo+json", "{accept}");
    }
    assert_eq!(ask(demo(), path, &[]).header("content-type"), "application/geo+json");
    let forced = ask(demo(), &format!("{path}&f=html&lang=en"), &[]);
    assert_eq!((forced.header("content-type"), forced.header("content-language")), ("text/html; charset=utf-8", "en"));
}

#[test]
fn json_names_the_page_as_its_alternate_and_the_landing_page_the_readable_definition() {
    for path in
        ["/collections", "/collections/parcels", "/collections/parcels/items?limit=1", "/collections/parcels/items/1"]
    {
        let document = json_of(path);
        let links = document["links"].as_array().unwrap();
        let alternate = links.iter().find(|link| link["rel"] == "alternate" && link["type"] == "text/html").unwrap();
        let page = alternate["href"].as_str().unwrap().strip_prefix("http://mutu.test").unwrap();
        let answer = ask(demo(), page, &[]);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{path}"
        );
    }
    let landing = json_of("/");
    let service = landing["links"].as_array().unwrap().iter().find(|link| link["rel"] == "service-doc").unwrap();
    assert_eq!(service["href"], "http://mutu.test/api?f=html");
    let classes = json_of("/conformance")["conformsTo"].to_string();
    assert!(classes.contains("ogcapi-features-1/1.0/conf/html") && classes.contains("ogcapi-common-1/1.0/conf/html"));
}

#[test]
fn a_language_that_the_pages_do_not_have_is_an_error_everywhere() {
    for path in READABLE {
        for f in ["json", "html"] {
            let refused = ask(demo(), &format!("{path}?f={f}&lang=fr"), &[("accept", "application/json")]);
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {f}");
            assert!(refused.text().contains("lang"), "{path}");
        }
        assert_eq!(ask(demo(), &format!("{path}?f=json&lang=en"), &[]).status, StatusCode::OK, "{path}");
    }
}

#[test]
fn the_table_of_items_has_the_figures_of_the_json_row_by_row() {
    let query = "filter=status = '收储实施'&sortby=-area_m2&limit=40";
    let page = browse(&format!("/collections/parcels/items?{query}"), "en");
    let collection = json_of(&format!("/collections/parcels/items?{query}"));
    let features = collection["features"].as_array().unwrap();
    assert_eq!(features.len(), 40);
    let table = &page.text()[page.text().find("<tbody>").unwrap()..page.text().find("</tbody>").unwrap()];
    let rows: Vec<&str> = table.split("<tr>").skip(1).collect();
    assert_eq!(rows.len(), features.len());
    for (row, feature) in rows.iter().zip(features) {
        assert!(row.contains(&format!("href=\"/collections/parcels/items/{}\"", feature["id"])), "{row}");
        let properties = &feature["properties"];
        for area in ["area_m2", "area_planar_m2"] {
            let printed = grouped(&format!("{:.2}", properties[area].as_f64().unwrap()));
            assert!(row.contains(&format!(">{printed}</td>")), "{area} {printed}: {row}");
        }
        assert!(text_of(row).contains(properties["code"].as_str().unwrap()));
        assert!(text_of(row).contains("Taken into reserve") || text_of(row).contains("收储实施"), "{row}");
    }
    let matched = grouped(&collection["numberMatched"].to_string());
    assert!(text_of(&page.text()).contains(&format!("{matched} matched, 40 on this page")), "{matched}");
}

#[test]
fn pages_follow_one_another_to_the_last_and_show_every_feature_once() {
    let (mut path, mut ids, mut pages) =
        ("/collections/parcels/items?lang=en&sortby=town".to_owned(), BTreeSet::new(), 0);
    loop {
        let page = browse(&path, "zh");
        assert_eq!(page.status, StatusCode::OK, "{path}");
        pages += 1;
        let tags = tags(&page.text());
        let head = "/collections/parcels/items/";
        let on_page: BTreeSet<i64> = tags
            .iter()
            .filter_map(|tag| attribute(tag, "href")?.strip_prefix(head)?.split('?').next()?.parse().ok())
            .collect();
        for id in &on_page {
            assert!(ids.insert(*id), "feature {id} is on two pages");
        }
        let next = tags.iter().find(|tag| attribute(tag, "rel") == Some("next"));
        match next {
            Some(next) => {
                assert_eq!(on_page.len(), 100, "a page holds a hundred where nobody says");
                path = unescaped(attribute(next, "href").unwrap());
            }
            None => break,
        }
    }
    let matched = json_of("/collections/parcels/items?limit=1")["numberMatched"].as_u64().unwrap() as usize;
    assert_eq!((ids.len(), pages), (matched, matched.div_ceil(100)));
}

#[test]
fn a_page_holds_a_thousand_at_most_and_says_so() {
    let page = browse("/collections/parcels/items?limit=5000", "en");
    assert!(text_of(&page.text()).contains("1,000 on this page. A page for reading holds 1,000 at most"));
    let refused = browse("/collections/parcels/items?limit=0", "en");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[test]
fn empty_fields_of_a_form_are_left_out_by_a_redirect() {
    let sent = browse("/collections/parcels/items?status=&filter=&bbox=&sortby=-area_m2&limit=&lang=en", "zh");
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.header("location"), "/collections/parcels/items?sortby=-area_m2&lang=en");
    let sent = browse("/collections/parcels/statistics?group-by=&within=&unit=mu&filter=", "zh");
    assert_eq!(sent.header("location"), "/collections/parcels/statistics?unit=mu");
    // A program that sends an empty filter has made a mistake, and is told.
    assert_eq!(ask(demo(), "/collections/parcels/items?filter=", &[]).status, StatusCode::BAD_REQUEST);
}

#[test]
fn statistics_pages_print_the_very_figures_of_the_json() {
    for question in ["group-by=status&unit=mu", "group-by=town,status&unit=ha", "within=parks&unit=km2", "basis=planar"]
    {
        let path = format!("/collections/parcels/statistics?{question}");
        let (page, answer) = (browse(&path, "en"), ask(demo(), &path, &[]));
        let document = answer.json();
        let decimals = document["decimals"].as_u64().unwrap() as usize;
        let printed = |area: &Value| grouped(&format!("{:.decimals$}", area.as_f64().unwrap()));
        let has_groups = question.contains("group-by") || question.contains("within");
        for group in document["groups"].as_array().unwrap().iter().filter(|_| has_groups) {
            assert!(
                page.text().contains(&format!("<td class=\"num\">{}</td>", printed(&group["area"]))),
                "{question}: {group}"
            );
            assert!(page.text().contains(&format!("<td class=\"num\">{}</td>", grouped(&group["count"].to_string()))));
        }
        let foot = &page.text()[page.text().find("<tfoot>").unwrap()..];
        assert!(
            foot.contains(&format!("<td class=\"num\">{}</td>", printed(&document["total"]["area"]))),
            "{question}"
        );
        assert!(foot.contains(&format!("<td class=\"num\">{}</td>", grouped(&document["total"]["count"].to_string()))));
        assert!(text_of(&page.text()).contains(document["definition"]["en"].as_str().unwrap()));
    }
}

#[test]
fn an_item_shows_every_value_both_areas_and_its_coordinates_in_the_crs_that_is_chosen() {
    let crs = "http://www.opengis.net/def/crs/EPSG/0/4547";
    let feature = json_of(&format!("/collections/parcels/items/7?crs={crs}"));
    let page = browse(&format!("/collections/parcels/items/7?crs={crs}"), "en");
    let text = text_of(&page.text());
    for (name, value) in feature["properties"].as_object().unwrap() {
        match value {
            Value::String(value) => assert!(text.contains(value.as_str()), "{name}: {value}"),
            Value::Number(number) if name.ends_with("_m2") => {
                assert!(text.contains(&grouped(&format!("{:.2}", number.as_f64().unwrap()))), "{name}: {number}");
            }
            _ => {}
        }
        assert!(
            name.starts_with("area_") || page.text().contains(&format!("<code><bdi>{name}</bdi></code>")),
            "{name}"
        );
    }
    assert!(text.contains("Ellipsoidal area") && text.contains("Planar area") && text.contains("EPSG:4547"));
    let coordinates = feature["geometry"]["coordinates"].to_string();
    let listed: Vec<String> = page
        .text()
        .split("<td class=\"num\">")
        .filter_map(|cell| cell.split("</td>").next())
        .filter(|cell| {
            cell.contains('.') && !cell.contains(',') && cell.parse::<f64>().is_ok_and(|number| number > 1e5)
        })
        .map(str::to_owned)
        .collect();
    assert!(listed.len() >= 8, "{listed:?}");
    for number in listed {
        assert!(coordinates.contains(&number), "{number} is not in {coordinates}");
    }
    // North first, as EPSG:4547 declares.
    assert!(text.find("North").unwrap() < text.find("East").unwrap());
}

#[test]
fn synthetic_layers_say_so_on_every_page_that_shows_their_features() {
    for path in [
        "/collections/parcels",
        "/collections/parcels/items",
        "/collections/parcels/items/1",
        "/collections/parcels/statistics",
        "/targets",
    ] {
        assert!(browse(path, "zh").text().contains("合成示例数据"), "{path}");
        assert!(browse(path, "en").text().contains("Synthetic demonstration data"), "{path}");
    }
    assert!(!browse("/collections/county", "en").text().contains("Synthetic demonstration data"));
}

#[test]
fn a_person_is_told_on_a_page_what_is_wrong_and_a_program_in_a_problem_document() {
    let path = "/collections/parcels/items?filter=<script>alert(1)</script>&limit=3";
    let page = browse(path, "en");
    assert_eq!((page.status, page.header("content-type")), (StatusCode::BAD_REQUEST, "text/html; charset=utf-8"));
    assert_harmless(path, &page.text());
    let tags = tags(&page.text());
    let field = tags.iter().find(|tag| tag.0 == "input" && attribute(tag, "name") == Some("filter")).unwrap();
    assert_eq!(unescaped(attribute(field, "value").unwrap()), "<script>alert(1)</script>");
    assert_eq!(attribute(field, "aria-invalid"), Some("true"));
    let problem = ask(demo(), path, &[("accept", "application/geo+json")]);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert!(text_of(&page.text()).contains(problem.json()["detail"].as_str().unwrap()));
    let gone = browse("/collections/\"><img src=x>/items", "zh");
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_harmless("gone", &gone.text());
    for program in ["*/*", "application/json", "application/geo+json,application/json"] {
        let answer = ask(demo(), "/nothing", &[("accept", program)]);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{program}");
    }
}

#[test]
fn an_unchanged_page_is_not_sent_again_and_languages_are_not_mistaken_for_one_another() {
    for path in [
        "/collections/parcels/items?limit=2",
        "/collections/parcels/statistics",
        "/collections/parcels/items/1",
        "/collections",
    ] {
        let (zh, en) = (browse(path, "zh"), browse(path, "en"));
        let (tag, other) = (zh.header("etag"), en.header("etag"));
        assert!(!tag.is_empty() && tag != other, "{path}: {tag} {other}");
        let headers = |language| [("accept", BROWSER), ("accept-language", language), ("if-none-match", tag)];
        assert_eq!(ask(demo(), path, &headers("zh")).status, StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(ask(demo(), path, &headers("en")).status, StatusCode::OK, "{path}");
    }
    let style = ask(demo(), "/pages.css", &[]);
    assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(!style.header("etag").is_empty() && !style.text().contains("http"));
}

#[test]
fn files_hold_everything_that_the_page_is_about_and_nothing_else() {
    let page = browse("/collections/parcels/items?status=收储实施&sortby=-area_m2&limit=5&lang=en", "zh");
    let tags = tags(&page.text());
    let files: Vec<String> = tags
        .iter()
        .filter(|tag| attribute(tag, "download").is_some())
        .map(|tag| unescaped(attribute(tag, "href").unwrap()))
        .collect();
    assert_eq!(files.len(), 6, "{files:?}");
    let matched = json_of("/collections/parcels/items?status=收储实施&limit=1")["numberMatched"].as_u64().unwrap();
    assert!(matched > 5);
    for file in files {
        let answer = ask(demo(), &file, &[("accept", BROWSER)]);
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        assert_eq!(answer.header("ogc-numberreturned"), matched.to_string(), "{file}");
    }
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut waiting = VecDeque::from([
        "/collections?lang=en".to_owned(),
        "/api".to_owned(),
        "/targets".to_owned(),
        "/facts".to_owned(),
    ]);
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    let mut followed = 0;
    while let Some(path) = waiting.pop_front() {
        let page = browse(&path, "zh");
        assert_eq!(page.status, StatusCode::OK, "{path}");
        followed += 1;
        if page.header("content-type") != "text/html; charset=utf-8" || path == "/" {
            continue;
        }
        // Items are alike: a few of each page are enough.
        let mut items = 0;
        for tag in tags(&page.text()) {
            let Some(href) = attribute(&tag, "href").filter(|href| href.starts_with('/')) else { continue };
            let href = unescaped(href.split('#').next().unwrap());
            items += usize::from(href.contains("/items/"));
            let is_alike = href.contains("/items/") && items > 1 || href.contains("next=") || href.contains("sortby=");
            if !is_alike && seen.len() < 260 && seen.insert(href.clone()) {
                waiting.push_back(href);
            }
        }
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn links_keep_the_path_under_which_a_proxy_serves() {
    let (app, _folder) = serve("https://gis.example.cn/mutu", seed);
    let page = ask(app, "/collections/parks/items", &[("accept", BROWSER)]);
    for tag in tags(&page.text()) {
        let link = ["href", "src", "action"].iter().find_map(|name| attribute(&tag, name));
        assert!(link.is_none_or(|link| link.starts_with("/mutu/") || link.starts_with('#')), "{link:?}");
    }
}

/// Values that try to become markup, links that run, text that turns its surroundings round.
const HOSTILE: [&str; 7] = [
    "<img src=x onerror=alert(1)>",
    "</script></title></textarea><script>alert(2)</script>",
    "javascript:alert(3)",
    "\"><svg onload=alert(4)>",
    "a\u{202e}gpj.exe",
    "https://example.org/?q=\"onmouseover=alert(5)",
    "&lt;b&gt; ' onfocus=alert(6) autofocus '",
];

/// A workspace whose layer, columns and values are all hostile, through a real import.
fn hostile() -> (Router, tempfile::TempDir) {
    serve("http://mutu.test", |path| {
        let square = |x: f64| json!([[[x, 22.7], [x + 0.01, 22.7], [x + 0.01, 22.71], [x, 22.71], [x, 22.7]]]);
        let features: Vec<Value> = HOSTILE
            .iter()
            .enumerate()
            .map(|(number, value)| {
                let geometry = json!({ "type": "Polygon", "coordinates": square(112.9 + number as f64 * 0.02) });
                let mut properties = json!({ "name": value, "link": value });
                properties["\"><img src=y onerror=alert(7)>"] = json!(value);
                json!({ "type": "Feature", "geometry": geometry, "properties": properties })
            })
            .collect();
        let file = path.with_file_name("hostile.geojson");
        std::fs::write(&file, json!({ "type": "FeatureCollection", "features": features }).to_string()).unwrap();
        let planner = Planner::open_or_create(path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        let request = ImportRequest { file, layer: Some("hostile".to_owned()), ..ImportRequest::default() };
        planner.import(&request, &mut |_| ()).unwrap();
    })
}

#[test]
fn hostile_values_are_shown_as_they_are_and_run_nowhere() {
    let (app, _folder) = hostile();
    let base = "/collections/hostile";
    let mut paths: Vec<String> = ["", "/schema", "/queryables", "/sortables", "/items", "/statistics?group-by=name"]
        .iter()
        .map(|end| format!("{base}{end}"))
        .collect();
    paths.extend((1..=HOSTILE.len()).map(|id| format!("{base}/items/{id}")));
    paths.push("/collections".to_owned());
    for path in &paths {
        let page = ask(app.clone(), path, &[("accept", BROWSER)]);
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
        assert_harmless(path, &page.text());
    }
    let page = ask(app.clone(), &format!("{base}/items"), &[("accept", BROWSER)]).text().into_owned();
    let text = text_of(&page);
    for value in HOSTILE {
        assert!(text.contains(value), "{value}: not shown as it is");
    }
    // Only the address of the web is a link; the text that turns round is isolated.
    let outside: Vec<String> = tags(&page)
        .iter()
        .filter_map(|tag| attribute(tag, "href"))
        .filter(|href| !href.starts_with(['/', '#']))
        .map(unescaped)
        .collect();
    assert_eq!(outside.iter().collect::<BTreeSet<_>>().len(), 1, "{outside:?}");
    assert_eq!(outside[0], HOSTILE[5]);
    assert!(page.contains("<bdi>a\u{202e}gpj.exe</bdi>"));
    assert!(
        page.contains("<title>\u{2068}a\u{202e}gpj.exe (5)\u{2069}</title>"),
        "the title of a shape is isolated too"
    );
    let statistics = ask(app, &format!("{base}/statistics?group-by=name"), &[("accept", BROWSER)]).text().into_owned();
    assert!(statistics.contains("<bdi>a\u{202e}gpj.exe</bdi>"));
}
