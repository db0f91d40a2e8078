//! What operators, their programs and administrators write: drafts in JSON and TOML, words of the command line,
//! the configuration. Touches nothing.

use std::{fmt::Display, path::Path, str::FromStr};

use passerelle_domain::{
    alert::{Alert, AlertDraft, Country, DutyMail, DutyPhone, Language, Note as AlertNote},
    brief,
    bundle::Address,
    catalogue::{Event, Purpose, Role, Section, Segment, Service},
    consent::{ConsentDraft, ConsentRecord, RecordContext},
    digest::Digest,
    geo,
    handover::{BirthDate, CaseShortCode, FreeText, HandoverDraft, Note, Package, PhoneNumber},
    ids::{AlertId, CaseId, ConsentId, HandoverId},
    lint,
    signing::Signature,
    society::Society,
    time::Time,
};
use passerelle_node::config::Config;
use passerelle_proto::{convert, v1};
use prost::Message as _;

use super::{base, tells_nothing};

/// The form by the first byte, then its text or, for the last kind, the message of the operator interface.
pub(super) fn forms(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    match kind % 6 {
        0 => {
            if let Ok(draft) = toml::from_str(text) {
                alert(draft);
            }
        }
        1 => {
            if let Ok(draft) = serde_json::from_str(text) {
                alert(draft);
            }
        }
        2 => {
            if let Ok(draft) = serde_json::from_str::<ConsentDraft>(text) {
                consent(draft);
            }
        }
        3 => {
            if let Ok(package) = serde_json::from_str::<Package>(text) {
                package.check().and_then(|()| package.check_texts()).unwrap_or_else(|refusal| tells_nothing(&refusal));
                let _ = package.to_cbor().map_err(|refusal| tells_nothing(&refusal));
            }
        }
        4 => _ = serde_json::from_str::<HandoverDraft>(text).is_ok(),
        _ => {
            if let Ok(message) = v1::Alert::decode(bytes) {
                match convert::alert_draft(message) {
                    Ok(draft) => alert(draft),
                    Err(refusals) => refusals.iter().for_each(tells_nothing),
                }
            }
        }
    }
}

/// An alert goes over the operator interface and through the store, and stays the same.
fn alert(draft: AlertDraft) {
    let message = convert::alert_message(draft.clone(), base::NOW);
    let over = convert::alert_draft(message);
    let alert = match Alert::from_draft(draft, base::NOW) {
        Ok(alert) => alert,
        Err(refusals) => return refusals.iter().for_each(tells_nothing),
    };
    let again = over.and_then(|draft| Alert::from_draft(draft, base::NOW));
    assert_eq!(again.as_ref(), Ok(&alert), "an alert comes over the operator interface as it was");
    assert_eq!(Alert::from_cbor(&alert.to_cbor()).as_ref(), Ok(&alert), "an alert reads back");
}

fn consent(draft: ConsentDraft) {
    let context = RecordContext {
        id: ConsentId::new(base::NOW, [1; 10]),
        subject: passerelle_domain::decide::Pseudonyms::new([1; 32]).own(CaseId::new(base::NOW, [2; 10])),
        society: base::own(),
        now: base::NOW,
    };
    match ConsentRecord::from_draft(draft, context) {
        Ok(record) => assert!(ConsentRecord::from_cbor(record.to_cbor()).is_ok(), "a consent reads back"),
        Err(refusals) => refusals.iter().for_each(tells_nothing),
    }
}

/// A word that is a value: what it is written as is read as the same.
fn word<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse::<T>().ok(), Some(value), "{written:?} is read as it was written");
    }
}

/// One text as every kind of word.
pub(super) fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    word::<Time>(text);
    word::<Society>(text);
    word::<Segment>(text);
    word::<Digest>(text);
    word::<Signature>(text);
    word::<Address>(text);
    word::<AlertId>(text);
    word::<HandoverId>(text);
    word::<Event>(text);
    word::<Section>(text);
    word::<Service>(text);
    word::<Purpose>(text);
    word::<Role>(text);
    word::<Country>(text);
    word::<Language>(text);
    word::<DutyMail>(text);
    word::<DutyPhone>(text);
    word::<CaseShortCode>(text);
    let _ = text.parse::<AlertNote>().map_err(|refusal| tells_nothing(&refusal));
    let _ = text.parse::<Note>().map_err(|refusal| tells_nothing(&refusal));
    let _ = text.parse::<FreeText>().map_err(|refusal| tells_nothing(&refusal));
    let _ = text.parse::<PhoneNumber>().map_err(|refusal| tells_nothing(&refusal));
    let _ = text.parse::<BirthDate>().map_err(|refusal| tells_nothing(&refusal));
    let _ = lint::check_text(text).map_err(|refusal| tells_nothing(&refusal));
    let _ = brief::cost(text);
    let _ = brief::gsm_only(text);
    let _ = geo::find(text, None);
    let folded = geo::folded(text);
    assert_eq!(geo::folded(&folded), folded, "folded once is folded");
}

/// A configuration, and behind a zero byte the environment, a variable a line.
pub(super) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (text, environment) = text.split_once('\0').unwrap_or((text, ""));
    let environment = environment.lines().filter_map(|line| line.split_once('='));
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
    match Config::parse(Path::new("/etc/passerelle/node.toml"), text, environment) {
        Ok(config) => assert!(!format!("{config:?}").is_empty()),
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
}
