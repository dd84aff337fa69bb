//! What an operator gives to a newcomer: a token, and all that it takes to use it.
//!
//! Two signatures of the operator's are in it. One is for the kernel: whoever
//! has the token's secret key may name one member of the next roster. It is
//! good for the cluster as it was when the token was made, so it is spent with
//! the first change of the roster. The others are for sessions: each member
//! takes one of them from one newcomer, so any member that answers will do.
//!
//! ```text
//! mark, version | secret key, secret of sessions | the rest, canonical | SHA-256 of all that
//! ```
//!
//! The file is a secret: whoever has it first is the newcomer.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::Signature;
use butterfly_kernel::message::change::{Warrant, token_statement};
use butterfly_kernel::types::{NodeId, Resilience};
use butterfly_kernel::wire;
use butterfly_session::token::{BearerSecret, Invitee, TokenNumber};
use butterfly_session::wire::TOKEN;
use butterfly_session::{IdentityKey, KeyRecord, Token};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::client::Caller;
use crate::contact;
use crate::folder::provision_party;
use crate::keys::{self, Keys, check_records, parse_records, random, session_cluster, session_identity};
use crate::lineage::Lineage;
use crate::protocol::{Change, Cluster, Crypto, Decided, Newcomer, PublicKey, Roster, SignedChange, encode};

const MARK: [u8; 8] = *b"BFLYTOK\0";
const VERSION: u8 = 1;
/// More bytes than a token has, after hundreds of changes of the roster.
const MAX_INVITATION: u64 = 2 * 1024 * 1024;

/// A token, and the cluster that it is for.
pub struct Invitation {
    /// The cluster when the token was made, and how it became that.
    lineage: Lineage,
    /// The key records of the founders.
    records: Vec<KeyRecord>,
    /// Where the founders listen.
    addresses: Vec<SocketAddr>,
    votes: bool,
    resilience: Resilience,
    /// Signs the change.
    bearer: SigningKey,
    /// By the operator, for the kernel.
    operator: Signature,
    /// Goes with every token for a session.
    secret: Zeroizing<[u8; 32]>,
    /// For a session with each member, in the roster's order.
    tokens: Vec<Token>,
}

/// All that is no secret.
#[derive(Serialize, Deserialize)]
struct Open {
    roster: Roster,
    endings: Vec<Decided>,
    records: Vec<u8>,
    addresses: Vec<SocketAddr>,
    votes: bool,
    resilience: Resilience,
    operator: Signature,
    tokens: Vec<u8>,
}

/// A member that a newcomer may apply to.
#[derive(Clone, Debug)]
pub struct Sponsor {
    /// Its place in the roster when the token was made.
    pub node: NodeId,
    /// Where it listens, if that is known.
    pub address: Option<SocketAddr>,
    /// What it takes.
    pub token: Token,
}

impl Invitation {
    /// Invites somebody to be a member of the cluster as it is now, which
    /// `votes` or is a worker. The next roster has `resilience`.
    ///
    /// # Errors
    /// When the operator's folder cannot be read, or the system gives no random numbers.
    pub fn sign(operator: &Caller, votes: bool, resilience: Resilience) -> Result<Invitation> {
        let lineage = Lineage::clone(&operator.lineage());
        let (key, cluster) = (operator.keys().identity(), lineage.cluster());
        let records = parse_records(&keys::read_record_bytes(operator.folder(), lineage.first())?)?;
        let (_, addresses) = operator.founders();
        let bearer = SigningKey::from_bytes(&Zeroizing::<[u8; 32]>::new(random()?));
        let signature = Crypto::sign(key, &token_statement(cluster, &public(&bearer), votes, resilience));
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
        let invitee = Invitee::Bearer(BearerSecret::from_random(*secret).digest());
        let mut tokens = Vec::new();
        for member in &cluster.roster().members {
            let (sponsor, number) = (session_identity(member), TokenNumber(random()?));
            tokens.push(Token::sign(key, session_cluster(cluster), sponsor, invitee, number));
        }
        let addresses = addresses.to_vec();
        Ok(Invitation { records, addresses, votes, resilience, bearer, operator: signature, secret, tokens, lineage })
    }

