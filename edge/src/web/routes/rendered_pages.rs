//! The rendered pages of responses that the cache still has, each with its entity tag. Pure.

use std::rc::{Rc, Weak};

use super::cache::SerializedResponse;
use super::etag;

/// The most pages.
const MAX_PAGES: usize = 24;

/// The most bytes of all pages: an eighth of the 128 MB of an isolate, three of the longest pages (4.5 MB with 1,800 monitors), or all 24
/// with 250 monitors.
const MAX_BYTES: usize = 16 << 20;

/// A page and its entity tag.
#[derive(Clone, Debug)]
pub(super) struct RenderedPage {
    /// The page.
    pub(super) body: Rc<str>,
    /// The entity tag of the body.
    pub(super) etag: Rc<str>,
}

impl RenderedPage {
    /// Computes the entity tag of a page.
    pub(super) fn new(body: String) -> Self {
        RenderedPage { etag: etag::entity_tag(body.as_bytes()).into(), body: body.into() }
    }
}

#[derive(Debug)]
struct Entry {
    key: String,
    /// The response that the page was rendered from. The cache alone decides how long it lives.
    answer: Weak<SerializedResponse>,
    page: RenderedPage,
}

/// The pages by key and response, the newest last.
#[derive(Debug, Default)]
pub(super) struct RenderedPages(Vec<Entry>);

impl RenderedPages {
    /// No pages.
    pub(super) const fn new() -> Self {
        RenderedPages(Vec::new())
    }

    /// Returns the page of a response, and removes the pages of responses that the cache no longer has.
    pub(super) fn find(&mut self, key: &str, answer: &Rc<SerializedResponse>) -> Option<RenderedPage> {
        self.0.retain(|entry| entry.answer.strong_count() > 0);
        // The weak reference keeps the address from being used for another response.
        let is_same = |entry: &&Entry| entry.key == key && entry.answer.as_ptr() == Rc::as_ptr(answer);
        self.0.iter().find(is_same).map(|entry| entry.page.clone())
    }

    /// Keeps a page in place of the one with the same key, and removes the oldest ones until all are within the bounds.
    pub(super) fn insert(&mut self, key: String, answer: &Rc<SerializedResponse>, page: RenderedPage) {
        self.0.retain(|entry| entry.key != key);
        if page.body.len() > MAX_BYTES {
            return;
        }
        while self.0.len() >= MAX_PAGES || self.bytes() + page.body.len() > MAX_BYTES {
            self.0.remove(0);
        }
        self.0.push(Entry { key, answer: Rc::downgrade(answer), page });
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|entry| entry.page.body.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::super::cache::Cache;
    use super::*;
    use crate::hub_api::{HubRequest, HubResponse};

    fn response(text: &str) -> SerializedResponse {
        SerializedResponse::new(HubResponse::Export(text.to_owned()))
    }

    /// Stores the n-th response of the hub in the cache, as a request to the hub does in each interval.
    fn store(cache: &mut Cache, n: i64) -> Rc<SerializedResponse> {
        cache.store(&HubRequest::StatusPage, response(&n.to_string()), UnixMillis(n * 5_000))
    }

    #[test]
    fn a_page_is_rendered_and_hashed_once_for_each_response() {
        let (mut cache, mut pages) = (Cache::new(), RenderedPages::new());
        let answer = store(&mut cache, 0);
        assert!(pages.find("/ en", &answer).is_none());
        pages.insert("/ en".to_owned(), &answer, RenderedPage::new("a page".to_owned()));
        let (first, second) = (pages.find("/ en", &answer).unwrap(), pages.find("/ en", &answer).unwrap());
        assert_eq!(&*first.etag, etag::entity_tag(b"a page"));
        assert!(Rc::ptr_eq(&first.etag, &second.etag) && Rc::ptr_eq(&first.body, &second.body));
        assert!(pages.find("/ de", &answer).is_none(), "another key");
        let next = store(&mut cache, 1);
        assert!(pages.find("/ en", &next).is_none(), "another response");
    }

    #[test]
    fn pages_in_many_languages_do_not_keep_old_responses() {
        let (mut cache, mut pages) = (Cache::new(), RenderedPages::new());
        let mut answers = Vec::new();
        for n in 0..24 {
            let answer = store(&mut cache, n);
            let key = format!("/ {n}");
            assert!(pages.find(&key, &answer).is_none());
            pages.insert(key, &answer, RenderedPage::new("a page".to_owned()));
            answers.push(Rc::downgrade(&answer));
        }
        let alive = answers.iter().filter(|answer| answer.strong_count() > 0).count();
        assert_eq!((alive, pages.0.len()), (1, 1), "responses, pages");
    }

    #[test]
    fn pages_are_bounded_in_number_and_bytes() {
        let mut pages = RenderedPages::new();
        let answer = Rc::new(response("a response"));
        for (length, kept) in [(1_000, MAX_PAGES), (4_500_000, 3), (MAX_BYTES, 1)] {
            for n in 0..2 * MAX_PAGES {
                pages.insert(
                    format!("{n}"),
                    &answer,
                    RenderedPage { body: "x".repeat(length).into(), etag: "".into() },
                );
                assert!(pages.0.len() <= MAX_PAGES && pages.bytes() <= MAX_BYTES, "{} bytes", pages.bytes());
            }
            assert_eq!(pages.0.len(), kept, "of {length} bytes");
            assert!(pages.find(&format!("{}", 2 * MAX_PAGES - 1), &answer).is_some(), "the newest");
        }
        let huge = RenderedPage { body: "x".repeat(MAX_BYTES + 1).into(), etag: "".into() };
        pages.insert("huge".to_owned(), &answer, huge);
        assert_eq!(pages.0.len(), 1, "a page that is too long evicts no other");
        pages.insert("short".to_owned(), &answer, RenderedPage::new("a page".to_owned()));
        pages.insert("short".to_owned(), &answer, RenderedPage::new("a newer page".to_owned()));
        assert_eq!(pages.0.len(), 1, "one page of each key");
    }
}
