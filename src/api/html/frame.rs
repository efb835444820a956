//! What every page has around its content: head, navigation, breadcrumb, languages, other representations, foot.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use maud::{DOCTYPE, Markup, html};

use crate::people::Means;

use super::{
    super::{
        AppState,
        access::Access,
        collection::Collection,
        links,
        negotiate::{HTML, Representation},
        picture::DATETIME,
        query::{Asked, Query},
    },
    lang::Lang,
    values::layer_title,
};

/// One request for a page: language, and where in the server it is.
#[derive(Debug, Clone)]
pub(in super::super) struct View {
    /// The language of the page.
    pub(in super::super) lang: Lang,
    /// The path of the configured base URL, without a slash at its end.
    root: String,
    base_url: String,
    path: String,
    query: Query,
    /// The token that links carry on.
    token: Option<std::sync::Arc<str>>,
    who: Who,
}

/// Who looks at a page, as its head says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in super::super) enum Who {
    /// Nobody is asked who they are.
    #[default]
    Unasked,
    /// Somebody who has not signed in.
    Nobody,
    /// Somebody who shows a token.
    Bearer(String),
    /// Somebody who has signed in.
    SignedIn(String),
}

/// A step of the way to a page: its title and path.
pub(in super::super) type Crumb = (String, String);

/// A page without its frame.
pub(super) struct Page<'a> {
    /// The first heading and the title of the window.
    pub(super) title: String,
    /// The way here from the list of layers or the like, without the page itself.
    pub(super) crumbs: Vec<Crumb>,
    /// The page's own step of that way, where its title is too long for one.
    pub(super) step: Option<&'a str>,
    /// What the resource can be read as, this page among it.
    pub(super) offered: &'a [Representation],
    /// What stands beside the heading.
    pub(super) badge: Option<Markup>,
    pub(super) body: Markup,
}

impl View {
    /// The view of a request.
    pub(in super::super) fn new(state: &AppState, asked: &Asked, query: &Query, lang: Lang) -> Self {
        let view = Self::of_parts(&state.config.base_url, asked.uri.path(), query.clone(), lang);
        if state.gate.is_some() { view.of_whom(Some(&asked.access)) } else { view }
    }

    pub(in super::super) fn of_parts(base_url: &str, path: &str, query: Query, lang: Lang) -> Self {
        let after_scheme = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
        let root = after_scheme.split_once('/').map_or(String::new(), |(_, path)| format!("/{path}"));
        let root = root.trim_end_matches('/').to_owned();
        Self {
            lang,
            root,
            base_url: base_url.to_owned(),
            path: path.to_owned(),
            query,
            token: links::current(),
            who: Who::Unasked,
        }
    }

    /// The same, for somebody; for nobody who is known where they could not show who they are.
    pub(super) fn of_whom(mut self, access: Option<&Access>) -> Self {
        self.who = match access {
            None => Who::Unasked,
            Some(access) if access.role().is_none() => Who::Nobody,
            Some(access) => match access.means() {
                Some(Means::Session) => Who::SignedIn(access.author().to_owned()),
                Some(Means::Token) => Who::Bearer(access.author().to_owned()),
                None => Who::Unasked,
            },
        };
        self
    }

    /// Who looks: a part of the tag of every page that is not made of its bytes.
    pub(in super::super) const fn who(&self) -> &Who {
        &self.who
    }

