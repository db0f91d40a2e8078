//! The remaining vocabularies of an alert: places, access, sharing, answers and cancellation.

super::vocabulary! {
    /// What a place is to the event.
    PlaceRole {
        1 Occurred = "occurred",
        2 Current = "current",
        3 HeadingTo = "heading_to",
        4 BorderCrossing = "border_crossing",
        5 Disembarkation = "disembarkation",
    }
}

super::vocabulary! {
    /// How people arrive.
    TransportMode {
        1 Bus = "bus",
        2 Truck = "truck",
        3 Boat = "boat",
        4 Plane = "plane",
        5 Foot = "foot",
    }
}

super::vocabulary! {
    /// Whether teams can reach the people.
    Access {
        1 Open = "open",
        2 Restricted = "restricted",
        3 Denied = "denied",
        4 Unknown = "unknown",
    }
}

super::vocabulary! {
    /// How far an alert may spread. `partners_named` and `restricted` go to the Societies of the
    /// distribution alone; a `restricted` alert stays, there, with the people on duty.
    Sensitivity {
        1 Public = "public",
        2 Network = "network",
        3 PartnersNamed = "partners_named",
        4 Restricted = "restricted",
    }
}

super::vocabulary! {
    /// A number of people as a band. Below five, a band can point at persons: nationalities are then left out.
    Band {
        1 UnderFive = "<5",
        2 FiveToNine = "5-9",
        3 TenToNineteen = "10-19",
        4 TwentyToFortyNine = "20-49",
        5 FiftyToNinetyNine = "50-99",
        6 HundredToOneNinetyNine = "100-199",
        7 TwoHundredAndMore = "200+",
    }
}

super::vocabulary! {
    /// The duty post that answers for an alert: a post, never a person.
    DutyPost {
        1 OperationsCentre = "operations_centre",
        2 DutyOfficer = "duty_officer",
        3 HealthDesk = "health_desk",
        4 ProtectionDesk = "protection_desk",
        5 RflDesk = "rfl_desk",
        6 BorderPost = "border_post",
        7 BranchOffice = "branch_office",
        8 Headquarters = "headquarters",
    }
}

super::vocabulary! {
    /// Why an alert is cancelled.
    CancelReason {
        1 Resolved = "resolved",
        2 Wrong = "wrong",
        3 Duplicate = "duplicate",
        4 UnsafeToKeep = "unsafe_to_keep",
    }
}

super::vocabulary! {
    /// Why the content of an alert is erased wherever it is held: keeping it does harm.
    RedactReason {
        1 PersonalData = "personal_data",
        2 EndangersPeople = "endangers_people",
        3 ExposesSource = "exposes_source",
    }
}

super::vocabulary! {
    /// A person's answer to an alert: taken note of, or not usable (CAP `msgType`).
    AckKind {
        1 Ack = "Ack",
        2 Error = "Error",
    }
}
