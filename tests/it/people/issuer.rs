//! An identity provider for tests, on 127.0.0.1: it issues codes and tokens as a test wants, right or wrong.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents},
};
use serde_json::{Value, json};

pub(super) const CLIENT: &str = "mutu-at-heshan";
pub(super) const SECRET: &str = "what the provider: gave us%";

/// A key pair that signs by one algorithm.
pub(super) enum Signer {
    Rsa(Arc<RsaKeyPair>, &'static str),
    Ec(Arc<EcdsaKeyPair>),
    Ed(Arc<Ed25519KeyPair>),
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// An RSA key of its own for each number; made once, as it takes a while.
pub(super) fn rsa(number: usize) -> Arc<RsaKeyPair> {
    static MADE: [OnceLock<Arc<RsaKeyPair>>; 2] = [OnceLock::new(), OnceLock::new()];
    let make = || {
        let pem = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], b"");
        let der = openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem);
        Arc::new(RsaKeyPair::from_pkcs8(&der).unwrap())
    };
    Arc::clone(MADE[number].get_or_init(make))
}

impl Signer {
    pub(super) fn es256() -> Self {
        let random = SystemRandom::new();
        let by = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(by, &random).unwrap();
        Self::Ec(Arc::new(EcdsaKeyPair::from_pkcs8(by, pkcs8.as_ref(), &random).unwrap()))
    }

    pub(super) fn eddsa() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Arc::new(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()))
    }

    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_, alg) => alg,
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public key as it is published.
    pub(super) fn public(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key, _) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": base64url(&n), "e": base64url(&e) })
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
                json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": x, "y": y })
            }
            Self::Ed(key) => {
                json!({ "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": base64url(key.public_key().as_ref()) })
            }
        }
    }

    pub(super) fn sign(&self, message: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key, alg) => {
                let by: &dyn signature::RsaEncoding =
                    if *alg == "PS256" { &signature::RSA_PSS_SHA256 } else { &signature::RSA_PKCS1_SHA256 };
                let mut out = vec![0; key.public().modulus_len()];
                key.sign(by, &random, message.as_bytes(), &mut out).unwrap();
                out
            }
            Self::Ec(key) => key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        }
    }

    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let message =
            format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let signature = base64url(&self.sign(&message));
        format!("{message}.{signature}")
    }
}

/// What the issuer was asked for.
struct Grant {
    nonce: String,
    challenge: String,
    redirect: String,
}

type Minting = Box<dyn Fn(&Signer, Value, Value) -> String + Send>;

/// How the issuer behaves.
pub(super) struct Script {
    pub(super) signer: Signer,
    pub(super) kid: String,
    /// Instead of the signer's public key.
    pub(super) keys: Option<String>,
    /// Members of the document that are others.
    pub(super) document: Value,
    /// Makes a token of its header and claims.
    pub(super) mint: Minting,
    /// What the browser is sent back with, instead of a code.
    pub(super) error: Option<&'static str>,
    /// The `iss` of the answer.
    pub(super) iss: Option<String>,
    /// A status and a header with which the token endpoint answers.
    pub(super) token_answer: Option<&'static str>,
    pub(super) subject: String,
    grants: HashMap<String, Grant>,
    /// Paths that were asked.
    pub(super) asked: Vec<String>,
    count: usize,
}

/// A running issuer; its thread ends with the process.
#[derive(Clone)]
pub(super) struct Issuer {
    pub(super) url: String,
    script: Arc<Mutex<Script>>,
}

pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn query_of(text: &str) -> HashMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

impl Issuer {
    pub(super) fn start() -> Self {
        Self::with(Signer::es256())
    }

