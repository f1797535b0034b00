//! A DNS query, which is asked by HTTPS.

use std::fmt;
use std::str::FromStr;

use super::HttpUrl;
use super::field::{FieldReader, excerpt};

/// The resolver that is asked if none is named. It has to answer `application/dns-json`.
pub const DEFAULT_RESOLVER: &str = "https://cloudflare-dns.com/dns-query";

/// The longest name of a query (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;

/// A query for the records of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuery {
    /// The name in ASCII, in lower case.
    pub name: String,
    /// The type of the records.
    pub record_type: RecordType,
    /// The address of the resolver.
    pub resolver: HttpUrl,
}

/// A type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// A mail server.
    Mx,
    /// A name server.
    Ns,
    /// The name of an address.
    Ptr,
    /// A service.
    Srv,
    /// A text.
    Txt,
}

impl RecordType {
    const ALL: [RecordType; 8] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Mx,
        RecordType::Ns,
        RecordType::Ptr,
        RecordType::Srv,
        RecordType::Txt,
    ];

    /// Returns the name of the type.
    pub const fn as_str(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Mx => "MX",
            RecordType::Ns => "NS",
            RecordType::Ptr => "PTR",
            RecordType::Srv => "SRV",
            RecordType::Txt => "TXT",
        }
    }

    /// Returns the number of the type (<https://www.iana.org/assignments/dns-parameters>).
    pub const fn number(self) -> u16 {
        match self {
            RecordType::A => 1,
            RecordType::Ns => 2,
            RecordType::Cname => 5,
            RecordType::Ptr => 12,
            RecordType::Mx => 15,
            RecordType::Txt => 16,
            RecordType::Aaaa => 28,
            RecordType::Srv => 33,
        }
    }
}

impl FromStr for RecordType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.map(Self::as_str).to_vec();
            format!("`{}` is not a type of records; the types are {}", excerpt(text), names.join(", "))
        })
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses the query of an entry.
pub(super) fn parse_query(
    fields: &mut FieldReader<'_>,
    parse_url: impl Fn(&str) -> Result<HttpUrl, String>,
) -> Option<DnsQuery> {
    let name = fields.required_text("query-name", parse_name);
    let given = fields.contains("query-type");
    let record_type = fields.optional_text("query-type", str::parse::<RecordType>);
    let record_type = if given { record_type } else { Some(RecordType::A) };
    let given = fields.contains("resolver");
    let resolver = fields.optional_text("resolver", &parse_url);
    let resolver = if given { resolver } else { parse_url(DEFAULT_RESOLVER).ok() };
    Some(DnsQuery { name: name?, record_type: record_type?, resolver: resolver? })
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !name.is_ascii() {
        return Err(format!(
            "`{}` is not ASCII; write it in Punycode, such as xn--bcher-kva.example",
            excerpt(text)
        ));
    }
    if name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return Err(format!("`{}` is not a name such as example.com", excerpt(text)));
    }
    Ok(name.to_ascii_lowercase())
}
