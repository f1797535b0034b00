use base64ct::{Base64, Encoding as _};
use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis(1_767_225_600_500);
const TARGET: &str = "/health?after=00c0ffee00c0ffee-3599";

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn ours() -> Secret {
    secret("a secret of the owner's")
}

fn nonce(byte: u8) -> Nonce {
    Nonce([byte; NONCE_BYTES])
}

fn origin() -> RequestOrigin {
    "https://api.example.com".parse().unwrap()
}

fn get<'r>(origin: &'r RequestOrigin, target: &'r str) -> SignedParts<'r> {
    SignedParts { method: "GET", origin, target }
}

fn signed() -> String {
    ours().sign_request(get(&origin(), TARGET), NOW, nonce(7)).to_string()
}

/// Checks with our secret and an empty book.
fn verify(
    method: &str,
    target: &str,
    header: Option<&str>,
    now: UnixMillis,
) -> Result<usize, SignatureError> {
    verify_request(&[ours()], &mut NonceCache::new(8), (method, target), header, |it| *it == origin(), now)
        .map(|(index, _)| index)
}

/// Computed outside of this program, so that a change of format cannot go unseen:
/// `printf 'heapbeat request v2\nGET\nhttps://api.example.com\n/health\n1767225600\n07…07' | openssl dgst -sha256 -hmac "a secret of the owner's"`.
#[test]
fn the_signature_is_the_one_that_openssl_makes() {
    let header = ours().sign_request(get(&origin(), "/health"), NOW, nonce(7)).to_string();
    assert_eq!(
        header,
        "v2 t=1767225600 n=07070707070707070707070707070707 o=https://api.example.com \
         s=8cef9b4d62af307cc81124714c162df9dcc238429b375a77ccabeac3058e3e3d"
    );
    let answer = ours().sign_response(nonce(7), b"{}");
    assert_eq!(answer, "v2 s=c2a396e1e661abe4cd3db4c2f0c866cd0d9a02bbf21a8ccd3d0ea6c41b444faf");
}

#[test]
fn a_valid_signature_is_accepted() {
    assert_eq!(verify("GET", TARGET, Some(&signed()), NOW), Ok(0));
}

/// Name, method, target, header, the server's clock, the refusal.
type Case<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, UnixMillis, SignatureError);

#[test]
fn an_invalid_signature_is_refused_with_the_reason() {
    let other =
        secret("somebody else's secret").sign_request(get(&origin(), TARGET), NOW, nonce(7)).to_string();
    let good = signed();
    let cut = &good[..good.len() - 1];
    let upper = good.to_uppercase();
    let later = NOW.plus(Duration::from_secs(61));
    let earlier = NOW.minus(Duration::from_secs(61));
    let cases: [Case; 10] = [
        ("none", "GET", TARGET, None, NOW, SignatureError::Missing),
        ("empty", "GET", TARGET, Some(""), NOW, SignatureError::Malformed),
        ("truncated", "GET", TARGET, Some(cut), NOW, SignatureError::Malformed),
        ("upper case", "GET", TARGET, Some(&upper), NOW, SignatureError::Malformed),
        ("other secret", "GET", TARGET, Some(&other), NOW, SignatureError::Mismatch),
        ("other method", "HEAD", TARGET, Some(&good), NOW, SignatureError::Mismatch),
        ("other path", "GET", "/debug/heap", Some(&good), NOW, SignatureError::Mismatch),
        ("other query", "GET", "/health", Some(&good), NOW, SignatureError::Mismatch),
        ("old", "GET", TARGET, Some(&good), later, SignatureError::ClockSkew(61)),
        ("from the future", "GET", TARGET, Some(&good), earlier, SignatureError::ClockSkew(-61)),
    ];
    for (name, method, target, header, now, error) in cases {
        assert_eq!(verify(method, target, header, now), Err(error), "{name}");
    }
}

/// A watched host has the edge sign a request, and relays it to another server that has the same secret.
#[test]
fn a_request_that_was_signed_for_another_server_is_refused() {
    for relayed in [
        "https://evil.example",
        "http://api.example.com",
        "https://api.example.com:8443",
        "https://api.example.com.evil.example",
    ] {
        let other: RequestOrigin = relayed.parse().unwrap();
        let header = ours().sign_request(get(&other, TARGET), NOW, nonce(7)).to_string();
        assert_eq!(verify("GET", TARGET, Some(&header), NOW), Err(SignatureError::UnknownHost(other)));
        let renamed = header.replace(relayed, "https://api.example.com");
        assert_eq!(verify("GET", TARGET, Some(&renamed), NOW), Err(SignatureError::Mismatch), "{relayed}");
    }
    let mut nonces = NonceCache::new(8);
    let refused =
        verify_request(&[ours()], &mut nonces, ("GET", TARGET), Some(&signed()), |_| false, NOW).unwrap_err();
    assert_eq!(refused, SignatureError::UnknownHost(origin()));
    assert!(nonces.is_empty(), "it costs no nonce");
    let unusual = signed().replace("https://api.example.com", "HTTPS://api.example.com:443");
    assert_eq!(
        verify("GET", TARGET, Some(&unusual), NOW),
        Err(SignatureError::Malformed),
        "one text for each"
    );
}

