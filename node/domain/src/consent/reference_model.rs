//! Coverage written a second time, slowly and plainly, from the rules and not from the code: it
//! collects every fault there is and only then looks which comes first. Random records, events and
//! requests must get the same answer from both.
//!
//! `PASSERELLE_CONSENT_CASES` sets how many cases are tried; 20,000 when it is not set.

use std::collections::BTreeSet;

use proptest::{prelude::*, test_runner::Config};

use super::{
    covers::{CoverageRequest, DenyReason, covers},
    draft::{ConsentDraft, Decision},
    obligations::Withhold,
    recipient::{Organisation, Recipient},
    record::{ConsentRecord, Exclusion, PurposeGrant},
    sample,
    state::{ConsentEvent, EventKind, Scope},
    words::Language,
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, Field, GivenBy, LegalBasis, Necessity, NoCaregiver,
        OrganisationKind, Purpose, Role, Service,
    },
    ids::CaseId,
    time::Time,
};

fn cases() -> u32 {
    std::env::var("PASSERELLE_CONSENT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Random bytes, spent one choice at a time. Out of bytes, every choice is its first.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn below(&mut self, sides: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % sides)
    }

    /// True once in `odds`; never when the bytes are out.
    fn rarely(&mut self, odds: usize) -> bool {
        self.below(odds) == odds - 1
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn some<T: Copy>(&mut self, of: &[T], odds: usize) -> Vec<T> {
        of.iter().copied().filter(|_| !self.rarely(odds)).collect()
    }
}

const SERVICES: [Service; 6] = [
    Service::TransportFamily,
    Service::MedicalReferral,
    Service::Food,
    Service::Rfl,
    Service::ChildProtection,
    Service::Nfi,
];

fn recipients() -> [Recipient; 4] {
    let organisation =
        |code: &str, kind| Recipient::Organisation(Organisation { code: code.parse().expect("a code"), kind });
    [
        sample::society("ML").into(),
        sample::society("GM").into(),
        organisation("iom", OrganisationKind::UnAgency),
        organisation("hospital", OrganisationKind::Hospital),
    ]
}

fn language(dice: &mut Dice<'_>) -> Language {
    ["fr", "ff", "fr", "ff-Latn", "fr", "ha"][dice.below(6)].parse().expect("a language")
}

fn open_categories() -> Vec<DataCategory> {
    DataCategory::ALL.iter().copied().filter(|category| !category.is_blocked()).collect()
}

fn a_draft(dice: &mut Dice<'_>) -> ConsentDraft {
    let mut draft = sample::draft();
    let minutes = |dice: &mut Dice<'_>| Time::from_millis(sample::NOW.millis() + 20_000 * dice.below(7) as u64);
    draft.decision = if dice.rarely(20) { dice.one(Decision::ALL) } else { Decision::Given };
    draft.asked_at = Some(Time::from_millis(sample::NOW.millis() - 1));
    draft.decided_at = Some(sample::NOW);
    draft.valid_from = dice.rarely(6).then(|| minutes(dice));
    if dice.rarely(6) {
        let from = draft.valid_from.unwrap_or(sample::NOW);
        draft.valid_until = Some(Time::from_millis(minutes(dice).millis().max(from.millis() + 1)));
    }
    if dice.rarely(5) {
        draft.capacity = dice.one(Capacity::ALL);
        draft.age_band = dice.one(AgeBand::ALL);
        draft.given_by = dice.one(GivenBy::ALL);
        draft.assent = dice.one(&[Some(true), Some(false), None]);
        draft.no_caregiver = dice.one(&[None, Some(NoCaregiver::Absent), Some(NoCaregiver::CaregiverConcern)]);
        draft.collection = dice.one(&[CollectionMethod::Written, CollectionMethod::OralWitnessed]);
        draft.assent_form = dice.one(&[Some(CollectionMethod::Thumbprint), Some(CollectionMethod::Phone), None]);
        draft.of_age_at = dice.rarely(3).then(|| minutes(dice));
        match (draft.capacity, draft.age_band) {
            (Capacity::Minor, AgeBand::Adult) => draft.age_band = AgeBand::Unknown,
            (Capacity::AdultCapable, band) if band != AgeBand::Unknown => draft.age_band = AgeBand::Adult,
            _ => {}
        }
        if draft.age_band == AgeBand::Adult {
            (draft.no_caregiver, draft.of_age_at) = (None, None);
        }
    }
    draft.notice.understood = !dice.rarely(12);
    draft.notice.language = language(dice);
    draft.understands = vec![language(dice)];
    if dice.rarely(2) {
        draft.understands.push("fr-ML".parse().expect("a language"));
    }
    draft.interpreter = draft
        .interpreter
        .filter(|_| dice.rarely(2))
        .map(|interpreter| super::Interpreter { language: language(dice), ..interpreter });
    draft.purposes = grants(dice);
    draft.recipients = recipients().into_iter().filter(|_| !dice.rarely(6)).collect();
    if draft.recipients.is_empty() {
        draft.recipients = vec![sample::society("SN").into()];
    }
    draft.countries =
        ["ML", "GM", "SN"].iter().filter(|_| !dice.rarely(8)).map(|code| sample::society(code).into()).collect();
    if draft.countries.is_empty() {
        draft.countries = vec![sample::society("TD").into()];
    }
    draft.exclusions = (0..dice.below(3)).map(|_| exclusion(dice)).collect();
    draft.exclusions.dedup();
    draft
}

fn grants(dice: &mut Dice<'_>) -> Vec<PurposeGrant> {
    let mut grants: Vec<PurposeGrant> = Vec::new();
    for _ in 0..=dice.below(6) {
        let service = dice.one(&SERVICES);
        let purpose = if dice.rarely(3) { dice.one(&Purpose::ONWARD) } else { service.purpose() };
        let service = if service.purpose() == purpose && dice.rarely(2) { Some(service) } else { None };
        let mut categories = dice.some(&open_categories(), 20);
        if categories.is_empty() {
            categories.push(DataCategory::Contact);
        }
        if grants.iter().all(|grant| (grant.purpose, grant.service) != (purpose, service)) {
            grants.push(PurposeGrant {
                purpose,
                service,
                categories,
                optional: Vec::new(),
                basis: LegalBasis::Consent,
                necessity: Necessity::Required,
                primary: true,
            });
        }
    }
    grants
}

fn exclusion(dice: &mut Dice<'_>) -> Exclusion {
    let mut exclusion = Exclusion {
        recipient: dice.rarely(2).then(|| recipients()[dice.below(4)].clone()),
        role: dice.rarely(3).then(|| dice.one(&[Role::Interpreter, Role::Medical])),
        country: dice.rarely(3).then(|| sample::society(["ML", "GM", "SN"][dice.below(3)]).into()),
        category: dice.rarely(2).then(|| dice.one(DataCategory::ALL)),
    };
    if exclusion == Exclusion::default() {
        exclusion.category = Some(DataCategory::Photo);
    }
    exclusion
}

fn an_event(dice: &mut Dice<'_>) -> ConsentEvent {
    let kind = dice.one(&[
        EventKind::WithdrawPart,
        EventKind::Reconfirm,
        EventKind::WithdrawPart,
        EventKind::ComeOfAge,
        EventKind::Withdraw,
        EventKind::Explain,
        EventKind::Invalidate,
        EventKind::Expire,
        EventKind::Revoke,
        EventKind::Refuse,
        EventKind::Defer,
        EventKind::Give,
    ]);
    let scope = (kind == EventKind::WithdrawPart).then(|| Scope {
        purposes: vec![dice.one(Purpose::ALL)],
        recipients: if dice.rarely(2) { vec![recipients()[dice.below(4)].clone()] } else { Vec::new() },
        categories: if dice.rarely(3) { vec![dice.one(&open_categories())] } else { Vec::new() },
    });
    ConsentEvent {
        at: Time::from_millis(sample::NOW.millis() - 50 + 20 * dice.below(6) as u64),
        kind,
        actor: kind.actors()[0],
        recorded_by: sample::society("GM"),
        method: None,
        scope,
    }
}

fn a_request(dice: &mut Dice<'_>, record: &ConsentRecord) -> CoverageRequest {
    let service = if dice.rarely(4) {
        dice.one(&SERVICES)
    } else {
        record
            .purposes
            .iter()
            .find_map(|grant| SERVICES.iter().copied().find(|s| s.purpose() == grant.purpose))
            .unwrap_or(Service::Food)
    };
    let mut request = sample::request(record);
    request.service = service;
    request.purpose = if dice.rarely(8) { dice.one(Purpose::ALL) } else { service.purpose() };
    request.categories = if dice.rarely(4) {
        let among = if dice.rarely(6) { DataCategory::ALL } else { &DataCategory::ALL[..19] };
        dice.some(among, 3).into_iter().collect()
    } else {
        service.minimal_categories()
    };
    request.recipient = recipients()[dice.below(4)].clone();
    if dice.rarely(25) {
        let code = dice.one(&["border", "police.rosso", "gendarmerie"]).parse().expect("a code");
        request.recipient = Recipient::Organisation(Organisation { code, kind: OrganisationKind::Authority });
    }
    request.country = sample::society(["ML", "GM", "SN", "ML", "GM", "SN", "NE"][dice.below(7)]).into();
    request.role = dice.one(&[None, Some(Role::Caseworker), Some(Role::Medical)]);
    request.onward = dice.rarely(3);
    request.restrictions.no_onward = dice.rarely(6);
    if dice.rarely(5) {
        let from = dice.rarely(2).then(|| recipients()[dice.below(4)].clone());
        request.restrictions.withhold = vec![Withhold { category: dice.one(DataCategory::ALL), from }];
    }
    request.now = Time::from_millis(sample::NOW.millis() + 20_000 * dice.below(7) as u64);
    if dice.rarely(20) {
        request.subject = super::SubjectRef::derive(&[3; 32], CaseId::new(sample::NOW, [1; 10]));
    }
    if dice.rarely(20) {
        request.consent.version += 1;
    }
    request
}

/// Where the record stands, told as a story from its earliest event to its latest.
fn is_in_force(events: &[&ConsentEvent], birthday: Option<Time>) -> bool {
    let final_no =
        [EventKind::Withdraw, EventKind::Invalidate, EventKind::Revoke, EventKind::Refuse, EventKind::Expire];
    if events.iter().any(|event| final_no.contains(&event.kind)) {
        return false;
    }
    let at = |wanted: &dyn Fn(EventKind) -> bool| {
        events.iter().filter(|event| wanted(event.kind)).map(|event| event.at).collect::<Vec<_>>()
    };
    let explained = at(&|kind| kind == EventKind::Explain).into_iter().min();
    let given = at(&|kind| matches!(kind, EventKind::Give | EventKind::GivePartly));
    let given_after = given.into_iter().filter(|time| explained.is_some_and(|explained| explained <= *time)).min();
    let of_age: Vec<_> = at(&|kind| kind == EventKind::ComeOfAge)
        .into_iter()
        .chain(birthday)
        .filter(|time| explained.is_some_and(|e| e <= *time))
        .collect();
    let renewed = at(&|kind| kind == EventKind::Reconfirm);
    match (of_age.iter().max(), of_age.iter().min()) {
        // Grown up before or after the yes: only a confirmation after that counts.
        (Some(last), Some(_)) => renewed.iter().any(|time| time > last),
        _ => given_after.is_some(),
    }
}

/// Who may decide at which age and in which form, as sentences: age; who; whether a caregiver must be lacking;
/// whether the child's yes is needed, and on paper.
const DECIDERS: &str = "
    0_5 parent,legal_guardian present - -
    0_5 trusted_adult,caseworker_best_interest lacking - -
    6_11 parent,legal_guardian present yes -
    6_11 trusted_adult,caseworker_best_interest lacking yes -
    unknown parent,legal_guardian present yes -
    unknown trusted_adult,caseworker_best_interest lacking yes -
    12_14 parent,legal_guardian present yes paper
    12_14 trusted_adult lacking yes paper
    12_14 self lacking yes -
    15_17 self any - -
";

fn may_be_decided(record: &ConsentRecord) -> bool {
    let says_no = record.assent == Some(false);
    if record.age_band == AgeBand::Adult {
        let helped = record.capacity == Capacity::Assisted
            && ["legal_guardian", "trusted_adult"].contains(&record.given_by.as_str());
        return !says_no && (helped || record.given_by == GivenBy::Person);
    }
    let on_paper =
        |form: Option<CollectionMethod>| form.is_some_and(|form| ["written", "thumbprint"].contains(&form.as_str()));
    let fits = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [age, who, caregiver, assent, form] = words[..] else { return false };
        age == record.age_band.as_str()
            && who.split(',').any(|one| one == record.given_by.as_str())
            && (caregiver == "any" || (caregiver == "lacking") == record.no_caregiver.is_some())
            && (assent == "-" || record.assent == Some(true))
            && (form == "-" || on_paper(record.assent_form))
            && !(says_no && age != "0_5")
    };
    on_paper(Some(record.collection)) && DECIDERS.lines().any(fits)
}

