//! The branding of the page, as the owner configures it in `[vars.PAGE]`.
//!
//! ```toml
//! [vars.PAGE]
//! title = "Example status"
//! logo = "/logo.svg"          # a file in edge/assets
//! style = "/custom.css"       # a file in edge/assets, for colors: --up, --down, --page, ...
//! links = [{ name = "Contact", url = "https://example.com/contact" }]
//! ```

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::monitor_config::ConfigProblem;
use heapbeat_shared::text::shorten;

/// The name of the variable, for error messages.
const PAGE: &str = "PAGE";

/// The most links.
const MAX_LINKS: usize = 10;

/// The longest title or path, in characters.
const MAX_LENGTH: usize = 200;

/// The most bytes of an invalid value in a problem.
const MAX_SHOWN: usize = 60;

/// The owner's title, logo, colors and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branding {
    pub(crate) title: String,
    /// The path of a picture.
    pub(crate) logo: Option<String>,
    /// The path of another style sheet.
    pub(crate) style: Option<String>,
    pub(crate) links: Vec<Link>,
}

/// A link at the foot of every page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Default for Branding {
    fn default() -> Self {
        Branding { title: "Status".to_owned(), logo: None, style: None, links: Vec::new() }
    }
}

impl Branding {
    /// Reads the variable. An invalid part is left out and reported as a problem.
    pub fn read(variable: Option<&str>) -> (Self, Vec<ConfigProblem>) {
        let mut branding = Branding::default();
        let Some(variable) = variable else { return (branding, Vec::new()) };
        let Ok(fields) = serde_json::from_str::<Map<String, Value>>(variable) else {
            return (branding, vec![problem("title", "should be a table: [vars.PAGE]")]);
        };
        let mut problems = Vec::new();
        for (name, value) in &fields {
            if let Err(reason) = branding.set(name, value) {
                problems.push(problem(name, &reason));
            }
        }
        (branding, problems)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let expected = |what: &str| format!("`{}` {what}", shorten(&value.to_string(), MAX_SHOWN));
        let text = || value.as_str().filter(|text| text.chars().count() <= MAX_LENGTH).map(str::to_owned);
        let path = || {
            let path = text().filter(|path| is_path(path));
            path.ok_or_else(|| expected("should be the path of a file in edge/assets, such as /logo.svg"))
        };
        match name {
            "title" => {
                let title = text().filter(|title| !title.trim().is_empty());
                self.title = title.ok_or_else(|| expected("should be a text of at most 200 characters"))?;
            }
            "logo" => self.logo = Some(path()?),
            "style" => self.style = Some(path()?),
            "links" => {
                let links = Vec::<Link>::deserialize(value).ok();
                let links =
                    links.filter(|links| links.len() <= MAX_LINKS && links.iter().all(Link::is_valid));
                self.links = links.ok_or_else(|| {
                    expected("should be at most ten of { name = \"…\", url = \"https://…\" }")
                })?;
            }
            _ => return Err("is unknown; the settings are title, logo, style and links".to_owned()),
        }
        Ok(())
    }
}

impl Link {
    fn is_valid(&self) -> bool {
        let url = self.url.as_str();
        let has_scheme = ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme));
        !self.name.is_empty() && (has_scheme || is_path(url))
    }
}

/// Returns whether this is a path on this site. An address that begins with `//` leads to another site.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', ':'])
}

fn problem(field: &str, reason: &str) -> ConfigProblem {
    ConfigProblem { position: format!("{PAGE}.{field}"), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_parts_are_used_and_invalid_ones_are_reported() {
        let (branding, problems) = Branding::read(Some(
            r#"{"title":"Shop","logo":"//evil","style":"/custom.css","colour":"red","links":[{"name":"x","url":"javascript:1"}]}"#,
        ));
        let expected =
            Branding { title: "Shop".into(), style: Some("/custom.css".into()), ..Branding::default() };
        assert_eq!(branding, expected);
        let named: Vec<_> = problems.iter().map(|problem| problem.position.as_str()).collect();
        assert_eq!(named, ["PAGE.colour", "PAGE.links", "PAGE.logo"]);
        assert!(problems[2].reason.starts_with("`\"//evil\"` should be the path"), "{}", problems[2].reason);
    }

    #[test]
    fn links_have_a_scheme_of_the_web_or_a_path() {
        let cases = [
            ("https://example.com", true),
            ("/about", true),
            ("mailto:a@example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("//evil.example", false),
            ("", false),
        ];
        for (url, valid) in cases {
            assert_eq!(Link { name: "x".into(), url: url.into() }.is_valid(), valid, "{url}");
        }
    }

    #[test]
    fn without_a_variable_the_branding_is_the_default() {
        assert_eq!(Branding::read(None), (Branding::default(), Vec::new()));
        assert_eq!(Branding::read(Some("[]")).0, Branding::default());
    }
}
