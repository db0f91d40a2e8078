//! The shell of a Passerelle node: everything around the pure meaning that touches disk, network and clock.

pub mod store;
