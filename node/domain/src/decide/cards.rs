//! Cards: made for a handover of ours, and found again by their code.

use crate::{
    digest::Digest,
    entry::{Body, ForgetReason},
    fold::{self, Content},
    handover::{Action, CaseShortCode, permitted_roles},
    ids::{EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rights::{CardSecret, RightsEntry},
    rows::HandoverRow,
};

use super::{Caller, Context, Decision, NewEntry, Reply, forget, withdrawals};

pub(super) fn make_card(
    context: &Context<'_>,
    caller: &Caller,
    id: HandoverId,
    secret: CardSecret,
) -> Result<Decision, Refusal> {
    caller.require(permitted_roles(Action::Send))?;
    let unknown = || Refusal::new(Code::UnknownHandover, "this node has no such handover").at("handover_id");
    let row = context.facts.handover(id)?.ok_or_else(unknown)?;
    if row.from != context.own {
        return Err(Refusal::new(Code::NotOrigin, format!("{} made the offer and makes the card", row.from)));
    }
    withdrawals::check_in_use(context, id, &row)?;
    let code = code_of(context, &row)?;
    let object = secret.to_cbor();
    let before = context.facts.card(&code)?.and_then(|card| card.made).map(|(_, entry)| entry);
    let entry = RightsEntry::CardMade { handover: id, code, digest: Digest::of(&object) };
    let mut entries = vec![NewEntry::with_object(Body::Rights(entry), object, Some(Content::Card(secret)))];
    entries.extend(forget(context, before, ForgetReason::Erasure)?);
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// The entry whose object proves whose the card of a handover is: it goes with the case.
pub(super) fn card_of(context: &Context<'_>, row: &HandoverRow) -> Result<Option<EntryIndex>, Refusal> {
    match code_of(context, row) {
        Ok(code) => Ok(context.facts.card(&code)?.and_then(|card| card.made).map(|(_, entry)| entry)),
        Err(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
        Err(_) => Ok(None),
    }
}

/// The code that an offer gave to its case.
fn code_of(context: &Context<'_>, row: &HandoverRow) -> Result<CaseShortCode, Refusal> {
    let gone = || Refusal::new(Code::PackageAbsent, "the offer was erased, and its code with it");
    let object = context.facts.object(row.entry)?.ok_or_else(gone)?;
    let entry = context.facts.entry(row.entry)?.ok_or_else(gone)?;
    match fold::content(&entry.body, &object)? {
        Content::Offer(offer) => Ok(offer.short_code.clone()),
        _ => Err(gone()),
    }
}
