//! Who comes in, and who does not: passwords, sessions, tokens, pages of other sites.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use mutu::people::{Altered, NewToken, People, PeopleError, Person, Rights, Role, Subject};
use serde_json::{Value, json};

use super::{Office, PASSWORD, cookie_of};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn without_people_reading_needs_no_account_and_writing_does() {
    let office = Office::new();
    for path in ["/", "/collections", "/collections/parcels/items?limit=1", "/targets", "/changes"] {
        assert_eq!(office.status(Method::GET, path, &[], ""), 200, "{path}");
    }
    let session = office.send(Method::GET, "/session", &[], "").json();
    assert_eq!(session, json!({ "user": null, "role": "reader", "mayEdit": [], "signIn": "http://mutu.test/sign-in" }));
    assert_eq!(office.status(Method::POST, "/collections/parcels/items", &[JSON], "{}"), 401);
    assert_eq!(office.status(Method::DELETE, "/collections/parcels/items/1", &[], ""), 401);
    assert_eq!(office.status(Method::GET, "/users", &[], ""), 401);
}

#[test]
fn the_one_time_link_signs_one_browser_in_as_administrator() {
    let office = Office::new();
    let key = office.people.one_time_key().unwrap();
    let path = format!("/sign-in?key={}", key.reveal());
    assert_eq!(office.status(Method::HEAD, &path, &[], ""), 200, "a look ahead does not use the key up");
    let answer = office.send(Method::GET, &path, &[], "");
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"));
    let set = answer.header("set-cookie");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/"), "{set}");
    assert!(!set.contains("Secure"), "over http a browser would not send it back: {set}");
    let cookie = cookie_of(&answer);
    let session = office.send(Method::GET, "/session", &[("cookie", &cookie)], "").json();
    assert_eq!(session, json!({ "user": "local", "role": "administrator", "mayEdit": true, "signIn": null }));
    let again = office.send(Method::GET, &path, &[], "");
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.headers.get("set-cookie").is_none() && again.text().contains("used already"));
    // Once there are people, nobody in particular is nobody.
    let boss = json!({ "name": "boss", "role": "administrator", "password": PASSWORD }).to_string();
    assert_eq!(office.status(Method::POST, "/users", &[JSON, ("cookie", &cookie)], &boss), 201);
    assert_eq!(office.status(Method::GET, "/users", &[("cookie", &cookie)], ""), 401);
    let late = office.people.one_time_key().unwrap();
    assert_eq!(office.status(Method::GET, &format!("/sign-in?key={}", late.reveal()), &[], ""), 403);
}

#[test]
fn with_people_nobody_reads_without_signing_in() {
    let office = Office::staffed();
    for path in ["/", "/api", "/collections", "/facts", "/changes", "/nowhere", "/collections/parcels/export?f=csv"] {
        let answer = office.send(Method::GET, path, &[], "");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.json()["code"], "sign-in-required");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"mutu\"");
    }
    let browser = [("accept", "text/html")];
    let answer = office.send(Method::GET, "/collections?f=html&lang=en", &browser, "");
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "/sign-in?to=%2Fcollections%3Ff%3Dhtml%26lang%3Den");
    let page = office.send(Method::GET, answer.header("location"), &browser, "");
    assert!(page.text().contains("name=\"to\" value=\"/collections?f=html&amp;lang=en\""), "{}", page.text());
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    for open in ["/health/live", "/icon.svg", "/pages.css", "/session"] {
        assert_ne!(office.status(Method::GET, open, &[], ""), 401, "{open}");
    }
}

#[test]
fn a_password_opens_a_session_and_its_end_closes_it() {
    let office = Office::staffed();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("name", "Boss"), ("password", PASSWORD), ("to", "/targets?f=html")])
        .finish();
    let answer = office.send(Method::POST, "/session", &form, &body);
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/targets?f=html"));
    let cookie = cookie_of(&answer);
    let read = |cookie: &str| office.send(Method::GET, "/targets", &[("cookie", cookie)], "");
    let answer = read(&cookie);
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert!(answer.header("vary").contains("authorization, cookie"), "{}", answer.header("vary"));
    let out = office.send(Method::DELETE, "/session", &[("cookie", &cookie)], "");
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(read(&cookie).status, StatusCode::UNAUTHORIZED, "a cookie that somebody kept is worth nothing");
}

