//! What a client knows of the answer to one request: decisions that whoever
//! showed it, checked, and put together to a proof.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use butterfly_kernel::chain::Increment;
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::proof::{Added, Step as KernelStep};
use butterfly_kernel::types::Epoch;
use butterfly_kernel::wire;

use crate::Error;
use crate::protocol::{Cluster, Crypto, Decided, KernelDigest, KernelProof, SignedRequest, encode};
use crate::roster::{Roster, genuine};

/// Decided epochs and the answer to one request in them. It believes nobody:
/// every decision is checked against its certificate.
#[derive(uniffi::Object)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

struct Inner {
    cluster: Arc<Cluster>,
    request: SignedRequest,
    epochs: BTreeMap<Epoch, Entry>,
    /// The first epoch that adds to the answer, as far as is known.
    first: Epoch,
    /// The value of the epoch before it.
    previous: KernelDigest,
    /// Tokens of the answer that were committed before that.
    before: usize,
    steps: Vec<KernelStep<Crypto>>,
    tokens: Vec<u8>,
}

/// One epoch, and the tokens that are said to be in it.
struct Entry {
    decided: Decided,
    tokens: Option<Tokens>,
}

#[uniffi::export]
impl Ledger {
    /// For a signed request that is handed in when `base` is the last decision
    /// that is known, as a node's `Standing` or `Commit` says; none before the
    /// first epoch.
    #[uniffi::constructor]
    pub fn new(roster: Arc<Roster>, request: &[u8], base: Option<Vec<u8>>) -> Result<Arc<Ledger>, Error> {
        let cluster = Arc::clone(roster.cluster());
        let request: SignedRequest = wire::decode(request)?;
        cluster.verify_request(&request).map_err(|error| Error::Unproven { reason: error.to_string() })?;
        let base = base.map(|base| genuine(&cluster, &base)).transpose()?;
        let (epoch, previous) = base
            .as_ref()
            .map_or((Epoch::GENESIS, cluster.id()), |decided| (decided.header.epoch, decided.certificate.ballot.value));
        let active = base.as_ref().and_then(|decided| decided.state.active.as_ref());
        let begun = active.filter(|active| active.request.request == request.request);
        let tokens = begun.map_or(Vec::new(), |active| active.output.to_vec());
        let (epochs, before, first) = (BTreeMap::new(), tokens.len(), epoch.next());
        let inner = Inner { cluster, request, epochs, first, previous, before, steps: Vec::new(), tokens };
        Ok(Arc::new(Ledger { inner: Mutex::new(inner) }))
    }

    /// Takes in a decision and the tokens that it is said to have added, and
    /// gives those that are new to the answer. Tokens that are not those of the
    /// decision are dropped; another node will show the real ones.
    pub fn add(&self, decided: &[u8], tokens: &[u8]) -> Result<Vec<u8>, Error> {
        let mut inner = self.lock()?;
        let decided = genuine(&inner.cluster, decided)?;
        let tokens = Tokens::from_slice(tokens).ok().filter(|tokens| !tokens.is_empty());
        inner.add(decided, tokens)
    }

    /// The tokens of the answer so far.
    pub fn tokens(&self) -> Result<Vec<u8>, Error> {
        Ok(self.lock()?.tokens.clone())
    }

    /// Whether these are all that were asked for.
    pub fn is_complete(&self) -> Result<bool, Error> {
        Ok(self.lock()?.is_complete())
    }

    /// The first epoch that is missing.
    pub fn next_epoch(&self) -> Result<u64, Error> {
        Ok(self.lock()?.next().0)
    }

    /// The proof of the answer so far, without what was committed before the base.
    pub fn proof(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.lock()?.proof().map(|proof| encode(&proof)))
    }
}

impl Ledger {
    fn lock(&self) -> Result<MutexGuard<'_, Inner>, Error> {
        self.inner.lock().map_err(|_| Error::Broken)
    }
}

impl Inner {
    fn add(&mut self, decided: Decided, tokens: Option<Tokens>) -> Result<Vec<u8>, Error> {
        let epoch = decided.header.epoch;
        let entry = self.epochs.entry(epoch).or_insert_with(|| Entry { decided: decided.clone(), tokens: None });
        if entry.decided.header != decided.header {
            let reason = format!("two values were decided in epoch {}: more than f members are faulty", epoch.0);
            return Err(Error::Unproven { reason });
        }
        entry.tokens = entry.tokens.take().or(tokens);
        self.skip_others();
        let before = self.tokens.len();
        while let Some(step) = self.next_step() {
            self.tokens.extend(step.added.tokens());
            self.steps.push(step);
        }
        Ok(self.tokens.get(before..).unwrap_or_default().to_vec())
    }

    /// Epochs before the answer begins are no part of its proof.
    fn skip_others(&mut self) {
        while self.tokens.is_empty()
            && self.steps.is_empty()
            && let Some(entry) = self.epochs.get(&self.first)
            && !self.is_ours(&entry.decided)
        {
            self.previous = entry.decided.certificate.ballot.value;
            self.first = self.first.next();
        }
    }

    /// Whether the request was under way in an epoch, or ended with it.
    fn is_ours(&self, decided: &Decided) -> bool {
        let request = &self.request.request;
        let state = &decided.state;
        state.active.as_ref().is_some_and(|active| active.request.request == *request)
            || state.next_sequence(request.client) > request.sequence
    }

    fn next_step(&mut self) -> Option<KernelStep<Crypto>> {
        if self.is_complete() {
            return None;
        }
        let (epoch, committed) = (self.next(), u16::try_from(self.tokens.len()).ok()?);
        let request = self.request.digest(&self.cluster);
        let entry = self.epochs.get_mut(&epoch)?;
        let (state, increment) = (entry.decided.header.state, entry.decided.header.increment);
        if entry.decided.state.interrupted {
            return Some(KernelStep { added: Added::Nothing(increment), state });
        }
        let said = Increment::<Crypto> { request, committed, tokens: entry.tokens.take()? };
        if said.digest(&self.cluster) != increment {
            return None;
        }
        entry.tokens = Some(said.tokens.clone());
        Some(KernelStep { added: Added::Tokens(said.tokens), state })
    }

    fn is_complete(&self) -> bool {
        self.tokens.len() >= usize::from(self.request.request.tokens)
    }

    fn next(&self) -> Epoch {
        Epoch(self.first.0.saturating_add(self.steps.len() as u64))
    }

    fn proof(&self) -> Option<KernelProof> {
        self.steps.last()?;
        let last = self.epochs.get(&Epoch(self.next().0.saturating_sub(1)))?;
        Some(KernelProof {
            request: self.request.clone(),
            committed: u16::try_from(self.before).ok()?,
            first: self.first,
            previous: self.previous,
            steps: self.steps.iter().cloned().collect(),
            certificate: last.decided.certificate.clone(),
        })
    }
}
