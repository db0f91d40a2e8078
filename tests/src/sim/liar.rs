//! Somebody who lies to a node: without a certificate, with one that nobody trusts, or with that of a peer whose machine was
//! broken into, but without the key that signs. Nothing of what they say may take effect.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use passerelle_domain::{
    digest::Digest,
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::{EntryIndex, EnvelopeId, Epoch, Position},
    link::{Frame, Hello, LanePositions, PROTOCOL_MAX, PROTOCOL_MIN, Piece},
    parcel,
    receipt::Receipt,
    society::Society,
};
use passerelle_node::{
    clock::Clock as _,
    entropy::{Entropy as _, SeededEntropy},
    store::view::View,
    trust::{Connector, LiveTrust, Network as _, NodeTrust, TrustFolder, TrustMaterial},
};
use passerelle_proto::v1::{self, link_service_client::LinkServiceClient};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};
use tonic::transport::Endpoint;

use super::{
    clock::SimClock,
    faults::Lie,
    homes::Homes,
    insider,
    ledger::Ledger,
    network::{Fabric, SimNetwork, address},
    site::Site,
};

/// How long a lie is kept up.
const WITHIN: Duration = Duration::from_secs(20);

/// Who lies.
pub struct Liar {
    pub(super) trusts: BTreeMap<Society, Arc<NodeTrust>>,
    pub(super) societies: Vec<Society>,
    stranger: Society,
    pub(super) sites: Arc<Vec<Arc<Site>>>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    network: Arc<SimNetwork>,
    pub(super) entropy: SeededEntropy,
    pub(super) clock: SimClock,
}

impl Liar {
    /// A liar on a machine of their own, the one after those of the nodes, who has what the nodes' homes hold.
    ///
    /// # Errors
    /// When the homes cannot be read.
    pub fn new(
        homes: &Homes,
        seed: u64,
        sites: &Arc<Vec<Arc<Site>>>,
        (fabric, ledger): (&Arc<Mutex<Fabric>>, &Arc<Mutex<Ledger>>),
    ) -> anyhow::Result<Self> {
        let host = sites.len();
        fabric.lock().power_on(host, 1);
        let everybody = homes.societies().iter().copied().chain([homes.stranger()]);
        let trusts = everybody.map(|society| {
            let (_, trust) = TrustFolder::open(&homes.home(society))?;
            Ok((society, Arc::new(trust)))
        });
        Ok(Self {
            trusts: trusts.collect::<anyhow::Result<_>>()?,
            societies: homes.societies().to_vec(),
            stranger: homes.stranger(),
            sites: sites.clone(),
            ledger: ledger.clone(),
            network: Arc::new(SimNetwork::new(fabric.clone(), host, 1)),
            entropy: SeededEntropy::new(seed ^ 0x11a5),
            clock: SimClock::new(),
        })
    }

    /// Tells a node a lie in the name of another.
    pub async fn tell(&self, named: usize, to: usize, lie: Lie) {
        let said = tokio::time::timeout(WITHIN, self.lie(named, to, lie)).await;
        let heard = match said {
            Ok(Ok(heard)) => heard,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "nothing more".to_owned(),
        };
        self.ledger.lock().tell(to, format_args!("a liar said {lie:?} and heard: {heard}"));
    }

    async fn lie(&self, named: usize, to: usize, lie: Lie) -> anyhow::Result<String> {
        if lie == Lie::Noise {
            return self.noise(to).await;
        }
        let victim = self.societies[to];
        let as_whom = if lie == Lie::Stranger { self.stranger } else { self.societies[named] };
        let (Some(own), Some(theirs)) = (self.trusts.get(&as_whom), self.trusts.get(&victim)) else {
            anyhow::bail!("there are no keys for that");
        };
        let material = TrustMaterial {
            identity: own.identity.clone(),
            own: own.bundle.bundle().clone(),
            peers: vec![theirs.bundle.bundle().clone()],
        };
        let clock = self.clock.clone();
        let live = LiveTrust::new(&material, Arc::new(move || clock.now()))?;
        let connector = Connector::new(live, victim, self.network.clone());
        let endpoint = Endpoint::from_shared(format!("http://{}", address(to)))?;
        let channel = endpoint.connect_with_connector(connector).await.map_err(|_| anyhow::anyhow!("no connection"))?;
        let mut client = LinkServiceClient::new(channel);
        let (frames, outgoing) = tokio::sync::mpsc::unbounded_channel();
        let other = self.societies[(named + 1) % self.societies.len()];
        let hello = match lie {
            Lie::OtherName => self.hello(other),
            Lie::TakesAll => self.hello_after(self.hello(as_whom), named, to),
            _ => self.hello(as_whom),
        };
        frames.send(v1::Frame::from(Frame::Hello(hello)))?;
        let answer = client.exchange(UnboundedReceiverStream::new(outgoing)).await;
        let mut heard = answer.map_err(|status| anyhow::anyhow!("{:?}", status.code()))?.into_inner();
        while let Some(frame) = heard.next().await {
            let frame = frame.map_err(|status| anyhow::anyhow!("{:?}", status.code()))?;
            match Frame::try_from(frame)? {
                Frame::Hello(hello) => {
                    for frame in self.frames(named, to, lie, &hello) {
                        frames.send(frame)?;
                    }
                }
                Frame::Parcels(piece) if lie == Lie::TakesAll => frames.send(insider::receipt(&piece).into())?,
                Frame::Goodbye(code) => return Ok(format!("goodbye {code:?}")),
                _ => {}
            }
        }
        Ok("the end".to_owned())
    }

