//! What this node exchanges with the public web: its feed of public alerts, out; warnings of others, in, as drafts.
//!
//! Out: [`Keeper`] follows the journal and holds what is to be shown, [`serve`] answers readers, and a folder takes it for
//! other web servers. In: [`Poller`] asks the configured sources and has the engine draft what is new; nothing of it
//! goes out before a person approves it. May touch the store's rows for reading, the network and the feed's folder;
//! changes the journal through the engine alone.

mod board;
mod fetch;
mod folder;
mod keeper;
mod listing;
mod office;
mod poll;
mod reach;
mod server;
#[cfg(test)]
mod tests;
pub mod trusted;

pub use board::{Board, SourceStatus};
pub use fetch::Client;
pub use keeper::{Keeper, Published};
pub use office::{Office, Parts, Public};
pub use poll::Poller;
pub use server::serve;
