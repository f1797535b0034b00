//! What all probes of one tick share: the requests that are left, keys, headers and requests that are alike.

use std::cell::Cell;

use litemap::LiteMap;

use super::request::SharedRequests;
use crate::domain::ProbeSkipped;
use crate::domain::check::domain_record::DomainRecord;
use crate::domain::check::request_plan::RequestPool;
use crate::domain::report::verification::SigningKey;
use crate::monitor_config::MonitorId;

/// The keys of the monitors that have a secret, or why a key is missing.
pub(crate) type SigningKeys = LiteMap<MonitorId, Result<SigningKey, ProbeSkipped>>;

/// The configured headers of the monitors that have some, secrets inserted, or why a secret is missing.
pub(crate) type MonitorHeaders = LiteMap<MonitorId, Result<Vec<ProbeHeader>, ProbeSkipped>>;

/// A configured header of a probe.
#[derive(Clone)]
pub(crate) struct ProbeHeader {
    /// The name.
    pub(crate) name: String,
    /// The value, which may contain a secret.
    pub(crate) value: String,
}

impl std::fmt::Debug for ProbeHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

/// What all probes of one tick share.
#[derive(Debug)]
pub(crate) struct ProbeContext {
    /// The requests that are not kept for a monitor.
    pub(crate) pool: RequestPool,
    /// Whether private addresses may be probed.
    pub(super) allow_private: bool,
    pub(super) shared_requests: SharedRequests,
    /// The address of the bootstrap service of RDAP.
    pub(super) rdap: String,
    keys: SigningKeys,
    headers: MonitorHeaders,
    /// What is known of domains; `None` where nothing is looked up.
    domains: Option<Vec<DomainRecord>>,
    /// Whether this round has looked a domain up.
    has_looked_up: Cell<bool>,
}

impl ProbeContext {
    /// Creates the context of a round with these requests.
    pub(crate) fn new(
        pool: RequestPool,
        allow_private: bool,
        keys: SigningKeys,
        headers: MonitorHeaders,
    ) -> Self {
        ProbeContext {
            pool,
            allow_private,
            shared_requests: SharedRequests::default(),
            rdap: String::new(),
            keys,
            headers,
            domains: None,
            has_looked_up: Cell::new(false),
        }
    }

    /// Lets the round look a domain up by the bootstrap service at `rdap`. `known` is what was found before.
    pub(crate) fn with_domains(self, rdap: &str, known: Vec<DomainRecord>) -> Self {
        ProbeContext { rdap: rdap.to_owned(), domains: Some(known), ..self }
    }

    /// Returns what is known of a domain.
    pub(super) fn domain_record(&self, domain: &str) -> Option<&DomainRecord> {
        self.domains.iter().flatten().find(|record| record.domain == domain)
    }

    /// Returns whether this round may look a domain up, which it may once.
    pub(super) fn has_free_lookup(&self) -> bool {
        self.domains.is_some() && !self.has_looked_up.replace(true)
    }

    /// Returns the key that signs a monitor's requests; `None` if they are not signed.
    pub(super) fn signing_key(&self, monitor: &MonitorId) -> Result<Option<&SigningKey>, ProbeSkipped> {
        self.keys.get(monitor).map(Result::as_ref).transpose().map_err(|missing| *missing)
    }

    /// Returns the configured headers of a monitor.
    pub(super) fn headers_of(&self, monitor: &MonitorId) -> Result<&[ProbeHeader], ProbeSkipped> {
        let Some(headers) = self.headers.get(monitor) else { return Ok(&[]) };
        headers.as_deref().map_err(|missing| *missing)
    }
}
