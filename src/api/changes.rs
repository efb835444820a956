//! The feed of changes: what every edit and import did, as pages, and as server-sent events while it happens.
//!
//! A stream holds nothing but the number that it has sent last: what comes next is taken from the few entries that are
//! kept in memory, or else read from the record, when the client has room for it. So a slow client costs no more than a
//! quick one; one that takes nothing at all is left behind, comes again and goes on where it was (`Last-Event-ID`).
//!
//! Numbers are of the whole record. Who sees some rows only learns from the gaps between them how many edits they were not
//! shown, and between which of theirs; not by whom, of what or where. Numbers of another kind in the feed would not hide
//! that: versions, tags, `Mutu-As-Of` and the ids of new features count the same edits, and editing needs them.
//!
//! Source: HTML Living Standard §9.2 (server-sent events).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    domain::{
        calendar,
        feature::{Feature, FeatureRef},
        geojson::{PropertyNames, write_feature},
        layer::Layer,
    },
    ground::shape::Bounds,
    planner::{ChangedLayer, FeedEntry, FeedPage, News, Planner, SeenChange, SeesAll, Sight},
};

use super::{
    AppState,
    access::Access,
    error::ApiError,
    html::{self, LANG, Lang, View},
    negotiate::{HTML, JSON, Representation, negotiate},
    query::{Asked, Parameter, Query},
    sending::{self, Slots},
    sight,
};

/// Streams at a time: most of the connections that a server takes, not all.
pub(super) const MOST_STREAMS: usize = 640;
/// Entries that are kept for streams: who is further behind reads the record.
const KEPT: usize = 256;
/// A stream that has nothing to say says so this often: what lies between must not take it for dead.
const SILENCE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long has lost its stream.
const PATIENCE: Duration = Duration::from_mins(1);
/// A stream ends after so long: whoever comes again is asked anew what they may see.
const LIFE: Duration = Duration::from_mins(5);
/// A client whose stream has ended comes again after so long, ms.
const RETRY_MS: u64 = 2000;
/// Entries on a page, and features of one change.
const USUAL: usize = 100;
const MOST: usize = 1000;

const EVENTS: Representation = Representation { names: &["sse"], media_type: "text/event-stream", also: &[] };
/// What the feed can be written as.
const OFFERED: &[Representation] = &[JSON, HTML, EVENTS];
/// What one change can be written as.
const OFFERED_ONE: &[Representation] = &[JSON, HTML];

const F: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header. sse: server-sent events, one for each change as it happens.",
    schema: r#"{"type":"string","enum":["json","html","sse"]}"#,
};

const F_ONE: Parameter = Parameter {
    name: "f",
    about: "The representation; it goes before the Accept header.",
    schema: r#"{"type":"string","enum":["json","html"]}"#,
};

const SINCE: Parameter = Parameter {
    name: "since",
    about: "Changes after this number. Where not given a page begins with the first there is, a stream with the next to \
            come; the header Last-Event-ID of a stream goes before it.",
    schema: r#"{"type":"integer","minimum":0}"#,
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "Entries on a page; more than 1000 means 1000. Fewer may come: go on with the next link as long as there is one.",
    schema: r#"{"type":"integer","minimum":1,"default":100}"#,
};

const FROM: Parameter = Parameter {
    name: "from",
    about: "The place in the edit of the first change to show, from 0. Follow the next link instead of making it up.",
    schema: r#"{"type":"integer","minimum":0,"default":0}"#,
};

/// Parameters of the feed.
pub(super) const FEED_PARAMETERS: &[Parameter] = &[F, LANG, SINCE, LIMIT];
/// Parameters of one change.
pub(super) const CHANGE_PARAMETERS: &[Parameter] = &[F_ONE, LANG, FROM, LIMIT];

/// What streams wait for.
#[derive(Debug)]
pub(super) struct Feed {
    /// The number of the last change; none once the server ends.
    head: watch::Sender<Option<i64>>,
    recent: Mutex<VecDeque<(i64, Bytes)>>,
    streams: Slots,
}

impl Feed {
    /// The feed of a planner, which tells it of every change from now on.
    pub(super) fn of(planner: &Planner) -> Arc<Self> {
        let (head, _) = watch::channel(Some(planner.read().seq()));
        let feed = Arc::new(Self { head, recent: Mutex::default(), streams: Slots::new(MOST_STREAMS) });
        let told: Weak<Self> = Arc::downgrade(&feed);
        planner.listen(Box::new(move |news| told.upgrade().map(|feed| feed.hear(news)).is_some()));
        // What was written before the listening began was not heard.
        feed.move_on(planner.read().seq());
        feed
    }

