//! State that all connections share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::FrontConfig;
use crate::connection_limit::ConnectionLimit;
use crate::hold::HoldRoom;
use crate::operator::OperatorRoutes;
use crate::shed::Gate;
use crate::statistics::{FrontStatistics, StatisticsRecorder};
use crate::switch::Switch;

/// Stage of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Connections are accepted.
    Open,
    /// No new connections; open ones end with their current response.
    Closing,
    /// Everything ends.
    Stopped,
}

/// State that all connections share.
pub(crate) struct Shared {
    pub(crate) config: FrontConfig,
    pub(crate) routes: Arc<dyn OperatorRoutes>,
    pub(crate) switch: Switch,
    pub(crate) room: Arc<HoldRoom>,
    pub(crate) gate: Gate,
    pub(crate) statistics: Arc<StatisticsRecorder>,
    pub(crate) connections: Arc<ConnectionLimit>,
    pub(crate) stage: watch::Sender<Stage>,
}

impl Shared {
    pub(crate) fn new(config: FrontConfig, routes: Arc<dyn OperatorRoutes>) -> Arc<Self> {
        Arc::new(Shared {
            routes,
            switch: Switch::new(config.pool.clone()),
            room: HoldRoom::new(&config.hold),
            gate: Gate::new(config.priorities.clone()),
            statistics: Arc::default(),
            connections: ConnectionLimit::new(config.limits.max_connections),
            stage: watch::channel(Stage::Open).0,
            config,
        })
    }

    /// Returns the figures of this instant.
    pub(crate) fn statistics(&self) -> FrontStatistics {
        self.statistics.snapshot(self.room.statistics(), self.switch.active_ids(), self.gate.refused())
    }

    /// Completes when the stage is at least `stage`.
    pub(crate) async fn reached(follow: &mut watch::Receiver<Stage>, stage: Stage) {
        // An error means that the front is gone.
        let _ = follow.wait_for(|current| *current >= stage).await;
    }
}
