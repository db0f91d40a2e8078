//! The enumerations of CAP 1.2 that triage an alert, with CAP's own spelling, so that a code reads
//! the same in a file of ours and in a CAP document.

super::vocabulary! {
    /// CAP `status`: what a receiver may do with the alert.
    Mode {
        1 Actual = "Actual",
        2 Exercise = "Exercise",
        3 System = "System",
        4 Test = "Test",
        5 Draft = "Draft",
    }
}

super::vocabulary! {
    /// CAP `msgType` of the messages that carry an alert; a cancellation and an answer are bodies of their own.
    Kind {
        1 Alert = "Alert",
        2 Update = "Update",
    }
}

super::vocabulary! {
    /// CAP `urgency`: when people have to act. `Expected` means within the hour.
    Urgency {
        1 Immediate = "Immediate",
        2 Expected = "Expected",
        3 Future = "Future",
        4 Past = "Past",
        5 Unknown = "Unknown",
    }
}

super::vocabulary! {
    /// CAP `severity`. A guide for authors: Extreme = dead, missing, or life at risk now; Severe = 50 people or
    /// more, or injured people or unaccompanied children who arrive within 24 hours; Moderate = 10 to 49 people,
    /// or a closure of less than 72 hours; Minor = information.
    Severity {
        1 Extreme = "Extreme",
        2 Severe = "Severe",
        3 Moderate = "Moderate",
        4 Minor = "Minor",
        5 Unknown = "Unknown",
    }
}

super::vocabulary! {
    /// CAP `certainty`. `Likely` means more probable than not.
    Certainty {
        1 Observed = "Observed",
        2 Likely = "Likely",
        3 Possible = "Possible",
        4 Unlikely = "Unlikely",
        5 Unknown = "Unknown",
    }
}

super::vocabulary! {
    /// CAP `category`.
    Category {
        1 Geo = "Geo",
        2 Met = "Met",
        3 Safety = "Safety",
        4 Security = "Security",
        5 Rescue = "Rescue",
        6 Fire = "Fire",
        7 Health = "Health",
        8 Env = "Env",
        9 Transport = "Transport",
        10 Infra = "Infra",
        11 Cbrne = "CBRNE",
        12 Other = "Other",
    }
}

super::vocabulary! {
    /// CAP `responseType`: what is asked of the receiver.
    ResponseType {
        1 Shelter = "Shelter",
        2 Evacuate = "Evacuate",
        3 Prepare = "Prepare",
        4 Execute = "Execute",
        5 Avoid = "Avoid",
        6 Monitor = "Monitor",
        7 Assess = "Assess",
        8 AllClear = "AllClear",
        9 None = "None",
    }
}
