//! One vector: bytes, what they are, and what must become of them.

use butterfly_kernel::cluster::ClusterError;
use butterfly_kernel::message::Forged;
use butterfly_kernel::node::RecordError;
use butterfly_kernel::proof::{EvidenceError, ProofError};
use butterfly_kernel::wire::WireError;
use serde::{Deserialize, Serialize};

/// Bytes, what they are, and what must become of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// Unique in its file.
    pub name: String,
    /// What the bytes are read as.
    #[serde(rename = "type")]
    pub shape: Shape,
    /// For a reader.
    pub about: String,
    /// What must become of the bytes.
    pub verdict: Verdict,
    /// What is wrong with refused bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the author of an accepted message signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// The encoding.
    #[serde(with = "hex::serde")]
    pub bytes: Vec<u8>,
}

/// A signed statement: `digest` is the SHA-256 of `preimage`, which is the
/// tag's byte, the cluster's id and the encoding of the statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The first byte of the preimage.
    pub tag: u8,
    /// What is hashed.
    #[serde(with = "hex::serde")]
    pub preimage: Vec<u8>,
    /// What is signed.
    #[serde(with = "hex::serde")]
    pub digest: Vec<u8>,
}

/// What bytes are read as, and how they are checked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `Envelope`, by `Cluster::verify`.
    Envelope,
    /// `SignedRequest`, by `Cluster::verify_request`.
    SignedRequest,
    /// `Roster`, by `Cluster::new`.
    Roster,
    /// `Record`, by `Node::new` at member 1, a worker's at member 4.
    Record,
    /// `CommitProof`, by `CommitProof::verify`.
    CommitProof,
    /// `Evidence`, by `Evidence::verify`.
    Evidence,
}

/// What must become of bytes: they are accepted, or refused by the first check
/// that fails. The first three are the decoder's, the others of the check that
/// [`Shape`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is named after the error of the kernel")]
pub enum Verdict {
    Accepted,
    Malformed,
    TrailingBytes,
    NotCanonical,
    Stranger,
    Signature,
    Certificate,
    Request,
    Shape,
    Value,
    NoContradiction,
    Head,
    Payload,
    Members,
    RepeatedKey,
    Clients,
    Model,
    Profiles,
    Placement,
}

/// What is wrong with refused bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The last byte is missing.
    Truncated,
    /// There is one byte too many.
    TrailingByte,
    /// An integer takes one byte more than it needs.
    OverlongInteger,
    /// An integer is larger than its type.
    IntegerTooLarge,
    /// A variant that does not exist.
    UnknownVariant,
    /// An option begins with neither 0 nor 1.
    OptionMark,
    /// A boolean is neither 0 nor 1.
    Boolean,
    /// The keys of a map fall.
    UnsortedMap,
    /// A key of a map stands twice.
    RepeatedKey,
    /// A collection holds more than it can.
    TooManyElements,
    /// A signature has one bit changed.
    WrongSignature,
    /// A signature with its s replaced by s plus the order of the group.
    MalleableSignature,
    /// Another member signed.
    WrongAuthor,
    /// The author is no member, or the client not admitted.
    UnknownAuthor,
    /// A member that does not vote signed what only voters say.
    NoVoter,
    /// The signature is good for another kind of statement.
    OtherTag,
    /// Everything is genuine, in another cluster.
    ForeignCluster,
    /// A certificate has fewer signatures than its quorum.
    TooFewSignatures,
    /// A certificate has more signatures than its quorum.
    TooManySignatures,
    /// The signatures of a certificate stand under each other's names.
    SwappedSigners,
    /// A certificate is genuine, but about something else.
    OtherStatement,
    /// A certificate that this statement must carry is not there.
    MissingCertificate,
    /// A certificate that this statement cannot have.
    NeedlessCertificate,
    /// Parts that name each other do not fit together.
    Mismatch,
    /// A number lies outside its bounds.
    OutOfBounds,
    /// A collection that must not be empty is.
    Empty,
    /// The statements do not contradict each other.
    NoContradiction,
}

impl Vector {
    /// Bytes that are accepted.
    pub fn accepted(name: &str, shape: Shape, about: &str, bytes: Vec<u8>) -> Vector {
        let (name, about) = (name.to_owned(), about.to_owned());
        Vector { name, shape, about, verdict: Verdict::Accepted, reason: None, statement: None, bytes }
    }

    /// Bytes that are refused.
    pub fn refused(
        name: &str,
        shape: Shape,
        about: &str,
        (reason, verdict): (Reason, Verdict),
        bytes: Vec<u8>,
    ) -> Vector {
        Vector { verdict, reason: Some(reason), ..Vector::accepted(name, shape, about, bytes) }
    }
}

impl From<WireError> for Verdict {
    fn from(error: WireError) -> Verdict {
        match error {
            WireError::Malformed => Verdict::Malformed,
            WireError::TrailingBytes => Verdict::TrailingBytes,
            WireError::NotCanonical => Verdict::NotCanonical,
            WireError::NoRoom => unreachable!("decoding needs no room"),
        }
    }
}

impl From<Forged> for Verdict {
    fn from(error: Forged) -> Verdict {
        match error {
            Forged::Stranger => Verdict::Stranger,
            Forged::Signature => Verdict::Signature,
            Forged::Certificate => Verdict::Certificate,
        }
    }
}

impl From<ClusterError> for Verdict {
    fn from(error: ClusterError) -> Verdict {
        match error {
            ClusterError::Members => Verdict::Members,
            ClusterError::RepeatedKey => Verdict::RepeatedKey,
            ClusterError::Clients => Verdict::Clients,
            ClusterError::Stranger | ClusterError::Resilience | ClusterError::Unchanged => {
                unreachable!("a roster by itself changes nothing")
            }
            ClusterError::SlowPath => unreachable!("these bounds have room for it"),
            ClusterError::Model => Verdict::Model,
            ClusterError::Profiles => Verdict::Profiles,
            ClusterError::Placement(_) => Verdict::Placement,
        }
    }
}

impl From<RecordError> for Verdict {
    fn from(error: RecordError) -> Verdict {
        match error {
            RecordError::Head => Verdict::Head,
            RecordError::Payload => Verdict::Payload,
        }
    }
}

impl From<ProofError> for Verdict {
    fn from(error: ProofError) -> Verdict {
        match error {
            ProofError::Shape => Verdict::Shape,
            ProofError::Request => Verdict::Request,
            ProofError::Value => Verdict::Value,
            ProofError::Certificate => Verdict::Certificate,
        }
    }
}

impl From<EvidenceError> for Verdict {
    fn from(error: EvidenceError) -> Verdict {
        match error {
            EvidenceError::NoContradiction => Verdict::NoContradiction,
            EvidenceError::Signature => Verdict::Signature,
        }
    }
}
