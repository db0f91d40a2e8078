//! The short closed lists around consent and handover: why something was refused or closed, how
//! and by whom consent was given, how a person can be reached.

use super::vocabulary;

vocabulary! {
    /// Why a recipient does not take a handover.
    RejectReason {
        1 NoService = "no_service",
        2 NoCapacity = "no_capacity",
        3 NoFunding = "no_funding",
        4 OutsideCoverage = "outside_coverage",
        5 NotEligible = "not_eligible",
        6 Duplicate = "duplicate",
        7 InsufficientInfo = "insufficient_info",
        8 UnsafeForPerson = "unsafe_for_person",
        9 UnsafeForStaff = "unsafe_for_staff",
        10 ConsentProblem = "consent_problem",
        11 WrongRecipient = "wrong_recipient",
        12 Other = "other",
    }
}

vocabulary! {
    /// Why a handover came to its end. A death is told through the channel for restoring family links alone.
    CloseReason {
        1 Completed = "completed",
        2 DeclinedByPerson = "declined_by_person",
        3 MovedOn = "moved_on",
        4 NotArrived = "not_arrived",
        5 Deceased = "deceased",
        6 TransferredOn = "transferred_on",
        7 FundingEnded = "funding_ended",
        8 Withdrawn = "withdrawn",
        9 Error = "error",
    }
}

vocabulary! {
    /// Why the sender takes a handover back: before (cancel) or after (revoke) the recipient took it.
    StopReason {
        1 DeclinedByPerson = "declined_by_person",
        2 MovedOn = "moved_on",
        3 WrongRecipient = "wrong_recipient",
        4 UnsafeForPerson = "unsafe_for_person",
        5 ConsentProblem = "consent_problem",
        6 FundingEnded = "funding_ended",
        7 Duplicate = "duplicate",
        8 Error = "error",
        9 Other = "other",
    }
}

vocabulary! {
    /// How consent was given (Kantara `collectionMethod`). A thumbprint is paper that stays at the
    /// collecting node; its image is biometric data and never stored.
    CollectionMethod {
        1 OralWitnessed = "oral_witnessed",
        2 OralRecorded = "oral_recorded",
        3 Written = "written",
        4 Thumbprint = "thumbprint",
        5 Phone = "phone",
        6 Hotline = "hotline",
    }
}

vocabulary! {
    /// Who gave consent.
    GivenBy {
        1 Person = "self",
        2 Parent = "parent",
        3 LegalGuardian = "legal_guardian",
        4 TrustedAdult = "trusted_adult",
        5 CaseworkerBestInterest = "caseworker_best_interest",
    }
}

impl CollectionMethod {
    /// Whether it leaves a paper, as the consent for a child must: a signature, or the thumbprint of
    /// somebody who does not write.
    #[must_use]
    pub fn is_written(self) -> bool {
        matches!(self, Self::Written | Self::Thumbprint)
    }
}

vocabulary! {
    /// Who witnessed what was not signed. The last four are kinds so that they can be refused by name:
    /// none of them is free to say what the person said.
    WitnessKind {
        1 Staff = "staff",
        2 Volunteer = "volunteer",
        3 CommunityMember = "community_member",
        4 Interpreter = "interpreter",
        5 Official = "official",
        6 Relative = "relative",
        7 Facilitator = "facilitator",
    }
}

impl WitnessKind {
    /// Whether such a witness is independent of the person, of the conversation and of the State.
    #[must_use]
    pub fn is_independent(self) -> bool {
        matches!(self, Self::Staff | Self::Volunteer | Self::CommunityMember)
    }
}

vocabulary! {
    /// Why no caregiver decides for a minor, so that somebody else does: always documented.
    NoCaregiver {
        1 Absent = "absent",
        2 NotFound = "not_found",
        3 Deceased = "deceased",
        4 NotInBestInterest = "not_in_best_interest",
        5 CaregiverConcern = "caregiver_concern",
    }
}

vocabulary! {
    /// Whether the person could decide when asked. After a shipwreck, sedated or in shock, one cannot.
    Capacity {
        1 AdultCapable = "adult_capable",
        2 Minor = "minor",
        3 ShockOrSedated = "shock_or_sedated",
        4 Assisted = "assisted",
    }
}

vocabulary! {
    /// Age in years, as a band. An unknown age is treated as a minor's until a trained person has assessed it.
    AgeBand {
        1 From0To5 = "0_5",
        2 From6To11 = "6_11",
        3 From12To14 = "12_14",
        4 From15To17 = "15_17",
        5 Adult = "adult",
        6 Unknown = "unknown",
    }
}

impl AgeBand {
    /// Whether the rules for minors apply: everybody who is not known to be an adult.
    #[must_use]
    pub fn is_minor(self) -> bool {
        self != Self::Adult
    }
}