/// The faults that do not depend on what exactly was agreed to: steps 0 to 5.
fn faults_of_the_record(record: &ConsentRecord, all: &[&ConsentEvent], request: &CoverageRequest) -> Vec<DenyReason> {
    use DenyReason as R;
    let mut faults = Vec::new();
    let mut fault = |is: bool, reason| {
        if is {
            faults.push(reason);
        }
    };
    let blocked = "biometric ethnicity_religion immigration_status facilitator political precise_live_location";
    fault(request.categories.iter().any(|c| blocked.split(' ').any(|b| b == c.as_str())), R::HardBlock);
    let kind = match &request.recipient {
        Recipient::Organisation(organisation) => Some(organisation.kind),
        Recipient::Society(_) => None,
    };
    fault(kind == Some(OrganisationKind::Authority), R::Authority);
    fault(record.subject != request.subject || record.version != request.consent.version, R::Integrity);
    let birthday = record.of_age_at.filter(|at| request.now >= *at);
    fault(!is_in_force(all, birthday), R::State);
    fault(request.now < record.valid_from || request.now >= record.valid_until, R::Expired);
    fault(record.capacity == Capacity::ShockOrSedated, R::Defer);
    fault(!may_be_decided(record), R::Capacity);
    let speaks = |tag: &str| {
        record.understands.iter().any(|known| {
            let known = known.as_str();
            known == tag || known.starts_with(&format!("{tag}-")) || tag.starts_with(&format!("{known}-"))
        })
    };
    let through_interpreter = record.interpreter.iter().any(|interpreter| speaks(interpreter.language.as_str()));
    let understood = record.notice.understood && (speaks(record.notice.language.as_str()) || through_interpreter);
    fault(!understood, R::Notice);
    faults
}

