//! One request head: what kind of body follows it, or why it is refused.

use http::StatusCode;

/// Most headers of a request; hyper refuses more with 431.
const MAX_HEADERS: usize = 100;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadKind {
    NoBody,
    Sized(u64),
    Chunked,
    /// Either another protocol or the next request, depending on the response.
    Upgrade,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFault {
    /// hyper refuses it itself.
    Unparsable,
    /// A line ends with a bare line feed.
    BareLineFeed,
    /// Both `Content-Length` and `Transfer-Encoding`.
    BothLengths,
    /// More than one `Content-Length`, or one that is not a number.
    ContentLength,
    /// A transfer coding other than `chunked` alone.
    TransferCoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    CodingInHttp10,
    /// HTTP/1.1 without `Host`.
    NoHost,
    /// More than one `Host`.
    ManyHosts,
    /// A `Host` that is not a name or address with an optional port.
    BadHost,
    /// The target names another host than `Host`.
    OtherHost,
    /// The target is in none of the forms that a server accepts.
    Target,
    /// A header that has the name of a framing header for some programs, such as `Content_Length`.
    Underscore,
    /// `CONNECT`, which is for proxies.
    Connect,
    /// The chunks of the body.
    Chunk,
}

impl RequestFault {
    /// Returns the status of the refusal.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            RequestFault::TransferCoding | RequestFault::Connect => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the reason for the client.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            RequestFault::Unparsable => "the request head is malformed",
            RequestFault::BareLineFeed => "a line of the request head ends without CR",
            RequestFault::BothLengths => "the request has both Content-Length and Transfer-Encoding",
            RequestFault::ContentLength => {
                "the request has more than one Content-Length, or one that is not a number"
            }
            RequestFault::TransferCoding => "the only transfer coding that is supported is chunked, once",
            RequestFault::CodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            RequestFault::NoHost => "the request has no Host header",
            RequestFault::ManyHosts => "the request has more than one Host header",
            RequestFault::BadHost => "the Host header is neither a name nor an address",
            RequestFault::OtherHost => "the request target names another host than the Host header",
            RequestFault::Target => "the request target is malformed",
            RequestFault::Underscore => "a framing header is spelled with an underscore",
            RequestFault::Connect => "CONNECT is not supported",
            RequestFault::Chunk => "the chunked request body is malformed",
        }
    }
}

/// Returns where the first head ends that begins at 0, searching from `from`.
pub(crate) fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The headers that decide.
#[derive(Default)]
struct Deciding<'a> {
    length: Option<u64>,
    coded: bool,
    host: Option<&'a [u8]>,
    connection_upgrade: bool,
    upgrade: Option<&'a [u8]>,
}

/// Returns what follows a complete head.
pub(super) fn inspect(head: &[u8]) -> Result<HeadKind, RequestFault> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        // An earlier end than the one that was found would be a second opinion.
        Ok(httparse::Status::Complete(_)) => return Err(RequestFault::BareLineFeed),
        _ => return Err(RequestFault::Unparsable),
    }
    if head.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || head[at - 1] != b'\r')) {
        return Err(RequestFault::BareLineFeed);
    }
    let http_10 = request.version == Some(0);
    let mut deciding = Deciding::default();
    for header in request.headers.iter() {
        record(&mut deciding, header.name, header.value, http_10)?;
    }
    let host = match deciding.host {
        None if !http_10 => return Err(RequestFault::NoHost),
        host => host.unwrap_or_default(),
    };
    check_target(request.method.unwrap_or_default(), request.path.unwrap_or_default(), host)?;
    match (deciding.coded, deciding.length) {
        (true, Some(_)) => Err(RequestFault::BothLengths),
        (true, None) => Ok(HeadKind::Chunked),
        (false, Some(length @ 1..)) => Ok(HeadKind::Sized(length)),
        (false, _) => {
            let upgrade =
                deciding.connection_upgrade && !http_10 && deciding.upgrade.is_some_and(may_upgrade);
            Ok(if upgrade { HeadKind::Upgrade } else { HeadKind::NoBody })
        }
    }
}

/// Whether a complete head is not refused.
pub(crate) fn is_acceptable(head: &[u8]) -> bool {
    inspect(head).is_ok()
}

/// Whether the protocol may be tunnelled. HTTP/2 may not: its requests would pass by the limits and the operator routes.
pub(crate) fn may_upgrade(protocols: &[u8]) -> bool {
    let mut named = protocols
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        .peekable();
    named.peek().is_some() && named.all(|name| !name.to_ascii_lowercase().starts_with(b"h2"))
}

fn record<'a>(
    deciding: &mut Deciding<'a>,
    name: &str,
    value: &'a [u8],
    http_10: bool,
) -> Result<(), RequestFault> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("content-length") {
        if deciding.length.is_some() {
            return Err(RequestFault::ContentLength);
        }
        deciding.length = Some(parse_length(value).ok_or(RequestFault::ContentLength)?);
    } else if is("transfer-encoding") {
        if http_10 {
            return Err(RequestFault::CodingInHttp10);
        }
        if deciding.coded || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(RequestFault::TransferCoding);
        }
        deciding.coded = true;
    } else if is("host") {
        if deciding.host.replace(value).is_some() {
            return Err(RequestFault::ManyHosts);
        }
        if !is_host(value) {
            return Err(RequestFault::BadHost);
        }
    } else if is("connection") {
        let mut tokens = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        deciding.connection_upgrade |= tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    } else if is("upgrade") {
        // Two lines are one list; a list with a protocol that is not tunnelled is not tunnelled.
        let refused = deciding.upgrade.is_some_and(|before| !may_upgrade(before));
        deciding.upgrade = if refused { deciding.upgrade } else { Some(value) };
    } else if is("content_length") || is("transfer_encoding") {
        // CGI, WSGI and Rack turn both spellings into the same variable.
        return Err(RequestFault::Underscore);
    }
    Ok(())
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    // hyper's own maximum is 2^64 - 3.
    digits
        .then(|| std::str::from_utf8(value).ok()?.parse::<u64>().ok().filter(|length| *length < 1 << 62))
        .flatten()
}

/// Whether a value of `Host` consists of the characters of a host and a port. It may be empty.
fn is_host(value: &[u8]) -> bool {
    let allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'['
                    | b']'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            )
    };
    value.iter().all(allowed)
}

fn check_target(method: &str, target: &str, host: &[u8]) -> Result<(), RequestFault> {
    if method == "CONNECT" {
        return Err(RequestFault::Connect);
    }
    if target.contains('#') {
        return Err(RequestFault::Target);
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(());
    }
    let (scheme, rest) = target.split_once("://").ok_or(RequestFault::Target)?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(RequestFault::Target),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let without_port = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    let named = String::from_utf8_lossy(host);
    if authority.is_empty() || without_port(authority) != without_port(&named) {
        return Err(RequestFault::OtherHost);
    }
    Ok(())
}
