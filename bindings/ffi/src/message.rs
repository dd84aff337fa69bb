//! What can be seen of a message without knowing the cluster.

use butterfly_kernel::wire;

use crate::Error;
use crate::protocol::Envelope;

/// Who says what, about which epoch.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct MessageFacts {
    /// The member that signed it, or is said to have.
    pub author: u8,
    /// The kind, as in metrics and traces: `vote`, `stage_output` and so on.
    pub kind: String,
    /// The epoch that it is about; what is computed belongs to none.
    pub epoch: Option<u64>,
}

/// Reads a message. Nothing of it is checked but its encoding.
#[uniffi::export]
pub fn read_message(message: &[u8]) -> Result<MessageFacts, Error> {
    Ok(MessageFacts::of(&wire::decode(message)?))
}

impl MessageFacts {
    pub(crate) fn of(envelope: &Envelope) -> MessageFacts {
        MessageFacts {
            author: envelope.from.0,
            kind: envelope.message.kind().name().to_owned(),
            epoch: envelope.message.epoch().map(|epoch| epoch.0),
        }
    }
}
