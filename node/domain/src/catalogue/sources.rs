//! Where an alert's facts come from and how far they are to be believed.

super::vocabulary! {
    /// Who told the Society.
    SourceType {
        1 OwnTeam = "own_team",
        2 Volunteer = "volunteer",
        3 OtherNs = "other_ns",
        4 IfrcIcrc = "ifrc_icrc",
        5 UnIom = "un_iom",
        6 Authority = "authority",
        7 Media = "media",
        8 Community = "community",
        9 MigrantHotline = "migrant_hotline",
        10 Ngo = "ngo",
    }
}

super::vocabulary! {
    /// Reliability of the source, first axis of the Admiralty grading: A is completely reliable, E unreliable,
    /// F cannot be judged.
    Reliability {
        1 A = "A",
        2 B = "B",
        3 C = "C",
        4 D = "D",
        5 E = "E",
        6 F = "F",
    }
}

super::vocabulary! {
    /// How far the facts have been checked. A refuted rumour travels as far as the rumour did.
    Verification {
        1 Unverified = "unverified",
        2 Corroborated = "corroborated",
        3 Verified = "verified",
        4 Refuted = "refuted",
    }
}

super::vocabulary! {
    /// How a number of people came about.
    Basis {
        1 Counted = "counted",
        2 Estimated = "estimated",
        3 Reported = "reported",
    }
}

super::vocabulary! {
    /// How sure an expected arrival is.
    Confidence {
        1 Low = "low",
        2 Medium = "medium",
        3 High = "high",
    }
}

super::vocabulary! {
    /// Who wrote a text: a person, or a machine that translated it.
    TextOrigin {
        1 Human = "human",
        2 Machine = "machine",
    }
}
