//! Reads CAP 1.2 (OASIS, `urn:oasis:names:tc:emergency:cap:1.2`) into the draft of an alert, wary of
//! everything: the document may come from anybody. The exact bytes are kept beside the draft.
//!
//! The texts that travel are linted here or by `Alert::from_draft`, comments included; machine values
//! (parameters of other profiles, identifiers, addresses, `contact`, `web`) are not.

mod area;
pub mod atom;
mod check;
#[cfg(test)]
mod check_tests;
mod encoding;
pub mod feed;
mod finding;
mod form;
mod format;
mod geography;
mod geometry;
mod info;
mod names;
mod original;
mod params;
mod places;
pub mod polled;
mod quote;
mod rules;
mod schema;
#[cfg(test)]
mod tests;
mod types;
pub mod write;
mod xml;

use std::time::Duration;

pub use check::{Report, Verdict, check};
pub use finding::{Finding, Rule, Severity};
use form::{Faults, cap_time, child, children, free_text, items, text};
pub use format::Format;
pub use original::{Imported, imported, polygons, public_original};
use xml::Element;

use crate::{
    alert::{AlertDraft, Note, Original, Reference, When},
    catalogue::{AckKind, CancelReason, Event, Kind, Mode, Sensitivity, SourceType},
    limits::{CLOCK_AHEAD_SECONDS_MAX, ORIGINAL_BYTES_MAX, REFERENCES_MAX},
    refusal::{Code, Refusal},
    society::{MEMBERS, Society},
    time::Time,
};

/// The namespace of CAP 1.2.
pub const CAP_NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";
/// The media type of CAP.
pub const CAP_MEDIA_TYPE: &str = "application/cap+xml";

/// What stands before the country in the sender that a member is.
const URN: &str = "urn:sahelplus:ns:";

/// What an operator adds to a document that does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapOptions {
    /// The event; goes before the document's own code. Needed when it has no `eventCode` `SahelPlus:event:1`.
    pub event: Option<Event>,
    /// Who the document comes from, when it has no parameter `sp:sourceType`.
    pub source_type: Option<SourceType>,
}

/// A reference to an earlier message, as CAP writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapReference {
    /// The sender of that message.
    pub sender: String,
    /// Its identifier.
    pub identifier: String,
    /// When it was sent, as an instant: re-serialisers write `+00:00` as `-00:00`.
    pub sent: Time,
}

impl CapReference {
    /// The reference to an alert of the network, when it is one.
    #[must_use]
    pub fn alert(&self) -> Option<Reference> {
        Some(Reference { origin: sender_society(&self.sender)?, id: self.identifier.parse().ok()?, sent_at: self.sent })
    }
}

/// What every CAP message says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapHeader {
    /// CAP `identifier`.
    pub identifier: String,
    /// CAP `sender`.
    pub sender: String,
    /// CAP `sent`.
    pub sent: Time,
    /// CAP `status`.
    pub mode: Mode,
    /// CAP `references`, as found.
    pub references: Vec<CapReference>,
    /// Whether there is a signature. It is kept with the original and not verified.
    pub signed: bool,
}

/// What a CAP document turned out to be, by its `msgType`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapImport {
    /// `Alert` or `Update`: a draft, which `Alert::from_draft` still has to accept. Its `supersedes` holds the
    /// references of an `Update` that are alerts of the network, the header has them all; with none of the
    /// network, the draft is that of a first alert.
    Alert {
        /// The message itself.
        header: CapHeader,
        /// Which of the two the document is.
        kind: Kind,
        /// The draft.
        draft: Box<AlertDraft>,
    },
    /// `Cancel`.
    Cancel {
        /// The message itself; its references are what is cancelled.
        header: CapHeader,
        /// Why, where a code of the profile says so (`sp:cancel:REASON`).
        reason: Option<CancelReason>,
        /// CAP `note`.
        note: Option<Note>,
    },
    /// `Ack` or `Error`.
    Answer {
        /// The message itself; its references are what is answered.
        header: CapHeader,
        /// Which of the two.
        kind: AckKind,
        /// CAP `note`.
        note: Option<Note>,
    },
}

/// The CAP sender that a Society is: `urn:sahelplus:ns:MRT` (ISO 3166-1 alpha-3) for a member, the SPIFFE ID of its
/// node for any other.
#[must_use]
pub fn sender(society: Society) -> String {
    match society.member() {
        Some(member) => format!("{URN}{}", member.alpha3),
        None => society.node_id(),
    }
}

/// The Society that a CAP sender names, in either of the forms of [`sender`].
#[must_use]
pub fn sender_society(sender: &str) -> Option<Society> {
    if let Some(code) = sender.strip_prefix(URN) {
        return MEMBERS.iter().find(|member| member.alpha3 == code).map(|member| member.society);
    }
    let code = sender.strip_prefix("spiffe://")?.get(..2)?;
    code.parse().ok().filter(|society: &Society| society.node_id() == sender)
}

