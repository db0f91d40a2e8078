//! Peers: their bundles, what is told to them, and what is sent to them again.

use std::collections::HashMap;

use passerelle_domain::{
    catalogue::{Role, Segment},
    decide::{Caller, Command, REPLAY_MAX, Reply},
    entry::{Body, Verdict},
    facts::Facts as _,
    ids::EntryIndex,
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_proto::v1::{self, peer_service_server::PeerService};
use tonic::{Request, Response, Status};

use super::{Operator, each, errors::Refused, needed, optional};
use crate::trust::bundle_from_json;

/// Entries looked at in one step of a replay, so that no thread is held for long.
const STEP: u64 = 10_000;

#[tonic::async_trait]
impl PeerService for Operator {
    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<v1::GetBundleResponse>, Status> {
        self.serve("get_bundle", request, |operator, _, message| async move {
            let society: Option<Society> = optional("society", &message.society)?;
            let file = operator
                .blocking(move |operator| match society.filter(|society| *society != operator.own) {
                    None => operator.peers.own_bundle(),
                    Some(society) => operator.peers.bundle_of(society),
                })
                .await?;
            Ok(v1::GetBundleResponse { bundle: file.bytes, fingerprint_words: file.words })
        })
        .await
    }

    async fn add_peer(&self, request: Request<v1::AddPeerRequest>) -> Result<Response<v1::AddPeerResponse>, Status> {
        self.serve("add_peer", request, |operator, caller, message| async move {
            caller.require(&[Role::NodeAdmin])?;
            let words = message.fingerprint_words.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = Some(words.to_lowercase()).filter(|words| !words.is_empty());
            match operator.peers.add(caller, message.bundle.clone(), words).await {
                Ok(added) => Ok(v1::AddPeerResponse {
                    society: added.society.to_string(),
                    version: added.version,
                    fingerprint_words: added.words,
                    entry_index: added.entry.0,
                }),
                Err(refusal) if refusal.field.as_deref() == Some("fingerprint_words") => {
                    Err(with_words(refusal, &message.bundle))
                }
                Err(refusal) => Err(refusal.into()),
            }
        })
        .await
    }

    async fn remove_peer(
        &self,
        request: Request<v1::RemovePeerRequest>,
    ) -> Result<Response<v1::RemovePeerResponse>, Status> {
        self.serve("remove_peer", request, |operator, caller, message| async move {
            caller.require(&[Role::NodeAdmin])?;
            let society = needed("society", &message.society)?;
            let EntryIndex(entry_index) = operator.peers.remove(caller, society).await?;
            Ok(v1::RemovePeerResponse { entry_index })
        })
        .await
    }

    async fn list_peers(
        &self,
        request: Request<v1::ListPeersRequest>,
    ) -> Result<Response<v1::ListPeersResponse>, Status> {
        self.serve("list_peers", request, |operator, _, _| async move {
            let peers = operator.blocking(Operator::peer_statuses).await?;
            Ok(v1::ListPeersResponse { peers })
        })
        .await
    }

    async fn set_subscription(
        &self,
        request: Request<v1::SetSubscriptionRequest>,
    ) -> Result<Response<v1::SetSubscriptionResponse>, Status> {
        self.serve("set_subscription", request, |operator, caller, message| async move {
            let segments: Vec<Segment> = each("segments", &message.segments)?;
            if message.everything && !segments.is_empty() {
                let text = "name the segments, or everything, and not both";
                return Err(Refusal::new(Code::Malformed, text).at("everything").into());
            }
            let segments = if message.everything { None } else { Some(segments) };
            let entropy = operator.entropy.id();
            let EntryIndex(entry_index) =
                operator.submit_for_entry(Command::Subscribe { caller, entropy, segments }).await?;
            Ok(v1::SetSubscriptionResponse { entry_index })
        })
        .await
    }

    async fn replay_to_peer(
        &self,
        request: Request<v1::ReplayToPeerRequest>,
    ) -> Result<Response<v1::ReplayToPeerResponse>, Status> {
        self.serve("replay", request, |operator, caller, message| async move {
            caller.require(&[Role::NodeAdmin, Role::Supervisor])?;
            let peer = needed("society", &message.society)?;
            let entries = operator.engine.durable().borrow().entries;
            if message.from_entry >= entries {
                let text = format!("the journal ends with entry {}", entries.saturating_sub(1));
                return Err(Refusal::new(Code::UnknownEntry, text).at("from_entry").into());
            }
            let end = if message.until_entry == 0 { entries } else { entries.min(message.until_entry + 1) };
            operator.replay(caller, peer, message.from_entry, end).await
        })
        .await
    }
}

/// A person must compare the words first: they come with the refusal.
fn with_words(refusal: Refusal, bundle: &[u8]) -> Refused {
    let refused = Refused::from(refusal);
    match bundle_from_json(bundle) {
        Ok(bundle) => refused.with("fingerprint_words", bundle.bundle().fingerprint().words().join(" ")),
        Err(_) => refused,
    }
}

impl Operator {
    /// Sends again what the entries from `from` to before `end` issued to the peer, as many a command as one may name.
    async fn replay(
        &self,
        caller: Caller,
        peer: Society,
        from: u64,
        end: u64,
    ) -> Result<v1::ReplayToPeerResponse, Refused> {
        let mut answer = v1::ReplayToPeerResponse::default();
        let mut withheld: HashMap<String, u64> = HashMap::new();
        let mut next = from;
        let mut asked = false;
        while next < end || !asked {
            let (entries, after) = self
                .blocking(move |operator| operator.issued_to(peer, next, end.min(next.saturating_add(STEP))))
                .await?;
            next = after;
            // At least one command is asked for, so that a peer that is none is refused and the wish is recorded.
            if entries.is_empty() && (asked || next < end) {
                continue;
            }
            asked = true;
            match self.submit(Command::Replay { caller: caller.clone(), peer, entries }).await? {
                Reply::Replayed { entry, envelopes, withheld: kept } => {
                    answer.entry_index = entry.0;
                    answer.envelopes += envelopes;
                    kept.into_iter().for_each(|(_, code)| *withheld.entry(code).or_default() += 1);
                }
                _ => return Err(Refusal::new(Code::StoreFailed, "the engine answered something else").into()),
            }
        }
        answer.withheld = withheld;
        Ok(answer)
    }

    /// Entries in the range that issued something to the peer, or took something of its own from it; at most
    /// [`REPLAY_MAX`], and where to go on.
    fn issued_to(&self, peer: Society, from: u64, end: u64) -> Result<(Vec<EntryIndex>, u64), Refusal> {
        let view = self.view();
        let mut entries = Vec::new();
        for index in from..end {
            if entries.len() == REPLAY_MAX {
                return Ok((entries, index));
            }
            let concerns = match view.entry(EntryIndex(index))?.map(|entry| entry.body) {
                Some(Body::Issued(meta)) => meta.recipients.contains(&peer),
                Some(Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. }) => {
                    meta.origin == peer && meta.attachment.is_none()
                }
                _ => false,
            };
            if concerns {
                entries.push(EntryIndex(index));
            }
        }
        Ok((entries, end))
    }
}
