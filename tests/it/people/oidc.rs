//! Signing in at an identity provider: the whole way as a browser goes it, and every way in that must be shut.

use std::{collections::HashMap, sync::Arc};

use axum::http::Method;
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    oidc::{OidcError, Provider, Settings},
    people::{People, Rights, Role, Subject},
};
use serde_json::{Value, json};

use super::{
    Office, PASSWORD,
    issuer::{CLIENT, Issuer, SECRET, Signer, rsa},
    planner,
};
use crate::http::Answer;

const BACK: &str = "/sign-in/oidc/callback";
const BROWSER: (&str, &str) = ("accept", "text/html");

fn settings(issuer: &Issuer) -> Settings {
    let (issuer, client_id) = (issuer.url.clone(), CLIENT.to_owned());
    Settings {
        issuer,
        client_id,
        client_secret: Some(SECRET.to_owned()),
        name: Some("鹤山统一认证".to_owned()),
        authorities: None,
    }
}

/// An office whose people may sign in at an issuer: chen is its 248289761001.
fn office(issuer: &Issuer) -> Office {
    office_at(issuer, |_| ())
}

pub(super) fn office_at(issuer: &Issuer, set: impl FnOnce(&mut ServerConfig)) -> Office {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("office.gpkg");
    let people = Arc::new(People::open(&path).unwrap());
    people.add("boss", Role::Administrator, &Rights::default(), Some(PASSWORD)).unwrap();
    people.add("chen", Role::Editor, &Rights::default(), None).unwrap();
    link(&people, "chen", &issuer.url, "248289761001");
    let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
    config.base_url = "http://mutu.test".to_owned();
    set(&mut config);
    let state = AppState::with_people(planner(), config, Arc::clone(&people));
    let app = router(state.with_provider(Provider::new(settings(issuer)).unwrap()));
    Office { app, people, planner: planner(), _folder: folder }
}

fn link(people: &People, name: &str, issuer: &str, subject: &str) {
    let subject = Subject { issuer: issuer.to_owned(), subject: subject.to_owned() };
    let altered = mutu::people::Altered { subject: Some(Some(subject)), ..Default::default() };
    people.alter(name, &altered).unwrap();
}

/// A browser: it keeps cookies.
#[derive(Default)]
pub(super) struct Browser {
    cookies: HashMap<String, String>,
    /// What the proxy says of where it is.
    from: String,
}

impl Browser {
    /// One of a machine of its own: tries that fail are counted by address.
    pub(super) fn at(number: usize) -> Self {
        Self { cookies: HashMap::new(), from: format!("10.1.{}.{}", number / 250, number % 250) }
    }

