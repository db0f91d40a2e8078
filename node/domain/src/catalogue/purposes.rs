//! What a person may agree to have data used for. One purpose, one tick; none bundled.

use super::Service;

super::vocabulary! {
    /// A purpose of a consent record. No purpose exists for law enforcement, border control or research.
    Purpose {
        1 Transport = "svc.transport",
        2 Medical = "svc.medical",
        3 MedicalReferral = "svc.medical_referral",
        4 Pss = "svc.pss",
        5 Counselling = "svc.counselling",
        6 Shelter = "svc.shelter",
        7 FoodNfi = "svc.food_nfi",
        8 RflCall = "svc.rfl_call",
        9 RflTracing = "rfl.tracing",
        10 RflFamilyContact = "rfl.family_contact_at_destination",
        11 RflPublication = "rfl.publication",
        12 ProtectionCase = "protection.case_management",
        13 ChildCase = "child.case_management",
        14 FollowUp = "followup.contact",
        15 OnwardSociety = "onward.named_ns",
        16 OnwardPartner = "onward.named_partner",
        17 Consular = "consular.contact",
        18 Reporting = "reporting.nonidentifying",
        19 Feedback = "quality.feedback",
        20 Testimony = "evidence.human_rights_testimony",
    }
}

impl Purpose {
    /// Whether consent to this purpose covers `asked`: the same purpose, or a narrower one, whose
    /// text continues this one's after a dot. A narrower consent never covers a broader purpose.
    #[must_use]
    pub fn covers(self, asked: Self) -> bool {
        match asked.as_str().strip_prefix(self.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        }
    }

    /// The purposes that allow passing data on to a further recipient.
    pub const ONWARD: [Self; 2] = [Self::OnwardSociety, Self::OnwardPartner];
}

impl Service {
    /// The purpose that a person must have agreed to before this service can be asked for on their behalf.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        match self {
            Self::TransportFamily => Purpose::Transport,
            Self::FirstAid | Self::MedicalCare | Self::Ambulance => Purpose::Medical,
            Self::MedicalReferral => Purpose::MedicalReferral,
            Self::Pss => Purpose::Pss,
            Self::Counselling
            | Self::InformationAwareness
            | Self::LegalInfo
            | Self::Interpretation
            | Self::DocumentsSupport
            | Self::CommunityMediation => Purpose::Counselling,
            Self::Shelter => Purpose::Shelter,
            Self::Food | Self::Nfi | Self::Water | Self::Hygiene | Self::CashVoucher | Self::BorderReception => {
                Purpose::FoodNfi
            }
            Self::Rfl | Self::Connectivity => Purpose::RflCall,
            Self::DeadBodySupport => Purpose::RflTracing,
            Self::ChildProtection => Purpose::ChildCase,
            Self::GbvResponse => Purpose::ProtectionCase,
            Self::ReintegrationReferral => Purpose::FollowUp,
        }
    }

    /// Whether the service serves this purpose. Restoring family links serves three: a call, a
    /// search, and contact with the family at the destination.
    #[must_use]
    pub fn serves(self, purpose: Purpose) -> bool {
        self.purpose() == purpose
            || (self == Self::Rfl && matches!(purpose, Purpose::RflTracing | Purpose::RflFamilyContact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_covers_itself_and_nothing_that_merely_starts_alike() {
        for purpose in Purpose::ALL {
            for asked in Purpose::ALL {
                assert_eq!(purpose.covers(*asked), purpose == asked, "{purpose} for {asked}");
            }
        }
    }
}
