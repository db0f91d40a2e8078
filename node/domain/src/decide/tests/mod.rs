//! Decisions and their fold, in a world of three nodes: random histories that must keep every invariant,
//! and each refusal reached once.

mod automation;
#[cfg(feature = "defects")]
mod defects;
mod histories;
mod keeping;
mod origin;
mod refusals;
mod rights;
mod safeguards;
mod threads;
mod withdrawals;
mod world;