    /// Bytes that mean nothing, on a bare connection.
    async fn noise(&self, to: usize) -> anyhow::Result<String> {
        let (mut stream, _) = self.network.dial(address(to).ip().to_string(), address(to).port()).await?;
        let mut bytes = [0; 600];
        self.entropy.fill(&mut bytes);
        stream.write_all(&bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok("silence".to_owned())
    }

    fn hello(&self, society: Society) -> Hello {
        Hello {
            protocol: (PROTOCOL_MIN, PROTOCOL_MAX),
            society,
            epoch: Epoch::new(self.clock.now(), self.entropy.id()),
            lanes: [LanePositions::default(); 3],
            clock: self.clock.now(),
            bundle_version: 1,
            deflate: false,
            brief_receipts: false,
            readings: false,
        }
    }

    fn frames(&self, named: usize, to: usize, lie: Lie, hello: &Hello) -> Vec<v1::Frame> {
        // The routine lane is the one in which most goes.
        let theirs = &hello.lanes[1];
        let (next, queued) = (theirs.received.next(), theirs.queued);
        let frame = match lie {
            Lie::Noise | Lie::Stranger | Lie::OtherName => return Vec::new(),
            Lie::Garbage => {
                let mut content = vec![0; 900];
                self.entropy.fill(&mut content);
                piece(next, content)
            }
            Lie::ForgedReceipt => self.receipt(named, to, queued),
            Lie::ForgedEnvelope => self.forged(named, to, next),
            Lie::Replay => match self.taken_before(named, to) {
                Some(envelope) => parcel_at(next, &envelope),
                None => return Vec::new(),
            },
            Lie::ForeignCancel | Lie::OtherOrigin | Lie::SameId => match self.by_insider(named, to, lie) {
                Some(envelope) => parcel_at(next, &envelope),
                None => return Vec::new(),
            },
            Lie::TakesAll => return Vec::new(),
            Lie::Gap => match self.taken_before(named, to) {
                Some(envelope) => parcel_at(Position(next.0 + 5), &envelope),
                None => return Vec::new(),
            },
        };
        vec![frame.into()]
    }

    /// A receipt for all that waits, signed with a key that is not that of the Society.
    fn receipt(&self, named: usize, to: usize, position: Position) -> Frame {
        let receipt = Receipt {
            by: self.societies[named],
            to: self.societies[to],
            lane: Lane::Routine,
            position,
            hash: Digest::default(),
            entry: EntryIndex(1),
            rejected: Vec::new(),
        };
        Frame::Receipt(receipt.sign(&*self.trusts[&self.stranger].signing))
    }

    /// A subscription that the Society never made: it would hear of nothing more.
    fn forged(&self, named: usize, to: usize, at: Position) -> Frame {
        let envelope = Envelope {
            version: FORMAT_VERSION,
            id: EnvelopeId::new(self.clock.now(), self.entropy.id()),
            origin: self.societies[named],
            recipients: vec![self.societies[to]],
            kind: Kind::Subscription,
            lane: Lane::Routine,
            created_at: self.clock.now(),
            expires_at: None,
            body: Vec::new().into(),
            attachment: None,
        };
        parcel_at(at, &envelope.sign(&*self.trusts[&self.stranger].signing))
    }

    /// An envelope of the routine lane that the node has sent to the other, as somebody kept it on the way.
    pub(super) fn taken_before(&self, named: usize, to: usize) -> Option<SignedEnvelope> {
        let reader = self.sites[named].disk.reader();
        let view = View::of(&reader);
        let out = view.lane_out(self.societies[to], Lane::Routine).ok()?;
        let item = view.lane_item(self.societies[to], Lane::Routine, out.receipted).ok()??;
        SignedEnvelope::from_object(&view.object(item.entry).ok()??).ok()
    }
}

fn piece(position: Position, content: Vec<u8>) -> Frame {
    Frame::Parcels(Piece { lane: Lane::Routine, position, offset: 0, content, deflated: false })
}

/// A parcel as it stands in a lane: its length, then its bytes.
fn parcel_at(position: Position, envelope: &SignedEnvelope) -> Frame {
    piece(position, parcel::write(envelope, &[]))
}
