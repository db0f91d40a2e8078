//! What a person asks to be put right, on its way through the operator interface: sealed as it comes, shown to those whose
//! roles open it, applied to the packages of this node and sealed for those who have them from here. Nothing of it is logged.

use std::collections::BTreeSet;

use passerelle_domain::{
    catalogue::{Right, Role, Section},
    decide::{Caller, Command, RightsCommand, correctable, recheck},
    digest::Digest,
    entry::PackageRef,
    envelope::Attachment,
    facts::Facts as _,
    handover::{Gate, Opener, Package},
    ids::{EntryIndex, HandoverId, RequestId},
    limits::CORRECTION_BYTES_MAX,
    refusal::{Code, Refusal},
    rights::{Carried, Corrected, CorrectionEntry},
    society::Society,
};
use zeroize::Zeroizing;

use super::{Operator, errors::Refused, json};

/// What a correction makes of this node's packages, and what of it goes on.
struct Prepared {
    corrected: Vec<Corrected>,
    onward: Vec<(HandoverId, Attachment)>,
}

/// The fields as they should be, as they were written down; none when the request says nothing of them.
pub(super) fn read(text: &str) -> Result<Option<Package>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let correction: Package = json::read("correction_json", text)?;
    correction.check_texts().map_err(|refusal| refusal.within("correction_json"))?;
    if correction.to_cbor().map_err(|refusal| refusal.within("correction_json"))?.len() > CORRECTION_BYTES_MAX {
        let message = format!("a correction has at most {CORRECTION_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::TooLarge, message).at("correction_json"));
    }
    Ok(Some(correction))
}

fn all() -> BTreeSet<Section> {
    Section::ALL.iter().copied().collect()
}

impl Operator {
    /// Keeps a correction that comes with a request, or seals it to the Society of the card; nothing for a request that is
    /// known already.
    pub(super) async fn carry(
        &self,
        request: RequestId,
        card_of: Society,
        correction: Option<Package>,
    ) -> Result<Option<Carried>, Refused> {
        let Some(correction) = correction else { return Ok(None) };
        if self.view().request(request)?.is_some() {
            return Ok(None);
        }
        let carried = self.blocking(move |operator| {
            let bytes = Zeroizing::new(correction.to_cbor()?);
            Ok(if card_of == operator.own {
                Carried::Here(operator.packages.put_correction(request, &bytes)?)
            } else {
                Carried::Sealed(operator.packages.seal_correction(card_of, request, &bytes)?)
            })
        });
        Ok(Some(carried.await?))
    }

    /// Erases what was kept for a request that was refused.
    pub(super) async fn drop_carried(&self, request: RequestId, carried: Option<Carried>) {
        let name: Digest = match carried {
            Some(Carried::Here(PackageRef { commitment, .. })) => commitment,
            Some(Carried::Sealed(sealed)) => sealed.digest,
            None => return,
        };
        let dropped = self.blocking(move |operator| operator.packages.discard_correction(request, &[name])).await;
        if let Err(refusal) = dropped {
            tracing::warn!(code = refusal.code.as_str(), "a correction that is not needed could not be erased");
        }
    }

    /// What of a correction these roles open, as JSON; empty when there is none.
    pub(super) async fn shown_correction(&self, request: RequestId, roles: Vec<Role>) -> Result<String, Refusal> {
        let row = self.view().correction(request)?.unwrap_or_default();
        let Some(place) = row.kept.filter(|_| row.destroyed.is_none()) else { return Ok(String::new()) };
        let opener = Opener::Reader(roles);
        let sections = Section::ALL.iter().copied().filter(|section| opener.may_open(*section)).collect();
        let shown = self.blocking(move |operator| operator.packages.get(&place, &sections, &opener)).await?.0;
        Ok(if shown.sections().is_empty() { String::new() } else { json::write(&shown) })
    }

