//! Who received or read what, from the journal; and whose packages lay where when a node was breached.

use std::collections::BTreeSet;

use passerelle_domain::{
    catalogue::Role,
    consent::ContactSafety,
    entry::{Body, EnvelopeMeta, Verdict},
    envelope::Kind,
    facts::Facts as _,
    fold::Content,
    handover::{Action, State},
    ids::{CaseId, EntryIndex, HandoverId},
    limits::LIST_PAGE_MAX,
    refusal::{Code, Refusal},
    rights::Breach,
    rows::HandoverRow,
    society::Society,
    time::Time,
};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, each, entry_and_content, entry_json, needed, stamp};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

/// Roles that look at breaches.
pub(super) const BREACH_ROLES: [Role; 2] = [Role::Dpo, Role::Auditor];
/// Entries that one look for disclosures goes through, from the first offer on.
const LOOKED_AT_MAX: u64 = 500_000;

impl Operator {
    pub(super) fn disclosures(
        &self,
        message: &v1::ListDisclosuresRequest,
    ) -> Result<v1::ListDisclosuresResponse, Refusal> {
        let view = self.view();
        let case: CaseId = needed("id", &message.id)?;
        let handovers = match view.case(case)? {
            Some(row) => row.handovers,
            None => vec![HandoverId::from_bytes(case.bytes())],
        };
        let mut rows = Vec::with_capacity(handovers.len());
        for id in handovers {
            let unknown = || Refusal::new(Code::UnknownSubject, "this node has no such case or handover").at("id");
            rows.push((id, view.handover(id)?.ok_or_else(unknown)?));
        }
        let mut disclosures = Vec::new();
        let first = rows.iter().map(|(_, row)| row.entry).min().unwrap_or_default();
        let until = self.engine.durable().borrow().entries.min(first.0.saturating_add(LOOKED_AT_MAX));
        for index in (first.0..until).map(EntryIndex) {
            if disclosures.len() == LIST_PAGE_MAX as usize {
                break;
            }
            disclosures.extend(self.disclosure(&view, index, &rows)?);
        }
        Ok(v1::ListDisclosuresResponse { disclosures })
    }

    fn disclosure(
        &self,
        view: &View<'_>,
        index: EntryIndex,
        rows: &[(HandoverId, HandoverRow)],
    ) -> Result<Option<v1::Disclosure>, Refusal> {
        let Some(entry) = view.entry(index)? else { return Ok(None) };
        let about = |subject: Option<passerelle_domain::ids::EnvelopeId>| {
            rows.iter().find(|(id, _)| subject == Some((*id).into())).map(|(id, row)| (*id, row))
        };
        let made = |id: HandoverId, event: &str, who: String, sections: Vec<String>, basis: String| v1::Disclosure {
            at: Some(timestamp(entry.time)),
            event: event.to_owned(),
            handover_id: id.to_string(),
            who,
            sections,
            basis,
            entry_index: index.0,
        };
        Ok(match &entry.body {
            Body::Issued(meta) | Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => {
                let Some((id, row)) = about(meta.subject) else { return Ok(None) };
                let (event, sections) = match meta.kind {
                    Kind::HandoverOffer => ("offered", Vec::new()),
                    Kind::HandoverRelease if row.to == self.own => ("received", sections_of(view, index, row)?),
                    Kind::HandoverRelease => ("released", sections_of(view, index, row)?),
                    _ => return Ok(None),
                };
                Some(made(id, event, row.to.to_string(), sections, self.basis(view, id, row, meta)?))
            }
            Body::Received { peer, envelope: Some(meta), verdict: Verdict::Rejected(code), .. } => {
                about(meta.subject).map(|(id, _)| made(id, "refused", peer.to_string(), Vec::new(), code.clone()))
            }
            Body::PackageRead { handover, sections, purpose } => about(Some((*handover).into()))
                .map(|(id, _)| made(id, "read", entry_json::actor(&entry.actor), sections.clone(), purpose.clone())),
            Body::ReadByPeer { handover, peer, sections, purpose, .. } => about(Some((*handover).into()))
                .map(|(id, _)| made(id, "read_by_peer", peer.to_string(), sections.clone(), purpose.clone())),
            Body::Refused { code, subject, .. } => about(*subject)
                .map(|(id, _)| made(id, "refused", entry_json::actor(&entry.actor), Vec::new(), code.clone())),
            Body::DeliveryWithheld { peer, lane, position, code } => {
                let item = view.lane_item(*peer, *lane, *position)?;
                let issued = item.map(|item| view.entry(item.entry)).transpose()?.flatten();
                let subject = issued.and_then(|issued| issued.body.subject());
                about(subject).map(|(id, _)| made(id, "withheld", peer.to_string(), Vec::new(), code.clone()))
            }
            Body::Receipted { peer, rejected, lane, .. } => {
                for (position, code) in rejected {
                    let item = view.lane_item(*peer, *lane, *position)?;
                    let issued = item.map(|item| view.entry(item.entry)).transpose()?.flatten();
                    if let Some((id, _)) = about(issued.and_then(|issued| issued.body.subject())) {
                        return Ok(Some(made(id, "refused", peer.to_string(), Vec::new(), code.clone())));
                    }
                }
                None
            }
            _ => None,
        })
    }

