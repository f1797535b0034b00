//! The known routes by tag: a bounded list that only grows and is read without a lock.
//!
//! A label is made of a path pattern of the application and one of six method kinds, never of text that a client sends. The list
//! therefore has at most as many entries as the application has routes, and at most 509; later routes share `(other)`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

use super::histogram::Histogram;
use super::tag::{TAGS, Tag};

static ROUTES: Routes = Routes::new();

struct Routes([OnceLock<Box<Route>>; TAGS]);

/// One route and its counters since the start of the process.
pub(super) struct Route {
    /// Label such as `POST /upload`, or a name in parentheses that no route can have.
    pub(super) label: Box<str>,
    key: (MethodKind, Box<str>),
    allocated: AtomicU64,
    propagated: AtomicU64,
    over_budget: AtomicU64,
    per_request: Histogram,
}

/// The part of a method that a label shows. `HEAD` counts as `GET`, as both run the same handler; rare methods share one kind, as
/// clients can invent any number of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MethodKind {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Rest,
}

impl MethodKind {
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

/// Counters of a route since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteCounts {
    pub(super) requests: u64,
    pub(super) allocated: u64,
    pub(super) propagated: u64,
    pub(super) over_budget: u64,
    pub(super) median: u64,
    pub(super) p99: u64,
}

impl Route {
    fn new(label: String, kind: MethodKind, path: &str) -> Box<Self> {
        Box::new(Self {
            label: label.into(),
            key: (kind, path.into()),
            allocated: AtomicU64::new(0),
            propagated: AtomicU64::new(0),
            over_budget: AtomicU64::new(0),
            per_request: Histogram::new(),
        })
    }

    fn matches(&self, kind: MethodKind, path: &str) -> bool {
        self.key.0 == kind && *self.key.1 == *path
    }

    /// Counts a request that ended, however it ended, and the `bytes` that it allocated.
    pub(super) fn add_request(&self, bytes: u64) {
        self.allocated.fetch_add(bytes, Ordering::Relaxed);
        self.per_request.add(bytes);
    }

    /// Counts `bytes` that a task or thread allocated for this route outside a request.
    pub(super) fn add_propagated(&self, bytes: u64) {
        self.propagated.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a request that was refused or ended because of its budget.
    pub(super) fn add_over_budget(&self) {
        self.over_budget.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> RouteCounts {
        let (requests, [median, p99]) = self.per_request.quantiles([0.5, 0.99]);
        RouteCounts {
            requests,
            allocated: self.allocated.load(Ordering::Relaxed),
            propagated: self.propagated.load(Ordering::Relaxed),
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

    fn route_of(&self, tag: Tag) -> &Route {
        self.0[tag.index()].get_or_init(|| {
            let label = match tag {
                Tag::UNTAGGED => "(untagged)",
                Tag::UNMATCHED => "(unmatched)",
                _ => "(other)",
            };
            Route::new(label.to_owned(), MethodKind::Rest, "")
        })
    }

    fn intern(&self, method: &Method, path: &str) -> Tag {
        const ROOM: usize = TAGS - Tag::FIRST_ROUTE;
        let kind = MethodKind::of(method);
        // FNV-1a: short keys, chosen by the application's author.
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325 ^ kind as u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let home = hash as usize % ROOM;
        for step in 0..ROOM {
            let index = Tag::FIRST_ROUTE + (home + step) % ROOM;
            // If two threads race for a free slot, one fills it and the other compares it with its own route.
            let taken =
                self.0[index].get_or_init(|| Route::new(format!("{} {path}", kind.name()), kind, path));
            if taken.matches(kind, path) {
                return u16::try_from(index).map_or(Tag::OTHER, Tag::from_number);
            }
        }
        Tag::OTHER
    }

    fn known_routes(&self) -> impl Iterator<Item = (Tag, &Route)> {
        self.route_of(Tag::UNTAGGED);
        (0_u16..).zip(&self.0).filter_map(|(number, slot)| Some((Tag::from_number(number), &**slot.get()?)))
    }
}

/// Returns the route of a tag.
pub(super) fn route(tag: Tag) -> &'static Route {
    ROUTES.route_of(tag)
}

/// Returns the tag of a method and a matched path (the pattern, not the requested path); always the same for the same route.
///
/// Costs a hash and a comparison. It never locks, and allocates only for a route that is new.
pub(super) fn intern(method: &Method, path: &str) -> Tag {
    ROUTES.intern(method, path)
}

/// Returns all known routes; `(untagged)` is always among them.
pub(super) fn known_routes() -> impl Iterator<Item = (Tag, &'static Route)> {
    ROUTES.known_routes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_stable_and_bounded_and_contain_no_text_of_clients() {
        let routes = Routes::new();
        let routes = &routes;
        let get = routes.intern(&Method::GET, "/users/{id}");
        assert_eq!(&*routes.route_of(get).label, "GET /users/{id}");
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
        assert_eq!(&*routes.route_of(routes.intern(&made_up, "/users")).label, "* /users");
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
                assert_eq!(*routes.route_of(given[0]).label, *format!("GET /{n}"));
            }
        }
        assert_eq!(&*routes.route_of(Tag::OTHER).label, "(other)");
        assert_eq!(routes.known_routes().count(), TAGS - 1, "all but (unmatched)");
    }
}
