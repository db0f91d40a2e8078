//! Case packages between the vault, the peers' sealing keys and those who ask for them. Blocking, as
//! the vault is: call it from a blocking task.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use passerelle_domain::{
    bundle::Bundle,
    catalogue::{Field, Section},
    consent::evidence::key_of,
    digest::Digest,
    entry::PackageRef,
    envelope::Attachment,
    facts::Facts as _,
    handover::{Opener, Package, Question},
    ids::{CaseId, ConsentId, HandoverId, RequestId},
    refusal::{Code, Refusal},
    rights::correction,
    society::Society,
};
use zeroize::Zeroizing;

use crate::{
    engine, link,
    trust::SealingKey,
    vault::{Belonging, Parts, Vault},
};

/// The packages of this node.
pub struct Packages {
    own: Society,
    vault: Vault,
    sealing: Arc<SealingKey>,
    engine: engine::Handle,
}

/// What ties a sealed package to its handover: both sides know it, nobody else's seal opens with it.
fn tie(from: Society, to: Society, handover: HandoverId) -> Vec<u8> {
    format!("passerelle/handover/v1 {from}>{to} {handover}").into_bytes()
}

/// The same for a correction, which goes with its request.
fn tie_correction(from: Society, to: Society, request: RequestId) -> Vec<u8> {
    format!("passerelle/correction/v1 {from}>{to} {request}").into_bytes()
}

/// The same for one reading of what lies at its origin: an answer opens as that of its own question alone.
fn tie_reading(origin: Society, reader: Society, question: &Question) -> Vec<u8> {
    format!("passerelle/reading/v1 {origin}>{reader} {} {}", question.handover, question.id).into_bytes()
}

/// What was opened of a package.
pub struct Kept {
    /// The sections that were asked for.
    pub package: Package,
    /// All sections that the package has, opened or not.
    pub there: BTreeSet<Section>,
}

/// A package in the parts in which the vault keeps it: each section that is for few alone under a key of its own.
fn divide(bytes: &[u8]) -> Result<Parts, Refusal> {
    let package = Package::from_cbor(bytes)?;
    let (apart, open): (BTreeSet<Section>, BTreeSet<Section>) =
        package.sections().into_iter().partition(|section| !section.sealed_for().is_empty());
    let mut parts = Parts { marked: package.has_caregiver_concern(), ..Parts::default() };
    if !open.is_empty() {
        parts.open = Zeroizing::new(package.only(&open).to_cbor()?);
    }
    for section in apart {
        let part = Zeroizing::new(package.only(&BTreeSet::from([section])).to_cbor()?);
        parts.sealed.push((section.number(), part));
    }
    Ok(parts)
}

/// What sealing for a reading is for (HPKE `info`).
const READING_INFO: &[u8] = b"passerelle/reading/v1";

impl Packages {
    /// The packages of a vault.
    #[must_use]
    pub fn new(own: Society, vault: Vault, sealing: Arc<SealingKey>, engine: engine::Handle) -> Self {
        Self { own, vault, sealing, engine }
    }

    /// Keeps a package of a case.
    ///
    /// # Errors
    /// `too_large`, `vault_failed`, `disk_full`.
    pub fn put(&self, case: CaseId, package: &[u8]) -> Result<PackageRef, Refusal> {
        let kept = self.vault.put_package(case, package, &divide(package)?)?;
        Ok(PackageRef { case, commitment: kept.commitment })
    }

    /// What of a package of a case is among `sections` and opens for whoever asks. A sealed section that they may not see,
    /// or did not ask for, is not opened.
    ///
    /// # Errors
    /// `role_missing` for a section that does not open for them; `package_absent`, `vault_failed`.
    pub fn get(&self, package: &PackageRef, sections: &BTreeSet<Section>, opener: &Opener) -> Result<Kept, Refusal> {
        if let Some(section) = sections.iter().find(|section| !opener.may_open(**section)) {
            return Err(Refusal::new(Code::RoleMissing, format!("the section {section} opens for other roles")));
        }
        let wanted = |number: u16| Section::from_number(number).is_some_and(|section| sections.contains(&section));
        let opened = self.vault.get_package(package.case, package.commitment, &wanted)?;
        let mut whole = Package::default();
        for part in &opened.parts {
            whole = whole.join(Package::from_cbor(part)?);
        }
        let mut there = whole.sections();
        there.extend(opened.sealed.iter().filter_map(|number| Section::from_number(*number)));
        if *opener != Opener::Sender {
            let hidden = opened.marked || whole.has_caregiver_concern();
            whole = if hidden { whole.hidden_from_caregiver() } else { whole };
        }
        Ok(Kept { package: whole.only(sections), there })
    }

