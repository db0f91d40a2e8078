//! Dials one peer, for as long as the node runs: at once when something waits and the peer can be
//! reached, ever more rarely when it cannot.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use passerelle_domain::{
    decide::Command,
    entry::Actor,
    envelope::Lane,
    facts::Facts as _,
    limits::{FRAME_BYTES_MAX, HANDSHAKE_SECONDS_MAX},
    link::{Backoff, Waiting},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use passerelle_proto::v1::{self, link_service_client::LinkServiceClient};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use crate::{
    store::{
        keys,
        view::{decode, encode},
    },
    trust::Connector,
};

use super::{
    Direction, Link, LinkState,
    session::{Driver, Ended, OUTGOING_FRAMES},
};

/// Addresses of a peer, `host:port`, tried in turn; replaced when the configuration or its bundle changes.
pub type Addresses = Arc<ArcSwap<Vec<String>>>;

/// HTTP/2 windows: wider than what the link's own pace lets into flight, so that they never decide.
const WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// The pause after a session that broke, and after a dial that crossed with one of the peer.
const AFTER_BREAK: Duration = Duration::from_millis(250);
const AFTER_CROSSING: Duration = Duration::from_secs(2);

/// A session that breaks sooner after its dial counts as a dial that failed.
const LASTED: Duration = Duration::from_secs(5);

/// Dials `peer` whenever no session is up, until `stop`.
pub async fn dial_for_ever(link: Link, peer: Society, addresses: Addresses, stop: CancellationToken) {
    let mut backoff = stored_backoff(&link, peer);
    let (mut turn, mut round_trip) = (0_usize, None);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = until_due(&link, peer, &addresses, backoff) => {}
        }
        let address = {
            let addresses = addresses.load();
            turn = turn.wrapping_add(1);
            addresses.get(turn % addresses.len().max(1)).cloned()
        };
        let Some(address) = address else { continue };
        link.statuses.update(peer, |status| status.state = LinkState::Dialling);
        let patience = backoff.patience(round_trip, Duration::from_secs(HANDSHAKE_SECONDS_MAX));
        let dialled = Instant::now();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            ended = dial(&link, peer, &address, patience, &stop) => ended,
        };
        round_trip = ended.round_trip.or(round_trip);
        note_end(&link, peer, &ended);
        // Authenticated contact means that the peer can be reached; what breaks as soon as it is up is no contact, lest
        // two nodes that will not have each other dial without a pause.
        let lasted = ended.code.is_none() || dialled.elapsed() > LASTED;
        let reached = ended.was_up && lasted || ended.code == Some(Code::SessionExists);
        backoff = if reached {
            Backoff { failures: 0, failed_at: link.clock.now() }
        } else {
            backoff.failed(link.clock.now())
        };
        link.engine.put_local(keys::backoff(peer), encode(&backoff)).await;
        if reached && ended.code.is_some() {
            // It broke: a moment's pause, lest two nodes that disagree dial in a circle. Where the other dial stands,
            // its session is about to come up, or to be found dead.
            let exists = ended.code == Some(Code::SessionExists);
            tokio::time::sleep(if exists { AFTER_CROSSING } else { AFTER_BREAK }).await;
        }
    }
}

fn stored_backoff(link: &Link, peer: Society) -> Backoff {
    let bytes = link.engine.store().get(&keys::backoff(peer)).ok().flatten();
    bytes.and_then(|bytes| decode(&bytes).ok()).unwrap_or_default()
}

/// Waits until there is no session, there is an address, and the pause is over. The pause is looked
/// at again whenever something becomes durable: what is urgent shortens it.
async fn until_due(link: &Link, peer: Society, addresses: &Addresses, mut backoff: Backoff) {
    let mut jitter = [0];
    link.entropy.fill(&mut jitter);
    let mut durable = link.engine.durable();
    loop {
        let changed = link.registry.changed();
        tokio::pin!(changed);
        // From here on no beginning and no end of a session is missed.
        changed.as_mut().enable();
        if link.registry.is_up(peer) {
            changed.await;
            continue;
        }
        if addresses.load().is_empty() || !link.is_peer(peer) {
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            continue;
        }
        let now = link.clock.now();
        // A clock that was set back must not silence the link for as long.
        backoff.failed_at = backoff.failed_at.min(now);
        let due = backoff.next_dial(waiting(link, peer), jitter[0]);
        if due <= now {
            return;
        }
        link.statuses.update(peer, |status| {
            status.state = LinkState::Waiting;
            status.next_dial = Some(due);
        });
        tokio::select! {
            biased;
            () = tokio::time::sleep(due.since(now)) => {}
            () = changed => {}
            more = durable.changed() => if more.is_err() { std::future::pending::<()>().await },
        }
    }
}

