//! The page for signing in and out.

use axum::response::Response;
use maud::html;

use super::{
    super::error::ApiError,
    frame::{Page, View},
};

/// What the page for signing in has to know.
pub(in super::super) struct SignInPage<'a> {
    /// Where to go once signed in.
    pub(in super::super) to: &'a str,
    /// The name that was given.
    pub(in super::super) name: &'a str,
    /// Why the last try failed.
    pub(in super::super) refusal: Option<&'a ApiError>,
    /// Who is signed in already.
    pub(in super::super) user: Option<&'a str>,
    /// Whether there is anybody who could sign in with a password.
    pub(in super::super) has_people: bool,
}

/// The page for signing in; for who is signed in, to sign out.
pub(in super::super) fn sign_in_page(view: &View, page: &SignInPage<'_>) -> Response {
    let advice = view.say(
        "本机使用：查看无需登录；要修改数据，请打开服务启动时在终端显示的一次性链接（重新启动会显示新的链接）。",
        "On one's own machine reading needs no account. To change data, open the one-time link that the server printed in \
         its terminal when it started; started again it prints a new one.",
    );
    let body = html! {
        @if let Some(refusal) = page.refusal {
            p.problem role="alert" lang="en" { bdi { (refusal.detail()) } }
        }
        @if let Some(user) = page.user {
            p.lead { (view.say("已登录：", "Signed in as ")) bdi { (user) } }
            form.ask method="post" action=(view.file("/sign-out")) {
                div.send {
                    button type="submit" { (view.say("退出登录", "Sign out")) }
                    a href=(view.file(page.to)) { (view.say("继续", "Go on")) }
                }
            }
        } @else if page.has_people {
            form.ask method="post" action=(view.file("/session")) {
                input type="hidden" name="to" value=(page.to);
                input type="hidden" name="lang" value=(view.lang.word());
                label { span { (view.say("姓名", "Name")) }
                    input type="text" name="name" value=(page.name) autocomplete="username" autocapitalize="none"
                        spellcheck="false" required autofocus[page.name.is_empty()]; }
                label { span { (view.say("密码", "Password")) }
                    input type="password" name="password" autocomplete="current-password" required
                        autofocus[!page.name.is_empty()]; }
                div.send { button type="submit" { (view.say("登录", "Sign in")) } }
            }
        } @else {
            p.lead { (advice) }
        }
    };
    let title = view.say("登录", "Sign in").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered: &[], badge: None, step: None, body })
}
