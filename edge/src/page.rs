//! The public status page: a pure function of the read model.
//!
//! Rendered on the server, complete without JavaScript, one style sheet, no request to anybody else. The templates escape
//! whatever they are given; what a person may not see is not in the [`StatusView`] to begin with. Numbers become words in
//! [`words`], points become paths in [`chart`], and what is left for the template is where things stand.

mod assets;
mod card;
pub mod chart;
mod headline;
pub mod words;

use askama::Template;
use heapbeat_shared::UnixMillis;

use crate::config::Problem;
use crate::instant;
use crate::view::StatusView;
use crate::watch::State;

use card::Card;

/// Headers of every page. Nothing may be loaded from elsewhere, nothing inline runs or styles, nobody may frame it.
pub const SECURITY_HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cross-origin-opener-policy", "same-origin"),
];

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    title: String,
    headline: String,
    state: State,
    stylesheet: String,
    favicon: String,
    look: Look,
    groups: Vec<Group<'a>>,
    problems: &'a [Problem],
    empty: bool,
}

/// When somebody looked last.
enum Look {
    At(Moment),
    Never,
    /// The hub does not say.
    Failed,
}

/// Monitors under one heading.
struct Group<'a> {
    name: Option<&'a str>,
    cards: Vec<Card<'a>>,
}

/// An instant twice: for machines and for people.
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) machine: String,
    /// Short, in UTC.
    pub(crate) shown: String,
}

impl Moment {
    pub(crate) fn new(at: UnixMillis, now: UnixMillis) -> Self {
        Moment { machine: instant::rfc3339(at), shown: instant::short(at, now) }
    }
}

/// The page at `/`, as HTML. Cannot fail: a template writes into a string.
pub fn status(view: &StatusView) -> String {
    let now = view.now;
    let headline = headline::headline(view);
    let page = StatusPage {
        title: format!("{headline} · heapbeat"),
        headline,
        state: view.state,
        stylesheet: assets::stylesheet(),
        favicon: assets::favicon(view.state),
        look: view.updated.map_or(Look::Never, |at| Look::At(Moment::new(at, now))),
        groups: groups(view),
        problems: &view.problems,
        empty: view.monitors.is_empty(),
    };
    page.render().expect("writing to a string does not fail")
}

/// The page when the hub does not answer: no claim about any monitor.
pub fn unavailable() -> String {
    let page = StatusPage {
        title: "Status unknown · heapbeat".into(),
        headline: "The status cannot be read at the moment".into(),
        state: State::Unobserved,
        stylesheet: assets::stylesheet(),
        favicon: assets::favicon(State::Unobserved),
        look: Look::Failed,
        groups: Vec::new(),
        problems: &[],
        empty: false,
    };
    page.render().expect("writing to a string does not fail")
}

/// Monitors by group, groups in the order in which they first appear; those without one come first.
fn groups(view: &StatusView) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for monitor in &view.monitors {
        let name = monitor.group.as_deref();
        let card = Card::new(monitor, view.now);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.cards.push(card),
            None => groups.push(Group { name, cards: vec![card] }),
        }
    }
    if let Some(alone) = groups.iter().position(|group| group.name.is_none()) {
        groups[..=alone].rotate_right(1);
    }
    groups
}

#[cfg(test)]
mod tests;