/// What waits for the peer.
fn waiting(link: &Link, peer: Society) -> Waiting {
    let view = link.engine.view();
    let waits = |lane| view.lane_out(peer, lane).is_ok_and(|out| out.queued > out.receipted);
    if waits(Lane::Urgent) {
        Waiting::Urgent
    } else if waits(Lane::Routine) || waits(Lane::Bulk) {
        Waiting::Routine
    } else {
        Waiting::Nothing
    }
}

/// One dial and, if the peer answers within `patience` and all else succeeds, its session.
async fn dial(link: &Link, peer: Society, address: &str, patience: Duration, stop: &CancellationToken) -> Ended {
    let whole = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
    match tokio::time::timeout(whole, open(link, peer, address, patience)).await {
        Ok(Ok((frames, sender, until))) => {
            link.statuses.update(peer, |status| status.certificate_until = until);
            match Driver::new(link, peer, Direction::Out, sender) {
                Ok(driver) => driver.run(frames, stop.clone()).await,
                Err(refusal) => Ended::before_it_began(refusal.code),
            }
        }
        Ok(Err(refusal)) => {
            tracing::debug!(%peer, address, code = %refusal.code, reason = %refusal.message, "the dial failed");
            if refusal.code == Code::BadCertificate {
                record(link, peer, refusal.code).await;
            }
            Ended::before_it_began(refusal.code)
        }
        Err(_) => Ended::before_it_began(Code::PeerUnreachable),
    }
}

type Opened = (tonic::Streaming<v1::Frame>, mpsc::Sender<v1::Frame>, Option<Time>);

async fn open(link: &Link, peer: Society, address: &str, patience: Duration) -> Result<Opened, Refusal> {
    let unreachable = |what: String| Refusal::new(Code::PeerUnreachable, what);
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| unreachable("the address is none".to_owned()))?
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let connector = Connector::new(link.trust.clone(), peer, link.network.clone()).answered_within(patience);
    // Whether the peer accepts our certificate shows at the first call; the connector knows why.
    let refused = || connector.refusal().unwrap_or_else(|| unreachable("the peer does not answer".to_owned()));
    let channel = endpoint.connect_with_connector(connector.clone()).await.map_err(|_| refused())?;
    let mut client = LinkServiceClient::new(channel).max_decoding_message_size(FRAME_BYTES_MAX);
    let (sender, receiver) = mpsc::channel(OUTGOING_FRAMES);
    let answer = client.exchange(ReceiverStream::new(receiver)).await.map_err(|_| refused())?;
    let mut connections = link.trust.peer_connections().into_iter();
    let until = connections.find(|info| info.society == peer && info.dialled).map(|info| info.not_after);
    Ok((answer.into_inner(), sender, until))
}

/// A session or a dial has ended.
pub(super) fn note_end(link: &Link, peer: Society, ended: &Ended) {
    if !link.registry.is_up(peer) {
        link.metrics.link_up(peer, false);
        link.statuses.update(peer, |status| {
            status.state = LinkState::Waiting;
            status.round_trip = None;
        });
    }
    if let Some(code) = ended.code.filter(|code| *code != Code::SessionExists) {
        link.statuses.update(peer, |status| status.last_error = Some(code));
    }
}

/// Has the journal say that the peer was refused.
async fn record(link: &Link, peer: Society, code: Code) {
    let actor = Actor::Peer(peer);
    let command = Command::RecordRefusal { actor, request: "dial", code, uncounted: 0 };
    // The record of a refusal is worth an attempt, not an error of its own.
    let _ = link.engine.submit(command).await;
}
