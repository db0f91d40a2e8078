//! Readings of packages that stay at their origin: a peer's node asks for one of its readers, and what is asked at every
//! gate is asked again, each time. The reading is in the journal before anything of it is answered.

use std::collections::BTreeSet;

use crate::{
    catalogue::{Field, Role, Section},
    entry::{Body, PackageRef},
    handover::{Gate, Question, State, purpose_of, reading::READERS},
    refusal::{Code, Refusal},
    society::Society,
};

use super::{Context, Decision, NewEntry, Reply, handovers, withdrawals};

/// What a reader at a peer may see now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// The package, as it lies in the vault.
    pub package: PackageRef,
    /// The sections among those asked for.
    pub sections: Vec<Section>,
    /// The fields to which it is to be restricted.
    pub fields: BTreeSet<Field>,
}

/// What of a package that we hold as its origin the peer's reader may see at this moment.
///
/// # Errors
/// The refusal of the gate: of the exchange, the transfer, a freeze, the consent or a withdrawal, of the reader's roles
/// or purpose; `unknown_handover` when it is no handover to the peer, `wrong_state` when its package travelled.
pub fn may_read(context: &Context<'_>, peer: Society, question: &Question) -> Result<Readable, Refusal> {
    question.check()?;
    let id = question.handover;
    let unknown = || Refusal::new(Code::UnknownHandover, format!("this node has no such handover to {peer}"));
    let row = handovers::known(context, id)?;
    if row.from != context.own || row.to != peer {
        return Err(unknown());
    }
    if row.held_at_origin.is_none() {
        return Err(Refusal::new(Code::WrongState, "the package of this handover is not held at its origin"));
    }
    withdrawals::check_in_use(context, id, &row)?;
    if row.state.has_ended() && row.state != State::Completed {
        return Err(Refusal::new(Code::PackageAbsent, format!("the handover is {}", row.state)));
    }
    let plan = handovers::recheck(context, id, Gate::Read)?;
    if row.accepted.iter().all(|service| purpose_of(row.kind, *service) != question.purpose) {
        return Err(Refusal::new(Code::ConsentPurpose, "the purpose is that of no service that was accepted"));
    }
    let has_one_of = |roles: &[Role]| roles.iter().any(|role| question.roles.contains(role));
    if !has_one_of(&READERS) {
        return Err(Refusal::new(Code::RoleMissing, "no role of the reader reads packages"));
    }
    if let Some(section) = question.sections.iter().find(|section| {
        let sealed_for = section.sealed_for();
        !sealed_for.is_empty() && !has_one_of(sealed_for)
    }) {
        return Err(Refusal::new(Code::RoleMissing, format!("no role of the reader opens the section {section}")));
    }
    let released = |section: &Section| row.sections.iter().any(|code| code == section.as_str());
    let open = |section: &&Section| released(section) && plan.sections.contains(section);
    let sections: Vec<Section> = question.sections.iter().filter(open).copied().collect();
    if sections.is_empty() {
        return Err(Refusal::new(Code::ConsentMissing, "none of these sections is released and covered now"));
    }
    let fields = plan.fields.into_iter().filter(|field| sections.contains(&field.section())).collect();
    let package = row.package.ok_or_else(|| Refusal::new(Code::PackageAbsent, "the origin holds no package of it"))?;
    Ok(Readable { package, sections, fields })
}

/// Records that a peer's reader reads, and says what they may see.
pub(super) fn answer(context: &Context<'_>, peer: Society, question: &Question) -> Result<Decision, Refusal> {
    let readable = may_read(context, peer, question)?;
    let body = Body::ReadByPeer {
        handover: question.handover,
        peer,
        roles: question.roles.clone(),
        sections: readable.sections.iter().map(|section| section.as_str().to_owned()).collect(),
        purpose: question.purpose.as_str().to_owned(),
    };
    let reply = Reply::Reading { entry: context.next, readable };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply })
}
