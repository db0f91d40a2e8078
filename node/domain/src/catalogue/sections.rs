//! The sections of a case package, the fields of each with the category of data each one is, and
//! the matrix that says which service needs which: minimisation as versioned data.

use std::collections::BTreeSet;

use super::{DataCategory, Role, Service};

super::vocabulary! {
    /// A section of a case package.
    Section {
        1 Contact = "contact",
        2 IdentityCore = "identity_core",
        3 Travel = "travel",
        4 Family = "family",
        5 HealthMin = "health_min",
        6 HealthFull = "health_full",
        7 Pss = "pss",
        8 Protection = "protection",
        9 Child = "child",
        10 ServicesReceived = "services_received",
    }
}

impl Section {
    /// The roles that may read the section where it is sealed further than the package; none for
    /// the sections that everybody with access to the case reads.
    #[must_use]
    pub fn sealed_for(self) -> &'static [Role] {
        match self {
            Self::HealthFull => &[Role::Medical],
            Self::Protection => &[Role::GbvOfficer, Role::Supervisor],
            Self::Child => &[Role::CpOfficer],
            _ => &[],
        }
    }
}

macro_rules! fields {
    ($($number:literal $member:ident = $text:literal: $section:ident, $category:ident;)+) => {
        super::vocabulary! {
            /// One field of a case package.
            Field { $($number $member = $text,)+ }
        }

        impl Field {
            /// The section that the field stands in.
            #[must_use]
            pub fn section(self) -> Section {
                match self { $(Self::$member => Section::$section,)+ }
            }

            /// The category of data that the field is; none of them is a blocked one.
            #[must_use]
            pub fn category(self) -> DataCategory {
                match self { $(Self::$member => DataCategory::$category,)+ }
            }
        }
    };
}

fields! {
    1 PreferredName = "contact.preferred_name": Contact, Contact;
    2 SafePhone = "contact.safe_phone": Contact, Contact;
    3 PhoneOwner = "contact.phone_owner": Contact, Contact;
    4 SafeToSay = "contact.safe_to_say": Contact, Contact;
    5 Channel = "contact.channel": Contact, Contact;
    6 SpokenLanguage = "contact.language": Contact, Language;
    7 Interpreter = "contact.interpreter": Contact, Language;
    8 FullName = "identity_core.full_name": IdentityCore, IdentityName;
    9 Sex = "identity_core.sex": IdentityCore, SexGender;
    10 AgeYears = "identity_core.age_years": IdentityCore, DobAge;
    11 BirthYear = "identity_core.birth_year": IdentityCore, DobAge;
    12 BirthDate = "identity_core.birth_date": IdentityCore, DobAge;
    13 Nationality = "identity_core.nationality": IdentityCore, Nationality;
    14 ArrivalPoint = "travel.arrival_point": Travel, JourneyMin;
    15 Eta = "travel.eta": Travel, JourneyMin;
    16 Destination = "travel.destination": Travel, Destination;
    17 AccompaniedBy = "travel.accompanied_by": Travel, JourneyMin;
    18 MobilityLimits = "travel.mobility_limits": Travel, HealthMin;
    19 Sought = "family.sought": Family, Family;
    20 AtDestination = "family.at_destination": Family, Family;
    21 NoContact = "family.no_contact": Family, Family;
    22 UrgentCondition = "health_min.urgent_condition": HealthMin, HealthMin;
    23 MedicationDue = "health_min.medication_due": HealthMin, HealthMin;
    24 Allergy = "health_min.allergy": HealthMin, HealthMin;
    25 Pregnancy = "health_min.pregnancy": HealthMin, HealthMin;
    26 InfectionControl = "health_min.infection_control": HealthMin, HealthMin;
    27 ClinicalNote = "health_full.note": HealthFull, HealthFull;
    28 ClinicalLetters = "health_full.letters": HealthFull, HealthFull;
    29 RiskFlag = "pss.risk_flag": Pss, MentalHealth;
    30 WhatHelps = "pss.what_helps": Pss, MentalHealth;
    31 ReferralRequested = "pss.referral_requested": Pss, MentalHealth;
    32 Concerns = "protection.concerns": Protection, Protection;
    33 SafetyPlan = "protection.safety_plan": Protection, Protection;
    34 FocalPoint = "protection.focal_point": Protection, Protection;
    35 GbvFlag = "protection.gbv": Protection, GbvFlag;
    36 CareArrangement = "child.care_arrangement": Child, Child;
    37 Caregiver = "child.caregiver": Child, Child;
    38 CaregiverConcern = "child.caregiver_concern": Child, Child;
    39 BestInterestRef = "child.best_interest_ref": Child, Child;
    40 FamilyLink = "child.family_verification": Child, Child;
    41 Received = "services_received.received": ServicesReceived, ServicesReceived;
}

