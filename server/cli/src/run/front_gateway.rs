//! The front as the supervisor uses it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use heapbeat::supervisor::gateway::{Gateway, Readiness, RouteInFlight, Variable};
use heapbeat::supervisor::machine::WorkerNumber;
use heapbeat_front::{
    Front, FrontConfig, FrontHandle, NotReady, OperatorRoutes, ReadinessProbe, Upstream, UpstreamAddress,
};

use super::free_port::choose_port;
use super::front_args::UpstreamChoice;

/// Variables by which servers read their port that do not read `PORT`; one that is set stays. uvicorn reads an option `--port` from
/// `UVICORN_PORT`, Flask's `flask run` from `FLASK_RUN_PORT` (both by Click's prefix), the others state theirs in their documentation.
const SERVER_VARIABLES: [&str; 5] = [
    "UVICORN_PORT",
    "FLASK_RUN_PORT",
    "STREAMLIT_SERVER_PORT",
    "GRADIO_SERVER_PORT",
    "ASPNETCORE_HTTP_PORTS",
];

/// How the readiness of an instance is asked for.
#[derive(Clone, Debug)]
pub(super) struct ReadyCheck {
    /// The path to request; `None` if a connection is enough.
    pub(super) path: Option<String>,
    /// Time in which the instance has to be ready.
    pub(super) timeout: Duration,
}

/// The front, and where the instances of the program take their requests.
#[derive(Debug)]
pub(super) struct FrontGateway {
    front: Front,
    handle: FrontHandle,
    upstream: UpstreamChoice,
    ready: ReadyCheck,
    instances: BTreeMap<WorkerNumber, Instance>,
}

/// An instance of the program.
#[derive(Debug)]
struct Instance {
    /// Where it may listen; the first one is where it is expected.
    addresses: Vec<UpstreamAddress>,
    probe: Option<ReadinessProbe>,
    readiness: Readiness,
    /// Where it answered.
    answered_at: Option<UpstreamAddress>,
    /// Asks an instance that sends nothing.
    hang_probe: Option<ReadinessProbe>,
}

impl Instance {
    /// Returns where its requests go.
    fn address(&self) -> Option<&UpstreamAddress> {
        self.answered_at.as_ref().or(self.addresses.first())
    }
}

impl FrontGateway {
    /// Starts the front on `listeners`.
    pub(super) fn start(
        config: FrontConfig,
        listeners: Vec<TcpListener>,
        routes: Arc<dyn OperatorRoutes>,
        upstream: UpstreamChoice,
        ready: ReadyCheck,
    ) -> io::Result<Self> {
        let front = Front::start(config, listeners, routes)?;
        Ok(FrontGateway { handle: front.handle(), front, upstream, ready, instances: BTreeMap::new() })
    }

    /// Returns a handle to the front.
    pub(super) fn handle(&self) -> FrontHandle {
        self.handle.clone()
    }
}

/// Returns the addresses at which a program that was given this port may listen: with `localhost` some listen on IPv6 alone.
fn on_this_machine(port: u16) -> Vec<UpstreamAddress> {
    vec![
        UpstreamAddress::Tcp((Ipv4Addr::LOCALHOST, port).into()),
        UpstreamAddress::Tcp((Ipv6Addr::LOCALHOST, port).into()),
    ]
}

impl Gateway for FrontGateway {
    fn assign(&mut self, instance: WorkerNumber) -> io::Result<Vec<Variable>> {
        let (addresses, port) = match &self.upstream {
            UpstreamChoice::Free => {
                let port = choose_port()?;
                (on_this_machine(port), Some(port))
            }
            UpstreamChoice::Port(port) => (on_this_machine(*port), Some(*port)),
            UpstreamChoice::Unix(path) => (vec![UpstreamAddress::Unix(path.clone())], None),
            UpstreamChoice::None => (Vec::new(), None),
        };
        let readiness = Readiness::Pending;
        let entry = Instance { addresses, probe: None, readiness, answered_at: None, hang_probe: None };
        self.instances.insert(instance, entry);
        // Without a port of its own, a program that reads `PORT` would try to take ours.
        let value = port.map(|port| OsString::from(port.to_string()));
        let unset = SERVER_VARIABLES.into_iter().filter(|name| std::env::var_os(name).is_none());
        let others = unset.map(|name| (name, value.clone())).filter(|(_, value)| value.is_some());
        Ok(others.chain([("PORT", value.clone())]).collect())
    }