    pub(super) fn get(&mut self, office: &Office, path: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (cookies, from) = (cookies.join("; "), self.from.clone());
        let answer = office.send(Method::GET, path, &[BROWSER, ("cookie", &cookies), ("x-forwarded-for", &from)], "");
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Goes to the issuer and gives the path by which it comes back.
    pub(super) fn go(&mut self, office: &Office, issuer: &Issuer, to: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
        let answer = self.get(office, &format!("/sign-in/oidc?{query}"));
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert!(answer.header("location").starts_with(&format!("{}/authorize?", issuer.url)));
        let place = issuer.visit(answer.header("location"));
        let base = place.find(BACK).unwrap();
        place[base..].to_owned()
    }

    pub(super) fn session(&self, office: &Office) -> Value {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        office.send(Method::GET, "/session", &[("cookie", &cookies.join("; "))], "").json()
    }

    fn is_signed_in(&self) -> bool {
        self.cookies.keys().any(|name| name.contains("session") && !name.ends_with("_oidc"))
    }
}

fn last_entry(office: &Office) -> (String, String, String, String) {
    let entry = office.people.recorded(1).unwrap().remove(0);
    (entry.kind, entry.who, entry.what, entry.outcome)
}

#[test]
fn somebody_signs_in_at_the_issuer_by_every_algorithm_and_out_again() {
    let signers = [Signer::Rsa(rsa(0), "RS256"), Signer::Rsa(rsa(0), "PS256"), Signer::es256(), Signer::eddsa()];
    for signer in signers {
        let alg = signer.alg();
        let issuer = Issuer::with(signer);
        let office = office(&issuer);
        let mut browser = Browser::default();
        let page = browser.get(&office, "/sign-in?lang=zh&to=/targets");
        let link = "href=\"http://mutu.test/sign-in/oidc?to=%2Ftargets\"";
        assert!(
            page.text().contains(link) && page.text().contains("统一身份认证登录：<bdi>鹤山统一认证</bdi>"),
            "{}",
            page.text()
        );
        let back = browser.go(&office, &issuer, "/targets?f=html");
        let ticket = &browser.cookies["mutu_session_8080_oidc"];
        assert!(!back.contains(ticket.split('.').next().unwrap()), "what binds the browser is in no address");
        let answer = browser.get(&office, &back);
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/targets?f=html"),
            "{alg}: {}",
            answer.text()
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        let session = browser.session(&office);
        assert_eq!((&session["user"], &session["role"]), (&json!("chen"), &json!("editor")), "{alg}");
        assert_eq!(browser.cookies.len(), 1, "the way there is forgotten: {:?}", browser.cookies);
        assert_eq!(browser.get(&office, "/targets?f=html").status, 200);
        let wanted = ("sign-in", "chen", format!("sign in at {}", issuer.url), "ok");
        let (kind, who, what, outcome) = last_entry(&office);
        assert_eq!((kind.as_str(), who.as_str(), what, outcome.as_str()), wanted);
        let cookie = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).next().unwrap();
        assert_eq!(office.status(Method::DELETE, "/session", &[("cookie", &cookie)], ""), 204);
        assert_eq!(browser.session(&office)["user"], Value::Null);
        let log = office.people.recorded(100).unwrap();
        assert!(log.iter().all(|entry| !entry.what.contains("code+") && !entry.outcome.contains("code+")));
    }
}

#[test]
fn over_https_the_cookie_of_the_way_there_is_bound_to_its_host() {
    let issuer = Issuer::start();
    let office = office_at(&issuer, |config| config.base_url = "https://mutu.test/park".to_owned());
    let answer = office.send(Method::GET, "/sign-in/oidc?to=/targets", &[BROWSER], "");
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-mutu_session_oidc="), "{set}");
    for word in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age=600"] {
        assert!(set.contains(word), "{word}: {set}");
    }
    let redirect = "redirect_uri=https%3A%2F%2Fmutu.test%2Fpark%2Fsign-in%2Foidc%2Fcallback";
    assert!(answer.header("location").contains(redirect), "{}", answer.header("location"));
    let session = office.send(Method::GET, "/session", &[], "").json();
    assert_eq!(session["oidc"], json!({ "name": "鹤山统一认证", "href": "https://mutu.test/park/sign-in/oidc" }));
}

#[test]
fn the_way_back_never_leaves_this_server() {
    let issuer = Issuer::start();
    let office = office(&issuer);
    for elsewhere in ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "", "\t//evil.test"] {
        let mut browser = Browser::default();
        let back = browser.go(&office, &issuer, elsewhere);
        let answer = browser.get(&office, &format!("{back}&to=https://evil.test&redirect_uri=https://evil.test"));
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{elsewhere}");
    }
}

pub(super) fn behind_proxy(config: &mut ServerConfig) {
    config.behind_proxy = true;
}

