//! Kinds of personal data, and those among them that no package, offer or consent can ever carry.

super::vocabulary! {
    /// A category of personal data.
    DataCategory {
        1 Contact = "contact",
        2 IdentityName = "identity_name",
        3 DobAge = "dob_age",
        4 SexGender = "sex_gender",
        5 Nationality = "nationality",
        6 Language = "language",
        7 Family = "family",
        8 Destination = "destination",
        9 JourneyMin = "journey_min",
        10 HealthMin = "health_min",
        11 HealthFull = "health_full",
        12 MentalHealth = "mental_health",
        13 Protection = "protection",
        14 Child = "child",
        15 GbvFlag = "gbv_flag",
        16 ServicesReceived = "services_received",
        17 Photo = "photo",
        18 DocumentRef = "document_ref",
        19 ConsentMeta = "consent_meta",
        20 Biometric = "biometric",
        21 EthnicityReligion = "ethnicity_religion",
        22 ImmigrationStatus = "immigration_status",
        23 Facilitator = "facilitator",
        24 Political = "political",
        25 PreciseLiveLocation = "precise_live_location",
    }
}

impl DataCategory {
    /// Whether the category is hard-blocked: it exists here only to be refused by name.
    #[must_use]
    pub fn is_blocked(self) -> bool {
        matches!(
            self,
            Self::Biometric
                | Self::EthnicityReligion
                | Self::ImmigrationStatus
                | Self::Facilitator
                | Self::Political
                | Self::PreciseLiveLocation
        )
    }

    /// Whether the category is a special one, whose disclosure can do serious harm
    /// (ISO/IEC TS 27560 `special_pii_category`).
    #[must_use]
    pub fn is_special(self) -> bool {
        self.is_blocked()
            || matches!(
                self,
                Self::HealthMin
                    | Self::HealthFull
                    | Self::MentalHealth
                    | Self::Protection
                    | Self::Child
                    | Self::GbvFlag
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_categories_are_blocked_and_they_are_the_last_six() {
        let blocked: Vec<_> = DataCategory::ALL.iter().filter(|category| category.is_blocked()).collect();
        assert_eq!(blocked.len(), 6);
        assert_eq!(blocked, DataCategory::ALL.iter().skip(19).collect::<Vec<_>>());
    }
}
