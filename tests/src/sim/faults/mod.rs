//! What goes wrong, and when: planned from the seed before the simulation begins, so that a plan can be shortened until
//! only what matters is left of it.

mod act;

use super::{
    chance::Chance,
    disk::{Blow, Step},
    network::paths::Millis,
};

pub use act::Machinery;

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// A class of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Class {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Class {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

classes! {
    /// Segments are lost and sent again.
    Loss = "loss",
    /// A process is killed at a step of a commit.
    Crash = "crash",
    /// The power goes at a step of a commit, and with it what was not synced.
    PowerCut = "power-cut",
    /// A disk fails a commit; the node has to stop.
    DiskError = "disk-error",
    /// Two nodes, or one and all others, do not reach each other for a while, in one direction or both.
    Partition = "partition",
    /// A connection dies and nobody is told.
    HalfOpen = "half-open",
    /// Connections are reset.
    Reset = "reset",
    /// A clock jumps by minutes or hours, forwards or backwards.
    Clock = "clock",
    /// A node is killed again and again.
    Storm = "storm",
    /// A disk is nearly full for a while, or full.
    DiskFull = "disk-full",
    /// A bit of a stored value flips.
    BitFlip = "bit-flip",
    /// A row cannot be read any more.
    BadRow = "bad-row",
    /// An old backup is put in the place of the store and the vault.
    Restore = "restore",
    /// Files and keys of the vault come back from a copy that forgets nothing.
    VaultBack = "vault-back",
    /// Somebody lies: garbage, forged receipts, a foreign identity, replays.
    Liar = "liar",
}

impl std::str::FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|class| class.name() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|class| class.name()).collect();
            format!("the faults are {}", names.join(", "))
        })
    }
}

/// A lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Bytes that are no TLS.
    Noise,
    /// A certificate of a root that nobody trusts.
    Stranger,
    /// The certificate of a peer, and the name of another.
    OtherName,
    /// Frames that mean nothing.
    Garbage,
    /// Receipts that somebody else signed.
    ForgedReceipt,
    /// Envelopes that somebody else signed.
    ForgedEnvelope,
    /// Envelopes that were taken before, again.
    Replay,
    /// A gap in a lane.
    Gap,
    /// Who has all keys of a Society cancels the alert of another with them.
    ForeignCancel,
    /// Who has all keys of a Society speaks with them in the name of another.
    OtherOrigin,
    /// Who has all keys of a Society says something else under an id that was used.
    SameId,
    /// Takes what comes, and receipts it with a signature that is none.
    TakesAll,
}

impl Lie {
    const ALL: &[Self] = &[
        Self::Noise,
        Self::Stranger,
        Self::OtherName,
        Self::Garbage,
        Self::ForgedReceipt,
        Self::ForgedEnvelope,
        Self::Replay,
        Self::Gap,
        Self::ForeignCancel,
        Self::OtherOrigin,
        Self::SameId,
        Self::TakesAll,
    ];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A blow on the n-th commit from now.
    AtCommit {
        /// Where.
        node: usize,
        /// Which commit.
        commit: u64,
        /// At which step of it.
        step: Step,
        /// What.
        blow: Blow,
        /// How long a machine without power stays so.
        outage: Millis,
    },
    /// Nothing passes for a while.
    Cut {
        /// From whom.
        from: usize,
        /// To whom; everybody when there is none.
        to: Option<usize>,
        /// Whether in the other direction neither.
        both: bool,
        /// For how long.
        lasts: Millis,
    },
    /// Connections between two die silently.
    Lose(usize, usize),
    /// Connections between two are reset.
    Reset(usize, usize),
    /// A clock is set off.
    Clock {
        /// Whose.
        node: usize,
        /// By how many milliseconds.
        off: i64,
        /// For how long.
        lasts: Millis,
    },
    /// A node is killed so many times, with pauses between.
    Storm {
        /// Which.
        node: usize,
        /// How often.
        times: u64,
        /// The pause.
        pause: Millis,
    },
    /// A disk is so full for a while.
    Fill {
        /// Whose.
        node: usize,
        /// In percent.
        percent: u8,
        /// For how long.
        lasts: Millis,
    },
    /// A bit flips while the machine is off.
    Flip {
        /// Where.
        node: usize,
        /// Which row and bit, by chance.
        which: u64,
    },
    /// A row becomes unreadable.
    Spoil {
        /// Where.
        node: usize,
        /// Which row, by chance.
        which: u64,
    },
    /// A backup is made.
    BackUp(usize),
    /// The last backup takes the place of what there is.
    Restore {
        /// Where.
        node: usize,
        /// How long the machine is off.
        outage: Millis,
    },
    /// What was ever in the vault within a while is put back.
    VaultBack {
        /// Where.
        node: usize,
        /// For how long it was gathered.
        gathers: Millis,
    },
    /// Somebody lies to a node, in the name of another.
    Lie {
        /// In whose name.
        named: usize,
        /// To whom.
        to: usize,
        /// How.
        lie: Lie,
    },
}

