//! What can be done at a path: what goes in, and every answer that can come.

use super::node::{Node, object};
use super::schema::{entry, of, text};
use crate::web::routes::response::{CACHE_CONTROL, JSON, PROBLEM};

/// One method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its name in clients that are made of the document.
    pub(super) name: &'static str,
    /// Under which heading it stands.
    pub(super) tag: &'static str,
    summary: &'static str,
    about: &'static str,
    /// Parameters besides those that the path itself has.
    pub(super) parameters: Vec<Node>,
    body: Option<Node>,
    answers: Vec<(u16, Node)>,
    /// The names of the tokens of which one is wanted; none where it is public.
    tokens: &'static [&'static str],
}

/// What an answer is: its `Content-Type`, what it can be, and an example.
pub(super) struct Content {
    kind: &'static str,
    schema: Node,
    example: Option<Node>,
}

/// JSON, and what the writer makes of an example.
pub(super) fn json(schema: Node, example: &str) -> Content {
    Content { kind: JSON, schema, example: Some(Node::read(example)) }
}

/// Text of another kind.
pub(super) fn plain(kind: &'static str, example: Option<String>) -> Content {
    Content { kind, schema: text(), example: example.map(Node::Text) }
}

/// A page for people.
pub(super) fn html() -> Content {
    plain("text/html; charset=utf-8", None)
}

impl Content {
    fn node(self) -> (&'static str, Node) {
        let node = object([("schema", self.schema)]);
        (self.kind, if let Some(example) = self.example { node.with("example", example) } else { node })
    }
}

/// The errors, by the names that they have in the document.
pub(super) const ERRORS: [(u16, &str, &str, &[&str]); 12] = [
    (304, "NotModified", "What `If-None-Match` names is what there is. No body.", &["ETag", "Cached", "Age"]),
    (
        400,
        "BadRequest",
        "A parameter, the query or the body is not understood; `detail` says what would be right.",
        &[],
    ),
    (401, "Unauthorized", "There is no token, or a wrong one.", &["WWW-Authenticate"]),
    (403, "Forbidden", "Nobody may do this: the Worker has no `ADMIN_TOKEN`, or one that is too short.", &[]),
    (404, "NotFound", "There is no such thing, or nothing that the public may see.", &[]),
    (
        405,
        "MethodNotAllowed",
        "The answer of every path to a method that it does not have. `Allow` says which ones it has.",
        &["Allow"],
    ),
    (409, "Conflict", "Something else is under way, or it is over already; `detail` says which.", &[]),
    (411, "LengthRequired", "The body came without a `Content-Length`.", &[]),
    (413, "TooLarge", "The body is longer than `detail` says.", &[]),
    (429, "TooManyRequests", "Too many requests; ask again after `Retry-After` seconds.", &["Retry-After"]),
    (500, "InternalError", "Something went wrong at the edge, and was logged.", &[]),
    (
        503,
        "Unavailable",
        "The part of the edge that knows the answer does not answer, and nothing that it said in the last hour is at hand.",
        &["Retry-After"],
    ),
];

fn reference(group: &str, name: &str) -> Node {
    object([("$ref", Node::from(format!("#/components/{group}/{name}")))])
}

/// The error of this status.
pub(super) fn error(status: u16) -> (u16, Node) {
    let name = ERRORS.iter().find(|error| error.0 == status).map_or("", |error| error.1);
    (status, reference("responses", name))
}

/// `Cached` and `NotCached` are two things that one header can say.
fn headers(names: &[&str]) -> Node {
    let header = |name: &str| if name.ends_with("Cached") { "Cache-Control" } else { name }.to_owned();
    Node::Object(names.iter().map(|name| (header(name), reference("headers", name))).collect())
}

/// An answer with a body.
pub(super) fn answer(about: &str, names: &[&str], contents: Vec<Content>) -> Node {
    let content = object(contents.into_iter().map(Content::node));
    let node = object([("description", Node::from(about))]);
    let node = if names.is_empty() { node } else { node.with("headers", headers(names)) };
    if content.fields().is_empty() { node } else { node.with("content", content) }
}

