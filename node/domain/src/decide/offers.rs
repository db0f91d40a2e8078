//! Offers: drafted, checked against the consent and the configuration, sent, or written down for approval.

use crate::{
    catalogue::Service,
    consent::{ConsentEvent, ConsentRecord, ConsentRef},
    entry::{Body, PackageRef},
    envelope::{Kind, Lane},
    fold::Content,
    handover::{
        Action, Case, CaseShortCode, Gate, HandoverDraft, Offer, OfferContext, check_gate, permitted_roles,
        safeguards::has_sealed,
    },
    ids::{CaseId, HandoverId, IdEntropy},
    refusal::{Code, Refusal},
    rows::HandoverRow,
};

use super::{
    Caller, Context, Decision, NewEntry, Reply, approvals, consents,
    handovers::{envelope, offer_of},
    withdrawals,
};

/// An offer to be made.
pub(super) struct Offering {
    pub(super) id: HandoverId,
    pub(super) case: CaseId,
    pub(super) draft: HandoverDraft,
    pub(super) package: Option<PackageRef>,
    pub(super) release_on_acceptance: bool,
    pub(super) entropy: IdEntropy,
}

/// A handover that may be offered.
pub(super) struct New {
    pub(super) offering: Offering,
    pub(super) offer: Offer,
    /// Whether a sealed section may travel with it.
    pub(super) sealed: bool,
    entropy: IdEntropy,
}

/// What an offer turned out to be.
pub(super) enum Prepared {
    /// It was made before.
    Known(Decision),
    /// It can be made.
    New(Box<New>),
}

/// Offers a handover, without identity, if the consent covers every service asked for. Where others have to approve
/// it, it is written down and waits.
pub(super) fn offer(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    offering: Offering,
) -> Result<Decision, Refusal> {
    if offering.draft.group.is_some() {
        let message = "those who travel together are offered together";
        return Err(Refusal::new(Code::GroupTogether, message).at("group"));
    }
    let new = match prepare(context, caller, entropy, offering)? {
        Prepared::Known(decision) => return Ok(decision),
        Prepared::New(new) => *new,
    };
    let at_once = approvals::needs_nobody(&new.offer, new.sealed);
    let entries = if at_once { new.issue(context) } else { new.propose() };
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// Checks all that an offer has to pass.
pub(super) fn prepare(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    offering: Offering,
) -> Result<Prepared, Refusal> {
    caller.require(permitted_roles(Action::Send))?;
    if offering.release_on_acceptance {
        approvals::may_release_by_itself(&offering.draft)?;
    }
    let earlier = context.facts.handover(offering.id)?;
    let earlier_offer = earlier.as_ref().map(|row| offer_of(context, row)).transpose()?;
    let record = consents::of_case(context, offering.draft.consent, offering.case)?;
    if let Some(earlier) = earlier.zip(earlier_offer) {
        let fresh = offer_context(context, &offering, Some(&record), short_code(entropy));
        return repeat(context, earlier, offering, fresh).map(Prepared::Known);
    }
    let offering = Offering { entropy, ..offering };
    let offer = draft_offer(context, &offering, Some(&record))?;
    approvals::by_a_person(caller, &offer)?;
    let services: Vec<Service> = offer.service_codes().collect();
    crate::defect!(SkipConsentAtOffer => {
        return Ok(Prepared::New(Box::new(New { offering, offer, sealed: false, entropy })));
    });
    let events = withdrawals::events(context, record.id)?;
    let case = case_of(context, &offering, &offer, Some(&record), &events);
    check_gate(&Gate::Submit, &case, &services)?;
    let plan = check_gate(&Gate::Send, &case, &services)?;
    let sealed = has_sealed(&plan.sections);
    Ok(Prepared::New(Box::new(New { offering, offer, sealed, entropy })))
}

fn offer_context(
    context: &Context<'_>,
    offering: &Offering,
    record: Option<&ConsentRecord>,
    short_code: CaseShortCode,
) -> OfferContext {
    OfferContext {
        id: offering.id,
        from: context.own,
        subject: context.pseudonyms.for_peer(offering.draft.to, offering.case),
        short_code,
        consent: record.map_or(ConsentRef::none(offering.id), ConsentRecord::reference),
        now: context.now,
    }
}

/// The offer of a draft, to a peer that takes handovers, about a person of the age that the record says.
pub(super) fn draft_offer(
    context: &Context<'_>,
    offering: &Offering,
    record: Option<&ConsentRecord>,
) -> Result<Offer, Refusal> {
    let to = offering.draft.to;
    let fresh = offer_context(context, offering, record, short_code(offering.entropy));
    let offer = Offer::from_draft(offering.draft.clone(), fresh).map_err(first)?;
    if context.facts.peer(to)?.is_none_or(|row| row.removed) {
        return Err(Refusal::new(Code::UnknownPeer, format!("{to} is no peer of this node")).at("to"));
    }
    context.check_exchange(to)?;
    context.check_transfer(context.own, to)?;
    withdrawals::check_room(context, offer.consent.id, Some(offering.case))?;
    let known = match record {
        Some(record) => Some(record.age_band),
        None => context.facts.case_age(offering.case)?.map(|row| row.band),
    };
    if let Some(band) = known.filter(|band| *band != offer.age_band) {
        let message = format!("the person's age is recorded as {band}, not {}", offer.age_band);
        return Err(Refusal::new(Code::AgeDisputed, message).at("age_band"));
    }
    Ok(offer)
}

/// The case of an offer that is being made.
pub(super) fn case_of<'a>(
    context: &Context<'_>,
    offering: &Offering,
    offer: &'a Offer,
    record: Option<&'a ConsentRecord>,
    events: &'a [ConsentEvent],
) -> Case<'a> {
    Case { offer, subject: context.pseudonyms.own(offering.case), record, events, now: context.now }
}