    fn probe(&mut self, instance: WorkerNumber) {
        let Some(entry) = self.instances.get_mut(&instance) else { return };
        let probe = self.handle.probe(entry.addresses.clone(), self.ready.path.clone(), self.ready.timeout);
        entry.probe = Some(probe);
    }

    fn readiness(&mut self, instance: WorkerNumber) -> Readiness {
        let Some(entry) = self.instances.get_mut(&instance) else { return Readiness::Pending };
        if let Some(result) = entry.probe.as_mut().and_then(ReadinessProbe::result) {
            entry.probe = None;
            entry.readiness = match result {
                Ok(ready) => {
                    entry.answered_at = Some(ready.address);
                    Readiness::Ready(ready.after)
                }
                Err(error @ NotReady::NotListening(_)) => Readiness::NotListening(error.to_string()),
                Err(error) => Readiness::NotAnswering(error.to_string()),
            };
        }
        entry.readiness.clone()
    }

    fn address(&self, instance: WorkerNumber) -> Option<SocketAddr> {
        match self.instances.get(&instance)?.address()? {
            UpstreamAddress::Tcp(address) => Some(*address),
            UpstreamAddress::Unix(_) => None,
        }
    }

    fn expects_listener(&self) -> bool {
        self.upstream != UpstreamChoice::None
    }

    fn activate(&mut self, instance: WorkerNumber) {
        let Some(entry) = self.instances.get(&instance) else { return };
        if let Some(address) = entry.address() {
            self.handle.activate(Upstream { id: instance.into(), address: address.clone() });
        }
    }

    fn drain(&mut self, instance: WorkerNumber) {
        self.handle.drain(instance.into());
    }

    fn deactivate(&mut self, instance: WorkerNumber) {
        self.handle.deactivate_copy(instance.into());
    }

    fn note_end_from_outside(&mut self, instance: WorkerNumber) {
        self.handle.note_end_from_outside(instance.into());
    }

    fn abort(&mut self, instance: WorkerNumber) {
        self.handle.abort(instance.into());
    }

    fn release(&mut self, instance: WorkerNumber) {
        self.handle.abort(instance.into());
        self.instances.remove(&instance);
    }

    fn in_flight(&self, instance: WorkerNumber) -> usize {
        self.handle.in_flight(instance.into())
    }

    fn unfinished(&self, instance: WorkerNumber) -> Vec<RouteInFlight> {
        let requests = self.handle.unfinished(instance.into()).into_iter();
        requests
            .map(|((method, pattern), count)| RouteInFlight { method: method.to_owned(), pattern, count })
            .collect()
    }

    fn is_hung(&mut self, instance: WorkerNumber, timeout: Duration) -> bool {
        let Some(entry) = self.instances.get_mut(&instance) else { return false };
        let id = u64::from(instance);
        // Most of the time is for the probe, whose attempts take a while each.
        let stalled = self.handle.stalled_for(id).filter(|stalled| *stalled >= timeout / 3);
        let Some(stalled) = stalled else {
            entry.hang_probe = None;
            return false;
        };
        let Some(probe) = &mut entry.hang_probe else {
            let addresses =
                entry.answered_at.clone().map_or(entry.addresses.clone(), |address| vec![address]);
            let within = timeout.saturating_sub(stalled).max(timeout / 3);
            entry.hang_probe = Some(self.handle.probe(addresses, self.ready.path.clone(), within));
            return false;
        };
        match probe.result() {
            None => false,
            Some(Err(NotReady::NotListening(_) | NotReady::NoAnswer(_))) => true,
            // Any answer shows that it runs.
            Some(Ok(_) | Err(NotReady::ServerError(..) | NotReady::Stopped)) => {
                entry.hang_probe = None;
                self.handle.note_progress(id);
                false
            }
        }
    }

    fn announce_outage(&mut self, time: Duration) {
        self.handle.announce_outage(time);
    }

    fn waiting(&self) -> usize {
        self.handle.waiting()
    }

    fn refuse_waiting(&mut self) {
        self.handle.refuse_waiting();
    }

    fn shed(&mut self, thousandths: u16) {
        self.handle.shed(thousandths);
    }

    fn set_memory_short(&mut self, short: bool) {
        self.handle.set_memory_short(short);
    }

    fn announce_close(&mut self) {
        self.handle.announce_close();
    }

    fn close(&mut self) {
        self.handle.close();
    }

    fn is_closed(&self) -> bool {
        self.front.is_stopped()
    }
}
