//! The body of an entry as JSON, for people who audit it. An entry holds no personal data.

use passerelle_domain::{
    aggregate::ReportStep,
    consent::{ConsentRef, EvidenceEntry},
    entry::{Actor, Body, DraftSource, EnvelopeMeta, PackageRef, PeerChange, Verdict},
    handover::{OverrideStep, Proposal},
    society::Society,
};
use serde_json::{Value, json};

/// Who caused an entry, as lists show it.
pub(super) fn actor(actor: &Actor) -> String {
    match actor {
        Actor::System => "system".to_owned(),
        Actor::Operator(name) => name.clone(),
        Actor::Program(name) => format!("program {name}"),
        Actor::Peer(society) => format!("peer {society}"),
    }
}

/// What was decided, in one word.
pub(super) fn verdict(body: &Body) -> String {
    match body {
        Body::Received { verdict, .. } => match verdict {
            Verdict::Accepted => "accepted".to_owned(),
            Verdict::Duplicate => "duplicate".to_owned(),
            Verdict::Rejected(code) => code.clone(),
        },
        Body::Refused { code, .. } | Body::DeliveryWithheld { code, .. } => code.clone(),
        _ => String::new(),
    }
}

/// The Societies that an entry concerns, each once.
pub(super) fn societies(body: &Body) -> Vec<Society> {
    let of_meta = |meta: &EnvelopeMeta| {
        let mut societies = vec![meta.origin];
        societies.extend(meta.recipients.iter().filter(|recipient| **recipient != meta.origin));
        societies
    };
    match body {
        Body::Breach(breach) => vec![breach.node],
        Body::Genesis { society, .. } | Body::Peer { society, .. } => vec![*society],
        Body::Issued(meta) => of_meta(meta),
        Body::Received { peer, envelope, .. } => {
            let mut societies = vec![*peer];
            let others = envelope.as_ref().map(of_meta).unwrap_or_default();
            societies.extend(others.into_iter().filter(|other| other != peer));
            societies
        }
        Body::Receipted { peer, .. }
        | Body::Suspension { peer, .. }
        | Body::ReadByPeer { peer, .. }
        | Body::DeliveryEnded { peer, .. }
        | Body::DeliveryWithheld { peer, .. }
        | Body::Replayed { peer, .. }
        | Body::EpochChanged { peer, .. }
        | Body::LaneAdvanced { peer, .. } => vec![*peer],
        Body::ErasureDue { owed, .. } => {
            let mut societies: Vec<_> = owed.iter().map(|one| one.to).collect();
            societies.sort_unstable();
            societies.dedup();
            societies
        }
        Body::Consent { .. }
        | Body::Evidence(_)
        | Body::ConsentEvent { .. }
        | Body::CaseErased { .. }
        | Body::ErasureHeld { .. }
        | Body::HandoverOpened { .. }
        | Body::HandoverProposed(_)
        | Body::Approved { .. }
        | Body::OverrideRequested { .. }
        | Body::OverrideFollowed { .. }
        | Body::HandoverDropped { .. }
        | Body::PackageRead { .. }
        | Body::Rights(_)
        | Body::Correction(_)
        | Body::Purged { .. }
        | Body::Hold { .. }
        | Body::Reviewed { .. }
        | Body::Report { .. }
        | Body::Forgotten { .. }
        | Body::Refused { .. }
        | Body::AlertDrafted { .. }
        | Body::DraftApproved { .. }
        | Body::DraftEnded { .. }
        | Body::AlertEscalated { .. }
        | Body::EscalationEnded { .. }
        | Body::OrphanReleased { .. }
        | Body::PackageKept { .. } => Vec::new(),
    }
}