/// The browser comes back and is refused, told why, and the record has one entry more that says it.
pub(super) fn check_refused(office: &Office, browser: &mut Browser, back: &str, (what, code): (&str, &str)) {
    let before = office.people.recorded(100_000).unwrap().len();
    let answer = browser.get(office, back);
    assert!(matches!(answer.status.as_u16(), 400 | 403 | 503), "{what}: {} {}", answer.status, answer.text());
    assert!(answer.headers.get("location").is_none(), "{what}");
    assert!(!browser.is_signed_in(), "{what}");
    assert_eq!(browser.session(office)["user"], Value::Null, "{what}");
    let entries = office.people.recorded(100_000).unwrap();
    assert_eq!(entries.len(), before + 1, "{what}: once");
    let entry = &entries[0];
    assert_eq!(entry.kind, "refusal", "{what}");
    assert!(entry.outcome.starts_with(code), "{what}: {} and not {code}", entry.outcome);
    assert!(entry.what.starts_with("sign in at http://127.0.0.1:"), "{what}: {}", entry.what);
    assert!(answer.text().contains("class=\"problem\""), "{what}: {}", answer.text());
}

/// A way in that must be shut: what was done to the issuer or the browser, and the path by which the browser comes back.
type Attack = fn(&Office, &Issuer, &mut Browser) -> String;

const ATTACKS: [(&str, &str, Attack); 18] = [
    ("a callback out of nowhere", "oidc-not-begun", |_, _, _| format!("{BACK}?code=a&state=b")),
    ("another's callback in a browser that began nothing", "oidc-not-begun", |office, issuer, _| {
        Browser::at(900).go(office, issuer, "/")
    }),
    ("another's callback in a browser that has begun", "oidc-wrong-state", |office, issuer, browser| {
        browser.go(office, issuer, "/");
        Browser::at(901).go(office, issuer, "/")
    }),
    ("another's code under one's own state", "oidc-code-refused", |office, issuer, browser| {
        let theirs = Browser::at(902).go(office, issuer, "/");
        let own = browser.go(office, issuer, "/");
        let code = |path: &str| path.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        own.replace(&code(&own), &code(&theirs))
    }),
    ("one's own callback twice", "oidc-replayed", |office, issuer, browser| {
        let back = browser.go(office, issuer, "/");
        let kept = browser.cookies.clone();
        assert_eq!(browser.get(office, &back).status, 303);
        // Somebody who has the cookie and the address from the browser comes later.
        browser.cookies = kept;
        back
    }),
    ("a ticket that was altered", "oidc-not-begun", |office, issuer, browser| {
        let back = browser.go(office, issuer, "/");
        browser.cookies.values_mut().for_each(|value| *value = value.replacen('.', "A.", 1));
        back
    }),
    ("a ticket of another process", "oidc-not-begun", |_, issuer, browser| {
        let other = office_at(issuer, behind_proxy);
        browser.go(&other, issuer, "/")
    }),
    ("no state", "oidc-wrong-state", |office, issuer, browser| {
        browser.go(office, issuer, "/").replace("state=", "stete=")
    }),
    ("the code twice", "oidc-malformed", |office, issuer, browser| {
        format!("{}&code=another", browser.go(office, issuer, "/"))
    }),
    ("no code", "oidc-malformed", |office, issuer, browser| browser.go(office, issuer, "/").replace("code=", "kode=")),
    ("the answer of another issuer", "oidc-mixed-up", |office, issuer, browser| {
        issuer.script().iss = Some("https://evil.test".to_owned());
        browser.go(office, issuer, "/")
    }),
    (
        "the person refuses",
        "oidc-refused: the identity provider refused the sign-in: access_denied",
        |office, issuer, browser| {
            issuer.script().error = Some("access_denied");
            browser.go(office, issuer, "/")
        },
    ),
    (
        "an error that is markup",
        "oidc-refused: the identity provider refused the sign-in: without a reason",
        |office, issuer, browser| {
            issuer.script().error = Some("<script>alert(1)</script>");
            browser.go(office, issuer, "/")
        },
    ),
    ("a token endpoint that leads elsewhere", "oidc-code-refused", |office, issuer, browser| {
        issuer.script().token_answer = Some("302 Found");
        browser.go(office, issuer, "/")
    }),
    ("a token endpoint that fails", "oidc-bad-answer", |office, issuer, browser| {
        issuer.script().token_answer = Some("500 Internal Server Error");
        browser.go(office, issuer, "/")
    }),
    ("nobody here", "oidc-unknown-person: subject \"' OR '1'='1\"", |office, issuer, browser| {
        issuer.script().subject = "' OR '1'='1".to_owned();
        browser.go(office, issuer, "/")
    }),
    ("the name of a person as subject", "oidc-unknown-person", |office, issuer, browser| {
        issuer.script().subject = "boss".to_owned();
        browser.go(office, issuer, "/")
    }),
    ("somebody kept out", "oidc-kept-out", |office, issuer, browser| {
        office.people.set_disabled("chen", true).unwrap();
        browser.go(office, issuer, "/")
    }),
];

