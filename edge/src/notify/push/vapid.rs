//! Who sends: what RFC 8292 wants to know.

use super::is_key;

/// The public key, which the page hands to browsers; the private one; whom a push service can turn to.
pub(crate) const VARIABLES: [&str; 3] = ["VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT"];

/// The keys, in Base64 for URLs, and the sender's address. Never printed.
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

impl Vapid {
    /// Takes the three variables, in the order of [`VARIABLES`]. An error names the one that is wrong, and says what it should be.
    pub(crate) fn read(variables: [String; 3]) -> Result<Self, (&'static str, &'static str)> {
        let [public, private, subject] = variables.map(|text| text.trim().trim_end_matches('=').to_owned());
        if !is_key(&public, 65) || !public.starts_with('B') {
            return Err((
                VARIABLES[0],
                "should be 65 bytes in Base64 for URLs, as `make push-keys` prints them",
            ));
        }
        if !is_key(&private, 32) {
            return Err((
                VARIABLES[1],
                "should be 32 bytes in Base64 for URLs, as `make push-keys` prints them",
            ));
        }
        if !subject.starts_with("mailto:") && !subject.starts_with("https://") {
            return Err((
                VARIABLES[2],
                "should be where you can be reached: mailto:you@example.com, or https://…",
            ));
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
    fn what_is_wrong_is_named() {
        let wrong = |all: [&str; 3]| Vapid::read(all.map(str::to_owned)).err().map(|(name, _)| name);
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
    fn nothing_of_it_is_printed() {
        let vapid = Vapid::read([PUBLIC, PRIVATE, SUBJECT].map(str::to_owned)).unwrap();
        assert_eq!(format!("{vapid:?}"), "Vapid(…)");
    }
}
