//! What clients and nodes say to each other, as messages of a session: each is
//! one question or one answer in its canonical encoding, as `butterfly` nodes
//! speak it.

use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::node::Role as KernelRole;
use butterfly_kernel::types::{Epoch, View};
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::protocol::{Decided, KernelEvidence, SignedRequest, encode};
use crate::surface::Role;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Ask {
    /// How do you stand? Answered with `Standing`.
    Standing,
    /// Work on this. Answered with `Taken` or `Refused`.
    Submit {
        /// As `Roster.sign_request` gave it.
        request: Vec<u8>,
    },
    /// Tell me of every epoch from this one on, and of later ones once they are
    /// decided: `Told` for each.
    Follow {
        /// The first.
        epoch: u64,
    },
    /// What was somebody proven to have done? Answered with `Evidence`.
    Evidence {
        /// Of the proofs that the node holds, from 0 on.
        number: u16,
    },
}

/// What a node says to a client.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Answer {
    /// Where the node is.
    Standing {
        /// In its own words.
        standing: Standing,
    },
    /// It works on the request, or will.
    Taken,
    /// It will not.
    Refused {
        /// Why.
        reason: Denial,
    },
    /// An epoch was decided.
    Told {
        /// The decision with its certificate: for `Ledger.add`.
        decided: Vec<u8>,
        /// What it is said to have added.
        tokens: Vec<u8>,
    },
    /// A proof that a member is faulty.
    Evidence {
        /// For `Roster.verify_evidence`; none with that number, nor a later one.
        evidence: Option<Vec<u8>>,
    },
}

/// Where a node says that it is. Nothing of it is proven, but the decision.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Standing {
    /// Its open epoch.
    pub epoch: u64,
    /// Its view there.
    pub view: u32,
    /// What it may sign.
    pub role: Role,
    /// Whether a request is under way.
    pub working: bool,
    /// Voters that keep its epoch from being decided; none when it can be.
    pub blocked_by: Vec<u8>,
    /// The last decision that it holds: the base of a `Ledger`.
    pub decided: Option<Vec<u8>>,
}

/// Why a node does not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
pub enum Denial {
    /// It is not signed by the client that brings it, or not one for the model.
    Invalid,
    /// It is finished.
    Finished,
    /// Too many requests of the client are open.
    Full,
}

/// The encoding of a question.
#[uniffi::export]
pub fn encode_ask(ask: Ask) -> Result<Vec<u8>, Error> {
    Ok(encode(&match ask {
        Ask::Standing => AskOnWire::Standing,
        Ask::Submit { request } => AskOnWire::Submit(Box::new(wire::decode(&request)?)),
        Ask::Follow { epoch } => AskOnWire::Follow(Epoch(epoch)),
        Ask::Evidence { number } => AskOnWire::Evidence(number),
    }))
}

/// Reads an answer.
#[uniffi::export]
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, Error> {
    Ok(match wire::decode(bytes)? {
        AnswerOnWire::Standing(standing, decided) => Answer::Standing { standing: standing.told(decided.as_deref()) },
        AnswerOnWire::Taken => Answer::Taken,
        AnswerOnWire::Refused(reason) => Answer::Refused { reason },
        AnswerOnWire::Told(told) => Answer::Told { decided: encode(&told.decided), tokens: told.tokens.to_vec() },
        AnswerOnWire::Evidence(evidence) => Answer::Evidence { evidence: evidence.as_deref().map(encode) },
    })
}

/// Reads a question, as a node does.
#[uniffi::export]
pub fn decode_ask(bytes: &[u8]) -> Result<Ask, Error> {
    Ok(match wire::decode(bytes)? {
        AskOnWire::Standing => Ask::Standing,
        AskOnWire::Submit(request) => Ask::Submit { request: encode(&request) },
        AskOnWire::Follow(epoch) => Ask::Follow { epoch: epoch.0 },
        AskOnWire::Evidence(number) => Ask::Evidence { number },
    })
}

