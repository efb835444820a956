//! Hostile and careless requests, as a table: each case, what it sends and the answer it must get.
//!
//! A case says which number of the product's list of attacks and faults (A1 to A32) it is of. What is no single request, a
//! killed process, two writers, a disk that fails, stands in [`elsewhere`] with the test that plays it; every number that
//! the issues name must have a case here or there.

mod elsewhere;
mod writes;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use axum::http::{Method, StatusCode};
use mutu::{
    api::{AppState, serve},
    config::ServerConfig,
    planner::Planner,
};

use crate::http::{encode, get, json_of, send};

const ITEMS: &str = "/collections/parcels/items";

/// A number of the list, a request and what must come of it: a status and, where it is refused, the parameter at fault.
type Case = (&'static str, &'static str, String, u16, &'static str);

fn case(id: &'static str, what: &'static str, path: impl Into<String>, status: u16, parameter: &'static str) -> Case {
    (id, what, path.into(), status, parameter)
}

/// All cases that only read.
fn reads() -> Vec<Case> {
    [filters(), parameters(), moments(), tiles(), paths()].concat()
}

/// An item request with a filter, percent-encoded whole.
fn filter(text: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    format!("{ITEMS}?limit=1&filter={encoded}")
}

fn json_filter(text: &str) -> String {
    format!("{}&filter-lang=cql2-json", filter(text))
}

/// Whether it is known whether it is known whether …: a condition of some depth.
fn unknowns(depth: usize) -> String {
    let less = r#"{"op":"<","args":[{"property":"far"},1]}"#;
    let around = |inner: String| format!(r#"{{"op":"isNull","args":[{{"op":"and","args":[{inner},{less}]}}]}}"#);
    (0..depth / 2).fold(less.to_owned(), |inner, _| around(inner))
}

fn filters() -> Vec<Case> {
    let deep = |depth: usize| format!("{}far>1{}", "(".repeat(depth), ")".repeat(depth));
    let many = vec!["1"; 10_500].join(",");
    vec![
        case("A1", "injection closes the text", filter("'; DROP TABLE parcels; --"), 400, "filter"),
        case("A1", "injection as a value", filter("town = '''; DROP TABLE parcels; --'"), 200, ""),
        case("A1", "a function nobody declared", filter("strStartsWith(town,'x') = true and 1=1--')"), 400, "filter"),
        case("A2", "code as a name", filter("\"exec(java.lang.Runtime.getRuntime())\" = 1"), 400, "filter"),
        case("A2", "a path as a name", filter("\"../../etc/passwd\" = 1"), 400, "filter"),
        case("A2", "a name with quotes", filter("\"a\"\"b\" = 1"), 400, "filter"),
        case("A2", "a name of the prototype", filter("\"__proto__\" = 1"), 400, "filter"),
        case("A2", "a name of 10 kB", filter(&format!("\"{}\" = 1", "x".repeat(10_000))), 400, "filter"),
        case("A3", "300 parentheses", filter(&deep(300)), 400, "filter"),
        case("A3", "10,000 parentheses", filter(&deep(10_000)), 400, "filter"),
        case("A3", "200 negations", filter(&format!("{} far > 1", "NOT ".repeat(200))), 200, ""),
        case("A3", "a list of too many", filter(&format!("far IN ({many})")), 400, "filter"),
        case("A3", "a pattern of many wildcards", filter(&format!("town LIKE '{}b'", "%a".repeat(2000))), 200, ""),
        case("A4", "not a number", filter("far > NaN"), 400, "filter"),
        case("A4", "beyond every number", filter("far > 1e999"), 400, "filter"),
        case(
            "A4",
            "JSON: beyond every number",
            json_filter(r#"{"op":">","args":[{"property":"far"},1e400]}"#),
            400,
            "filter",
        ),
        case("A4", "JSON: NaN", json_filter(r#"{"op":">","args":[{"property":"far"},NaN]}"#), 400, "filter"),
        case(
            "A4",
            "JSON: a member twice",
            json_filter(r#"{"op":"=","op":"<","args":[{"property":"far"},1]}"#),
            400,
            "filter",
        ),
        case(
            "A4",
            "JSON: deep arrays",
            json_filter(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))),
            400,
            "filter",
        ),
        case("A4", "JSON: no object", json_filter("[]"), 400, "filter"),
        case("A4", "JSON: unknowns of unknowns", json_filter(&unknowns(30)), 200, ""),
        case("A4", "JSON: as deep as may be", json_filter(&unknowns(60)), 200, ""),
        case("A12", "another language", format!("{}&filter-lang=ecql", filter("far > 1")), 400, "filter-lang"),
    ]
}

fn parameters() -> Vec<Case> {
    let items = |query: &str| format!("{ITEMS}?{query}");
    vec![
        case("A10", "no features", items("limit=0"), 400, "limit"),
        case("A10", "less than none", items("limit=-1"), 400, "limit"),
        case("A10", "no number", items("limit=abc"), 400, "limit"),
        case("A10", "more than the maximum", items("limit=1000000000"), 200, ""),
        case("A10", "more than 64 bits", items("limit=9223372036854775808"), 200, ""),
        case("A10", "an offset, which there is not", items("offset=99999999999"), 400, "offset"),
        case("A10", "a made-up token", items("next=5b2231225d0000000000000000"), 400, "next"),
        case("A10", "a token of no digits", items("next=%00%00"), 400, "next"),
        case("A11", "a box of not a number", items("bbox=NaN,0,1,1"), 400, "bbox"),
        case("A11", "a box without end", items("bbox=-inf,-inf,inf,inf"), 400, "bbox"),
        case("A11", "a box of three", items("bbox=1,2,3"), 400, "bbox"),
        case("A11", "a box of five", items("bbox=1,2,3,4,5"), 400, "bbox"),
        case("A11", "a box of six", items("bbox=112,22,0,113,23,9"), 200, ""),
        case("A11", "a box upside down", items("bbox=112,23,113,22"), 400, "bbox"),
        case("A11", "the whole world", items("bbox=-180,-90,180,90"), 200, ""),
        case("A11", "latitude first", items("bbox=22,112,23,113"), 400, "bbox"),
        case("A11", "a box in no CRS", items("bbox=1,1,2,2&bbox-crs=http://example.org/crs"), 400, "bbox-crs"),
        case("A12", "a parameter that is not there", items("foo=1"), 400, "foo"),
        case("A12", "a parameter in other letters", items("BBOX=112,22,113,23"), 400, "BBOX"),
        case("A12", "a parameter twice", items("bbox=112,22,113,23&bbox=1,1,2,2"), 400, "bbox"),
        case("A12", "a moment that is not", items("datetime=2020-13-45"), 400, "datetime"),
        case("A29", "a year beyond the calendar", items("datetime=99999-01-01T00:00:00Z"), 400, "datetime"),
        case("A24", "a value of no text", items("town=%FF%FE"), 400, "town"),
        case("A24", "a name of no text", items("%FF=1"), 400, "\u{fffd}"),
    ]
}

fn moments() -> Vec<Case> {
    let at = |moment: &str| format!("{ITEMS}?limit=1&datetime={moment}");
    vec![
        case("A12", "a word for a moment", at("yesterday"), 400, "datetime"),
        case("A12", "a moment twice", format!("{}&datetime=2026-01-01", at("2026-01-01")), 400, "datetime"),
        case("A29", "no end at all", at(".."), 400, "datetime"),
        case("A29", "two open ends", at("../.."), 400, "datetime"),
        case("A29", "a year alone", at("../2024"), 400, "datetime"),
        case("A29", "an end before its beginning", at("2026-01-02/2026-01-01"), 400, "datetime"),
        case("A29", "a duration", at("2026-01-01/P1M"), 400, "datetime"),
        case("A29", "a day that there is not", at("2023-02-29"), 400, "datetime"),
        case("A29", "a moment without its distance from UTC", at("2026-01-01T00:00:00"), 400, "datetime"),
        case("A29", "the year 9999", at("9999-12-31T23:59:59Z"), 200, ""),
        case("A29", "from long ago on", at("1900-01-01T00:00:00Z/.."), 200, ""),
        case("A29", "before there was anything", at("../1900-01-01"), 404, ""),
    ]
}

fn tiles() -> Vec<Case> {
    let tile = |address: &str| format!("/collections/parcels/tiles/WebMercatorQuad/{address}");
    vec![
        case("A13", "above the top", tile("-1/0/0"), 404, ""),
        case("A13", "below the bottom", tile("31/0/0"), 404, ""),
        case("A13", "a zoom beyond 64 bits", tile("99999999999999999999/0/0"), 404, ""),
        case("A13", "a row beyond the matrix", tile("3/8/0"), 404, ""),
        case("A13", "a column beyond the matrix", tile("3/0/8"), 404, ""),
        case("A13", "a zoom of letters", tile("z/0/0"), 400, "tileMatrix"),
        case("A13", "a row with a sign", tile("3/+1/0"), 400, "tileRow"),
        case("A13", "all in one tile", tile("0/0/0"), 200, ""),
    ]
}

fn paths() -> Vec<Case> {
    vec![
        case("A24", "upwards", "/collections/..%2f..%2fetc%2fpasswd", 404, ""),
        case("A24", "upwards, dots encoded", "/collections/%2e%2e%2fparcels", 404, ""),
        case("A24", "upwards in the assets", "/assets/%2e%2e/%2e%2e/Cargo.toml", 404, ""),
        case("A24", "a zero", "/collections/parcels%00", 404, ""),
        case("A24", "overlong UTF-8", "/collections/%C0%AE%C0%AE", 400, "path"),
        case("A24", "other letters", "/collections/Parcels", 404, ""),
        case("A24", "full-width letters", "/collections/ｐａｒｃｅｌｓ", 404, ""),
        case("A24", "a slash behind", "/collections/parcels/", 404, ""),
        case("A24", "two slashes", "//collections/parcels", 404, ""),
        case("A24", "an id with a sign", "/collections/parcels/items/+7", 404, ""),
        case("A24", "an id with zeros", "/collections/parcels/items/007", 404, ""),
        case("A24", "an id beyond 64 bits", "/collections/parcels/items/9223372036854775808", 404, ""),
    ]
}

#[test]
fn every_hostile_request_gets_the_answer_of_the_table() {
    for (id, what, path, status, parameter) in reads() {
        let answer = get(&path);
        let shown: String = path.chars().take(120).collect();
        assert_eq!(answer.status.as_u16(), status, "{id}, {what}: {shown}: {}", String::from_utf8_lossy(&answer.body));
        if status == 400 {
            let problem = answer.json();
            assert_eq!(problem["parameter"], parameter, "{what}: {problem}");
            assert!(answer.body.len() < 4096, "{what}: the problem document repeats all that was sent");
        }
    }
}

#[test]
fn a_filter_that_selects_nothing_out_leaks_nothing_and_one_that_is_true_selects_all() {
    let total = json_of("/collections/parcels")["itemCount"].clone();
    let whole = json_of(&filter("town = 'x' OR '1' = '1'"));
    assert_eq!(whole["numberMatched"], total, "a filter that is always true is all features, as it says");
    let none = json_of(&filter("town = 'x'' OR ''1'' = ''1'"));
    assert_eq!(none["numberMatched"], 0);
}

#[test]
fn links_name_the_configured_server_whoever_the_request_says_it_is() {
    let lies = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    for path in ["/", "/collections", "/collections/parcels/items?limit=1"] {
        let answer = send(Method::GET, path, &lies);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("http://mutu.test/") && !text.contains("evil"), "{path}");
    }
}

#[test]
fn a_body_where_none_belongs_is_refused_unread() {
    let bomb = [("content-encoding", "gzip"), ("content-type", "application/geo+json")];
    let answer = send(Method::POST, ITEMS, &bomb);
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET,HEAD,OPTIONS");
}

/// The demonstration behind a real socket; ends with the value.
struct Served {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(head_time: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open_to_read(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = ServerConfig::new(path, address);
        config.head_time = head_time;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let stopped = async move { drop(stopped.await) };
            runtime.block_on(serve(listener, AppState::new(Arc::new(planner), config), stopped)).unwrap();
        });
        Self { address, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    /// What the server says to some bytes, until it closes the connection.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The server may close before it has read everything: that is an answer, too.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server neither answered nor closed: {error}"),
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let served = Served::start(Duration::from_secs(2));
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or("closed").to_owned();
    let close = "Connection: close\r\n\r\n";
    let cookies = "Cookie: c=1\r\n".repeat(10_000);
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("a plain request", format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{close}"), &["200"]),
        (
            "a header of 1 MB",
            format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n{close}", "x".repeat(1 << 20)),
            &["431", "closed"],
        ),
        ("10,000 cookies", format!("GET / HTTP/1.1\r\nHost: x\r\n{cookies}{close}"), &["431", "closed"]),
        (
            "a path of 1 MB",
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n{close}", "x".repeat(1 << 20)),
            &["414", "431", "closed"],
        ),
        ("no HTTP", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), &["400"]),
        ("a length that is none", format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n{close}"), &["400"]),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n{close}hello!"),
            &["400"],
        ),
        (
            "an unknown transfer coding",
            format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n{close}"),
            &["400", "501"],
        ),
    ];
    for (what, request, allowed) in cases {
        let answer = served.say(request.as_bytes());
        assert!(allowed.contains(&status(&answer).as_str()), "{what}: {answer:.200}");
    }
    // A length beside chunks: whoever stands in front may see another end of the request than we do.
    let smuggled = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = served.say(smuggled.as_bytes());
    assert!(!answer.contains("200 OK"), "a second request was taken out of the first one's body: {answer}");
    assert!(served.say(format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{close}").as_bytes()).contains("200 OK"));
}

#[test]
fn a_client_that_never_ends_its_request_is_left() {
    let served = Served::start(Duration::from_millis(300));
    // Many at once, each with a request that is never finished: all are closed, and others are served meanwhile.
    let mut silent: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(b"GET /collections HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    assert!(served.say(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").contains("200 OK"));
    for stream in &mut silent {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}

#[test]
fn encoding_twice_is_not_decoding_twice() {
    assert_eq!(get("/collections/%2570arcels").status, StatusCode::NOT_FOUND);
    assert_eq!(encode("/collections/村"), "/collections/%E6%9D%91");
}
