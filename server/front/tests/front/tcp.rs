//! `--front tcp`: bytes instead of requests.

use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontMode, HoldLimits};

use crate::support::{Program, TestFront, until};

#[tokio::test]
async fn bytes_are_forwarded_and_new_connections_wait() {
    let echo = || {
        Program::start(|mut peer| async move {
            while let Some(part) = peer.exactly(4).await {
                peer.send(part).await;
            }
            peer.send("end").await;
        })
    };
    let front = TestFront::start(FrontConfig { mode: FrontMode::Tcp, ..FrontConfig::default() });
    let mut client = front.connect().await;
    client.send("\0abc").await;
    until("the wait", || front.handle.statistics().held.now == 1).await;
    let old = echo();
    front.handle.activate(old.upstream(1));
    assert_eq!(client.exactly(4).await.unwrap(), b"\0abc");
    assert_eq!(front.handle.in_flight(1), 1);
    let new = echo();
    front.handle.activate(new.upstream(2));
    front.handle.drain(1);
    let mut second = front.connect().await;
    second.send("4321").await;
    assert_eq!(second.exactly(4).await.unwrap(), b"4321");
    assert_eq!((old.accepted(), new.accepted()), (1, 1));
    client.send("1234").await;
    assert_eq!(client.exactly(4).await.unwrap(), b"1234", "the old connection is still there");
    client.finish().await;
    assert_eq!(client.rest().await, b"end");
    until("the end", || front.handle.in_flight(1) == 0).await;
}

#[tokio::test]
async fn a_connection_waits_no_longer_than_allowed() {
    let hold = HoldLimits { time: Duration::from_millis(50), ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { mode: FrontMode::Tcp, hold, ..FrontConfig::default() });
    assert_eq!(front.connect().await.rest().await, b"");
    assert_eq!(front.handle.statistics().held.refused, 1);
}
