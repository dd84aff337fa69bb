//! Golden vectors: the wire as bytes, for every language.
//!
//! The files in `vectors/` are the definition of the wire; `README.md` says
//! how to read them. This crate makes them, so that a change of the wire is
//! one command and shows in them line by line.
//!
//! | module | subject |
//! | --- | --- |
//! | [`vector`] | one vector and what must become of it |
//! | [`judge`] | what the kernel makes of bytes |
//! | [`story`] | a fixed cluster and six epochs of its life |
//! | [`messages`], [`requests`], [`rosters`], [`records`], [`proofs`], [`evidence`] | the vectors, a file each |
//! | [`damage`] | bytes that are almost right |
//! | [`digests`] | what is hashed and signed, tag by tag |
//! | [`generated`] | one digest over 65,536 values of each wire type |
//! | [`frames`], [`errors`] | what crosses to other languages |
//! | [`files`] | all of it as files |

pub mod damage;
pub mod digests;
pub mod draw;
pub mod errors;
pub mod evidence;
pub mod files;
pub mod frames;
pub mod generated;
pub mod judge;
pub mod messages;
pub mod proofs;
pub mod records;
pub mod requests;
pub mod rosters;
pub mod story;
pub mod vector;

pub use butterfly_kernel::crypto::ed25519::{Digest, Signature};
use butterfly_kernel::types::{MAX_CONTEXT, MAX_VOTERS};
use butterfly_kernel::{cluster, crypto, message, node, proof};

/// How members sign and digest: as the daemon does.
pub type Crypto = crypto::ed25519::Ed25519<MAX_VOTERS>;
/// Signatures of f + 1 members on one statement.
pub type WeakCertificate = <Crypto as crypto::Scheme>::WeakCertificate;
/// A checked roster with its id.
pub type Cluster = cluster::Cluster<Crypto, MAX_VOTERS>;
/// The members, the clients and the model.
pub type Roster = cluster::Roster<Crypto>;
/// A message with its author and signature.
pub type Envelope = message::Envelope<Crypto, MAX_VOTERS>;
/// What a member can say.
pub type Message = message::Message<Crypto, MAX_VOTERS>;
/// What replicas say about one epoch.
pub type AgreementMessage = message::AgreementMessage<Crypto, MAX_VOTERS>;
/// The next tokens of a request, with their certificates.
pub type Work = message::inference::Work<Crypto>;
/// A client's request with its signature.
pub type SignedRequest = message::SignedRequest<Crypto>;
/// What a member must not forget.
pub type Record = node::Record<Crypto>;
/// That a cluster committed tokens for a request.
pub type CommitProof = proof::CommitProof<Crypto, MAX_CONTEXT>;
/// Statements that only a faulty member can have signed.
pub type Evidence = proof::Evidence<Crypto>;
