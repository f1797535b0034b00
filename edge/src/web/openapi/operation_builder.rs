//! One operation of the document, built step by step.

use schemars::JsonSchema;
use schemars::generate::SchemaGenerator;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::common::{error_reference, header_references, problem_content};
use crate::web::routes::response::JSON;

/// A group of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Now,
    History,
    Incidents,
    Formats,
    Pages,
    Owner,
}

impl Tag {
    /// Every group, in the order of the documentation.
    pub(super) const ALL: [Tag; 6] =
        [Tag::Now, Tag::History, Tag::Incidents, Tag::Formats, Tag::Pages, Tag::Owner];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Tag::Now => "Status",
            Tag::History => "History",
            Tag::Incidents => "Incidents",
            Tag::Formats => "Badges, feeds and metrics",
            Tag::Pages => "Pages",
            Tag::Owner => "Owner and jobs",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Tag::Now => "The present state of all monitors.",
            Tag::History => "The history of one monitor.",
            Tag::Incidents => "Incidents, each with its cause, evidence and timeline.",
            Tag::Formats => "The same facts in the formats of other programs.",
            Tag::Pages => "HTML pages in the visitor's language. Only their addresses are stable.",
            Tag::Owner => "Operations that need a token or a confirmation.",
        }
    }
}

/// The headers of a public response.
const PUBLIC_HEADERS: [&str; 4] = ["ETag", "Cached", "Age", "X-Heapbeat-Stale"];

/// An operation without its parameters.
pub(super) struct OperationBuilder {
    id: &'static str,
    tag: Tag,
    summary: &'static str,
    description: &'static str,
    body: Option<Value>,
    responses: Map<String, Value>,
    /// Tokens of which one is needed; none for a public operation.
    tokens: &'static [&'static str],
}

impl OperationBuilder {
    fn new(id: &'static str, tag: Tag, summary: &'static str, description: &'static str) -> Self {
        OperationBuilder { id, tag, summary, description, body: None, responses: Map::new(), tokens: &[] }
    }

    /// A public operation, whose response may be cached.
    pub(super) fn public(
        id: &'static str,
        tag: Tag,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        let operation = OperationBuilder::new(id, tag, summary, description);
        operation.response(200, "OK.", &PUBLIC_HEADERS, Value::Null).errors(&[304, 400, 429, 500, 503])
    }

    /// A page. It ignores invalid parameters.
    pub(super) fn page(
        id: &'static str,
        summary: &'static str,
        description: &'static str,
        kind: &str,
    ) -> Self {
        let headers: Vec<_> = PUBLIC_HEADERS.into_iter().chain(["Vary", "Content-Language"]).collect();
        let html = "text/html; charset=utf-8";
        let content = |kind: &str| json!({ kind: { "schema": { "type": "string" } } });
        OperationBuilder::new(id, Tag::Pages, summary, description)
            .response(200, "OK.", &headers, content(kind))
            .response(
                503,
                "The page without any state, as the edge's storage does not respond.",
                &["NotCached", "Retry-After", "Vary", "Content-Language"],
                content(html),
            )
            .errors(&[304, 429, 500])
    }

    /// A page that is the same whatever the hub knows, so that it needs no hub.
    pub(super) fn fixed_page(id: &'static str, summary: &'static str, description: &'static str) -> Self {
        let mut operation = OperationBuilder::page(id, summary, description, "text/html; charset=utf-8");
        operation.responses.remove("503");
        operation
    }

    /// An operation of the owner.
    pub(super) fn owner(id: &'static str, summary: &'static str, description: &'static str) -> Self {
        let operation = OperationBuilder::new(id, Tag::Owner, summary, description);
        let mut operation = operation.errors(&[400, 401, 403, 429, 500, 503]);
        operation.tokens = &["owner"];
        operation
    }

