//! Refusals: every "no" of the system, with a stable code, whose fault it is, whether trying again
//! can help, and what to do next. A code, once released, keeps its name and its meaning.

use std::fmt;

/// Who has to act for the refused thing to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The request is wrong in itself: correct it.
    Input,
    /// The request is well formed, but this caller may not make it.
    Permission,
    /// A rule that protects a person or the network forbids it.
    Policy,
    /// The request does not fit what has happened before.
    State,
    /// The peer broke the protocol or cannot prove what it says.
    Peer,
    /// The node itself cannot serve now.
    Node,
}

macro_rules! codes {
    ($($fault:ident { $($name:ident = $text:literal: $help:literal;)+ })+) => {
        /// The stable code of a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $help] $name,)+)+
        }

        impl Code {
            /// Every code, by whose fault it is.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// The name under which scripts, peers and the journal know it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)+)+ }
            }

            /// Whose fault it is.
            #[must_use]
            pub fn fault(self) -> Fault {
                match self { $($(Self::$name => Fault::$fault,)+)+ }
            }

            /// What the person or program that was refused can do next.
            #[must_use]
            pub fn next_step(self) -> &'static str {
                match self { $($(Self::$name => $help,)+)+ }
            }
        }
    };
}

codes! {
    Input {
        Malformed = "malformed": "Correct the field that the message names.";
        MalformedFile = "malformed_file": "Correct the file at the line that the message names.";
        MalformedId = "malformed_id": "Give the id as it was printed; lists show it too.";
        MalformedSociety = "malformed_society": "Name a Society by its two-letter country code, such as SN.";
        MalformedTime = "malformed_time": "Write the time with date, time and offset, such as 2026-11-24T06:30:00+00:00.";
        MissingField = "missing_field": "Fill in the field that the message names.";
        UnknownCode = "unknown_code": "Use a code of the vocabulary; `passerelle alert codes` lists them.";
        TooLarge = "too_large": "Make it smaller; the message names the limit.";
        TooMany = "too_many": "Send fewer; the message names the limit.";
        PersonalData = "personal_data": "Remove what could identify a person; an alert never names, numbers or reaches one.";
        BadTimes = "bad_times": "Check the order of the times: sent, effective, onset, expires.";
        BadPlace = "bad_place": "Check the coordinates: latitude first, then longitude, in degrees.";
        BadReference = "bad_reference": "Refer to an alert that this node knows and that its own Society issued.";
        NotCap = "not_cap": "Give a CAP 1.2 document in the namespace urn:oasis:names:tc:emergency:cap:1.2.";
        ConsentWitness = "consent_witness": "Have it witnessed by somebody independent: not the interpreter, an official, a relative or whoever organised the journey.";
        CheckFailed = "check_failed": "Ask the person again for the code on the card and the answer; after three wrong ones none is taken for a day.";
        HardBlocked = "hard_blocked": "Take the blocked category out; it is never sent to anybody.";
    }
    Permission {
        Unauthenticated = "unauthenticated": "Connect as a user or with a certificate that the node's configuration lists.";
        RoleMissing = "role_missing": "Ask someone with the role that the message names.";
        SelfApproval = "self_approval": "Ask another person with the role; nobody approves what they asked for themselves.";
        NeedsPerson = "needs_person": "Have a person do it; neither the node nor a program does this.";
        NotOrigin = "not_origin": "Only the Society that issued it can do this; raise an alert of your own with the same incident instead.";
        NotRecipient = "not_recipient": "Only the Society that it was sent to can do this.";
    }
    Policy {
        ConsentState = "consent_state": "Ask the person again; the record is not in force.";
        ConsentExpired = "consent_expired": "Ask the person to confirm the consent again.";
        ConsentCapacity = "consent_capacity": "Record who decided for the person, by the rules for that age.";
        ConsentDeferred = "consent_deferred": "Ask again when the person is fit to decide; help does not wait for it.";
        ConsentNotice = "consent_notice": "Explain the notice again in a language that the person understands.";
        ConsentPurpose = "consent_purpose": "Ask the person for this purpose, or leave the service out.";
        ConsentRecipient = "consent_recipient": "Ask the person whether this Society may receive it, or choose one that they named.";
        ConsentExcluded = "consent_excluded": "The person excluded this; do not send it.";
        ConsentMissing = "consent_missing": "Ask the person for the data categories that the message lists, or leave the service out.";
        ConsentIntegrity = "consent_integrity": "Record the consent again; this record does not belong to the case or is damaged.";
        ConsentOnward = "consent_onward": "Ask the person for consent to pass it on to this further recipient.";
        ApprovalMissing = "approval_missing": "Have people with the roles that the message names approve it: `passerelle handover approve`, or `passerelle override approve`.";
        OverrideRefused = "override_refused": "Ask the person; an override serves a vital interest alone and never stands against a no.";
        AgeDisputed = "age_disputed": "Have a child-protection officer or medical staff assess the age and record the consent anew.";
        FamilyUnverified = "family_unverified": "Verify the family link before the child travels to it.";
        GroupTogether = "group_together": "Act for the whole group with `passerelle handover group`, or split it deliberately first.";
        GroupIncomplete = "group_incomplete": "Wait until all members are here, or split the group deliberately.";
        Withdrawn = "withdrawn": "The person took the consent back: nothing of it is used or sent again; ask anew, in a new case.";
        AuthorityRecipient = "authority_recipient": "Person-level data is never addressed to an authority; offer an aggregate instead.";
        ApprovalRequired = "approval_required": "Draft it with `passerelle alert draft`, and have a second person approve it: `passerelle alert approve`.";
        PeerSuspended = "peer_suspended": "Lift the suspension of the peer first, if that is right.";
        NoTransferBasis = "no_transfer_basis": "Agree on a basis for transfers between the two countries and write it into the configuration as [[transfer_basis]].";
        CheckLocked = "check_locked": "Wait a day; three wrong answers came with this code. A withdrawal needs no answer: `passerelle consent withdraw`.";
        Frozen = "frozen": "A freeze is over it, after a breach or at the wish of the person; the data protection officer lifts it with a reason.";
        OnHold = "on_hold": "A hold keeps it; the data protection officer lifts it with a reason.";
        OwnApproval = "own_approval": "Have another person approve it: nobody approves what they proposed, or twice.";
        OverlappingReport = "overlapping_report": "Choose whole months of which no report was made yet; two over the same months could be subtracted.";
        NotApproved = "not_approved": "Have two different persons approve it first.";
        NotIssuedYet = "not_issued_yet": "Check the clocks of both nodes; `passerelle status` shows the skew.";
    }
    State {
        UnknownAlert = "unknown_alert": "List the alerts of this node with `passerelle alert list`.";
        UnknownDraft = "unknown_draft": "List the drafts of this node with `passerelle alert drafts`.";
        Redacted = "redacted": "Its origin has redacted it; nothing of it may be kept or sent any more.";
        UnknownHandover = "unknown_handover": "List the handovers of this node with `passerelle handover list`.";
        UnknownConsent = "unknown_consent": "Record the consent first with `passerelle consent record`.";
        UnknownReport = "unknown_report": "Make the report first: `passerelle report aggregate`.";
        UnknownSubject = "unknown_subject": "Name a case, handover, consent record or alert that this node has.";
        UnknownRequest = "unknown_request": "List the requests of this node with `passerelle subject list`.";
        UnknownPeer = "unknown_peer": "Exchange bundles with that Society first: `passerelle peer add`.";
        UnknownEntry = "unknown_entry": "Choose an entry that the journal has; `passerelle audit list` shows them.";
        DuplicateId = "duplicate_id": "The id is taken by other content; use a new id for new content.";
        WrongState = "wrong_state": "See where it stands with `show`; the message says which step is possible now.";
        AlreadyEnded = "already_ended": "It has ended; start a new one if need be.";
        Expired = "expired": "It has expired; issue a new one if it is still true.";
        PackageAbsent = "package_absent": "It has not been released yet, was erased, or never arrived; `passerelle handover show` says which.";
        SameSociety = "same_society": "A node does not peer with its own Society.";
        StaleBundle = "stale_bundle": "Ask the peer for its newest bundle; an older one than the known is never taken.";
        DataFolderInUse = "data_folder_in_use": "Stop the other node that uses this data folder, or choose another folder.";
        UnknownSchema = "unknown_schema": "Use the release that wrote this store, or import an export of it.";
    }
    Peer {
        BadSignature = "bad_signature": "The peer's signing key does not match its bundle; exchange bundles again.";
        BadDigest = "bad_digest": "The bytes were damaged or changed on the way; the peer must send them again.";
        WrongSociety = "wrong_society": "A peer speaks for its own Society alone.";
        WrongRecipient = "wrong_recipient": "The envelope is for another Society; the peer must send it there.";
        BadPosition = "bad_position": "The lane's positions do not join; both nodes say so in their status.";
        BadFrame = "bad_frame": "The peer broke the protocol of the link.";
        UnsupportedVersion = "unsupported_version": "Upgrade the older of the two nodes.";
        SessionExists = "session_exists": "Nothing; the two nodes are joined already.";
        SecondNode = "second_node": "Two nodes speak for one Society; stop one of them.";
        BadSeal = "bad_seal": "The package was sealed to another key; exchange bundles again.";
        BadBundle = "bad_bundle": "The bundle is damaged or not signed by the key it must be; ask the peer for it again.";
        BadHandshake = "bad_handshake": "Connect with TLS 1.3 and HTTP/2, and finish the handshake within the limit.";
        FeedUnreachable = "feed_unreachable": "Check the line and the address of the source; the node asks again by itself.";
        FeedRefused = "feed_refused": "Look at what the source answers with a browser; correct its address, or tell whoever runs it.";
        PeerUnreachable = "peer_unreachable": "Check the line and the peer's address; the node goes on dialling by itself.";
        BadCertificate = "bad_certificate": "The certificate does not chain to that Society's root or has expired.";
    }
    Node {
        Busy = "busy": "Try again in a moment; the node has as much work as it can hold.";
        ShuttingDown = "shutting_down": "Try again when the node is up.";
        StoreFailed = "store_failed": "See the node's log; the disk may be full or failing.";
        DiskFull = "disk_full": "Free space on the node's disk.";
        VaultFailed = "vault_failed": "See the node's log; the vault could not be read or written.";
        RateLimited = "rate_limited": "Wait; too much came from this caller in a short time.";
    }
}

impl Code {
    /// Whether the same request, unchanged, can succeed later without anybody's action.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self, Self::Busy | Self::ShuttingDown | Self::RateLimited | Self::NotIssuedYet)
    }

    /// Whether a request so refused has certainly changed nothing but the record of the refusal.
    /// Only a node that failed while it was persisting cannot say.
    #[must_use]
    pub fn side_effect_free(self) -> bool {
        !matches!(self, Self::StoreFailed)
    }

    /// The code of a name from the wire or the journal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refusal: its code, a sentence that never holds personal data, and the field it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{code}]")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What is wrong, for a person. Names fields and limits, never the content of a field.
    pub message: String,
    /// The field at fault, as a path such as `places[2].latitude`, where there is one.
    pub field: Option<String>,
}

impl Refusal {
    /// A refusal with its sentence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// The same refusal, about the field at `path`.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.field = Some(path.into());
        self
    }

    /// The same refusal, its field path prefixed with the path of what holds it.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = Some(match self.field {
            Some(inner) => format!("{outer}.{inner}"),
            None => outer.to_owned(),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_and_a_next_step() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.next_step().ends_with('.'), "{code}");
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{code}");
        }
    }
}
