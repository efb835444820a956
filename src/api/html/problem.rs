//! What is wrong with a request, for those who asked in a browser, with the request to be mended.
//!
//! Programs get the problem document (RFC 9457); a browser's own request says `text/html` first, theirs do not.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use maud::html;

use super::{
    super::{
        access::Access,
        negotiate::{HTML, JSON, Representation, negotiate},
        query::Query,
    },
    frame::{Page, View},
    lang::Lang,
};

/// What an error page has to know of a request before the request is answered.
#[derive(Debug)]
pub(in super::super) struct Reader {
    view: View,
}

impl Reader {
    /// A person with a browser; `None` for a program.
    pub(in super::super) fn of(base_url: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        const OFFERED: &[Representation] = &[JSON, HTML];
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        // An error page forgives everything: the request is wrong already.
        let query = Query::leniently(uri);
        let wanted = match query.value("f") {
            Some(name) => HTML.names.contains(&name).then_some(&HTML)?,
            None => negotiate(&Query::default(), headers, OFFERED).ok()?,
        };
        if *wanted != HTML {
            return None;
        }
        let lang = Lang::of(&query, headers).unwrap_or_else(|_unknown| Lang::preferred(headers));
        Some(Self { view: View::of_parts(base_url, uri.path(), query, lang) })
    }

    /// The same person, by the name that they have shown.
    pub(in super::super) fn of_whom(mut self, access: Option<&Access>) -> Self {
        self.view = self.view.of_whom(access);
        self
    }

    /// The page of an error.
    pub(in super::super) fn page(&self, status: StatusCode, told: &Told<'_>) -> Response {
        let view = &self.view;
        let (title, advice) = match status {
            StatusCode::NOT_FOUND => (
                view.say("没有这个页面", "Nothing here"),
                view.say("地址有误，或者它已被删除。", "The address is wrong, or what it named is gone."),
            ),
            StatusCode::BAD_REQUEST => (
                view.say("请求有误", "The request cannot be answered"),
                view.say("请按下面的说明修改后再试。", "Mend it as told below and try again."),
            ),
            status if status.is_server_error() => (
                view.say("服务器出错", "The server failed"),
                view.say(
                    "请稍后再试；若仍如此，请把请求号告诉管理员。",
                    "Try again later; if it stays so, give the request id to the operator.",
                ),
            ),
            _ => (view.say("无法回答", "No answer"), ""),
        };
        let given: Vec<(&str, &str)> = view.query().pairs().collect();
        let body = html! {
                    p.lead { (advice) }
                    p.problem role="alert" lang="en" {
                        @if let Some(parameter) = told.parameter { code { bdi { (parameter) } } " — " }
                        bdi { (told.detail) }
                    }
                    @if status == StatusCode::BAD_REQUEST && !given.is_empty() {
                        form.ask method="get" action=(view.action()) {
        (view.hidden())
                            @for (name, value) in &given {
                                label.wide { span { code { bdi { (name) } } } input type="text" name=(name) value=(value) aria-invalid=[(told.parameter == Some(*name)).then_some("true")]; }
                            }
                            div.send {
                                button type="submit" { (view.say("再试", "Try again")) }
                                a href=(view.action()) { (view.say("去掉全部参数", "Without parameters")) }
                            }
                        }
                    }
                    p { a href=(view.href("/collections")) { (view.say("回到图层列表", "To the list of layers")) } }
                    p.small { (view.say("代码 ", "code ")) code { (told.code) } " · " (view.say("请求号 ", "request ")) code { (told.request_id) } }
                };
        let page = Page { title: title.to_owned(), crumbs: Vec::new(), offered: &[], badge: None, step: None, body };
        let mut response = view.answer(&page);
        *response.status_mut() = status;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// What an error says.
pub(in super::super) struct Told<'a> {
    pub(in super::super) code: &'a str,
    pub(in super::super) detail: &'a str,
    pub(in super::super) parameter: Option<&'a str>,
    pub(in super::super) request_id: &'a str,
}