/// Every fault of the request, and the fields that would travel if there were none.
fn judge(
    record: &ConsentRecord,
    known: &[ConsentEvent],
    request: &CoverageRequest,
) -> (Vec<DenyReason>, BTreeSet<Field>) {
    use DenyReason as R;
    let all: Vec<&ConsentEvent> = record.events.iter().chain(known).collect();
    let mut faults = faults_of_the_record(record, &all, request);
    let mut fault = |is: bool, reason| {
        if is {
            faults.push(reason);
        }
    };
    let taken_back: Vec<Purpose> =
        all.iter().filter_map(|e| e.scope.as_ref()).flat_map(|s| s.purposes.clone()).collect();
    let refused: Vec<Recipient> =
        all.iter().filter_map(|e| e.scope.as_ref()).flat_map(|s| s.recipients.clone()).collect();
    let mut agreed: Option<Vec<DataCategory>> = None;
    for grant in &record.purposes {
        let service_fits = grant.service.is_none() || grant.service == Some(request.service);
        let serves = request.purpose == request.service.purpose()
            || (request.service == Service::Rfl
                && ["rfl.tracing", "rfl.family_contact_at_destination"].contains(&request.purpose.as_str()));
        if grant.purpose == request.purpose && service_fits && serves && !taken_back.contains(&request.purpose) {
            agreed.get_or_insert_default().extend(&grant.categories);
        }
    }
    fault(agreed.is_none(), R::Purpose);
    let named = record.recipients.contains(&request.recipient)
        && !refused.contains(&request.recipient)
        && record.countries.contains(&request.country);
    fault(!named, R::Recipient);
    let excluded = record.exclusions.iter().any(|exclusion| {
        let other_recipient = exclusion.recipient.as_ref().is_some_and(|recipient| *recipient != request.recipient);
        let other_role = exclusion.role.is_some() && request.role.is_some() && exclusion.role != request.role;
        let other_country = exclusion.country.is_some_and(|country| country != request.country);
        let other_category = exclusion.category.is_some_and(|category| !request.categories.contains(&category));
        !(other_recipient || other_role || other_country || other_category)
    });
    fault(excluded, R::Excluded);

    let onward_purpose = if matches!(request.recipient, Recipient::Organisation(_)) {
        Purpose::OnwardPartner
    } else {
        Purpose::OnwardSociety
    };
    let onward: Vec<&PurposeGrant> = record
        .purposes
        .iter()
        .filter(|grant| grant.purpose == onward_purpose && !taken_back.contains(&onward_purpose))
        .collect();
    let mut allowed: BTreeSet<DataCategory> = request.categories.clone();
    allowed.retain(|category| agreed.iter().flatten().any(|agreed| agreed == category));
    for withhold in &request.restrictions.withhold {
        if withhold.from.is_none() || withhold.from.as_ref() == Some(&request.recipient) {
            allowed.remove(&withhold.category);
        }
    }
    if request.onward && !onward.is_empty() {
        allowed.retain(|category| onward.iter().any(|grant| grant.categories.contains(category)));
    }
    for scope in all.iter().filter_map(|event| event.scope.as_ref()) {
        allowed.retain(|category| !scope.categories.contains(category));
    }
    fault(request.service.minimum().required.iter().any(|category| !allowed.contains(category)), R::Missing);
    fault(request.onward && (onward.is_empty() || request.restrictions.no_onward), R::Onward);
    let fields = Field::ALL
        .iter()
        .filter(|field| {
            allowed.contains(&field.category()) && request.service.minimum().sections.contains(&field.section())
        })
        .filter(|field| **field != Field::BirthDate || request.service == Service::Rfl)
        .copied()
        .collect();
    (faults, fields)
}