    fn hear(&self, news: News<'_>) {
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let follows = recent.back().is_none_or(|(last, _)| *last + 1 == news.head);
            if !follows || news.entry.is_none() {
                recent.clear();
            }
            if let Some(entry) = news.entry.filter(|entry| entry.seq == news.head) {
                recent.push_back((entry.seq, event_of(entry)));
            }
            if recent.len() > KEPT {
                recent.pop_front();
            }
        }
        self.move_on(news.head);
    }

    /// Wakes the streams where there is more than they know of.
    fn move_on(&self, now: i64) {
        self.head.send_if_modified(|head| {
            let is_more = head.is_some_and(|head| head < now);
            if is_more {
                *head = Some(now);
            }
            is_more
        });
    }

    /// Ends all streams: their clients come again, to whoever serves next.
    pub(super) fn end(&self) {
        self.head.send_replace(None);
    }

    /// The events after a number, where all of them are at hand.
    fn after(&self, sent: i64) -> Option<Vec<Bytes>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front().map(|(seq, _)| *seq)?;
        (first <= sent + 1)
            .then(|| recent.iter().filter(|(seq, _)| *seq > sent).map(|(_, event)| event.clone()).collect())
    }
}

/// What the one who asks may see of the record; none for everything.
fn sight_of(asked: &Asked) -> Option<Arc<dyn Sight>> {
    let sight = sight::Sight::of(&asked.access);
    (!sight.is_everything()).then(|| Arc::new(sight) as Arc<dyn Sight>)
}

/// `GET /changes`.
pub(super) async fn list_changes(State(state): State<AppState>, asked: Asked) -> Result<Response, ApiError> {
    let query = Query::read(&asked.uri, FEED_PARAMETERS, |_| false)?;
    let wanted = negotiate(&query, &asked.headers, OFFERED)?;
    if *wanted == EVENTS {
        return stream(&state, &asked, &query);
    }
    let lang = Lang::of(&query, &asked.headers)?;
    let since = number_of(&query, "since")?.unwrap_or(0);
    let limit = limit_of(&query)?;
    let page = read(&state, since, limit, sight_of(&asked)).await?;
    let mut document = json!({
        "changes": page.entries.iter().map(document_of).collect::<Vec<_>>(),
        "head": page.head,
        "links": [link(&state, "self", &query.with(&[]))],
    });
    if page.until < page.head && page.until > since {
        let next = query.with(&[("since", Some(&page.until.to_string()))]);
        document["links"].as_array_mut().into_iter().for_each(|links| links.push(link(&state, "next", &next)));
    }
    if *wanted == HTML {
        for (entry, change) in page.entries.iter().zip(document["changes"].as_array_mut().into_iter().flatten()) {
            change["links"] = json!([{ "rel": "item", "href": state.link(&format!("/changes/{}", entry.seq)) }]);
        }
        let view = View::new(&state, &asked, &query, lang);
        let title = lang.say("变更记录", "Changes").to_owned();
        return Ok(html::document_page(&view, (title, Vec::new()), &document, OFFERED));
    }
    wanted.json(&document)
}

/// `GET /changes/{seq}`.
pub(super) async fn read_change(
    State(state): State<AppState>,
    Path(seq): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (query, wanted, lang) = html::plainly(&asked, CHANGE_PARAMETERS, OFFERED_ONE)?;
    let none = || ApiError::not_found(format!("there is no change {seq:?}"));
    let number = seq.parse().ok().filter(|number: &i64| number.to_string() == seq).ok_or_else(none)?;
    let from = number_of(&query, "from")?.unwrap_or(0);
    let limit = limit_of(&query)?;
    let (planner, sight) = (Arc::clone(&state.planner), sight_of(&asked));
    let read = move || {
        let sight: &dyn Sight = sight.as_ref().map_or(&SeesAll, |sight| sight.as_ref());
        planner.change(number, (from, limit), sight).map_err(ApiError::internal)
    };
    let (entry, changes, more) = state.heavy(read).await?.ok_or_else(none)?;
    let mut document = document_of(&entry);
    document["features"] = changes.iter().map(feature_of).collect();
    let here = |rel: &str, query: String| {
        let path = format!("/changes/{number}");
        json!({ "rel": rel, "href": state.link(&if query.is_empty() { path } else { format!("{path}?{query}") }) })
    };
    let mut links = vec![here("self", query.with(&[]))];
    if let Some(last) = changes.last().filter(|_| more) {
        links.push(here("next", query.with(&[("from", Some(&(last.place + 1).to_string()))])));
    }
    links.push(link(&state, "collection", ""));
    document["links"] = Value::Array(links);
    if *wanted == HTML {
        let view = View::new(&state, &asked, &query, lang);
        let title = format!("{} {number}", lang.say("变更", "Change"));
        return Ok(html::document_page(&view, (title, Vec::new()), &document, OFFERED_ONE));
    }
    wanted.json(&document)
}

