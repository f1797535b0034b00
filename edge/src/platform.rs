//! The Cloudflare platform: bindings, variables, clocks, time zones and outgoing requests.

pub(crate) mod clock;
pub(crate) mod env;
pub(crate) mod fetch_request;
pub(crate) mod intl;
pub(crate) mod js;
pub(crate) mod zone;
