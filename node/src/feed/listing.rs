//! Which messages stand in the public feed now. Follows the journal from entry to entry.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use passerelle_domain::{
    alert::{Alert, life::State},
    cap::{
        self,
        atom::{self, FeedEntry},
        write::{self, Issued},
    },
    facts::Facts as _,
    fold::Content,
    ids::{AlertId, EntryIndex, EnvelopeId},
    limits::FEED_ENTRIES_MAX,
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
    time::Time,
};

use crate::{
    documents::{aliases, cancellation, entry_and_content, held, message},
    store::{
        Direction, Store, keys,
        view::{View, decode, failed},
    },
};

/// A document of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The alert that it is or is about.
    pub(super) alert: AlertId,
    /// Whether it is its cancellation.
    pub(super) cancel: bool,
    /// When the journal took it up.
    pub(super) updated: Time,
}

/// Messages about one alert.
type Messages = Vec<(FeedEntry, Listed)>;

/// What stands in the feed at one moment.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) entries: Vec<FeedEntry>,
    pub(super) documents: BTreeMap<EnvelopeId, Listed>,
    /// When the next of them leaves.
    pub(super) until: Option<Time>,
}

/// The alerts that may stand in the feed.
pub(super) struct Listing {
    own: Society,
    linger: Duration,
    candidates: BTreeSet<AlertId>,
}

impl Listing {
    pub(super) fn new(own: Society, linger: Duration) -> Self {
        Self { own, linger, candidates: BTreeSet::new() }
    }

    /// Every alert of ours that is not over for long, by its row.
    pub(super) fn take_stock(&mut self, store: &dyn Store, now: Time) -> Result<(), Refusal> {
        let (from, until) = keys::all(b'a');
        for pair in store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair.map_err(failed)?;
            let row: AlertRow = decode(&value)?;
            let may = atom::listed_until(&row, self.own, None, self.linger).is_some_and(|until| until > now);
            self.candidates.extend(keys::id_bytes(&key).filter(|_| may).map(AlertId::from_bytes));
        }
        Ok(())
    }

    /// Takes up an entry of the journal; whether it can change the feed.
    pub(super) fn follow(&mut self, view: &View<'_>, index: EntryIndex) -> Result<bool, Refusal> {
        // An alert of ours comes from a peer when our store was restored.
        let entry = view.entry(index)?;
        let meta = entry.as_ref().and_then(|entry| entry.body.envelope());
        let Some(meta) = meta.filter(|meta| meta.origin == self.own) else { return Ok(false) };
        let ids = [Some(meta.id), meta.subject];
        let mut changes = false;
        for id in ids.into_iter().flatten().map(AlertId::from) {
            if view.alert(id)?.is_some() {
                self.candidates.insert(id);
                changes = true;
            }
        }
        Ok(changes)
    }

    /// What stands in the feed at the instant `now`. What does not any more is forgotten.
    pub(super) fn contents(&mut self, view: &View<'_>, now: Time) -> Result<Contents, Refusal> {
        let mut contents = Contents::default();
        let mut gone = Vec::new();
        for id in self.candidates.iter().copied() {
            match self.messages(view, id, now)? {
                Some((until, messages)) => {
                    contents.until = Some(contents.until.map_or(until, |next| next.min(until)));
                    for (entry, listed) in messages {
                        contents.documents.insert(entry.id, listed);
                        contents.entries.push(entry);
                    }
                }
                None => gone.push(id),
            }
        }
        for id in gone {
            self.candidates.remove(&id);
        }
        contents.entries.sort_by_key(|entry| std::cmp::Reverse((entry.updated, entry.id)));
        for left_out in contents.entries.drain(contents.entries.len().min(FEED_ENTRIES_MAX)..) {
            contents.documents.remove(&left_out.id);
        }
        Ok(contents)
    }

    /// The messages about one alert, and until when they stand there.
    fn messages(&self, view: &View<'_>, id: AlertId, now: Time) -> Result<Option<(Time, Messages)>, Refusal> {
        let Some(row) = view.alert(id)? else { return Ok(None) };
        let until = atom::listed_until(&row, self.own, ended(view, &row)?, self.linger).filter(|until| *until > now);
        let Some(until) = until else { return Ok(None) };
        let Some((entry, Some(Content::Alert(alert)))) = entry_and_content(view, row.entry)? else { return Ok(None) };
        if !atom::is_public(&alert) {
            return Ok(None);
        }
        let listed = Listed { alert: id, cancel: false, updated: entry.time };
        let mut messages = vec![(FeedEntry::of(&alert, id.into(), alert.kind.as_str(), entry.time), listed)];
        if let Some((message, at)) = cancelled(view, &row)? {
            let listed = Listed { alert: id, cancel: true, updated: at };
            messages.push((FeedEntry::of(&alert, message, "Cancel", at), listed));
        }
        Ok(Some((until, messages)))
    }
}

/// When an alert was superseded or cancelled.
fn ended(view: &View<'_>, row: &AlertRow) -> Result<Option<Time>, Refusal> {
    let entry = match (row.cancelled, row.superseded_by) {
        (Some((_, entry)), _) => Some(entry),
        (None, Some(update)) => view.alert(update)?.map(|row| row.entry),
        (None, None) => None,
    };
    Ok(entry.map(|entry| view.entry(entry)).transpose()?.flatten().map(|entry| entry.time))
}

/// The envelope that cancelled an alert, and when the journal took it up.
fn cancelled(view: &View<'_>, row: &AlertRow) -> Result<Option<(EnvelopeId, Time)>, Refusal> {
    let Some((_, index)) = row.cancelled.filter(|_| row.state == State::Cancelled) else { return Ok(None) };
    let entry = view.entry(index)?;
    Ok(message(view, index)?.zip(entry).map(|(message, entry)| (message.id, entry.time)))
}

/// The CAP document of a message in the feed: as for the public, people in bands. Where the alert was imported and says what
/// its document does, that document, to the byte: its readers may verify its signature.
///
/// # Errors
/// `unknown_alert`, `already_ended` or `wrong_state` when it is not public any more; `store_failed`.
pub(super) fn document(view: &View<'_>, listed: &Listed) -> Result<Vec<u8>, Refusal> {
    let (row, alert): (AlertRow, Box<Alert>) = held(view, listed.alert)?;
    if !atom::is_public(&alert) {
        return Err(Refusal::new(Code::WrongState, "the alert is not public"));
    }
    let issued = Issued { id: listed.alert, origin: row.origin, alert: &alert };
    if listed.cancel {
        return cancellation(view, &row, &issued);
    }
    if let Some(original) = cap::public_original(&issued) {
        return Ok(original.to_vec());
    }
    // By which documents others know what it supersedes is told only where all of that was public.
    let earlier = alert.supersedes.iter().map(|earlier| held(view, earlier.id));
    let public = earlier.into_iter().all(|earlier| earlier.is_ok_and(|(_, alert)| atom::is_public(&alert)));
    let aliases = if public { aliases(view, &alert)? } else { Vec::new() };
    Ok(write::alert(&issued, &aliases, true))
}
