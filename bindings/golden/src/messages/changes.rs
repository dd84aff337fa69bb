//! Changes of the roster, by the operator and by a token that it signed.

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::change::{Change, Newcomer, SignedChange, Warrant, token_statement};
use butterfly_kernel::types::{MAX_CONTACT, NodeId, Resilience};
use ed25519_dalek::SigningKey;

use super::{Sample, sample};
use crate::story::{MEMBERS, TOKEN_SEED, VOTERS, WORKER, member_key, operator_key, public};
use crate::{Cluster, Crypto, Message};

/// The key that goes with a token.
pub fn token_key() -> SigningKey {
    SigningKey::from_bytes(&[TOKEN_SEED; 32])
}

/// A fifth voter.
pub(super) fn admission(contact: &[u8]) -> Change<Crypto> {
    Change::Admit {
        newcomer: Newcomer {
            key: public(&member_key(MEMBERS)),
            profile: Profile::with_speed(700),
            contact: contact.iter().copied().collect(),
        },
        votes: true,
        resilience: Resilience::new(usize::from(VOTERS) + 1, 1, 1).expect("five members tolerate one fault"),
    }
}

/// By the word of whoever holds `key`.
pub(super) fn by(cluster: &Cluster, key: &SigningKey, change: Change<Crypto>) -> SignedChange<Crypto> {
    let warrant = Warrant::Operator(Crypto::sign(key, &change.statement(cluster)));
    SignedChange { change, warrant }
}

/// By a token that the holder of `operator` signed for what `promised` is.
pub(super) fn by_token(
    cluster: &Cluster,
    operator: &SigningKey,
    promised: Resilience,
    change: Change<Crypto>,
) -> SignedChange<Crypto> {
    let token = public(&token_key());
    let warrant = Warrant::Token {
        operator: Crypto::sign(operator, &token_statement(cluster, &token, true, promised)),
        bearer: Crypto::sign(&token_key(), &change.statement(cluster)),
        token,
    };
    SignedChange { change, warrant }
}

/// The worker goes.
pub fn remove_worker(cluster: &Cluster) -> SignedChange<Crypto> {
    let change = Change::Remove { member: NodeId(WORKER), resilience: cluster.resilience() };
    by(cluster, &operator_key(), change)
}

pub(super) fn samples(cluster: &Cluster) -> Vec<Sample> {
    let operator = operator_key();
    let admission = admission(b"somewhere");
    let promised = admission.resilience();
    vec![
        sample(
            "change",
            "A fifth voter comes, by a token; passed on by member 2.",
            2,
            Message::Change(by_token(cluster, &operator, promised, admission.clone())),
        ),
        sample(
            "change_admit",
            "The same, by the operator itself.",
            2,
            Message::Change(by(cluster, &operator, admission)),
        ),
        sample(
            "change_admit_longest",
            "As many bytes as may say how it is reached.",
            1,
            Message::Change(by(cluster, &operator, self::admission(&[0xa5; MAX_CONTACT]))),
        ),
        sample("change_remove", "The worker goes.", 0, Message::Change(remove_worker(cluster))),
    ]
}
