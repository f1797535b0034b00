//! One incident: `GET /incidents/<id>` with its recording, `POST /incidents/<id>` with what somebody does to it.

use super::dispatch::Finished;
use super::machines::hide;
use super::{Hub, Told};
use crate::domain::incident::Incident;
use crate::domain::incident::actions::Orders;
use crate::domain::incident::id::IncidentId;
use crate::domain::report::last_report::Run;
use crate::probe::wall_clock;
use crate::web::api;

impl Hub {
    /// The incident of this id, whosever it is, and the samples before it.
    fn incident(&self, id: &str) -> Told<Option<(Incident, Vec<Run>)>> {
        let Ok(IncidentId { monitor, opened }) = id.parse() else { return Ok(None) };
        self.store()?.incident(&monitor, opened).map_err(|error| error.to_string())
    }

    /// The same, where anybody may see it, with the name of whose it is.
    pub(super) fn shown_incident(&self, id: &str) -> Told<Option<(Incident, Vec<Run>, String)>> {
        let config = self.shown()?;
        let Some((mut incident, runs)) = self.incident(id)? else { return Ok(None) };
        let monitor = config.monitors.iter().find(|it| it.id == incident.monitor);
        hide(&mut incident, &config);
        Ok(monitor.map(|monitor| (incident, runs, monitor.name.clone())))
    }

    /// Everything about one incident that anybody may see.
    pub(super) fn get_incident(&self, id: &str) -> Told<Option<String>> {
        let shown = self.shown_incident(id)?;
        Ok(shown.map(|(incident, runs, _)| api::incident_json(&incident, &runs)))
    }

    /// Does what somebody asks for.
    pub(super) fn order(&self, id: &str, body: &str) -> Told<Finished> {
        let orders = match Orders::parse(body) {
            Ok(orders) => orders,
            Err(reason) => return Ok(Finished::refused(400, &reason)),
        };
        let config = self.config()?;
        let watched = |it: &(Incident, _)| config.monitors.iter().any(|other| other.id == it.0.monitor);
        let Some((mut incident, runs)) = self.incident(id)?.filter(watched) else {
            return Ok(Finished::refused(404, "there is no such incident"));
        };
        let now = {
            let board = self.board()?;
            // What a tick has made of it since it was stored is on the board.
            let latest = board.incident(&incident.monitor).filter(|latest| latest.opened == incident.opened);
            incident = latest.cloned().unwrap_or(incident);
            board.clock(wall_clock())
        };
        if let Err(reason) = orders.apply(&mut incident, now) {
            return Ok(Finished::refused(409, reason));
        }
        self.store()?.amend(&incident).map_err(|error| error.to_string())?;
        let answer = api::incident_json(&incident, &runs);
        if let Some(board) = &mut *self.board.borrow_mut() {
            board.amend_incident(incident);
        }
        Ok(Finished::ok(answer))
    }
}
