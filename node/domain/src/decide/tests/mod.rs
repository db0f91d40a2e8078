//! Decisions and their fold, in a world of three nodes: random histories that must keep every invariant,
//! and each refusal reached once.

mod histories;
mod automation;
mod keeping;
mod refusals;
mod safeguards;
mod threads;
mod withdrawals;
mod world;
