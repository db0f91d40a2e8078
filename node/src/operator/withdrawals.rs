//! Consent taken back, and how far each holder is with it. The handlers of [`super::consents`] lead here.

use passerelle_domain::{
    catalogue::{DataCategory, OrganisationKind, Purpose},
    consent::{Actor, Organisation, Recipient, Scope},
    decide::{About, Caller, Command},
    facts::Facts as _,
    ids::{CaseId, ConsentId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rows::{Resting, UseRow},
};
use passerelle_proto::v1;

use super::{Operator, each, errors::Refused, needed, optional, stamp};
use crate::{store::view::View, withdrawals};

impl Operator {
    /// Takes a consent back, in whole or in part.
    pub(super) async fn withdraw(
        &self,
        caller: Caller,
        message: v1::WithdrawConsentRequest,
    ) -> Result<v1::WithdrawConsentResponse, Refused> {
        let about = about(&message.case_id, &message.consent_id, &message.handover_id)?;
        let by = optional("by", &message.by)?.unwrap_or(Actor::Person);
        let method = optional("method", &message.method)?;
        let scope = Scope {
            purposes: each::<Purpose>("purposes", &message.purposes)?,
            recipients: recipients(&message.recipients)?,
            categories: each::<DataCategory>("categories", &message.categories)?,
        };
        let scope = (!scope.is_empty()).then_some(scope);
        let command = Command::Withdraw { caller, about, by, method, scope };
        let EntryIndex(entry_index) = self.submit_for_entry(command).await?;
        let consents = self.consents_about(about)?;
        let mut told: Vec<String> = Vec::new();
        for (_, uses) in withdrawals::of_consents(&self.engine, consents.iter().copied())? {
            told.extend(uses.resting.iter().filter(|one| one.told_at.is_some()).map(|one| one.other.to_string()));
        }
        told.sort_unstable();
        told.dedup();
        let consent_ids = consents.iter().map(ToString::to_string).collect();
        Ok(v1::WithdrawConsentResponse { entry_index, consent_ids, told })
    }

    /// How far a withdrawal is.
    pub(super) fn withdrawal(&self, message: &v1::GetWithdrawalRequest) -> Result<v1::GetWithdrawalResponse, Refusal> {
        let about = about(&message.case_id, &message.consent_id, &message.handover_id)?;
        let view = self.view();
        let consents = self.consents_about(about)?;
        let rows = withdrawals::of_consents(&self.engine, consents)?;
        let withdrawals: Result<Vec<_>, Refusal> =
            rows.iter().map(|(consent, uses)| self.withdrawal_view(&view, *consent, uses)).collect();
        Ok(v1::GetWithdrawalResponse { withdrawals: withdrawals? })
    }

    fn consents_about(&self, about: About) -> Result<Vec<ConsentId>, Refusal> {
        let view = self.view();
        let unknown = |field: &str| Refusal::new(Code::UnknownConsent, "this node knows of no such consent").at(field);
        Ok(match about {
            About::Consent(id) => {
                if view.consent(id)?.is_none() && view.uses(id)?.is_none() {
                    return Err(unknown("consent_id"));
                }
                vec![id]
            }
            About::Handover(id) => {
                let missing =
                    || Refusal::new(Code::UnknownHandover, "this node has no such handover").at("handover_id");
                vec![view.handover(id)?.ok_or_else(missing)?.consent.id]
            }
            About::Case(id) => {
                let row = view.case(id)?.ok_or_else(|| unknown("case_id"))?;
                let mut consents = row.consents;
                for handover in row.handovers {
                    consents.extend(view.handover(handover)?.map(|row| row.consent.id));
                }
                consents.sort_unstable();
                consents.dedup();
                consents
            }
        })
    }

    fn withdrawal_view(
        &self,
        view: &View<'_>,
        consent: ConsentId,
        uses: &UseRow,
    ) -> Result<v1::WithdrawalView, Refusal> {
        let state = match (uses.whole, uses.withdrawn.is_empty()) {
            (true, _) => "withdrawn",
            (false, false) => "narrowed",
            (false, true) => "none",
        };
        let holders: Result<Vec<_>, Refusal> = uses.resting.iter().map(|one| self.holder(view, one, uses)).collect();
        let case = match view.consent(consent)? {
            Some(row) => Some(row.case),
            None => {
                let received = uses.resting.iter().find(|one| one.to == self.own).map(|one| one.handover);
                let row = received.map(|handover| view.handover(handover)).transpose()?.flatten();
                let derived = received.map(|handover| self.pseudonyms.received(handover));
                row.and_then(|row| row.case).or(derived)
            }
        };
        Ok(v1::WithdrawalView {
            consent_id: consent.to_string(),
            state: state.to_owned(),
            purposes: uses.withdrawn.purposes.iter().map(ToString::to_string).collect(),
            recipients: uses.withdrawn.recipients.iter().map(recipient_text).collect(),
            categories: uses.withdrawn.categories.iter().map(ToString::to_string).collect(),
            entry_indexes: uses.events.iter().map(|known| known.entry.0).collect(),
            holders: holders?,
            own_state: self.own_state(view, case)?.to_owned(),
        })
    }

    fn own_state(&self, view: &View<'_>, case: Option<CaseId>) -> Result<&'static str, Refusal> {
        let row = case.map(|case| view.case(case)).transpose()?.flatten().unwrap_or_default();
        Ok(match (row.erased, row.held, row.due) {
            (Some(_), ..) => "erased",
            (None, Some(_), _) => "held",
            (None, None, Some(_)) => "due",
            _ => "in_use",
        })
    }

    fn holder(&self, view: &View<'_>, one: &Resting, uses: &UseRow) -> Result<v1::HolderView, Refusal> {
        let delivered = match one.notice {
            Some(notice) => view.lane_out(notice.peer, notice.lane)?.receipted >= notice.position,
            None => false,
        };
        let nothing_taken_back = !uses.whole && uses.withdrawn.is_empty();
        let state = match (one.erased_at, one.answered_at, one.told_at) {
            _ if nothing_taken_back || one.stopped.is_none() && one.answered_at.is_some() => "unaffected",
            (Some(_), ..) => "erased",
            (None, Some(_), _) => "stopped",
            (None, None, Some(_)) if delivered => "delivered",
            (None, None, Some(_)) => "notified",
            _ => "not_told",
        };
        let late = withdrawals::lateness(one, self.clock.now()).map(withdrawals::Lateness::as_str);
        Ok(v1::HolderView {
            society: one.other.to_string(),
            handover_id: one.handover.to_string(),
            state: state.to_owned(),
            told_at: stamp(one.told_at),
            answered_at: stamp(one.answered_at),
            erased_at: stamp(one.erased_at),
            kept: one.kept.iter().map(|kept| format!("{}:{}", kept.part, kept.reason)).collect(),
            onward: one.onward.iter().map(ToString::to_string).collect(),
            late: late.unwrap_or_default().to_owned(),
        })
    }

    /// Alarms of peers that are late with a withdrawal.
    pub(super) fn withdrawal_alarms(&self) -> Result<Vec<String>, Refusal> {
        let late = withdrawals::late(&self.engine, self.clock.now())?;
        Ok(late.keys().map(|(peer, lateness)| format!("{peer}: {}", lateness.as_str())).collect())
    }
}

/// Of what a consent is taken back: exactly one of the three.
fn about(case: &str, consent: &str, handover: &str) -> Result<About, Refusal> {
    match (case.is_empty(), consent.is_empty(), handover.is_empty()) {
        (false, true, true) => needed::<CaseId>("case_id", case).map(About::Case),
        (true, false, true) => needed::<ConsentId>("consent_id", consent).map(About::Consent),
        (true, true, false) => needed::<HandoverId>("handover_id", handover).map(About::Handover),
        _ => Err(Refusal::new(Code::MissingField, "give exactly one of case, consent and handover").at("consent_id")),
    }
}

fn recipients(texts: &[String]) -> Result<Vec<Recipient>, Refusal> {
    let one = |(n, text): (usize, &String)| {
        let field = format!("recipients[{n}]");
        match text.split_once(':') {
            None => needed(&field, text).map(Recipient::Society),
            Some((code, kind)) => {
                let kind: OrganisationKind = needed(&field, kind)?;
                Ok(Recipient::Organisation(Organisation { code: needed(&field, code)?, kind }))
            }
        }
    };
    texts.iter().enumerate().map(one).collect()
}

fn recipient_text(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Society(society) => society.to_string(),
        Recipient::Organisation(one) => format!("{}:{}", one.code.as_str(), one.kind),
    }
}
