//! See the README of this folder.

fn main() {}
