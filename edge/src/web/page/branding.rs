//! What the owner says of the page: `[vars.PAGE]`.
//!
//! ```toml
//! [vars.PAGE]
//! title = "Example status"
//! logo = "/logo.svg"          # a file in edge/assets
//! style = "/custom.css"       # a file in edge/assets, for colours: --up, --down, --page, ...
//! links = [{ name = "Contact", url = "https://example.com/contact" }]
//! ```

use serde_json::{Map, Value};

use crate::config::Problem;

/// Where it stands.
const PAGE: &str = "PAGE";

/// Most links.
const MOST_LINKS: usize = 10;

/// Longest text, in characters.
const LONGEST: usize = 200;

/// The page's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Site(pub(super) Value);

impl Default for Site {
    fn default() -> Self {
        let mut site = Site(Value::Object(Map::new()));
        site.set("title", &"Status".into());
        site
    }
}

impl Site {
    /// Reads the variable, and says what of it cannot be used.
    pub fn read(text: Option<&str>) -> (Self, Vec<Problem>) {
        let Some(text) = text else { return (Site::default(), Vec::new()) };
        let mut problems = Vec::new();
        let mut refuse = |field: &str, reason: &str| {
            problems.push(Problem { position: format!("{PAGE}.{field}"), reason: reason.to_owned() });
        };
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(fields) = value.as_object() else {
            refuse("title", "should be a table: [vars.PAGE]");
            return (Site::default(), problems);
        };
        let mut site = Site::default();
        for (name, value) in fields {
            let text = value.as_str().filter(|text| text.chars().count() <= LONGEST);
            match name.as_str() {
                "title" if text.is_some_and(|text| !text.trim().is_empty()) => site.set(name, value),
                "logo" | "style" if text.is_some_and(is_path) => site.set(name, value),
                "links"
                    if value
                        .as_array()
                        .is_some_and(|links| links.len() <= MOST_LINKS && links.iter().all(is_link)) =>
                {
                    site.set(name, value);
                }
                "title" => refuse(name, "should be a text of at most 200 characters"),
                "logo" | "style" => {
                    refuse(name, "should be the path of a file in edge/assets, such as /logo.svg");
                }
                "links" => refuse(name, "should be at most ten of { name = \"…\", url = \"https://…\" }"),
                _ => refuse(name, "is unknown; there are title, logo, style and links"),
            }
        }
        (site, problems)
    }

    fn set(&mut self, name: &str, value: &Value) {
        if let Some(fields) = self.0.as_object_mut() {
            fields.insert(name.to_owned(), value.clone());
        }
    }
}

/// A path on this site, and no address of another: `//` begins one.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', ':'])
}

fn is_link(link: &Value) -> bool {
    let part = |name: &str| link.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let web = |url: &str| {
        url.starts_with("https://")
            || url.starts_with("http://")
            || is_path(url)
            || url.starts_with("mailto:")
    };
    part("name").is_some() && part("url").is_some_and(web)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_right_is_taken_and_the_rest_named() {
        let (site, problems) = Site::read(Some(
            r#"{"title":"Shop","logo":"//evil","style":"/custom.css","colour":"red","links":[{"name":"x","url":"javascript:1"}]}"#,
        ));
        assert_eq!(site.0, json!({"title": "Shop", "style": "/custom.css"}));
        let named: Vec<_> = problems.iter().map(|problem| problem.position.as_str()).collect();
        assert_eq!(named, ["PAGE.colour", "PAGE.links", "PAGE.logo"]);
    }

    #[test]
    fn links_lead_to_the_web() {
        let cases = [
            ("https://example.com", true),
            ("/about", true),
            ("mailto:a@example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("//evil.example", false),
            ("", false),
        ];
        for (url, good) in cases {
            assert_eq!(is_link(&json!({"name": "x", "url": url})), good, "{url}");
        }
    }

    #[test]
    fn nothing_said_is_a_plain_page() {
        assert_eq!(Site::read(None), (Site::default(), Vec::new()));
        assert_eq!(Site::read(Some("[]")).0, Site::default());
    }
}