#[test]
fn ways_in_that_are_shut_let_nobody_in_and_are_written_down() {
    for (number, (what, code, attack)) in ATTACKS.into_iter().enumerate() {
        let issuer = Issuer::start();
        let office = office_at(&issuer, behind_proxy);
        let mut browser = Browser::at(number);
        let back = attack(&office, &issuer, &mut browser);
        browser.cookies.retain(|name, _| name.ends_with("_oidc"));
        check_refused(&office, &mut browser, &back, (what, code));
    }
}

#[test]
fn another_site_that_sends_a_browser_to_the_callback_does_not_spoil_a_sign_in_under_way() {
    let issuer = Issuer::start();
    let office = office(&issuer);
    let mut browser = Browser::default();
    let back = browser.go(&office, &issuer, "/");
    assert_eq!(browser.get(&office, &format!("{BACK}?code=a&state=b")).status, 403);
    assert_eq!(office.status(Method::HEAD, &back, &[BROWSER], ""), 204, "a look ahead uses nothing up");
    assert_eq!(browser.get(&office, &back).status, 303);
    assert_eq!(browser.session(&office)["user"], "chen");
}

#[test]
fn an_issuer_whose_documents_are_not_good_signs_nobody_in() {
    let begins = |change: &dyn Fn(&Issuer)| {
        let issuer = Issuer::start();
        change(&issuer);
        let office = office(&issuer);
        let answer = office.send(Method::GET, "/sign-in/oidc", &[BROWSER], "");
        assert!(answer.headers.get("set-cookie").is_none());
        let program = office.send(Method::GET, "/sign-in/oidc", &[], "");
        (answer.status.as_u16(), program.status == answer.status, program.json()["code"].as_str().unwrap().to_owned())
    };
    let document =
        |name: &'static str, value: Value| move |issuer: &Issuer| issuer.script().document = json!({ name: value });
    let bad = (503, true, "oidc-bad-answer".to_owned());
    // Another issuer's document (mix-up), and addresses that lead into the network behind us.
    assert_eq!(begins(&document("issuer", json!("https://evil.test"))), bad);
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for address in
            ["http://169.254.169.254/latest", "http://10.0.0.1/", "file:///etc/passwd", "/relative", "http://evil.test"]
        {
            assert_eq!(begins(&document(name, json!(address))), bad, "{name} {address}");
        }
    }
    assert_eq!(begins(&document("filler", json!("x".repeat(300_000)))), bad, "a huge document");
    // Keys are asked for on the way back.
    let key = Signer::es256().public("first");
    let huge = json!({ "keys": [key], "filler": "x".repeat(300_000) }).to_string();
    let many = json!({ "keys": vec![key.clone(); 1000] }).to_string();
    for (what, keys, code) in [
        ("huge", huge, "oidc-bad-answer"),
        ("many", many, "oidc-bad-answer"),
        ("no JSON", "<html>".to_owned(), "oidc-bad-answer"),
        ("none", json!({ "keys": [] }).to_string(), "oidc-unknown-key"),
        (
            "for encryption",
            json!({ "keys": [{ "use": "enc", "kty": "RSA", "kid": "first" }] }).to_string(),
            "oidc-unknown-key",
        ),
        (
            "shared secrets",
            json!({ "keys": [{ "kty": "oct", "kid": "first", "k": "AAAA" }] }).to_string(),
            "oidc-unknown-key",
        ),
    ] {
        let issuer = Issuer::start();
        issuer.script().keys = Some(keys);
        let office = office(&issuer);
        let mut browser = Browser::default();
        let back = browser.go(&office, &issuer, "/");
        check_refused(&office, &mut browser, &back, (what, code));
    }
}

