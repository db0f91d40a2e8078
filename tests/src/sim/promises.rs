//! What two journals must say of each other: whoever receives, that it was issued so; whoever sends, that it was received
//! so, refused so, or ended as its own rules say. Held against each entry as it is written, and against whole journals at
//! the end. Touches memory alone.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_domain::{
    digest::Digest,
    entry::{Body, Entry, EnvelopeMeta, Verdict},
    envelope::{Kind, Lane},
    facts::Facts as _,
    ids::{AlertId, EntryIndex, HandoverId, Position},
    limits::RECEIPT_REJECTIONS_MAX,
    receipt::SignedReceipt,
    society::Society,
    time::Time,
};
use passerelle_node::store::view::{View, decode};

use super::{invariants::Invariant, network::paths::Millis};

/// What was sent before its sender knew better may arrive this much later: TCP's patience, and the way.
const ON_ITS_WAY: Millis = 65_000;

/// Something broken: which invariant, and how.
pub(super) type Broken = (Invariant, String);

/// An envelope as it was issued.
#[derive(Clone, Debug)]
struct Issued {
    by: usize,
    kind: Kind,
    subject: Option<HandoverId>,
}

/// What nodes have said so far, whatever they lost of it since.
#[derive(Default)]
pub(super) struct Promises {
    issued: BTreeMap<Digest, Issued>,
    alerts: BTreeMap<AlertId, Society>,
    /// Since when a node knows that a handover of its own may go no further, and how much later it may still arrive.
    stopped: BTreeMap<(usize, HandoverId), (Millis, Millis)>,
    /// Offers that ended at their node before they can have been sent.
    pub(super) lapsed: BTreeSet<(Society, HandoverId)>,
}

/// Where and when an entry was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// The node.
    pub(super) node: usize,
    /// Its Society.
    pub(super) society: Society,
    /// When, in virtual time.
    pub(super) at: Millis,
}

impl Promises {
    /// A node wrote an entry. `stops` are the handovers that stop with it, as the simulation knows by itself.
    /// `knows` says whether the node has the alert of an origin.
    pub(super) fn see(
        &mut self,
        written: Written,
        entry: &Entry,
        stops: &[HandoverId],
        knows: &dyn Fn(Society, AlertId) -> bool,
    ) -> Vec<Broken> {
        for handover in stops {
            self.stopped.entry((written.node, *handover)).or_insert((written.at, ON_ITS_WAY));
        }
        match &entry.body {
            Body::Issued(meta) => {
                let subject = meta.subject.map(HandoverId::from);
                self.issued.insert(meta.digest, Issued { by: written.node, kind: meta.kind, subject });
                if meta.kind == Kind::Alert {
                    self.alerts.insert(meta.id.into(), written.society);
                }
                Vec::new()
            }
            Body::Received { digest, envelope, verdict, .. } => {
                let mut broken = self.late(written, digest, verdict);
                if let (Verdict::Accepted, Some(meta)) = (verdict, envelope) {
                    broken.extend(self.origin(written, meta, knows));
                }
                broken
            }
            _ => Vec::new(),
        }
    }

    /// Something was signed with the keys of a node's Society, though not by its node.
    pub(super) fn signed(&mut self, digest: Digest, node: usize, kind: Kind) {
        self.issued.insert(digest, Issued { by: node, kind, subject: None });
    }

    /// Nothing of a handover that stopped can have been on its way by now: there was no connection since before it was made.
    pub(super) fn was_not_sent(&mut self, node: usize, handover: HandoverId) {
        if let Some((_, on_its_way)) = self.stopped.get_mut(&(node, handover)) {
            *on_its_way = 0;
        }
    }

    /// A handover whose consent has ended stops, and nothing of it can have been on its way.
    pub(super) fn ended_unsent(&mut self, node: usize, handover: HandoverId, now: Millis) {
        self.stopped.insert((node, handover), (now, 0));
    }

    /// The store of a node lost something: of what was stopped, that stays which it still `knows` of.
    pub(super) fn forget(&mut self, node: usize, knows: impl Fn(HandoverId) -> bool) {
        self.stopped.retain(|(stopped, handover), _| *stopped != node || knows(*handover));
    }

    /// What took effect was issued by whose it is, and says of nobody else's alert how it stands.
    fn origin(&self, written: Written, meta: &EnvelopeMeta, knows: &dyn Fn(Society, AlertId) -> bool) -> Vec<Broken> {
        let Written { society, .. } = written;
        let mut broken = Vec::new();
        if !self.issued.contains_key(&meta.digest) {
            let text = format!("{society} took {} {} of {}, who never issued it", meta.kind, meta.id, meta.origin);
            broken.push((Invariant::OriginSpeaks, text));
        }
        if matches!(meta.kind, Kind::AlertCancel | Kind::AlertRedact)
            && let Some(alert) = meta.subject.map(AlertId::from)
            && let Some(origin) = self.alerts.get(&alert).filter(|origin| **origin != meta.origin)
            && knows(*origin, alert)
        {
            let text = format!("{society} took a {} of {} for alert {alert} of {origin}", meta.kind, meta.origin);
            broken.push((Invariant::OriginSpeaks, text));
        }
        broken
    }

