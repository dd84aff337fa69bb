//! What must be refused is refused, in the words that say why, and changes
//! nothing. `../../README.md` says which test stands for which guard.

mod client;
mod files;
mod ledger;
mod node;
mod roster;
mod session;
mod simulation;
mod table;
mod transformer;