    /// Writes a file with mode 0600.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        keys::write_secret(path, &self.to_bytes()?)
            .with_context(|| format!("cannot write a token to {}; choose a file that is not there yet", path.display()))
    }

    /// Reads what [`Invitation::write`] wrote, and checks everything in it but
    /// the signatures that only members check.
    ///
    /// # Errors
    /// When others may read it, or it is damaged or no token.
    pub fn read(path: &Path) -> Result<Invitation> {
        let bytes = keys::read_secret(path, MAX_INVITATION)?;
        Invitation::from_bytes(&bytes).with_context(|| format!("{} cannot be used", path.display()))
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        let open = Open {
            roster: self.lineage.first().roster().clone(),
            endings: self.lineage.endings().to_vec(),
            records: self.records.iter().flat_map(KeyRecord::to_bytes).collect(),
            addresses: self.addresses.clone(),
            votes: self.votes,
            resilience: self.resilience,
            operator: self.operator.clone(),
            tokens: self.tokens.iter().flat_map(Token::to_bytes).collect(),
        };
        let open = encode(&open)?;
        let parts: [&[u8]; 5] = [&MARK, &[VERSION], self.bearer.as_bytes(), &*self.secret, &open];
        let digest = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        // Never moved to a larger place, so that no copy is left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 32));
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes.extend_from_slice(&digest);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Invitation> {
        let rest = bytes.strip_prefix(&MARK).context("this is no token; `butterfly token` makes one")?;
        let rest = rest.strip_prefix(&[VERSION]).context("the token has a version that this program does not know")?;
        const CUT: &str = "the token was cut";
        let (content, digest) = bytes.split_last_chunk::<32>().context(CUT)?;
        ensure!(Sha256::digest(content).as_slice() == digest, "the token is damaged or was altered");
        let (bearer, rest) = rest.split_first_chunk::<32>().context(CUT)?;
        let (secret, rest) = rest.split_first_chunk::<32>().context(CUT)?;
        let (open, _) = rest.split_last_chunk::<32>().context(CUT)?;
        let open: Open = wire::decode(open).context("the token cannot be understood")?;
        let first = Arc::new(Cluster::new(open.roster, Timing::default()).context("its roster is not valid")?);
        let records = parse_records(&open.records)?;
        check_records(&records, &first).context("its key records are not those of its roster")?;
        ensure!(open.addresses.len() == first.members().len(), "it does not say where each founder listens");
        let lineage = Lineage::new(first, open.endings).context("a change of the roster in it does not hold")?;
        let tokens = open.tokens.chunks(TOKEN).map(|bytes| bytes.try_into().ok().and_then(Token::from_bytes));
        let invitation = Invitation {
            lineage,
            records,
            addresses: open.addresses,
            votes: open.votes,
            resilience: open.resilience,
            bearer: SigningKey::from_bytes(bearer),
            operator: open.operator,
            secret: Zeroizing::new(*secret),
            tokens: tokens.collect::<Option<_>>().context("a token in it cannot be understood")?,
        };
        invitation.check()?;
        Ok(invitation)
    }

    /// Whether all that is in it belongs together.
    fn check(&self) -> Result<()> {
        let cluster = self.lineage.cluster();
        let roster = cluster.roster();
        let statement = token_statement(cluster, &self.name(), self.votes, self.resilience);
        let is_signed = |key: &PublicKey| Crypto::verify(&Crypto::prepare(key), &statement, &self.operator);
        ensure!(roster.operators.iter().any(is_signed), "no operator of its roster signed it");
        let invitee = Invitee::Bearer(self.secret().digest());
        let is_operator = |key: IdentityKey| roster.operators.iter().any(|operator| session_identity(operator) == key);
        let fits = |(token, member): (&Token, &PublicKey)| {
            token.sponsor == session_identity(member) && token.invitee == invitee && is_operator(token.operator)
        };
        let all_fit = self.tokens.len() == roster.members.len() && self.tokens.iter().zip(&roster.members).all(fits);
        ensure!(all_fit, "its tokens for sessions are not for the members of its roster");
        Ok(())
    }

    /// The token's public key: names it among all.
    pub fn name(&self) -> PublicKey {
        public(&self.bearer)
    }

    /// The cluster when the token was made, and how it became that.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Where the founders listen, by their places in the first roster.
    pub fn founders(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it invites somebody to vote.
    pub fn votes(&self) -> bool {
        self.votes
    }

    /// n, f and p of the next roster.
    pub fn resilience(&self) -> Resilience {
        self.resilience
    }

    /// Everybody that a newcomer may apply to.
    pub fn sponsors(&self) -> Vec<Sponsor> {
        let addresses: Vec<Option<SocketAddr>> = self.addresses.iter().copied().map(Some).collect();
        let addresses = contact::addresses(&self.lineage, &addresses);
        let places = (0..).map(NodeId).zip(addresses).zip(&self.tokens);
        places.map(|((node, address), token)| Sponsor { node, address, token: *token }).collect()
    }

    /// What goes with the tokens for sessions.
    pub fn secret(&self) -> BearerSecret {
        BearerSecret::from_random(*self.secret)
    }

    /// The change that admits `newcomer`, signed with the token.
    pub fn admit(&self, newcomer: Newcomer) -> SignedChange {
        let change = Change::Admit { newcomer, votes: self.votes, resilience: self.resilience };
        let bearer = Crypto::sign(&self.bearer, &change.statement(self.lineage.cluster()));
        SignedChange { change, warrant: Warrant::Token { token: self.name(), operator: self.operator.clone(), bearer } }
    }

    /// Makes the folder of somebody with `keys` who knows what is in here.
    ///
    /// # Errors
    /// When the folder is there already or cannot be written.
    pub fn provision(&self, folder: &Path, keys: &Keys) -> Result<()> {
        provision_party(folder, self.lineage.first(), keys, &self.records)?;
        self.lineage.keep(folder)
    }
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}
