//! What a decision is made with: the facts, the moment, who asks, and what the configuration allows.

use std::{collections::BTreeMap, fmt};

use crate::{
    catalogue::Role,
    consent::SubjectRef,
    digest::Digest,
    entry::Actor,
    facts::Facts,
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    retention::{Periods, Transfer},
    signing::Signer,
    society::Society,
    time::Time,
};

/// Everything that a decision may look at.
pub struct Context<'a> {
    /// Our Society.
    pub own: Society,
    /// The moment of the decision, and of its entries.
    pub now: Time,
    /// What the clock says: before `now` once it was set back, since the time of entries never runs backwards. It stands in
    /// what is told to peers, who refuse what comes from their future.
    pub wall: Time,
    /// The index that the first entry of the decision gets.
    pub next: EntryIndex,
    /// Rows and objects.
    pub facts: &'a dyn Facts,
    /// Signs our envelopes.
    pub signer: &'a dyn Signer,
    /// What the configuration allows.
    pub policy: &'a Policy,
    /// Makes the pseudonyms of cases.
    pub pseudonyms: &'a Pseudonyms,
}

/// Makes the pseudonyms under which cases are known: one here, another for each peer, so that what
/// two peers hold cannot be joined.
#[derive(Clone)]
pub struct Pseudonyms([u8; 32]);

impl Pseudonyms {
    /// From the node's own secret.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The pseudonym in our own consent records.
    #[must_use]
    pub fn own(&self, case: CaseId) -> SubjectRef {
        SubjectRef::derive(&self.0, case)
    }

    /// The local case of a handover that is received: always the same one, so that a package that comes twice, or
    /// lies in the vault before the journal knows of it, is one case and erased as one.
    #[must_use]
    pub fn received(&self, handover: HandoverId) -> CaseId {
        let Digest(derived) = Digest::of_parts(&[b"passerelle/received/v1\0", &self.0, &handover.bytes()]);
        let [a, b, c, d, e, f, g, h, i, j, ..] = derived;
        let [y0, y1, y2, y3, y4, y5, ..] = handover.bytes();
        let made = u64::from_be_bytes([0, 0, y0, y1, y2, y3, y4, y5]);
        CaseId::new(Time::from_millis(made), [a, b, c, d, e, f, g, h, i, j])
    }

    /// The pseudonym in what a peer is sent.
    #[must_use]
    pub fn for_peer(&self, peer: Society, case: CaseId) -> SubjectRef {
        let Digest(pair_key) = Digest::of_parts(&[b"passerelle/pair/v1\0", &self.0, &peer.bytes()]);
        SubjectRef::derive(&pair_key, case)
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(redacted)")
    }
}

/// An operator, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who, as the journal names them.
    pub actor: Actor,
    /// Their roles.
    pub roles: Vec<Role>,
}

impl Caller {
    /// The node itself, which may do what its rules have it do.
    #[must_use]
    pub fn system() -> Self {
        Self { actor: Actor::System, roles: Vec::new() }
    }

    /// Denies unless the caller has one of `roles`.
    ///
    /// # Errors
    /// `role_missing`, naming the roles that would do.
    pub fn require(&self, roles: &[Role]) -> Result<(), Refusal> {
        if self.actor == Actor::System || roles.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        Err(Refusal::new(Code::RoleMissing, format!("this needs one of the roles {}", names.join(", "))))
    }
}

/// What the configuration allows, and what the machine does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// By Society; one that is not named gets [`PeerPolicy::default`].
    pub peers: BTreeMap<Society, PeerPolicy>,
    /// Bases for transfers between countries; without one no case crosses that border.
    pub transfers: Vec<Transfer>,
    /// How long things are kept.
    pub retention: Periods,
    /// Whether the disk is so full that its rest is the reserve of receipts, withdrawals and urgent alerts.
    pub disk_reserved: bool,
}

impl Context<'_> {
    /// Denies person-level traffic with a peer that the configuration or an officer suspended.
    ///
    /// # Errors
    /// `peer_suspended`.
    pub fn check_exchange(&self, peer: Society) -> Result<(), Refusal> {
        self.policy.check_handovers(peer)?;
        if self.facts.suspension(peer)?.is_some_and(|row| row.suspended) {
            let message = format!("the exchange of cases with {peer} is suspended; alerts still flow");
            return Err(Refusal::new(Code::PeerSuspended, message));
        }
        Ok(())
    }

    /// Whether a package for `peer` waits: no case is exchanged with it now, or no transfer to it has a basis today. Both
    /// may change, so that it keeps its place until then.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn must_wait(&self, peer: Society) -> Result<bool, Refusal> {
        match self.check_exchange(peer).and_then(|()| self.check_transfer(self.own, peer)) {
            Err(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
            outcome => Ok(outcome.is_err()),
        }
    }

    /// Denies a transfer of data about a person between two countries without a basis that holds now.
    ///
    /// # Errors
    /// `no_transfer_basis`.
    pub fn check_transfer(&self, from: Society, to: Society) -> Result<(), Refusal> {
        if self.policy.transfers.iter().any(|basis| basis.holds(from, to, self.now)) {
            return Ok(());
        }
        let message = format!("the configuration has no basis in force today for a transfer from {from} to {to}");
        Err(Refusal::new(Code::NoTransferBasis, message))
    }
}

/// What the configuration says of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// Whether alerts go there.
    pub alerts: bool,
    /// Whether handovers go there and are taken from there.
    pub handovers: bool,
    /// Whether our packages for it stay here, and it reads them over the link.
    pub hold_at_origin: bool,
    /// Suspended: alerts still flow, nothing about a person does.
    pub suspended: bool,
}

impl Default for PeerPolicy {
    fn default() -> Self {
        Self { alerts: true, handovers: true, hold_at_origin: false, suspended: false }
    }
}

impl Policy {
    /// What holds for a peer.
    #[must_use]
    pub fn of(&self, society: Society) -> PeerPolicy {
        self.peers.get(&society).copied().unwrap_or_default()
    }

    /// Denies person-level traffic with a peer that is suspended or not meant for it.
    ///
    /// # Errors
    /// `peer_suspended`.
    pub fn check_handovers(&self, society: Society) -> Result<(), Refusal> {
        let policy = self.of(society);
        if policy.suspended || !policy.handovers {
            return Err(Refusal::new(Code::PeerSuspended, format!("no handovers are exchanged with {society} now")));
        }
        Ok(())
    }
}
