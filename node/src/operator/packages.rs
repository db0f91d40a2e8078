//! Case packages on their way through the operator interface: kept with an offer, released, read. The only place of
//! it that sees a person's data; what it holds is wiped, and nothing of it is logged or told in an error.

use std::collections::BTreeSet;

use passerelle_domain::{
    catalogue::{Field, Purpose, Section},
    decide::{Caller, Command, recheck},
    entry::PackageRef,
    envelope::Attachment,
    facts::Facts as _,
    fold::side_of,
    handover::{Action, Gate, Opener, Package, package, permitted_roles, safeguards::check_release, transition},
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rows::HandoverRow,
};
use passerelle_proto::{convert::handover, v1};
use zeroize::Zeroizing;

use super::{Operator, each, errors::Refused, json, needed};

/// What is ready to be released.
struct Prepared {
    package: PackageRef,
    /// The sealed bytes; none when the package stays here.
    attachment: Option<Attachment>,
    sections: Vec<Section>,
    /// What is to be discarded if nothing comes of the release.
    unneeded: Option<PackageRef>,
}

impl Operator {
    /// Keeps the package that comes with an offer; nothing when there is none, or when the same offer brought it before.
    pub(super) async fn keep_for_offer(
        &self,
        id: HandoverId,
        case: CaseId,
        package_json: String,
        letters: Vec<v1::Letter>,
    ) -> Result<Option<PackageRef>, Refused> {
        let package_json = Zeroizing::new(package_json);
        if package_json.is_empty() && letters.is_empty() {
            return Ok(None);
        }
        if let Some(row) = self.view().handover(id)? {
            return Ok(row.package);
        }
        let package = canonical(&package_json, letters)?;
        Ok(Some(self.blocking(move |operator| operator.packages.put(case, &package)).await?))
    }

    /// Erases a package that was kept for nothing. Failing that, it stays until its case ends.
    pub(super) async fn discard(&self, package: Option<PackageRef>) {
        if let Some(package) = package
            && let Err(refusal) = self.blocking(move |operator| operator.packages.discard(&package)).await
        {
            tracing::warn!(code = refusal.code.as_str(), "a package that is not needed could not be erased");
        }
    }

    /// Releases what the consent covers at this moment of the package, sealed to the other Society.
    pub(super) async fn release(
        &self,
        caller: Caller,
        id: HandoverId,
        package_json: String,
        letters: Vec<v1::Letter>,
    ) -> Result<v1::ReleaseHandoverResponse, Refused> {
        let package_json = Zeroizing::new(package_json);
        caller.require(permitted_roles(Action::Release))?;
        let (row, _) = self.known_handover(id)?;
        if let Some(last) = row.history.last().filter(|last| last.action == Action::Release && last.by == self.own) {
            let held_at_origin = row.held_at_origin.is_some();
            let data_will_be_in = if held_at_origin { row.from } else { row.to }.country();
            let (entry_index, sections) = (last.entry.0, row.sections);
            return Ok(v1::ReleaseHandoverResponse { entry_index, sections, data_will_be_in, held_at_origin });
        }
        transition(row.state, Action::Release, side_of(&row, self.own))?;
        let nothing = package_json.is_empty() && letters.is_empty();
        let given = if nothing { None } else { Some(canonical(&package_json, letters)?) };
        let to = row.to;
        let Prepared { package, attachment, sections, unneeded } =
            self.blocking(move |operator| operator.prepare(id, &row, given)).await?;
        let names = sections.iter().map(ToString::to_string).collect();
        let entropy = self.entropy.id();
        let command = Command::ReleaseHandover { caller, entropy, id, package, attachment, sections };
        let outcome = self.submit_for_entry(command).await;
        if outcome.as_ref().is_err_and(Refused::changed_nothing) {
            self.discard(unneeded).await;
        }
        let EntryIndex(entry_index) = outcome?;
        let held_at_origin = attachment.is_none();
        let data_will_be_in = if held_at_origin { self.own } else { to }.country();
        Ok(v1::ReleaseHandoverResponse { entry_index, sections: names, data_will_be_in, held_at_origin })
    }

