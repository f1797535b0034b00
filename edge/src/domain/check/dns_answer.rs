//! The answer of a resolver in `application/dns-json`, as Cloudflare and Google write it.

use heapbeat_monitors::RecordType;
use heapbeat_monitors::condition::RCODES;
use serde::Deserialize;

/// The most bytes of an answer that are read.
pub const MAX_ANSWER: usize = 64 * 1024;

/// What conditions see of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// The name of the response code, one of [`RCODES`].
    pub rcode: &'static str,
    /// The last record of the type that was asked for, as in Gatus; empty if there is none.
    pub value: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Status")]
    status: usize,
    #[serde(rename = "Answer", default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    r#type: u16,
    data: String,
}

/// Reads an answer; `None` if it is not one.
pub fn read_dns_answer(body: &[u8], record_type: RecordType) -> Option<DnsAnswer> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let rcode = RCODES.get(answer.status).copied().unwrap_or("UNKNOWN");
    let last = answer.records.iter().rfind(|record| record.r#type == record_type.number());
    let value = last.map(|record| format_value(&record.data, record_type)).unwrap_or_default();
    Some(DnsAnswer { rcode, value })
}

/// Formats the data of a record as Gatus does.
fn format_value(data: &str, record_type: RecordType) -> String {
    let mut words = data.split_whitespace();
    match record_type {
        // Priority and host.
        RecordType::Mx => words.next_back().unwrap_or_default().to_owned(),
        // Priority, weight, port and host.
        RecordType::Srv => {
            let (host, port) = (words.next_back().unwrap_or_default(), words.next_back().unwrap_or_default());
            format!("{host}:{port}")
        }
        // Parts of a text in quotes.
        RecordType::Txt => {
            let inner = data.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            inner.map_or_else(|| data.to_owned(), |inner| inner.replace("\" \"", ""))
        }
        _ => data.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_the_type_is_the_value() {
        use RecordType::{A, Aaaa, Cname, Mx, Ns, Srv, Txt};
        let chain = r#"{"Status":0,"TC":false,"Question":[{"name":"a.example","type":1}],"Answer":[
            {"name":"a.example","type":5,"TTL":60,"data":"b.example."},
            {"name":"b.example","type":1,"TTL":60,"data":"192.0.2.1"},
            {"name":"b.example","type":1,"TTL":60,"data":"192.0.2.2"}]}"#;
        let one = |number: u16, data: &str| {
            serde_json::json!({"Status": 0, "Answer": [{"name": "a", "type": number, "data": data}]})
                .to_string()
        };
        let cases = [
            (chain.to_owned(), A, "NOERROR", "192.0.2.2"),
            (chain.to_owned(), Cname, "NOERROR", "b.example."),
            (chain.to_owned(), Aaaa, "NOERROR", ""),
            (one(15, "10 mail.example."), Mx, "NOERROR", "mail.example."),
            (one(33, "1 5 5060 sip.example."), Srv, "NOERROR", "sip.example.:5060"),
            (one(16, "\"v=spf1 -all\""), Txt, "NOERROR", "v=spf1 -all"),
            (one(16, "\"one\" \"two\""), Txt, "NOERROR", "onetwo"),
            (one(2, "ns1.example."), Ns, "NOERROR", "ns1.example."),
            (r#"{"Status":3}"#.to_owned(), A, "NXDOMAIN", ""),
            (r#"{"Status":2,"Answer":[]}"#.to_owned(), A, "SERVFAIL", ""),
            (r#"{"Status":99}"#.to_owned(), A, "UNKNOWN", ""),
        ];
        for (body, record_type, rcode, value) in cases {
            let answer = DnsAnswer { rcode, value: value.to_owned() };
            assert_eq!(read_dns_answer(body.as_bytes(), record_type), Some(answer), "{body}");
        }
    }

    #[test]
    fn another_document_is_no_answer() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"Status":"ok"}"#,
            r#"{"Status":-1}"#,
            r#"{"Status":0,"Answer":[{"type":1}]}"#,
        ] {
            assert_eq!(read_dns_answer(body.as_bytes(), RecordType::A), None, "{body}");
        }
    }
}