/// `components.responses`.
pub(super) fn errors() -> Node {
    object(ERRORS.into_iter().map(|(status, name, about, more)| {
        let problem = Content { kind: PROBLEM, schema: of("Problem"), example: None };
        let (mut names, contents) = match status {
            304 => (Vec::new(), Vec::new()),
            _ => (vec!["NotCached"], vec![problem]),
        };
        names.extend(more);
        (name, answer(about, &names, contents))
    }))
}

/// `components.headers`.
pub(super) fn known_headers() -> Node {
    let header = |about: &str, always: bool, schema: Node| {
        object([("description", Node::from(about)), ("required", always.into()), ("schema", schema)])
    };
    let said = |value: &str| object([("const", Node::from(value))]);
    let seconds = || super::schema::matching("^[0-9]+$");
    object([
        (
            "ETag",
            header(
                "What tells this body from another; strong. Send it back as `If-None-Match`.",
                true,
                text(),
            ),
        ),
        (
            "Cached",
            header(
                "Five seconds for caches; older answers may stand in while a new one is fetched.",
                true,
                said(CACHE_CONTROL),
            ),
        ),
        ("NotCached", header("Nobody keeps it.", true, said("no-store"))),
        ("Age", header("Seconds since the edge's own storage said this.", true, seconds())),
        (
            "X-Heapbeat-Stale",
            header(
                "How old the answer is, in seconds, where it stands in for a part of the edge that does not answer.",
                false,
                seconds(),
            ),
        ),
        (
            "Link",
            header("Where the next page is, with `rel=\"next\"`; absent on the last one.", false, text()),
        ),
        ("Vary", header("What else the answer depends on.", true, text())),
        ("Content-Language", header("The language of the page.", true, text())),
        ("Retry-After", header("Seconds to wait before asking again.", true, seconds())),
        ("Allow", header("The methods of the path.", true, text())),
        ("WWW-Authenticate", header("`Bearer`.", true, said("Bearer"))),
    ])
}

/// The headers of an answer that anybody may keep.
const KEPT: [&str; 4] = ["ETag", "Cached", "Age", "X-Heapbeat-Stale"];

impl Operation {
    /// Something that anybody may read. `more`: what else its answer carries.
    pub(super) fn read(
        (name, tag): (&'static str, &'static str),
        summary: &'static str,
        about: &'static str,
        more: &[&str],
        contents: Vec<Content>,
    ) -> Self {
        let names: Vec<_> = KEPT.iter().chain(more).copied().collect();
        let mut answers = vec![(200, answer("The answer.", &names, contents))];
        answers.extend([304, 400, 429, 500, 503].map(error));
        let parameters = vec![reference("parameters", "IfNoneMatch")];
        Operation { name, tag, summary, about, parameters, body: None, answers, tokens: &[] }
    }

    /// A page for people, or a picture for them. It reads its query as people write it: nothing of it is refused.
    pub(super) fn page(
        name: &'static str,
        summary: &'static str,
        about: &'static str,
        content: Content,
    ) -> Self {
        let more = ["Vary", "Content-Language"];
        let mut page = Operation::read((name, super::PAGES), summary, about, &more, vec![content]);
        let gone = "The same page without any claim, where the edge's own storage does not answer.";
        page.answers.retain(|(status, _)| *status != 400 && *status != 503);
        let names = ["NotCached", "Retry-After", "Vary", "Content-Language"];
        page.answers.push((503, answer(gone, &names, vec![html()])));
        page
    }

    /// Something of the owner's.
    pub(super) fn own(
        name: &'static str,
        summary: &'static str,
        about: &'static str,
        contents: Vec<Content>,
    ) -> Self {
        let mut answers = vec![(200, answer("The answer.", &["NotCached"], contents))];
        answers.extend([400, 401, 403, 429, 500, 503].map(error));
        let tokens = &["owner"];
        Operation {
            name,
            tag: super::OWNER,
            summary,
            about,
            parameters: Vec::new(),
            body: None,
            answers,
            tokens,
        }
    }

