//! Proof that the product holds what it promises: benches over real node processes.

pub mod bench;
