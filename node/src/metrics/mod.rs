//! The figures of the node for a monitoring system (OpenMetrics). In memory only.
//!
//! No personal data can stand in a label, by type: labels are Societies, codes of refusals, and
//! text of the program itself (`&'static str`). Nothing that came from outside is any of these.

mod server;

use std::{
    fmt::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use passerelle_domain::{refusal::Code, society::Society};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub use server::serve;

/// A gauge with a fraction.
type FloatGauge = Gauge<f64, AtomicU64>;

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This node, what an operator or a peer asked of it.
    Own,
    /// A peer, what this node sent it.
    Peer,
}

/// What can run out of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The certificate with which the node meets its peers.
    Node,
    /// The root of the own Society.
    Root,
    /// The bundle of a peer.
    Bundle,
    /// A revocation list.
    RevocationList,
}

/// The result of a command: `ok` or the code of the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outcome(Option<Code>);

/// A Society as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Peer(Society);

/// A code as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reason(Code);

macro_rules! label_values {
    ($($name:ident: $value:ident => $text:expr;)+) => {$(
        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                let $value = self;
                encoder.write_str($text)
            }
        }
    )+};
}

label_values! {
    Side: side => match side { Side::Own => "own", Side::Peer => "peer" };
    Credential: what => match what {
        Credential::Node => "node",
        Credential::Root => "root",
        Credential::Bundle => "bundle",
        Credential::RevocationList => "revocation_list",
    };
    Outcome: outcome => outcome.0.map_or("ok", Code::as_str);
    Peer: peer => peer.0.code();
    Reason: reason => reason.0.as_str();
}

macro_rules! label_sets {
    ($($name:ident { $($field:ident: $kind:ty),+ })+) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: $kind),+ }
    )+};
}

