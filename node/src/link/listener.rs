//! The peer port: takes the streams that peers open. The peer is who its certificate says.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use passerelle_domain::limits::FRAME_BYTES_MAX;
use passerelle_proto::v1::{
    self,
    link_service_server::{LinkService, LinkServiceServer},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::trust::PeerInfo;

use super::{
    Direction, Link,
    session::{Driver, OUTGOING_FRAMES},
};

/// The gRPC service of the peer port.
pub struct Listener(Link);

impl Listener {
    /// The service, ready for a server.
    #[must_use]
    pub fn service(link: Link) -> LinkServiceServer<Self> {
        LinkServiceServer::new(Self(link)).max_decoding_message_size(FRAME_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl LinkService for Listener {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<v1::Frame, Status>> + Send>>;

    async fn exchange(&self, request: Request<Streaming<v1::Frame>>) -> Result<Response<Self::ExchangeStream>, Status> {
        let info = request.extensions().get::<PeerInfo>().cloned();
        let Some(info) = info else { return Err(Status::unauthenticated("no peer certificate")) };
        let (sender, receiver) = mpsc::channel(OUTGOING_FRAMES);
        let link = self.0.clone();
        let frames = request.into_inner();
        link.spawner.clone().spawn("session", async move {
            let peer = info.society;
            link.statuses.update(peer, |status| status.certificate_until = Some(info.not_after));
            match Driver::new(&link, peer, Direction::In, sender).await {
                Ok(driver) => {
                    let stop = link.spawner.token().clone();
                    let ended = driver.run(frames, stop).await;
                    super::dialler::note_end(&link, peer, &ended);
                }
                Err(refusal) => tracing::error!(%peer, code = %refusal.code, "no session could begin"),
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver).map(Ok).boxed()))
    }
}
