//! The Passerelle node of one National Society: everything round the pure rules of
//! `passerelle-domain` that touches a disk, a socket, a clock or a signal.

pub mod adapters;
pub mod answers;
pub mod clock;
pub mod commands;
pub mod config;
pub mod documents;
pub mod duty;
pub mod engine;
pub mod entropy;
pub mod feed;
pub mod http;
pub mod link;
pub mod metrics;
pub mod operator;
pub mod packages;
pub mod peers;
pub mod requests;
pub mod run;
pub mod store;
pub mod supervise;
pub mod systemd;
pub mod telemetry;
pub mod trust;
pub mod upkeep;
pub mod vault;
pub mod withdrawals;
