//! Stands here soon.