vocabulary! {
    /// With whom a minor travels.
    MinorStatus {
        1 NotMinor = "not_minor",
        2 Accompanied = "accompanied",
        3 Separated = "separated",
        4 Unaccompanied = "unaccompanied",
    }
}

vocabulary! {
    /// The legal basis of one processing (ICRC Handbook on Data Protection, chapter 3).
    LegalBasis {
        1 Consent = "consent",
        2 VitalInterest = "vital_interest",
        3 PublicInterest = "public_interest",
        4 LegitimateInterest = "legitimate_interest",
        5 LegalObligation = "legal_obligation",
    }
}

vocabulary! {
    /// Whether a service can be given without the purpose.
    Necessity {
        1 Required = "required",
        2 Optional = "optional",
    }
}

vocabulary! {
    /// Where data under a consent record is kept.
    Storage {
        1 OriginNode = "origin_node",
        2 RecipientNode = "recipient_node",
        3 PaperAtOrigin = "paper_at_origin",
    }
}

vocabulary! {
    /// How a person can take consent back; told orally and printed on the card.
    WithdrawalMethod {
        1 OralAnySociety = "oral_any_society",
        2 Hotline = "hotline",
        3 CardWord = "card_word",
        4 Written = "written",
    }
}

vocabulary! {
    /// A right that was explained to the person (ISO/IEC TS 27560 `privacy_rights`).
    Right {
        1 Information = "information",
        2 Access = "access",
        3 Rectification = "rectification",
        4 Erasure = "erasure",
        5 Objection = "objection",
        6 Restriction = "restriction",
        7 Withdrawal = "withdrawal",
        8 Complaint = "complaint",
    }
}

vocabulary! {
    /// The kind of an organisation that is no Society. An authority is a kind so that it can be
    /// refused by name: person-level data is never addressed to one.
    OrganisationKind {
        1 MovementPartner = "movement_partner",
        2 UnAgency = "un_agency",
        3 Ngo = "ngo",
        4 Hospital = "hospital",
        5 Authority = "authority",
    }
}

vocabulary! {
    /// Why a vital interest cannot wait for consent.
    VitalReason {
        1 Unconscious = "unconscious",
        2 LifeThreatening = "life_threatening",
        3 SevereInjury = "severe_injury",
        4 ChildbirthEmergency = "childbirth_emergency",
        5 SelfHarmRisk = "self_harm_risk",
        6 ImminentViolence = "imminent_violence",
        7 ChildAlone = "child_alone",
    }
}

vocabulary! {
    /// Why people who travel together are no longer handed over together.
    SplitReason {
        1 OwnWish = "own_wish",
        2 MedicalEmergency = "medical_emergency",
        3 ProtectionConcern = "protection_concern",
        4 NoPlaceForAll = "no_place_for_all",
        5 MembersMissing = "members_missing",
        6 Error = "error",
    }
}

vocabulary! {
    /// What a handover asks for.
    HandoverKind {
        1 ReferralService = "referral_service",
        2 TransferCase = "transfer_case",
        3 RflTracingRequest = "rfl_tracing_request",
        4 InformationRequest = "information_request",
        5 ReturnBack = "return_back",
    }
}

vocabulary! {
    /// How soon the recipient has to act.
    CasePriority {
        1 Emergency = "emergency",
        2 Urgent = "urgent",
        3 Routine = "routine",
    }
}

vocabulary! {
    /// What happens when the recipient lacks a service that was asked for.
    GapPlan {
        1 SenderPays = "sender_pays",
        2 BestEffort = "best_effort",
        3 ThirdSociety = "third_society",
    }
}

vocabulary! {
    /// What the recipient does with the data when the handover has ended.
    OnClose {
        1 Erase = "erase",
        2 Return = "return",
        3 KeepWithReason = "keep_with_reason",
    }
}

vocabulary! {
    /// How a person can be reached.
    Channel {
        1 Voice = "voice",
        2 Sms = "sms",
        3 Messenger = "messenger",
        4 InPerson = "in_person",
        5 Hotline = "hotline",
    }
}

vocabulary! {
    /// A person's sex, where a service needs it.
    Sex {
        1 Female = "female",
        2 Male = "male",
        3 Other = "other",
        4 NotStated = "not_stated",
    }
}

vocabulary! {
    /// A protection concern. The events behind it are never told across the wire.
    Concern {
        1 Trafficking = "trafficking",
        2 Violence = "violence",
        3 Threat = "threat",
        4 Exploitation = "exploitation",
        5 FamilyRejection = "family_rejection",
        6 SelfHarm = "self_harm",
        7 Other = "other",
    }
}

vocabulary! {
    /// How far the family link of a child was verified.
    FamilyVerification {
        1 NotStarted = "not_started",
        2 UnderWay = "under_way",
        3 Verified = "verified",
        4 Doubtful = "doubtful",
    }
}
