//! ID tokens that are not good: forged, of somebody else, of another time.

use ring::hmac;
use serde_json::{Value, json};

use super::{
    issuer::{CLIENT, Issuer, Signer, base64url, now, rsa},
    oidc::{Browser, behind_proxy, check_refused, office_at},
};

type Minting = fn(&Signer, Value, Value) -> String;

/// A token as the issuer would make it, with one claim that is another.
macro_rules! claims {
    ($claims:ident => $change:expr) => {
        |signer: &Signer, header: Value, mut $claims: Value| {
            $change;
            signer.token(&header, &$claims)
        }
    };
}

/// A token whose header is another, signed by the issuer.
macro_rules! header {
    ($header:ident => $change:expr) => {
        |signer: &Signer, mut $header: Value, claims: Value| {
            $change;
            signer.token(&$header, &claims)
        }
    };
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

/// A token under a shared secret that everybody knows: the public key.
fn hs256(secret: &[u8], mut header: Value, claims: &Value) -> String {
    header["alg"] = json!("HS256");
    let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64url(tag.as_ref()))
}

const BAD_TOKENS: [(&str, &str, Minting); 38] = [
    ("no algorithm", "oidc-bad-algorithm", |_, mut header, claims| {
        header["alg"] = json!("none");
        format!("{}.{}.", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()))
    }),
    ("no algorithm, in capitals, signed", "oidc-bad-algorithm", header!(header => header["alg"] = json!("nOnE"))),
    ("the public key as shared secret", "oidc-bad-algorithm", |signer, header, claims| {
        hs256(signer.public("first")["n"].as_str().unwrap().as_bytes(), header, &claims)
    }),
    ("the published key as shared secret", "oidc-bad-algorithm", |signer, header, claims| {
        hs256(signer.public("first").to_string().as_bytes(), header, &claims)
    }),
    ("another algorithm than the key's", "oidc-unknown-key", header!(header => header["alg"] = json!("ES256"))),
    ("another hash than was signed", "oidc-bad-signature", header!(header => header["alg"] = json!("RS512"))),
    ("another padding than was signed", "oidc-bad-signature", header!(header => header["alg"] = json!("PS256"))),
    ("another key", "oidc-bad-signature", |_, header, claims| Signer::Rsa(rsa(1), "RS256").token(&header, &claims)),
    ("claims altered after signing", "oidc-bad-signature", |signer, header, claims| {
        let good = signer.token(&header, &claims);
        let mut altered = claims;
        altered["sub"] = json!("1");
        let parts: Vec<&str> = good.split('.').collect();
        format!("{}.{}.{}", parts[0], base64url(altered.to_string().as_bytes()), parts[2])
    }),
    ("no signature", "oidc-bad-signature", |signer, header, claims| {
        let good = signer.token(&header, &claims);
        format!("{}.", good.rsplit_once('.').unwrap().0)
    }),
    ("an unknown key id", "oidc-unknown-key", header!(header => header["kid"] = json!("second"))),
    ("a key id that is a path", "oidc-unknown-key", header!(header => header["kid"] = json!("../../../../dev/null"))),
    ("a key id that is SQL", "oidc-unknown-key", header!(header => header["kid"] = json!("' UNION SELECT 'first"))),
    ("a key id that is an address", "oidc-unknown-key", header!(header => header["kid"] = json!("http://evil.test/"))),
    ("a key id that is no text", "oidc-bad-token", header!(header => header["kid"] = json!(["first"]))),
    ("its own key in the header", "oidc-unknown-key", |_, mut header, claims| {
        let own = Signer::Rsa(rsa(1), "RS256");
        (header["jwk"], header["kid"]) = (own.public("mine"), json!("mine"));
        own.token(&header, &claims)
    }),
    ("its own key under the issuer's id", "oidc-bad-signature", |_, mut header, claims| {
        let own = Signer::Rsa(rsa(1), "RS256");
        header["jwk"] = own.public("first");
        header["jku"] = json!("http://evil.test/jwks");
        own.token(&header, &claims)
    }),
    ("an extension that must be understood", "oidc-bad-token", header!(header => header["crit"] = json!(["exp"]))),
    ("another audience", "oidc-wrong-audience", claims!(claims => claims["aud"] = json!("another"))),
    (
        "an audience that begins alike",
        "oidc-wrong-audience",
        claims!(claims => claims["aud"] = json!([format!("{CLIENT}2")])),
    ),
    (
        "several audiences and no party",
        "oidc-wrong-party",
        claims!(claims => claims["aud"] = json!([CLIENT, "another"])),
    ),
    ("another party", "oidc-wrong-party", claims!(claims => claims["azp"] = json!("another"))),
    ("another issuer", "oidc-wrong-issuer", claims!(claims => claims["iss"] = json!("https://evil.test"))),
    (
        "the issuer with a slash",
        "oidc-wrong-issuer",
        claims!(claims => claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()))),
    ),
    ("another nonce", "oidc-wrong-nonce", claims!(claims => claims["nonce"] = json!("another"))),
    ("no nonce", "oidc-wrong-nonce", |signer, header, claims| signer.token(&header, &without(claims, "nonce"))),
    ("it has expired", "oidc-expired", claims!(claims => claims["exp"] = json!(now() - 90))),
    ("no end", "oidc-bad-token", |signer, header, claims| signer.token(&header, &without(claims, "exp"))),
    ("an end that is text", "oidc-bad-token", claims!(claims => claims["exp"] = json!("9999999999"))),
    ("issued in the future", "oidc-wrong-time", claims!(claims => claims["iat"] = json!(now() + 90))),
    ("issued long ago", "oidc-wrong-time", claims!(claims => claims["iat"] = json!(now() - 7200))),
    ("not good yet", "oidc-wrong-time", claims!(claims => claims["nbf"] = json!(now() + 90))),
    ("nobody", "oidc-no-subject", claims!(claims => claims["sub"] = json!(""))),
    ("a subject that is a number", "oidc-bad-token", claims!(claims => claims["sub"] = json!(248_289_761_001_i64))),
    ("a claim twice", "oidc-bad-token", |signer, header, claims| {
        let twice = claims.to_string().replacen('{', "{\"sub\":\"1\",", 1);
        let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(twice.as_bytes()));
        format!("{message}.{}", base64url(&signer.sign(&message)))
    }),
    ("encrypted", "oidc-bad-token", |_, _, _| "e30.a.b.c.d".to_owned()),
    ("no token", "oidc-bad-token", |_, _, _| "something".to_owned()),
    ("a huge token", "oidc-bad-token", claims!(claims => claims["name"] = json!("x".repeat(60_000)))),
];

#[test]
fn tokens_that_are_not_good_let_nobody_in_and_are_written_down() {
    let issuer = Issuer::with(Signer::Rsa(rsa(0), "RS256"));
    let office = office_at(&issuer, behind_proxy);
    for (number, (what, code, mint)) in BAD_TOKENS.into_iter().enumerate() {
        issuer.script().mint = Box::new(mint);
        let mut browser = Browser::at(number);
        let back = browser.go(&office, &issuer, "/");
        check_refused(&office, &mut browser, &back, (what, code));
        // The same way with a good token leads in: it is the token that was refused.
        issuer.script().mint = Box::new(|signer, header, claims| signer.token(&header, &claims));
        let back = browser.go(&office, &issuer, "/");
        assert_eq!(browser.get(&office, &back).status, 303, "after {what}");
        assert_eq!(browser.session(&office)["user"], "chen");
    }
}
