//! Writes CAP 1.2 (OASIS) by the SahelPlus profile: alerts and updates whole, so that reading them back gives
//! the same alert; cancellations and answers as the short messages that they are.
//!
//! CAP's times have whole seconds. Where an alert's have milliseconds, the elements hold the second and the
//! parameter `sp:exact` the rest: the bytes of the alert are signed, and cannot be rounded.

mod info;
mod sheet;

use crate::{
    alert::{Alert, AlertCancel, Answer, Reference},
    catalogue::{Kind, Mode, Sensitivity},
    ids::{AlertId, EnvelopeId},
    limits::REFERENCES_MAX,
    society::Society,
    time::Time,
};

use super::{form::cap_text, sender};
use sheet::Sheet;

/// The profile that every document of ours keeps (CAP `code`).
pub const PROFILE: &str = "SahelPlus:1.0";
/// Whom a `Restricted` document is for (CAP `restriction`).
const RESTRICTION: &str = "National Societies of the Sahel+ network";

/// An alert under the name that the network knows it by.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    /// Its id (CAP `identifier`).
    pub id: AlertId,
    /// Who issued it (CAP `sender`).
    pub origin: Society,
    /// What it says.
    pub alert: &'a Alert,
}

/// The triple of a document that an alert of ours was imported from: its readers know the alert by that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// `sender,identifier,sent`, as the document writes them.
    pub triple: String,
    /// When the document was sent.
    pub sent: Time,
}

/// A message about an alert: the envelope that carried it.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// The envelope's id (CAP `identifier`).
    pub id: EnvelopeId,
    /// Who signed it (CAP `sender`).
    pub by: Society,
    /// When it was made. CAP `sent` is never earlier than that of the alert, which may lie a little ahead.
    pub at: Time,
}

/// The triple of an alert: the same for ever, and the same whoever writes it. The time has whole seconds.
#[must_use]
pub fn triple(reference: &Reference) -> String {
    format!("{},{},{}", sender(reference.origin), reference.id, cap_text(reference.sent_at))
}

impl Issued<'_> {
    fn reference(&self) -> Reference {
        Reference { origin: self.origin, id: self.id, sent_at: self.alert.sent_at }
    }
}

/// An `Alert` or `Update`. `aliases` are those of the alerts that it supersedes; with `bands`, as for the
/// public, people are given in bands. Otherwise reading the document gives the same alert but its original.
#[must_use]
pub fn alert(issued: &Issued<'_>, aliases: &[Alias], bands: bool) -> Vec<u8> {
    let Issued { id, origin, alert } = *issued;
    let mut sheet = Sheet::new();
    let msg_type = alert.kind.as_str();
    head(&mut sheet, &id.to_string(), origin, alert.sent_at, alert.mode, msg_type, Some(alert.source_type.as_str()));
    sharing(&mut sheet, alert.sensitivity, &alert.distribution);
    sheet.leaf("code", PROFILE);
    sheet.leaf("code", marking(alert.sensitivity));
    if alert.ack_required {
        sheet.leaf("code", "sp:ack");
    }
    if alert.mode == Mode::Exercise {
        // CAP 1.2, 3.2.1: the note of an exercise names it.
        let name = alert.incident_id.as_deref().or(alert.texts.first().map(|text| text.headline.as_str()));
        sheet.leaf("note", &format!("EXERCISE: {}", name.unwrap_or_default()));
    }
    if alert.kind == Kind::Update {
        references(&mut sheet, &alert.supersedes, aliases, alert.sent_at);
    }
    sheet.optional("incidents", alert.incident_id.as_deref());
    info::blocks(&mut sheet, issued, !aliases.is_empty(), bands);
    sheet.finish()
}

/// A `Cancel` of an alert.
#[must_use]
pub fn cancel(message: &Message, cancel: &AlertCancel, of: &Issued<'_>, aliases: &[Alias]) -> Vec<u8> {
    let mut sheet = Sheet::new();
    about(&mut sheet, message, "Cancel", of);
    sharing(&mut sheet, of.alert.sensitivity, &of.alert.distribution);
    sheet.leaf("code", PROFILE);
    sheet.leaf("code", marking(of.alert.sensitivity));
    sheet.leaf("code", &format!("sp:cancel:{}", cancel.reason));
    sheet.optional("note", cancel.note.as_ref().map(|note| note.as_str()));
    references(&mut sheet, &[of.reference()], aliases, message.at.max(of.alert.sent_at));
    sheet.optional("incidents", of.alert.incident_id.as_deref());
    sheet.finish()
}

/// An `Ack` or `Error`: to the origin of the alert alone.
#[must_use]
pub fn answer(message: &Message, answer: &Answer, of: &Issued<'_>, aliases: &[Alias]) -> Vec<u8> {
    let mut sheet = Sheet::new();
    about(&mut sheet, message, answer.kind.as_str(), of);
    sheet.leaf("scope", "Private");
    sheet.leaf("addresses", &sender(of.origin));
    sheet.leaf("code", PROFILE);
    sheet.optional("note", answer.note.as_ref().map(|note| note.as_str()));
    references(&mut sheet, &[of.reference()], aliases, message.at.max(of.alert.sent_at));
    sheet.optional("incidents", of.alert.incident_id.as_deref());
    sheet.finish()
}

fn about(sheet: &mut Sheet, message: &Message, msg_type: &str, of: &Issued<'_>) {
    let sent = message.at.max(of.alert.sent_at);
    head(sheet, &message.id.to_string(), message.by, sent, of.alert.mode, msg_type, None);
}

fn head(sheet: &mut Sheet, id: &str, by: Society, sent: Time, mode: Mode, msg_type: &str, source: Option<&str>) {
    sheet.leaf("identifier", id);
    sheet.leaf("sender", &sender(by));
    sheet.leaf("sent", &cap_text(sent));
    sheet.leaf("status", mode.as_str());
    sheet.leaf("msgType", msg_type);
    sheet.optional("source", source);
}

/// Never wider than the alert's sensitivity: what goes by distribution alone is `Private`.
fn sharing(sheet: &mut Sheet, sensitivity: Sensitivity, distribution: &[Society]) {
    match sensitivity {
        Sensitivity::Public => sheet.leaf("scope", "Public"),
        Sensitivity::Network => {
            sheet.leaf("scope", "Restricted");
            sheet.leaf("restriction", RESTRICTION);
        }
        Sensitivity::PartnersNamed | Sensitivity::Restricted => sheet.leaf("scope", "Private"),
    }
    if !distribution.is_empty() {
        let addresses: Vec<String> = distribution.iter().map(|society| sender(*society)).collect();
        sheet.leaf("addresses", &addresses.join(" "));
    }
}

/// The marking of the Traffic Light Protocol (FIRST TLP 2.0) for a sensitivity.
fn marking(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Public => "sp:TLP:CLEAR",
        Sensitivity::Network => "sp:TLP:GREEN",
        Sensitivity::PartnersNamed => "sp:TLP:AMBER",
        Sensitivity::Restricted => "sp:TLP:RED",
    }
}

/// Our own triples first, then the aliases while there is room for them; none that is later than the message.
fn references(sheet: &mut Sheet, earlier: &[Reference], aliases: &[Alias], sent: Time) {
    let mut triples: Vec<String> = earlier.iter().map(triple).collect();
    for alias in aliases.iter().filter(|alias| alias.sent <= sent) {
        if triples.len() < REFERENCES_MAX && !triples.contains(&alias.triple) {
            triples.push(alias.triple.clone());
        }
    }
    sheet.leaf("references", &triples.join(" "));
}
