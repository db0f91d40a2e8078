//! Who else has to agree before a case moves on: the four eyes for children, for sealed sections and
//! for what overrides consent. Pure rules; who has agreed so far is handed in.
//!
//! | the case | before the offer | before the acceptance | before an override |
//! | --- | --- | --- | --- |
//! | an adult's | | | two of supervisor, dpo, medical |
//! | with a sealed section | supervisor | | two of supervisor, dpo, medical |
//! | a minor's, accompanied | supervisor | | cp_officer, and one of supervisor, dpo, medical |
//! | a minor's, separated or alone | supervisor, cp_officer | supervisor, cp_officer | cp_officer, and one of supervisor, dpo, medical |
//!
//! Each column is filled by as many different people, none of whom is who asked for the step. A case of
//! a minor, or of somebody whose age is unknown, is moved by people alone, never by the node itself.

use minicbor::{Decode, Encode};

use super::{Offer, Package};
use crate::{
    catalogue::{FamilyVerification, MinorStatus, Role, Section, Service, vocabulary},
    digest::Digest,
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    time::Time,
};

vocabulary! {
    /// A step of a handover that others have to approve.
    Stage {
        1 Offer = "offer",
        2 Acceptance = "acceptance",
        3 Override = "override",
    }
}

/// One approval that a stage needs: of somebody with any of these roles.
pub type Seat = &'static [Role];

const SUPERVISOR: Seat = &[Role::Supervisor];
const CHILD_PROTECTION: Seat = &[Role::CpOfficer];
/// Who may weigh a vital interest.
const VITAL: Seat = &[Role::Supervisor, Role::Dpo, Role::Medical];

/// One approval that was given.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Approval {
    /// Of which step.
    #[n(0)]
    pub stage: Stage,
    /// By which operator.
    #[n(1)]
    pub by: String,
    /// In which role.
    #[n(2)]
    pub role: Role,
    /// When.
    #[n(3)]
    pub at: Time,
    /// The entry that records it.
    #[n(4)]
    pub entry: EntryIndex,
}

/// A handover that was written down and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proposal {
    /// The handover.
    #[n(0)]
    pub id: HandoverId,
    /// The case.
    #[n(1)]
    pub case: CaseId,
    /// SHA-256 of the offer.
    #[n(2)]
    pub offer: Digest,
    /// Whether a sealed section may travel with it.
    #[n(3)]
    pub sealed: bool,
    /// Whether nobody else has to approve it.
    #[n(4)]
    pub ready: bool,
}

/// Whether the rules for minors hold: everybody who is not known to be an adult.
#[must_use]
pub fn is_minors(offer: &Offer) -> bool {
    offer.age_band.is_minor() || offer.minor_status != MinorStatus::NotMinor
}

/// Whether it is the case of a child without its caregivers.
#[must_use]
pub fn is_child_alone(offer: &Offer) -> bool {
    matches!(offer.minor_status, MinorStatus::Separated | MinorStatus::Unaccompanied)
}

/// Whether one of the sections is read by special roles alone.
#[must_use]
pub fn has_sealed<'a>(sections: impl IntoIterator<Item = &'a Section>) -> bool {
    sections.into_iter().any(|section| !section.sealed_for().is_empty())
}

/// The approvals that a stage of a case needs, by the table at the head of this file.
#[must_use]
pub fn seats(stage: Stage, offer: &Offer, sealed: bool) -> Vec<Seat> {
    match stage {
        Stage::Offer if is_child_alone(offer) => vec![SUPERVISOR, CHILD_PROTECTION],
        Stage::Offer if is_minors(offer) || sealed => vec![SUPERVISOR],
        Stage::Acceptance if is_child_alone(offer) => vec![SUPERVISOR, CHILD_PROTECTION],
        Stage::Offer | Stage::Acceptance => Vec::new(),
        Stage::Override if is_minors(offer) => vec![CHILD_PROTECTION, VITAL],
        Stage::Override => vec![VITAL, VITAL],
    }
}

/// The seats of a stage that nobody has taken yet, given who has approved it.
#[must_use]
pub fn open_seats(stage: Stage, seats: &[Seat], approvals: &[Approval]) -> Vec<Seat> {
    let mut open = seats.to_vec();
    for approval in approvals.iter().filter(|approval| approval.stage == stage) {
        if let Some(taken) = open.iter().position(|seat| seat.contains(&approval.role)) {
            open.remove(taken);
        }
    }
    open
}

/// Nothing, when every seat is taken; else the refusal that names the roles still wanted.
///
/// # Errors
/// `approval_missing`.
pub fn all_taken(stage: Stage, open: &[Seat]) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let seats: Vec<_> = open.iter().map(|seat| names(seat)).collect();
    Err(Refusal::new(
        Code::ApprovalMissing,
        format!("the {stage} still needs the approval of {}", seats.join(", and of ")),
    ))
}