#[test]
fn a_wrong_password_and_a_name_that_nobody_has_are_answered_alike() {
    let office = Office::staffed();
    office.people.add("wang", Role::Reader, &Rights::default(), None).unwrap();
    let texts: Vec<Value> = ["boss", "nobody", "wang"]
        .into_iter()
        .map(|name| {
            let answer = office.sign_in(name, "wrong password").unwrap_err();
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            let mut problem = answer.json();
            problem.as_object_mut().unwrap().remove("request_id");
            problem
        })
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
}

#[test]
fn who_guesses_is_slowed_down_also_with_the_right_password() {
    let office = Office::staffed();
    for _ in 0..5 {
        assert_eq!(office.sign_in("boss", "wrong password").unwrap_err().status, StatusCode::UNAUTHORIZED);
    }
    let answer = office.sign_in("boss", PASSWORD).unwrap_err();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "300");
}

#[test]
fn behind_a_proxy_the_last_hop_is_who_guesses() {
    let office = Office::with(|config| config.behind_proxy = true);
    office.people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    let body = json!({ "name": "boss", "password": "wrong password" }).to_string();
    let from = |hops: &str| office.status(Method::POST, "/session", &[JSON, ("x-forwarded-for", hops)], &body);
    for made_up in 0..5 {
        assert_eq!(from(&format!("10.9.9.{made_up}, 192.0.2.7")), 401);
    }
    assert_eq!(from("10.9.9.77, 192.0.2.7"), 429, "what the client says of itself does not count");
    assert_eq!(from("192.0.2.7, 192.0.2.8"), 401);
    let direct = Office::staffed();
    for made_up in 0..5 {
        direct.status(Method::POST, "/session", &[JSON, ("x-forwarded-for", &format!("192.0.2.{made_up}"))], &body);
    }
    let status = direct.status(Method::POST, "/session", &[JSON, ("x-forwarded-for", "192.0.2.99")], &body);
    assert_eq!(status, 429, "without a proxy the header is not believed");
}

#[test]
fn behind_a_proxy_that_says_no_address_each_name_is_counted_by_itself_and_nobody_locks_others_out() {
    let office = Office::with(|config| config.behind_proxy = true);
    office.people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    let tries = |name: &str, header: (&str, &str)| {
        let body = json!({ "name": name, "password": "wrong password" }).to_string();
        office.status(Method::POST, "/session", &[JSON, header], &body)
    };
    // As many as one address may make and more, of names that nobody has: with a word that is no address, and with none.
    for (number, header) in
        [("x-forwarded-for", "10.0.0.1, unknown"), ("x-nothing", "")].into_iter().cycle().take(36).enumerate()
    {
        assert_eq!(tries(&format!("n{number}"), header), 401);
    }
    office.sign_in("boss", PASSWORD).unwrap();
    // Each name has its own limit, whatever the client writes where the proxy writes nothing that can be read.
    let statuses: Vec<u16> =
        (0..62).map(|number| tries("wang", ("x-forwarded-for", &format!("10.0.0.{number}, -")))).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
    office.sign_in("boss", PASSWORD).unwrap();
}

#[test]
fn a_new_password_ends_ones_other_sessions() {
    let office = Office::staffed();
    let (here, there) = (office.sign_in("boss", PASSWORD).unwrap(), office.sign_in("boss", PASSWORD).unwrap());
    let change = |current: &str, new: &str| {
        let body = json!({ "current": current, "new": new }).to_string();
        office.status(Method::POST, "/session/password", &[JSON, ("cookie", &here)], &body)
    };
    assert_eq!(change("wrong password", "another horse 鹤山"), 401);
    assert_eq!(change(PASSWORD, "short"), 400);
    assert_eq!(change(PASSWORD, "another horse 鹤山"), 204);
    assert_eq!(office.status(Method::GET, "/targets", &[("cookie", &here)], ""), 200);
    assert_eq!(office.status(Method::GET, "/targets", &[("cookie", &there)], ""), 401);
    assert!(office.sign_in("boss", PASSWORD).is_err());
    assert!(office.sign_in("boss", "another horse 鹤山").is_ok());
}