/// Reads a CAP 1.2 document. `now` is the instant of the reading: a message sent more than ten minutes later
/// is refused.
///
/// # Errors
/// Everything found wrong, with line numbers; one refusal alone where the document is no XML or no CAP 1.2:
/// `too_large`, `malformed_file`, `not_cap`. Beyond that `missing_field`, `unknown_code`, `malformed_time`,
/// `bad_times`, `bad_reference`, `bad_place`, `too_many`, `personal_data`.
pub fn read(bytes: &[u8], now: Time, options: &CapOptions) -> Result<CapImport, Vec<Refusal>> {
    let document = checked(bytes)?;
    let Some(root) = &document.root else { return Err(vec![Refusal::new(Code::NotCap, "there is no alert")]) };
    let mut faults = Faults::default();
    if let Some((line, _)) = document.comments.first() {
        let comments: Vec<&str> = document.comments.iter().map(|(_, comment)| comment.as_str()).collect();
        if let Err(refusal) = free_text(&comments.join("\n")) {
            faults.push(xml::refused(refusal.code, *line, &format!("in the comments: {}", refusal.message)));
        }
    }
    faults.lint(root, "source");
    let header = header(root, now, &mut faults);
    let note = child(root, "note").and_then(|element| faults.keep(element, element.text.parse::<Note>()));
    let kind = faults.required(root, "msgType").and_then(|element| {
        let kind = message_kind(&element.text);
        faults.keep(element, kind)
    });
    let draft = match kind {
        Some(MessageKind::Alert(kind)) => Some(draft(root, bytes, kind, options, header.as_ref(), &mut faults)),
        _ => None,
    };
    match (kind, header, draft) {
        (Some(kind), Some(header), draft) if faults.is_empty() => Ok(match (kind, draft) {
            (MessageKind::Answer(kind), _) => CapImport::Answer { header, kind, note },
            (MessageKind::Alert(kind), Some(draft)) => CapImport::Alert { header, kind, draft: Box::new(draft) },
            _ => CapImport::Cancel { header, reason: cancel_reason(root), note },
        }),
        _ => Err(faults.into_vec()),
    }
}

/// The document, when the checker finds it to be valid CAP 1.2; all its errors as refusals otherwise.
fn checked(bytes: &[u8]) -> Result<xml::Document, Vec<Refusal>> {
    if bytes.len() > ORIGINAL_BYTES_MAX {
        let message = format!("the document is larger than {ORIGINAL_BYTES_MAX} bytes");
        return Err(vec![Refusal::new(Code::TooLarge, message)]);
    }
    let (document, findings) = check::examine(bytes);
    let stands = document.format == Format::Cap12 && !findings.any(Severity::Error);
    if stands && document.root.is_some() {
        return Ok(document);
    }
    // What a document of another format is, is a note; it is the reason all the same.
    let is_reason = |finding: &Finding| {
        let severity = finding.rule.severity();
        severity == Severity::Error || severity == Severity::Note && finding.rule.refusal() == Code::NotCap
    };
    let refusal = |finding: Finding| {
        let refusal = xml::refused(finding.rule.refusal(), finding.line, &finding.message);
        match finding.path.rsplit('/').next() {
            // The name of an element that CAP does not know is content.
            Some(name) if !name.is_empty() && finding.rule != Rule::SchemaUnknown => {
                refusal.at(name.split('[').next().unwrap_or(name))
            }
            _ => refusal,
        }
    };
    Err(findings.into_vec().into_iter().filter(is_reason).map(refusal).collect())
}

#[derive(Clone, Copy)]
enum MessageKind {
    Alert(Kind),
    Cancel,
    Answer(AckKind),
}

fn message_kind(text: &str) -> Result<MessageKind, Refusal> {
    match text {
        "Alert" => Ok(MessageKind::Alert(Kind::Alert)),
        "Update" => Ok(MessageKind::Alert(Kind::Update)),
        "Cancel" => Ok(MessageKind::Cancel),
        "Ack" => Ok(MessageKind::Answer(AckKind::Ack)),
        "Error" => Ok(MessageKind::Answer(AckKind::Error)),
        _ => Err(Refusal::new(Code::UnknownCode, "a msgType is Alert, Update, Cancel, Ack or Error")),
    }
}

fn cancel_reason(root: &Element) -> Option<CancelReason> {
    children(root, "code").find_map(|code| code.text.strip_prefix("sp:cancel:")?.parse().ok())
}

