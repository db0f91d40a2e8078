//! What must hold whatever happens, by name. Checked where it can be: at each entry, at quiet points, at the end.

use std::fmt;

use super::network::paths::Millis;

macro_rules! invariants {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// An invariant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Invariant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it says.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

invariants! {
    /// What was acknowledged, to an operator or by a receipt, is durable at that moment, and stays, but for what an older backup in the place of the store does not hold.
    AcknowledgedKept = "acknowledged-kept",
    /// An envelope takes effect at a receiver once, and only where it is for.
    DeliveredOnce = "delivered-once",
    /// Each lane is taken in its order, without a gap.
    LaneOrder = "lane-order",
    /// No offer or package goes to, or is kept by, a Society that the consent did not name at that time.
    ConsentKept = "consent-kept",
    /// Once links heal, a case whose consent was taken back is erased at every holder: key, files and use.
    WithdrawalErases = "withdrawal-erases",
    /// Every journal joins hash by hash, is signed, and its time never runs backwards.
    JournalVerifies = "journal-verifies",
    /// Every view is what the journal folds to.
    ViewsEqualFold = "views-equal-fold",
    /// When faults stop, both ends of every lane agree, all of it is receipted, and alerts stand everywhere as at their origin.
    PairsConverge = "pairs-converge",
    /// A receipt names the entry by which the envelope was taken, and every envelope that was refused.
    ReceiptsTrue = "receipts-true",
    /// A delivery ends unreceived when its own time has come or its consent was taken back, and an entry says so.
    ExpirySaid = "expiry-said",
    /// What takes effect as a Society's was issued by it, and nobody else says how its alert stands.
    OriginSpeaks = "origin-speaks",
    /// Two nodes have one session between them.
    OneSession = "one-session",
    /// Nobody who refuses is dialled more than a few times a second.
    CalmDials = "calm-dials",
    /// Sessions, tasks and connections stay within their bounds.
    BoundedQueues = "bounded-queues",
    /// Nothing panics.
    NoPanic = "no-panic",
    /// A store that was put back, or damaged, is noticed and named.
    RestoredNoticed = "restored-noticed",
    /// Who is not a peer, or says what it cannot prove, changes nothing.
    LiarsPowerless = "liars-powerless",
    /// A node whose surroundings are in order runs.
    NodesRun = "nodes-run",
    /// The same seed gives the same story, byte for byte.
    SameSeedSameBytes = "same-seed-same-bytes",
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An invariant that was found broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in virtual time.
    pub at: Millis,
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub text: String,
}
