//! Why a call did nothing.

use butterfly_kernel::wire::WireError;

/// Why a call did nothing. Nothing has changed, unless a variant says so.
#[derive(Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum Error {
    /// The bytes are not the canonical encoding of what they should be.
    #[error("{reason}")]
    Malformed {
        /// What is wrong with them.
        reason: String,
    },
    /// A roster cannot be used, or a number asked of it is outside its bounds.
    #[error("{reason}")]
    Roster {
        /// What is wrong with it.
        reason: String,
    },
    /// Keys cannot be used, are not those of the roster, or could not be drawn.
    #[error("{reason}")]
    Keys {
        /// What is wrong with them.
        reason: String,
    },
    /// A proof, evidence or decision does not hold for the cluster.
    #[error("{reason}")]
    Unproven {
        /// The first thing that does not hold.
        reason: String,
    },
    /// A node's vote record cannot be its own, or cannot be read or written.
    /// A node must stop when its record cannot be written.
    #[error("{reason}")]
    Record {
        /// What is wrong with it.
        reason: String,
    },
    /// The session is closed for good, or the call does not belong here.
    #[error("{reason}")]
    Session {
        /// Why.
        reason: String,
    },
    /// A stage cannot be run on what it was given.
    #[error("{reason}")]
    Stage {
        /// Why.
        reason: String,
    },
    /// The object is in use: by a stage that calls back, or another thread; or a
    /// request is under way.
    #[error("the object is in use")]
    Busy,
    /// A call before this one failed half-way: the object cannot be used any more.
    #[error("the object failed in an earlier call and cannot be used any more")]
    Broken,
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Error {
        Error::Malformed { reason: error.to_string() }
    }
}

/// What a foreign function that was called from here raised.
impl From<uniffi::UnexpectedUniFFICallbackError> for Error {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Error {
        Error::Stage { reason: error.reason }
    }
}