/// The draft with one thing less that gives permission; none when nothing is left to take.
fn with_less(draft: &ConsentDraft, dice: &mut Dice<'_>) -> ConsentDraft {
    let mut less = draft.clone();
    let pick = dice.below(64);
    let take = |len: usize| pick % len.max(1);
    match dice.below(8) {
        0 if less.purposes.len() > 1 => drop(less.purposes.remove(take(draft.purposes.len()))),
        1 if less.recipients.len() > 1 => drop(less.recipients.remove(take(draft.recipients.len()))),
        2 if less.countries.len() > 1 => drop(less.countries.remove(take(draft.countries.len()))),
        3 if less.understands.len() > 1 => drop(less.understands.remove(take(draft.understands.len()))),
        4 => less.interpreter = None,
        5 => less.assent = None,
        6 => less.assent_form = None,
        _ => {
            let grants = less.purposes.len();
            let categories = &mut less.purposes[pick % grants].categories;
            if categories.len() > 1 {
                categories.remove(pick % categories.len());
            }
        }
    }
    less
}

fn allowed_fields(draft: &ConsentDraft, events: &[ConsentEvent], request: &CoverageRequest) -> BTreeSet<Field> {
    let record = sample::record_of(draft.clone());
    let mut request = request.clone();
    request.consent = record.reference();
    covers(&record, events, &request).map(|coverage| coverage.fields).unwrap_or_default()
}