#[test]
fn a_server_whose_issuer_is_down_goes_on_and_says_so() {
    let mut gone = Issuer::start();
    // Nobody listens there.
    gone.url = "http://127.0.0.1:1/realms/county".to_owned();
    let office = office(&gone);
    let answer = office.send(Method::GET, "/sign-in/oidc", &[BROWSER, ("accept-language", "zh")], "");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("统一身份认证暂时无法使用") && answer.text().contains("name=\"password\""),
        "{}",
        answer.text()
    );
    office.sign_in("boss", PASSWORD).unwrap();
}

#[test]
fn keys_that_the_issuer_takes_up_later_are_asked_for_and_the_others_are_not_again() {
    let issuer = Issuer::start();
    let office = office(&issuer);
    let comes_in = |office: &Office| {
        let mut browser = Browser::default();
        let back = browser.go(office, &issuer, "/");
        browser.get(office, &back).status.as_u16()
    };
    assert_eq!((comes_in(&office), comes_in(&office)), (303, 303));
    let asked = |path: &str| issuer.script().asked.iter().filter(|asked| *asked == path).count();
    assert_eq!((asked("/.well-known/openid-configuration"), asked("/jwks")), (1, 1));
    {
        let mut script = issuer.script();
        script.signer = Signer::eddsa();
        script.kid = "second".to_owned();
    }
    assert_eq!((comes_in(&office), comes_in(&office)), (303, 303));
    assert_eq!((asked("/.well-known/openid-configuration"), asked("/jwks")), (1, 2));
}