#[test]
fn tokens_that_are_wrong_ended_or_of_somebody_kept_out_are_refused() {
    let office = Office::staffed();
    office.people.add("wang", Role::Editor, &Rights::default(), Some(PASSWORD)).unwrap();
    let make = |person: Option<&str>, expires_at: Option<i64>| {
        let (name, role, rights) = ("t".to_owned(), Role::Manager, Rights::default());
        let new = NewToken { name, person: person.map(str::to_owned), role, rights, expires_at };
        office.people.make_token(&new).unwrap().reveal().to_owned()
    };
    let (wangs, ended) = (make(Some("wang"), None), make(None, Some(1_000)));
    assert_eq!(office.get("/targets", &wangs).status, StatusCode::OK);
    let session = office.get("/session", &wangs).json();
    assert_eq!((&session["user"], &session["role"]), (&json!("wang"), &json!("editor")), "not more than wang may");
    let cut = wangs[..wangs.len() - 1].to_owned();
    for wrong in [ended.as_str(), &cut, "", "mutu_0", "x' OR '1'='1"] {
        let answer = office.get("/targets", wrong);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(wrong.len() < 9 || !answer.text().contains(wrong));
    }
    let wrong = office.status(Method::GET, "/targets", &[("authorization", "Basic Ym9zczpib3Nz")], "");
    assert_eq!(wrong, 401);
    office.people.set_disabled("wang", true).unwrap();
    assert_eq!(office.get("/targets", &wangs).status, StatusCode::UNAUTHORIZED);
    office.people.set_disabled("wang", false).unwrap();
    assert_eq!(office.get("/targets", &wangs).status, StatusCode::OK);
    office.people.remove("wang").unwrap();
    assert_eq!(office.get("/targets", &wangs).status, StatusCode::UNAUTHORIZED);
}

type Headers<'h> = Vec<(&'h str, &'h str)>;

