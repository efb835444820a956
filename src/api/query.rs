//! Query parameters, strictly: a parameter that the resource does not have, or has twice, is an error.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, request::Parts},
    response::Response,
};

use super::{
    access::Access,
    error::ApiError,
    negotiate::{Representation, negotiate},
    picture::AsOf,
    protocol,
};

/// A parameter of a resource, as the API document describes it and as requests are checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in a sentence.
    pub(crate) about: &'static str,
    /// Its JSON schema, as text.
    pub(crate) schema: &'static str,
}

/// What a request says beside its path.
#[derive(Debug)]
pub(super) struct Asked {
    /// Path and query.
    pub(super) uri: Uri,
    /// All headers.
    pub(super) headers: HeaderMap,
    /// Whether the body will not be sent.
    pub(super) headers_only: bool,
    /// Who asks.
    pub(super) access: Access,
    /// Where the answer says which moment it is about.
    pub(super) as_of: AsOf,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let headers_only = parts.extensions.get::<protocol::HeadersOnly>().is_some();
        let access = parts.extensions.remove::<Access>().unwrap_or_else(Access::everything);
        let as_of = parts.extensions.get::<AsOf>().cloned().unwrap_or_default();
        Ok(Self { uri: parts.uri.clone(), headers: std::mem::take(&mut parts.headers), headers_only, access, as_of })
    }
}

impl Asked {
    /// The query of a resource without filters on properties, and the representation that is wanted.
    pub(super) fn plainly(
        &self,
        known: &[Parameter],
        offered: &'static [Representation],
    ) -> Result<(Query, &'static Representation), ApiError> {
        let query = Query::read(&self.uri, known, |_| false)?;
        let wanted = negotiate(&query, &self.headers, offered)?;
        Ok((query, wanted))
    }

    /// The answer "unchanged", where the client has what `tag` names already.
    pub(super) fn unchanged(&self, tag: &str) -> Option<Response> {
        protocol::unchanged(&self.headers, tag)
    }
}

/// The parameters of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the query of a URI, in which only `known` parameters may stand, each once. A name for which
    /// `also` is true is a filter on a property.
    pub(crate) fn read(uri: &Uri, known: &[Parameter], also: impl Fn(&str) -> bool) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if !known.iter().any(|parameter| parameter.name == name) && !also(&name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
                let detail = format!("unknown parameter {name:?}: this resource has {}", names.join(", "));
                return Err(ApiError::bad_parameter(&name, "unknown-parameter", detail));
            }
            if pairs.iter().any(|(before, _)| *before == name) {
                let detail = format!("parameter {name:?} is given more than once");
                return Err(ApiError::bad_parameter(&name, "repeated-parameter", detail));
            }
            if value.contains('\u{fffd}') {
                let detail = format!("parameter {name:?} is not UTF-8, percent-encoded");
                return Err(ApiError::bad_parameter(&name, "bad-encoding", detail));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { pairs })
    }

    /// Whatever the query of a URI says, for an answer that forgives everything: the page of an error.
    pub(crate) fn leniently(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self { pairs: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// The value of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// All parameters as they were given.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The parameters that are not among `known`: filters on properties.
    pub(crate) fn others<'a>(&'a self, known: &'a [Parameter]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs
            .iter()
            .filter(|(name, _)| !known.iter().any(|parameter| parameter.name == name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same query with some parameters set or (where `None`) left out, percent-encoded.
    pub(crate) fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name)) {
            out.append_pair(name, value);
        }
        for (name, value) in changes {
            if let Some(value) = value {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }
}