    /// Keeps a piece of evidence of a consent, under a key of its own.
    ///
    /// # Errors
    /// `too_large`, `vault_failed`, `disk_full`.
    pub fn put_evidence(&self, consent: ConsentId, evidence: &[u8]) -> Result<PackageRef, Refusal> {
        let case = key_of(consent);
        Ok(PackageRef { case, commitment: self.vault.put_evidence(case, evidence)?.commitment })
    }

    /// A piece of evidence.
    ///
    /// # Errors
    /// `package_absent`, `vault_failed`.
    pub fn evidence(&self, place: &PackageRef) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        self.vault.get_evidence(place.case, place.commitment)
    }

    /// Removes a piece of evidence that no entry names, and its key if it was the only one.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn discard_evidence(&self, place: &PackageRef) -> Result<(), Refusal> {
        self.vault.retire(place.case, &[place.commitment]).map(|_| ())
    }

    /// Removes a package that no entry names.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn discard(&self, package: &PackageRef) -> Result<(), Refusal> {
        self.vault.remove_package(package.commitment).map(|_| ())
    }

    /// Takes packages of a case out of the vault, and the key of the case once nothing of it is left.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn retire(&self, case: CaseId, names: &[Digest]) -> Result<bool, Refusal> {
        self.vault.retire(case, names)
    }

    /// Whether the vault belongs to the journal whose first entry has the hash `first`; an empty one does from now on.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    pub fn belonging(&self, first: Digest) -> Result<Belonging, Refusal> {
        self.vault.belonging(first)
    }

    /// Has the vault say that it belongs to that journal, if it holds a file that `known` knows. Whether it does.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    pub fn adopt_if(&self, first: Digest, known: &dyn Fn(&Digest) -> bool) -> Result<bool, Refusal> {
        let holds = self.vault.holds_any(known)?;
        if holds {
            self.vault.adopt(first)?;
        }
        Ok(holds)
    }

    /// Removes what a crash left in the vault: files that `known` does not know, keys of cases without files; `among` some
    /// cases alone, or all that is there. How many.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn clean(&self, among: Option<&HashSet<CaseId>>, known: &dyn Fn(&Digest) -> bool) -> Result<usize, Refusal> {
        self.vault.clean(among, known)
    }

    /// Erases a case: its key and every file of it. Whether there was a key.
    ///
    /// # Errors
    /// `vault_failed`; it is then to be tried again.
    pub fn erase_case(&self, case: CaseId) -> Result<bool, Refusal> {
        self.vault.erase_case(case)
    }

    /// Erases every case that `is_erased` says was erased, wherever its key or files came from since. How many keys
    /// and files that were.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn purge(&self, is_erased: impl Fn(CaseId) -> bool) -> Result<usize, Refusal> {
        self.vault.purge(&is_erased)
    }

    /// Removes sealed bytes that a peer shall not get.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn remove_outgoing(&self, digest: Digest) -> Result<bool, Refusal> {
        self.vault.remove_outgoing(digest)
    }

    /// Keeps what is to be put right, under a key of its own.
    ///
    /// # Errors
    /// `too_large`, `vault_failed`, `disk_full`.
    pub fn put_correction(&self, request: RequestId, correction: &[u8]) -> Result<PackageRef, Refusal> {
        self.put(correction::key_of(request), correction)
    }

    /// Removes a correction that no entry names, and its key if nothing else lies under it.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn discard_correction(&self, request: RequestId, names: &[Digest]) -> Result<(), Refusal> {
        self.vault.retire(correction::key_of(request), names).map(|_| ())
    }

    /// Seals what is to be put right to a peer, for one request.
    ///
    /// # Errors
    /// `unknown_peer`, `bad_bundle`, `vault_failed`.
    pub fn seal_correction(&self, peer: Society, request: RequestId, correction: &[u8]) -> Result<Attachment, Refusal> {
        let key = self.sealing_key_of(peer)?;
        let case = correction::key_of(request);
        let sealed = self.vault.seal_for(case, &key, &tie_correction(self.own, peer, request), correction)?;
        Ok(Attachment { digest: sealed.digest, bytes: sealed.length as u64 })
    }

    /// Seals what a peer may have of a case, for one handover, to the newest key of the peer's bundle.
    ///
    /// # Errors
    /// `unknown_peer`, `bad_bundle`, `vault_failed`.
    pub fn seal_for(
        &self,
        peer: Society,
        handover: HandoverId,
        case: CaseId,
        package: &[u8],
    ) -> Result<(PackageRef, Attachment), Refusal> {
        let key = self.sealing_key_of(peer)?;
        let sealed = self.vault.seal_for(case, &key, &tie(self.own, peer, handover), package)?;
        let package = PackageRef { case, commitment: sealed.package.commitment };
        Ok((package, Attachment { digest: sealed.digest, bytes: sealed.length as u64 }))
    }

    /// The newest sealing key of the peer's bundle.
    fn sealing_key_of(&self, peer: Society) -> Result<Vec<u8>, Refusal> {
        let view = self.engine.view();
        let unknown = || Refusal::new(Code::UnknownPeer, format!("{peer} is no peer of this node"));
        let row = view.peer(peer)?.filter(|row| !row.removed).ok_or_else(unknown)?;
        let bundle = Bundle::parse(&view.object(row.entry)?.ok_or_else(unknown)?)?;
        bundle.sealing_keys.first().map(|key| key.to_vec()).ok_or_else(unknown)
    }

    /// Opens the answer to a reading of a package that lies at its origin. It is kept nowhere.
    ///
    /// # Errors
    /// `bad_seal` when it is sealed to another key or for another reading.
    pub fn open_reading(
        &self,
        origin: Society,
        question: &Question,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        self.sealing.open(READING_INFO, &tie_reading(origin, self.own, question), sealed)
    }
}

