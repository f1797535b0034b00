//! What stands behind the `?`. Pure.
//!
//! A parameter that is not known, that is given twice or that cannot be read is refused with what would be right: who
//! misspells `window` should not get another window's figures.

/// Longest query, in bytes.
const LONGEST: usize = 1000;

/// The parameters of a request, by name.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`. `known`: the parameters that this path has.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Query, String> {
        if text.len() > LONGEST {
            return Err(format!("the query has {} bytes, more than {LONGEST}", text.len()));
        }
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err("the query is no percent-encoded UTF-8".to_owned());
            };
            if !known.contains(&name.as_str()) {
                return Err(match known {
                    [] => "this path has no parameters".to_owned(),
                    _ => format!("there is no such parameter; those of this path are {}", known.join(", ")),
                });
            }
            if all.iter().any(|(other, _)| *other == name) {
                return Err(format!("{name} is given twice"));
            }
            all.push((name, value));
        }
        Ok(Query(all))
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-encoding undone, as forms have it; `None` where it is broken, or hides what is no text of one line.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, more @ ..] = more else { return None };
                rest = more;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            byte => *byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_read_and_what_is_refused() {
        let known = ["from", "label"];
        let get = |text, name| Query::parse(text, &known).map(|query| query.get(name).map(str::to_owned));
        assert_eq!(get("", "from"), Ok(None));
        assert_eq!(get("&from=2026-01-01T00%3A00Z&", "from"), Ok(Some("2026-01-01T00:00Z".into())));
        assert_eq!(get("label=a+b%20%C3%A9=%3C", "label"), Ok(Some("a b é=<".into())));
        assert_eq!(get("from", "from"), Ok(Some(String::new())));
        let wrong = [
            ("form=1", "no such parameter; those of this path are from, label"),
            ("from=1&from=2", "from is given twice"),
            ("from=%", "percent-encoded"),
            ("from=%zz", "percent-encoded"),
            ("from=%ff", "percent-encoded"),
            ("from=a%0d%0ab", "percent-encoded"),
            ("%66rom=1&from=1", "twice"),
        ];
        for (text, reason) in wrong {
            assert!(get(text, "from").unwrap_err().contains(reason), "{text}");
        }
        assert!(Query::parse(&"x".repeat(1001), &[]).unwrap_err().contains("1001 bytes"));
        assert_eq!(Query::parse("x=1", &[]).unwrap_err(), "this path has no parameters");
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_comes_back(text in "\\PC{0,80}") {
            let encoded = text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
            let query = Query::parse(&format!("label={encoded}"), &["label"]).unwrap();
            prop_assert_eq!(query.get("label"), Some(text.as_str()));
        }

        #[test]
        fn nothing_panics(text: String) {
            let _ = Query::parse(&text, &["a"]);
        }
    }
}
