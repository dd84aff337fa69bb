//! Clients: each asks for one answer after the other, of one member or, when
//! it takes long, of another one too.

use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::inference::{Request, Sampling, SignedRequest};
use butterfly_kernel::types::{ClientId, NodeId};

use super::Crypto;
use super::random::{Purpose, Random};
use super::setting::CLIENT_KEY;
use super::stages::VOCABULARY;
use super::workload::Workload;

/// What a client waits for.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    /// Of its last request, from 1; 0 before the first.
    pub(crate) sequence: u64,
    pub(crate) request: Option<Request>,
}

/// All clients.
pub(crate) struct Clients {
    pub(crate) each: Vec<Client>,
    workload: Workload,
    random: Random,
}

impl Clients {
    pub(crate) fn new(seed: u64, count: u8, workload: Workload) -> Clients {
        let client = |number| Client { id: ClientId(number), sequence: 0, request: None };
        let random = Random::new(seed, Purpose::Workload);
        Clients { each: (0..count).map(client).collect(), workload, random }
    }

    /// The next request of `client`.
    pub(crate) fn next(&mut self, client: usize) -> Request {
        let random = &mut self.random;
        let length = self.workload.draw_prompt(random);
        let token = |random: &mut Random| u8::try_from(random.below(u64::from(VOCABULARY))).expect("a token");
        let prompt = (0..length).map(|_| token(random)).collect();
        let tokens = self.workload.draw_tokens(random);
        let client = &mut self.each[client];
        client.sequence += 1;
        let request =
            Request { client: client.id, sequence: client.sequence, prompt, tokens, sampling: Sampling::Greedy };
        client.request = Some(request.clone());
        request
    }

    /// Whether everything is answered that will be asked.
    pub(crate) fn are_served(&self) -> bool {
        let served = |client: &Client| client.sequence > 0 && client.request.is_none();
        !self.workload.repeats && self.each.iter().all(served)
    }

    /// Whether a client asks for something else once it is served.
    pub(crate) fn ask_again(&self) -> bool {
        self.workload.repeats
    }

    /// Whom a client turns to.
    pub(crate) fn choose(&mut self, members: usize) -> usize {
        self.random.place(members)
    }

    /// Microseconds for which a client thinks before it asks for the first time.
    pub(crate) fn think(&mut self) -> u64 {
        if self.workload.repeats { self.random.within(1_000..=20_000) } else { 0 }
    }
}

/// `request` with its client's signature.
pub(crate) fn sign<const N: usize>(cluster: &Cluster<Crypto<N>, N>, request: Request) -> SignedRequest<Crypto<N>> {
    let statement = request.statement(cluster);
    let key = NodeId(CLIENT_KEY + request.client.0);
    SignedRequest { request, signature: Crypto::<N>::sign(&key, &statement) }
}