impl Fault {
    /// The class that leaves it out.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::AtCommit { blow: Blow::Kill, .. } => Class::Crash,
            Self::AtCommit { blow: Blow::PowerCut, .. } => Class::PowerCut,
            Self::AtCommit { blow: Blow::Refuse, .. } => Class::DiskError,
            Self::Cut { .. } => Class::Partition,
            Self::Lose(..) => Class::HalfOpen,
            Self::Reset(..) => Class::Reset,
            Self::Clock { .. } => Class::Clock,
            Self::Storm { .. } => Class::Storm,
            Self::Fill { .. } => Class::DiskFull,
            Self::Flip { .. } => Class::BitFlip,
            Self::Spoil { .. } => Class::BadRow,
            Self::BackUp(_) | Self::Restore { .. } => Class::Restore,
            Self::VaultBack { .. } => Class::VaultBack,
            Self::Lie { .. } => Class::Liar,
        }
    }
}

/// A fault at a virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its number in the whole plan of its seed, by which it can be left out.
    pub number: usize,
    /// When.
    pub at: Millis,
    /// What.
    pub fault: Fault,
}

/// The faults of a simulation of so many nodes, within `span`.
#[must_use]
pub fn plan(seed: u64, nodes: usize, span: Millis, amount: u64) -> Vec<Planned> {
    let mut chance = Chance::of(seed, "faults");
    // Most seeds dwell on a few classes, so that each is met alone and in every company.
    let classes: Vec<Class> = Class::ALL.iter().copied().filter(|class| *class != Class::Loss).collect();
    let dwelt: Vec<Class> = (0..chance.between(2, 6)).map(|_| *chance.pick(&classes)).collect();
    let mut planned = Vec::new();
    for _ in 0..amount {
        let class = if chance.permille(800) { *chance.pick(&dwelt) } else { *chance.pick(&classes) };
        let at = chance.below(span);
        let fault = fault(&mut chance, class, nodes);
        if let Fault::Restore { node, .. } | Fault::Flip { node, .. } | Fault::Spoil { node, .. } = fault {
            // Something to go back to.
            planned.push((chance.below(at.max(1)), Fault::BackUp(node)));
        }
        planned.push((at, fault));
    }
    planned.sort_by_key(|(at, _)| *at);
    planned.into_iter().enumerate().map(|(number, (at, fault))| Planned { number, at, fault }).collect()
}

fn fault(chance: &mut Chance, class: Class, nodes: usize) -> Fault {
    let node = chance.place(nodes);
    let other = chance.other(nodes, node);
    let at_commit = |chance: &mut Chance, blow| Fault::AtCommit {
        node,
        commit: chance.below(6),
        step: *chance.pick(&[Step::Before, Step::Written, Step::Durable]),
        blow,
        outage: chance.between(500, 40_000),
    };
    match class {
        Class::Loss | Class::Crash => at_commit(chance, Blow::Kill),
        Class::PowerCut => at_commit(chance, Blow::PowerCut),
        Class::DiskError => at_commit(chance, Blow::Refuse),
        Class::Partition => {
            let to = (!chance.permille(250)).then_some(other);
            let lasts = match chance.below(10) {
                0..=6 => chance.between(200, 20_000),
                7..=8 => chance.between(20_000, 150_000),
                _ => chance.between(150_000, 300_000),
            };
            Fault::Cut { from: node, to, both: chance.permille(600), lasts }
        }
        Class::HalfOpen => Fault::Lose(node, other),
        Class::Reset => Fault::Reset(node, other),
        Class::Clock => {
            let most = *chance.pick(&[2_000, 90_000, 900_000, 6 * 3_600_000]);
            let off = i64::try_from(chance.between(1, most)).unwrap_or(1);
            Fault::Clock {
                node,
                off: if chance.permille(500) { off } else { -off },
                lasts: chance.between(5_000, 120_000),
            }
        }
        Class::Storm => Fault::Storm { node, times: chance.between(3, 8), pause: chance.between(100, 4_000) },
        Class::DiskFull => {
            let percent = *chance.pick(&[92, 96, 99, 100]);
            Fault::Fill { node, percent, lasts: chance.between(5_000, 90_000) }
        }
        Class::BitFlip => Fault::Flip { node, which: chance.draw() },
        Class::BadRow => Fault::Spoil { node, which: chance.draw() },
        Class::Restore => Fault::Restore { node, outage: chance.between(500, 60_000) },
        Class::VaultBack => Fault::VaultBack { node, gathers: chance.between(60_000, 240_000) },
        Class::Liar => Fault::Lie { named: node, to: other, lie: *chance.pick(Lie::ALL) },
    }
}
