//! Decisions and their fold, in a world of three nodes: random histories that must keep every invariant,
//! and each refusal reached once.

mod automation;
mod chains;
mod corrections;
#[cfg(feature = "defects")]
mod defects;
mod erasure;
mod histories;
mod keeping;
mod origin;
mod races;
mod refusals;
mod restored;
mod rights;
mod safeguards;
mod threads;
mod withdrawals;
mod world;
