//! Receipts of one session: those that are signed here over what has become durable, and those of the peer. May ask
//! the engine, and the rows of the lanes.

use std::time::Duration;

use passerelle_domain::{
    decide::Command,
    defect,
    digest::Digest,
    envelope::Lane,
    facts::Facts as _,
    ids::{EntryIndex, Position},
    receipt::{BriefReceipt, Receipt, Rejection, SignedReceipt},
    refusal::{Code, Refusal},
    rows::LaneIn,
};

use super::session::{Driver, Due};
use crate::trust::Ed25519Verifier;

/// What a receipt will say.
pub(super) struct Receiptable {
    pub(super) position: Position,
    pub(super) hash: Digest,
    pub(super) entry: EntryIndex,
    pub(super) rejected: Vec<(Position, String)>,
    /// Whether it is over plain alerts alone, so that it may be gathered with those that come soon.
    pub(super) may_wait: bool,
}

impl Driver<'_> {
    /// The last receipts of an earlier session may never have arrived: they are given again.
    pub(super) async fn repeat_receipts(&mut self) -> Result<(), Refusal> {
        let view = self.link.engine.view();
        for (at, lane) in Lane::ALL.iter().enumerate() {
            let row = view.lane_in(self.peer, *lane)?;
            if row.received > Position(0) {
                let LaneIn { received: position, hash, entry: last, rejected } = row;
                let entry = defect!(NewReceipt => EntryIndex(self.link.engine.durable().borrow().entries), else last);
                let may_wait = false;
                self.receiptable[at] = Some(Receiptable { position, hash, entry, rejected, may_wait });
            }
        }
        // What was read may be of a commit that is under way, and another session is told of it once it is durable.
        self.link.engine.until_durable().await?;
        self.make_receipts();
        Ok(())
    }

    pub(super) async fn brief_receipt(&mut self, brief: BriefReceipt) -> Result<(), Refusal> {
        let view = self.link.engine.view();
        if brief.position <= view.lane_out(self.peer, brief.lane)?.receipted {
            // Given again at the start of a session; its envelopes may be forgotten by now.
            self.session.on_receipt(brief.lane, brief.position, self.link.clock.now());
            return Ok(());
        }
        let unknown = || Refusal::new(Code::BadPosition, "the receipt is over envelopes that this node did not send");
        let item = view.lane_item(self.peer, brief.lane, brief.position)?.ok_or_else(unknown)?;
        self.receipt(brief.restore(self.peer, self.link.own, item.hash)).await
    }

    pub(super) async fn receipt(&mut self, signed: SignedReceipt) -> Result<(), Refusal> {
        let keys = self.link.signing_keys(self.peer);
        let receipt = defect!(UnsignedReceipt => signed.read()?, else signed.open(&keys, &Ed25519Verifier)?);
        self.link.metrics.receipt_received(self.peer);
        self.session.on_receipt(receipt.lane, receipt.position, self.link.clock.now());
        self.submit(Command::TakeReceipt { peer: self.peer, receipt, signed }, Due::Other).await
    }

    /// How long until the receipts that wait for others are to be made, if any do.
    pub(super) fn receipts_due_in(&self) -> Option<Duration> {
        let wait = || self.receipt_pace.next().saturating_sub(self.link.clock.monotonic());
        self.receiptable.iter().any(Option::is_some).then(wait)
    }

    /// Signs a receipt for each lane in which something became durable. One over plain alerts may wait for more of them,
    /// unless the peer's window waits for it.
    pub(super) fn make_receipts(&mut self) {
        let (now, wanted) = (self.link.clock.monotonic(), self.session.is_report_due());
        for (at, lane) in Lane::ALL.iter().enumerate() {
            let may_wait = self.receiptable[at].as_ref().is_some_and(|next| next.may_wait) && !wanted;
            if may_wait && !self.receipt_pace.admit(now) {
                continue;
            }
            let Some(next) = self.receiptable[at].take() else { continue };
            let since = self.receipted[at];
            let rejected: Vec<Rejection> = next
                .rejected
                .into_iter()
                .filter(|(position, _)| defect!(LoseRejection => false, else *position > since))
                .map(|(position, code)| Rejection { position, code })
                .collect();
            self.receipted[at] = next.position;
            let receipt = Receipt {
                by: self.link.own,
                to: self.peer,
                lane: *lane,
                position: next.position,
                hash: next.hash,
                entry: next.entry,
                rejected,
            };
            let signed = receipt.sign(&*self.link.signer);
            let brief = receipt.brief(&signed);
            self.session.send_receipt(*lane, signed, brief);
            self.link.metrics.receipt_sent(self.peer);
        }
    }
}