label_sets! {
    CommandLabels { kind: &'static str, result: Outcome }
    RefusalLabels { code: Reason, side: Side }
    ReasonLabels { code: Reason }
    PollLabels { result: Outcome }
    DocumentLabels { outcome: &'static str }
    RuleLabels { rule: &'static str }
    PeerLabels { peer: Peer }
    LaneLabels { peer: Peer, lane: &'static str }
    EscalationLabels { outcome: &'static str }
    RightLabels { right: &'static str }
    LateLabels { peer: Peer, what: &'static str }
    CredentialLabels { what: Credential, society: Peer }
}

/// Every figure. Clones count into the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    ready: Arc<AtomicBool>,
    commands: Family<CommandLabels, Counter>,
    commit: Histogram,
    batch: Histogram,
    journal_entries: Gauge,
    store_bytes: Gauge,
    link_up: Family<PeerLabels, Gauge>,
    backlog: Family<LaneLabels, Gauge>,
    sent_bytes: Family<PeerLabels, Counter>,
    received_bytes: Family<PeerLabels, Counter>,
    receipts_sent: Family<PeerLabels, Counter>,
    receipts_received: Family<PeerLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    withdrawals_late: Family<LateLabels, Gauge>,
    requests_late: Family<RightLabels, Gauge>,
    forgotten_in_log: FloatGauge,
    handshakes_refused: Family<ReasonLabels, Counter>,
    escalations: Family<EscalationLabels, Counter>,
    answers_overdue: Family<PeerLabels, Gauge>,
    days_left: Family<CredentialLabels, FloatGauge>,
    feed_polls: Family<PollLabels, Counter>,
    feed_documents: Family<DocumentLabels, Counter>,
    public_feed: Gauge,
    disk_used: FloatGauge,
    purged: Family<RuleLabels, Counter>,
    purges_soon: Gauge,
    purges_held: Gauge,
}

impl Metrics {
    /// All figures at zero, the node not ready.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            ready: Arc::default(),
            commands: Family::default(),
            // From half a sync of a good disk to a disk that has hung for eight seconds.
            commit: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            journal_entries: Gauge::default(),
            store_bytes: Gauge::default(),
            link_up: Family::default(),
            backlog: Family::default(),
            sent_bytes: Family::default(),
            received_bytes: Family::default(),
            receipts_sent: Family::default(),
            receipts_received: Family::default(),
            refusals: Family::default(),
            withdrawals_late: Family::default(),
            requests_late: Family::default(),
            forgotten_in_log: FloatGauge::default(),
            handshakes_refused: Family::default(),
            escalations: Family::default(),
            answers_overdue: Family::default(),
            days_left: Family::default(),
            feed_polls: Family::default(),
            feed_documents: Family::default(),
            public_feed: Gauge::default(),
            disk_used: FloatGauge::default(),
            purged: Family::default(),
            purges_soon: Gauge::default(),
            purges_held: Gauge::default(),
        };
        metrics.registry = Arc::new(metrics.register());
        metrics
    }

    /// The names under which a monitoring system knows the figures. `_total` and units are added to them.
    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("passerelle");
        let r = &mut registry;
        r.register("commands", "Commands decided, by kind and result", self.commands.clone());
        r.register_with_unit("commit", "Time to make a batch durable", Unit::Seconds, self.commit.clone());
        r.register("batch_size", "Commands in one commit", self.batch.clone());
        r.register("journal_entries", "Entries of the journal", self.journal_entries.clone());
        r.register_with_unit("store", "Size of the store on disk", Unit::Bytes, self.store_bytes.clone());
        r.register("link_up", "Whether a session with the peer is open (1) or not (0)", self.link_up.clone());
        r.register("backlog", "Envelopes without a receipt, by peer and lane", self.backlog.clone());
        r.register_with_unit("sent", "Bytes sent to the peer", Unit::Bytes, self.sent_bytes.clone());
        r.register_with_unit("received", "Bytes received from the peer", Unit::Bytes, self.received_bytes.clone());
        r.register("receipts_sent", "Receipts sent to the peer", self.receipts_sent.clone());
        r.register("receipts_received", "Receipts received from the peer", self.receipts_received.clone());
        r.register("refusals", "Refusals, by code and by who refused", self.refusals.clone());
        let help = "Connections refused before the peer was known, by code";
        r.register("handshakes_refused", help, self.handshakes_refused.clone());
        let help = "Calls of posts on duty for alerts that nobody had acknowledged, by what became of them";
        r.register("escalations", help, self.escalations.clone());
        let help = "Alerts that hold and whose acknowledgement is overdue, by who owes it";
        r.register("answers_overdue", help, self.answers_overdue.clone());
        r.register("feed_polls", "Polls of sources of warnings, by result", self.feed_polls.clone());
        let help = "Documents of sources of warnings, by what became of them";
        r.register("feed_documents", help, self.feed_documents.clone());
        r.register("public_feed_messages", "Messages in the public feed", self.public_feed.clone());
        let help = "Handovers of which the peer is late with a withdrawal, by what is missing";
        r.register("withdrawals_late", help, self.withdrawals_late.clone());
        let help = "Requests of persons that are not answered and past their day, by the right";
        r.register("requests_late", help, self.requests_late.clone());
        let help = "How long text that was forgotten may have stood in the store's log; 0 when there is none";
        r.register_with_unit("forgotten_in_log", help, Unit::Seconds, self.forgotten_in_log.clone());
        let help = "Days until it expires, by what it is and whose it is";
        r.register("credential_days_left", help, self.days_left.clone());
        r.register("disk_used_percent", "How full the disk of the store is", self.disk_used.clone());
        r.register("purged", "What retention has purged, by rule", self.purged.clone());
        r.register("purges_soon", "What retention purges within its time of warning", self.purges_soon.clone());
        r.register("purges_held", "What is due and a hold keeps", self.purges_held.clone());
        registry
    }

    /// A command of `kind` was decided.
    pub fn command(&self, kind: &'static str, refused: Option<Code>) {
        self.commands.get_or_create(&CommandLabels { kind, result: Outcome(refused) }).inc();
    }

    /// A batch of `commands` was made durable.
    pub fn commit(&self, commands: usize, took: Duration) {
        self.commit.observe(took.as_secs_f64());
        self.batch.observe(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
    }

    /// The journal has so many entries.
    pub fn journal_entries(&self, entries: u64) {
        self.journal_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// The store takes so many bytes of disk.
    pub fn store_bytes(&self, bytes: u64) {
        self.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The disk of the store is so full, 0 to 100.
    pub fn disk_used_percent(&self, percent: f64) {
        self.disk_used.set(percent);
    }

    /// Retention purged something by a rule.
    pub fn purged(&self, rule: &'static str) {
        self.purged.get_or_create(&RuleLabels { rule }).inc();
    }

    /// So many are purged soon, and so many are due and held.
    pub fn retention(&self, soon: u64, held: u64) {
        self.purges_soon.set(i64::try_from(soon).unwrap_or(i64::MAX));
        self.purges_held.set(i64::try_from(held).unwrap_or(i64::MAX));
    }

    /// A session with `peer` was opened or closed.
    pub fn link_up(&self, peer: Society, up: bool) {
        self.link_up.get_or_create(&PeerLabels { peer: Peer(peer) }).set(i64::from(up));
    }

    /// So many envelopes of a lane to `peer` have no receipt yet.
    pub fn backlog(&self, peer: Society, lane: &'static str, envelopes: u64) {
        let labels = LaneLabels { peer: Peer(peer), lane };
        self.backlog.get_or_create(&labels).set(i64::try_from(envelopes).unwrap_or(i64::MAX));
    }

    /// Bytes went to `peer`.
    pub fn sent(&self, peer: Society, bytes: u64) {
        self.sent_bytes.get_or_create(&PeerLabels { peer: Peer(peer) }).inc_by(bytes);
    }

    /// Bytes came from `peer`.
    pub fn received(&self, peer: Society, bytes: u64) {
        self.received_bytes.get_or_create(&PeerLabels { peer: Peer(peer) }).inc_by(bytes);
    }

    /// A receipt went to `peer`.
    pub fn receipt_sent(&self, peer: Society) {
        self.receipts_sent.get_or_create(&PeerLabels { peer: Peer(peer) }).inc();
    }

    /// A receipt came from `peer`.
    pub fn receipt_received(&self, peer: Society) {
        self.receipts_received.get_or_create(&PeerLabels { peer: Peer(peer) }).inc();
    }

    /// Something was refused.
    pub fn refusal(&self, code: Code, side: Side) {
        self.refusals.get_or_create(&RefusalLabels { code: Reason(code), side }).inc();
    }

    /// A connection was refused before anybody knew who it was.
    pub fn handshake_refused(&self, code: Code) {
        self.handshakes_refused.get_or_create(&ReasonLabels { code: Reason(code) }).inc();
    }

    /// A post on duty was called, with this outcome.
    pub fn escalation(&self, outcome: &'static str) {
        self.escalations.get_or_create(&EscalationLabels { outcome }).inc();
    }

    /// So many alerts that hold wait for the acknowledgement of `society` beyond their time.
    pub fn answers_overdue(&self, society: Society, alerts: u64) {
        let labels = PeerLabels { peer: Peer(society) };
        self.answers_overdue.get_or_create(&labels).set(i64::try_from(alerts).unwrap_or(i64::MAX));
    }

    /// A source of warnings was asked.
    pub fn feed_poll(&self, refused: Option<Code>) {
        self.feed_polls.get_or_create(&PollLabels { result: Outcome(refused) }).inc();
    }

    /// Something became of a document of a source, such as `drafted`, `refused` or `known`.
    pub fn feed_document(&self, outcome: &'static str) {
        self.feed_documents.get_or_create(&DocumentLabels { outcome }).inc();
    }

    /// So many messages stand in the public feed.
    pub fn public_feed(&self, messages: usize) {
        self.public_feed.set(i64::try_from(messages).unwrap_or(i64::MAX));
    }

    /// These peers are late with withdrawals, in what and of how many handovers; nobody else is.
    pub fn withdrawals_late(&self, late: impl Iterator<Item = (Society, &'static str, u64)>) {
        self.withdrawals_late.clear();
        for (peer, what, count) in late {
            let gauge = self.withdrawals_late.get_or_create(&LateLabels { peer: Peer(peer), what });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// So many requests of persons are late, by right; no others are.
    pub fn requests_late(&self, late: impl Iterator<Item = (&'static str, u64)>) {
        self.requests_late.clear();
        for (right, count) in late {
            let gauge = self.requests_late.get_or_create(&RightLabels { right });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Text that was forgotten may have stood in the store's log for so long.
    pub fn forgotten_in_log(&self, since: Duration) {
        self.forgotten_in_log.set(since.as_secs_f64());
    }

    /// A credential of `society` expires in so many days; negative when it has.
    pub fn credential_days_left(&self, what: Credential, society: Society, days: f64) {
        self.days_left.get_or_create(&CredentialLabels { what, society: Peer(society) }).set(days);
    }

    /// The node is up, or on its way down: what `/healthz` answers.
    pub fn ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether the node is up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// All figures as OpenMetrics text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String fails only if a metric's own encoder does, and then what stands so far is what there is.
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the figures could not be written in full");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
