//! What all probes of one tick share: the budget of requests, keys, headers and requests that are alike.

use std::cell::Cell;

use litemap::LiteMap;

use super::request::SharedRequests;
use crate::domain::ProbeSkipped;
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
    /// The value.
    pub(crate) value: String,
    /// Whether the value contains a secret.
    pub(crate) is_secret: bool,
}

impl std::fmt::Debug for ProbeHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

/// The requests that a tick may still send. Every redirect spends one as well.
#[derive(Debug)]
pub(crate) struct RequestBudget(Cell<u32>);

impl RequestBudget {
    /// Creates a budget of so many requests.
    pub(crate) fn new(requests: u32) -> Self {
        RequestBudget(Cell::new(requests))
    }

    /// Returns how many requests are left.
    pub(crate) fn remaining(&self) -> u32 {
        self.0.get()
    }

    /// Spends one request. Fails if none is left.
    pub(crate) fn spend(&self) -> Result<(), ProbeSkipped> {
        self.0.set(self.0.get().checked_sub(1).ok_or(ProbeSkipped::Budget)?);
        Ok(())
    }
}

/// What all probes of one tick share.
#[derive(Debug)]
pub(crate) struct ProbeContext {
    /// The requests that may still be sent.
    pub(crate) budget: RequestBudget,
    /// Whether private addresses may be probed.
    pub(super) allow_private: bool,
    pub(super) shared_requests: SharedRequests,
    keys: SigningKeys,
    headers: MonitorHeaders,
}

impl ProbeContext {
    /// Creates the context of a tick that may send so many requests.
    pub(crate) fn new(
        requests: u32,
        allow_private: bool,
        keys: SigningKeys,
        headers: MonitorHeaders,
    ) -> Self {
        ProbeContext {
            budget: RequestBudget::new(requests),
            allow_private,
            shared_requests: SharedRequests::default(),
            keys,
            headers,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_and_then_exhausted() {
        let budget = RequestBudget::new(2);
        assert_eq!(
            (budget.spend(), budget.spend(), budget.spend()),
            (Ok(()), Ok(()), Err(ProbeSkipped::Budget))
        );
        assert_eq!(budget.remaining(), 0);
    }
}