fn header(root: &Element, now: Time, faults: &mut Faults) -> Option<CapHeader> {
    let identifier = faults.required(root, "identifier").and_then(|element| name(element, faults));
    let sender = faults.required(root, "sender").and_then(|element| name(element, faults));
    let mode = faults.code::<Mode>(root, "status");
    faults.required(root, "sent");
    let sent = faults.time(root, "sent");
    match text(root, "scope") {
        None => _ = faults.required(root, "scope"),
        Some("Public" | "Restricted" | "Private") => {}
        Some(_) => {
            let element = child(root, "scope").unwrap_or(root);
            faults.add(Code::UnknownCode, element, "a scope is Public, Restricted or Private");
        }
    }
    let sent = sent?;
    if sent > now.plus(Duration::from_secs(CLOCK_AHEAD_SECONDS_MAX)) {
        faults.add(Code::BadTimes, child(root, "sent").unwrap_or(root), "sent more than ten minutes from now");
    }
    let (identifier, sender) = (identifier?, sender?);
    let references = references(root, &identifier, &sender, sent, faults);
    let signed = check::signatures(root) > 0;
    Some(CapHeader { identifier, sender, sent, mode: mode?, references, signed })
}

/// An identifier or sender: no blanks, commas, `<` or `&` (CAP 1.2, 3.2.1).
fn name(element: &Element, faults: &mut Faults) -> Option<String> {
    let good = !element.text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '<' | '&'));
    let result = if good {
        Ok(element.text.clone())
    } else {
        Err(Refusal::new(Code::Malformed, "it holds blanks, commas, < or &"))
    };
    faults.keep(element, result)
}

fn references(root: &Element, identifier: &str, sender: &str, sent: Time, faults: &mut Faults) -> Vec<CapReference> {
    let needed = text(root, "msgType").is_some_and(|kind| matches!(kind, "Update" | "Cancel" | "Ack" | "Error"));
    let Some(element) = child(root, "references") else {
        if needed {
            let message = "an Update, Cancel, Ack or Error refers to an earlier message";
            faults.add(Code::BadReference, child(root, "msgType").unwrap_or(root), message);
        }
        return Vec::new();
    };
    if element.text.split_whitespace().count() > REFERENCES_MAX {
        faults.add(Code::TooMany, element, &format!("a message refers to at most {REFERENCES_MAX} others"));
        return Vec::new();
    }
    let mut found = Vec::new();
    for triple in element.text.split_whitespace() {
        let parts: Vec<&str> = triple.split(',').collect();
        let [earlier_sender, earlier, earlier_sent] = parts[..] else {
            faults.add(Code::BadReference, element, "a reference is sender,identifier,sent");
            continue;
        };
        let Some(earlier_sent) = faults.keep(element, cap_time(earlier_sent)) else { continue };
        if earlier == identifier && earlier_sender == sender {
            faults.add(Code::BadReference, element, "the message refers to itself");
        }
        if earlier_sent > sent {
            faults.add(Code::BadReference, element, "it refers to a message that was sent later than itself");
        }
        let (sender, identifier) = (earlier_sender.to_owned(), earlier.to_owned());
        found.push(CapReference { sender, identifier, sent: earlier_sent });
    }
    found
}

fn draft(
    root: &Element,
    bytes: &[u8],
    kind: Kind,
    options: &CapOptions,
    header: Option<&CapHeader>,
    faults: &mut Faults,
) -> AlertDraft {
    let mut draft = AlertDraft {
        mode: header.map(|header| header.mode),
        sent_at: header.map(|header| When::At(header.sent)),
        incident_id: child(root, "incidents").and_then(|element| items(&element.text).into_iter().next()),
        original: Some(Original { media_type: CAP_MEDIA_TYPE.to_owned(), bytes: bytes.to_vec() }),
        ..AlertDraft::default()
    };
    if kind == Kind::Update {
        draft.supersedes = header.iter().flat_map(|h| &h.references).filter_map(CapReference::alert).collect();
    }
    draft.sensitivity = sensitivity(root);
    draft.ack_required = children(root, "code").any(|code| code.text == "sp:ack").then_some(true);
    let addresses = child(root, "addresses").map(|element| items(&element.text)).unwrap_or_default();
    draft.distribution = addresses.iter().filter_map(|address| sender_society(address)).collect();
    info::take(root, options, &mut draft, faults);
    draft
}

/// The narrower of what scope and marking say. Public elsewhere is not published by us: without a marking, an alert
/// stays in the network unless somebody says otherwise.
fn sensitivity(root: &Element) -> Option<Sensitivity> {
    let marking = children(root, "code").filter_map(|code| params::marking(&code.text)).max();
    match (text(root, "scope"), marking) {
        (Some("Restricted"), None) => Some(Sensitivity::Restricted),
        (Some("Restricted"), Some(marking)) => Some(marking.max(Sensitivity::Network)),
        (Some("Private"), marking) => marking.max(Some(Sensitivity::PartnersNamed)),
        (_, marking) => marking,
    }
}
