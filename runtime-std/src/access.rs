//! What clients and nodes say to each other.
//!
//! A client has a session with a node as members have, on the same port: it is
//! in the roster, and its keys show it. It may ask how the node stands and whom it
//! can prove to be faulty, hand in requests, which it signed, and follow what is
//! decided. Nothing that a node answers needs to be believed: a decision carries
//! its certificate, evidence its signatures.
//!
//! Somebody who is to be admitted has a session by a token instead; it may say
//! little: see [`newcomers`].
//!
//! One message of a session is one [`Ask`] or one [`Answer`], in its canonical
//! encoding.

mod chronicle;
mod clients;
mod newcomers;

use anyhow::{Context, Result};
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Epoch, View};
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use crate::control::{Blocked, Commit};
use crate::protocol::{Decided, Evidence, SignedChange, SignedRequest};
pub(crate) use chronicle::Chronicle;
pub(crate) use clients::{Clients, Submission, Wanted};

/// What a client says.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "said once in a while")]
pub enum Ask {
    /// How do you stand? Answered with [`Answer::Standing`].
    Standing,
    /// Work on this. Answered with [`Answer::Taken`] or [`Answer::Refused`].
    Submit(SignedRequest),
    /// Tell me of every epoch from this one on that you know, and of later
    /// ones once they are decided: [`Answer::Told`] for each.
    Follow(Epoch),
    /// What was somebody proven to have done? The proof with this number, from
    /// 0 on. Answered with [`Answer::Evidence`].
    Evidence(u16),
    /// How did the cluster behind this many changes of the roster end? Answered
    /// with [`Answer::Ending`].
    Ending(u16),
    /// Let the roster be changed so. Answered with [`Answer::Taken`] or
    /// [`Answer::Refused`].
    Change(SignedChange),
}

/// What a node says.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "each is encoded at once, or used up")]
pub enum Answer {
    /// Where it is, and the last decision that it holds.
    Standing(Standing, Option<Decided>),
    /// It works on the request, or will.
    Taken,
    /// It will not.
    Refused(Refusal),
    /// An epoch was decided.
    Told(Told),
    /// A proof that a member is faulty; none with that number, nor a later one.
    Evidence(Option<Evidence>),
    /// The decision that changed the roster; none when the cluster goes on, as
    /// far as the node knows.
    Ending(Option<Decided>),
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its open epoch.
    pub epoch: Epoch,
    /// Its view in that epoch.
    pub view: View,
    /// What it may sign.
    pub role: Role,
    /// Whether a request is under way.
    pub working: bool,
    /// Who keeps its epoch from being decided, if it cannot be.
    pub blocked: Option<Blocked>,
}

/// Why a node does not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It is not signed by the client that brings it, or not one for the model.
    Invalid,
    /// It is finished.
    Finished,
    /// Too many requests of the client are open.
    Full,
    /// The roster cannot be changed so, or no operator of the cluster that goes on wants it.
    Unfit,
    /// Another change of the roster is under way.
    Changing,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Refusal::Invalid => "the request is not signed by this client, or not one for the model",
            Refusal::Finished => "a request with its number is finished",
            Refusal::Full => "too many requests of this client are open",
            Refusal::Unfit => {
                "the roster cannot be changed so, or the order or token is not good for the cluster as it is now: \
                 each is good for one change"
            }
            Refusal::Changing => "another change of the roster is under way; order this one when it is done",
        })
    }
}

/// A decided epoch, as a node tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// What was decided, with its certificate and the state after it.
    pub decided: Decided,
    /// What it added to the text; nothing when the node caught up with it.
    pub tokens: Tokens,
    /// Microseconds from the commit before, or from the request's arrival, to the
    /// decision. It is flushed with the decision, so that flush is not in it.
    pub latency_us: Option<u64>,
}

impl Told {
    /// What an event says.
    ///
    /// # Errors
    /// When no node can have said it.
    pub fn read(commit: &Commit) -> Result<Told> {
        Ok(Told {
            decided: wire::decode(&commit.decided).context("a node reports what is no decision")?,
            tokens: Tokens::from_slice(&commit.tokens).ok().context("a node reports too many tokens")?,
            latency_us: commit.latency_us,
        })
    }
}