    /// An operation that an address has to confirm. `unconfirmed` describes 403, `disabled` describes 404.
    pub(super) fn subscriber(
        id: &'static str,
        summary: &'static str,
        description: &'static str,
        (unconfirmed, disabled): (&str, &str),
    ) -> Self {
        OperationBuilder::new(id, Tag::Owner, summary, description)
            .response(403, unconfirmed, &["NotCached"], problem_content())
            .response(404, disabled, &["NotCached"], problem_content())
            .errors(&[400, 429, 500, 503])
    }

    /// Another token that allows the operation.
    pub(super) fn tokens(mut self, tokens: &'static [&'static str]) -> Self {
        self.tokens = tokens;
        self
    }

    /// The body of 200: a value of `T` as JSON.
    pub(super) fn json<T: JsonSchema + Serialize>(
        self,
        generator: &mut SchemaGenerator,
        example: &T,
    ) -> Self {
        let content = json_content(generator, example);
        self.ok(content)
    }

    /// The body of 200: text of another type.
    pub(super) fn text(self, kind: &str, example: &str) -> Self {
        self.ok(json!({ kind: { "schema": { "type": "string" }, "example": example } }))
    }

    /// Adds content to 200.
    pub(super) fn ok(mut self, content: Value) -> Self {
        let response = self
            .responses
            .entry("200")
            .or_insert_with(|| json!({ "description": "OK.", "headers": header_references(&["NotCached"]) }));
        if let (Value::Object(all), Value::Object(content)) = (&mut response["content"], &content) {
            all.extend(content.clone());
        } else {
            response["content"] = content;
        }
        self
    }

    /// A header of 200.
    pub(super) fn header(mut self, name: &str) -> Self {
        if let (Value::Object(all), Value::Object(header)) =
            (&mut self.responses["200"]["headers"], header_references(&[name]))
        {
            all.extend(header);
        }
        self
    }

    /// The operations that accept the id at `pointer` of the response.
    pub(super) fn links(mut self, pointer: &str, to: &[&str]) -> Self {
        let link = |id: &&str| {
            let id_of = format!("$response.body#{pointer}");
            ((*id).to_owned(), json!({ "operationId": id, "parameters": { "id": id_of } }))
        };
        self.responses["200"]["links"] = to.iter().map(link).collect::<Map<_, _>>().into();
        self
    }

    /// The response without a body.
    pub(super) fn no_content(self) -> Self {
        self.response(204, "Done.", &["NotCached"], Value::Null)
    }

    /// Another response.
    pub(super) fn response(
        mut self,
        status: u16,
        description: &str,
        headers: &[&str],
        content: Value,
    ) -> Self {
        let mut response = json!({ "description": description, "headers": header_references(headers) });
        if !content.is_null() {
            response["content"] = content;
        }
        self.responses.insert(status.to_string(), response);
        self
    }

    /// Errors that operations have in common.
    pub(super) fn errors(mut self, statuses: &[u16]) -> Self {
        self.responses.extend(statuses.iter().map(|status| (status.to_string(), error_reference(*status))));
        self
    }

    /// The body of the request.
    #[expect(clippy::needless_pass_by_value, reason = "json! borrows values that its callers build in place")]
    pub(super) fn body(mut self, description: &str, kind: &str, schema: Value, example: Value) -> Self {
        self.body = Some(json!({
            "description": description,
            "required": true,
            "content": { kind: { "schema": schema, "example": example } },
        }));
        self.errors(&[411, 413])
    }

    /// Renders the operation for the document.
    pub(super) fn render(self, parameters: Vec<Value>) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag.name()],
            "summary": self.summary,
            "description": self.description,
            "responses": self.responses,
        });
        if !self.tokens.is_empty() {
            let token = |name: &&str| json!({ *name: [] });
            operation["security"] = self.tokens.iter().map(token).collect();
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation
    }
}

/// A value as the JSON body of an answer.
pub(super) fn json_content<T: JsonSchema + Serialize>(generator: &mut SchemaGenerator, example: &T) -> Value {
    let schema = generator.subschema_for::<T>();
    // All keys of an example are text, so this cannot fail.
    let example = serde_json::to_value(example).unwrap_or_default();
    json!({ JSON: { "schema": schema, "example": example } })
}
