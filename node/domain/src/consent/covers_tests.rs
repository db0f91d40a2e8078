//! The steps of `covers`, each reached by its own story, and their precedence.

use super::{
    covers::{CoverageRequest, Denial, DenyReason, covers},
    draft::{ConsentDraft, Decision},
    obligations::Withhold,
    record::{ConsentRecord, Exclusion},
    sample,
    state::{ConsentEvent, EventKind, Scope},
    subject::SubjectRef,
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, Field, GivenBy, NoCaregiver, OnClose, OrganisationKind,
        Purpose, Role, Section, Service,
    },
    consent::{Organisation, Recipient},
    digest::Digest,
    refusal::Code,
    time::Time,
};

/// One story: a change of the draft, of the events known, and of the request.
#[derive(Clone)]
struct Story {
    draft: ConsentDraft,
    events: Vec<ConsentEvent>,
    ask: fn(&mut CoverageRequest),
}

fn story(change: impl FnOnce(&mut ConsentDraft), ask: fn(&mut CoverageRequest)) -> Story {
    let mut draft = sample::draft();
    change(&mut draft);
    Story { draft, events: Vec::new(), ask }
}

fn event(kind: EventKind, scope: Option<Scope>) -> ConsentEvent {
    ConsentEvent {
        at: sample::NOW,
        kind,
        actor: kind.actors()[0],
        recorded_by: sample::society("GM"),
        method: None,
        scope,
    }
}

fn outcome(story: &Story) -> Result<super::Coverage, Denial> {
    let record = sample::record_of(story.draft.clone());
    let mut request = sample::request(&record);
    (story.ask)(&mut request);
    covers(&record, &story.events, &request)
}

fn reason(story: &Story) -> Option<DenyReason> {
    outcome(story).err().map(|denial| denial.reason)
}

fn nothing(_: &mut CoverageRequest) {}

fn authority() -> Recipient {
    Recipient::Organisation(Organisation { code: "border".parse().expect("a code"), kind: OrganisationKind::Authority })
}

#[test]
fn the_demo_consent_covers_transport_to_mali_and_says_what_binds_mali() {
    let record = sample::record();
    let coverage = covers(&record, &[], &sample::request(&record)).expect("covered");
    assert_eq!(
        coverage.sections().into_iter().collect::<Vec<_>>(),
        [Section::Contact, Section::IdentityCore, Section::Travel, Section::Family, Section::ServicesReceived]
    );
    // Agreed to for transport: neither nationality nor health, hence not what limits mobility either.
    for field in [Field::Nationality, Field::MobilityLimits, Field::BirthDate] {
        assert!(!coverage.fields.contains(&field), "{field}");
    }
    assert_eq!(coverage.obligations.consent, record.reference());
    assert_eq!(coverage.obligations.on_close, OnClose::Erase);
    assert!(coverage.obligations.no_onward);
}

