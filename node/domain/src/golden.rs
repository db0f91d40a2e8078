//! The canonical bytes of the journal and of what its lanes carry, frozen: one entry of every kind, an
//! envelope, a receipt, a row of every kind. A difference here is a break with every journal that was
//! ever written. Fixtures stand in node/domain/fixtures, in hexadecimal, a line for each value.

use std::fmt::Debug;

use minicbor::{Decode, Encode};

use crate::{
    alert::life,
    catalogue::{
        AgeBand, CancelReason, Event, HandoverKind, Mode, RedactReason, Role, Segment, Service, Severity, SplitReason,
        StopReason, Urgency, VitalReason,
    },
    consent::ConsentRef,
    digest::Digest,
    entry::{
        Actor, Body, DraftEnd, DraftSource, Entry, EnvelopeMeta, HookOutcome, PackageRef, PeerChange, SCHEMA_VERSION,
        Verdict,
    },
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope, from_cbor, to_cbor},
    handover::{Action, Approval, GroupId, GroupSplit, OverrideStep, Proposal, Stage, State},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position},
    merkle::Frontier,
    receipt::{Receipt, Rejection, SignedReceipt},
    rows::{
        AckRow, AckWanted, AlertRow, CaseAgeRow, Claim, ConsentRow, Delivery, DraftRow, Ended, EnvelopeRow, Escalation,
        GroupRow, HandoverEvent, HandoverRow, HeadRow, LaneIn, LaneItem, LaneOut, OverrideRow, PeerRow, PublicKeyRow,
        Redaction, SafeguardRow, TombstoneRow,
    },
    signing::Signature,
    society::Society,
    time::Time,
};

mod evidence;
mod keeping;
mod origin;
mod rights;
mod withdrawals;

const NOW: Time = Time::from_millis(1_795_500_000_000);

fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

fn segment() -> Segment {
    "land.sn-mr.rosso".parse().expect("a segment")
}

fn digest(seed: u8) -> Digest {
    Digest([seed; 32])
}

fn consent() -> ConsentRef {
    ConsentRef { id: ConsentId::new(NOW, [5; 10]), version: 2, hash: digest(5) }
}

fn package() -> PackageRef {
    PackageRef { case: CaseId::new(NOW, [6; 10]), commitment: digest(6) }
}

fn handover() -> HandoverId {
    HandoverId::new(NOW, [3; 10])
}

fn epoch() -> Epoch {
    Epoch::new(NOW, [8; 10])
}

fn envelope() -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(NOW, [1; 10]),
        origin: society("SN"),
        recipients: vec![society("GM"), society("ML")],
        kind: Kind::HandoverRelease,
        lane: Lane::Bulk,
        created_at: NOW,
        expires_at: Some(Time::from_millis(1_795_600_000_000)),
        body: vec![1, 2, 3].into(),
        attachment: Some(Attachment { digest: digest(2), bytes: 4_096 }),
    }
}

fn signed() -> SignedEnvelope {
    SignedEnvelope { payload: to_cbor(&envelope()).into(), signature: Signature([9; 64]) }
}

fn receipt() -> Receipt {
    Receipt {
        by: society("ML"),
        to: society("SN"),
        lane: Lane::Urgent,
        position: Position(300),
        hash: digest(3),
        entry: EntryIndex(70_000),
        rejected: vec![Rejection { position: Position(299), code: "not_origin".into() }],
    }
}

fn bodies() -> Vec<Body> {
    let (peer, lane, position) = (society("ML"), Lane::Routine, Position(24));
    let meta = EnvelopeMeta::of(&envelope(), &signed(), Some(handover().into()), Some(consent()));
    let received = |envelope, verdict| Body::Received { peer, lane, position, digest: digest(4), envelope, verdict };
    let id = AlertId::new(NOW, [2; 10]);
    let change = PeerChange::Bundle { version: 2, digest: digest(7) };
    vec![
        Body::Genesis { society: society("SN"), epoch: epoch(), schema: SCHEMA_VERSION },
        Body::Issued(meta.clone()),
        received(Some(meta.clone()), Verdict::Accepted),
        received(Some(meta), Verdict::Duplicate),
        received(None, Verdict::Rejected("bad_signature".into())),
        Body::Receipted { peer, lane, position, rejected: vec![(Position(23), "expired".into())] },
        Body::Consent { case: package().case, record: consent() },
        Body::HandoverOpened { id: handover(), case: package().case, release_on_acceptance: true },
        Body::PackageRead { handover: handover(), sections: vec!["contact".into()], purpose: "svc.transport".into() },
        Body::Refused {
            request: "raise_alert".into(),
            code: "role_missing".into(),
            subject: Some(envelope().id),
            uncounted: 3,
        },
        Body::Peer { society: peer, change },
        Body::Peer { society: peer, change: PeerChange::Removed },
        Body::DeliveryEnded { peer, lane, position },
        Body::Replayed { peer, entries: vec![EntryIndex(1)], withheld: vec![(EntryIndex(2), "expired".into())] },
        Body::EpochChanged { peer, epoch: epoch() },
        Body::LaneAdvanced { peer, lane, position, hash: digest(4) },
        Body::PackageKept { handover: handover(), package: package() },
        Body::AlertDrafted { id, digest: digest(8), source: DraftSource::Operator, needs_approval: true },
        Body::AlertDrafted { id, digest: digest(8), source: DraftSource::Feed("meteo".into()), needs_approval: true },
        Body::DraftApproved { id, drafted: EntryIndex(17) },
        Body::DraftEnded { id, end: DraftEnd::Discarded },
        Body::AlertEscalated { alert: id, step: 1, post: "duty_officer.dakar".into() },
        Body::EscalationEnded { alert: id, step: 1, outcome: HookOutcome::Failed, status: Some(3) },
        Body::OrphanReleased { alert: id },
    ]
}

