//! The front of a guarded program as the supervisor uses it: it takes the program's port, and switches between its instances.
//!
//! The library does not depend on the front (`heapbeat-front`), so that an application that embeds it does not compile one. The program
//! `heapbeat` implements [`Gateway`] by it. No call may block: the supervisor's loop does everything else as well.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::machine::WorkerNumber;

/// Whether an instance is ready for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is not known yet.
    Pending,
    /// It answers, after this time since [`Gateway::probe`].
    Ready(Duration),
    /// It accepts connections, but did not answer in time as it should; the text says what it did.
    NotAnswering(String),
    /// It did not listen at its address in time; the text names the address.
    NotListening(String),
}

/// Requests of one method and path pattern that were in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInFlight {
    /// The method.
    pub method: String,
    /// The pattern, such as `/users/:id`.
    pub pattern: String,
    /// Number of requests.
    pub count: u64,
}

/// A variable of a program's environment; `None` removes it.
pub type Variable = (&'static str, Option<OsString>);

/// Takes the requests of a guarded program, and passes them on to one of its instances. Requests wait while no instance is active.
pub trait Gateway: fmt::Debug {
    /// Chooses the address of an instance that is about to start, and returns the variables that tell the program.
    fn assign(&mut self, instance: WorkerNumber) -> io::Result<Vec<Variable>>;

    /// Begins to ask an instance that was started whether it is ready.
    fn probe(&mut self, instance: WorkerNumber);

    /// Returns what the probe has found so far.
    fn readiness(&mut self, instance: WorkerNumber) -> Readiness;

    /// Returns the address to which requests for an instance go, if it is one of IP.
    fn address(&self, instance: WorkerNumber) -> Option<SocketAddr>;

    /// Whether the program listens on a port at all. A program that does not counts as ready after a while, and gets no requests.
    fn expects_listener(&self) -> bool;

    /// Sends new requests to an instance as well. One that it replaces is to be drained.
    fn activate(&mut self, instance: WorkerNumber);

    /// Sends no new requests to an instance that is to end. Those in flight finish; new ones wait until another instance is active.
    fn drain(&mut self, instance: WorkerNumber);

    /// The same for an instance that may go on, or that has ended by itself.
    fn deactivate(&mut self, instance: WorkerNumber);

    /// Notes that a signal from outside has ended an instance, so that no request is the reason.
    fn note_end_from_outside(&mut self, instance: WorkerNumber);

    /// Ends what is still in flight to an instance: tunnels are closed on both sides, responses are cut off.
    fn abort(&mut self, instance: WorkerNumber);

    /// Forgets an instance that has exited.
    fn release(&mut self, instance: WorkerNumber);

    /// Returns the number of requests and tunnels in flight to an instance.
    fn in_flight(&self, instance: WorkerNumber) -> usize;

    /// Returns the requests that an instance did not finish, because it died or they were aborted, by route; those in flight belong to them.
    fn unfinished(&self, instance: WorkerNumber) -> Vec<RouteInFlight>;

    /// Whether an instance is hung: for `timeout` it has sent nothing although requests wait for it, and it does not answer a probe. It is to
    /// be asked every second or so.
    fn is_hung(&mut self, instance: WorkerNumber, timeout: Duration) -> bool;

    /// Announces for how long no instance will be active. Requests that cannot wait for that long are answered at once,
    /// those that wait already as well.
    fn announce_outage(&mut self, time: Duration);

    /// Returns the number of requests that wait for an instance.
    fn waiting(&self) -> usize;

    /// Answers requests that wait, and further ones, with 503: no instance will be active any more.
    fn refuse_waiting(&mut self);

    /// Refuses a share of new requests, in thousandths.
    fn shed(&mut self, thousandths: u16);

    /// Tells whether memory is short, so that requests that waited are passed on by fewer at a time.
    fn set_memory_short(&mut self, short: bool);

    /// Announces that no more connections will be accepted soon: clients are told with each response to open another one.
    fn announce_close(&mut self);

    /// Accepts no more connections. Open ones end with their current response.
    fn close(&mut self);

    /// Whether all connections have ended after [`Gateway::close`], or the front has failed.
    fn is_closed(&self) -> bool;
}
