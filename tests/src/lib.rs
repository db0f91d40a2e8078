//! Proof that the parts make one thing, and hold what they promise: worlds of several nodes for the
//! tests in `tests/`, and benches over real node processes. Uses the nodes' public interface alone
//! and touches nothing but temporary folders and loopback.

pub mod bench;
pub mod hostile;
pub mod world;