impl New {
    /// The entries that send the offer.
    pub(super) fn issue(self, context: &Context<'_>) -> Vec<NewEntry> {
        let Self { offering, offer, entropy, .. } = self;
        let (id, to, expires_at) = (offering.id, offer.to, Some(offer.expires_at));
        let (kind, lane) = (Kind::HandoverOffer, Lane::Routine);
        let envelope = envelope(context, entropy, to, kind, lane, offer.to_cbor(), expires_at);
        let (case, release_on_acceptance) = (offering.case, offering.release_on_acceptance);
        let mut entries = vec![
            NewEntry::issued(context, &envelope, Content::Offer(Box::new(offer))),
            NewEntry::bare(Body::HandoverOpened { id, case, release_on_acceptance }),
        ];
        entries.extend(kept(&offering));
        entries
    }

    /// The entries that write the offer down until others have approved it.
    pub(super) fn propose(self) -> Vec<NewEntry> {
        let Self { offering, offer, sealed, .. } = self;
        let mut entries = vec![approvals::proposal(&offering, offer, sealed)];
        if offering.release_on_acceptance {
            let (id, case) = (offering.id, offering.case);
            entries.push(NewEntry::bare(Body::HandoverOpened { id, case, release_on_acceptance: true }));
        }
        entries.extend(kept(&offering));
        entries
    }
}

fn kept(offering: &Offering) -> Option<NewEntry> {
    offering.package.map(|package| NewEntry::bare(Body::PackageKept { handover: offering.id, package }))
}

/// The same id again: the same answer when it is the same offer, a refusal when it is not.
fn repeat(
    context: &Context<'_>,
    (row, earlier): (HandoverRow, Offer),
    offering: Offering,
    fresh: OfferContext,
) -> Result<Decision, Refusal> {
    let expires_at = offering.draft.expires_at.or(Some(earlier.expires_at));
    let draft = HandoverDraft { expires_at, ..offering.draft };
    let as_then = OfferContext { now: earlier.offered_at, short_code: earlier.short_code.clone(), ..fresh };
    match Offer::from_draft(draft, as_then) {
        Ok(again) if row.from == context.own && again == earlier => {
            Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: row.entry } })
        }
        _ => Err(Refusal::new(Code::DuplicateId, "a handover with this id and other content exists").at("id")),
    }
}

/// The code on the person's card, from the half of the entropy that is in no id.
fn short_code(entropy: IdEntropy) -> CaseShortCode {
    let [.., a, b, c, d, e] = entropy;
    CaseShortCode::from_entropy([a, b, c, d, e])
}

fn first(faults: Vec<Refusal>) -> Refusal {
    faults.into_iter().next().unwrap_or_else(|| Refusal::new(Code::Malformed, "the draft is not valid"))
}
