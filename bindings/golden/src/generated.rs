//! One digest over 65,536 values of each type of the wire.
//!
//! The vectors say what bytes look like; these say that nothing about the
//! encoding of any field has changed, in values that nobody would write down.

use std::fmt::Debug;
use std::panic::resume_unwind;
use std::thread;

use butterfly_kernel::assignment::{Flow, LayerSet, Layers, Links, Placement, Profile};
use butterfly_kernel::chain::{Active, Checkpoint, Decided, Head, Header, Increment, State};
use butterfly_kernel::cluster::{Assignment, Model};
use butterfly_kernel::message::agreement::{
    Ballot, CertRequest, CommitCertificate, DecisionCertificate, Proposal, Report, ViewChange,
};
use butterfly_kernel::message::inference::{Claim, Request};
use butterfly_kernel::message::notice::{Readmit, Revision, SignedNotice};
use butterfly_kernel::message::{Attest, Fetch, History, Notice, Payload, Pull, Recall, RunId, StageOutput};
use butterfly_kernel::proof::{Fault, SignedBallot, Step};
use butterfly_kernel::types::{MAX_VOTERS, Resilience};
use butterfly_kernel::wire;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::damage::encode;
use crate::draw::{Cases, Coverage};
use crate::{AgreementMessage, CommitProof, Crypto, Envelope, Evidence, Message, Record, Roster, SignedRequest, Work};

/// Values of each type.
pub const CASES: u64 = 65_536;

/// A type's cases, in one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The type.
    #[serde(rename = "type")]
    pub name: String,
    /// Bytes of all cases together.
    pub bytes: u64,
    /// SHA-256 of all cases, one behind the other.
    pub sha256: String,
}

/// A type of the wire.
pub struct WireType {
    /// Its name in the file.
    pub name: &'static str,
    /// Draws so many of its values.
    pub generate: fn(&'static str, u64) -> (Generated, Coverage),
}

/// Every type of the wire, parts before what they are parts of.
pub const TYPES: [WireType; 49] = [
    wire_type::<Resilience>("resilience"),
    wire_type::<Model>("model"),
    wire_type::<LayerSet>("layer_set"),
    wire_type::<Flow>("flow"),
    wire_type::<Layers>("layers"),
    wire_type::<Profile>("profile"),
    wire_type::<Links>("links"),
    wire_type::<Assignment>("assignment"),
    wire_type::<Roster>("roster"),
    wire_type::<Request>("request"),
    wire_type::<SignedRequest>("signed_request"),
    wire_type::<RunId<Crypto>>("run_id"),
    wire_type::<StageOutput<Crypto>>("stage_output"),
    wire_type::<Claim<Crypto>>("claim"),
    wire_type::<Attest<Crypto>>("attest"),
    wire_type::<Pull<Crypto>>("pull"),
    wire_type::<Recall<Crypto>>("recall"),
    wire_type::<History<Crypto>>("history"),
    wire_type::<Fetch<Crypto>>("fetch"),
    wire_type::<Readmit>("readmit"),
    wire_type::<Revision>("revision"),
    wire_type::<Notice>("notice"),
    wire_type::<SignedNotice<Crypto>>("signed_notice"),
    wire_type::<Work>("work"),
    wire_type::<Payload<Crypto>>("payload"),
    wire_type::<Ballot<Crypto>>("ballot"),
    wire_type::<Proposal<Crypto>>("proposal"),
    wire_type::<CommitCertificate<Crypto>>("commit_certificate"),
    wire_type::<DecisionCertificate<Crypto>>("decision_certificate"),
    wire_type::<Report<Crypto>>("report"),
    wire_type::<ViewChange<Crypto>>("view_change"),
    wire_type::<CertRequest<Crypto, MAX_VOTERS>>("cert_request"),
    wire_type::<AgreementMessage>("agreement_message"),
    wire_type::<Header<Crypto>>("header"),
    wire_type::<Increment<Crypto>>("increment"),
    wire_type::<Placement>("placement"),
    wire_type::<Checkpoint<Crypto>>("checkpoint"),
    wire_type::<Active<Crypto>>("active"),
    wire_type::<State<Crypto>>("state"),
    wire_type::<Decided<Crypto>>("decided"),
    wire_type::<Message>("message"),
    wire_type::<Envelope>("envelope"),
    wire_type::<Head<Crypto>>("head"),
    wire_type::<Record>("record"),
    wire_type::<Step<Crypto>>("step"),
    wire_type::<CommitProof>("commit_proof"),
    wire_type::<SignedBallot<Crypto>>("signed_ballot"),
    wire_type::<Fault<Crypto>>("fault"),
    wire_type::<Evidence>("evidence"),
];

const fn wire_type<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &'static str) -> WireType {
    WireType { name, generate: generate::<T> }
}

/// The digest over the first `cases` values of a type.
///
/// # Panics
/// When a value does not come back from its bytes.
fn generate<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    name: &'static str,
    cases: u64,
) -> (Generated, Coverage) {
    let (mut drawn, mut hasher, mut total) = (Cases::default(), Sha256::new(), 0);
    for number in 0..cases {
        let value: T = drawn.draw(number);
        let bytes = encode(&value);
        match wire::decode::<T>(&bytes) {
            Ok(read) => assert!(read == value, "case {number} of {name} comes back as another value: {value:?}"),
            Err(error) => panic!("case {number} of {name} does not come back: {error}: {value:?}"),
        }
        hasher.update(&bytes);
        total += bytes.len() as u64;
    }
    let generated = Generated { name: name.to_owned(), bytes: total, sha256: hex::encode(hasher.finalize()) };
    (generated, drawn.coverage().clone())
}

/// All cases of all types.
///
/// # Panics
/// When the cases of a type leave a variant out, or a collection never empty
/// or never full: their digest would say less than it seems to.
pub fn vectors() -> Vec<Generated> {
    let all = |wire_type: &'static WireType| {
        let (generated, coverage) = (wire_type.generate)(wire_type.name, CASES);
        let missing = coverage.missing();
        assert!(missing.is_empty(), "the cases of {} leave out: {missing:?}", wire_type.name);
        generated
    };
    thread::scope(|scope| {
        let types: Vec<_> = TYPES.iter().map(|wire_type| scope.spawn(move || all(wire_type))).collect();
        types.into_iter().map(|generated| generated.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
