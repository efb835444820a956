//! The program itself: what `mutu serve` refuses and prints, `mutu user`, TLS.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

use super::{
    PASSWORD,
    issuer::{CLIENT, Issuer, SECRET},
};

/// A folder with a small workspace of its own.
struct Desk(tempfile::TempDir);

/// An empty workspace as bytes: made once.
fn workspace() -> &'static Path {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("wells.geojson");
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","geometry":{"type":"Point","coordinates":[112.9,22.7]},"properties":{"town":"a"}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":[112.8,22.7]},"properties":{"town":"b"}}]}"#;
        std::fs::write(&source, text).unwrap();
        let path = folder.path().join("a.gpkg");
        let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
        let made = program.arg("import").arg(&source).args(["--layer", "wells", "-w"]).arg(&path).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (folder, path)
    });
    path
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(workspace(), folder.path().join("mutu.gpkg")).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mutu"));
        program.current_dir(self.0.path()).env_remove("MUTU_WORKSPACE").env_remove("MUTU_LOG").args(arguments);
        program
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut program = self.command(arguments);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn ends_with(&self, code: i32, arguments: &[&str], input: &str) -> (String, String) {
        let output = self.run(arguments, input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, complained) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{complained}");
        (said, complained)
    }
}

/// A server of the program, and what it said at its start.
struct Server {
    child: Child,
    url: String,
    said: String,
}

