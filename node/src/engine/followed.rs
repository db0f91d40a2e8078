//! What the node itself follows the journal for, told apart when an entry is written: whoever follows is woken, and
//! reads the entry again, only for what may be its own. Pure functions over entries and rows.

use passerelle_domain::{
    entry::{Body, Verdict},
    envelope::Kind,
    rows::Row,
};

/// Whether an entry may call for work of the node on a case: its erasure, or a release on acceptance.
pub(super) fn is_case_work(body: &Body) -> bool {
    match body {
        Body::ErasureDue { .. } | Body::Hold { lifted: true, .. } => true,
        Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => meta.kind == Kind::HandoverAnswer,
        _ => false,
    }
}

/// Whether rows that an entry changed are of an alert of which something may become due: an answer, or the end of its
/// waiting for what it supersedes.
pub(super) fn is_duty(row: &Row) -> bool {
    match row {
        Row::Alert(_, alert) => alert.ack.is_some() || alert.held_since.is_some(),
        Row::Ack(..) => true,
        _ => false,
    }
}