proptest! {
    #![proptest_config(Config { cases: cases(), failure_persistence: None, ..Config::default() })]

    #[test]
    fn covers_answers_as_the_reference_model_does(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut dice = Dice(bytes.iter());
        let draft = a_draft(&mut dice);
        let record = sample::record_of(draft.clone());
        let events: Vec<_> = (0..dice.below(8).saturating_sub(5)).map(|_| an_event(&mut dice)).collect();
        let request = a_request(&mut dice, &record);
        let (faults, fields) = judge(&record, &events, &request);
        match covers(&record, &events, &request) {
            Err(denial) => prop_assert_eq!(Some(denial.reason), faults.first().copied()),
            Ok(coverage) => {
                prop_assert_eq!(faults, vec![]);
                prop_assert_eq!(&coverage.fields, &fields);
                // Nothing blocked and nothing beyond the service's minimum, and never to an authority.
                prop_assert!(coverage.fields.iter().all(|field| !field.category().is_blocked()));
                prop_assert!(coverage.fields.is_subset(&request.service.minimal_fields()));
                prop_assert!(!request.recipient.is_authority());
                // Less consent, or one more thing taken back, never covers more.
                let less = with_less(&draft, &mut dice);
                let request_as_asked = CoverageRequest { consent: record.reference(), ..request };
                prop_assert!(allowed_fields(&less, &events, &request_as_asked).is_subset(&fields));
                let mut more_events = events;
                let mut taken = an_event(&mut dice);
                if matches!(taken.kind, EventKind::Give | EventKind::Reconfirm | EventKind::Explain) {
                    taken.kind = EventKind::Withdraw;
                }
                more_events.push(taken);
                prop_assert!(allowed_fields(&draft, &more_events, &request_as_asked).is_subset(&fields));
            }
        }
    }
}

/// The random cases are worth something only if they reach every answer.
#[test]
fn the_random_cases_reach_every_reason_and_many_a_yes() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<Option<DenyReason>, u32>::new();
    for _ in 0..4_000 {
        let tree = prop::collection::vec(any::<u8>(), 400).new_tree(&mut runner).expect("bytes");
        let bytes = proptest::strategy::ValueTree::current(&tree);
        let mut dice = Dice(bytes.iter());
        let record = sample::record_of(a_draft(&mut dice));
        let events: Vec<_> = (0..dice.below(8).saturating_sub(5)).map(|_| an_event(&mut dice)).collect();
        let request = a_request(&mut dice, &record);
        *seen.entry(covers(&record, &events, &request).err().map(|denial| denial.reason)).or_default() += 1;
    }
    for reason in DenyReason::ALL {
        assert!(seen.get(&Some(*reason)).is_some_and(|count| *count >= 5), "{reason}: {seen:?}");
    }
    assert!(seen.get(&None).is_some_and(|count| *count >= 100), "{seen:?}");
}
