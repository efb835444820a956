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
    /// Where else people sign in: what it is called and the address where it begins.
    pub(in super::super) elsewhere: Option<(String, String)>,
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
            @if let Some(said) = said_of(view, refusal) { p.lead { (said) } }
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
        @if let Some((name, href)) = page.elsewhere.as_ref().filter(|_| page.user.is_none()) {
            p.elsewhere { a.primary href=(href) {
                (view.say("统一身份认证登录：", "Sign in with ")) bdi { (name) }
            } }
        }
    };
    let title = view.say("登录", "Sign in").to_owned();
    view.answer(&Page { title, crumbs: Vec::new(), offered: &[], badge: None, step: None, body })
}

/// What a refusal of the identity provider's means for who wanted to sign in, beside the sentence that says why.
fn said_of<'t>(view: &View, refusal: &ApiError) -> Option<&'t str> {
    Some(match refusal.code() {
        "oidc-unknown-person" => view.say(
            "统一身份认证已通过，但本系统还没有登记您的账号。请把下面的内容发给管理员。",
            "You are known to the identity provider, and not here yet. Send what stands below to an administrator.",
        ),
        "oidc-kept-out" => {
            view.say("您的账号已被停用，请联系管理员。", "Your account is disabled: ask an administrator.")
        }
        "oidc-unreachable" | "oidc-bad-answer" => view.say(
            "统一身份认证暂时无法使用，请稍后再试，或用密码登录。",
            "The identity provider cannot be used at the moment: try again later, or sign in with a password.",
        ),
        code if code.starts_with("oidc-") => {
            view.say("登录没有完成，请重新登录。", "You are not signed in: begin again.")
        }
        _ => return None,
    })
}
