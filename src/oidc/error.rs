//! Why nobody could be signed in by the issuer, each cause with a stable word.

/// What went wrong between us, a browser and the issuer.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The issuer cannot be reached, or does not answer in time.
    #[error(
        "the identity provider {issuer} cannot be reached at the moment ({why}); try again later, or sign in with a password"
    )]
    Unreachable {
        /// The issuer.
        issuer: String,
        /// What the network says.
        why: String,
    },
    /// What the issuer answers makes no sense.
    #[error("the identity provider's answer cannot be used: {0}")]
    BadAnswer(String),
    /// The browser comes back without having been sent, or too late.
    #[error("this sign-in was not begun in this browser, or more than ten minutes ago: begin again")]
    NotBegun,
    /// The `state` is not the one of this browser.
    #[error("this sign-in belongs to another one (its state is not this browser's): begin again")]
    WrongState,
    /// The `state` was used before.
    #[error("this sign-in was used already: begin again")]
    Replayed,
    /// The browser says it comes from another issuer (RFC 9207).
    #[error("this sign-in comes from another identity provider than the one it was begun with")]
    MixedUp,
    /// A parameter is missing or given twice.
    #[error("the identity provider sent the browser back without a code, or with one parameter twice")]
    Malformed,
    /// The issuer refused, or the person did.
    #[error("the identity provider refused the sign-in: {0}")]
    Refused(String),
    /// The issuer does not take the code.
    #[error("the identity provider does not take the code of this sign-in: {0}")]
    CodeRefused(String),
    /// The ID token is not good.
    #[error("the identity provider's token is refused: {0}")]
    Token(#[from] TokenFault),
    /// So many are signing in that no further one is remembered.
    #[error("many are signing in: try again in a few minutes")]
    Busy,
    /// The machine has no randomness.
    #[error("the operating system gives no random bits: {0}")]
    NoRandomness(String),
}

/// Why an ID token is refused (`OpenID` Connect Core 1.0, 3.1.3.7; RFC 8725).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no signed token at all.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Signed by a way that is not taken: none, a shared secret, something unknown.
    #[error("its algorithm {0:?} is not taken: only RS and PS (256, 384, 512), ES (256, 384) and EdDSA are")]
    Algorithm(String),
    /// The issuer publishes no key for it.
    #[error("the identity provider publishes no key that fits it")]
    UnknownKey,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// From another issuer.
    #[error("its issuer is another one")]
    Issuer,
    /// For somebody else.
    #[error("it is meant for another application")]
    Audience,
    /// Handed out to somebody else.
    #[error("it was handed out to another application (azp)")]
    Party,
    /// Its time is over.
    #[error("it has expired; are the clocks right?")]
    Expired,
    /// Not yet good, or issued long ago.
    #[error("it was issued in the future or too long ago; are the clocks right?")]
    Issued,
    /// Of another sign-in.
    #[error("it belongs to another sign-in (nonce)")]
    Nonce,
    /// It names nobody.
    #[error("it names nobody (sub)")]
    Subject,
}

impl OidcError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) | Self::NoRandomness(_) => "internal",
            Self::Unreachable { .. } => "oidc-unreachable",
            Self::BadAnswer(_) => "oidc-bad-answer",
            Self::NotBegun => "oidc-not-begun",
            Self::WrongState => "oidc-wrong-state",
            Self::Replayed => "oidc-replayed",
            Self::MixedUp => "oidc-mixed-up",
            Self::Malformed => "oidc-malformed",
            Self::Refused(_) => "oidc-refused",
            Self::CodeRefused(_) => "oidc-code-refused",
            Self::Busy => "busy",
            Self::Token(fault) => match fault {
                TokenFault::Unreadable(_) => "oidc-bad-token",
                TokenFault::Algorithm(_) => "oidc-bad-algorithm",
                TokenFault::UnknownKey => "oidc-unknown-key",
                TokenFault::Signature => "oidc-bad-signature",
                TokenFault::Issuer => "oidc-wrong-issuer",
                TokenFault::Audience => "oidc-wrong-audience",
                TokenFault::Party => "oidc-wrong-party",
                TokenFault::Expired => "oidc-expired",
                TokenFault::Issued => "oidc-wrong-time",
                TokenFault::Nonce => "oidc-wrong-nonce",
                TokenFault::Subject => "oidc-no-subject",
            },
        }
    }

    /// Whether the fault is the issuer's or the network's, and not of who wants to sign in.
    #[must_use]
    pub const fn is_of_issuer(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::BadAnswer(_) | Self::Busy)
    }

    /// Whether the fault is ours.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Settings(_) | Self::NoRandomness(_))
    }
}
