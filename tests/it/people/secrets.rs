//! Secrets stay where they are: links carry a token and logs, records, other files do not.

use std::collections::{BTreeSet, VecDeque};

use axum::http::Method;
use mutu::people::{Entry, Kind, People, Rights, Role};
use serde_json::Value;

use super::{Office, PASSWORD};

/// All addresses of this server that an answer holds: in JSON, in HTML, in a header.
fn links_of(answer: &crate::http::Answer) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let text = answer.text();
    if answer.header("content-type").contains("json") {
        let mut waiting = vec![answer.json()];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(list) => waiting.extend(list),
                Value::Object(members) => waiting.extend(members.into_iter().map(|(_, member)| member)),
                Value::String(text) if text.starts_with("http://mutu.test/") => found.push(text),
                _ => {}
            }
        }
    } else if answer.header("content-type").contains("html") {
        for attribute in ["href=\"", "action=\""] {
            let places = text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap());
            found.extend(places.filter(|link| link.starts_with('/')).map(|link| link.replace("&amp;", "&")));
        }
    }
    found.extend(Some(answer.header("location").to_owned()).filter(|place| !place.is_empty()));
    found
}

#[test]
fn a_token_in_the_address_is_in_every_link_of_every_answer() {
    let office = Office::staffed();
    let token = office.token(Role::Administrator, "{}");
    let carried = format!("token={token}");
    let start =
        ["/?f=json", "/collections?f=html", "/collections/parcels/items?limit=3&f=html&town=", "/changes", "/api"];
    let mut waiting: VecDeque<String> = start.iter().map(|path| format!("{path}{}{carried}", joint(path))).collect();
    waiting.push_back(format!("/collections/parcels/items?limit=2&sortby=town&{carried}"));
    let (mut kinds, mut seen, mut checked) = (BTreeSet::new(), BTreeSet::new(), 0);
    while let Some(path) = waiting.pop_front() {
        let answer = office.send(Method::GET, &path, &[], "");
        assert!(matches!(answer.status.as_u16(), 200 | 303), "{path}: {} {}", answer.status, answer.text());
        for link in links_of(&answer) {
            let local = link.strip_prefix("http://mutu.test").unwrap_or(&link).to_owned();
            let bare = local.split(['?', '#']).next().unwrap();
            let count = local.matches("token=").count();
            let of_document = local.ends_with('#') || local.starts_with("/#");
            assert!(of_document || (count == 1 && local.contains(&carried)), "in {path}: {link}");
            checked += 1;
            // One of each kind of page is enough: ids, tiles and pages are alike.
            let kind: String = bare.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            let f = local.split("f=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or("").to_owned();
            if !local.contains('{')
                && !local.contains("/export")
                && kinds.insert((kind, f))
                && seen.insert(local.clone())
            {
                waiting.push_back(local.split('#').next().unwrap().to_owned());
            }
        }
    }
    assert!(kinds.len() > 50 && checked > 500, "{} kinds, {checked} links", kinds.len());
    let next = office.send(Method::GET, &format!("/collections/parcels/items?limit=2&{carried}"), &[], "").json();
    let next = next["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next").unwrap()["href"].clone();
    let next = next.as_str().unwrap().strip_prefix("http://mutu.test").unwrap();
    assert_eq!(office.send(Method::GET, next, &[], "").json()["numberReturned"], 2);
    // Forms lose the query of their address: the token stands beside their fields.
    let page = office.send(Method::GET, &format!("/collections/parcels/items?f=html&{carried}"), &[], "");
    assert!(page.text().contains(&format!("<input type=\"hidden\" name=\"token\" value=\"{token}\">")));
    let with_header = office.get("/collections", &token);
    assert!(!with_header.text().contains("token"), "a token of the header stays out of links");
}

fn joint(path: &str) -> char {
    if path.contains('?') { '&' } else { '?' }
}

#[test]
fn a_token_is_part_of_no_tag_and_of_no_answer_about_an_error() {
    let office = Office::staffed();
    let (a, b) = (office.token(Role::Reader, "{}"), office.token(Role::Reader, "{}"));
    let tag = |path: String| office.send(Method::GET, &path, &[], "").header("etag").to_owned();
    let path = "/collections/parcels/tiles/WebMercatorQuad/9/222/416";
    assert_eq!(tag(format!("{path}?token={a}")), tag(format!("{path}?token={b}")));
    let answer = office.send(Method::GET, &format!("/collections/parcels/items?limit=x&token={a}"), &[], "");
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains(&a));
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[test]
fn the_record_knows_who_did_what_and_no_secret() {
    let office = Office::staffed();
    let cookie = office.sign_in("boss", PASSWORD).unwrap();
    office.sign_in("boss", "wrong password 1").unwrap_err();
    office.sign_in("my password in the wrong field", "boss").unwrap_err();
    let token = office.token(Role::Reader, "{}");
    assert_eq!(office.status(Method::POST, &format!("/collections/parcels/items?token={token}"), &[], "{}"), 403);
    assert_eq!(office.status(Method::GET, "/targets?token=mutu_wrong", &[], ""), 401);
    let body = r#"{"name":"wang","role":"reader","password":"another horse 鹤山"}"#;
    let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
    assert_eq!(office.status(Method::POST, "/users", &headers, body), 201);
    let entries = office.send(Method::GET, "/audit?limit=50", &[("cookie", &cookie)], "");
    let rows: Vec<(String, String, String, String)> = entries.json()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("kind"), text("who"), text("what"), text("outcome"))
        })
        .collect();
    for (kind, who, what, outcome) in [
        ("sign-in", "boss", "sign in", "ok"),
        ("refusal", "boss", "sign in", "wrong name or password"),
        ("refusal", "", "sign in", "wrong name or password"),
        ("refusal", "token:reader of a test", "POST /collections/parcels/items", "403 forbidden"),
        ("refusal", "", "GET /targets", "401 bad-credentials"),
        ("change", "boss", "POST /users: wang as reader", "201"),
    ] {
        let wanted = (kind.to_owned(), who.to_owned(), what.to_owned(), outcome.to_owned());
        assert!(rows.contains(&wanted), "{wanted:?} is not in {rows:#?}");
    }
    // Whoever is not signed in can make as many entries as they like: of refusals alone.
    for tried in ["/sign-in?key=wrong", "/sign-in?key=wrong"] {
        assert_eq!(office.status(Method::GET, tried, &[], ""), 403);
    }
    let kinds: Vec<String> = office.people.recorded(2).unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["refusal", "refusal"]);
    let secret = cookie.split('=').nth(1).unwrap();
    for word in [&token, secret, PASSWORD, "wrong password 1", "wrong field", "another horse", "mutu_wrong", "argon2"] {
        assert!(!entries.text().contains(word), "{word}");
    }
}

