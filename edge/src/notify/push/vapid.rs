//! The sender's identification by VAPID (RFC 8292).

use super::is_key;

/// The variables: the public key, which the page gives to browsers, the private key, and the contact for push services.
pub(crate) const VARIABLES: [&str; 3] = ["VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT"];

/// The keys in Base64 for URLs, and the sender's contact. It is never printed.
pub(crate) struct Vapid {
    pub(crate) public: String,
    pub(super) private: String,
    pub(super) subject: String,
}

impl std::fmt::Debug for Vapid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vapid(…)")
    }
}

/// A variable is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VapidError {
    /// The variable's name.
    pub(crate) variable: &'static str,
    /// What it should be.
    pub(crate) expected: &'static str,
}

impl Vapid {
    /// Reads the three variables, in the order of [`VARIABLES`].
    pub(crate) fn read(variables: [String; 3]) -> Result<Self, VapidError> {
        let error = |index: usize, expected| VapidError { variable: VARIABLES[index], expected };
        let [public, private, subject] = variables.map(|text| text.trim().trim_end_matches('=').to_owned());
        if !is_key(&public, 65) || !public.starts_with('B') {
            return Err(error(0, "should be 65 bytes in Base64 for URLs, as `make push-keys` prints them"));
        }
        if !is_key(&private, 32) {
            return Err(error(1, "should be 32 bytes in Base64 for URLs, as `make push-keys` prints them"));
        }
        if !subject.starts_with("mailto:") && !subject.starts_with("https://") {
            return Err(error(2, "should be a contact: mailto:you@example.com, or https://…"));
        }
        Ok(Vapid { public, private, subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str =
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const SUBJECT: &str = "mailto:ops@example.com";

    #[test]
    fn an_error_names_the_variable() {
        let wrong = |all: [&str; 3]| Vapid::read(all.map(str::to_owned)).err().map(|error| error.variable);
        assert_eq!(wrong([PUBLIC, PRIVATE, SUBJECT]), None);
        assert_eq!(wrong([&[PUBLIC, "=\n"].concat(), PRIVATE, "https://example.com"]), None);
        let compressed = ["A", &PUBLIC[1..]].concat();
        for public in ["", PRIVATE, &compressed, &PUBLIC.replace('_', "/")] {
            assert_eq!(wrong([public, PRIVATE, SUBJECT]), Some("VAPID_PUBLIC_KEY"), "{public}");
        }
        for private in ["", PUBLIC, "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(wrong([PUBLIC, private, SUBJECT]), Some("VAPID_PRIVATE_KEY"), "{private}");
        }
        assert_eq!(wrong([PUBLIC, PRIVATE, "ops@example.com"]), Some("VAPID_SUBJECT"));
    }

    #[test]
    fn keys_are_not_printed() {
        let vapid = Vapid::read([PUBLIC, PRIVATE, SUBJECT].map(str::to_owned)).unwrap();
        assert_eq!(format!("{vapid:?}"), "Vapid(…)");
    }
}
