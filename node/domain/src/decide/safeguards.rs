//! Commands about what stands around handovers: approvals, overrides, groups.

use crate::{
    catalogue::{Role, SplitReason, VitalReason},
    consent::Tag,
    entry::PackageRef,
    handover::{HandoverDraft, Note, OverrideStep, Verdict},
    ids::{CaseId, HandoverId, IdEntropy},
    refusal::Refusal,
};

use super::{Caller, Command, Context, Decision, approvals, groups, offers, overrides};

/// What is asked about approvals, overrides and groups.
#[derive(Clone, Debug)]
pub enum SafeguardCommand {
    /// Approves the step of a handover that waits for it.
    Approve {
        /// Who asks.
        caller: Caller,
        /// The handover.
        id: HandoverId,
        /// Whether it is the override of the handover that is approved.
        overriding: bool,
        /// In which role; any that fits when it is not said.
        role: Option<Role>,
    },
    /// Sends a handover that waited, with those of its group.
    SendHandover {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// The handover.
        id: HandoverId,
    },
    /// Asks to go on without consent, for a vital interest.
    RequestOverride {
        /// Who asks.
        caller: Caller,
        /// Entropy for the person's card.
        entropy: IdEntropy,
        /// The handover.
        id: HandoverId,
        /// Why it cannot wait.
        reason: VitalReason,
        /// What is at stake; identifies nobody.
        note: Note,
        /// The handover to be written down with it; absent for one that is known.
        offering: Option<Box<Member>>,
    },
    /// Records what an override obliges to.
    FollowOverride {
        /// Who asks.
        caller: Caller,
        /// The handover.
        id: HandoverId,
        /// What was done.
        step: OverrideStep,
    },
    /// Offers the handovers of people who travel together.
    OfferGroup {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelopes' ids.
        entropy: IdEntropy,
        /// The code of the group.
        reference: Tag,
        /// Its people.
        members: Vec<Member>,
    },
    /// Answers the offers of a whole group.
    AnswerGroup {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelopes' ids.
        entropy: IdEntropy,
        /// A handover of the group.
        id: HandoverId,
        /// Yes or no, for all.
        verdict: Verdict,
    },
    /// Lets the members of a group go on one by one.
    SplitGroup {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// A handover of the group.
        id: HandoverId,
        /// Why.
        reason: SplitReason,
    },
}

/// One handover among those that one command makes.
#[derive(Clone, Debug)]
pub struct Member {
    /// The handover's id.
    pub id: HandoverId,
    /// The local case.
    pub case: CaseId,
    /// What is drafted.
    pub draft: HandoverDraft,
    /// The package that waits in the vault, where it was given.
    pub package: Option<PackageRef>,
}

impl Member {
    fn offering(self, entropy: IdEntropy) -> offers::Offering {
        let Self { id, case, draft, package } = self;
        offers::Offering { id, case, draft, package, release_on_acceptance: false, entropy }
    }
}

/// Decides one.
pub(super) fn decide(context: &Context<'_>, command: SafeguardCommand) -> Result<Decision, Refusal> {
    match command {
        SafeguardCommand::Approve { caller, id, overriding, role } => {
            approvals::approve(context, &caller, id, overriding, role)
        }
        SafeguardCommand::SendHandover { caller, entropy, id } => approvals::send(context, &caller, entropy, id),
        SafeguardCommand::RequestOverride { caller, entropy, id, reason, note, offering } => {
            let offering = offering.map(|member| member.offering(entropy));
            overrides::request(context, &caller, overrides::Overriding { id, reason, note, offering })
        }
        SafeguardCommand::FollowOverride { caller, id, step } => overrides::follow(context, &caller, id, step),
        SafeguardCommand::OfferGroup { caller, entropy, reference, members } => {
            let members = members.into_iter().map(|member| member.offering(entropy)).collect();
            groups::offer(context, &caller, entropy, reference, members)
        }
        SafeguardCommand::AnswerGroup { caller, entropy, id, verdict } => {
            groups::answer(context, &caller, entropy, id, &verdict)
        }
        SafeguardCommand::SplitGroup { caller, entropy, id, reason } => {
            groups::split(context, &caller, entropy, id, reason)
        }
    }
}

impl From<SafeguardCommand> for Command {
    fn from(command: SafeguardCommand) -> Self {
        Self::Safeguard(command)
    }
}

impl SafeguardCommand {
    /// The name of the request.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::SendHandover { .. } => "send_handover",
            Self::RequestOverride { .. } => "request_override",
            Self::FollowOverride { .. } => "follow_override",
            Self::OfferGroup { .. } => "offer_group",
            Self::AnswerGroup { .. } => "answer_group",
            Self::SplitGroup { .. } => "split_group",
        }
    }

    /// Who asks.
    pub(super) fn caller(&self) -> &Caller {
        match self {
            Self::Approve { caller, .. }
            | Self::SendHandover { caller, .. }
            | Self::RequestOverride { caller, .. }
            | Self::FollowOverride { caller, .. }
            | Self::OfferGroup { caller, .. }
            | Self::AnswerGroup { caller, .. }
            | Self::SplitGroup { caller, .. } => caller,
        }
    }

    /// The handover that it is about, where that is one.
    pub(super) fn handover(&self) -> Option<HandoverId> {
        match self {
            Self::Approve { id, .. }
            | Self::SendHandover { id, .. }
            | Self::RequestOverride { id, .. }
            | Self::FollowOverride { id, .. }
            | Self::AnswerGroup { id, .. }
            | Self::SplitGroup { id, .. } => Some(*id),
            Self::OfferGroup { .. } => None,
        }
    }
}