    /// Nothing about a person is sent once its sender knows that it may not be.
    fn late(&self, written: Written, digest: &Digest, verdict: &Verdict) -> Vec<Broken> {
        let Some(Issued { by, kind: Kind::HandoverOffer | Kind::HandoverRelease, subject: Some(handover) }) =
            self.issued.get(digest)
        else {
            return Vec::new();
        };
        // What stands in its place has its digest too.
        let is_whole = !matches!(verdict, Verdict::Rejected(code) if code == "expired");
        let since = self.stopped.get(&(*by, *handover)).filter(|_| is_whole);
        match since {
            Some((since, on_its_way)) if written.at > since + on_its_way && *by != written.node => {
                let waited = (written.at - since) / 1_000;
                let text = format!(
                    "{} got something of {handover}, {waited} s after its sender knew it stopped",
                    written.society
                );
                vec![(Invariant::ConsentKept, text)]
            }
            _ => Vec::new(),
        }
    }
}

/// A journal, whole, as it stands at the end.
pub(super) struct Whole<'a> {
    /// Whose.
    pub(super) society: Society,
    /// Whether an earlier state was ever put in its place: then others may know better.
    pub(super) restored: bool,
    view: View<'a>,
    entries: Vec<Entry>,
}

impl<'a> Whole<'a> {
    /// The journal of a store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(
        society: Society,
        restored: bool,
        store: &'a dyn passerelle_node::store::Store,
    ) -> anyhow::Result<Self> {
        let view = View::of(store);
        let size = view.head()?.map_or(0, |head| head.frontier.size());
        let entries: Result<Vec<_>, _> =
            (0..size).map(|at| view.entry(EntryIndex(at)).map(Option::into_iter)).collect();
        Ok(Self { society, restored, view, entries: entries?.into_iter().flatten().collect() })
    }
}

/// What stands at each place of a lane, and the code with which it was refused.
type Refused = BTreeMap<(Lane, Position), String>;

