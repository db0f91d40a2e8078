//! The connection to a node: over its Unix socket, or over TCP with mutual TLS of our own making.
//! One channel, a typed client for each service, and one way to make a call.

mod tls;

use std::{path::Path, time::Duration};

use hyper_util::rt::TokioIo;
use passerelle_domain::limits::OPERATOR_MESSAGE_BYTES_MAX;
use passerelle_proto::v1::{
    alert_service_client::AlertServiceClient, audit_service_client::AuditServiceClient,
    consent_service_client::ConsentServiceClient, handover_service_client::HandoverServiceClient,
    peer_service_client::PeerServiceClient, retention_service_client::RetentionServiceClient,
    safeguard_service_client::SafeguardServiceClient, status_service_client::StatusServiceClient,
    subject_service_client::SubjectServiceClient, watch_service_client::WatchServiceClient,
};
use tokio::net::UnixStream;
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

use crate::{
    failure::{Failure, connection_failure},
    profile::Target,
};

/// A node, connected.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    timeout: Duration,
    /// Why the TLS connection ended; stays empty over a socket.
    verdict: tls::Verdict,
}

macro_rules! services {
    ($($name:ident: $client:ident,)+) => {$(
        /// The typed client of the service.
        #[must_use]
        pub fn $name(&self) -> $client<Channel> {
            $client::new(self.channel.clone())
                .max_decoding_message_size(OPERATOR_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(OPERATOR_MESSAGE_BYTES_MAX)
        }
    )+};
}

impl Client {
    /// Connects within `timeout`, which then also bounds each answer.
    ///
    /// # Errors
    /// `unreachable`, `timeout` or `unauthenticated`, and what is wrong with the files of a TLS target.
    pub async fn connect(target: &Target, timeout: Duration) -> Result<Self, Failure> {
        let mut verdict = tls::Verdict::default();
        let connected = match target {
            Target::Socket(path) => tokio::time::timeout(timeout, over_socket(path)).await,
            Target::Tls(target) => {
                let connector = tls::Connector::new(target)?;
                verdict = connector.verdict();
                tokio::time::timeout(timeout, over_tls(connector, &target.address)).await
            }
        };
        let channel = connected.map_err(|_| {
            let message = format!("no connection within {} s", timeout.as_secs_f64());
            Failure::unreachable(message, "Check that the node runs, or allow it more time with --timeout.")
        })??;
        Ok(Self { channel, timeout, verdict })
    }

    services! {
        alerts: AlertServiceClient,
        audit: AuditServiceClient,
        consents: ConsentServiceClient,
        handovers: HandoverServiceClient,
        peers: PeerServiceClient,
        safeguards: SafeguardServiceClient,
        retention: RetentionServiceClient,
        status: StatusServiceClient,
        subjects: SubjectServiceClient,
        watch: WatchServiceClient,
    }

    /// The answer of a call, or why there is none.
    ///
    /// # Errors
    /// What the node refused, what broke on the way, or `timeout`.
    pub async fn call<T>(&self, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.verdict.get().map_or_else(|| Failure::from_status(&status), Failure::from_tls)),
            Err(_) => Err(Failure::timed_out(self.timeout)),
        }
    }
}

fn endpoint() -> Endpoint {
    // The name is never resolved: the connectors know where to go. It is `http` because TLS is ours.
    Endpoint::from_static("http://passerelle")
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .keep_alive_while_idle(true)
}

async fn over_socket(path: &Path) -> Result<Channel, Failure> {
    let place = path.to_owned();
    let connector = tower::service_fn(move |_| {
        let place = place.clone();
        async move { UnixStream::connect(place).await.map(TokioIo::new) }
    });
    let what = format!("cannot connect to {}", path.display());
    endpoint().connect_with_connector(connector).await.map_err(|error| connection_failure(&error, &what))
}

async fn over_tls(connector: tls::Connector, address: &str) -> Result<Channel, Failure> {
    let what = format!("cannot connect to {address}");
    endpoint().connect_with_connector(connector).await.map_err(|error| connection_failure(&error, &what))
}
