//! Peers: met, forgotten, restored, sent to again.

use crate::{
    bundle::Bundle,
    catalogue::{Role, Segment},
    digest::Digest,
    entry::{Body, PeerChange, SCHEMA_VERSION},
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    facts::Facts,
    fold::{Content, Subscription},
    handover::Gate,
    ids::{EntryIndex, EnvelopeId, Epoch, IdEntropy, Position},
    limits::{LANE_AHEAD_MAX, PEERS_MAX},
    receipt::running_hash,
    refusal::{Code, Refusal},
    rows::LaneOut,
    society::Society,
};

use super::{Caller, Context, Decision, NewEntry, REPLAY_MAX, Reply, alerts::check_segments, handovers, withdrawals};

/// The first entry.
pub(super) fn begin(context: &Context<'_>, epoch: Epoch) -> Decision {
    let body = Body::Genesis { society: context.own, epoch, schema: SCHEMA_VERSION };
    Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } }
}

/// Takes a bundle whose signature was verified by whoever must have signed it.
pub(super) fn take_bundle(
    context: &Context<'_>,
    caller: &Caller,
    bundle: Bundle,
    payload: Vec<u8>,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::NodeAdmin])?;
    let society = bundle.society;
    if society == context.own {
        return Err(Refusal::new(Code::SameSociety, "a node does not peer with its own Society"));
    }
    let digest = Digest::of(&payload);
    if let Some(known) = context.facts.peer(society)?
        && !known.removed
    {
        if known.digest == digest {
            return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: known.entry } });
        }
        if bundle.version <= known.version {
            let message = format!("version {} of the bundle is known, this is {}", known.version, bundle.version);
            return Err(Refusal::new(Code::StaleBundle, message));
        }
    } else if context.facts.peers()?.len() >= PEERS_MAX {
        return Err(Refusal::new(Code::TooMany, format!("a node has at most {PEERS_MAX} peers")));
    }
    let body = Body::Peer { society, change: PeerChange::Bundle { version: bundle.version, digest } };
    let entry = NewEntry::with_object(body, payload, Some(Content::Bundle(Box::new(bundle))));
    Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
}

/// Forgets a peer. Its lanes stay, in case it returns.
pub(super) fn remove(context: &Context<'_>, caller: &Caller, society: Society) -> Result<Decision, Refusal> {
    caller.require(&[Role::NodeAdmin])?;
    match context.facts.peer(society)? {
        Some(row) if !row.removed => {
            let entry = NewEntry::bare(Body::Peer { society, change: PeerChange::Removed });
            Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
        }
        _ => Err(unknown_peer(society)),
    }
}

fn unknown_peer(society: Society) -> Refusal {
    Refusal::new(Code::UnknownPeer, format!("{society} is no peer of this node"))
}

/// Declares to every peer which segments our Society wants alerts of.
pub(super) fn subscribe(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    segments: Option<Vec<Segment>>,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::NodeAdmin, Role::DutyOfficer, Role::AlertApprover])?;
    check_segments(segments.as_deref())?;
    let recipients: Vec<Society> = context.facts.peers()?.into_iter().map(|(society, _)| society).collect();
    if recipients.is_empty() {
        return Err(Refusal::new(Code::UnknownPeer, "this node has no peers yet"));
    }
    let subscription = Subscription { segments };
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, entropy),
        origin: context.own,
        recipients,
        kind: Kind::Subscription,
        lane: Lane::Routine,
        created_at: context.wall,
        expires_at: None,
        body: crate::envelope::to_cbor(&subscription).into(),
        attachment: None,
    };
    Ok(Decision::issuing(context, &envelope, Content::Subscription(subscription)))
}

/// Puts envelopes into a peer's lanes again. Each passes today's rules as if it were sent for the
/// first time; those that do not are withheld, with their reason.
pub(super) fn replay(
    context: &Context<'_>,
    caller: &Caller,
    peer: Society,
    asked: Vec<EntryIndex>,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::NodeAdmin, Role::Supervisor])?;
    if asked.len() > REPLAY_MAX {
        return Err(Refusal::new(Code::TooMany, format!("one replay names at most {REPLAY_MAX} entries")));
    }
    if context.facts.peer(peer)?.is_none_or(|row| row.removed) {
        return Err(unknown_peer(peer));
    }
    let (mut entries, mut withheld) = (Vec::new(), Vec::new());
    for index in asked {
        match may_replay(context, peer, index) {
            Ok(true) => entries.push(index),
            Ok(false) => {}
            Err(refusal) if refusal.code == Code::StoreFailed => return Err(refusal),
            Err(refusal) => withheld.push((index, refusal.code.as_str().to_owned())),
        }
    }
    let reply = Reply::Replayed { entry: context.next, envelopes: entries.len() as u64, withheld: withheld.clone() };
    Ok(Decision { entries: vec![NewEntry::bare(Body::Replayed { peer, entries, withheld })], reply })
}

