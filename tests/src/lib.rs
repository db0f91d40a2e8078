//! Proof that the parts make one thing, and hold what they promise: worlds of several nodes for the
//! tests in `tests/`, benches over real node processes, and poor links between such processes. Uses the
//! nodes' public interface alone and touches nothing but temporary folders, loopback, and network
//! namespaces that it makes for itself.

mod about;
pub mod bench;
pub mod links;
pub mod powercut;
pub mod seeds;
pub mod sim;
pub mod world;
