//! The messages about an alert as CAP documents, made of rows, entries and objects of the store. Reads them; changes
//! nothing.

use passerelle_domain::{
    alert::{Alert, life::State},
    cap::{
        self,
        write::{self, Alias, Issued, Message},
    },
    entry::Entry,
    envelope::{Envelope, SignedEnvelope},
    facts::Facts as _,
    fold::{self, Content},
    ids::{AlertId, EntryIndex},
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
};

use crate::store::view::View;

/// The entry at `index` and the meaning of its object; that is absent when it was erased.
///
/// # Errors
/// `store_failed`.
pub fn entry_and_content(view: &View<'_>, index: EntryIndex) -> Result<Option<(Entry, Option<Content>)>, Refusal> {
    let Some(entry) = view.entry(index)? else { return Ok(None) };
    let content = view.object(index)?.map(|object| fold::content(&entry.body, &object)).transpose()?;
    Ok(Some((entry, content)))
}

/// An alert that this node still holds.
///
/// # Errors
/// `unknown_alert`, `already_ended` when it is redacted, `store_failed`.
pub fn held(view: &View<'_>, id: AlertId) -> Result<(AlertRow, Box<Alert>), Refusal> {
    let unknown = || Refusal::new(Code::UnknownAlert, "this node has no such alert").at("id");
    let row = view.alert(id)?.ok_or_else(unknown)?;
    let content = if row.state == State::Redacted { None } else { entry_and_content(view, row.entry)? };
    match content {
        Some((_, Some(Content::Alert(alert)))) => Ok((row, alert)),
        _ => Err(Refusal::new(Code::AlreadyEnded, "the alert is redacted; nothing of it is left").at("id")),
    }
}

/// The names under which documents know the alerts that this one supersedes.
///
/// # Errors
/// `store_failed`.
pub fn aliases(view: &View<'_>, alert: &Alert) -> Result<Vec<Alias>, Refusal> {
    let mut aliases = Vec::new();
    for earlier in &alert.supersedes {
        let Some(row) = view.alert(earlier.id)?.filter(|row| row.state != State::Redacted) else { continue };
        if let Some((_, Some(Content::Alert(known)))) = entry_and_content(view, row.entry)? {
            aliases.extend(cap::alias(&known));
        }
    }
    Ok(aliases)
}

/// The cancellation of an alert.
///
/// # Errors
/// `wrong_state` when there is none; `store_failed`.
pub fn cancellation(view: &View<'_>, row: &AlertRow, issued: &Issued<'_>) -> Result<Vec<u8>, Refusal> {
    let none = || Refusal::new(Code::WrongState, "the alert is not cancelled").at("message");
    let (_, entry) = row.cancelled.ok_or_else(none)?;
    let Some((_, Some(Content::Cancel(cancel)))) = entry_and_content(view, entry)? else { return Err(none()) };
    let message = message(view, entry)?.ok_or_else(none)?;
    Ok(write::cancel(&message, &cancel, issued, cap::alias(issued.alert).as_slice()))
}

/// The answer of a Society to an alert.
///
/// # Errors
/// `wrong_state` when there is none; `store_failed`.
pub fn answer(view: &View<'_>, society: Society, issued: &Issued<'_>) -> Result<Vec<u8>, Refusal> {
    let none = || Refusal::new(Code::WrongState, format!("there is no answer of {society}")).at("society");
    let row = view.ack(issued.id, society)?.ok_or_else(none)?;
    let Some((_, Some(Content::Ack(ack)))) = entry_and_content(view, row.entry)? else { return Err(none()) };
    let message = message(view, row.entry)?.ok_or_else(none)?;
    Ok(write::answer(&message, ack.answer(), issued, cap::alias(issued.alert).as_slice()))
}

/// The envelope that carried a message; absent when its object was erased.
///
/// # Errors
/// `store_failed`.
pub fn message(view: &View<'_>, entry: EntryIndex) -> Result<Option<Message>, Refusal> {
    let Some(object) = view.object(entry)? else { return Ok(None) };
    let envelope = Envelope::parse(&SignedEnvelope::from_object(&object)?.payload)?;
    Ok(Some(Message { id: envelope.id, by: envelope.origin, at: envelope.created_at }))
}
