//! The routes that have been seen, by tag: a bounded list that only grows, read without a lock.
//!
//! A label comes from the application's own patterns and from six kinds of method, never from what a stranger
//! sends; so the list is as long as the application is, and 509 routes at most. Later ones share `other`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

use super::histogram::Histogram;
use super::tag::{TAGS, Tag};

static ROUTES: Routes = Routes::new();

struct Routes([OnceLock<Box<Route>>; TAGS]);

/// One route and what was counted for it since the start of the process.
pub(super) struct Route {
    /// `POST /upload`, or a name in parentheses that no route can have.
    pub(super) label: Box<str>,
    key: (Verb, Box<str>),
    churn: AtomicU64,
    carried: AtomicU64,
    over_budget: AtomicU64,
    per_request: Histogram,
}

/// What of a method makes a label. `HEAD` runs what `GET` runs; what few routes know and anybody can send is one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Rest,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Get,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Rest,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Rest => "*",
        }
    }
}

/// What was counted for a route since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteCounts {
    pub(super) requests: u64,
    pub(super) churn: u64,
    pub(super) carried: u64,
    pub(super) over_budget: u64,
    pub(super) median: u64,
    pub(super) p99: u64,
}

impl Route {
    fn new(label: String, verb: Verb, path: &str) -> Box<Self> {
        Box::new(Self {
            label: label.into(),
            key: (verb, path.into()),
            churn: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
            per_request: Histogram::new(),
        })
    }

    fn is(&self, verb: Verb, path: &str) -> bool {
        self.key.0 == verb && *self.key.1 == *path
    }

    /// A request has ended, in whatever way, having allocated `bytes`.
    pub(super) fn add_request(&self, bytes: u64) {
        self.churn.fetch_add(bytes, Ordering::Relaxed);
        self.per_request.add(bytes);
    }

    /// Work that was carried on from a request has allocated `bytes`.
    pub(super) fn add_carried(&self, bytes: u64) {
        self.carried.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A request was refused or ended for its budget.
    pub(super) fn add_over_budget(&self) {
        self.over_budget.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> RouteCounts {
        let (requests, [median, p99]) = self.per_request.quantiles([0.5, 0.99]);
        RouteCounts {
            requests,
            churn: self.churn.load(Ordering::Relaxed),
            carried: self.carried.load(Ordering::Relaxed),
            over_budget: self.over_budget.load(Ordering::Relaxed),
            median,
            p99,
        }
    }
}

impl Routes {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; TAGS])
    }

    fn get(&self, tag: Tag) -> &Route {
        self.0[tag.index()].get_or_init(|| {
            let label = match tag {
                Tag::UNTAGGED => "(untagged)",
                Tag::UNMATCHED => "(unmatched)",
                _ => "(other)",
            };
            Route::new(label.to_owned(), Verb::Rest, "")
        })
    }

    fn intern(&self, method: &Method, path: &str) -> Tag {
        const ROOM: usize = TAGS - Tag::FIRST_ROUTE;
        let verb = Verb::of(method);
        // FNV-1a: short keys, chosen by the application's author.
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325 ^ verb as u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let home = hash as usize % ROOM;
        for step in 0..ROOM {
            let index = Tag::FIRST_ROUTE + (home + step) % ROOM;
            // Two threads may want one free place: one gets it, the other looks whether that suits it as well.
            let taken =
                self.0[index].get_or_init(|| Route::new(format!("{} {path}", verb.name()), verb, path));
            if taken.is(verb, path) {
                return u16::try_from(index).map_or(Tag::OTHER, Tag::from_number);
            }
        }
        Tag::OTHER
    }

    fn seen(&self) -> impl Iterator<Item = (Tag, &Route)> {
        self.get(Tag::UNTAGGED);
        (0_u16..).zip(&self.0).filter_map(|(number, slot)| Some((Tag::from_number(number), &**slot.get()?)))
    }
}

/// The route of a tag.
pub(super) fn route(tag: Tag) -> &'static Route {
    ROUTES.get(tag)
}

/// The tag of a matched path (the pattern, not what was requested), the same one whenever asked.
///
/// Costs a hash and a comparison; a lock never, an allocation at first sight only.
pub(super) fn intern(method: &Method, path: &str) -> Tag {
    ROUTES.intern(method, path)
}

/// All tags that have been seen, `(untagged)` always among them.
pub(super) fn seen() -> impl Iterator<Item = (Tag, &'static Route)> {
    ROUTES.seen()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_stable_bounded_and_not_a_strangers() {
        let routes = Routes::new();
        let routes = &routes;
        let get = routes.intern(&Method::GET, "/users/{id}");
        assert_eq!(&*routes.get(get).label, "GET /users/{id}");
        let cases = [
            (Method::GET, "/users/{id}", true),
            (Method::HEAD, "/users/{id}", true),
            (Method::POST, "/users/{id}", false),
            (Method::GET, "/users", false),
        ];
        for (method, path, same) in cases {
            assert_eq!(routes.intern(&method, path) == get, same, "{method} {path}");
        }
        let made_up = Method::from_bytes(b"EVIL1").unwrap();
        assert_eq!(&*routes.get(routes.intern(&made_up, "/users")).label, "* /users");
        assert_eq!(routes.intern(&made_up, "/users"), routes.intern(&Method::OPTIONS, "/users"));

        let tags: Vec<Vec<Tag>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..600).map(|n| routes.intern(&Method::GET, &format!("/{n}"))).collect())
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let other: Vec<usize> =
            tags.iter().map(|all| all.iter().filter(|tag| **tag == Tag::OTHER).count()).collect();
        assert!(other.iter().all(|count| *count >= 600 - (TAGS - Tag::FIRST_ROUTE)), "{other:?}");
        for n in 0..600 {
            let given: Vec<Tag> = tags.iter().map(|all| all[n]).collect();
            assert!(given.iter().all(|tag| *tag == given[0]), "/{n}: {given:?}");
            if given[0] != Tag::OTHER {
                assert_eq!(*routes.get(given[0]).label, *format!("GET /{n}"));
            }
        }
        assert_eq!(&*routes.get(Tag::OTHER).label, "(other)");
        assert_eq!(routes.seen().count(), TAGS - 1, "all but (unmatched)");
    }
}