/// The version of the matrix below; raised with each change of it, and journalled with each release.
pub const MATRIX_VERSION: u16 = 1;

/// What one service needs of a package.
#[derive(Clone, Copy, Debug)]
pub struct Minimum {
    /// The service.
    pub service: Service,
    /// Without consent to these the service cannot be given at all.
    pub required: &'static [DataCategory],
    /// The sections that may travel for the service; of each, only what the consent covers.
    pub sections: &'static [Section],
}

const fn row(service: Service, required: &'static [DataCategory], sections: &'static [Section]) -> Minimum {
    Minimum { service, required, sections }
}

/// The matrix: one row for each service, in the order of [`Service::ALL`].
pub const MATRIX: [Minimum; 25] = {
    use DataCategory as D;
    use Section as S;
    use Service as V;
    const BASIC: &[Section] = &[S::Contact, S::ServicesReceived];
    const REACH: &[DataCategory] = &[D::Contact];
    [
        row(
            V::TransportFamily,
            &[D::Contact, D::IdentityName, D::Destination],
            &[S::Contact, S::IdentityCore, S::Travel, S::Family, S::ServicesReceived],
        ),
        row(
            V::Rfl,
            &[D::Contact, D::IdentityName, D::Family],
            &[S::Contact, S::IdentityCore, S::Family, S::ServicesReceived],
        ),
        row(V::FirstAid, &[D::Contact, D::HealthMin], &[S::Contact, S::HealthMin, S::ServicesReceived]),
        row(V::MedicalCare, &[D::Contact, D::HealthMin], &[S::Contact, S::HealthMin, S::ServicesReceived]),
        row(
            V::MedicalReferral,
            &[D::Contact, D::HealthMin, D::HealthFull],
            &[S::Contact, S::HealthMin, S::HealthFull, S::ServicesReceived],
        ),
        row(V::Pss, REACH, &[S::Contact, S::Pss, S::ServicesReceived]),
        row(V::Counselling, REACH, &[S::Contact, S::Pss, S::ServicesReceived]),
        row(V::Food, REACH, BASIC),
        row(V::Nfi, REACH, BASIC),
        row(V::Shelter, REACH, &[S::Contact, S::IdentityCore, S::Travel, S::ServicesReceived]),
        row(V::Water, REACH, BASIC),
        row(V::Hygiene, REACH, BASIC),
        row(V::CashVoucher, REACH, BASIC),
        row(V::BorderReception, REACH, &[S::Contact, S::Travel, S::ServicesReceived]),
        row(V::InformationAwareness, REACH, BASIC),
        row(V::LegalInfo, REACH, BASIC),
        row(V::Interpretation, &[D::Contact, D::Language], BASIC),
        row(
            V::ChildProtection,
            &[D::Contact, D::DobAge, D::Child],
            &[S::Contact, S::IdentityCore, S::Protection, S::Child, S::ServicesReceived],
        ),
        row(V::GbvResponse, &[D::Contact, D::Protection], &[S::Contact, S::Protection, S::ServicesReceived]),
        row(V::DeadBodySupport, &[D::Contact, D::Family], &[S::Contact, S::Family]),
        row(V::DocumentsSupport, REACH, BASIC),
        row(V::ReintegrationReferral, REACH, BASIC),
        row(V::Connectivity, REACH, BASIC),
        row(V::Ambulance, &[D::HealthMin], &[S::Contact, S::Travel, S::HealthMin]),
        row(V::CommunityMediation, REACH, BASIC),
    ]
};