#[test]
fn the_record_says_once_what_was_done_and_nothing_of_what_was_only_tried() {
    let office = Office::of_wells();
    let cookie = office.sign_in("boss", PASSWORD).unwrap();
    let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
    let patch = r#"{"changes":[{"patch":{"layer":"wells","id":1,"version":1,"properties":{"town":"c"}}}]}"#;
    let steps = [
        (Method::POST, "/changes?dry-run=true", patch, 200),
        (Method::POST, "/changes", patch, 201),
        (Method::POST, "/changes/2/undo?dry-run=true", "", 200),
        (Method::POST, "/changes/2/undo", "", 201),
        (Method::POST, "/collections/wells/restore", r#"{"seq":3}"#, 200),
        (Method::POST, "/users", r#"{"name":"wang","role":"reader"}"#, 201),
        (Method::PATCH, "/users/wang", "{}", 200),
        (Method::PATCH, "/users/wang", r#"{"role":"editor","disabled":true}"#, 200),
        (Method::DELETE, "/users/wang", "", 204),
        (Method::DELETE, "/users/boss", "", 409),
        (Method::POST, "/tokens", r#"{"name":"qgis","role":"reader"}"#, 201),
        (Method::POST, "/session/password", r#"{"current":"wrong password 1","new":"another horse 鹤山"}"#, 401),
        (Method::POST, "/session/password", r#"{"current":"correct horse 鹤山","new":"another horse 鹤山"}"#, 204),
        (Method::DELETE, "/session", "", 204),
        (Method::DELETE, "/session", "", 204),
    ];
    for (method, path, body, wanted) in steps {
        let answer = office.send(method.clone(), path, &headers, body);
        assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.text());
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(office.status(Method::POST, "/session", &form, "name=boss&password=wrong"), 401);
    let entries = office.people.recorded(1000).unwrap();
    let lines: Vec<String> = entries
        .iter()
        .rev()
        .map(|entry| format!("{} {}: {} = {}", entry.kind, entry.who, entry.what, entry.outcome))
        .collect();
    let wanted = [
        "sign-in boss: sign in = ok",
        "change boss: POST /changes: change 2 = 201",
        "change boss: POST /changes/2/undo: change 3 = 201",
        "change boss: POST /users: wang as reader = 201",
        "change boss: PATCH /users/wang: role editor, kept out = 200",
        "change boss: DELETE /users/wang = 204",
        "change boss: POST /tokens: token \"qgis\" of reader = 201",
        "refusal boss: change password = wrong name or password",
        "change boss: POST /session/password: own password = 204",
        "sign-in boss: sign out = ok",
        "refusal boss: sign in = wrong name or password",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn a_file_of_the_first_format_is_taken_up_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("a.gpkg");
    let people = People::open(&workspace).unwrap();
    people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    let path = people.path().to_owned();
    drop(people);
    // What the first format did not have is taken away.
    let script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('DROP TABLE subject'); \
                  c.execute('PRAGMA user_version=1'); c.commit(); c.close()";
    assert!(std::process::Command::new("python3").args(["-c", script]).arg(&path).status().unwrap().success());
    let people = People::open(&workspace).unwrap();
    assert_eq!(people.is_password_of("boss", PASSWORD).as_deref(), Some("boss"));
    let subject = mutu::people::Subject { issuer: "https://idp.test".to_owned(), subject: "1".to_owned() };
    let altered = mutu::people::Altered { subject: Some(Some(subject.clone())), ..Default::default() };
    people.alter("boss", &altered).unwrap();
    assert_eq!(people.person_of(&subject).unwrap().name, "boss");
}

#[test]
fn the_file_holds_no_secret_and_belongs_to_its_owner() {
    let office = Office::staffed();
    let cookie = office.sign_in("boss", PASSWORD).unwrap();
    let token = office.token(Role::Reader, "{}");
    let mut bytes = std::fs::read(office.people.path()).unwrap();
    let mut beside = office.people.path().as_os_str().to_owned();
    beside.push("-wal");
    bytes.extend(std::fs::read(&beside).unwrap());
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("boss") && holds("$argon2id$"));
    assert!(!holds(PASSWORD) && !holds(&token) && !holds(&token[5..]) && !holds(cookie.split('=').nth(1).unwrap()));
    #[cfg(unix)]
    for path in [office.people.path(), std::path::Path::new(&beside)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_could_read_is_closed_to_them_and_said_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("a.gpkg");
    let people = People::open(&workspace).unwrap();
    assert_eq!(people.notice(), None);
    let path = people.path().to_owned();
    drop(people);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let people = People::open(&workspace).unwrap();
    assert!(people.notice().unwrap().contains("mode 644"), "{:?}", people.notice());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Beside it, as long as it is open or after a kill, stands what was written last.
    people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    let beside = path.with_extension("people-wal");
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o640)).unwrap();
    let again = People::open(&workspace).unwrap();
    assert!(again.notice().unwrap().contains("mode 640"), "{:?}", again.notice());
    assert_eq!(std::fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn files_of_others_and_of_later_versions_are_refused_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("a.gpkg");
    let path = People::path_of(&workspace);
    std::fs::write(&path, b"this is a letter and no database, long enough to be looked at: 0123456789").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(People::open(&workspace).unwrap_err().to_string().contains("not a file of people"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::remove_file(&path).unwrap();
    drop(People::open(&workspace).unwrap());
    let status = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('PRAGMA user_version=9'); c.close()",
        ])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(People::open(&workspace).unwrap_err().to_string().contains("later version"));
}

#[test]
fn two_processes_see_each_others_changes_and_the_record_is_whole_when_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("a.gpkg");
    let (server, command) = (People::open(&workspace).unwrap(), People::open(&workspace).unwrap());
    assert!(!server.has_people());
    command.add("wang", Role::Reader, &Rights::default(), None).unwrap();
    let begun = std::time::Instant::now();
    while !server.has_people() {
        assert!(begun.elapsed().as_secs() < 5, "a change of another process is not seen");
        std::thread::yield_now();
    }
    for number in 0..500 {
        let (who, address) = ("wang".to_owned(), String::new());
        server.record(Entry { kind: Kind::Change, who, address, what: number.to_string(), outcome: "ok".to_owned() });
    }
    drop(server);
    let entries = command.recorded(1000).unwrap();
    assert_eq!(entries.len(), 500);
    assert_eq!(entries[0].what, "499");
}
