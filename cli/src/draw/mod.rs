//! The drawing room: pictures as SVG, and SVG into PNG with fonts of its own, so that a map looks the same on every
//! machine. Draws what it is given; asks no node and reads no file.

pub mod card;
pub mod map;
mod pdf;
mod raster;
mod svg;

pub use pdf::pdf;
pub use raster::png;
pub use svg::{Anchor, Svg, Text};
