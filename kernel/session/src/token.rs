//! How somebody is let in who is no member yet.
//!
//! An operator signs a [`Token`] for one newcomer and one *sponsor*, the
//! member that will take it. Since nobody else takes it, that it is used once
//! is the sponsor's own business: it writes the number down, durably, before
//! it accepts, and never accepts that number again. Tokens do not expire by a
//! clock; one that was given away by mistake is written down as used.
//!
//! A token lets somebody talk to the sponsor, no more. To become a member
//! takes an entry that the cluster commits.

use clatter::bytearray::ByteArray;
use clatter::traits::Hash;
use ed25519_dalek::{Signer, SigningKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::error::Closed;
use crate::keys::{ClusterId, IdentityKey, Peer};
use crate::suite::{Blake2s, Secret};
use crate::wire::{KEY, Reader, SIGNATURE, TOKEN, Writer};

/// Names one token of an operator's. Drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenNumber(pub [u8; 16]);

/// Whom a token lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invitee {
    /// The holder of this identity.
    Identity(IdentityKey),
    /// Whoever knows the secret of which this is the [digest](BearerSecret::digest).
    Bearer([u8; KEY]),
}

/// A secret that goes with a token. Erased when dropped; it cannot be printed.
pub struct BearerSecret(Secret);

const SECRET_LABEL: &[u8] = b"butterfly: secret of a token";

impl BearerSecret {
    /// For a token that names an identity.
    pub fn none() -> BearerSecret {
        BearerSecret(Secret::new_zero())
    }

    /// A secret of 32 bytes from a source of randomness fit for keys.
    pub fn from_random(mut bytes: [u8; KEY]) -> BearerSecret {
        let secret = Secret::from_slice(&bytes);
        bytes.zeroize();
        BearerSecret(secret)
    }

    /// What the token says of it.
    pub fn digest(&self) -> [u8; KEY] {
        let mut hash = Blake2s::default();
        hash.input(SECRET_LABEL);
        hash.input(self.0.as_slice());
        *hash.result()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// An operator's word that somebody may apply to a sponsor, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The only member that takes it.
    pub sponsor: IdentityKey,
    /// Whom it lets in.
    pub invitee: Invitee,
    /// Which one it is.
    pub number: TokenNumber,
    /// Who signed it.
    pub operator: IdentityKey,
    /// The operator's signature on all of this, in one cluster.
    pub signature: [u8; SIGNATURE],
}

/// Who may sign tokens: keys that the roster names, or that were given to a
/// node when it was set up.
pub trait Operators {
    /// Whether the holder of `key` is one.
    fn is_operator(&self, key: &IdentityKey) -> bool;
}

/// No statement of the kernel begins like this, and no key record does.
const TOKEN_LABEL: &[u8; 33] = b"butterfly: this token lets you in";
/// Bytes that are signed.
const TOKEN_TEXT: usize = TOKEN_LABEL.len() + KEY + TOKEN - SIGNATURE;

impl Token {
    /// `operator`'s word, in `cluster`. The number must be new.
    pub fn sign(
        operator: &SigningKey,
        cluster: ClusterId,
        sponsor: IdentityKey,
        invitee: Invitee,
        number: TokenNumber,
    ) -> Token {
        let signer = IdentityKey::of(operator);
        let unsigned = Token { sponsor, invitee, number, operator: signer, signature: [0; SIGNATURE] };
        Token { signature: operator.sign(&unsigned.text(cluster)).to_bytes(), ..unsigned }
    }

    /// For a file that the newcomer is given.
    pub fn to_bytes(&self) -> [u8; TOKEN] {
        let mut bytes = [0; TOKEN];
        let mut out = Writer(&mut bytes);
        // The array is as long as its fields together.
        let _ = self.put_claims(&mut out).and_then(|()| out.put(&self.signature));
        bytes
    }

    /// What [`Token::to_bytes`] made. `None` when it is no token's bytes.
    pub fn from_bytes(bytes: &[u8; TOKEN]) -> Option<Token> {
        Token::read(&mut Reader(bytes))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Token> {
        let sponsor = IdentityKey(reader.array()?);
        let ([kind], key) = (reader.array()?, reader.array()?);
        let invitee = match kind {
            0 => Invitee::Identity(IdentityKey(key)),
            1 => Invitee::Bearer(key),
            _ => return None,
        };
        let number = TokenNumber(reader.array()?);
        let operator = IdentityKey(reader.array()?);
        Some(Token { sponsor, invitee, number, operator, signature: reader.array()? })
    }

    fn put_claims(&self, out: &mut Writer<'_>) -> Option<()> {
        let (kind, key) = match &self.invitee {
            Invitee::Identity(identity) => (0, &identity.0),
            Invitee::Bearer(digest) => (1, digest),
        };
        let fields: [&[u8]; 5] = [&self.sponsor.0, &[kind], key, &self.number.0, &self.operator.0];
        fields.iter().try_for_each(|field| out.put(field))
    }

    fn text(&self, cluster: ClusterId) -> [u8; TOKEN_TEXT] {
        let mut text = [0; TOKEN_TEXT];
        let mut out = Writer(&mut text);
        // The array is as long as its fields together.
        let _ = out.put(TOKEN_LABEL).and_then(|()| out.put(&cluster.0)).and_then(|()| self.put_claims(&mut out));
        text
    }
}

/// What a newcomer came with.
pub(crate) struct Application {
    pub(crate) newcomer: Peer,
    pub(crate) token: Token,
    pub(crate) secret: BearerSecret,
}

/// An application that is in order, but for whether its token was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// Who applies. No member yet.
    pub newcomer: Peer,
    /// The token's number: to be written down as used before it is accepted.
    pub number: TokenNumber,
}

impl Application {
    /// Checks everything but whether the token was used before.
    pub(crate) fn examine(
        &self,
        cluster: ClusterId,
        sponsor: IdentityKey,
        operators: &impl Operators,
    ) -> Result<Applicant, Closed> {
        let Application { newcomer, token, secret } = self;
        let is_invited = match &token.invitee {
            Invitee::Identity(identity) => newcomer.identity() == *identity,
            Invitee::Bearer(digest) => secret.digest().ct_eq(digest).into(),
        };
        let is_genuine = is_invited
            && token.sponsor == sponsor
            && operators.is_operator(&token.operator)
            && token.operator.signed(&token.text(cluster), &token.signature);
        if is_genuine { Ok(Applicant { newcomer: *newcomer, number: token.number }) } else { Err(Closed::Token) }
    }
}
