//! Exhaustive checking of Butterfly's kernel, as shipped. See the README of
//! this folder.

pub mod models;
pub mod narrate;
pub mod run;
pub mod symbolic;
pub mod world;