/// The roles of a seat, for a person.
#[must_use]
pub fn names(seat: Seat) -> String {
    seat.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" or ")
}

/// Checks what only the package tells: a child who is alone does not travel to a family before the link
/// to it was verified.
///
/// # Errors
/// `family_unverified`.
pub fn check_release(offer: &Offer, services: &[Service], package: &Package) -> Result<(), Refusal> {
    let verified = package.child.as_ref().and_then(|child| child.family_verification);
    let reunites = is_child_alone(offer) && services.contains(&Service::TransportFamily);
    if reunites && verified != Some(FamilyVerification::Verified) {
        let message = "a child who is alone travels to a family whose link was verified";
        return Err(Refusal::new(Code::FamilyUnverified, message).at("child.family_verification"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::{catalogue::AgeBand, handover::Offer};

    fn offer(age_band: AgeBand, minor_status: MinorStatus) -> Offer {
        let mut draft = sample::draft();
        (draft.age_band, draft.minor_status) = (age_band, minor_status);
        draft.best_interest_ref = Some("bia.7".parse().expect("a code"));
        Offer::from_draft(draft, sample::context()).expect("a valid draft")
    }

    fn shown(seats: &[Seat]) -> Vec<String> {
        seats.iter().map(|seat| names(seat)).collect()
    }

    #[test]
    fn the_approvals_of_each_case_are_those_of_the_table() {
        use AgeBand as A;
        use MinorStatus as M;
        let vital = "supervisor or dpo or medical";
        let (alone, both) = (vec!["supervisor", "cp_officer"], vec!["cp_officer", vital]);
        type Seats = Vec<&'static str>;
        let table: [(A, M, bool, Seats, Seats, Seats); 7] = [
            (A::Adult, M::NotMinor, false, vec![], vec![], vec![vital, vital]),
            (A::Adult, M::NotMinor, true, vec!["supervisor"], vec![], vec![vital, vital]),
            (A::From6To11, M::Accompanied, false, vec!["supervisor"], vec![], both.clone()),
            (A::Unknown, M::Accompanied, true, vec!["supervisor"], vec![], both.clone()),
            (A::From15To17, M::Separated, false, alone.clone(), alone.clone(), both.clone()),
            (A::From0To5, M::Unaccompanied, true, alone.clone(), alone.clone(), both.clone()),
            (A::Unknown, M::Unaccompanied, false, alone.clone(), alone, both),
        ];
        for (band, status, sealed, before_offer, before_acceptance, before_override) in table {
            let offer = offer(band, status);
            let seats_of = |stage| shown(&seats(stage, &offer, sealed));
            assert_eq!(seats_of(Stage::Offer), before_offer, "{band} {status}");
            assert_eq!(seats_of(Stage::Acceptance), before_acceptance, "{band} {status}");
            assert_eq!(seats_of(Stage::Override), before_override, "{band} {status}");
        }
    }

    #[test]
    fn each_approval_takes_one_seat_of_its_own_stage() {
        let child = offer(AgeBand::From12To14, MinorStatus::Unaccompanied);
        let seats = seats(Stage::Offer, &child, false);
        let by = |stage, role| Approval { stage, by: "awa".into(), role, at: Time::default(), entry: EntryIndex(1) };
        let open = |approvals: &[Approval]| shown(&open_seats(Stage::Offer, &seats, approvals));
        assert_eq!(open(&[by(Stage::Acceptance, Role::Supervisor)]), ["supervisor", "cp_officer"]);
        let two = [by(Stage::Offer, Role::Supervisor), by(Stage::Offer, Role::Supervisor)];
        assert_eq!(open(&two), ["cp_officer"], "two supervisors are no child-protection officer");
        let done = [by(Stage::Offer, Role::CpOfficer), by(Stage::Offer, Role::Supervisor)];
        assert!(all_taken(Stage::Offer, &open_seats(Stage::Offer, &seats, &done)).is_ok());
        let refusal = all_taken(Stage::Offer, &open_seats(Stage::Offer, &seats, &two)).expect_err("one is missing");
        assert_eq!(refusal.message, "the offer still needs the approval of cp_officer");
    }

    #[test]
    fn a_child_alone_travels_to_a_verified_family_alone() {
        let mut package = sample::package();
        let transport = [Service::TransportFamily];
        let child = offer(AgeBand::From6To11, MinorStatus::Separated);
        let code =
            |package: &Package, services: &[Service]| check_release(&child, services, package).err().map(|r| r.code);
        assert_eq!(code(&package, &transport), Some(Code::FamilyUnverified));
        assert_eq!(code(&package, &[Service::Food]), None);
        package.child = Some(crate::handover::sections::Child {
            family_verification: Some(FamilyVerification::Verified),
            ..Default::default()
        });
        assert_eq!(code(&package, &transport), None);
    }
}