impl Server {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let mut program = desk.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = program.args(arguments).env("MUTU_LOG", "trace").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.as_mut().unwrap());
        let (mut said, mut url) = (String::new(), String::new());
        while url.is_empty() || (arguments.is_empty() && !said.contains("/sign-in?key=")) {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the server ended: {said}");
            if let Some((_, address)) = line.trim_end().split_once(" is at ") {
                url = address.to_owned();
            }
            said.push_str(&line);
        }
        Self { child, url, said }
    }

    #[expect(clippy::unused_self, reason = "it is this program that is asked")]
    fn curl(&self, arguments: &[&str]) -> String {
        let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn status(&self, arguments: &[&str]) -> String {
        self.curl(&[&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat())
    }

    /// Ends the server by the signal that operators send, and gives all that it logged.
    fn stop(mut self) -> String {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut log = std::mem::take(&mut self.said);
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_first_start_on_the_own_machine_prints_the_link_that_signs_in() {
    let desk = Desk::new();
    let server = Server::start(&desk, &[]);
    assert_eq!(server.status(&[&format!("{}/collections/wells/items", server.url)]), "200");
    let link = server.said.split_whitespace().find(|word| word.contains("/sign-in?key=")).unwrap().to_owned();
    let jar = desk.0.path().join("jar");
    let jar = jar.to_str().unwrap();
    assert_eq!(server.status(&["-c", jar, &link]), "303");
    let session = server.curl(&["-b", jar, &format!("{}/session", server.url)]);
    assert!(session.contains("\"administrator\""), "{session}");
    assert_eq!(server.status(&[&link]), "403", "the link is good once");
    let (token, _) = desk.ends_with(0, &["user", "token", "--role", "reader"], "");
    let token = token.trim();
    assert_eq!(server.status(&[&format!("{}/collections?token={token}", server.url)]), "200");
    assert_eq!(server.status(&[&format!("{}/collections?token=mutu_wrong", server.url)]), "401");
    let cookie = std::fs::read_to_string(jar).unwrap();
    let secret = cookie.lines().last().unwrap().split('\t').next_back().unwrap().to_owned();
    let log = server.stop();
    assert!(log.contains("collections") && secret.len() == 64);
    assert!(!log.contains(token) && !log.contains("mutu_wrong") && !log.contains(&secret), "{log}");
    // The record was written before the program ended.
    let (record, _) = desk.ends_with(0, &["user", "audit", "--format", "json"], "");
    assert!(record.contains("one-time link") && record.contains("401 bad-credentials"), "{record}");
}

#[test]
fn beyond_the_machine_it_needs_tls_or_a_proxy_and_somebody_who_can_sign_in() {
    let desk = Desk::new();
    let (_, said) = desk.ends_with(2, &["serve", "--listen", "0.0.0.0:0"], "");
    assert!(said.contains("--tls-cert") && said.contains("--behind-proxy"), "{said}");
    for proxy in ["0.0.0.0:0", "127.0.0.1:0"] {
        let url = ["--base-url", "https://mutu.office.example"];
        let (_, said) = desk.ends_with(2, &[&["serve", "--listen", proxy, "--behind-proxy"], &url[..]].concat(), "");
        assert!(said.contains("mutu user add"), "{said}");
    }
    let (_, said) = desk.ends_with(2, &["serve", "--tls-cert", "a.pem"], "");
    assert!(said.contains("--tls-key"), "{said}");
    let (_, said) = desk.ends_with(2, &["serve", "--tls-cert", "a.pem", "--tls-key", "a.key"], "");
    assert!(said.contains("a.pem"), "{said}");
}

#[test]
fn over_tls_it_starts_only_where_browsers_keep_the_cookie_to_tls() {
    let desk = Desk::new();
    let refused =
        |arguments: &[&str]| desk.ends_with(2, &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat(), "").1;
    for url in [&[][..], &["--base-url", "http://mutu.office.example"], &["--base-url", "http://127.0.0.1.evil.test"]] {
        let said = refused(&[&["--behind-proxy"], url].concat());
        assert!(said.contains("--base-url https://"), "{url:?}: {said}");
    }
    // What is fit goes on to the next question: there is nobody yet.
    for url in ["https://mutu.office.example", "http://localhost:8080/a", "http://[::1]:8080", "http://127.0.0.1"] {
        let said = refused(&["--behind-proxy", "--base-url", url]);
        assert!(said.contains("mutu user add"), "{url}: {said}");
    }
    let said = refused(&["--proxy", "10.0.0.1"]);
    assert!(said.contains("--behind-proxy"), "{said}");
}

#[test]
fn a_proxy_that_says_no_address_is_told_of_once() {
    let desk = Desk::new();
    desk.ends_with(0, &["user", "add", "li", "--role", "administrator"], &format!("{PASSWORD}\n"));
    let server = Server::start(&desk, &["--behind-proxy", "--base-url", "http://127.0.0.1:0"]);
    let url = format!("{}/session", server.url);
    for _ in 0..3 {
        assert_eq!(server.status(&[&url]), "200");
    }
    assert_eq!(server.status(&["-H", "x-forwarded-for: 192.0.2.7", "-H", "x-forwarded-for: x", &url]), "200");
    let log = server.stop();
    assert_eq!(log.matches("says no address in X-Forwarded-For").count(), 1, "{log}");
}

#[test]
fn a_browser_signs_in_at_the_identity_provider_that_the_operator_names() {
    let (desk, issuer) = (Desk::new(), Issuer::start());
    let subject = ["--oidc-issuer", &issuer.url, "--oidc-subject", "248289761001"];
    desk.ends_with(0, &["user", "add", "boss", "--role", "administrator"], &format!("{PASSWORD}\n"));
    let secret = desk.0.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let named = ["--oidc-issuer", &issuer.url, "--oidc-client-id", CLIENT, "--oidc-client-secret-file", "secret"];
    let server = Server::start(&desk, &named);
    let jar = desk.0.path().join("jar");
    let jar = ["-b", jar.to_str().unwrap(), "-c", jar.to_str().unwrap(), "-L", "-H", "accept: text/html"];
    let go = |path: &str| {
        let url = format!("{}{path}", server.url);
        server.curl(&[&jar[..], &["-w", "\n%{http_code} %{url_effective}", &url]].concat())
    };
    let page = go("/sign-in/oidc?to=/collections");
    assert!(page.ends_with(" 403") || page.contains("403 "), "{page}");
    assert!(page.contains("mutu user link NAME --oidc-issuer http://127.0.0.1:"), "{page}");
    // Whom the command line lets in comes in at once.
    desk.ends_with(0, &[&["user", "add", "chen", "--role", "reader"], &subject[..]].concat(), "");
    let page = go("/sign-in/oidc?to=/collections");
    assert!(page.contains(&format!("200 {}/collections", server.url)) && page.contains("<bdi>chen</bdi>"), "{page}");
    let (list, _) = desk.ends_with(0, &["user", "list", "--format", "json"], "");
    assert!(list.contains("248289761001"), "{list}");
    desk.ends_with(30, &[&["user", "link", "boss"], &subject[..]].concat(), "");
    desk.ends_with(0, &["user", "unlink", "chen"], "");
    desk.ends_with(0, &[&["user", "link", "boss"], &subject[..]].concat(), "");
    let page = go("/sign-in/oidc?to=/collections");
    assert!(page.contains("<bdi>boss</bdi>"), "{page}");
    let log = server.stop();
    assert!(log.contains("/sign-in/oidc/callback"), "the log is a full one");
    for secret in [SECRET, "code+", "code%2B", "state=", "nonce", "code_verifier", "eyJ"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let (record, _) = desk.ends_with(0, &["user", "audit", "--format", "csv"], "");
    for words in [
        "oidc-unknown-person",
        "sign-in,chen,",
        "sign-in,boss,",
        "link boss with subject 248289761001",
        "unlink chen",
        "add chen as reader, linked with subject 248289761001",
    ] {
        assert!(record.contains(words), "{words}: {record}");
    }
}

#[test]
fn an_identity_provider_that_cannot_be_one_is_refused_and_one_that_is_down_is_not() {
    let desk = Desk::new();
    let refused = |arguments: &[&str], words: &str| {
        let (_, said) = desk.ends_with(2, &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat(), "");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    refused(&["--oidc-issuer", "https://idp.test"], "--oidc-client-id");
    refused(&["--oidc-client-id", "mutu"], "--oidc-issuer");
    refused(&["--oidc-issuer", "http://idp.test", "--oidc-client-id", "mutu"], "https:// is needed");
    let at = ["--oidc-issuer", "http://127.0.0.1:1", "--oidc-client-id", "mutu"];
    refused(&[&at[..], &["--oidc-client-secret-file", "nowhere"]].concat(), "nowhere");
    std::fs::write(desk.0.path().join("two"), "one\ntwo\n").unwrap();
    refused(&[&at[..], &["--oidc-client-secret-file", "two"]].concat(), "in one line");
    let https = ["--oidc-issuer", "https://idp.test", "--oidc-client-id", "mutu", "--oidc-ca", "two"];
    refused(&https, "--oidc-ca two");
    let server = Server::start(&desk, &at);
    assert_eq!(server.status(&[&format!("{}/sign-in/oidc", server.url)]), "503");
    assert_eq!(server.status(&[&format!("{}/collections", server.url)]), "200");
    server.stop();
}

#[cfg(unix)]
#[test]
fn a_workspace_that_everybody_can_read_is_told_of_where_people_have_rights() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let set = |mode| {
        let file = std::fs::read_dir(desk.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "gpkg")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    desk.ends_with(0, &["user", "add", "li", "--role", "administrator"], "correct horse 2026\n");
    for (mode, told) in
        [(0o644, Some("can read it (mode 644)")), (0o666, Some("can write it (mode 666)")), (0o640, None)]
    {
        set(mode);
        let server = Server::start(&desk, &["--outside", "take"]);
        // Who answers can also be asked to stop.
        assert_eq!(server.status(&[&format!("{}/health/live", server.url)]), "200");
        let said = server.stop();
        assert_eq!(said.contains("whatever rights"), told.is_some(), "{said}");
        assert!(said.contains(told.unwrap_or("")), "{said}");
    }
}

#[test]
fn it_speaks_tls_itself() {
    let desk = Desk::new();
    let made = Command::new("openssl")
        .current_dir(desk.0.path())
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    desk.ends_with(0, &["user", "add", "li", "--role", "administrator"], &format!("{PASSWORD}\n"));
    let server = Server::start(&desk, &["--tls-cert", "c.pem", "--tls-key", "k.pem"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let certificate = desk.0.path().join("c.pem");
    let trusted = ["--cacert", certificate.to_str().unwrap()];
    let json = ["-H", "content-type: application/json", "-i", "-d"];
    let body = format!(r#"{{"name":"li","password":"{PASSWORD}"}}"#);
    let url = format!("{}/session", server.url);
    let answer = server.curl(&[&trusted[..], &json[..], &[&body, &url]].concat());
    assert!(answer.contains("set-cookie: __Host-mutu_session=") && answer.contains("; Secure"), "{answer}");
    // What does not speak TLS gets nothing, and harms nobody.
    let plain =
        Command::new("curl").args(["-sS", "--max-time", "20", &url.replace("https:", "http:")]).output().unwrap();
    assert!(!plain.status.success());
    assert_eq!(server.status(&[&trusted[..], &[&format!("{}/collections", server.url)]].concat()), "401");
    server.stop();
}

#[test]
fn people_are_decided_about_on_the_command_line() {
    let desk = Desk::new();
    let input = format!("{PASSWORD}\n");
    let (said, complained) = desk.ends_with(0, &["user", "add", "li", "--role", "administrator"], &input);
    assert!(said.is_empty() && complained.contains("from now on"), "{said}{complained}");
    let rule = "wells=town = 'a'";
    desk.ends_with(0, &["user", "add", "王伟", "--role", "editor", "--edit", "wells", "--rows", rule], &input);
    desk.ends_with(30, &["user", "add", "LI", "--role", "reader"], &input);
    desk.ends_with(2, &["user", "add", "chen", "--role", "root"], &input);
    desk.ends_with(2, &["user", "add", "chen", "--role", "reader"], "short\n");
    desk.ends_with(2, &["user", "add", "chen", "--role", "reader", "--rows", "wells=no_such = 1"], &input);
    desk.ends_with(40, &["user", "add", "chen", "--role", "reader", "--read", "nowhere"], &input);
    desk.ends_with(40, &["user", "add", "chen", "--role", "reader", "-w", "nowhere.gpkg"], &input);
    for arguments in [["user", "add", "chen", "--role", "reader"].as_slice(), &["user", "password", "li"]] {
        let (_, said) = desk.ends_with(2, &[arguments, &["--password", "correct horse 1"]].concat(), "");
        assert!(said.contains("standard input") && !said.contains("correct horse 1"), "{said}");
    }
    let (list, _) = desk.ends_with(0, &["user", "list", "--format", "json"], "");
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["users"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!(list["users"][1]["rights"]["rows"]["wells"], "town = 'a'");
    let (token, complained) = desk.ends_with(0, &["user", "token", "--user", "王伟", "--days", "30"], "");
    assert!(
        complained.is_empty() && token.len() == 70 && token.starts_with("mutu_"),
        "a token and nothing else: {token}"
    );
    desk.ends_with(2, &["user", "token"], "");
    let (tokens, _) = desk.ends_with(0, &["user", "tokens"], "");
    assert!(tokens.contains("王伟") && !tokens.contains(token.trim()), "{tokens}");
    desk.ends_with(0, &["user", "revoke", "1"], "");
    desk.ends_with(40, &["user", "revoke", "1"], "");
    desk.ends_with(0, &["user", "role", "王伟", "manager"], "");
    desk.ends_with(0, &["user", "grant", "王伟", "--read", "wells"], "");
    desk.ends_with(0, &["user", "disable", "王伟"], "");
    desk.ends_with(0, &["user", "password", "li"], "another horse 鹤山\n");
    desk.ends_with(0, &["user", "remove", "王伟"], "");
    desk.ends_with(40, &["user", "remove", "王伟"], "");
    let (record, _) = desk.ends_with(0, &["user", "audit", "--format", "csv"], "");
    assert_eq!(record.lines().filter(|line| line.contains("command line")).count(), 9, "{record}");
    assert!(!record.contains("horse") && !record.contains(token.trim()));
}
