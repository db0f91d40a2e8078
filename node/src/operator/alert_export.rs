//! Alerts as documents of public formats: read from the journal and written as CAP 1.2. Reads rows, entries and
//! objects; changes nothing.

use passerelle_domain::{
    alert::Alert,
    cap::{
        self, CAP_MEDIA_TYPE, Imported,
        write::{self, Issued},
    },
    catalogue::Sensitivity,
    ids::AlertId,
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_proto::{convert::timestamp, v1};
use passerelle_signature::{State, Trusted};

use super::{Operator, needed, optional};
use crate::documents::{aliases, answer, cancellation, held};

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
            About::Alert => match alert.original.as_ref().filter(|_| !wanted.anew && cap::alias(&alert).is_some()) {
                Some(original) => (original.bytes.clone(), true),
                None => (write::alert(&issued, &aliases(&view, &alert)?, wanted.for_public), false),
            },
            About::Cancel => (cancellation(&view, &row, &issued)?, false),
            About::Answer(society) => (answer(&view, society, &issued)?, false),
        };
        Ok(v1::ExportAlertResponse { content, media_type: CAP_MEDIA_TYPE.to_owned(), original })
    }
}

impl Operator {
    /// What is shown of the document that an alert was imported from.
    pub(super) fn imported(&self, id: AlertId, origin: Society, alert: &Alert) -> Option<v1::ImportedDocument> {
        let imported = cap::imported(&Issued { id, origin, alert })?;
        let trusted = self.trusted.borrow().clone();
        // What was imported is good XML without a document type: the reader of signatures gets nothing else.
        let state = |trusted: &Trusted| {
            alert.original.as_ref().map_or(State::NotVerified, |original| trusted.state_of(&original.bytes))
        };
        let signature = match imported.header.signed {
            true => trusted.as_deref().map_or(State::NotVerified, state).code(),
            false => "absent",
        };
        Some(shown(imported, signature))
    }
}

fn shown(imported: Imported, signature: &str) -> v1::ImportedDocument {
    v1::ImportedDocument {
        sender: imported.header.sender,
        identifier: imported.header.identifier,
        sent: Some(timestamp(imported.header.sent)),
        digest: imported.digest.to_string(),
        languages: imported.languages.iter().map(ToString::to_string).collect(),
        signature: signature.to_owned(),
        only_in_original: imported.only_there,
    }
}