async fn read(state: &AppState, since: i64, limit: usize, sight: Option<Arc<dyn Sight>>) -> Result<FeedPage, ApiError> {
    let planner = Arc::clone(&state.planner);
    let read = move || {
        let sight: &dyn Sight = sight.as_ref().map_or(&SeesAll, |sight| sight.as_ref());
        planner.changes_since(since, limit, sight).map_err(ApiError::internal)
    };
    state.heavy(read).await
}

/// Begins a stream.
fn stream(state: &AppState, asked: &Asked, query: &Query) -> Result<Response, ApiError> {
    if query.value("limit").is_some() {
        let detail = "parameter \"limit\": a stream has no end; leave it out or say f=json";
        return Err(ApiError::bad_parameter("limit", "not-of-streams", detail));
    }
    Lang::of(query, &asked.headers)?;
    let held = asked.headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let held = held.filter(|text| !text.is_empty()).map(|text| whole_number("Last-Event-ID", text)).transpose()?;
    let since = match held {
        Some(held) => Some(held),
        None => number_of(query, "since")?,
    };
    let slot = state.feed.streams.take().ok_or_else(|| {
        ApiError::busy(format!("{MOST_STREAMS} streams of changes are open, as many as there can be: come again soon"))
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENTS.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::VARY, HeaderValue::from_static("accept")),
        // Proxies that gather answers before they pass them on would hold events back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    if asked.headers_only {
        return Ok((headers, Body::empty()).into_response());
    }
    let (line, body) = sending::line(PATIENCE);
    let following = Following { state: state.clone(), access: asked.access.clone(), sight: sight_of(asked), line };
    tokio::spawn(async move {
        // Given back when the stream has ended, whoever ended it.
        let _slot = slot;
        if let Some(error) = following.run(since).await {
            tracing::error!(inside = error.inside(), "a stream of changes broke off");
        }
    });
    Ok((headers, body).into_response())
}

/// One stream.
struct Following {
    state: AppState,
    access: Access,
    sight: Option<Arc<dyn Sight>>,
    line: sending::LiveLine,
}