fn entries() -> Vec<Entry> {
    let actors = [Actor::System, Actor::Operator("awa".into()), Actor::Peer(society("ML"))];
    let entry = |(n, body): (usize, Body)| Entry {
        index: EntryIndex(n as u64),
        time: NOW,
        actor: actors[n % 3].clone(),
        previous: digest(n as u8),
        body,
    };
    bodies().into_iter().enumerate().map(entry).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    text.as_bytes().chunks(2).map(pair).collect()
}

/// Holds one value to its line of a fixture: the same bytes, which read back as the same value.
struct Frozen<'a> {
    lines: std::str::Lines<'a>,
    now: String,
    name: &'a str,
}

impl<'a> Frozen<'a> {
    fn new(name: &'a str, fixture: &'a str) -> Self {
        Self { lines: fixture.lines(), now: String::new(), name }
    }

    fn holds<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug>(&mut self, value: &T) {
        let hex: String = to_cbor(value).iter().map(|byte| format!("{byte:02x}")).collect();
        self.now += &hex;
        self.now.push('\n');
        if let Some(line) = self.lines.next()
            && line == hex
        {
            assert_eq!(from_cbor::<T>(&unhex(line), self.name).as_ref(), Ok(value), "{}", self.name);
        } else {
            self.name = "changed";
        }
    }

    fn ends(mut self, name: &str) {
        let whole = self.name == name && self.lines.next().is_none();
        assert!(whole, "the bytes of {name} are no longer those of its fixture but\n{}", self.now);
    }
}

#[test]
fn the_bytes_of_every_kind_of_entry_are_frozen() {
    let mut frozen = Frozen::new("entries", include_str!("../fixtures/entries.hex"));
    entries().iter().for_each(|entry| frozen.holds(entry));
    frozen.ends("entries");
    let mut kinds: Vec<_> = bodies().iter().map(Body::kind).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 20, "one of each kind: {kinds:?}");
}

#[test]
fn the_bytes_of_an_envelope_and_a_receipt_are_frozen() {
    let mut frozen = Frozen::new("letters", include_str!("../fixtures/letters.hex"));
    frozen.holds(&envelope());
    frozen.holds(&signed());
    frozen.holds(&receipt());
    frozen.holds(&SignedReceipt { content: to_cbor(&receipt()).into(), signature: Signature([9; 64]) });
    frozen.ends("letters");
    assert_eq!(SignedEnvelope::from_object(&signed().to_object()), Ok(signed()));
    assert_eq!(Envelope::parse(&signed().payload), Ok(envelope()));
}

fn alert_row() -> AlertRow {
    AlertRow {
        entry: EntryIndex(11),
        digest: digest(1),
        origin: society("SN"),
        state: life::State::Cancelled,
        expires_at: NOW,
        event: Event::ALL[0],
        severity: Severity::Extreme,
        urgency: Urgency::Immediate,
        mode: Mode::Exercise,
        superseded_by: Some(AlertId::new(NOW, [2; 10])),
        cancelled: Some((CancelReason::Wrong, EntryIndex(12))),
        deliveries: vec![Delivery { peer: society("ML"), lane: Lane::Urgent, position: Position(1) }],
        sent_at: None,
        parents: None,
        children: None,
        held_since: None,
        ack: None,
        redacted: None,
        escalation: None,
    }
}

fn alert_row_in_full() -> AlertRow {
    AlertRow {
        sent_at: Some(NOW),
        parents: Some(vec![AlertId::new(NOW, [3; 10])]),
        children: Some(vec![AlertId::new(NOW, [2; 10])]),
        held_since: Some(NOW),
        ack: Some(AckWanted { by: Some(NOW) }),
        redacted: Some(Redaction {
            reason: RedactReason::EndangersPeople,
            entry: EntryIndex(25),
            erased: vec![(society("ML"), EntryIndex(26))],
        }),
        escalation: Some(Escalation { step: 2, entry: EntryIndex(27), at: NOW, outcome: Some(HookOutcome::TimedOut) }),
        ..alert_row()
    }
}

