//! The gates of a handover: at each the same question is put to the same function, with all that is
//! known at that moment. Passing one gate says nothing about the next.

use super::release::{Case, Destination, ReleasePlan, plan};
use crate::{catalogue::Service, refusal::Refusal};

/// A moment at which consent is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A draft is submitted.
    Submit,
    /// The offer is sent.
    Send,
    /// It is sent again.
    Retry,
    /// The recipient accepts.
    Accept,
    /// The package is released.
    Release,
    /// It is released again, after a restore or to a recipient that lost it.
    Replay,
    /// The recipient reads what stayed at its origin.
    Read,
    /// The recipient passes it on to a further one.
    Onward(Destination),
}

impl Gate {
    /// The name under which the journal knows it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Send => "send",
            Self::Retry => "retry",
            Self::Accept => "accept",
            Self::Release => "release",
            Self::Replay => "replay",
            Self::Read => "read",
            Self::Onward(_) => "onward",
        }
    }
}

/// Whether `services` of the case pass the gate, and with what. Before acceptance these are all
/// services of the offer, after it the accepted ones.
///
/// # Errors
/// The refusal of the first service that the consent does not cover.
pub fn check_gate(gate: &Gate, case: &Case<'_>, services: &[Service]) -> Result<ReleasePlan, Refusal> {
    crate::defect!(SkipConsentAtRelease => if matches!(gate, Gate::Retry | Gate::Release | Gate::Replay) {
        let as_offered = Case { events: &[], now: case.offer.offered_at, ..*case };
        return plan(&as_offered, services, &Destination::of(case.offer));
    });
    match gate {
        Gate::Onward(to) => plan(case, services, &Destination { onward: true, ..to.clone() }),
        Gate::Submit | Gate::Send | Gate::Retry | Gate::Accept | Gate::Release | Gate::Replay | Gate::Read => {
            plan(case, services, &Destination::of(case.offer))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Offer, sample},
        *,
    };
    use crate::{
        catalogue::{Purpose, Role},
        consent::{ConsentEvent, EventKind, Exclusion, sample as consent_sample},
        refusal::Code,
        time::Time,
    };

    const GATES: [Gate; 7] =
        [Gate::Submit, Gate::Send, Gate::Retry, Gate::Accept, Gate::Release, Gate::Replay, Gate::Read];
    const SERVICES: [Service; 2] = [Service::TransportFamily, Service::Food];

    #[test]
    fn every_gate_gives_the_same_answer_and_a_withdrawal_closes_them_all() {
        let (record, offer) = (consent_sample::record(), sample::offer());
        let open = sample::case(&offer, &record);
        let withdrawal = [ConsentEvent {
            at: Time::default(),
            kind: EventKind::Withdraw,
            actor: EventKind::Withdraw.actors()[0],
            recorded_by: consent_sample::society("ML"),
            method: None,
            scope: None,
        }];
        let first = check_gate(&Gate::Submit, &open, &SERVICES).expect("covered");
        for gate in GATES {
            assert_eq!(check_gate(&gate, &open, &SERVICES), Ok(first.clone()), "{}", gate.as_str());
            let closed = Case { events: &withdrawal, ..open };
            let outcome = check_gate(&gate, &closed, &SERVICES).map_err(|refusal| refusal.code);
            assert_eq!(outcome, Err(Code::ConsentState), "{}", gate.as_str());
        }
    }

    #[test]
    fn passing_on_is_refused_without_a_consent_of_its_own() {
        let to = Destination {
            recipient: consent_sample::society("GM").into(),
            country: consent_sample::society("GM").into(),
            onward: false,
        };
        let mut draft = consent_sample::draft();
        let record = consent_sample::record_of(draft.clone());
        let offer = sample::offer_under(&record);
        let case = sample::case(&offer, &record);
        let outcome = check_gate(&Gate::Onward(to.clone()), &case, &[Service::Food]).map_err(|refusal| refusal.code);
        assert_eq!(outcome, Err(Code::ConsentOnward));

        let mut onward = draft.purposes[1].clone();
        onward.purpose = Purpose::OnwardSociety;
        draft.purposes.push(onward);
        let record = consent_sample::record_of(draft.clone());
        let offer = sample::offer_under(&record);
        let case = sample::case(&offer, &record);
        // The demo's handover says that nobody else may receive it, whatever the record says.
        let outcome = check_gate(&Gate::Onward(to.clone()), &case, &[Service::Food]).map_err(|refusal| refusal.code);
        assert_eq!(outcome, Err(Code::ConsentOnward));
        let mut offer_draft = sample::draft();
        offer_draft.restrictions.no_onward = false;
        let offer = Offer::from_draft(offer_draft.clone(), sample::context_under(&record)).expect("the draft is valid");
        assert!(check_gate(&Gate::Onward(to.clone()), &Case { offer: &offer, ..case }, &[Service::Food]).is_ok());

        // The offer names a role at Mali; who reads it further on is not known, so it may be the excluded role.
        draft.exclusions = vec![Exclusion { role: Some(Role::Interpreter), ..Exclusion::default() }];
        let record = consent_sample::record_of(draft);
        let offer = Offer::from_draft(offer_draft, sample::context_under(&record)).expect("the draft is valid");
        let case = sample::case(&offer, &record);
        assert!(check_gate(&Gate::Release, &case, &[Service::Food]).is_ok());
        let outcome = check_gate(&Gate::Onward(to), &case, &[Service::Food]).map_err(|refusal| refusal.code);
        assert_eq!(outcome, Err(Code::ConsentExcluded));
    }
}