impl Following {
    /// Sends what happens until the client or the server goes, or the record cannot be read.
    async fn run(self, since: Option<i64>) -> Option<ApiError> {
        let mut head = self.state.feed.head.subscribe();
        let now = (*head.borrow_and_update())?;
        // A number that is not there yet is of another workspace, or of this one before it was put back: what it stands
        // for is not known here, so the client shall look at everything anew.
        let mut sent = since.filter(|since| *since <= now).unwrap_or(now);
        let name = if since.is_some_and(|since| since > now) { "reset" } else { "head" };
        let hello = format!("retry: {RETRY_MS}\nid: {sent}\nevent: {name}\ndata: {{\"head\":{now}}}\n\n");
        self.line.say(hello.into()).await.ok()?;
        let end = tokio::time::Instant::now() + LIFE;
        loop {
            let now = (*head.borrow_and_update())?;
            // Who was signed out, or sees something else by now, comes again and is let in as they are.
            if self.state.gate.as_ref().is_some_and(|gate| !gate.still_admits(&self.access)) {
                return None;
            }
            while sent < now {
                match self.pass_on(sent, now).await {
                    Ok(Some(until)) => sent = until,
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            }
            tokio::select! {
                changed = head.changed() => changed.ok()?,
                () = self.line.gone() => return None,
                () = tokio::time::sleep_until(end) => return None,
                () = tokio::time::sleep(SILENCE) => self.line.say(Bytes::from_static(b":\n\n")).await.ok()?,
            }
        }
    }

    /// Sends some of the events after a number and tells up to which; none where the client has gone.
    async fn pass_on(&self, sent: i64, now: i64) -> Result<Option<i64>, ApiError> {
        let kept = if self.sight.is_none() { self.state.feed.after(sent) } else { None };
        if let Some(events) = kept {
            let count = events.len() as i64;
            for event in events {
                if self.line.say(event).await.is_err() {
                    return Ok(None);
                }
            }
            return Ok(Some(sent + count));
        }
        let page = read(&self.state, sent, USUAL, self.sight.clone()).await?;
        for entry in &page.entries {
            if self.line.say(event_of(entry)).await.is_err() {
                return Ok(None);
            }
        }
        // Where nothing lies between, as the record says, all has been sent.
        Ok(Some(if page.until > sent { page.until } else { now }))
    }
}

fn event_of(entry: &FeedEntry) -> Bytes {
    format!("id: {}\nevent: change\ndata: {}\n\n", entry.seq, document_of(entry)).into()
}

/// An entry as JSON.
fn document_of(entry: &FeedEntry) -> Value {
    json!({
        "seq": entry.seq,
        "at": calendar::date_time_text(entry.at),
        "author": entry.author,
        "note": entry.note,
        "kind": entry.kind,
        "hash": entry.hash,
        "layers": entry.layers.iter().map(layer_of).collect::<Vec<_>>(),
    })
}

fn layer_of(layer: &ChangedLayer) -> Value {
    let count = |of: fn(&crate::planner::Counts) -> u64| layer.counts.as_ref().map(of);
    json!({
        "id": layer.id,
        "added": count(|counts| counts.added),
        "changed": count(|counts| counts.changed),
        "removed": count(|counts| counts.removed),
        "bbox": layer.bounds.map(|Bounds { min, max }| [min.x, min.y, max.x, max.y]),
        "whole": layer.is_whole,
    })
}

fn feature_of(seen: &SeenChange) -> Value {
    let change = &seen.change;
    let operation = match (&change.before, &change.after) {
        // What it was has been compacted away.
        _ if change.dropped => "dropped",
        (None, _) => "added",
        (Some(_), Some(_)) => "changed",
        (Some(_), None) => "removed",
    };
    let written = |feature: &Option<Feature>| feature.as_ref().map(|feature| geojson_of(feature, seen.layer.as_ref()));
    json!({
        "layer": change.layer,
        "id": change.id,
        "operation": operation,
        "before": written(&change.before),
        "after": written(&change.after),
        "parents": seen.parents,
        "children": seen.children,
    })
}

/// A feature as GeoJSON; its values stand without names where nobody knows them any more.
fn geojson_of(feature: &Feature, layer: Option<&Layer>) -> Value {
    let mut out = Vec::new();
    if let Some(layer) = layer.filter(|layer| layer.schema.fields.len() == feature.values.len()) {
        write_feature(&mut out, &feature.view(), &PropertyNames::new(&layer.schema), 9);
    } else {
        let bare = FeatureRef { values: Vec::new(), ..feature.view() };
        write_feature(&mut out, &bare, &PropertyNames::new(&crate::domain::schema::Schema::default()), 9);
    }
    serde_json::from_slice(&out).unwrap_or(Value::Null)
}

fn link(state: &AppState, rel: &str, query: &str) -> Value {
    let path = if query.is_empty() { "/changes".to_owned() } else { format!("/changes?{query}") };
    json!({ "rel": rel, "href": state.link(&path) })
}

fn number_of(query: &Query, name: &str) -> Result<Option<i64>, ApiError> {
    query.value(name).map(|text| whole_number(name, text)).transpose()
}

fn whole_number(name: &str, text: &str) -> Result<i64, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let detail = format!("{name} = {text:?}: a whole number from 0, as the feed gives them");
        ApiError::bad_parameter(name, "bad-value", detail)
    })
}

fn limit_of(query: &Query) -> Result<usize, ApiError> {
    match number_of(query, "limit")? {
        None => Ok(USUAL),
        Some(0) => Err(ApiError::bad_parameter(
            "limit",
            "bad-value",
            format!("parameter \"limit\" = \"0\": a whole number from 1 to {MOST}, or larger for the maximum"),
        )),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(MOST).min(MOST)),
    }
}