#[test]
fn sixty_seconds_to_either_side_are_allowed() {
    for skew in [Duration::from_secs(60), Duration::from_secs(59)] {
        assert_eq!(verify("GET", TARGET, Some(&signed()), NOW.plus(skew)), Ok(0));
        assert_eq!(verify("GET", TARGET, Some(&signed()), NOW.minus(skew)), Ok(0));
    }
}

#[test]
fn a_nonce_is_good_once_for_as_long_as_its_request_is() {
    let mut nonces = NonceCache::new(8);
    let header = signed();
    let mut send = |seconds| {
        let now = NOW.plus(Duration::from_secs(seconds));
        verify_request(&[ours()], &mut nonces, ("GET", TARGET), Some(&header), |_| true, now).map(|_| ())
    };
    assert_eq!(send(0), Ok(()));
    for seconds in [0, 1, 30, 60] {
        assert_eq!(send(seconds), Err(NonceError::Replayed.into()), "after {seconds} s");
    }
    assert_eq!(send(61), Err(SignatureError::ClockSkew(61)));
}

#[test]
fn a_full_nonce_book_refuses_new_nonces() {
    let mut nonces = NonceCache::new(2);
    assert_eq!(nonces.spend(nonce(1), NOW, NOW), Ok(()));
    assert_eq!(nonces.spend(nonce(2), NOW, NOW), Ok(()));
    assert_eq!(nonces.spend(nonce(3), NOW, NOW), Err(NonceError::Full));
    assert_eq!(nonces.spend(nonce(1), NOW, NOW), Err(NonceError::Replayed));
    let later = NOW.plus(Duration::from_secs(62));
    assert_eq!(nonces.spend(nonce(3), later, later), Ok(()));
    assert_eq!(nonces.len(), 1);
}

#[test]
fn strangers_cannot_fill_the_book() {
    let mut nonces = NonceCache::new(8);
    for byte in 0..100 {
        let header = secret("somebody else's secret")
            .sign_request(get(&origin(), TARGET), NOW, nonce(byte))
            .to_string();
        let answer = verify_request(&[ours()], &mut nonces, ("GET", TARGET), Some(&header), |_| true, NOW);
        assert_eq!(answer.unwrap_err(), SignatureError::Mismatch);
    }
    assert!(nonces.is_empty());
}

#[test]
fn two_secrets_are_in_force_while_one_is_rotated() {
    let secrets = [secret("the secret of tomorrow"), ours()];
    let mut nonces = NonceCache::new(8);
    let (index, nonce) =
        verify_request(&secrets, &mut nonces, ("GET", TARGET), Some(&signed()), |_| true, NOW).unwrap();
    assert_eq!(index, 1);
    let answer = secrets[index].sign_response(nonce, b"body");
    assert_eq!(ours().verify_response(nonce, b"body", &answer), Ok(()));
}

#[test]
fn a_response_signature_holds_for_its_request_and_body_only() {
    let header = ours().sign_response(nonce(7), b"body");
    let verify =
        |secret: &Secret, n, body: &[u8], header: &str| secret.verify_response(nonce(n), body, header);
    assert_eq!(verify(&ours(), 7, b"body", &header), Ok(()));
    assert_eq!(verify(&ours(), 8, b"body", &header), Err(SignatureError::Mismatch));
    assert_eq!(verify(&ours(), 7, b"bodY", &header), Err(SignatureError::Mismatch));
    assert_eq!(verify(&secret("somebody else's secret"), 7, b"body", &header), Err(SignatureError::Mismatch));
    assert_eq!(verify(&ours(), 7, b"body", "v2 s="), Err(SignatureError::Malformed));
}

#[test]
fn a_secret_has_a_minimum_length_and_is_not_printed() {
    assert_eq!(Secret::new("  short          ").unwrap_err(), WeakSecret);
    assert_eq!(format!("{:?}", ours()), "Secret(…)");
    assert!(!format!("{:?}", ours().sign_request(get(&origin(), "/"), NOW, nonce(1))).contains("s="));
}

proptest! {
    #[test]
    fn no_arbitrary_header_is_accepted_or_panics(header in ".{0,300}") {
        prop_assert!(verify("GET", TARGET, Some(&header), NOW).is_err());
    }

    #[test]
    fn one_changed_character_is_refused(index in 0usize..160, byte in b' '..b'~') {
        let mut header = signed().into_bytes();
        let index = index % header.len();
        prop_assume!(header[index] != byte);
        header[index] = byte;
        let header = String::from_utf8(header).unwrap();
        prop_assert!(verify("GET", TARGET, Some(&header), NOW).is_err());
    }
}

/// The example of the specification of Standard Webhooks.
#[test]
fn a_webhook_is_signed_as_in_the_standard_scheme() {
    let key = Base64::decode_vec("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mac = webhook_mac(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(Base64::encode_string(&mac), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