/// Whether an entry issued something to the peer that may go there again.
fn may_replay(context: &Context<'_>, peer: Society, index: EntryIndex) -> Result<bool, Refusal> {
    let Some(entry) = context.facts.entry(index)? else { return Ok(false) };
    let meta = match entry.body {
        Body::Issued(meta) if meta.recipients.contains(&peer) => meta,
        // A peer whose store was restored gets its own envelopes back.
        Body::Received { envelope: Some(meta), verdict: crate::entry::Verdict::Accepted, .. }
            if meta.origin == peer && meta.attachment.is_none() =>
        {
            meta
        }
        _ => return Ok(false),
    };
    if meta.expires_at.is_some_and(|expires| expires <= context.now) {
        return Err(Refusal::new(Code::Expired, "the envelope has expired"));
    }
    if context.facts.object(index)?.is_none() {
        return Err(Refusal::new(Code::PackageAbsent, "the envelope was erased"));
    }
    if matches!(meta.kind, Kind::HandoverOffer | Kind::HandoverRelease)
        && meta.origin == context.own
        && let Some(subject) = meta.subject
    {
        if let Some(row) = context.facts.handover(subject.into())? {
            withdrawals::check_in_use(context, subject.into(), &row)?;
        }
        handovers::recheck(context, subject.into(), Gate::Replay)?;
    }
    Ok(true)
}

/// A peer's store is in another life than we knew.
pub(super) fn meet_epoch(context: &Context<'_>, peer: Society, epoch: Epoch) -> Result<Decision, Refusal> {
    let row = context.facts.peer(peer)?.ok_or_else(|| unknown_peer(peer))?;
    let entries =
        if row.epoch == Some(epoch) { Vec::new() } else { vec![NewEntry::bare(Body::EpochChanged { peer, epoch })] };
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// Whether our end of a lane has `hash` at `position`, and everything that is to follow it. A peer that was restored asks
/// for what it had before, and of that some may be missing here since our own store was restored too.
///
/// # Errors
/// When the facts cannot be read.
pub fn joins(facts: &dyn Facts, peer: Society, lane: Lane, position: Position, hash: &Digest) -> Result<bool, Refusal> {
    let out = facts.lane_out(peer, lane)?;
    if position == out.receipted {
        return ends_so(facts, peer, lane, &out, hash);
    }
    if position > out.receipted {
        let known = facts.lane_item(peer, lane, position)?.is_some_and(|item| item.hash == *hash);
        return Ok(position <= out.queued && known);
    }
    let begins = position == Position(0) && *hash == Digest::default();
    if !begins && facts.lane_item(peer, lane, position)?.is_none_or(|item| item.hash != *hash) {
        return Ok(false);
    }
    let mut before = *hash;
    for at in (position.0 + 1..=out.receipted.0).map(Position) {
        // A row may be left of what once stood there, before the lane was made to go on elsewhere.
        let Some(item) = facts.lane_item(peer, lane, at)? else { return Ok(false) };
        let entry = facts.entry(item.entry)?;
        let Some(meta) = entry.as_ref().and_then(|entry| entry.body.envelope()) else { return Ok(false) };
        if item.hash != running_hash(&before, at, &meta.digest) {
            return Ok(false);
        }
        before = item.hash;
    }
    Ok(true)
}

/// Whether `hash` is that of a lane where the peer has receipted it: what comes after that was made of it. The row of the
/// place itself may be gone, or that of another life of the store.
fn ends_so(facts: &dyn Facts, peer: Society, lane: Lane, out: &LaneOut, hash: &Digest) -> Result<bool, Refusal> {
    if out.queued == out.receipted {
        return Ok(out.queued_hash == *hash);
    }
    let next = out.receipted.next();
    let Some(item) = facts.lane_item(peer, lane, next)? else { return Ok(true) };
    let entry = facts.entry(item.entry)?;
    let meta = entry.as_ref().and_then(|entry| entry.body.envelope());
    Ok(meta.is_none_or(|meta| running_hash(hash, next, &meta.digest) == item.hash))
}

/// Our end of a lane goes on after what the peer holds; `bad_position` when that is far beyond what was ever sent.
pub(super) fn advance_lane(
    context: &Context<'_>,
    peer: Society,
    lane: Lane,
    position: Position,
    hash: Digest,
) -> Result<Decision, Refusal> {
    // What we lost with our store is not without end; a claim that is would have the lane walked for as long.
    let queued = context.facts.lane_out(peer, lane)?.queued;
    if position.0 > queued.0.saturating_add(LANE_AHEAD_MAX) {
        return Err(Refusal::new(
            Code::BadPosition,
            format!("a peer may hold at most {LANE_AHEAD_MAX} envelopes of the {lane} lane that are not known here"),
        ));
    }
    let entries = if joins(context.facts, peer, lane, position, &hash)? {
        Vec::new()
    } else {
        vec![NewEntry::bare(Body::LaneAdvanced { peer, lane, position, hash })]
    };
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}
