//! Whether a heapbeat server's answer is really its own, and fresh.
//!
//! A cache, a parked domain or somebody in between can answer 200 for a server that is long gone. A monitor with a
//! secret believes only what is signed over the nonce of its own question (`heapbeat_shared::signing`). The Worker's
//! default secret is tried on servers that may have none: they are believed without a signature until they have
//! signed once, and never again after that.

use heapbeat_shared::Cursor;
use heapbeat_shared::report::Report;
use heapbeat_shared::series::Series;
use heapbeat_shared::signing::{Nonce, Secret};

use crate::domain::Failure;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};

/// What a heapbeat monitor is asked with.
#[derive(Clone, Debug)]
pub struct Key {
    /// The secret that the server has as well.
    pub secret: Secret,
    /// The last sample that we hold.
    pub after: Option<Cursor>,
    /// Whether an answer without a signature is nobody's.
    pub strict: bool,
}

impl Key {
    /// `url` asking for what came after the cursor; for everything that the server's ring holds without one.
    pub fn address(&self, url: &str) -> String {
        let Some(after) = self.after else { return url.to_owned() };
        let sent = url.split('#').next().unwrap_or_default();
        let and = if sent.contains('?') { '&' } else { '?' };
        format!("{sent}{and}after={after}")
    }
}

/// A report that its server signed for us, and the samples in it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedReport {
    /// Everything but the samples.
    pub report: Report,
    /// The samples after the cursor.
    pub series: Series,
}

/// Believes an answer or says why not. `header` is its signature, `nonce` the question's. A report comes back as what
/// the public is told, and itself beside it.
pub fn open(
    mut answer: ProbeResponse,
    nonce: Nonce,
    header: Option<&str>,
    key: &Key,
) -> Result<ProbeResponse, Failure> {
    if answer.status == 401 {
        return Err(Failure::SecretRefused);
    }
    let Some(header) = header else {
        return match answer.status {
            _ if !key.strict => Ok(answer),
            200..=299 => Err(Failure::Unsigned),
            status => Err(Failure::Status(status)),
        };
    };
    let bytes = match &answer.body {
        ResponseBody::Whole(bytes) => bytes.as_slice(),
        ResponseBody::Unread => &[],
        ResponseBody::TooLarge => return Err(Failure::BodyTooLarge),
    };
    key.secret.verify_response(nonce, bytes, header).map_err(|_| Failure::Forged)?;
    let (report, series) = Report::parse(bytes).map_err(|_| Failure::NotReport)?;
    answer.body = ResponseBody::Whole(report.health().to_json());
    answer.report = Some(Box::new(VerifiedReport { report, series }));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::{InstanceId, UnixMillis};

    use super::*;
    use crate::domain::report::last_report::tests::report;

    const NONCE: Nonce = Nonce([7; 16]);

    fn key(strict: bool) -> Key {
        Key { secret: Secret::new("0123456789abcdef").unwrap(), after: None, strict }
    }

    fn answer(status: u16, body: Vec<u8>) -> ProbeResponse {
        ProbeResponse { status, latency: Duration::ZERO, body: ResponseBody::Whole(body), report: None }
    }

    #[test]
    fn only_the_signature_of_this_question_under_this_secret_is_believed() {
        let body = report(1, UnixMillis(5000), 0, 3).to_json();
        let good = key(true).secret.sign_response(NONCE, &body);
        let stale = key(true).secret.sign_response(Nonce([8; 16]), &body);
        let other = Secret::new("another secret, as long").unwrap().sign_response(NONCE, &body);
        let page = b"<html>".to_vec();
        let signed_page = key(true).secret.sign_response(NONCE, &page);
        let (ok, none) = (None, None::<&str>);
        let cases = [
            ("signed", 200, &body, Some(good.as_str()), true, ok),
            ("of another question: a cache", 200, &body, Some(&stale), true, Some(Failure::Forged)),
            ("with another secret", 200, &body, Some(&other), true, Some(Failure::Forged)),
            ("no header", 200, &body, none, true, Some(Failure::Unsigned)),
            ("nonsense for a header", 200, &body, Some("v1"), true, Some(Failure::Forged)),
            ("a proxy's error page", 502, &page, none, true, Some(Failure::Status(502))),
            ("refused", 401, &page, none, true, Some(Failure::SecretRefused)),
            ("signed, and no report", 200, &page, Some(&signed_page), true, Some(Failure::NotReport)),
            ("no header, and none is needed", 200, &body, none, false, ok),
            ("a wrong header is wrong even then", 200, &body, Some(&stale), false, Some(Failure::Forged)),
        ];
        for (name, status, body, header, strict, failure) in cases {
            let opened = open(answer(status, body.clone()), NONCE, header, &key(strict));
            assert_eq!(opened.as_ref().err(), failure.as_ref(), "{name}");
        }
        let opened = open(answer(200, body.clone()), NONCE, Some(&good), &key(true)).unwrap();
        let signed = opened.report.unwrap();
        assert_eq!(signed.series.samples.len(), 3);
        assert_eq!(opened.body, ResponseBody::Whole(signed.report.health().to_json()));
    }

    #[test]
    fn the_cursor_becomes_part_of_the_address() {
        let after = Some(Cursor { instance: InstanceId(10), sequence: 5 });
        let key = |after| Key { after, ..key(true) };
        let cases = [
            ("https://a.example/health", after, "https://a.example/health?after=000000000000000a-5"),
            ("https://a.example/health?x=1", after, "https://a.example/health?x=1&after=000000000000000a-5"),
            ("https://a.example/health#f", after, "https://a.example/health?after=000000000000000a-5"),
            ("https://a.example/health", None, "https://a.example/health"),
        ];
        for (url, after, address) in cases {
            assert_eq!(key(after).address(url), address);
        }
    }
}
