//! Exports over HTTP and on the command line: what other programs read from them, and what clients that hang up,
//! dawdle or come in crowds do to the server.

mod columns;
mod command;
mod files;
mod memory;
mod streams;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};
use mutu::{
    api::{AppState, router, serve},
    config::ServerConfig,
    planner::{IfExists, ImportRequest, Planner},
};
use serde_json::{Value, json};

use crate::http::{Answer, encode, send_to};

/// The demonstration workspace, made once for all tests, which only read it.
fn demo() -> &'static AppState {
    static DEMO: OnceLock<(AppState, tempfile::TempDir)> = OnceLock::new();
    let (state, _) = DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open_to_read(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        (AppState::new(Arc::new(planner), ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap())), folder)
    });
    state
}

/// A workspace of one's own with layers from GeoJSON.
fn workspace(layers: &[(&str, &str)]) -> (tempfile::TempDir, Arc<Planner>, ServerConfig) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.gpkg");
    let planner = Planner::open_or_create(&path).unwrap();
    for (layer, text) in layers {
        let file = folder.path().join(format!("{layer}.geojson"));
        std::fs::write(&file, text).unwrap();
        let request = ImportRequest {
            file,
            layer: Some((*layer).to_owned()),
            table: None,
            crs: None,
            encoding: None,
            if_exists: IfExists::Refuse,
            author: "tests".to_owned(),
        };
        planner.import(&request, &mut |_| ()).unwrap();
    }
    planner.load(&mut |_| ()).unwrap();
    let config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
    (folder, Arc::new(planner), config)
}

/// A collection of squares near Heshan, each with `vertices` corners and the values of `properties`.
fn squares(count: usize, vertices: usize, properties: impl Fn(usize) -> Value) -> String {
    let mut out = String::from(r#"{"type":"FeatureCollection","features":["#);
    for i in 0..count {
        let (west, south) = (112.5 + 0.001 * (i % 400) as f64, 22.4 + 0.001 * (i / 400) as f64);
        let along = |k: usize| -> (f64, f64) {
            let (side, part) = (4 * k / vertices, (4 * k % vertices) as f64 / vertices as f64 * 0.0009);
            match side {
                0 => (west + part, south),
                1 => (west + 0.0009, south + part),
                2 => (west + 0.0009 - part, south + 0.0009),
                3 => (west, south + 0.0009 - part),
                _ => (west, south),
            }
        };
        let ring: Vec<String> = (0..=vertices).map(along).map(|(x, y)| format!("[{x:.9},{y:.9}]")).collect();
        let comma = if i == 0 { "\n" } else { ",\n" };
        let (id, properties) = (i + 1, properties(i));
        out.push_str(&format!(
            r#"{comma}{{"type":"Feature","id":{id},"geometry":{{"type":"Polygon","coordinates":[[{}]]}},"properties":{properties}}}"#,
            ring.join(",")
        ));
    }
    out.push_str("\n]}\n");
    out
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn send(state: &AppState, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_to(&router(state.clone()), method, path, headers)
}

fn get(state: &AppState, path: &str) -> Answer {
    send(state, Method::GET, path, &[])
}

/// An export that must succeed, saved under the name that it asks to be saved under.
fn saved(state: &AppState, folder: &Path, path: &str) -> (PathBuf, Answer) {
    let answer = get(state, path);
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&answer.body));
    let disposition = answer.header("content-disposition").to_owned();
    let name = match disposition.split_once("filename*=UTF-8''") {
        Some((_, name)) => percent_encoding::percent_decode_str(name).decode_utf8().unwrap().into_owned(),
        None => disposition.split('"').nth(1).unwrap_or_else(|| panic!("{disposition}")).to_owned(),
    };
    let file = folder.join(name);
    std::fs::write(&file, &answer.body).unwrap();
    (file, answer)
}

/// The losses that an answer tells.
fn losses(answer: &Answer) -> Vec<String> {
    let told = answer.header("mutu-losses");
    if told.is_empty() { Vec::new() } else { serde_json::from_str(told).unwrap() }
}

/// What a program prints; fails where it is not installed.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed (apt install gdal-bin): {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}{complaints}");
    said + &complaints
}

/// A path as GDAL wants it.
fn for_gdal(path: &Path) -> String {
    let name = path.to_str().unwrap();
    if path.extension().is_some_and(|ending| ending == "zip") { format!("/vsizip/{name}") } else { name.to_owned() }
}

/// All features of a file by GDAL: sorted lines `key|value|…` of some columns.
fn rows_by_gdal(path: &Path, columns: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let name = for_gdal(path);
    said_by("ogr2ogr", &["-f", "CSV", out.to_str().unwrap(), &name, "-select", &columns.join(",")]);
    // GDAL puts a comma behind a lone column.
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_path(&out).unwrap();
    let row = |row: &::csv::StringRecord| row.iter().take(columns.len()).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = reader.records().map(|record| row(&record.unwrap())).collect();
    rows.sort();
    rows
}

/// A server on a port of its own.
struct Served {
    state: AppState,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn new(state: AppState) -> Self {
        let runtime = runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, state.clone(), std::future::pending()));
        Self { state, address, _runtime: runtime }
    }

    /// Sends a request and reads the head of its answer.
    fn ask(&self, path: &str) -> (BufReader<TcpStream>, String) {
        answered(self.send(path))
    }

    fn send(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        write!(stream, "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", encode(path)).unwrap();
        stream
    }

    /// How long it takes until so many exports are under way; fails after `most`.
    fn until_under_way(&self, count: usize, most: Duration) -> Duration {
        let start = Instant::now();
        while self.state.exports_under_way() != count {
            assert!(start.elapsed() < most, "{} exports are under way", self.state.exports_under_way());
            std::thread::yield_now();
        }
        start.elapsed()
    }
}

/// The head of an answer, and what follows it.
fn answered(stream: TcpStream) -> (BufReader<TcpStream>, String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "no answer: {head}");
    }
    (reader, head)
}

/// A chunked body to its end: its bytes, and whether it is complete.
fn read_chunked(mut reader: impl BufRead) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return (body, false);
        }
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        if reader.read_exact(&mut chunk).is_err() {
            return (body, false);
        }
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
