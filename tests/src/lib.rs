//! Proof that the parts make one thing: worlds of several nodes for the tests in `tests/`. Starts
//! nodes by their public interface alone and touches nothing but temporary folders and loopback.

pub mod world;