    /// Whether an answer that a request is done has a correction to apply first.
    pub(super) fn has_correction(&self, request: RequestId) -> Result<bool, Refusal> {
        let view = self.view();
        let rectifies = view.request(request)?.is_some_and(|row| row.request.right == Right::Rectification);
        let row = view.correction(request)?.unwrap_or_default();
        Ok(rectifies && row.kept.is_some() && row.destroyed.is_none())
    }

    /// Puts the packages of this node right, and seals the same for those who have them from here.
    pub(super) async fn correct(&self, caller: Caller, request: RequestId) -> Result<EntryIndex, Refused> {
        caller.require(&[Role::Caseworker, Role::Supervisor, Role::Dpo])?;
        let Prepared { corrected, onward } =
            self.blocking(move |operator| operator.prepare_correction(request)).await?;
        let made: Vec<_> = corrected.iter().map(|one| one.package).collect();
        let sealed: Vec<_> = onward.iter().map(|(_, sealed)| sealed.digest).collect();
        let command: Command = RightsCommand::Correct { caller, request, corrected, onward }.into();
        let outcome = self.submit_for_entry(command).await;
        if outcome.as_ref().is_err_and(Refused::changed_nothing) {
            for package in made {
                self.discard(Some(package)).await;
            }
            let dropped = self.blocking(move |operator| operator.packages.discard_correction(request, &sealed)).await;
            if let Err(refusal) = dropped {
                tracing::warn!(code = refusal.code.as_str(), "what was sealed for nothing could not be erased");
            }
        }
        outcome
    }

    fn prepare_correction(&self, request: RequestId) -> Result<Prepared, Refusal> {
        let (view, policy) = (self.view(), self.policy.borrow().clone());
        let context = self.context(&view, &policy);
        let mut prepared = Prepared { corrected: Vec::new(), onward: Vec::new() };
        let correction = view.correction(request)?.unwrap_or_default();
        let (Some(row), Some(place)) = (view.request(request)?, correction.kept) else { return Ok(prepared) };
        let wanted = self.packages.get(&place, &all(), &Opener::Sender)?.0;
        // Another node may have looked less closely.
        wanted.check_texts()?;
        let (here, onward) = correctable(&context, &row)?;
        for handover in here {
            let Some(row) = view.handover(handover)? else { continue };
            let Some(before) = row.package else { continue };
            // What was never released to us is not added to it by putting it right.
            let mut wanted = wanted.clone();
            if row.to == self.own {
                let released = wanted.sections().into_iter().filter(|one| row.sections.contains(&one.to_string()));
                wanted = wanted.only(&released.collect());
            }
            let package = self.packages.get(&before, &all(), &Opener::Sender)?.0;
            let after = package.corrected(&wanted);
            if after != package {
                let package = self.packages.put(before.case, &Zeroizing::new(after.to_cbor()?))?;
                let sections = wanted.sections().into_iter().collect();
                prepared.corrected.push(Corrected { handover, package, sections });
            }
        }
        for handover in onward {
            let Some(row) = view.handover(handover)? else { continue };
            // What the consent does not cover any more is not sent anew, to put it right either.
            let Ok(plan) = recheck(&context, handover, Gate::Replay) else { continue };
            let released =
                |field: &passerelle_domain::catalogue::Field| row.sections.contains(&field.section().to_string());
            let fields = plan.fields.into_iter().filter(released).collect();
            let part = wanted.restrict(&fields);
            if !part.fields().is_empty() {
                let bytes = Zeroizing::new(part.to_cbor()?);
                prepared.onward.push((handover, self.packages.seal_correction(row.to, request, &bytes)?));
            }
        }
        Ok(prepared)
    }
}

/// What an entry of a correction says, for people who audit it.
pub(super) fn entry_json(step: &CorrectionEntry) -> serde_json::Value {
    use serde_json::json;
    match step {
        CorrectionEntry::Kept { request, place } => json!({"request": request, "commitment": place.commitment}),
        CorrectionEntry::Applied { request, handover, package, sections } => json!({
            "request": request, "handover": handover, "commitment": package.commitment, "sections": sections,
        }),
        CorrectionEntry::Destroyed { request } => json!({"request": request}),
    }
}
