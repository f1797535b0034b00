use std::time::Duration;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{NONCE_BYTES, SignedParts};

use super::*;
use crate::config::HostNames;

const NOW: Now = Now { wall: UnixMillis(1_767_225_600_500), age: Duration::from_secs(100) };

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn ours() -> Secret {
    secret("a secret of the owner's")
}

fn verifier(secrets: Secrets) -> RequestVerifier {
    let hosts = KnownHosts::new(&HostNames::Auto, 8080, |_| None);
    RequestVerifier::new(secrets, hosts, &RecorderLocation::Memory)
}

fn guarded() -> RequestVerifier {
    verifier(Secrets { current: Some(ours()), previous: Some(secret("the secret before this one")) })
}

fn nonce(number: u16) -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    Nonce(bytes)
}

fn origin() -> RequestOrigin {
    "http://localhost:8080".parse().unwrap()
}

fn get<'r>(origin: &'r RequestOrigin, target: &'r str) -> SignedParts<'r> {
    SignedParts { method: "GET", origin, target }
}

fn signed(with: &Secret, target: &str, number: u16) -> HeaderMap {
    let signature = with.sign_request(get(&origin(), target), NOW.wall, nonce(number)).to_string();
    HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_str(&signature).unwrap())])
}

fn admit(verifier: &RequestVerifier, target: &str, headers: &HeaderMap) -> Admission {
    verifier.admit(RequestHead { method: &Method::GET, uri: &target.parse().unwrap(), headers }, NOW)
}

#[test]
fn each_secret_signs_its_own_response() {
    let verifier = guarded();
    for (number, (index, with)) in (0..).zip([(0, ours()), (1, secret("the secret before this one"))]) {
        let admission = admit(&verifier, "/health", &signed(&with, "/health", number));
        assert_eq!(admission, Admission::Owner { secret: index, nonce: nonce(number), after: None });
    }
    let stranger = admit(&verifier, "/health", &signed(&secret("somebody else's secret"), "/health", 9));
    assert_eq!(stranger, Admission::Refused(SignatureError::Mismatch.into()));
}

#[test]
fn a_request_for_another_server_is_refused() {
    let other: RequestOrigin = "https://evil.example".parse().unwrap();
    let signature = ours().sign_request(get(&other, "/health"), NOW.wall, nonce(1)).to_string();
    let mut headers =
        HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_str(&signature).unwrap())]);
    headers.insert(HOST, HeaderValue::from_static("evil.example"));
    let refused = admit(&guarded(), "/health", &headers);
    assert_eq!(refused, Admission::Refused(SignatureError::UnknownHost(other).into()));
    let Admission::Refused(refusal) = refused else { panic!("it is refused") };
    assert_eq!(guarded().refuse(&refusal, NOW).status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn a_request_that_another_worker_answered_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let location = RecorderLocation::Directory(directory.path().join("server"));
    let worker = || {
        let hosts = KnownHosts::new(&HostNames::Auto, 8080, |_| None);
        RequestVerifier::new(Secrets { current: Some(ours()), previous: None }, hosts, &location)
    };
    let (first, headers) = (worker(), signed(&ours(), "/health", 1));
    assert!(matches!(admit(&first, "/health", &headers), Admission::Owner { .. }));
    let replayed = Admission::Refused(SignatureError::from(NonceError::Replayed).into());
    for replacement in [worker(), worker()] {
        assert_eq!(admit(&replacement, "/health", &headers), replayed);
    }
    assert_eq!(admit(&first, "/health", &headers), replayed);
}

#[test]
fn the_cursor_is_part_of_what_is_signed() {
    let verifier = guarded();
    let target = "/health?x=1&after=00c0ffee00c0ffee-7";
    let after = "00c0ffee00c0ffee-7".parse().ok();
    let admission = admit(&verifier, target, &signed(&ours(), target, 1));
    assert_eq!(admission, Admission::Owner { secret: 0, nonce: nonce(1), after });
    let moved = admit(&verifier, "/health?after=00c0ffee00c0ffee-8", &signed(&ours(), target, 2));
    assert_eq!(moved, Admission::Refused(SignatureError::Mismatch.into()));
    let bad = admit(&verifier, "/health?after=yesterday", &signed(&ours(), "/health?after=yesterday", 3));
    assert_eq!(bad, Admission::Refused(CursorError::Cursor.into()));
}

#[test]
fn without_a_signature_or_a_secret_requests_are_public() {
    assert_eq!(admit(&guarded(), "/health", &HeaderMap::new()), Admission::Public);
    let open = verifier(Secrets::default());
    assert_eq!(admit(&open, "/health", &signed(&ours(), "/health", 1)), Admission::Public);
}

#[test]
fn anything_but_one_signature_is_refused() {
    let verifier = guarded();
    let mut twice = signed(&ours(), "/health", 1);
    twice.append(HEADER, HeaderValue::from_static("v1"));
    let cases = [
        ("two of them", twice),
        ("empty", HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_static(""))])),
        (
            "not text",
            HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_bytes(&[0xff]).unwrap())]),
        ),
    ];
    for (name, headers) in cases {
        let admission = admit(&verifier, "/health", &headers);
        assert_eq!(admission, Admission::Refused(SignatureError::Malformed.into()), "{name}");
    }
}

#[test]
fn too_many_reports_get_429_and_wrong_signatures_401() {
    let verifier = guarded();
    let most = u16::try_from(MAX_NONCES).unwrap();
    for number in 0..most {
        assert!(matches!(
            admit(&verifier, "/health", &signed(&ours(), "/health", number)),
            Admission::Owner { .. }
        ));
    }
    let Admission::Refused(full) = admit(&verifier, "/health", &signed(&ours(), "/health", most)) else {
        panic!("the nonces should be full")
    };
    let response = verifier.refuse(&full, NOW);
    assert_eq!(
        (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
        (429, &HeaderValue::from_static("60"))
    );
    let replayed = admit(&verifier, "/health", &signed(&ours(), "/health", 3));
    assert_eq!(replayed, Admission::Refused(SignatureError::from(NonceError::Replayed).into()));
}

#[test]
fn settings_about_signed_requests_have_no_effect_without_a_secret() {
    const SECRET: (&str, &str) = ("HEAPBEAT_SECRET", "0123456789abcdef0123");
    const PREVIOUS: (&str, &str) = ("HEAPBEAT_SECRET_PREVIOUS", "0123456789abcdef0123");
    let about_signed = [
        ("HEAPBEAT_HOSTS", "api.example.com"),
        ("HEAPBEAT_EDGE_TIMEOUT", "9s"),
        ("HEAPBEAT_ALERT_WEBHOOK", "https://example.com/hook"),
    ];
    let read = |set: &[(&str, &str)]| {
        let value =
            |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        Config::read(|_| None, value).unwrap()
    };
    for setting in about_signed {
        assert_eq!(useless_without_secret(&read(&[setting])), [setting.0]);
        for secret in [SECRET, PREVIOUS] {
            assert!(useless_without_secret(&read(&[setting, secret])).is_empty(), "{setting:?}");
        }
    }
    let others = [("HEAPBEAT_EDGE_TIMEOUT", "off"), ("HEAPBEAT_METRICS", "public")];
    assert!(useless_without_secret(&read(&others)).is_empty());
}
