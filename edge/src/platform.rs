//! The Cloudflare platform: bindings and variables, clock, time zones, random bytes and outgoing requests.
//!
//! Nothing here knows what heapbeat does with them. What the `worker` crate offers is used as it is; a module here adds what it lacks.

pub(crate) mod bindings;
pub(crate) mod body;
pub(crate) mod clock;
pub(crate) mod concurrency;
pub(crate) mod deadline;
pub(crate) mod decode;
pub(crate) mod fetch;
pub(crate) mod intl;
pub(crate) mod random;
pub(crate) mod tcp;
pub(crate) mod url;
