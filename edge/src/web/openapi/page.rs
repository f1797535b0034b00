//! The document as a page for people: complete without a script, read from top to bottom or by its contents.

use std::fmt::Write as _;

use super::node::Node;
use super::words::{prose, prose_line, shape, shown};
use crate::web::api::markup::escaped;

/// Widest line of an example.
const WIDTH: usize = 76;

/// The page of a document. Writing to a `String` cannot fail.
pub(super) fn page(document: &Node) -> String {
    let mut out = String::from(HEAD);
    let info = document.get("info");
    out += &prose(info.map_or("", |info| info.text_of("description")));
    out += BEHIND;
    let tags = document.get("tags").map_or(&[][..], Node::items);
    out += "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n";
    for tag in tags {
        let name = tag.text_of("name");
        let _ = write!(out, "<h3><a href=\"#{}\">{}</a></h3>\n<ul>\n", anchor(name), escaped(name));
        for (path, verb, operation) in operations(document, name) {
            let id = operation.text_of("operationId");
            let _ = writeln!(
                out,
                "<li><a href=\"#{id}\"><code>{}</code></a> {}</li>",
                signature(path, verb),
                prose_line(operation.text_of("summary"))
            );
        }
        out += "</ul>\n";
    }
    out += "<h3>What they have in common</h3>\n<ul>\n";
    for (id, name) in [
        ("errors", "Errors"),
        ("headers", "Headers"),
        ("tokens", "Tokens"),
        ("schemas", "What is in an answer"),
    ] {
        let _ = writeln!(out, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    out += "</ul>\n</nav>\n<main id=\"main\">\n";
    for tag in tags {
        let name = tag.text_of("name");
        out += &section(&anchor(name), name, &prose(tag.text_of("description")));
        for (path, verb, operation) in operations(document, name) {
            out += &article(path, verb, operation);
        }
        out += "</section>\n";
    }
    out += &common(document);
    out += "</main>\n</body>\n</html>\n";
    out
}

const HEAD: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API · heapbeat</title>
<meta name="description" content="Every path of the API: parameters, answers and errors">
<link rel="icon" href="/icons/up.svg" type="image/svg+xml">
<link rel="stylesheet" href="/api.css">
<link rel="service-desc" type="application/json" href="/api/v1/openapi.json">
</head>
<body>
<a class="skip" href="#main">Skip to the paths</a>
<header>
<p><a href="/">Status page</a></p>
<h1>API</h1>
"##;

const BEHIND: &str = "<p>All of this as an OpenAPI 3.1 document, for programs that make clients, tests or other pages of it: \
<a href=\"/api/v1/openapi.json\"><code>/api/v1/openapi.json</code></a>.</p>\n</header>\n";

fn section(id: &str, name: &str, about: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{about}", escaped(name))
}

/// The operations of a heading: path, method and what is said of it.
fn operations<'n>(document: &'n Node, tag: &str) -> Vec<(&'n str, &'n str, &'n Node)> {
    let mut all = Vec::new();
    for (path, methods) in document.get("paths").map_or(&[][..], Node::fields) {
        for (verb, operation) in methods.fields() {
            if operation.get("tags").is_some_and(|tags| tags.items().iter().any(|it| it.text() == tag)) {
                all.push((path.as_str(), verb.as_str(), operation));
            }
        }
    }
    all
}

/// `GET /api/v1/monitors/{id}/uptime`, which may be broken after its slashes.
fn signature(path: &str, verb: &str) -> String {
    let path = escaped(path).replace('/', "/<wbr>");
    format!("<b>{}</b> {}", verb.to_uppercase(), path.strip_suffix("<wbr>").unwrap_or(&path))
}

fn article(path: &str, verb: &str, operation: &Node) -> String {
    let id = operation.text_of("operationId");
    let mut out = format!(
        "<article aria-labelledby=\"{id}\">\n<h3 id=\"{id}\"><code>{}</code></h3>\n",
        signature(path, verb)
    );
    let _ = writeln!(out, "<p><strong>{}.</strong></p>", prose_line(operation.text_of("summary")));
    out += &prose(operation.text_of("description"));
    if let Some(tokens) = operation.get("security") {
        let names: Vec<_> = tokens
            .items()
            .iter()
            .flat_map(Node::fields)
            .map(|(name, _)| format!("<a href=\"#token-{name}\">{name}</a>"))
            .collect();
        let _ = writeln!(out, "<p>Wants a token: {}.</p>", names.join(" or "));
    }
    let own = |it: &&Node| it.get("$ref").is_none();
    let parameters: Vec<_> =
        operation.get("parameters").map_or(&[][..], Node::items).iter().filter(own).collect();
    if !parameters.is_empty() {
        out += "<h4>Parameters</h4>\n<dl>\n";
        for it in parameters {
            let (name, place) = (it.text_of("name"), it.text_of("in"));
            let shape = it.get("schema").map_or(String::new(), shape);
            let example =
                it.get("example").map_or(String::new(), |it| format!(", such as <code>{}</code>", shown(it)));
            let _ = write!(
                out,
                "<dt><code>{name}</code> <span class=\"quiet\">in the {place}: {shape}{example}</span></dt>\n<dd>{}</dd>\n",
                prose_line(it.text_of("description"))
            );
        }
        out += "</dl>\n";
    }
    if let Some(body) = operation.get("requestBody") {
        let _ = write!(out, "<h4>Body</h4>\n<p>{}</p>\n", prose_line(body.text_of("description")));
        out += &contents(body, "An example of the body");
    }
    out += "<h4>Answers</h4>\n";
    let mut errors = Vec::new();
    for (status, answer) in operation.get("responses").map_or(&[][..], Node::fields) {
        if answer.get("$ref").is_some() {
            errors.push(format!("<a href=\"#error-{status}\">{status}</a>"));
        } else {
            let _ = write!(
                out,
                "<p><b>{status}</b> {}</p>\n{}",
                prose_line(answer.text_of("description")),
                contents(answer, "An example of the answer")
            );
        }
    }
    out + &format!("<p>Or one of these: {}.</p>\n</article>\n", errors.join(", "))
}

/// The kinds of a body, each with what it can be and an example.
fn contents(of: &Node, named: &str) -> String {
    let mut out = String::new();
    for (kind, content) in of.get("content").map_or(&[][..], Node::fields) {
        let schema = content.get("schema").map_or(String::new(), shape);
        let _ = writeln!(out, "<p class=\"quiet\"><code>{}</code>, {schema}</p>", escaped(kind));
        if let Some(example) = content.get("example") {
            let text = match example {
                Node::Text(text) => text.trim_end().to_owned(),
                other => other.pretty(WIDTH),
            };
            let _ = writeln!(
                out,
                "<pre aria-label=\"{named}\" role=\"group\"><code>{}</code></pre>",
                escaped(&text)
            );
        }
    }
    out
}

/// Errors, headers, tokens and schemas.
fn common(document: &Node) -> String {
    let Some(components) = document.get("components") else { return String::new() };
    let of = |name: &str| components.get(name).map_or(&[][..], Node::fields);
    let mut out = section(
        "errors",
        "Errors",
        "<p>All but 304 have a <a href=\"#schema-Problem\">Problem</a> as <code>application/problem+json</code>.</p>\n",
    );
    out += "<dl>\n";
    for (status, name, about, _) in super::operation::ERRORS {
        let status = status.to_string();
        let _ = write!(
            out,
            "<dt id=\"error-{status}\"><b>{status}</b> <span class=\"quiet\">{name}</span></dt>\n<dd>{}</dd>\n",
            prose_line(about)
        );
    }
    out += "</dl>\n</section>\n";
    out += &section("headers", "Headers", "");
    out += "<dl>\n";
    for (name, header) in of("headers") {
        let name = match name.as_str() {
            "Cached" => "Cache-Control of what is public",
            "NotCached" => "Cache-Control of everything else",
            other => other,
        };
        let shape = header.get("schema").map_or(String::new(), shape);
        let _ = write!(
            out,
            "<dt>{name} <span class=\"quiet\">{shape}</span></dt>\n<dd>{}</dd>\n",
            prose_line(header.text_of("description"))
        );
    }
    out += "</dl>\n</section>\n";
    out += &section("tokens", "Tokens", "<p>As <code>Authorization: Bearer</code> and the token.</p>\n");
    out += "<dl>\n";
    for (name, token) in of("securitySchemes") {
        let _ = write!(
            out,
            "<dt id=\"token-{name}\">{name}</dt>\n<dd>{}</dd>\n",
            prose_line(token.text_of("description"))
        );
    }
    out += "</dl>\n</section>\n";
    out += &section("schemas", "What is in an answer", "");
    for (name, schema) in of("schemas") {
        let _ = write!(
            out,
            "<article aria-labelledby=\"schema-{name}\">\n<h3 id=\"schema-{name}\">{name}</h3>\n"
        );
        out += &prose(schema.text_of("description"));
        let options = schema.get("oneOf").map_or(&[][..], Node::items);
        if options.is_empty() {
            out += &fields(schema);
        }
        for option in options {
            let _ = write!(out, "<h4>{}</h4>\n{}", prose_line(option.text_of("description")), fields(option));
        }
        out += "</article>\n";
    }
    out + "</section>\n"
}

/// The fields of a record, or what else it is.
fn fields(schema: &Node) -> String {
    let Some(properties) = schema.get("properties") else { return format!("<p>{}</p>\n", shape(schema)) };
    let required = schema.get("required").map_or(&[][..], Node::items);
    let mut out = String::from("<dl>\n");
    for (name, field) in properties.fields() {
        let optional = if required.iter().any(|it| it.text() == name) { "" } else { ", may be left out" };
        let _ = writeln!(
            out,
            "<dt><code>{name}</code> <span class=\"quiet\">{}{optional}</span></dt>",
            shape(field)
        );
        let about = prose_line(field.text_of("description"));
        let inside =
            [Some(field), field.get("items")].into_iter().flatten().find(|it| it.get("properties").is_some());
        let inside = inside.map_or(String::new(), |it| format!("\n{}", fields(it)));
        let _ = writeln!(out, "<dd>{about}{inside}</dd>");
    }
    out + "</dl>\n"
}

fn anchor(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect()
}