    pub(super) fn with(signer: Signer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/realms/county", listener.local_addr().unwrap());
        let script = Script {
            signer,
            kid: "first".to_owned(),
            keys: None,
            document: json!({}),
            mint: Box::new(|signer, header, claims| signer.token(&header, &claims)),
            error: None,
            iss: Some(url.clone()),
            token_answer: None,
            subject: "248289761001".to_owned(),
            grants: HashMap::new(),
            asked: Vec::new(),
            count: 0,
        };
        let issuer = Self { url, script: Arc::new(Mutex::new(script)) };
        let serving = issuer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        issuer
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let target = line.split(' ').nth(1).unwrap().to_owned();
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => value.clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path = path.strip_prefix("/realms/county").unwrap_or(path).to_owned();
        self.script().asked.push(path.clone());
        let (status, more, body) = match path.as_str() {
            "/.well-known/openid-configuration" => ("200 OK", String::new(), self.document().to_string()),
            "/jwks" => ("200 OK", String::new(), self.keys()),
            "/authorize" => ("302 Found", format!("location: {}\r\n", self.authorize(query)), String::new()),
            "/token" => self.token(&authorization, &String::from_utf8(body).unwrap()),
            _ => ("404 Not Found", String::new(), String::new()),
        };
        let length = body.len();
        // Whoever has had enough closes the connection.
        let _ =
            write!(stream, "HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    }

    fn document(&self) -> Value {
        let url = &self.url;
        let mut document = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        });
        for (name, value) in self.script().document.as_object().unwrap() {
            document[name] = value.clone();
        }
        document
    }

    fn keys(&self) -> String {
        let script = self.script();
        let own = || json!({ "keys": [script.signer.public(&script.kid)] }).to_string();
        script.keys.clone().unwrap_or_else(own)
    }

    /// Where the person is sent who is signed in at the issuer already.
    fn authorize(&self, query: &str) -> String {
        let asked = query_of(query);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        assert!(asked["state"].len() >= 43 && asked["nonce"].len() >= 43, "256 bits each");
        let mut script = self.script();
        script.count += 1;
        let code = format!("code+{}/=", script.count);
        let mut back = form_urlencoded::Serializer::new(String::new());
        match script.error {
            Some(error) => back.append_pair("error", error),
            None => back.append_pair("code", &code),
        };
        back.append_pair("state", &asked["state"]).append_pair("session_state", "unknown to us");
        if let Some(iss) = &script.iss {
            back.append_pair("iss", iss);
        }
        let redirect = asked["redirect_uri"].clone();
        let place = format!("{redirect}?{}", back.finish());
        let grant = Grant { nonce: asked["nonce"].clone(), challenge: asked["code_challenge"].clone(), redirect };
        script.grants.insert(code, grant);
        place
    }

    fn token(&self, authorization: &str, body: &str) -> (&'static str, String, String) {
        let mut script = self.script();
        if let Some(answer) = script.token_answer {
            return (answer, "location: http://169.254.169.254/\r\n".to_owned(), String::new());
        }
        let asked = query_of(body);
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let own = Base64::encode_string(format!("{}:{}", encode(CLIENT), encode(SECRET)).as_bytes());
        let refused = |error: &str| ("400 Bad Request", String::new(), json!({ "error": error }).to_string());
        if authorization != format!("Basic {own}") {
            return refused("invalid_client");
        }
        let Some(grant) = script.grants.remove(&asked["code"]) else { return refused("invalid_grant") };
        let challenge = base64url(digest::digest(&digest::SHA256, asked["code_verifier"].as_bytes()).as_ref());
        if challenge != grant.challenge || asked["redirect_uri"] != grant.redirect {
            return refused("invalid_grant");
        }
        assert_eq!(asked["grant_type"], "authorization_code");
        let header = json!({ "alg": script.signer.alg(), "kid": script.kid, "typ": "JWT" });
        let claims = json!({
            "iss": self.url, "sub": script.subject, "aud": CLIENT, "iat": now(), "exp": now() + 300,
            "nonce": grant.nonce, "preferred_username": "chen.wei", "email": "boss@heshan.example", "name": "陈伟",
        });
        let token = (script.mint)(&script.signer, header, claims);
        let answer = json!({ "access_token": "unused", "token_type": "Bearer", "id_token": token });
        ("200 OK", String::new(), answer.to_string())
    }

    /// Where a browser that comes to an address of the issuer is sent.
    #[expect(clippy::unused_self, reason = "it is this issuer that is visited")]
    pub(super) fn visit(&self, address: &str) -> String {
        let rest = address.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let place = answer.lines().find_map(|line| line.strip_prefix("location: "));
        place.unwrap_or_else(|| panic!("the issuer sends nobody on: {answer}")).to_owned()
    }
}