fn handover_row() -> HandoverRow {
    let event = HandoverEvent {
        at: NOW,
        action: Action::Reject,
        by: society("ML"),
        state: State::Rejected,
        reason: Some("no_capacity".into()),
        entry: EntryIndex(14),
    };
    HandoverRow {
        entry: EntryIndex(13),
        from: society("SN"),
        to: society("ML"),
        kind: HandoverKind::ALL[0],
        state: State::Rejected,
        case: Some(package().case),
        consent: consent(),
        accepted: vec![Service::TransportFamily],
        team: Some("intake.kayes".into()),
        expires_at: NOW,
        release_on_acceptance: true,
        package: Some(package()),
        sections: vec!["contact".into()],
        history: vec![event],
        frozen: true,
        held_at_origin: None,
        earlier: Vec::new(),
    }
}

#[test]
fn the_bytes_of_every_kind_of_row_are_frozen() {
    let mut frozen = Frozen::new("rows", include_str!("../fixtures/rows.hex"));
    let mut frontier = Frontier::default();
    frontier.append(digest(1));
    frozen.holds(&HeadRow { epoch: epoch(), previous: digest(1), time: NOW, frontier });
    frozen.holds(&alert_row());
    frozen.holds(&alert_row_in_full());
    frozen.holds(&DraftRow {
        entry: EntryIndex(22),
        digest: digest(8),
        source: DraftSource::Feed("meteo".into()),
        state: life::State::Ready,
        needs_approval: true,
        approved: Some(EntryIndex(23)),
        ended: Some((DraftEnd::Published, EntryIndex(24))),
    });
    frozen.holds(&AckRow { entry: EntryIndex(15), error: true, at: NOW });
    let (cancelled, superseded_by) = (Some((CancelReason::Resolved, EntryIndex(3))), None);
    frozen.holds(&TombstoneRow {
        claims: vec![Claim { origin: society("ML"), cancelled, superseded_by, redacted: None, children: None }],
    });
    frozen.holds(&EnvelopeRow { digest: digest(2), entry: EntryIndex(16) });
    frozen.holds(&ConsentRow {
        entry: EntryIndex(17),
        case: package().case,
        record: consent(),
        at: NOW,
        earlier: vec![EntryIndex(3)],
    });
    frozen.holds(&handover_row());
    frozen.holds(&PeerRow {
        entry: EntryIndex(18),
        version: 2,
        digest: digest(7),
        signing_keys: vec![PublicKeyRow([4; 32])],
        segments: Some(vec![segment()]),
        epoch: Some(epoch()),
        removed: false,
    });
    frozen.holds(&LaneOut { queued: Position(4), queued_hash: digest(4), receipted: Position(3) });
    for ended in [None, Some(Ended::Rejected(EntryIndex(19))), Some(Ended::Expired)] {
        let (entry, kind) = (EntryIndex(20), Kind::Alert);
        frozen.holds(&LaneItem { entry, hash: digest(5), kind, ended, expires_at: Some(NOW) });
    }
    let rejected = vec![(Position(2), "not_origin".to_owned())];
    frozen.holds(&LaneIn { received: Position(2), hash: digest(6), entry: EntryIndex(21), rejected });
    frozen.ends("rows");
}

#[test]
fn the_bytes_of_what_stands_around_handovers_are_frozen() {
    let mut frozen = Frozen::new("safeguards", include_str!("../fixtures/safeguards.hex"));
    let (id, case) = (handover(), package().case);
    for body in [
        Body::HandoverProposed(Proposal { id, case, offer: digest(8), sealed: true, ready: false }),
        Body::Approved { handover: id, stage: Stage::Acceptance, role: Role::CpOfficer, complete: true },
        Body::OverrideRequested { handover: id, reason: VitalReason::SevereInjury, note: digest(9) },
        Body::OverrideFollowed { handover: id, step: OverrideStep::Told },
        Body::OverrideFollowed { handover: id, step: OverrideStep::Reviewed { upheld: false } },
        Body::HandoverDropped { handover: id, reason: StopReason::MovedOn },
    ] {
        frozen.holds(&body);
    }
    let group = GroupId::of(society("SN"), society("ML"), &"g.rosso.7".parse().expect("a code"));
    let reason = SplitReason::ProtectionConcern;
    frozen.holds(&GroupSplit { handover: id, group, at: NOW, reason });
    let by = || "awa".to_owned();
    frozen.holds(&SafeguardRow {
        proposed_by: Some(by()),
        sealed: true,
        approvals: vec![Approval { stage: Stage::Override, by: by(), role: Role::Dpo, at: NOW, entry: EntryIndex(31) }],
        overriding: Some(OverrideRow {
            entry: EntryIndex(30),
            requested_by: by(),
            requested_at: NOW,
            reason: VitalReason::Unconscious,
            approved_at: Some(NOW),
            told_at: Some(NOW),
            reviewed: Some((NOW, by(), true)),
        }),
        proposal: Some(EntryIndex(29)),
    });
    frozen.holds(&CaseAgeRow { band: AgeBand::From12To14, entry: EntryIndex(32) });
    frozen.holds(&GroupRow {
        reference: "g.rosso.7".parse().expect("a code"),
        from: society("SN"),
        to: society("ML"),
        size: 2,
        minors: true,
        members: vec![id],
        split: Some((NOW, society("ML"), reason, EntryIndex(33))),
    });
    frozen.ends("safeguards");
}
