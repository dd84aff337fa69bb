//! The files, the vectors in them, and the drawn values.

mod files;
mod generated;
mod node;
mod vectors;