    /// The same with a body to be sent.
    pub(super) fn sending(mut self, about: &str, kind: &str, schema: Node, example: Node) -> Self {
        let content = object([(kind, object([("schema", schema), ("example", example)]))]);
        self.body = Some(object([
            ("description", Node::from(about)),
            ("required", true.into()),
            ("content", content),
        ]));
        self.or([411, 413])
    }

    /// The same with more errors that can come.
    pub(super) fn or<const N: usize>(mut self, statuses: [u16; N]) -> Self {
        self.answers.extend(statuses.map(error));
        self
    }

    /// The same with another answer.
    pub(super) fn answering(mut self, status: u16, answer: Node) -> Self {
        self.answers.push((status, answer));
        self
    }

    /// The same, whose answer has the id that these operations want.
    pub(super) fn leading(mut self, id: &str, to: &[&str]) -> Self {
        let link = |name: &str| {
            object([("operationId", Node::from(name)), ("parameters", object([("id", Node::from(id))]))])
        };
        if let Some((_, answer)) = self.answers.iter_mut().find(|(status, _)| *status == 200) {
            let whole = std::mem::replace(answer, Node::List(Vec::new()));
            *answer = whole.with("links", object(to.iter().map(|name| (*name, link(name)))));
        }
        self
    }

    /// The same for anybody, where nothing comes back. `unproven`: why it is 403, `off`: why 404.
    pub(super) fn anybodys(mut self, unproven: &str, off: &str) -> Self {
        self.tokens = &[];
        self.answers.retain(|(status, _)| !matches!(status, 401 | 403));
        let problem = || vec![Content { kind: PROBLEM, schema: of("Problem"), example: None }];
        self.done()
            .answering(403, answer(unproven, &["NotCached"], problem()))
            .answering(404, answer(off, &["NotCached"], problem()))
    }

    /// The same where nothing comes back.
    pub(super) fn done(mut self) -> Self {
        self.answers.retain(|(status, _)| *status != 200);
        self.answering(204, answer("It is done.", &["NotCached"], Vec::new()))
    }

    /// What a job says, with its own token or the owner's, and nothing comes back.
    pub(super) fn told(mut self) -> Self {
        self.answers.retain(|(status, _)| *status != 200);
        self.tokens = &["owner", "job"];
        self.answering(204, answer("It was heard.", &["NotCached"], Vec::new()))
    }

    /// As the document has it.
    pub(super) fn node(mut self) -> Node {
        self.answers.sort_by_key(|(status, _)| *status);
        let mut node = object([
            ("operationId", Node::from(self.name)),
            ("tags", Node::List(vec![self.tag.into()])),
            ("summary", self.summary.into()),
            ("description", self.about.into()),
        ]);
        if !self.tokens.is_empty() {
            let one = |name: &&str| object([(*name, Node::List(Vec::new()))]);
            node = node.with("security", Node::List(self.tokens.iter().map(one).collect()));
        }
        if !self.parameters.is_empty() {
            node = node.with("parameters", self.parameters);
        }
        if let Some(body) = self.body {
            node = node.with("requestBody", body);
        }
        let answers = self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer));
        node.with("responses", Node::Object(answers.collect()))
    }
}

/// A parameter.
pub(super) fn parameter(name: &str, place: &str, about: &str, schema: Node) -> Node {
    let node = object([("name", Node::from(name)), ("in", place.into()), ("description", about.into())]);
    let node = if place == "path" { node.with("required", true) } else { node };
    node.with("schema", schema)
}

/// A parameter with an example.
pub(super) fn such_as(parameter: Node, example: impl Into<Node>) -> Node {
    parameter.with("example", example)
}

/// `components.schemas.Problem`.
pub(super) fn problem() -> Node {
    let fields = [
        (
            "type",
            "Always `about:blank`: the status says it all.",
            object([("const", Node::from("about:blank"))]),
        ),
        ("title", "The status in words.", text()),
        ("status", "The status.", super::schema::within(400, 599)),
        ("detail", "What was wrong, and what would be right; for people.", text()),
    ];
    entry(&["type", "title", "status", "detail"], fields).about("An error, as RFC 9457 has it.")
}
