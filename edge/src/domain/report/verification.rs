//! Verifies that a response comes from the heapbeat server itself, and answers this request.
//!
//! A cache, a parked domain or a proxy can respond 200 for a server that is long gone. A monitor with a secret accepts only
//! responses that are signed over the nonce of its own request (`heapbeat_shared::signing`). The Worker's default secret is tried on
//! servers that may have none: their unsigned responses are accepted until they have signed once.

use heapbeat_shared::Cursor;
use heapbeat_shared::report::Report;
use heapbeat_shared::series::Series;
use heapbeat_shared::signing::{Nonce, Secret};

use crate::domain::Failure;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};

/// The key with which requests to a heapbeat monitor are signed.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The secret that the edge shares with the server.
    pub secret: Secret,
    /// The last sample that the edge has.
    pub after: Option<Cursor>,
    /// Whether unsigned responses are rejected.
    pub required: bool,
}

impl SigningKey {
    /// Adds the cursor to `url`, so that the server sends only newer samples. Without a cursor it sends all that it has.
    pub fn add_cursor(&self, url: &str) -> String {
        let Some(after) = self.after else { return url.to_owned() };
        let sent = url.split('#').next().unwrap_or_default();
        let and = if sent.contains('?') { '&' } else { '?' };
        format!("{sent}{and}after={after}")
    }
}

/// A report whose signature was verified, and the samples in it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedReport {
    /// Everything but the samples.
    pub report: Report,
    /// The samples after the cursor.
    pub series: Series,
}

/// Verifies a response. `header` is its signature, and `nonce` that of the request. The body of a verified report is replaced by
/// its public part, and the report is added.
pub fn verify_response(
    mut response: ProbeResponse,
    nonce: Nonce,
    header: Option<&str>,
    key: &SigningKey,
) -> Result<ProbeResponse, Failure> {
    if response.status == 401 {
        return Err(Failure::SignatureRejected);
    }
    let Some(header) = header else {
        return match response.status {
            _ if !key.required => Ok(response),
            200..=299 => Err(Failure::Unsigned),
            status => Err(Failure::Status(status)),
        };
    };
    let bytes = match &response.body {
        ResponseBody::Whole(bytes) => bytes.as_slice(),
        ResponseBody::Unread => &[],
        ResponseBody::Unusable(failure) => return Err(*failure),
    };
    key.secret.verify_response(nonce, bytes, header).map_err(|_| Failure::InvalidSignature)?;
    let (report, series) = Report::parse(bytes).map_err(|_| Failure::NotReport)?;
    response.body = ResponseBody::Whole(report.health().to_json());
    response.report = Some(Box::new(VerifiedReport { report, series }));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::{InstanceId, UnixMillis};

    use super::*;
    use crate::domain::report::last_report::tests::report;

    const NONCE: Nonce = Nonce([7; 16]);

    fn key(required: bool) -> SigningKey {
        SigningKey { secret: Secret::new("0123456789abcdef").unwrap(), after: None, required }
    }

    fn response(status: u16, body: Vec<u8>) -> ProbeResponse {
        ProbeResponse::new(status, Duration::ZERO, ResponseBody::Whole(body))
    }

    #[test]
    fn only_a_signature_over_this_request_with_this_secret_is_accepted() {
        let body = report(1, UnixMillis(5000), 0, 3).to_json();
        let good = key(true).secret.sign_response(NONCE, &body);
        let stale = key(true).secret.sign_response(Nonce([8; 16]), &body);
        let other = Secret::new("another secret, as long").unwrap().sign_response(NONCE, &body);
        let page = b"<html>".to_vec();
        let signed_page = key(true).secret.sign_response(NONCE, &page);
        let (ok, none) = (None, None::<&str>);
        let cases = [
            ("signed", 200, &body, Some(good.as_str()), true, ok),
            ("of another request: a cache", 200, &body, Some(&stale), true, Some(Failure::InvalidSignature)),
            ("with another secret", 200, &body, Some(&other), true, Some(Failure::InvalidSignature)),
            ("no header", 200, &body, none, true, Some(Failure::Unsigned)),
            ("nonsense for a header", 200, &body, Some("v1"), true, Some(Failure::InvalidSignature)),
            ("a proxy's error page", 502, &page, none, true, Some(Failure::Status(502))),
            ("refused", 401, &page, none, true, Some(Failure::SignatureRejected)),
            ("signed, and no report", 200, &page, Some(&signed_page), true, Some(Failure::NotReport)),
            ("no header, and none is needed", 200, &body, none, false, ok),
            (
                "a wrong header is wrong even then",
                200,
                &body,
                Some(&stale),
                false,
                Some(Failure::InvalidSignature),
            ),
        ];
        for (name, status, body, header, required, failure) in cases {
            let opened = verify_response(response(status, body.clone()), NONCE, header, &key(required));
            assert_eq!(opened.as_ref().err(), failure.as_ref(), "{name}");
        }
        let opened = verify_response(response(200, body.clone()), NONCE, Some(&good), &key(true)).unwrap();
        let signed = opened.report.unwrap();
        assert_eq!(signed.series.samples.len(), 3);
        assert_eq!(opened.body, ResponseBody::Whole(signed.report.health().to_json()));
    }

    #[test]
    fn the_cursor_becomes_part_of_the_url() {
        let after = Some(Cursor { instance: InstanceId(10), sequence: 5 });
        let key = |after| SigningKey { after, ..key(true) };
        let cases = [
            ("https://a.example/health", after, "https://a.example/health?after=000000000000000a-5"),
            ("https://a.example/health?x=1", after, "https://a.example/health?x=1&after=000000000000000a-5"),
            ("https://a.example/health#f", after, "https://a.example/health?after=000000000000000a-5"),
            ("https://a.example/health", None, "https://a.example/health"),
        ];
        for (url, after, address) in cases {
            assert_eq!(key(after).add_cursor(url), address);
        }
    }
}
