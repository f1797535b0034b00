//! Converts an endpoint that queries a DNS server. A Worker asks resolvers by HTTPS only, so the server has to be a public resolver.

use serde_json::json;

use crate::builder::MonitorBuilder;
use crate::cursor::Cursor;
use crate::environment::unknown_names;

/// The addresses of public resolvers, and that of the same one by HTTPS, if it answers JSON there; empty: Cloudflare's answers instead.
const RESOLVERS: [(&str, &str); 14] = [
    ("1.1.1.1", "https://cloudflare-dns.com/dns-query"),
    ("1.0.0.1", "https://cloudflare-dns.com/dns-query"),
    ("one.one.one.one", "https://cloudflare-dns.com/dns-query"),
    ("cloudflare-dns.com", "https://cloudflare-dns.com/dns-query"),
    ("8.8.8.8", "https://dns.google/resolve"),
    ("8.8.4.4", "https://dns.google/resolve"),
    ("dns.google", "https://dns.google/resolve"),
    ("9.9.9.9", ""),
    ("149.112.112.112", ""),
    ("dns.quad9.net", ""),
    ("208.67.222.222", ""),
    ("208.67.220.220", ""),
    ("94.140.14.14", ""),
    ("94.140.15.15", ""),
];

/// Converts the query. `server` is the address of the endpoint.
pub(super) fn convert(query: &Cursor<'_>, server: &str, builder: &mut MonitorBuilder) {
    let (name, kind) = (query.text("query-name"), query.text("query-type"));
    let unknown: Vec<_> = [server, name.unwrap_or_default()].into_iter().flat_map(unknown_names).collect();
    if !unknown.is_empty() {
        builder.leave_out(format!(
            "the query needs a variable; give the value of {} with --env",
            unknown.join(", ")
        ));
        return;
    }
    let host = server.split_once("://").map_or(server, |(_, host)| host).trim_end_matches('/');
    let host = host.strip_suffix(":53").unwrap_or(host);
    match RESOLVERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)) {
        Some((_, "")) => {
            builder.changed(format!(
                "the resolver of Cloudflare is asked instead of {host}, which answers no JSON by HTTPS"
            ));
        }
        Some((_, resolver)) => builder.set("resolver", json!(resolver)),
        None => {
            builder.leave_out(format!(
                "a Worker cannot ask the DNS server {host}, only public resolvers by HTTPS"
            ));
            return;
        }
    }
    builder.set("query-name", json!(name.unwrap_or_default().trim_end_matches('.')));
    builder.set("query-type", json!(kind.unwrap_or("A").to_ascii_uppercase()));
}
