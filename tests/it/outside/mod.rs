//! Other programs and the workspace file: changed beside a running server and while it is stopped, checked out and
//! brought back. The other programs are GDAL's and Python's own.

mod again;
mod branches;
mod laws;
mod merging;
mod running;
mod tables;

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// A folder with a workspace of three parcels: squares of 0.001° in Heshan.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let features: Vec<Value> = (1..=3)
            .map(|id: i64| {
                let west = 112.95 + id as f64 / 100.0;
                json!({ "type": "Feature", "id": id, "geometry": square(west, 0.001),
                        "properties": { "code": format!("P{id}"), "status": "认定", "floor": id as f64 + 0.5, "note": null } })
            })
            .collect();
        let text = json!({ "type": "FeatureCollection", "features": features }).to_string();
        std::fs::write(desk.path("parcels.geojson"), text).unwrap();
        desk.ends_with(0, &["import", "parcels.geojson", "--layer", "parcels"]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("w.gpkg")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
        let program = program.current_dir(self.0.path()).env("MUTU_WORKSPACE", "w.gpkg").env_remove("MUTU_AUTHOR");
        program.args(arguments).output().unwrap()
    }

    /// What the program prints when it ends with a code.
    fn ends_with(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
        (out, err)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (out, err) = self.ends_with(code, arguments);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
    }

    /// What SQLite's own shell says.
    fn sql(&self, file: &str, sql: &str) -> String {
        run("sqlite3", &[self.path(file).to_str().unwrap(), sql])
    }

    /// Lets GDAL carry out a statement on a file as QGIS does, with all triggers.
    fn gdal(&self, file: &str, sql: &str) {
        run("ogrinfo", &[self.path(file).to_str().unwrap(), "-dialect", "sqlite", "-sql", sql]);
    }
}

impl Desk {
    /// Lets GDAL alter a table of a file.
    fn alter(&self, file: &str, sql: &str) {
        run("ogrinfo", &["-q", self.path(file).to_str().unwrap(), "-sql", sql]);
    }
}

/// The ring of a square whose eastern lower corner is moved east by `by` degrees.
fn ring(west: f64, side: f64, by: f64) -> Vec<[f64; 2]> {
    let (south, east, north) = (22.77, west + side, 22.77 + side);
    vec![[west, south], [east + by, south], [east, north], [west, north], [west, south]]
}

fn square(west: f64, side: f64) -> Value {
    json!({ "type": "Polygon", "coordinates": [ring(west, side, 0.0)] })
}

/// SQL for GDAL's SQLite dialect: a geometry blob of a ring.
fn blob(ring: &[[f64; 2]]) -> String {
    let mut text = String::new();
    for [x, y] in ring {
        write!(text, "{}{x:?} {y:?}", if text.is_empty() { "" } else { ", " }).unwrap();
    }
    format!("AsGPB(GeomFromText('POLYGON(({text}))', 4490))")
}

/// Runs a program of Debian's; it must be there and succeed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && !err.contains("ERROR"), "{program} {arguments:?}: {out}{err}");
    out
}

/// The program as a server on a free port; it ends with the value.
struct Server {
    child: Child,
    address: String,
    /// The session of whoever started it.
    cookie: String,
}

impl Server {
    fn start(workspace: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mutu"))
            .args(["serve", "-w", workspace.to_str().unwrap(), "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, link)) = line.split_once(": http://") {
                    drop(tell.send(link.trim().to_owned()));
                }
            }
        });
        let link = told.recv_timeout(Duration::from_mins(1)).unwrap();
        let (address, sign_in) = link.split_once('/').unwrap();
        let mut server = Self { child, address: address.to_owned(), cookie: String::new() };
        let (_, head, _) = server.exchange("GET", &format!("/{sign_in}"), "");
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        server.cookie = cookie.split(';').next().unwrap().to_owned();
        server
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let (status, _, body) = self.exchange(method, path, body);
        (status, body)
    }

    /// Status, head and body of an answer.
    fn exchange(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/geo+json, application/json, */*;q=0.1\r\n\
             Cookie: {}\r\nOrigin: http://{}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address, self.cookie, self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send("POST", path, &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Asks again and again until the answer is as wanted.
    fn wait_for(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{path}: {answer:#}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
