//! Members with their keys, as a server's: room for sixteen voters.

use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Seat, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::types::{NodeId, Resilience};
use ed25519_dalek::SigningKey;

pub(crate) struct Committee<C: Scheme, const N: usize> {
    pub(crate) cluster: Cluster<C, N>,
    keys: Vec<C::SecretKey>,
}

impl<C, const N: usize> Committee<C, N>
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    /// As many faults as `n` members tolerate, as many stages as a server's model of that size has.
    pub(crate) fn new(n: u8) -> Self {
        let keys: Vec<SigningKey> = (0..n).map(|node| SigningKey::from_bytes(&[node; 32])).collect();
        let roster = Roster {
            resilience: Resilience::largest(usize::from(n)).expect("between one and sixteen members"),
            members: keys.iter().map(public).collect(),
            clients: [public(&client_key())].into_iter().collect(),
            operators: [].into_iter().collect(),
            model: Model {
                manifest: [0; 32],
                stages: 4,
                context: 256,
                vocabulary: 96,
                signal: 320,
                tokens_per_epoch: 4,
                checkpoint_interval: 10,
            },
            assignment: Assignment::in_turn(usize::from(n), 4).expect("four layers"),
        };
        let cluster = Cluster::new(roster, Timing::default()).expect("a roster within the bounds");
        Committee { cluster, keys }
    }

    pub(crate) fn seat(&self, member: usize) -> Seat<'_, C, N> {
        let me = NodeId(u8::try_from(member).expect("at most sixteen"));
        Seat { cluster: &self.cluster, me, key: &self.keys[member] }
    }

    pub(crate) fn size(&self) -> usize {
        self.keys.len()
    }
}

pub(crate) fn client_key() -> SigningKey {
    SigningKey::from_bytes(&[u8::MAX; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// How servers sign and digest.
pub(crate) type Server = Ed25519<16>;