/// Every reason, each by the smallest change of a request that is otherwise covered.
fn stories() -> Vec<(DenyReason, Story)> {
    use DenyReason as R;
    let withdrawn = Story { events: vec![event(EventKind::Withdraw, None)], ..story(|_| (), nothing) };
    let part = |scope| Story { events: vec![event(EventKind::WithdrawPart, Some(scope))], ..story(|_| (), nothing) };
    let minor = |band, given_by, assent| {
        story(
            move |draft| {
                draft.capacity = Capacity::Minor;
                draft.age_band = band;
                draft.given_by = given_by;
                draft.assent = assent;
                draft.collection = CollectionMethod::Written;
            },
            nothing,
        )
    };
    vec![
        (
            R::HardBlock,
            story(
                |_| (),
                |request| {
                    request.categories.insert(DataCategory::Biometric);
                },
            ),
        ),
        (R::Authority, story(|_| (), |request| request.recipient = authority())),
        (
            R::Integrity,
            story(
                |_| (),
                |request| request.subject = SubjectRef::derive(&[9; 32], crate::ids::CaseId::new(sample::NOW, [1; 10])),
            ),
        ),
        (R::Integrity, story(|_| (), |request| request.consent.hash = Digest::of(b"other bytes"))),
        (R::Integrity, story(|_| (), |request| request.consent.version += 1)),
        (R::State, story(|draft| draft.decision = Decision::Refused, nothing)),
        (R::State, story(|draft| draft.decision = Decision::Deferred, nothing)),
        (R::State, withdrawn),
        (R::Expired, story(|draft| draft.valid_from = Some(Time::from_millis(sample::NOW.millis() + 60_001)), nothing)),
        (
            R::Expired,
            story(|draft| draft.valid_until = Some(Time::from_millis(sample::NOW.millis() + 60_000)), nothing),
        ),
        (R::Defer, story(|draft| draft.capacity = Capacity::ShockOrSedated, nothing)),
        (R::Capacity, story(|draft| draft.given_by = GivenBy::Parent, nothing)),
        (R::Capacity, minor(AgeBand::From0To5, GivenBy::Person, None)),
        (R::Capacity, minor(AgeBand::From6To11, GivenBy::Parent, None)),
        (R::Capacity, minor(AgeBand::From12To14, GivenBy::Parent, Some(false))),
        (R::Capacity, minor(AgeBand::From15To17, GivenBy::Parent, Some(true))),
        (R::Capacity, minor(AgeBand::Unknown, GivenBy::Person, None)),
        (R::Notice, story(|draft| draft.notice.understood = false, nothing)),
        (
            R::Notice,
            story(
                |draft| {
                    draft.notice.language = "ha".parse().expect("a language");
                    draft.interpreter = None;
                },
                nothing,
            ),
        ),
        (R::Purpose, story(|draft| draft.purposes.retain(|grant| grant.purpose != Purpose::Transport), nothing)),
        (R::Purpose, story(|_| (), |request| request.service = Service::MedicalReferral)),
        (R::Purpose, part(Scope { purposes: vec![Purpose::Transport], ..Scope::default() })),
        (R::Recipient, story(|_| (), |request| request.recipient = sample::society("NE").into())),
        (R::Recipient, story(|_| (), |request| request.country = sample::society("NE").into())),
        (R::Recipient, part(Scope { recipients: vec![sample::society("ML").into()], ..Scope::default() })),
        (
            R::Excluded,
            story(
                |_| (),
                |request| {
                    request.recipient = sample::society("GM").into();
                    request.country = sample::society("GM").into();
                },
            ),
        ),
        (
            R::Excluded,
            story(
                |draft| draft.exclusions.push(Exclusion { role: Some(Role::Interpreter), ..Exclusion::default() }),
                nothing,
            ),
        ),
        (
            R::Missing,
            story(
                |_| (),
                |request| {
                    request.categories.remove(&DataCategory::Destination);
                },
            ),
        ),
        (
            R::Missing,
            story(
                |_| (),
                |request| {
                    request.restrictions.withhold = vec![Withhold { category: DataCategory::Contact, from: None }];
                },
            ),
        ),
        (R::Onward, story(|_| (), |request| request.onward = true)),
    ]
}

#[test]
fn every_reason_is_reached_and_answers_with_its_own_code() {
    let mut reached = std::collections::BTreeSet::new();
    for (index, (expected, story)) in stories().into_iter().enumerate() {
        assert_eq!(reason(&story), Some(expected), "story {index}");
        reached.insert(expected);
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), DenyReason::ALL);
    let codes: std::collections::BTreeSet<Code> = DenyReason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), DenyReason::ALL.len());
}

/// The step in which each reason stands, as in the table of `covers`.
fn step(reason: DenyReason) -> u8 {
    use DenyReason as R;
    match reason {
        R::HardBlock | R::Authority => 0,
        R::Integrity => 1,
        R::State => 2,
        R::Expired => 3,
        R::Defer | R::Capacity => 4,
        R::Notice => 5,
        R::Purpose => 6,
        R::Recipient => 7,
        R::Excluded => 8,
        R::Missing => 9,
        R::Onward => 10,
    }
}

/// A request in which everything from one step on fails is denied for that step: the reasons do
/// not depend on which of several faults is looked at first.
#[test]
fn the_earlier_step_gives_the_reason() {
    let from_step_on = |first: u8| {
        let mut draft = sample::draft();
        let mut events = Vec::new();
        if first <= 2 {
            events.push(event(EventKind::Withdraw, None));
        }
        if first <= 3 {
            draft.valid_until = Some(Time::from_millis(sample::NOW.millis() + 60_000));
        }
        if first <= 4 {
            draft.capacity = Capacity::ShockOrSedated;
        }
        if first <= 5 {
            draft.notice.understood = false;
        }
        if first <= 6 {
            draft.purposes.retain(|grant| grant.purpose != Purpose::Transport);
        }
        if first <= 7 {
            draft.recipients = vec![sample::society("GM").into()];
        }
        if first <= 8 {
            draft.exclusions.push(Exclusion { role: Some(Role::Interpreter), ..Exclusion::default() });
        }
        let record = sample::record_of(draft);
        let mut request = sample::request(&record);
        request.onward = true;
        if first <= 9 {
            request.categories.remove(&DataCategory::Contact);
        }
        if first <= 1 {
            request.consent.version += 1;
        }
        if first == 0 {
            request.categories.insert(DataCategory::Political);
        }
        covers(&record, &events, &request).map_err(|denial| step(denial.reason)).err()
    };
    for first in 0..=10 {
        assert_eq!(from_step_on(first), Some(first));
    }
}