    fn prepare(
        &self,
        id: HandoverId,
        row: &HandoverRow,
        given: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Prepared, Refusal> {
        let view = self.view();
        let policy = self.policy.borrow().clone();
        let plan = recheck(&self.context(&view, &policy), id, Gate::Release)?;
        let absent = || {
            let message = "the handover has no package; give one with the release";
            Refusal::new(Code::PackageAbsent, message).at("package_json")
        };
        let case = row.case.ok_or_else(absent)?;
        let (whole, content, temporary) = match given {
            Some(bytes) => (self.packages.put(case, &bytes)?, Package::from_cbor(&bytes)?, true),
            None => {
                let kept = row.package.ok_or_else(absent)?;
                let all = Section::ALL.iter().copied().collect();
                (kept, self.packages.get(&kept, &all, &Opener::Sender)?.0, false)
            }
        };
        let held = policy.of(row.to).hold_at_origin;
        let sealed = self.seal(id, row, &whole, content, &plan.fields, held);
        if held {
            return match sealed {
                Ok(prepared) => Ok(Prepared { unneeded: temporary.then_some(whole), ..prepared }),
                Err(refusal) => {
                    if temporary {
                        self.packages.discard(&whole)?;
                    }
                    Err(refusal)
                }
            };
        }
        if temporary {
            self.packages.discard(&whole)?;
        }
        sealed
    }

    fn seal(
        &self,
        id: HandoverId,
        row: &HandoverRow,
        whole: &PackageRef,
        package: Package,
        fields: &BTreeSet<Field>,
        held: bool,
    ) -> Result<Prepared, Refusal> {
        let offer =
            self.known_handover(id)?.1.ok_or_else(|| Refusal::new(Code::PackageAbsent, "the offer was erased"))?;
        check_release(&offer, &row.accepted, &package)?;
        let restricted = package.kept_from_caregiver().restrict(fields);
        let sections: Vec<Section> = restricted.sections().into_iter().collect();
        if sections.is_empty() {
            let message = "nothing in the package is both needed and covered by the consent";
            return Err(Refusal::new(Code::ConsentMissing, message));
        }
        if held {
            return Ok(Prepared { package: *whole, attachment: None, sections, unneeded: None });
        }
        let restricted = Zeroizing::new(restricted.to_cbor()?);
        let (package, attachment) = self.packages.seal_for(row.to, id, whole, &restricted)?;
        Ok(Prepared { package, attachment: Some(attachment), sections, unneeded: Some(package) })
    }

    /// Opens a package after the reading is in the journal.
    pub(super) async fn read(
        &self,
        caller: Caller,
        message: v1::ReadPackageRequest,
    ) -> Result<v1::ReadPackageResponse, Refused> {
        let id: HandoverId = needed("id", &message.id)?;
        let purpose: Purpose = needed("purpose", &message.purpose)?;
        let (row, _) = self.known_handover(id)?;
        let here = |section: &Section| row.sections.is_empty() || row.sections.iter().any(|s| s == section.as_str());
        let may = |section: &Section| {
            section.sealed_for().is_empty() || section.sealed_for().iter().any(|role| caller.roles.contains(role))
        };
        let (sections, withheld): (Vec<Section>, Vec<Section>) = if message.sections.is_empty() {
            Section::ALL.iter().copied().filter(here).partition(may)
        } else {
            (each("sections", &message.sections)?, Vec::new())
        };
        let question = self.question_for(&caller, id, &row, &sections, purpose)?;
        let opener = Opener::Reader(caller.roles.clone());
        let command = Command::ReadPackage { caller, id, sections: sections.clone(), purpose };
        let EntryIndex(entry_index) = self.submit_for_entry(command).await?;
        let at_origin = question.is_some();
        let wanted: BTreeSet<Section> = sections.iter().copied().collect();
        let (package, there) = match question {
            Some(question) => {
                let shown = Package::from_cbor(&self.origins.read(row.from, question).await?)?.kept_from_caregiver();
                let there = shown.sections();
                (shown, there)
            }
            None => {
                let absent = || Refusal::new(Code::PackageAbsent, "this node has no package of the handover");
                let package = self.view().handover(id)?.and_then(|row| row.package).ok_or_else(absent)?;
                let wanted = wanted.clone();
                self.blocking(move |operator| operator.packages.get(&package, &wanted, &opener)).await?
            }
        };
        // The origin shows what was asked for alone; what else was released is known from the release.
        let is_there = |section: &&Section| at_origin || there.contains(section);
        let shown = package.only(&wanted);
        Ok(v1::ReadPackageResponse {
            package_json: json::write(&shown),
            sections: shown.sections().iter().map(ToString::to_string).collect(),
            entry_index,
            letters: shown.letters().iter().map(handover::letter).collect(),
            withheld: withheld.iter().filter(is_there).map(ToString::to_string).collect(),
        })
    }
}

/// The canonical bytes of a package that was written as JSON, with its letters.
fn canonical(package_json: &str, letters: Vec<v1::Letter>) -> Result<Zeroizing<Vec<u8>>, Vec<Refusal>> {
    let letters = handover::letters(letters)?;
    whole(package_json, letters).map_err(|refusal| vec![refusal])
}

fn whole(package_json: &str, letters: Vec<package::Attachment>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut package: Package =
        if package_json.is_empty() { Package::default() } else { json::read("package_json", package_json)? };
    package.check_texts().map_err(|refusal| refusal.within("package_json"))?;
    for letter in letters {
        package.attach(letter).map_err(|refusal| refusal.at("letters"))?;
    }
    package.to_cbor().map(Zeroizing::new).map_err(|refusal| refusal.within("package_json"))
}
