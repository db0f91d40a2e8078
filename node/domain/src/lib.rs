//! The meaning of Passerelle: what an alert, a consent record, a handover and a journal entry are,
//! and the rules that decide what may happen to them.
//!
//! Everything here is a pure, synchronous function of its arguments: no I/O, no clock, no
//! randomness, no async. Time and entropy come in as arguments; effects go out as data.

pub mod aggregate;
pub mod alert;
pub mod brief;
pub mod bundle;
pub mod cap;
pub mod catalogue;
pub mod consent;
pub mod decide;
pub mod defects;
pub mod digest;
pub mod entry;
pub mod envelope;
pub mod facts;
pub mod fold;
pub mod geo;
#[cfg(test)]
mod golden;
pub mod handover;
pub mod ids;
pub mod limits;
pub mod link;
pub mod lint;
pub mod merkle;
pub mod parcel;
pub mod receipt;
pub mod refusal;
pub mod retention;
pub mod rights;
pub mod rows;
pub mod signing;
pub mod society;
pub mod time;
pub mod withdrawal;