/// Everything that journals say wrongly of each other at the end.
///
/// # Errors
/// When one cannot be read.
pub(super) fn at_the_end(
    journals: &[Whole<'_>],
    lapsed: &BTreeSet<(Society, HandoverId)>,
) -> anyhow::Result<Vec<Broken>> {
    let mut broken = Vec::new();
    for (at, sender) in journals.iter().enumerate() {
        broken.extend(duplicates(sender));
        for (_, receiver) in journals.iter().enumerate().filter(|(other, _)| *other != at) {
            if !sender.restored && !receiver.restored {
                broken.extend(pair(sender, receiver, lapsed)?);
            }
        }
    }
    Ok(broken)
}

/// What was taken for known is known, byte for byte.
fn duplicates(journal: &Whole<'_>) -> Vec<Broken> {
    let mut known = BTreeSet::new();
    let mut broken = Vec::new();
    for entry in &journal.entries {
        match &entry.body {
            Body::Issued(meta) => drop(known.insert(meta.digest)),
            Body::Received { digest, verdict: Verdict::Accepted, .. } => drop(known.insert(*digest)),
            Body::Received { peer, digest, verdict: Verdict::Duplicate, .. } if !known.contains(digest) => {
                let text = format!("{} took something of {peer} for known, and never had it", journal.society);
                broken.push((Invariant::DeliveredOnce, text));
            }
            _ => {}
        }
    }
    broken
}

/// What the sender's receipts and ends say, against what the receiver wrote.
fn pair(
    sender: &Whole<'_>,
    receiver: &Whole<'_>,
    lapsed: &BTreeSet<(Society, HandoverId)>,
) -> anyhow::Result<Vec<Broken>> {
    let moved = |entry: &Entry| matches!(&entry.body, Body::LaneAdvanced { peer, .. } if *peer == receiver.society);
    if sender.entries.iter().any(moved) {
        // Somebody else used its name there: what was refused of them is told to nobody.
        return Ok(Vec::new());
    }
    let names = format!("{} to {}", sender.society, receiver.society);
    let taken = taken(receiver, sender.society);
    let (mut told, mut until, mut ended) = (Refused::new(), BTreeMap::<Lane, Position>::new(), BTreeSet::new());
    let mut broken = Vec::new();
    for entry in &sender.entries {
        match &entry.body {
            Body::Receipted { peer, lane, position, rejected } if *peer == receiver.society => {
                told.extend(rejected.iter().map(|(at, code)| ((*lane, *at), code.clone())));
                let last = until.entry(*lane).or_default();
                *last = (*last).max(*position);
                if !names_its_entry(sender, entry.index, receiver, (*lane, *position))? {
                    let text = format!("{names}: the receipt for {lane} {} names another entry", position.0);
                    broken.push((Invariant::ReceiptsTrue, text));
                }
            }
            Body::DeliveryEnded { peer, lane, position } if *peer == receiver.society => {
                ended.insert((*lane, *position));
                if expires(sender, peer, *lane, *position)?.is_none_or(|expires| expires > entry.time) {
                    let text = format!("{names}: the delivery of {lane} {} ended before its time", position.0);
                    broken.push((Invariant::ExpirySaid, text));
                }
            }
            Body::DeliveryWithheld { peer, lane, position, .. } if *peer == receiver.society => {
                ended.insert((*lane, *position));
            }
            _ => {}
        }
    }
    let settled = |(lane, at): &(Lane, Position)| until.get(lane).is_some_and(|until| at <= until);
    let refused: Refused = taken.into_iter().filter(|(at, _)| settled(at)).collect();
    // Of more than a receipt has room for, the earliest may be left out.
    if refused.len() <= RECEIPT_REJECTIONS_MAX && refused != told {
        let text = format!("{names}: {} refused, and the receipts tell of {}", refused.len(), told.len());
        broken.push((Invariant::ReceiptsTrue, text));
    }
    for ((lane, at), _) in refused.iter().filter(|(at, code)| *code == "expired" && !ended.contains(*at)) {
        if must_be_said(sender, receiver.society, (*lane, *at), lapsed)? {
            let text = format!("{names}: {lane} {} was not delivered, and no entry says why", at.0);
            broken.push((Invariant::ExpirySaid, text));
        }
    }
    Ok(broken)
}

/// What a receiver refused of a sender.
fn taken(receiver: &Whole<'_>, sender: Society) -> Refused {
    let refused = receiver.entries.iter().filter_map(|entry| match &entry.body {
        Body::Received { peer, lane, position, verdict: Verdict::Rejected(code), .. } if *peer == sender => {
            Some(((*lane, *position), code.clone()))
        }
        _ => None,
    });
    refused.collect()
}

/// Whether the receipt in the object of an entry names the entry by which the receiver took the envelope.
fn names_its_entry(
    sender: &Whole<'_>,
    entry: EntryIndex,
    receiver: &Whole<'_>,
    place: (Lane, Position),
) -> anyhow::Result<bool> {
    let Some(object) = sender.view.object(entry)? else { return Ok(true) };
    let signed: SignedReceipt = decode(&object)?;
    let named = signed.read()?.entry;
    let index = usize::try_from(named.0)?;
    Ok(receiver.entries.get(index).is_some_and(|entry| {
        matches!(&entry.body, Body::Received { peer, lane, position, .. }
            if *peer == sender.society && (*lane, *position) == place)
    }))
}

/// When the envelope at a place of a lane expires.
fn expires(sender: &Whole<'_>, peer: &Society, lane: Lane, at: Position) -> anyhow::Result<Option<Time>> {
    Ok(meta(sender, *peer, (lane, at))?.and_then(|(_, meta)| meta.expires_at))
}

/// The envelope at a place of a lane, and its entry.
fn meta(
    sender: &Whole<'_>,
    peer: Society,
    (lane, at): (Lane, Position),
) -> anyhow::Result<Option<(EntryIndex, EnvelopeMeta)>> {
    let Some(item) = sender.view.lane_item(peer, lane, at)? else { return Ok(None) };
    let entry = sender.entries.get(usize::try_from(item.entry.0)?);
    Ok(entry.and_then(|entry| match &entry.body {
        Body::Issued(meta) | Body::Received { envelope: Some(meta), .. } => Some((entry.index, meta.clone())),
        _ => None,
    }))
}

/// Whether only its sender can be why an envelope did not come whole, and has to say so: it still has it, and it is none
/// that a receiver takes for ended by its own clock.
fn must_be_said(
    sender: &Whole<'_>,
    peer: Society,
    place: (Lane, Position),
    lapsed: &BTreeSet<(Society, HandoverId)>,
) -> anyhow::Result<bool> {
    let Some((entry, meta)) = meta(sender, peer, place)? else { return Ok(false) };
    let here = meta.kind != Kind::HandoverOffer
        || meta.subject.is_some_and(|id| lapsed.contains(&(sender.society, HandoverId::from(id))));
    Ok(here && sender.view.object(entry)?.is_some())
}