#[test]
fn who_is_not_let_in_yet_is_told_what_to_ask_for_and_comes_in_afterwards() {
    let issuer = Issuer::start();
    issuer.script().subject = "a b'c".to_owned();
    let office = office(&issuer);
    let mut browser = Browser::default();
    let back = browser.go(&office, &issuer, "/");
    let answer = browser.get(&office, &back);
    assert_eq!(answer.status, 403);
    let said = format!("mutu user link NAME --oidc-issuer {} --oidc-subject 'a b'\\''c'", issuer.url);
    assert!(answer.text().contains(&said) && answer.text().contains("chen.wei"), "{}", answer.text());
    // An administrator lets them in over HTTP.
    let boss = office.sign_in("boss", PASSWORD).unwrap();
    let headers = [("content-type", "application/json"), ("cookie", boss.as_str())];
    let subject = json!({ "issuer": issuer.url, "subject": "a b'c" });
    let wang = json!({ "name": "wang", "role": "reader", "oidc": subject }).to_string();
    assert_eq!(office.status(Method::POST, "/users", &headers, &wang), 201);
    let back = browser.go(&office, &issuer, "/");
    assert_eq!(browser.get(&office, &back).status, 303);
    assert_eq!(browser.session(&office)["user"], "wang");
    // One subject is one person.
    let chen = json!({ "oidc": subject }).to_string();
    assert_eq!(office.status(Method::PATCH, "/users/chen", &headers, &chen), 409);
    for bad in [
        json!({ "issuer": "idp", "subject": "1" }),
        json!({ "issuer": "https://idp", "subject": "" }),
        json!({ "issuer": "https://idp" }),
    ] {
        let body = json!({ "oidc": bad }).to_string();
        assert_eq!(office.status(Method::PATCH, "/users/chen", &headers, &body), 400, "{body}");
    }
    // Linked with nobody any more, their session is over.
    assert_eq!(office.status(Method::PATCH, "/users/wang", &headers, r#"{"oidc":null}"#), 200);
    assert_eq!(browser.session(&office)["user"], Value::Null);
    browser.cookies.clear();
    // The same subject of another issuer is nobody.
    link(&office.people, "wang", "https://another.example", "a b'c");
    let back = browser.go(&office, &issuer, "/");
    check_refused(&office, &mut browser, &back, ("another issuer's", "oidc-unknown-person"));
    office.people.remove("wang").unwrap();
    assert!(
        office
            .people
            .person_of(&Subject { issuer: "https://another.example".to_owned(), subject: "a b'c".to_owned() })
            .is_none()
    );
}

#[test]
fn without_an_issuer_there_is_no_way_to_one() {
    let office = Office::staffed();
    assert_eq!(office.status(Method::GET, "/sign-in/oidc", &[], ""), 404);
    assert_eq!(office.status(Method::GET, BACK, &[], ""), 404);
    assert!(office.send(Method::GET, "/session", &[], "").json().get("oidc").is_none());
    assert!(!office.send(Method::GET, "/sign-in", &[BROWSER], "").text().contains("oidc"));
}

#[test]
fn who_tries_again_and_again_is_slowed_down() {
    let issuer = Issuer::start();
    let office = office(&issuer);
    // What a page of another site can make a browser do counts for nothing.
    for _ in 0..40 {
        assert_eq!(office.status(Method::GET, &format!("{BACK}?code=a&state=b"), &[], ""), 403);
    }
    let mut browser = Browser::default();
    let statuses: Vec<u16> = (0..35)
        .map(|_| {
            let back = browser.go(&office, &issuer, "/");
            browser.get(&office, &back.replace("code=", "code=x")).status.as_u16()
        })
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 30);
    assert!(statuses[30..].iter().all(|status| *status == 429));
    // Who has a password comes in by it all the same.
    office.sign_in("boss", PASSWORD).unwrap();
}

#[test]
fn an_issuer_elsewhere_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let mut program = std::process::Command::new("openssl");
        program.current_dir(folder.path()).args(arguments);
        program
    };
    let made =
        openssl(&["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-days", "2"])
            .args(["-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .output()
            .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut serving = openssl(&["s_server", "-accept", "127.0.0.1:0", "-cert", "c.pem", "-key", "k.pem", "-WWW"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(serving.stdout.take().unwrap()));
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned)).unwrap();
    let url = format!("https://{address}");
    std::fs::create_dir(folder.path().join(".well-known")).unwrap();
    let document = json!({ "issuer": url, "authorization_endpoint": format!("{url}/a"), "token_endpoint": format!("{url}/t"),
                           "jwks_uri": format!("{url}/j") });
    std::fs::write(folder.path().join(".well-known/openid-configuration"), document.to_string()).unwrap();
    let begins = |authorities: Option<std::path::PathBuf>| {
        let (client_id, issuer) = (CLIENT.to_owned(), url.clone());
        let provider = Provider::new(Settings { issuer, client_id, client_secret: None, name: None, authorities });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(provider.unwrap().begin("/", "http://mutu.test/sign-in/oidc/callback"))
    };
    let stranger = begins(None);
    let known = begins(Some(folder.path().join("c.pem")));
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(matches!(&stranger, Err(OidcError::Unreachable { .. })), "{stranger:?}");
    assert!(stranger.unwrap_err().to_string().contains("certificate"));
    assert!(known.as_ref().is_ok_and(|begun| begun.location.starts_with(&format!("{url}/a?"))), "{known:?}");
}
