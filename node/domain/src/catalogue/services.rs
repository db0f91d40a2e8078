//! What a Society can offer.

super::vocabulary! {
    /// A type of service, as asked for in a handover.
    Service {
        1 TransportFamily = "transport_family",
        2 Rfl = "rfl",
        3 FirstAid = "first_aid",
        4 MedicalCare = "medical_care",
        5 MedicalReferral = "medical_referral",
        6 Pss = "pss",
        7 Counselling = "counselling",
        8 Food = "food",
        9 Nfi = "nfi",
        10 Shelter = "shelter",
        11 Water = "water",
        12 Hygiene = "hygiene",
        13 CashVoucher = "cash_voucher",
        14 BorderReception = "border_reception",
        15 InformationAwareness = "information_awareness",
        16 LegalInfo = "legal_info",
        17 Interpretation = "interpretation",
        18 ChildProtection = "child_protection",
        19 GbvResponse = "gbv_response",
        20 DeadBodySupport = "dead_body_support",
        21 DocumentsSupport = "documents_support",
        22 ReintegrationReferral = "reintegration_referral",
        23 Connectivity = "connectivity",
        24 Ambulance = "ambulance",
        25 CommunityMediation = "community_mediation",
    }
}
