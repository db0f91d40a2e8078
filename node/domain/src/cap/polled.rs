//! What becomes of a CAP document that a feed of warnings brought: a draft for a person to look at, or nothing. A
//! document is known by its sender, identifier and time, and so is what was made of it: the id of the alert follows
//! from these three, whichever feed brings it and however often.

use super::{CapHeader, CapImport, CapOptions, sender, sender_society};
use crate::{
    alert::{Alert, Reference, When},
    catalogue::Mode,
    digest::Digest,
    facts::Facts,
    ids::AlertId,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// What becomes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is to be drafted.
    Draft {
        /// The id that the alert will have.
        id: AlertId,
        /// What it says.
        alert: Box<Alert>,
    },
    /// Its sender cancels what these drafts or alerts were made of.
    Cancels(Vec<AlertId>),
    /// Nothing.
    Passed(Passed),
}

crate::catalogue::vocabulary! {
    /// Why nothing becomes of a document.
    Passed {
        1 Known = "known",
        2 Own = "own",
        3 NotMeant = "not_meant",
        4 Expired = "expired",
        5 NoAlert = "no_alert",
    }
}

/// The id of the alert that is made of a document: the same sender, identifier and instant give the same id.
#[must_use]
pub fn alert_id(sender: &str, identifier: &str, sent: Time) -> AlertId {
    let at = sent.millis().to_be_bytes();
    let parts: [&[u8]; 6] = [b"passerelle/polled/v1\0", sender.as_bytes(), b"\0", identifier.as_bytes(), b"\0", &at];
    let Digest(bytes) = Digest::of_parts(&parts);
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&bytes[..10]);
    AlertId::new(sent, entropy)
}

/// Looks at a document at the instant `now` of the node of `own`. `options` stand in for what the document does not say
/// in the network's terms.
///
/// # Errors
/// The first rule of CAP 1.2 or of alerts that it breaks; `store_failed`.
pub fn take(bytes: &[u8], now: Time, own: Society, options: &CapOptions, facts: &dyn Facts) -> Result<Taken, Refusal> {
    let import = read(bytes, now, options)?;
    let header = match &import {
        CapImport::Alert { header, .. } | CapImport::Cancel { header, .. } | CapImport::Answer { header, .. } => header,
    };
    if header.sender == sender(own) {
        return Ok(Taken::Passed(Passed::Own));
    }
    // An exercise is looked at by people like the real thing; tests of machines are nobody's to read.
    if !matches!(header.mode, Mode::Actual | Mode::Exercise) {
        return Ok(Taken::Passed(Passed::NotMeant));
    }
    match import {
        CapImport::Alert { header, mut draft, .. } => {
            let id = alert_id(&header.sender, &header.identifier, header.sent);
            if is_known(&header, id, facts)? {
                return Ok(Taken::Passed(Passed::Known));
            }
            if matches!(draft.expires_at, Some(When::At(at)) if at <= now) {
                return Ok(Taken::Passed(Passed::Expired));
            }
            draft.supersedes = earlier_of_ours(&header, own, facts)?;
            draft.kind = None;
            draft.source_type = draft.source_type.or(options.source_type);
            let alert = Alert::from_draft(*draft, now).map_err(first)?;
            Ok(Taken::Draft { id, alert: Box::new(alert) })
        }
        CapImport::Cancel { header, .. } => {
            let mut ids = Vec::new();
            for reference in header.references.iter().filter(|reference| reference.sender == header.sender) {
                let id = alert_id(&reference.sender, &reference.identifier, reference.sent);
                if facts.draft(id)?.is_some() || facts.alert(id)?.is_some() {
                    ids.push(id);
                }
            }
            Ok(if ids.is_empty() { Taken::Passed(Passed::NoAlert) } else { Taken::Cancels(ids) })
        }
        CapImport::Answer { .. } => Ok(Taken::Passed(Passed::NoAlert)),
    }
}

/// The document, with the event of `options` only where it names none of ours.
fn read(bytes: &[u8], now: Time, options: &CapOptions) -> Result<CapImport, Refusal> {
    let plain = CapOptions { event: None, ..*options };
    match super::read(bytes, now, &plain) {
        Err(faults)
            if options.event.is_some() && faults.iter().any(|fault| fault.field.as_deref() == Some("event")) =>
        {
            super::read(bytes, now, options).map_err(first)
        }
        read => read.map_err(first),
    }
}

fn first(faults: Vec<Refusal>) -> Refusal {
    faults.into_iter().next().unwrap_or_else(|| Refusal::new(Code::Malformed, "the document makes no alert"))
}

/// Whether it was drafted before, or is an alert of the network that came by the link.
fn is_known(header: &CapHeader, id: AlertId, facts: &dyn Facts) -> Result<bool, Refusal> {
    let linked = match (sender_society(&header.sender), header.identifier.parse()) {
        (Some(origin), Ok(id)) => facts.alert(id)?.is_some_and(|row| row.origin == origin),
        _ => false,
    };
    Ok(linked || facts.draft(id)?.is_some() || facts.alert(id)?.is_some())
}

/// The alerts of ours that were made of what a document refers to: it updates them.
fn earlier_of_ours(header: &CapHeader, own: Society, facts: &dyn Facts) -> Result<Vec<Reference>, Refusal> {
    let mut earlier = Vec::new();
    for reference in &header.references {
        let id = alert_id(&reference.sender, &reference.identifier, reference.sent);
        let row = facts.alert(id)?.filter(|row| row.origin == own && reference.sender == header.sender);
        if let Some(sent_at) = row.and_then(|row| row.sent_at).filter(|sent| *sent <= header.sent) {
            earlier.push(Reference { origin: own, id, sent_at });
        }
    }
    Ok(earlier)
}