#[test]
fn what_is_missing_is_named_and_nothing_else_is() {
    let story = story(|_| (), |request| request.categories = [DataCategory::Contact].into());
    let denial = outcome(&story).expect_err("a name and a destination are required");
    assert_eq!(denial.missing, [DataCategory::IdentityName, DataCategory::Destination]);
    let refusal = denial.refusal();
    assert_eq!(refusal.code, Code::ConsentMissing);
    assert!(refusal.message.ends_with(": identity_name, destination"), "{}", refusal.message);
}

/// The field guidance, row by row: age, who gave it, the child's own answer, why there is no caregiver.
#[test]
fn children_and_those_who_need_help_are_decided_for_by_the_rules_of_their_age() {
    use AgeBand as A;
    use GivenBy as G;
    use NoCaregiver as N;
    let (yes, no) = (Some(true), Some(false));
    let table = [
        (Capacity::Minor, A::From0To5, G::Parent, None, None, true),
        (Capacity::Minor, A::From0To5, G::Parent, no, None, true),
        (Capacity::Minor, A::From0To5, G::CaseworkerBestInterest, None, Some(N::Absent), true),
        (Capacity::Minor, A::From0To5, G::CaseworkerBestInterest, None, None, false),
        (Capacity::Minor, A::From0To5, G::TrustedAdult, None, Some(N::Deceased), true),
        (Capacity::Minor, A::From0To5, G::Parent, None, Some(N::CaregiverConcern), false),
        (Capacity::Minor, A::From0To5, G::Person, None, Some(N::Absent), false),
        (Capacity::Minor, A::From6To11, G::LegalGuardian, yes, None, true),
        (Capacity::Minor, A::From6To11, G::LegalGuardian, no, None, false),
        (Capacity::Minor, A::From6To11, G::LegalGuardian, None, None, false),
        (Capacity::Minor, A::From6To11, G::CaseworkerBestInterest, yes, Some(N::NotInBestInterest), true),
        (Capacity::Minor, A::From6To11, G::Person, yes, Some(N::Absent), false),
        (Capacity::Minor, A::From12To14, G::Parent, yes, None, true),
        (Capacity::Minor, A::From12To14, G::Parent, no, None, false),
        (Capacity::Minor, A::From12To14, G::TrustedAdult, yes, Some(N::NotFound), true),
        (Capacity::Minor, A::From12To14, G::TrustedAdult, yes, None, false),
        (Capacity::Minor, A::From12To14, G::CaseworkerBestInterest, yes, Some(N::NotFound), false),
        (Capacity::Minor, A::From12To14, G::Person, yes, None, false),
        (Capacity::Minor, A::From12To14, G::Person, yes, Some(N::Absent), true),
        (Capacity::Minor, A::From15To17, G::Person, None, None, true),
        (Capacity::Minor, A::From15To17, G::Parent, yes, None, false),
        (Capacity::Minor, A::Unknown, G::TrustedAdult, yes, Some(N::Absent), true),
        (Capacity::Minor, A::Unknown, G::Person, yes, Some(N::Absent), false),
        (Capacity::AdultCapable, A::Unknown, G::Person, None, None, false),
        (Capacity::AdultCapable, A::Adult, G::Person, None, None, true),
        (Capacity::Assisted, A::Adult, G::Person, None, None, true),
        (Capacity::Assisted, A::Adult, G::TrustedAdult, None, None, true),
        (Capacity::Assisted, A::Adult, G::TrustedAdult, no, None, false),
        (Capacity::Assisted, A::Adult, G::CaseworkerBestInterest, None, None, false),
        (Capacity::Assisted, A::From6To11, G::Parent, None, None, false),
    ];
    for (capacity, age_band, given_by, assent, no_caregiver, may) in table {
        let story = story(
            |draft| {
                draft.capacity = capacity;
                draft.age_band = age_band;
                draft.given_by = given_by;
                draft.assent = assent;
                draft.no_caregiver = no_caregiver;
                draft.collection = CollectionMethod::Written;
                draft.assent_form = Some(CollectionMethod::Thumbprint);
            },
            nothing,
        );
        let expected = if may { None } else { Some(DenyReason::Capacity) };
        assert_eq!(reason(&story), expected, "{capacity} {age_band} {given_by} {assent:?} {no_caregiver:?}");
    }
}