impl link::Packages for Packages {
    fn receive(&self, from: Society, handover: HandoverId, case: CaseId, sealed: &[u8]) -> Result<Digest, Refusal> {
        let kept = self.vault.receive(case, &[&self.sealing], &tie(from, self.own, handover), sealed, &divide)?;
        Ok(kept.commitment)
    }

    fn receive_correction(&self, from: Society, request: RequestId, sealed: &[u8]) -> Result<PackageRef, Refusal> {
        let case = correction::key_of(request);
        let tie = tie_correction(from, self.own, request);
        let kept = self.vault.receive(case, &[&self.sealing], &tie, sealed, &divide)?;
        Ok(PackageRef { case, commitment: kept.commitment })
    }

    fn seal_reading(
        &self,
        peer: Society,
        question: &Question,
        package: &PackageRef,
        fields: &BTreeSet<Field>,
    ) -> Result<Vec<u8>, Refusal> {
        let sections = fields.iter().map(|field| field.section()).collect();
        let shown = self.get(package, &sections, &Opener::Reader(question.roles.clone()))?.package.restrict(fields);
        if shown.sections().is_empty() {
            return Err(Refusal::new(Code::PackageAbsent, "the package has nothing in these sections"));
        }
        let shown = Zeroizing::new(shown.to_cbor()?);
        let key = self.sealing_key_of(peer)?;
        self.vault.seal_in_passing(&key, READING_INFO, &tie_reading(self.own, peer, question), &shown)
    }

    fn take_back(&self, kept: &PackageRef) -> Result<(), Refusal> {
        self.vault.retire(kept.case, &[kept.commitment]).map(|_| ())
    }

    fn outgoing(&self, digest: Digest) -> Result<Option<Vec<u8>>, Refusal> {
        match self.vault.outgoing(digest) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(refusal) if refusal.code == Code::PackageAbsent => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
