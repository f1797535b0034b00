use proptest::prelude::*;

use super::*;

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Feeds the bytes in parts, and returns what is admitted and the refusal.
fn feed(parts: &[&[u8]]) -> (Vec<u8>, Option<(u64, RequestFault)>, bool) {
    let mut framing = RequestFraming::new(16 << 10);
    let mut admitted = Vec::new();
    for part in parts {
        let step = framing.admit(part);
        admitted.extend_from_slice(&part[..step.bytes]);
        if step.broken_body {
            return (admitted, framing.refusal, true);
        }
    }
    (admitted, framing.refusal, false)
}

#[test]
fn requests_are_counted_to_their_ends() {
    let sized = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /";
    let chunked = format!("{CHUNKED}a;x=y\r\n0\r\n\r\nGET /\r\n0\r\nX-T: 1\r\n\r\n");
    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let all = format!("{sized}{chunked}\r\n\r\n{upgrade}tunnel");
    let mut framing = RequestFraming::new(1 << 10);
    let admitted = framing.admit(all.as_bytes());
    assert_eq!((admitted.bytes, framing.heads), (all.len() - "tunnel".len(), 3));
    assert!(framing.is_withheld());
    framing.answer_upgrade(true);
    assert_eq!(framing.admit(b"\0any bytes").bytes, 10);
}

#[test]
fn a_refusal_names_the_request_and_admits_nothing_behind_it() {
    let good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let bad = "GET / HTTP/1.1\r\n\r\n";
    let (admitted, refusal, _) = feed(&[format!("{good}{bad}{good}").as_bytes(), good.as_bytes()]);
    assert_eq!(admitted.len(), good.len() + bad.len());
    assert_eq!(refusal, Some((2, RequestFault::NoHost)));
}

#[test]
fn what_is_left_to_hyper_is_refused_even_if_hyper_sees_nothing_wrong() {
    let good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX: {}\r\n\r\n", "x".repeat(17 << 10));
    let (first, last) = long.split_at(9000);
    for parts in [vec![long.as_bytes()], vec![first.as_bytes(), last.as_bytes()], vec![b"GET \0\r\n\r\n"]] {
        let (_, refusal, _) = feed(&[&[good.as_bytes()], &parts[..]].concat());
        assert!(matches!(refusal, Some((2, _))), "{refusal:?}");
    }
}

#[test]
fn a_malformed_body_refuses_its_request_only_if_the_head_is_not_passed_on_yet() {
    let at_once = format!("{CHUNKED}x");
    let (_, refusal, broken) = feed(&[at_once.as_bytes()]);
    assert_eq!((refusal, broken), (Some((1, RequestFault::Chunk)), false));
    let (_, _, broken) = feed(&[CHUNKED.as_bytes(), b"1\r\na\r\n", b"x"]);
    assert!(broken);
}

#[test]
fn only_other_protocols_are_tunnelled() {
    let cases = [
        ("Connection: upgrade\r\nUpgrade: websocket\r\n", true),
        ("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket, other\r\n", true),
        ("Upgrade: websocket\r\n", false),
        ("Connection: upgrade\r\n", false),
        ("Connection: upgrade\r\nUpgrade: h2c\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", false),
        ("Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", false),
        ("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false),
    ];
    for (headers, expected) in cases {
        let mut framing = RequestFraming::new(1 << 10);
        framing.admit(format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes());
        assert_eq!(framing.is_withheld(), expected, "{headers:?}");
    }
}

#[test]
fn a_partial_head_is_bounded() {
    let mut framing = RequestFraming::new(100);
    for _ in 0..1000 {
        framing.admit(b"GET / HTTP/1.1\r\nHost");
    }
    assert!(framing.partial.len() <= 104 && matches!(framing.state, State::Unparsable), "{framing:?}");
}

proptest! {
    #[test]
    fn where_the_reads_end_changes_nothing(
        bodies in prop::collection::vec((any::<bool>(), "[a-zG\r\n0 ]{0,40}"), 1..6),
        garbage in "[\r\n a-z0-9:;]{0,12}",
        cuts in prop::collection::vec(0..400_usize, 0..12),
    ) {
        let mut bytes = Vec::new();
        for (chunked, body) in bodies {
            if chunked && !body.is_empty() {
                bytes.extend_from_slice(format!("{CHUNKED}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
            } else {
                bytes.extend_from_slice(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
            }
        }
        let valid = bytes.len();
        bytes.extend_from_slice(garbage.as_bytes());
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let (whole, refusal, _) = feed(&[&bytes]);
        let (cut, cut_refusal, broken) = feed(&parts);
        prop_assert!(whole.len() >= valid);
        prop_assert_eq!((&whole, refusal), (&cut, cut_refusal));
        prop_assert!(!broken);
    }
}
