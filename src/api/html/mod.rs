//! Pages for people: every resource that programs read as JSON, readable in a browser without a script, in Chinese and in
//! English.
//!
//! Invariants: every value of the data is escaped by the templates (`maud`) and stands isolated from the direction of
//! the text around it; a value becomes a link only where it is an address of the web; figures come from the functions that
//! give the JSON its own. The page policy stays `default-src 'self'`: one stylesheet of ours, no script, no inline style.
//!
//! Question: why links without host? A server on an office network is reached by several names, and a page that sends its
//! reader to another one loses what that name may show; the path of the configured base URL is kept.

mod collections;
mod definition;
mod documents;
mod downloads;
mod frame;
mod history;
mod item;
mod items;
mod knowledge;
mod lang;
mod map;
mod problem;
mod sign_in;
mod statistics;
mod tree;
mod values;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

pub(super) use collections::{collection_page, collections_page};
pub(super) use definition::definition_page;
pub(super) use documents::{conformance_page, schema_page};
pub(super) use frame::{View, way_to};
pub(super) use history::history_page;
pub(super) use item::{ItemPage, item_page};
pub(super) use items::{ItemsPage, PAGE_LIMIT, PAGE_MAX, items_page};
pub(super) use knowledge::{facts_page, targets_page};
pub(super) use lang::{LANG, Lang};
pub(super) use problem::{Reader, Told};
pub(super) use sign_in::{SignInPage, sign_in_page};
pub(super) use statistics::statistics_page;
pub(super) use tree::document_page;

use super::{
    negotiate::Representation,
    query::{Asked, Parameter, Query},
};

/// `GET /pages.css`: the stylesheet of all pages.
pub(super) async fn read_stylesheet() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], include_str!("pages.css")).into_response()
}

/// The query, the representation and the language of a resource without filters on properties.
///
/// # Errors
/// 400 and 406 as [`Asked::plainly`]; 400 where `lang` is no language of the pages.
pub(super) fn plainly(
    asked: &Asked,
    known: &[Parameter],
    offered: &'static [Representation],
) -> Result<(Query, &'static Representation, Lang), super::error::ApiError> {
    let (query, wanted) = asked.plainly(known, offered)?;
    let lang = Lang::of(&query, &asked.headers)?;
    Ok((query, wanted, lang))
}

/// Where a form's empty fields are to be left out, the address without them: a form without script sends every field.
pub(super) fn tidied(view: &View, query: &Query) -> Option<Response> {
    let empty: Vec<(&str, Option<&str>)> =
        query.pairs().filter(|(_, value)| value.trim().is_empty()).map(|(name, _)| (name, None)).collect();
    if empty.is_empty() {
        return None;
    }
    let place = HeaderValue::from_str(&view.here(&empty)).ok()?;
    Some((axum::http::StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
}
