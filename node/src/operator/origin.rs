//! Where the packages of handovers lie, and the questions to the origin of one that stays there.

use passerelle_domain::{
    catalogue::{Purpose, Section},
    decide::Caller,
    handover::{Question, reading::READERS},
    ids::{EnvelopeId, HandoverId},
    refusal::Refusal,
    rows::HandoverRow,
    society::Society,
};

use super::Operator;

impl Operator {
    /// Whether our packages for a peer stay here, by the configuration of now.
    pub(super) fn holds_for(&self, peer: Society) -> bool {
        self.policy.borrow().of(peer).hold_at_origin
    }

    /// With whom a package for a peer will lie after its release.
    pub(super) fn will_lie_with(&self, peer: Society) -> Society {
        if self.holds_for(peer) { self.own } else { peer }
    }

    /// What to ask the origin of a package that this node does not hold; nothing when it is to be read here.
    ///
    /// # Errors
    /// `peer_unreachable` or `unsupported_version`, before any reading is recorded.
    pub(super) fn question_for(
        &self,
        caller: &Caller,
        id: HandoverId,
        row: &HandoverRow,
        sections: &[Section],
        purpose: Purpose,
    ) -> Result<Option<Question>, Refusal> {
        if row.held_at_origin.is_none() || row.to != self.own {
            return Ok(None);
        }
        self.origins.check(row.from)?;
        // The origin learns the roles by which it judges, and no others.
        let roles = READERS.iter().copied().filter(|role| caller.roles.contains(role)).collect();
        let reading = EnvelopeId::new(self.clock.now(), self.entropy.id());
        Ok(Some(Question { id: reading, handover: id, sections: sections.to_vec(), purpose, roles }))
    }
}