/// Digest of the object that an entry names, hexadecimal; empty when it names none.
pub(super) fn object_digest(body: &Body) -> String {
    match body {
        Body::Issued(meta) | Body::Received { envelope: Some(meta), .. } => meta.digest.to_string(),
        Body::Received { digest, .. } | Body::Peer { change: PeerChange::Bundle { digest, .. }, .. } => {
            digest.to_string()
        }
        Body::Consent { record, .. } => record.hash.to_string(),
        Body::HandoverProposed(Proposal { offer, .. }) => offer.to_string(),
        Body::OverrideRequested { note, .. } => note.to_string(),
        Body::AlertDrafted { digest, .. } => digest.to_string(),
        Body::ConsentEvent { digest, .. } => digest.to_string(),
        Body::Rights(entry) => entry.object().map(|digest| digest.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The whole body.
pub(super) fn body(body: &Body) -> Value {
    match body {
        Body::Genesis { society, epoch, schema } => json!({"society": society, "epoch": epoch, "schema": schema}),
        Body::Issued(meta) => envelope(meta),
        Body::Received { peer, lane, position, digest, envelope: meta, verdict: _ } => json!({
            "peer": peer, "lane": lane, "position": position, "digest": digest,
            "envelope": meta.as_ref().map(envelope), "verdict": verdict(body),
        }),
        Body::Receipted { peer, lane, position, rejected } => json!({
            "peer": peer, "lane": lane, "position": position,
            "rejected": rejected.iter().map(|(at, code)| json!({"position": at, "code": code})).collect::<Vec<_>>(),
        }),
        Body::Consent { case, record } => json!({"case": case, "record": consent(record)}),
        Body::HandoverOpened { id, case, release_on_acceptance } => {
            json!({"handover": id, "case": case, "release_on_acceptance": release_on_acceptance})
        }
        Body::HandoverProposed(Proposal { id, case, offer, sealed, ready }) => {
            json!({"handover": id, "case": case, "offer": offer, "sealed": sealed, "ready": ready})
        }
        Body::Approved { handover, stage, role, complete } => {
            json!({"handover": handover, "stage": stage, "role": role, "complete": complete})
        }
        Body::OverrideRequested { handover, reason, note } => {
            json!({"handover": handover, "reason": reason, "note": note})
        }
        Body::OverrideFollowed { handover, step } => match step {
            OverrideStep::Told => json!({"handover": handover, "step": "told"}),
            OverrideStep::Reviewed { upheld } => json!({"handover": handover, "step": "reviewed", "upheld": upheld}),
        },
        Body::HandoverDropped { handover, reason } => json!({"handover": handover, "reason": reason}),
        Body::PackageRead { handover, sections, purpose } => {
            json!({"handover": handover, "sections": sections, "purpose": purpose})
        }
        Body::ReadByPeer { handover, peer, roles, sections, purpose } => {
            json!({"handover": handover, "peer": peer, "roles": roles, "sections": sections, "purpose": purpose})
        }
        Body::Refused { request, code, subject, uncounted } => {
            json!({"request": request, "code": code, "subject": subject, "uncounted": uncounted})
        }
        Body::Rights(_) | Body::Breach(_) => super::subject::entry_json(body),
        Body::Correction(step) => super::correction::entry_json(step),
        Body::Purged { rule, subjects, case } => json!({"rule": rule, "subjects": subjects, "case": case}),
        Body::Hold { subject, kind, lifted, reason } => {
            json!({"subject": subject, "kind": kind, "lifted": lifted, "reason": reason})
        }
        Body::Suspension { peer, suspended, reason } => {
            json!({"peer": peer, "suspended": suspended, "reason": reason})
        }
        Body::Reviewed { handover } => json!({"handover": handover}),
        Body::Report { id, step } => match step {
            ReportStep::Proposed(report) => json!({
                "report": id, "step": "proposed", "by": report.by, "from": report.from, "until": report.until,
            }),
            ReportStep::Approved => json!({"report": id, "step": "approved"}),
            ReportStep::Given(recipient) => json!({"report": id, "step": "given", "to": recipient}),
        },
        Body::Forgotten { reason, objects } => json!({
            "reason": reason, "entries": objects.iter().map(|(entry, _)| entry).collect::<Vec<_>>(),
        }),
        Body::AlertDrafted { id, digest, source, needs_approval } => {
            let source = match source {
                DraftSource::Operator => "operator".to_owned(),
                DraftSource::Feed(name) => format!("feed {name}"),
            };
            json!({"alert": id, "digest": digest, "source": source, "needs_approval": needs_approval})
        }
        Body::DraftApproved { id, drafted } => json!({"alert": id, "drafted": drafted}),
        Body::DraftEnded { id, end } => json!({"alert": id, "end": end}),
        Body::AlertEscalated { alert, step, post } => json!({"alert": alert, "step": step, "post": post}),
        Body::EscalationEnded { alert, step, outcome, status } => {
            json!({"alert": alert, "step": step, "outcome": outcome, "status": status})
        }
        Body::OrphanReleased { alert } => json!({"alert": alert}),
        Body::Peer { society, change } => match change {
            PeerChange::Bundle { version, digest } => {
                json!({"society": society, "bundle": {"version": version, "digest": digest}})
            }
            PeerChange::Removed => json!({"society": society, "removed": true}),
        },
        Body::Evidence(step) => evidence(step),
        Body::ConsentEvent { consent, digest } => json!({"consent": consent, "digest": digest}),
        Body::ErasureDue { case, owed } => json!({
            "case": case,
            "owed": owed.iter()
                .map(|one| json!({"consent": one.consent, "handover": one.handover, "to": one.to}))
                .collect::<Vec<_>>(),
        }),
        Body::CaseErased { case } | Body::ErasureHeld { case } => json!({"case": case}),
        Body::DeliveryWithheld { peer, lane, position, code } => {
            json!({"peer": peer, "lane": lane, "position": position, "code": code})
        }
        Body::DeliveryEnded { peer, lane, position } => json!({"peer": peer, "lane": lane, "position": position}),
        Body::Replayed { peer, entries, withheld } => json!({
            "peer": peer, "entries": entries,
            "withheld": withheld.iter().map(|(entry, code)| json!({"entry": entry, "code": code})).collect::<Vec<_>>(),
        }),
        Body::EpochChanged { peer, epoch } => json!({"peer": peer, "epoch": epoch}),
        Body::LaneAdvanced { peer, lane, position, hash } => {
            json!({"peer": peer, "lane": lane, "position": position, "hash": hash})
        }
        Body::PackageKept { handover, package } => {
            let PackageRef { case, commitment } = package;
            json!({"handover": handover, "case": case, "commitment": commitment})
        }
    }
}

fn evidence(step: &EvidenceEntry) -> Value {
    match step {
        EvidenceEntry::Kept { consent, evidence: PackageRef { commitment, .. }, digest, kind } => {
            json!({"consent": consent, "commitment": commitment, "digest": digest, "kind": kind})
        }
        EvidenceEntry::Read { consent, purpose } => json!({"consent": consent, "purpose": purpose}),
        EvidenceEntry::Destroyed { consent, reason } => json!({"consent": consent, "reason": reason}),
    }
}

fn envelope(meta: &EnvelopeMeta) -> Value {
    json!({
        "id": meta.id, "digest": meta.digest, "origin": meta.origin, "recipients": meta.recipients,
        "kind": meta.kind, "lane": meta.lane, "expires_at": meta.expires_at, "subject": meta.subject,
        "basis": meta.basis.as_ref().map(consent),
        "attachment": meta.attachment.map(|one| json!({"digest": one.digest, "bytes": one.bytes})),
    })
}

fn consent(reference: &ConsentRef) -> Value {
    json!({"id": reference.id, "version": reference.version, "hash": reference.hash})
}