impl Service {
    /// The row of the matrix for this service.
    #[must_use]
    pub fn minimum(self) -> &'static Minimum {
        // The rows stand in the order of the numbers, which start at 1; a test keeps it.
        &MATRIX[usize::from(self.number() - 1)]
    }

    /// The fields that may travel for this service at most. A full date of birth serves the search
    /// for relatives alone; for all else the year does.
    #[must_use]
    pub fn minimal_fields(self) -> BTreeSet<Field> {
        let sections = self.minimum().sections;
        let wanted =
            |field: &Field| sections.contains(&field.section()) && (*field != Field::BirthDate || self == Self::Rfl);
        Field::ALL.iter().copied().filter(wanted).collect()
    }

    /// The categories of the fields that may travel for this service at most.
    #[must_use]
    pub fn minimal_categories(self) -> BTreeSet<DataCategory> {
        self.minimal_fields().into_iter().map(Field::category).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_one_row_for_each_service_in_its_order() {
        let services: Vec<_> = MATRIX.iter().map(|row| row.service).collect();
        assert_eq!(services, Service::ALL);
        for service in Service::ALL {
            assert_eq!(service.minimum().service, *service);
        }
    }

    /// The matrix of each version, frozen: what was released under a version is judged by it for ever. A change
    /// of the matrix is a new version with a fixture of its own.
    #[test]
    fn the_matrix_of_this_version_is_the_one_that_was_frozen() {
        let names = |texts: Vec<&'static str>| if texts.is_empty() { "-".to_owned() } else { texts.join(" ") };
        let mut table = String::new();
        for row in &MATRIX {
            let required = names(row.required.iter().map(|category| category.as_str()).collect());
            let sections = names(row.sections.iter().map(|section| section.as_str()).collect());
            table += &format!("{} | {required} | {sections}\n", row.service);
        }
        let frozen = match MATRIX_VERSION {
            1 => include_str!("../../fixtures/matrix_1.txt"),
            _ => "",
        };
        assert!(table == frozen, "the matrix is no longer that of version {MATRIX_VERSION} but\n{table}");
    }

    #[test]
    fn what_a_service_requires_is_among_what_it_may_carry() {
        for row in &MATRIX {
            let carried = row.service.minimal_categories();
            for category in row.required {
                assert!(carried.contains(category), "{} requires {category}, which no section of it has", row.service);
            }
        }
    }

    #[test]
    fn no_field_is_of_a_blocked_category() {
        for field in Field::ALL {
            assert!(!field.category().is_blocked(), "{field}");
            assert!(field.as_str().starts_with(&format!("{}.", field.section())), "{field}");
        }
    }

    /// The table of who needs which section, written out from the field handbook.
    #[test]
    fn sensitive_sections_travel_for_the_services_that_need_them_and_no_others() {
        use Service as V;
        let table: [(Section, &[Service]); 8] = [
            (Section::IdentityCore, &[V::TransportFamily, V::Rfl, V::Shelter, V::ChildProtection]),
            (Section::Travel, &[V::TransportFamily, V::Shelter, V::BorderReception, V::Ambulance]),
            (Section::Family, &[V::TransportFamily, V::Rfl, V::DeadBodySupport]),
            (Section::HealthMin, &[V::FirstAid, V::MedicalCare, V::MedicalReferral, V::Ambulance]),
            (Section::HealthFull, &[V::MedicalReferral]),
            (Section::Pss, &[V::Pss, V::Counselling]),
            (Section::Protection, &[V::ChildProtection, V::GbvResponse]),
            (Section::Child, &[V::ChildProtection]),
        ];
        for (section, expected) in table {
            let needing: Vec<_> =
                MATRIX.iter().filter(|row| row.sections.contains(&section)).map(|row| row.service).collect();
            assert_eq!(needing, expected, "{section}");
        }
        assert!(MATRIX.iter().all(|row| row.sections.contains(&Section::Contact)));
    }

    #[test]
    fn a_full_date_of_birth_travels_for_family_links_alone() {
        for service in Service::ALL {
            assert_eq!(service.minimal_fields().contains(&Field::BirthDate), *service == Service::Rfl, "{service}");
        }
    }
}
