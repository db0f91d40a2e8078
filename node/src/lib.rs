//! The Passerelle node of one National Society: everything round the pure rules of
//! `passerelle-domain` that touches a disk, a socket, a clock or a signal.

pub mod trust;
pub mod vault;