    /// One of two texts, by language.
    pub(super) const fn say<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        self.lang.say(zh, en)
    }

    /// The parameters of the request.
    pub(super) const fn query(&self) -> &Query {
        &self.query
    }

    /// A link to a path of this server; it keeps a language that was chosen, and the moment that is asked about.
    pub(super) fn href(&self, path: &str) -> String {
        self.kept(self.with_lang(self.with_moment(format!("{}{path}", self.root))))
    }

    fn kept(&self, link: String) -> String {
        links::with_token(link, self.token.as_deref())
    }

    /// What a form has to send beside its fields: the token, which its address would lose.
    pub(super) fn hidden(&self) -> Markup {
        let token = self.token.as_deref().map(|token| percent_encoding::percent_decode_str(token).decode_utf8_lossy());
        html! { @if let Some(token) = token { input type="hidden" name="token" value=(token); } }
    }

    /// A link as [`Self::href`], to be followed in whichever representation the path itself names.
    pub(in super::super) fn file(&self, path: &str) -> String {
        self.kept(format!("{}{path}", self.root))
    }

    /// The link within this server that an absolute address names; `None` for one elsewhere.
    pub(super) fn local(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(&self.base_url).filter(|path| path.starts_with('/'))?;
        // A file's name has an ending, and a file no language.
        let last = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        Some(if last.contains('.') { self.file(path) } else { self.href(path) })
    }

    /// The address by which programs elsewhere reach a path.
    pub(super) fn address(&self, path: &str) -> String {
        self.kept(format!("{}{path}", self.base_url))
    }

    /// A link to this resource with some parameters set or left out.
    pub(in super::super) fn here(&self, changes: &[(&str, Option<&str>)]) -> String {
        let query = self.query.with(changes);
        self.kept(if query.is_empty() { self.place() } else { format!("{}?{query}", self.place()) })
    }

    /// Where a form about this resource goes.
    pub(super) fn action(&self) -> String {
        self.kept(self.place())
    }

    fn place(&self) -> String {
        format!("{}{}", self.root, self.path)
    }

    fn with_lang(&self, link: String) -> String {
        // The map at the root keeps its language itself.
        if self.query.value("lang").is_none() || link.trim_start_matches(self.root.as_str()) == "/" {
            return link;
        }
        let (path, place) = link.split_once('#').map_or((link.as_str(), None), |(path, place)| (path, Some(place)));
        let joint = if path.contains('?') { '&' } else { '?' };
        let place = place.map_or(String::new(), |place| format!("#{place}"));
        format!("{path}{joint}lang={}{place}", self.lang.word())
    }

    /// A link to what was another in the past, at the moment of the page.
    fn with_moment(&self, link: String) -> String {
        let then = self.query.value(DATETIME.name).unwrap_or_default();
        let path = link.strip_prefix(self.root.as_str()).unwrap_or_default();
        let has_past = path.starts_with("/collections") || path.starts_with("/targets");
        if then.is_empty() || !has_past || link.contains("datetime=") {
            return link;
        }
        let (path, place) = link.split_once('#').map_or((link.as_str(), None), |(path, place)| (path, Some(place)));
        let joint = if path.contains('?') { '&' } else { '?' };
        let place = place.map_or(String::new(), |place| format!("#{place}"));
        let then = percent_encoding::utf8_percent_encode(then, percent_encoding::NON_ALPHANUMERIC);
        format!("{path}{joint}datetime={then}{place}")
    }

    /// Says that the page shows the past, and leads to the present.
    fn moment(&self) -> Markup {
        let then = self.query.value(DATETIME.name).filter(|then| !then.is_empty());
        html! {
            @if let Some(then) = then {
                p.caution role="note" {
                    (self.say("历史记录：显示的是 ", "The past: this is the record as of "))
                    strong { bdi { (then) } }
                    (self.say(" 时的记录，不是现状。", ", not of today. "))
                    a href=(self.here(&[(DATETIME.name, None), ("token", None)])) { (self.say("查看现状", "Show the present")) }
                }
            }
        }
    }

    /// The field of a form that asks for a day; a moment that was given otherwise stays as it is.
    pub(super) fn day_field(&self) -> Markup {
        let given = self.query.value(DATETIME.name);
        let kind = if given.is_none_or(|given| given.len() == 10) { "date" } else { "text" };
        html! {
            label {
                span { (self.say("历史日期（留空为现状）", "As of the day (empty for today)")) }
                input type=(kind) name=(DATETIME.name) value=[given];
            }
        }
    }

    /// The whole document as an answer.
    pub(super) fn answer(&self, page: &Page<'_>) -> Response {
        let mut response = HTML.answer(self.document(page).into_string().into_bytes());
        self.mark(&mut response);
        response
    }

    /// Says of an answer which language it is in and what else it depends on.
    pub(super) fn mark(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(self.lang.tag()));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language"));
    }

    /// The whole document.
    pub(super) fn document(&self, page: &Page<'_>) -> Markup {
        let others = page.offered.iter().filter(|other| **other != HTML);
        html! {
            (DOCTYPE)
            html lang=(self.lang.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (isolated(&page.title)) " · 亩图 Mutu" }
                    link rel="stylesheet" href=(self.file("/pages.css"));
                    link rel="icon" type="image/svg+xml" href=(self.file("/icon.svg"));
                    @for other in others.clone() {
                        link rel="alternate" type=(other.media_type) href=(self.here(&[("f", Some(other.names[0]))]));
                    }
                }
                body {
                    a.skip href="#main" { (self.say("跳到正文", "Skip to content")) }
                    (self.head())
                    main #main {
                        (self.way(page))
                        (self.moment())
                        div.title { h1 { bdi { (page.title) } } @if let Some(badge) = &page.badge { (badge) } }
                        (page.body)
                    }
                    footer {
                        @if others.clone().next().is_some() {
                            p {
                                (self.say("本页的其他格式：", "This page as: "))
                                @for other in others {
                                    a href=(self.here(&[("f", Some(other.names[0]))])) rel="alternate" type=(other.media_type) {
                                        (name_of(other))
                                    }
                                    " "
                                }
                            }
                        }
                        p {
                            "亩图 Mutu " (env!("CARGO_PKG_VERSION"))
                            " · " (self.say("示意图，无审图号，不得公开出版", "Sketch maps without map approval number: not for publication"))
                        }
                    }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        let places = [
            ("/", self.say("地图", "Map")),
            ("/collections", self.say("图层", "Layers")),
            ("/targets", self.say("目标", "Targets")),
            ("/facts", self.say("事实", "Facts")),
            ("/api", self.say("接口", "API")),
        ];
        html! {
            header {
                a.home href=(self.file("/")) {
                    // The mark of the map application, which need not be built for the pages to be whole.
                    svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" {
                        rect width="32" height="32" rx="7" fill="#0f6b5c" {}
                        path d="M7 9h8v6H7zM17 9h8v14h-8zM7 17h8v6H7z" fill="#fff" {}
                    }
                    span { "亩图 Mutu" }
                }
                nav aria-label=(self.say("主导航", "Main")) {
                    @for (path, title) in places {
                        @let link = if path == "/" { self.file(path) } else { self.href(path) };
                        a href=(link) aria-current=[(path != "/" && self.path.starts_with(path)).then_some("true")] { (title) }
                    }
                }
                (self.account())
                div.languages role="group" aria-label=(self.say("语言", "Language")) {
                    @for (lang, name) in [(Lang::Zh, "中文"), (Lang::En, "English")] {
                        a href=(self.here(&[("lang", Some(lang.word()))])) hreflang=(lang.tag()) lang=(lang.tag())
                            aria-current=[(lang == self.lang).then_some("true")] { (name) }
                    }
                }
            }
        }
    }

    /// Who is signed in, and the way in or out.
    fn account(&self) -> Markup {
        let back = match self.query.with(&[]) {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", &back).finish();
        html! {
            @match &self.who {
                Who::Unasked => {}
                // On the page itself it would lead nowhere.
                Who::Nobody if self.path.starts_with("/sign-in") || self.path == "/session" => {}
                Who::Nobody => div.account {
                    a.primary href=(self.with_lang(self.file(&format!("/sign-in?{query}")))) { (self.say("登录", "Sign in")) }
                },
                Who::Bearer(name) => div.account { (self.say("令牌：", "token of ")) bdi { (name) } },
                Who::SignedIn(name) => form.account method="post" action=(self.file("/sign-out")) {
                    span title=(self.say("已登录", "Signed in")) { bdi { (name) } }
                    button type="submit" { (self.say("退出", "Sign out")) }
                },
            }
        }
    }

    fn way(&self, page: &Page<'_>) -> Markup {
        html! {
            nav.way aria-label=(self.say("当前位置", "Breadcrumb")) {
                ol {
                    li { a href=(self.file("/")) { (self.say("首页", "Home")) } }
                    @for (title, path) in &page.crumbs { li { a href=(self.href(path)) { bdi { (title) } } } }
                    li aria-current="page" { bdi { (page.step.unwrap_or(&page.title)) } }
                }
            }
        }
    }
}

/// The way to a page about a layer.
pub(in super::super) fn way_to(view: &View, collection: &Collection) -> Vec<Crumb> {
    let layers = (view.say("图层", "Layers").to_owned(), "/collections".to_owned());
    vec![layers, (layer_title(view.lang, collection.state.layer()), collection.path())]
}

/// Text for a place that takes no markup, isolated from the direction of what surrounds it (FSI, PDI).
pub(super) fn isolated(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("\u{2068}{text}\u{2069}") }
}

/// What people call a representation.
fn name_of(representation: &Representation) -> String {
    match representation.names[0] {
        "json" if representation.media_type.starts_with("application/geo+json") => "GeoJSON".to_owned(),
        "json" if representation.media_type.starts_with("application/schema+json") => "JSON Schema".to_owned(),
        "json" if representation.media_type.contains("openapi") => "OpenAPI".to_owned(),
        "geojson" => "GeoJSON".to_owned(),
        "geopackage" | "gpkg" => "GeoPackage".to_owned(),
        "shapefile" => "Shapefile".to_owned(),
        "flatgeobuf" | "fgb" => "FlatGeobuf".to_owned(),
        other => other.to_uppercase(),
    }
}
