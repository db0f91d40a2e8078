//! The Passerelle node of one National Society: everything round the pure rules of
//! `passerelle-domain` that touches a disk, a socket, a clock or a signal.

pub mod clock;
pub mod config;
pub mod engine;
pub mod entropy;
pub mod metrics;
pub mod operator;
pub mod store;
pub mod supervise;
pub mod systemd;
pub mod telemetry;
pub mod trust;
