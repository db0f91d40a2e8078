//! Deliberate defects, for the simulation to find: proof that its invariants can fail. All of it but the macro that
//! leaves nothing behind is compiled under the feature `defects` alone, which no release has. The one exception to the
//! rule that this crate is pure: which defect is armed is a switch of the process, and touches nothing else.

/// Marks a place at which a deliberate defect may be armed. Without the feature `defects` only what is right is compiled.
///
/// - `defect!(Name => wrong)`: a statement, done when the defect is armed, that else is nothing;
/// - `defect!(Name => wrong, else right)`: an expression.
#[cfg(not(feature = "defects"))]
#[macro_export]
macro_rules! defect {
    ($defect:ident => $wrong:expr) => {};
    ($defect:ident => $wrong:expr, else $right:expr) => {
        $right
    };
}

/// Marks a place at which a deliberate defect may be armed.
///
/// - `defect!(Name => wrong)`: a statement, done when the defect is armed, that else is nothing;
/// - `defect!(Name => wrong, else right)`: an expression.
#[cfg(feature = "defects")]
#[macro_export]
macro_rules! defect {
    ($defect:ident => $wrong:expr) => {
        if $crate::defects::armed($crate::defects::Defect::$defect) {
            $wrong
        }
    };
    ($defect:ident => $wrong:expr, else $right:expr) => {
        if $crate::defects::armed($crate::defects::Defect::$defect) { $wrong } else { $right }
    };
}

#[cfg(feature = "defects")]
pub use switch::{Defect, arm, armed};

#[cfg(feature = "defects")]
mod switch {
    macro_rules! defects {
        ($($(#[doc = $doc:literal])+ $name:ident = $words:literal,)+) => {
            /// One deliberate defect. Each is a mistake that somebody could make, and does harm.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            #[repr(u8)]
            pub enum Defect {
                $($(#[doc = $doc])+ $name,)+
            }

            impl Defect {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name),+];

                /// The name by which a command line knows it.
                #[must_use]
                pub fn as_str(self) -> &'static str {
                    match self {
                        $(Self::$name => $words,)+
                    }
                }

                /// What is wrong with it armed, in a line.
                #[must_use]
                pub fn what(self) -> &'static str {
                    match self {
                        $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                    }
                }
            }
        };
    }

    defects! {
        /// Answers are given before the commit is durable.
        AckBeforeSync = "ack-before-sync",
        /// The receiver's cursor is written by a commit of its own, before the entry.
        CursorFirst = "cursor-first",
        /// The rows of the outbox are written by a commit of their own, after the entry.
        OutboxLast = "outbox-last",
        /// The time of the journal follows the clock backwards.
        TimeBackwards = "time-backwards",
        /// The rows of acknowledgements are written by the rebuild alone.
        FoldDiffers = "fold-differs",
        /// The next position of a lane is counted from what was receipted, not from what was queued.
        ReusePosition = "reuse-position",
        /// Going on behind a peer that holds other envelopes, those not receipted are not queued again.
        LoseAfterAdvance = "lose-after-advance",
        /// An envelope that was accepted before is accepted again.
        SecondEffect = "second-effect",
        /// What comes again is answered with a new receipt, over another entry.
        NewReceipt = "new-receipt",
        /// An envelope with a known id is taken for the known one, whatever it says.
        DedupeById = "dedupe-by-id",
        /// Receipts do not name what was rejected.
        LoseRejection = "lose-rejection",
        /// A receipt is believed without its signature.
        UnsignedReceipt = "unsigned-receipt",
        /// A peer that holds less than it receipted is sent what comes after its receipts.
        NoResume = "no-resume",
        /// Bytes left of one parcel are joined to whichever comes next.
        SpliceParcels = "splice-parcels",
        /// A second session with a peer leaves the first one be.
        TwoSessions = "two-sessions",
        /// A peer that cannot be reached is dialled again at once.
        ForgetBackoff = "forget-backoff",
        /// What has expired is not delivered, and no entry says so.
        ExpireSilently = "expire-silently",
        /// With an envelope that expires, the delivery of the next one ends.
        ExpiryTakesNeighbour = "expiry-takes-neighbour",
        /// A peer may bring envelopes in the name of another Society.
        TakePeersWord = "take-peers-word",
        /// Updates and cancellations are taken from another Society than the origin of the alert.
        ForeignUpdate = "foreign-update",
        /// A handover is offered without asking whether the consent covers it.
        SkipConsentAtOffer = "skip-consent-at-offer",
        /// A release is checked against the consent as it was when the handover was offered.
        SkipConsentAtRelease = "skip-consent-at-release",
        /// What waits in a lane is sent without asking again whether it may go.
        SkipConsentAtRetry = "skip-consent-at-retry",
        /// An offer or a package that comes after its withdrawal is taken.
        IgnoreTombstone = "ignore-tombstone",
        /// Holders are not told of a withdrawal.
        DropNotice = "drop-notice",
        /// A withdrawal is not passed on to those to whom a receiver handed the person over.
        ForgetOnward = "forget-onward",
        /// The erasure of a case removes its files and leaves its key.
        KeepKey = "keep-key",
        /// A case is erased without telling those who are owed word of it.
        EraseInSilence = "erase-in-silence",
        /// What a backup brings back of erased cases is left at the start.
        SkipPurge = "skip-purge",
    }

    impl std::str::FromStr for Defect {
        type Err = String;

        fn from_str(name: &str) -> Result<Self, String> {
            let found = Self::ALL.iter().find(|defect| defect.as_str() == name);
            found.copied().ok_or_else(|| format!("there is no defect {name:?}"))
        }
    }

    impl std::fmt::Display for Defect {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.pad(self.as_str())
        }
    }

    /// Nothing is armed.
    const NONE: u8 = u8::MAX;

    #[cfg(not(test))]
    static ARMED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(NONE);

    // The tests of this crate run beside each other.
    #[cfg(test)]
    thread_local! {
        static ARMED: std::sync::atomic::AtomicU8 = const { std::sync::atomic::AtomicU8::new(NONE) };
    }

    /// Arms one defect in the place of the one before, or none.
    pub fn arm(defect: Option<Defect>) {
        let number = defect.map_or(NONE, |defect| defect as u8);
        with(|armed| armed.store(number, std::sync::atomic::Ordering::SeqCst));
    }

    /// Whether a defect is armed.
    #[must_use]
    pub fn armed(defect: Defect) -> bool {
        with(|armed| armed.load(std::sync::atomic::Ordering::Relaxed)) == defect as u8
    }

    #[cfg(not(test))]
    fn with<T>(f: impl FnOnce(&std::sync::atomic::AtomicU8) -> T) -> T {
        f(&ARMED)
    }

    #[cfg(test)]
    fn with<T>(f: impl FnOnce(&std::sync::atomic::AtomicU8) -> T) -> T {
        ARMED.with(f)
    }
}