/// The encoding of an answer, as a node gives it.
#[uniffi::export]
pub fn encode_answer(answer: Answer) -> Result<Vec<u8>, Error> {
    Ok(encode(&match answer {
        Answer::Standing { standing } => {
            let decided = standing.decided.as_deref().map(wire::decode).transpose()?;
            AnswerOnWire::Standing(StandingOnWire::of(&standing), decided)
        }
        Answer::Taken => AnswerOnWire::Taken,
        Answer::Refused { reason } => AnswerOnWire::Refused(reason),
        Answer::Told { decided, tokens } => {
            let reason = || Error::Malformed { reason: "no epoch has so many tokens".into() };
            let tokens = Tokens::from_slice(&tokens).map_err(|_| reason())?;
            AnswerOnWire::Told(Box::new(ToldOnWire { decided: wire::decode(&decided)?, tokens, latency_us: None }))
        }
        Answer::Evidence { evidence } => {
            AnswerOnWire::Evidence(evidence.as_deref().map(wire::decode).transpose()?.map(Box::new))
        }
    }))
}

/// What a client writes down before it hands a request in: numbers have no gaps,
/// and none is used for two requests.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct LastRequest {
    /// The request that was signed last.
    pub request: Vec<u8>,
    /// The last decision when it was signed; none: nothing was decided yet.
    pub base: Option<Vec<u8>>,
    /// All of its answer was received.
    pub finished: bool,
}

/// The content of a client's file `request`, as `butterfly submit` keeps it.
#[uniffi::export]
pub fn encode_last_request(last: LastRequest) -> Result<Vec<u8>, Error> {
    let request = Box::new(wire::decode(&last.request)?);
    let base = last.base.as_deref().map(wire::decode).transpose()?.map(Box::new);
    Ok(encode(&LastOnDisk { request, base, finished: last.finished }))
}

/// Reads that file.
#[uniffi::export]
pub fn decode_last_request(bytes: &[u8]) -> Result<LastRequest, Error> {
    let LastOnDisk { request, base, finished } = wire::decode(bytes)?;
    Ok(LastRequest { request: encode(&request), base: base.as_deref().map(encode), finished })
}

#[derive(Serialize, Deserialize)]
struct LastOnDisk {
    request: Box<SignedRequest>,
    base: Option<Box<Decided>>,
    finished: bool,
}

#[derive(Serialize, Deserialize)]
enum AskOnWire {
    Standing,
    Submit(Box<SignedRequest>),
    Follow(Epoch),
    Evidence(u16),
}

#[derive(Serialize, Deserialize)]
enum AnswerOnWire {
    Standing(StandingOnWire, Option<Box<Decided>>),
    Taken,
    Refused(Denial),
    Told(Box<ToldOnWire>),
    Evidence(Option<Box<KernelEvidence>>),
}

#[derive(Serialize, Deserialize)]
struct StandingOnWire {
    epoch: Epoch,
    view: View,
    role: KernelRole,
    working: bool,
    blocked: Option<BlockedOnWire>,
}

#[derive(Serialize, Deserialize)]
struct BlockedOnWire {
    silent: Vec<u8>,
    learners: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct ToldOnWire {
    decided: Decided,
    tokens: Tokens,
    latency_us: Option<u64>,
}

impl StandingOnWire {
    fn of(standing: &Standing) -> StandingOnWire {
        let blocked = (!standing.blocked_by.is_empty())
            .then(|| BlockedOnWire { silent: standing.blocked_by.clone(), learners: Vec::new() });
        StandingOnWire {
            epoch: Epoch(standing.epoch),
            view: View(standing.view),
            role: match standing.role {
                Role::Replica => KernelRole::Replica,
                Role::Learner => KernelRole::Learner,
                Role::Worker => KernelRole::Worker,
            },
            working: standing.working,
            blocked,
        }
    }

    fn told(self, decided: Option<&Decided>) -> Standing {
        let blocked_by = self.blocked.map_or(Vec::new(), |by| [by.silent, by.learners].concat());
        Standing {
            epoch: self.epoch.0,
            view: self.view.0,
            role: self.role.into(),
            working: self.working,
            blocked_by,
            decided: decided.map(encode),
        }
    }
}