    /// On what a disclosure rests.
    fn basis(
        &self,
        view: &View<'_>,
        id: HandoverId,
        row: &HandoverRow,
        meta: &EnvelopeMeta,
    ) -> Result<String, Refusal> {
        let overriding = view.safeguard(id)?.and_then(|safeguard| safeguard.overriding);
        Ok(match overriding.filter(|one| one.approved_at.is_some()) {
            Some(one) => format!("vital_interest {}", one.reason),
            None => {
                let consent = meta.basis.unwrap_or(row.consent);
                format!("consent {} v{}", consent.id, consent.version)
            }
        })
    }

    pub(super) fn blast_radius(
        &self,
        message: &v1::GetBlastRadiusRequest,
    ) -> Result<v1::GetBlastRadiusResponse, Refusal> {
        let node: Society = needed("society", &message.society)?;
        let from = instant("from", message.from.as_ref())?.unwrap_or_default();
        let until = instant("until", message.until.as_ref())?.unwrap_or_else(|| self.clock.now());
        if until < from {
            return Err(Refusal::new(Code::BadTimes, "until comes after from").at("until"));
        }
        let view = self.view();
        let (first, last) = keys::all(b'h');
        let (mut packages, mut cases) = (Vec::new(), BTreeSet::new());
        for pair in self.engine.store().scan(&first, &last, Direction::Forward) {
            let (key, value) = pair.map_err(failed)?;
            let row: HandoverRow = decode(&value)?;
            let Some(id) = keys::id_bytes(&key).map(HandoverId::from_bytes) else { continue };
            let Some((since, gone_at)) = self.presence(&view, node, id, &row)? else { continue };
            if since > until || gone_at.is_some_and(|gone| gone < from) {
                continue;
            }
            cases.insert(row.case.map_or_else(|| id.to_string(), |case| case.to_string()));
            let (contact, contact_rules) = contact_of(&view, &row)?;
            packages.push(v1::ExposedPackage {
                handover_id: id.to_string(),
                case_id: row.case.map(|case| case.to_string()).unwrap_or_default(),
                consent_id: row.consent.id.to_string(),
                sections: row.sections.clone(),
                since: Some(timestamp(since)),
                gone_at: stamp(gone_at),
                contact,
                contact_rules,
            });
        }
        Ok(v1::GetBlastRadiusResponse { packages, cases: cases.len() as u64 })
    }

    /// From when until when a package of a handover lay on a node, as far as this one knows.
    fn presence(
        &self,
        view: &View<'_>,
        node: Society,
        id: HandoverId,
        row: &HandoverRow,
    ) -> Result<Option<(Time, Option<Time>)>, Refusal> {
        let released = row.history.iter().find(|step| step.action == Action::Release).map(|step| step.at);
        let keeping = view.keeping(id)?;
        let erased = row.history.iter().rev().find(|step| step.state == State::Erased).map(|step| step.at);
        if node == self.own {
            // Our own package lies here from the offer on, a received one from its release.
            let since = if row.from == self.own { row.history.first().map(|step| step.at) } else { released };
            return Ok(since.map(|since| (since, keeping.purged_at.or(erased))));
        }
        if row.to != node {
            return Ok(None);
        }
        let uses = view.uses(row.consent.id)?.unwrap_or_default();
        let told = uses.of(id).and_then(|resting| resting.erased_at);
        // What travels may be there before its receipt is here.
        Ok(released.filter(|_| keeping.failed_at.is_none()).map(|since| (since, told)))
    }
}

fn sections_of(view: &View<'_>, index: EntryIndex, row: &HandoverRow) -> Result<Vec<String>, Refusal> {
    Ok(match entry_and_content(view, index)? {
        Some((_, Some(Content::Release(release)))) => {
            release.sections.iter().map(|section| section.to_string()).collect()
        }
        _ => row.sections.clone(),
    })
}

/// Whether and how the person may be called, as the offer says.
fn contact_of(view: &View<'_>, row: &HandoverRow) -> Result<(String, Vec<String>), Refusal> {
    let contact: Option<ContactSafety> = match entry_and_content(view, row.entry)? {
        Some((_, Some(Content::Offer(offer)))) => offer.restrictions.contact.clone(),
        _ => None,
    };
    let Some(contact) = contact else { return Ok(("unknown".to_owned(), Vec::new())) };
    let safe = if contact.safe_to_call { "safe" } else { "unsafe" };
    let mut rules = Vec::new();
    rules.extend(contact.channel.map(|channel| format!("channel:{channel}")));
    if let (Some(from), Some(until)) = (contact.from_hour, contact.until_hour) {
        rules.push(format!("hours:{from:02}-{until:02}"));
    }
    rules.extend(contact.code_word.then(|| "code_word".to_owned()));
    Ok((safe.to_owned(), rules))
}

fn instant(field: &str, stamp: Option<&prost_types::Timestamp>) -> Result<Option<Time>, Refusal> {
    stamp.map(|stamp| passerelle_proto::convert::time(stamp).map_err(|refusal| refusal.at(field))).transpose()
}

/// A breach as it was told.
pub(super) fn breach(message: &v1::RecordBreachRequest) -> Result<Breach, Refusal> {
    let missing = || Refusal::new(Code::MissingField, "say when it was detected").at("detected_at");
    Ok(Breach {
        node: needed("society", &message.society)?,
        detected_at: instant("detected_at", message.detected_at.as_ref())?.ok_or_else(missing)?,
        contained_at: instant("contained_at", message.contained_at.as_ref())?,
        categories: each("categories", &message.categories)?,
        subjects: message.subjects,
        peers_told: each("peers_told", &message.peers_told)?,
        authority_told_at: instant("authority_told_at", message.authority_told_at.as_ref())?,
        subjects_told_at: instant("subjects_told_at", message.subjects_told_at.as_ref())?,
    })
}
