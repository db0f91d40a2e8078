//! Alerts as documents of public formats: read from the journal and written as CAP 1.2. Reads rows, entries and
//! objects; changes nothing.

use passerelle_domain::{
    alert::{Alert, life::State},
    cap::{
        self, CAP_MEDIA_TYPE,
        write::{self, Alias, Issued, Message},
    },
    catalogue::Sensitivity,
    envelope::{Envelope, SignedEnvelope},
    facts::Facts as _,
    fold::Content,
    ids::{AlertId, EntryIndex},
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, entry_and_content, needed, optional};
use crate::store::view::View;

/// The one format that there is.
const FORMAT: &str = "cap-1.2";

/// What is to be written.
pub(super) struct Wanted {
    id: AlertId,
    message: About,
    anew: bool,
    for_public: bool,
}

#[derive(Clone, Copy)]
enum About {
    Alert,
    Cancel,
    Answer(Society),
}

impl Wanted {
    /// Reads a request of the node of `own`.
    pub(super) fn read(request: &v1::ExportAlertRequest, own: Society) -> Result<Self, Refusal> {
        if !["", FORMAT].contains(&request.format.as_str()) {
            return Err(Refusal::new(Code::UnknownCode, format!("the format is {FORMAT}")).at("format"));
        }
        let society: Option<Society> = optional("society", &request.society)?;
        let message = match request.message.as_str() {
            "" | "alert" => About::Alert,
            "cancel" => About::Cancel,
            "answer" => About::Answer(society.unwrap_or(own)),
            _ => return Err(Refusal::new(Code::UnknownCode, "the message is alert, cancel or answer").at("message")),
        };
        if society.is_some() && !matches!(message, About::Answer(_)) {
            return Err(Refusal::new(Code::Malformed, "only an answer is that of a Society").at("society"));
        }
        Ok(Self { id: needed("id", &request.id)?, message, anew: request.anew, for_public: request.for_public })
    }
}

impl Operator {
    /// The document that is wanted.
    pub(super) fn export(&self, wanted: &Wanted) -> Result<v1::ExportAlertResponse, Refusal> {
        let view = self.view();
        let (row, alert) = held(&view, wanted.id)?;
        if wanted.for_public && alert.sensitivity != Sensitivity::Public {
            let message = format!("the alert is {}, not public", alert.sensitivity);
            return Err(Refusal::new(Code::WrongState, message).at("for_public"));
        }
        let issued = Issued { id: wanted.id, origin: row.origin, alert: &alert };
        let (content, original) = match wanted.message {
            About::Alert => {
                match alert.original.as_ref().filter(|_| !wanted.anew && cap::imported(&issued).is_some()) {
                    Some(original) => (original.bytes.clone(), true),
                    None => (write::alert(&issued, &aliases(&view, &alert)?, wanted.for_public), false),
                }
            }
            About::Cancel => (cancellation(&view, &row, &issued)?, false),
            About::Answer(society) => (answer(&view, society, &issued)?, false),
        };
        Ok(v1::ExportAlertResponse { content, media_type: CAP_MEDIA_TYPE.to_owned(), original })
    }
}

/// An alert that this node still holds.
fn held(view: &View<'_>, id: AlertId) -> Result<(AlertRow, Box<Alert>), Refusal> {
    let unknown = || Refusal::new(Code::UnknownAlert, "this node has no such alert").at("id");
    let row = view.alert(id)?.ok_or_else(unknown)?;
    let content = if row.state == State::Redacted { None } else { entry_and_content(view, row.entry)? };
    match content {
        Some((_, Some(Content::Alert(alert)))) => Ok((row, alert)),
        _ => Err(Refusal::new(Code::AlreadyEnded, "the alert is redacted; nothing of it is left").at("id")),
    }
}

/// The names under which documents know the alerts that this one supersedes.
fn aliases(view: &View<'_>, alert: &Alert) -> Result<Vec<Alias>, Refusal> {
    let mut aliases = Vec::new();
    for earlier in &alert.supersedes {
        let Some(row) = view.alert(earlier.id)?.filter(|row| row.state != State::Redacted) else { continue };
        if let Some((_, Some(Content::Alert(known)))) = entry_and_content(view, row.entry)? {
            aliases.extend(alias(&Issued { id: earlier.id, origin: row.origin, alert: &known }));
        }
    }
    Ok(aliases)
}

fn alias(issued: &Issued<'_>) -> Option<Alias> {
    cap::imported(issued).map(|imported| imported.alias())
}

fn cancellation(view: &View<'_>, row: &AlertRow, issued: &Issued<'_>) -> Result<Vec<u8>, Refusal> {
    let none = || Refusal::new(Code::WrongState, "the alert is not cancelled").at("message");
    let (_, entry) = row.cancelled.ok_or_else(none)?;
    let Some((_, Some(Content::Cancel(cancel)))) = entry_and_content(view, entry)? else { return Err(none()) };
    let message = message(view, entry)?.ok_or_else(none)?;
    Ok(write::cancel(&message, &cancel, issued, alias(issued).as_slice()))
}

fn answer(view: &View<'_>, society: Society, issued: &Issued<'_>) -> Result<Vec<u8>, Refusal> {
    let none = || Refusal::new(Code::WrongState, format!("there is no answer of {society}")).at("society");
    let row = view.ack(issued.id, society)?.ok_or_else(none)?;
    let Some((_, Some(Content::Ack(ack)))) = entry_and_content(view, row.entry)? else { return Err(none()) };
    let message = message(view, row.entry)?.ok_or_else(none)?;
    Ok(write::answer(&message, ack.answer(), issued, alias(issued).as_slice()))
}

/// The envelope that carried a message.
fn message(view: &View<'_>, entry: EntryIndex) -> Result<Option<Message>, Refusal> {
    let Some(object) = view.object(entry)? else { return Ok(None) };
    let envelope = Envelope::parse(&SignedEnvelope::from_object(&object)?.payload)?;
    Ok(Some(Message { id: envelope.id, by: envelope.origin, at: envelope.created_at }))
}

/// What is shown of the document that an alert was imported from.
pub(super) fn imported(id: AlertId, origin: Society, alert: &Alert) -> Option<v1::ImportedDocument> {
    let imported = cap::imported(&Issued { id, origin, alert })?;
    let signature = if imported.header.signed { "present_not_verified" } else { "absent" };
    Some(v1::ImportedDocument {
        sender: imported.header.sender,
        identifier: imported.header.identifier,
        sent: Some(timestamp(imported.header.sent)),
        digest: imported.digest.to_string(),
        languages: imported.languages.iter().map(ToString::to_string).collect(),
        signature: signature.to_owned(),
        only_in_original: imported.only_there,
    })
}
