//! Whom an alert goes to, and how fast.

use super::Alert;
use crate::{
    catalogue::{Mode, Segment, Sensitivity, Severity, Urgency},
    society::Society,
};

/// What a peer wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInterest {
    /// The peer.
    pub society: Society,
    /// The route segments that it subscribes to; everything when it declared nothing.
    pub segments: Option<Vec<Segment>>,
}

/// Whether an alert travels in the urgent lane: a real one that is Extreme, Severe or Immediate.
/// Exercises and tests never push anything aside.
#[must_use]
pub fn is_urgent(alert: &Alert) -> bool {
    let grave = matches!(alert.severity, Severity::Extreme | Severity::Severe) || alert.urgency == Urgency::Immediate;
    alert.mode == Mode::Actual && grave
}

/// The Societies that an alert is sent to, sorted, never `own`.
///
/// - A distribution wins: those that it names and nobody else, whether peers yet or not.
/// - `partners_named` and `restricted` alerts go by distribution alone.
/// - A draft (CAP status `Draft`) goes to nobody without a distribution.
/// - An Extreme alert, and one without a route segment, goes to every peer.
/// - Any other goes to the peers that subscribe to its segment and to those that declared nothing.
#[must_use]
pub fn recipients(alert: &Alert, own: Society, peers: &[PeerInterest]) -> Vec<Society> {
    let named_only = matches!(alert.sensitivity, Sensitivity::PartnersNamed | Sensitivity::Restricted);
    let wants = |peer: &&PeerInterest| match (&alert.route_segment, &peer.segments) {
        _ if alert.severity == Severity::Extreme => true,
        (Some(segment), Some(interests)) => interests.iter().any(|interest| interest.covers(segment)),
        _ => true,
    };
    let mut societies: Vec<Society> = if !alert.distribution.is_empty() {
        alert.distribution.clone()
    } else if named_only || alert.mode == Mode::Draft {
        Vec::new()
    } else {
        peers.iter().filter(wants).map(|peer| peer.society).collect()
    };
    societies.retain(|society| *society != own);
    societies.sort_unstable();
    societies.dedup();
    societies
}
