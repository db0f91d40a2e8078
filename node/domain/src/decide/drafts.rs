//! Drafts of alerts: written, approved by a second person where that is required, published or given up.
//! A draft stays in this node.

use crate::{
    alert::{self, Alert, life},
    catalogue::Role,
    digest::Digest,
    entry::{Body, DraftEnd, DraftSource, ForgetReason},
    fold::Content,
    ids::AlertId,
    refusal::{Code, Refusal},
    rows::DraftRow,
};

use super::{Caller, Context, Decision, NewEntry, Reply, alerts, approvals, forget};

const WRITERS: [Role; 2] = [Role::AlertAuthor, Role::AlertApprover];

/// Drafts an alert. The same again is answered the same; something else under the same id takes the draft's place,
/// and is to be approved anew.
pub(super) fn draft(
    context: &Context<'_>,
    caller: &Caller,
    id: AlertId,
    alert: &Alert,
    source: DraftSource,
) -> Result<Decision, Refusal> {
    caller.require(&WRITERS)?;
    if context.facts.alert(id)?.is_some() {
        return Err(Refusal::new(Code::DuplicateId, "an alert with this id exists").at("id"));
    }
    let object = alert.to_cbor();
    let digest = Digest::of(&object);
    let mut earlier = Vec::new();
    if let Some(row) = context.facts.draft(id)? {
        open(&row)?;
        if row.digest == digest && row.source == source {
            return Ok(done(row.entry));
        }
        if row.source != source {
            return Err(Refusal::new(Code::DuplicateId, "a draft with this id and another source exists").at("id"));
        }
        earlier = forget(context, [row.entry], ForgetReason::Retention)?;
    }
    // What a feed says, nobody of ours has said yet: a person looks at it first.
    let needs_approval = alert::needs_second_person(alert) || source != DraftSource::Operator;
    let body = Body::AlertDrafted { id, digest, source, needs_approval };
    let content = Some(Content::Draft(Box::new(alert.clone())));
    let mut entries = vec![NewEntry::with_object(body, object, content)];
    entries.extend(earlier);
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// Approves what another person drafted.
pub(super) fn approve(
    context: &Context<'_>,
    caller: &Caller,
    id: AlertId,
    digest: Option<Digest>,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::AlertApprover])?;
    let row = known(context, id)?;
    open(&row)?;
    approvals::person(caller)?;
    if digest.is_some_and(|digest| digest != row.digest) {
        return Err(Refusal::new(Code::WrongState, "the draft has changed since it was read").at("digest"));
    }
    if let Some(entry) = row.approved {
        return Ok(done(entry));
    }
    life::transition(row.state, life::Event::Approve)?;
    if context.facts.entry(row.entry)?.is_none_or(|entry| entry.actor == caller.actor) {
        return Err(Refusal::new(Code::SelfApproval, "whoever wrote a draft does not approve it"));
    }
    let entry = NewEntry::bare(Body::DraftApproved { id, drafted: row.entry });
    Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
}

/// Publishes a draft that is ready.
pub(super) fn publish(context: &Context<'_>, caller: &Caller, id: AlertId) -> Result<Decision, Refusal> {
    caller.require(&WRITERS)?;
    let row = known(context, id)?;
    if let Some((DraftEnd::Published, _)) = row.ended
        && let Some(published) = context.facts.alert(id)?
    {
        let recipients = alerts::holders(context, &published)?;
        let reply = Reply::Alert { id, entry: published.entry, digest: published.digest, recipients };
        return Ok(Decision { entries: Vec::new(), reply });
    }
    open(&row)?;
    if row.state == life::State::Draft {
        let message = "the draft waits for the approval of a second person";
        return Err(Refusal::new(Code::ApprovalRequired, message));
    }
    life::transition(row.state, life::Event::Publish)?;
    let absent = || Refusal::new(Code::UnknownDraft, "the draft was erased");
    let draft = Alert::from_cbor(&context.facts.object(row.entry)?.ok_or_else(absent)?)?;
    let mut decision = alerts::issue(context, id, draft.published_at(context.now)?)?;
    decision.entries.push(NewEntry::bare(Body::DraftEnded { id, end: DraftEnd::Published }));
    // What it says stands in the alert now, where a redaction finds it.
    decision.entries.extend(forget(context, [row.entry], ForgetReason::Published)?);
    Ok(decision)
}

/// Gives a draft up: what it says is forgotten.
pub(super) fn discard(context: &Context<'_>, caller: &Caller, id: AlertId) -> Result<Decision, Refusal> {
    caller.require(&WRITERS)?;
    let row = known(context, id)?;
    if let Some((DraftEnd::Discarded, entry)) = row.ended {
        return Ok(done(entry));
    }
    open(&row)?;
    let mut entries = vec![NewEntry::bare(Body::DraftEnded { id, end: DraftEnd::Discarded })];
    entries.extend(forget(context, [row.entry], ForgetReason::Retention)?);
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

fn known(context: &Context<'_>, id: AlertId) -> Result<DraftRow, Refusal> {
    context.facts.draft(id)?.ok_or_else(|| Refusal::new(Code::UnknownDraft, "this node has no such draft"))
}

fn open(row: &DraftRow) -> Result<(), Refusal> {
    match row.ended {
        Some((end, _)) => Err(Refusal::new(Code::AlreadyEnded, format!("the draft is {end}"))),
        None => Ok(()),
    }
}

fn done(entry: crate::ids::EntryIndex) -> Decision {
    Decision { entries: Vec::new(), reply: Reply::Done { entry } }
}
