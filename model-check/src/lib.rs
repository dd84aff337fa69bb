//! Exhaustive checking of Butterfly's kernel, as shipped. See the README of
//! this folder.

pub mod symbolic;
pub mod world;