#[test]
fn the_consent_for_a_child_is_on_paper_and_so_is_the_assent_from_twelve_years_on() {
    use AgeBand as A;
    use CollectionMethod as C;
    for (band, collection, assent_form, may) in [
        (A::From0To5, C::Written, None, true),
        (A::From0To5, C::OralRecorded, None, false),
        (A::From6To11, C::Thumbprint, None, true),
        (A::From6To11, C::OralWitnessed, Some(C::Written), false),
        (A::From12To14, C::Written, Some(C::Written), true),
        (A::From12To14, C::Written, Some(C::OralWitnessed), false),
        (A::From12To14, C::Written, None, false),
        (A::Unknown, C::Phone, None, false),
        (A::Adult, C::Phone, None, true),
    ] {
        let story = story(
            |draft| {
                draft.age_band = band;
                if band != A::Adult {
                    (draft.capacity, draft.given_by, draft.assent) = (Capacity::Minor, GivenBy::Parent, Some(true));
                }
                (draft.collection, draft.assent_form) = (collection, assent_form);
            },
            nothing,
        );
        let expected = if may { None } else { Some(DenyReason::Capacity) };
        assert_eq!(reason(&story), expected, "{band} {collection} {assent_form:?}");
    }
}

#[test]
fn what_others_agreed_to_for_a_child_ends_when_the_child_comes_of_age() {
    let turning = |at: u64, events| Story {
        events,
        ..story(
            move |draft| {
                draft.capacity = Capacity::Minor;
                draft.age_band = AgeBand::From15To17;
                draft.collection = CollectionMethod::Written;
                draft.of_age_at = Some(Time::from_millis(sample::NOW.millis() + at));
            },
            nothing,
        )
    };
    // The question is put a minute after the record was made.
    assert_eq!(reason(&turning(60_001, Vec::new())), None);
    assert_eq!(reason(&turning(60_000, Vec::new())), Some(DenyReason::State));
    let later = |at| ConsentEvent { at, ..event(EventKind::Reconfirm, None) };
    let confirmed = later(Time::from_millis(sample::NOW.millis() + 50_001));
    assert_eq!(reason(&turning(50_000, vec![confirmed.clone()])), None, "confirmed by the adult");
    assert_eq!(reason(&turning(50_002, vec![confirmed])), Some(DenyReason::State), "confirmed by the child");
    let record = sample::record_of(turning(1, Vec::new()).draft);
    let standing = crate::consent::standing(&record, &[], sample::request(&record).now);
    assert_eq!(standing.state, crate::consent::State::RenewalDue);
}

#[test]
fn passing_on_needs_its_own_consent_and_stays_within_it() {
    let mut draft = sample::draft();
    let mut onward = draft.purposes[0].clone();
    onward.purpose = Purpose::OnwardSociety;
    onward.service = None;
    draft.purposes.push(onward);
    let record = sample::record_of(draft.clone());
    let request = CoverageRequest { onward: true, ..sample::request(&record) };
    assert!(covers(&record, &[], &request).is_ok_and(|coverage| !coverage.obligations.no_onward));

    let mut forbidden = request.clone();
    forbidden.restrictions.no_onward = true;
    assert_eq!(covers(&record, &[], &forbidden).map_err(|denial| denial.reason), Err(DenyReason::Onward));

    draft.purposes[3].categories.retain(|category| *category != DataCategory::Destination);
    let record = sample::record_of(draft);
    let request = CoverageRequest { onward: true, ..sample::request(&record) };
    let denial = covers(&record, &[], &request).expect_err("the destination may not be passed on");
    assert_eq!(denial.missing, [DataCategory::Destination]);
}

#[test]
fn a_record_of_a_newer_schema_is_kept_but_covers_nothing() {
    let record = sample::record();
    // The first pair of the map is the schema version: {0: 1, ...}.
    let mut bytes = record.to_cbor().to_vec();
    let at = bytes.windows(2).position(|pair| pair == [0x00, 0x01]).expect("the schema version");
    bytes[at + 1] = 2;
    let newer = ConsentRecord::from_cbor(&bytes).expect("a newer schema is read");
    assert_eq!(newer.schema, 2);
    let outcome = covers(&newer, &[], &sample::request(&newer));
    assert_eq!(outcome.map_err(|denial| denial.reason), Err(DenyReason::Integrity));
}
