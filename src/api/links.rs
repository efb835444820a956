//! Links of this server, for the one who follows them: who came with `?token=` finds it in every link of the answer.
//!
//! Programs such as QGIS and GDAL follow links without repeating what they were begun with (qgis/QGIS#38436,
//! OSGeo/gdal#2873), so a link without the token would end in a refusal.
//!
//! Question: why a value of the task and not an argument? Every document of every handler links, and a link that forgot
//! the token would be noticed by the user of a desktop program only. The token is taken off the address before any
//! handler reads it, so it is in no tag, no key of a cache and no line of the log.

use std::sync::Arc;

use super::AppState;

tokio::task_local! {
    /// The token with which the request under way came, percent-encoded.
    static TOKEN: Option<Arc<str>>;
}

/// Answers a request whose links shall carry a token.
pub(super) async fn carrying<T>(token: Option<Arc<str>>, answer: impl Future<Output = T>) -> T {
    match token {
        Some(token) => TOKEN.scope(Some(token), answer).await,
        None => answer.await,
    }
}

/// Work that will run on another thread, with the token of the request that asks for it.
pub(super) fn carried_along<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let token = current();
    move || match token {
        Some(token) => TOKEN.sync_scope(Some(token), work),
        None => work(),
    }
}

/// The token of the request under way, percent-encoded.
pub(super) fn current() -> Option<Arc<str>> {
    TOKEN.try_with(Clone::clone).ok().flatten()
}

/// A link with a token, where there is one and the link does not carry it yet.
pub(super) fn with_token(link: String, token: Option<&str>) -> String {
    let Some(token) = token else { return link };
    let (path, place) = link.split_once('#').map_or((link.as_str(), None), |(path, place)| (path, Some(place)));
    let query = path.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|pair| pair.starts_with("token=")) {
        return link;
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    let place = place.map_or(String::new(), |place| format!("#{place}"));
    format!("{path}{joint}token={token}{place}")
}

impl AppState {
    /// An absolute link to a path of this server.
    pub(super) fn link(&self, path: &str) -> String {
        with_token(format!("{}{path}", self.config.base_url), current().as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_added_once_before_the_place() {
        let add = |link: &str| with_token(link.to_owned(), Some("mutu_1"));
        assert_eq!(add("http://h/a"), "http://h/a?token=mutu_1");
        assert_eq!(add("http://h/a?f=html#x"), "http://h/a?f=html&token=mutu_1#x");
        assert_eq!(add("/a/{z}/{y}?token=mutu_1"), "/a/{z}/{y}?token=mutu_1");
        assert_eq!(add("/a?mytoken=2"), "/a?mytoken=2&token=mutu_1");
        assert_eq!(with_token("/a".to_owned(), None), "/a");
    }
}
