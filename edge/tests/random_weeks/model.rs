//! The script of a week, and the model by which it is judged. The test of this package and the program for weeks in workerd
//! (`edge/examples/week.rs`) share them.

pub(crate) mod episode;
pub(crate) mod job;
pub(crate) mod judge;
pub(crate) mod record;
pub(crate) mod script;
#[path = "../support/service.rs"]
pub(crate) mod service;
pub(crate) mod truth;
pub(crate) mod watch;
