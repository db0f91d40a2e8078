//! The one place where the wire meets the meaning: messages become types of the domain, checked and
//! without silent defaults, and back.

pub mod link;