#[test]
fn pages_of_other_sites_change_nothing() {
    let office = Office::staffed();
    let cookie = office.sign_in("boss", PASSWORD).unwrap();
    let token = office.token(Role::Administrator, "{}");
    let bearer = format!("Bearer {token}");
    let (with_cookie, with_token) = (("cookie", cookie.as_str()), ("authorization", bearer.as_str()));
    let host = ("host", "office.test:8080");
    let own = ("origin", "http://office.test:8080");
    let cases: [(&str, Headers<'_>, bool); 10] = [
        ("a page of the server", vec![JSON, with_cookie, host, own, ("sec-fetch-site", "same-origin")], true),
        ("the configured name", vec![JSON, with_cookie, host, ("origin", "http://mutu.test")], true),
        ("a program without origin", vec![JSON, with_cookie, host], true),
        ("another site", vec![JSON, with_cookie, host, ("origin", "http://evil.test")], false),
        ("another port", vec![JSON, with_cookie, host, ("origin", "http://office.test:9090")], false),
        ("a sandboxed frame", vec![JSON, with_cookie, host, ("origin", "null")], false),
        ("another site without origin", vec![JSON, with_cookie, host, ("sec-fetch-site", "cross-site")], false),
        ("another host of the domain", vec![JSON, with_cookie, host, ("sec-fetch-site", "same-site")], false),
        ("a token, which no other site has", vec![JSON, with_token, host, ("origin", "http://evil.test")], true),
        ("a token in a sandboxed frame", vec![JSON, with_token, host, ("origin", "null")], false),
    ];
    for (number, (what, headers, passes)) in cases.into_iter().enumerate() {
        let body = json!({ "name": format!("n{number}"), "role": "reader" }).to_string();
        let status = office.status(Method::POST, "/users", &headers, &body);
        assert_eq!(status, if passes { 201 } else { 403 }, "{what}");
        assert_eq!(office.people.person(&format!("n{number}")).is_some(), passes, "{what}");
    }
    // What a form of another site can send without asking is no JSON.
    let form = [("content-type", "text/plain"), with_cookie, host];
    assert_eq!(office.status(Method::POST, "/users", &form, r#"{"name":"x","role":"reader"}"#), 415);
    // Nobody is signed in under another's name either.
    let body = json!({ "name": "boss", "password": PASSWORD }).to_string();
    assert_eq!(office.status(Method::POST, "/session", &[JSON, host, ("origin", "http://evil.test")], &body), 403);
    let answer = office.send(Method::GET, "/collections", &[with_cookie, ("origin", "http://evil.test")], "");
    assert!(answer.headers.get("access-control-allow-origin").is_none());
    assert!(answer.headers.get("access-control-allow-credentials").is_none());
}

#[test]
fn origins_that_may_call_never_bring_a_cookie_along() {
    let office = Office::with(|config| config.cors_origins = vec!["https://map.test".to_owned()]);
    let token = office.token(Role::Reader, "{}");
    for origin in ["https://map.test", "https://evil.test", "null"] {
        let headers = [("origin", origin), ("authorization", &format!("Bearer {token}"))];
        let answer = office.send(Method::GET, "/collections", &headers, "");
        assert_eq!(answer.status, StatusCode::OK);
        let allowed = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, (origin == "https://map.test").then_some(origin));
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
    }
}

#[test]
fn a_name_that_points_here_from_elsewhere_reads_nothing() {
    let office = Office::new();
    let by = |host: &str| office.status(Method::GET, "/collections", &[("host", host)], "");
    for own in ["localhost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "LOCALHOST", "mutu.test"] {
        assert_eq!(by(own), 200, "{own}");
    }
    for other in ["evil.test", "evil.test:8080", "127.0.0.1.evil.test", "localhost.evil.test", "192.0.2.1"] {
        assert_eq!(by(other), 421, "{other}");
    }
}

#[test]
fn over_https_the_cookie_is_bound_to_its_host() {
    let office = Office::with(|config| config.base_url = "https://mutu.test/park".to_owned());
    office.people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    let body = json!({ "name": "boss", "password": PASSWORD }).to_string();
    let answer = office.send(Method::POST, "/session", &[JSON], &body);
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-mutu_session="), "{set}");
    for word in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(set.contains(word), "{word}: {set}");
    }
    assert!(!set.contains("Domain"), "{set}");
}

#[test]
fn administrators_decide_about_people_and_the_last_one_stays() {
    let office = Office::staffed();
    let boss = office.sign_in("boss", PASSWORD).unwrap();
    let as_boss = [JSON, ("cookie", boss.as_str())];
    let wang = json!({ "name": "王伟", "role": "editor", "password": PASSWORD,
                       "rights": { "edit": ["parcels"], "rows": { "parcels": "town = '址山镇'" } } });
    assert_eq!(office.status(Method::POST, "/users", &as_boss, &wang.to_string()), 201);
    assert_eq!(office.status(Method::POST, "/users", &as_boss, &wang.to_string()), 409);
    let torn = json!({ "name": "li", "role": "editor", "rights": { "rows": { "parcels": "no_such = 1" } } });
    assert_eq!(office.status(Method::POST, "/users", &as_boss, &torn.to_string()), 400);
    let listed = office.send(Method::GET, "/users", &as_boss, "");
    assert!(!listed.text().contains("argon2"), "{}", listed.text());
    let wangs = office.sign_in("王伟", PASSWORD).unwrap();
    let as_wang = [JSON, ("cookie", wangs.as_str())];
    for (method, path) in [(Method::GET, "/users"), (Method::GET, "/audit"), (Method::DELETE, "/users/boss")] {
        assert_eq!(office.status(method, path, &as_wang, ""), 403, "{path}");
    }
    let up = json!({ "role": "administrator" }).to_string();
    assert_eq!(office.status(Method::PATCH, "/users/王伟", &as_wang, &up), 403, "nobody raises themselves");
    for role in ["manager", "administrator"] {
        let token = json!({ "name": "t", "role": role }).to_string();
        assert_eq!(office.status(Method::POST, "/tokens", &as_wang, &token), 403);
    }
    let theirs = json!({ "name": "t", "role": "reader", "user": "boss" }).to_string();
    assert_eq!(office.status(Method::POST, "/tokens", &as_wang, &theirs), 403);
    let own = json!({ "name": "qgis", "role": "editor", "days": 30 }).to_string();
    let made = office.send(Method::POST, "/tokens", &as_wang, &own);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(office.get("/session", &token).json()["mayEdit"], json!(["parcels"]));
    let bearer = format!("Bearer {token}");
    assert_eq!(office.status(Method::POST, "/tokens", &[JSON, ("authorization", &bearer)], &own), 403);
    let id = office.send(Method::GET, "/tokens", &as_wang, "").json()["tokens"][0]["id"].to_string();
    assert_eq!(office.status(Method::DELETE, &format!("/tokens/{id}"), &as_wang, ""), 204);
    assert_eq!(office.get("/session", &token).status, StatusCode::UNAUTHORIZED);
    for (method, path, body) in [
        (Method::DELETE, "/users/boss", ""),
        (Method::PATCH, "/users/boss", r#"{"role":"reader"}"#),
        (Method::PATCH, "/users/boss", r#"{"disabled":true}"#),
    ] {
        assert_eq!(office.status(method, path, &as_boss, body), 409, "{path} {body}");
    }
    assert_eq!(office.status(Method::DELETE, "/users/王伟", &as_boss, ""), 204);
    assert_eq!(office.status(Method::GET, "/targets", &as_wang, ""), 401);
}

#[test]
fn a_server_that_others_reach_stays_closed_when_its_last_person_is_removed() {
    for set in [
        (|config: &mut mutu::config::ServerConfig| config.behind_proxy = true) as fn(&mut mutu::config::ServerConfig),
        |config| config.listen = "0.0.0.0:8443".parse().unwrap(),
    ] {
        let office = Office::with(set);
        let local = office.people.begin_local_session().unwrap();
        office.people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
        office.people.remove("boss").unwrap();
        for path in ["/collections", "/collections/parcels/items?limit=1", "/changes"] {
            assert_eq!(office.status(Method::GET, path, &[], ""), 401, "{path}");
        }
        let cookie = format!("mutu_session_8080={0}; mutu_session_8443={0}", local.reveal());
        assert_eq!(office.status(Method::GET, "/users", &[("cookie", &cookie)], ""), 401, "nobody is local there");
        assert_eq!(office.send(Method::GET, "/session", &[], "").json()["role"], Value::Null);
    }
}

#[test]
fn a_change_of_a_person_that_is_refused_changes_nothing_of_them() {
    let office = Office::staffed();
    office.people.add("wang", Role::Reader, &Rights::default(), Some(PASSWORD)).unwrap();
    let cookie = office.sign_in("boss", PASSWORD).unwrap();
    let torn = json!({ "password": "another horse 2026", "rights": { "read": ["parks"], "edit": ["parcels"] } });
    let headers = [JSON, ("cookie", cookie.as_str())];
    assert_eq!(office.status(Method::PATCH, "/users/wang", &headers, &torn.to_string()), 400);
    office.sign_in("wang", PASSWORD).unwrap();
}

type Way = fn(&People, &str) -> Result<(), PeopleError>;

#[test]
fn of_two_administrators_who_demote_each_other_at_once_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("a.gpkg");
    // Two processes: the rule holds in the file and not in one of them.
    let people = [People::open(&workspace).unwrap(), People::open(&workspace).unwrap()];
    for name in ["li", "wang"] {
        people[0].add(name, Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    }
    let ways: [Way; 3] = [
        |people, name| people.alter(name, &Altered { role: Some(Role::Reader), ..Altered::default() }),
        |people, name| people.alter(name, &Altered { disabled: Some(true), ..Altered::default() }),
        People::dismiss,
    ];
    for round in 0..60 {
        // Both have seen both before a round, or they would not know whom they demote.
        let is_active = |person: &Arc<Person>| person.role == Role::Administrator && !person.is_disabled;
        while people.iter().any(|people| people.everybody().iter().filter(|person| is_active(person)).count() < 2) {
            std::thread::yield_now();
        }
        let way = ways[round % 3];
        let start = std::sync::Barrier::new(2);
        let (start, people) = (&start, &people);
        let outcomes = std::thread::scope(|scope| {
            let demote = |number: usize, name: &'static str| {
                scope.spawn(move || {
                    start.wait();
                    way(&people[number], name)
                })
            };
            [demote(0, "wang"), demote(1, "li")].map(|thread| thread.join().unwrap())
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(PeopleError::LastAdministrator))), "{outcomes:?}");
        let (people, name) = if outcomes[0].is_ok() { (&people[0], "wang") } else { (&people[1], "li") };
        if people.add(name, Role::Administrator, &Rights::default(), Some(PASSWORD)).is_err() {
            people.set_role(name, Role::Administrator).unwrap();
            people.set_disabled(name, false).unwrap();
        }
    }
}

#[test]
fn pages_say_who_is_signed_in_and_lead_to_where_one_signs_in() {
    let pages = [
        "/collections",
        "/collections/parcels/items?limit=2",
        "/collections/parcels/statistics?group-by=town",
        "/nowhere",
    ];
    let read = |office: &Office, path: &str, lang: &str, headers: &[(&str, &str)]| {
        let browser = [("accept", "text/html"), ("accept-language", lang)];
        office.send(Method::GET, path, &[&browser[..], headers].concat(), "")
    };
    let free = Office::new();
    for path in pages {
        let page = read(&free, path, "zh", &[]);
        let to = form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
        let link = format!("<a class=\"primary\" href=\"/sign-in?to={to}");
        assert!(page.text().contains(&link) && page.text().contains(">登录</a>"), "{path}: {}", page.text());
    }
    let office = Office::staffed();
    office.people.add("<b>王", Role::Reader, &Rights::default(), Some(PASSWORD)).unwrap();
    let cookie = office.sign_in("<b>王", PASSWORD).unwrap();
    let token = office.token(Role::Reader, "{}");
    for path in pages {
        let page = read(&office, path, "en", &[("cookie", &cookie)]);
        let name = "<span title=\"Signed in\"><bdi>&lt;b&gt;王</bdi></span>";
        assert!(page.text().contains(name) && page.text().contains("action=\"/sign-out\""), "{path}: {}", page.text());
        // A page that somebody else was shown is not taken for this one.
        let other = office.sign_in("boss", PASSWORD).unwrap();
        let tag = page.header("etag").to_owned();
        let page = read(&office, path, "en", &[("cookie", &other), ("if-none-match", &tag)]);
        assert!(page.status != 304 && page.text().contains("<bdi>boss</bdi>"), "{path}: {}", page.status);
        let page = read(&office, path, "zh", &[("authorization", &format!("Bearer {token}"))]);
        assert!(page.text().contains("令牌：<bdi>token:reader of a test</bdi>"), "{path}");
        assert!(!page.text().contains("/sign-out"), "{path}");
    }
    let page = read(&office, "/sign-in?to=/targets", "en", &[]);
    assert!(!page.text().contains("class=\"account\""), "{}", page.text());
}

type End = fn(&People);

#[test]
fn a_sign_in_under_way_ends_with_what_it_was_begun_by() {
    let folder = tempfile::tempdir().unwrap();
    let people = People::open(&folder.path().join("a.gpkg")).unwrap();
    let add = |password| people.add("tmp", Role::Reader, &Rights::default(), Some(password));
    add(PASSWORD).unwrap();
    let proof = || people.proof_by_password("tmp", PASSWORD).unwrap();
    assert!(people.begin_session(&proof()).unwrap().is_some());
    let ends: [(&str, End); 3] = [
        ("another password", |people| people.set_password("tmp", "another long password", None).unwrap()),
        ("kept out", |people| people.set_disabled("tmp", true).unwrap()),
        ("gone, and somebody else of that name", |people| {
            people.remove("tmp").unwrap();
            people.add("tmp", Role::Manager, &Rights::default(), Some("a third long password")).unwrap();
        }),
    ];
    for (what, end) in ends {
        // The password was checked, and before the session begins things change.
        let checked = proof();
        end(&people);
        assert!(people.begin_session(&checked).unwrap().is_none(), "{what}");
        people.remove("tmp").unwrap();
        add(PASSWORD).unwrap();
    }
    let subject = Subject { issuer: "https://idp.test".to_owned(), subject: "7".to_owned() };
    let linked = Altered { subject: Some(Some(subject.clone())), ..Altered::default() };
    people.alter("tmp", &linked).unwrap();
    let (_, checked) = people.proof_by_subject(subject.clone()).unwrap();
    people.alter("tmp", &Altered { subject: Some(None), ..Altered::default() }).unwrap();
    assert!(people.begin_session(&checked).unwrap().is_none());
    people.alter("tmp", &linked).unwrap();
    let (_, checked) = people.proof_by_subject(subject).unwrap();
    assert!(people.begin_session(&checked).unwrap().is_some());
}

#[test]
fn an_administrator_without_a_way_in_is_not_one_that_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let people = People::open(&folder.path().join("a.gpkg")).unwrap();
    people.add("li", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    people.add("ann", Role::Administrator, &Rights::default(), None).unwrap();
    let demoted = Altered { role: Some(Role::Reader), ..Altered::default() };
    assert!(matches!(people.alter("li", &demoted), Err(PeopleError::LastAdministrator)));
    let subject = Subject { issuer: "https://idp.test".to_owned(), subject: "7".to_owned() };
    people.alter("ann", &Altered { subject: Some(Some(subject)), ..Altered::default() }).unwrap();
    people.alter("li", &demoted).unwrap();
    let unlinked = Altered { subject: Some(None), ..Altered::default() };
    assert!(matches!(people.alter("ann", &unlinked), Err(PeopleError::LastAdministrator)));
}
