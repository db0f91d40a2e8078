//! CAP.
