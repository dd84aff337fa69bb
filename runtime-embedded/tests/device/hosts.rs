//! Four devices whose messages are carried by hand, at once and in order.

use std::cell::RefCell;
use std::rc::Rc;

use butterfly_kernel::assignment::Layers;
#[cfg(feature = "compact")]
use butterfly_kernel::cluster::ClusterError;
use butterfly_kernel::cluster::{Assignment, Model};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::message::inference::{Request, Sampling};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{ClientId, NodeId, Resilience};
use butterfly_kernel::wire;
use butterfly_provisioning::{Address, BLOCK, Network, Provision, Timing, VOTE_RECORD};
use butterfly_record::Store;
use butterfly_runtime_embedded::host::{self, Desks, HostMemory, StartError, Stopped};
use butterfly_runtime_embedded::party::{Party, PartyError};
use butterfly_runtime_embedded::protocol::{Cluster, Record, Roster, SignedRequest};
use butterfly_runtime_embedded::record::Region;
use butterfly_session::{ClusterId, ExchangeSecret, KeyRecord};
use butterfly_workload::{CONTEXT, LAYERS, Partition, Signal, VOCABULARY, Weights, manifest, reference, tokenizer};
use ed25519_dalek::SigningKey;

use crate::board::{Counting, Flash, Memory, Nothing, Teller};
use crate::sizes::FOUR;

const MEMBERS: usize = 4;
const MESSAGE: usize = FOUR.message;
const QUEUE: usize = FOUR.queue;
const PARKING: usize = FOUR.parking;
const COPY: usize = FOUR.copy;
const FLASH: usize = VOTE_RECORD + 4 * COPY;
const PROMPT: &str = "Return the ";
const TOKENS: usize = 16;

type Host = host::Host<'static, Flash, MEMBERS, MESSAGE, QUEUE, PARKING, COPY, CONTEXT>;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn roster() -> Roster<MEMBERS> {
    let model = Model {
        manifest: manifest(&Weights::embedded()),
        stages: LAYERS as u8,
        context: CONTEXT as u16,
        vocabulary: VOCABULARY as u8,
        signal: Signal::MAX_BYTES as u16,
        tokens_per_epoch: 4,
        checkpoint_interval: 10,
    };
    let layers = Layers::even(LAYERS as u8, Signal::MAX_BYTES as u32).unwrap();
    Roster {
        resilience: Resilience::largest(MEMBERS).unwrap(),
        members: (0..MEMBERS as u8).map(|member| public(&key(member))).collect(),
        clients: [public(&key(99))].into_iter().collect(),
        operators: [].into_iter().collect(),
        model,
        assignment: Assignment { layers, ..Assignment::in_turn(MEMBERS, 1).unwrap() },
    }
}

/// A flash with a block and a first record, as whoever provisions a device writes it.
fn provisioned(me: u8) -> Flash {
    let flash = Flash::new(FLASH);
    let cluster = Cluster::<MEMBERS>::new(roster(), Default::default()).unwrap();
    let id = ClusterId(cluster.id().0);
    let mut roster_bytes = [0; 2048];
    let roster_bytes = wire::encode(cluster.roster(), &mut roster_bytes).unwrap();
    let exchange = |member: u8| [100 + member; 32];
    let record = |member| {
        let secret = ExchangeSecret::from_random(exchange(member));
        KeyRecord::sign(&key(member), id, secret.public(), 0).to_bytes()
    };
    let records: Vec<u8> = (0..MEMBERS as u8).flat_map(record).collect();
    let peers: Vec<u8> =
        (0..MEMBERS as u8).flat_map(|at| Address { host: [10, 0, 2, at], port: 7000 }.to_bytes()).collect();
    let provision = Provision {
        identity: key(me).to_bytes(),
        exchange: exchange(me),
        serial: 0,
        network: Network {
            hardware: [2, 0, 0, 0, 0, me],
            address: [10, 0, 2, me],
            prefix: 24,
            gateway: [0; 4],
            port: 7000,
        },
        timing: Timing { view: 60_000, view_cap: 60_000, retransmit: 50, escalate: 10_000 },
        roster: roster_bytes,
        records: &records,
        peers: &peers,
    };
    let mut block = [0xFF; BLOCK];
    provision.write(&mut block).unwrap();
    flash.bytes.borrow_mut()[..BLOCK].copy_from_slice(&block);
    let mut first = [0; 64];
    let first = wire::encode(&Record::<MEMBERS>::first(Role::Replica), &mut first).unwrap();
    let owner = butterfly_record::owner(&cluster.id().0, me);
    Store::<_, COPY>::provision(Region::new(flash.clone(), VOTE_RECORD as u32), owner, first).unwrap();
    flash
}

fn party(flash: &Flash) -> &'static Party<MEMBERS> {
    let block: [u8; BLOCK] = flash.bytes.borrow()[..BLOCK].try_into().unwrap();
    Box::leak(Box::new(Party::new(&Provision::read(&block).unwrap(), MESSAGE as u32).unwrap()))
}

/// Boots a device from its flash.
fn boot(flash: &Flash, life: u8) -> (Host, Rc<RefCell<Memory>>) {
    let party = party(flash);
    let record = Box::leak(Box::new(host::open_record(party, flash.clone(), VOTE_RECORD as u32).unwrap()));
    let node = Box::leak(Box::new(host::open_node(party, host::read_record(record).unwrap()).unwrap()));
    let said = Rc::new(RefCell::new(Memory::default()));
    let voice = Box::leak(Box::new(Teller(Rc::clone(&said))));
    let desks = Box::leak(Box::new(Desks::<LAYERS, CONTEXT>::new()));
    let memory = Box::leak(Box::new(HostMemory::<MEMBERS, MESSAGE, QUEUE, PARKING>::new()));
    let mut host = Host::new(party, node, record, voice, memory, desks).unwrap();
    host.start(host::draw_nonce(&mut Counting(life)).unwrap()).unwrap();
    (host, said)
}

fn request() -> SignedRequest<MEMBERS> {
    let cluster = Cluster::<MEMBERS>::new(roster(), Default::default()).unwrap();
    let prompt = tokenizer::encode(PROMPT).map(|token| token.unwrap().id()).collect();
    let request =
        Request { client: ClientId(0), sequence: 1, prompt, tokens: TOKENS as u16, sampling: Sampling::Greedy };
    let statement = request.statement(&cluster);
    SignedRequest { signature: Ed25519::<MEMBERS>::sign(&key(99), &statement), request }
}

fn expected() -> Vec<u8> {
    let prompt: Vec<_> = tokenizer::encode(PROMPT).map(Result::unwrap).collect();
    let partition = Partition::even(LAYERS).unwrap();
    let text = reference::generate(Weights::embedded(), partition, &prompt, butterfly_workload::Sampling::Greedy);
    text.unwrap().take(TOKENS).map(|token| token.id()).collect()
}

/// Carries what waits from each device to each other one. Says whether there was anything.
fn carry(hosts: &mut [Host]) -> bool {
    let mut carried = false;
    for from in 0..hosts.len() {
        for to in (0..hosts.len()).filter(|to| *to != from) {
            let mut queue = hosts[from].queue(NodeId(to as u8)).unwrap();
            let Some(message) = queue.front().map(<[u8]>::to_vec) else { continue };
            queue.pop();
            carried = true;
            assert!(hosts[to].receive(&message).unwrap(), "{to} does not take what {from} says");
        }
    }
    carried
}

/// Hosts are large, and so are their steps.
fn on_a_large_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 << 20).spawn(test).unwrap().join().unwrap();
}

#[test]
fn four_devices_commit_what_one_machine_says() {
    on_a_large_stack(|| {
        let flashes: Vec<Flash> = (0..MEMBERS as u8).map(provisioned).collect();
        let (mut hosts, said): (Vec<Host>, Vec<_>) = flashes.iter().map(|flash| boot(flash, 0)).unzip();
        for host in &mut hosts[..2] {
            assert_eq!(host.submit(request(), ClientId(0)), Ok(Ok(())));
        }
        let expected = expected();
        while said.iter().any(|said| said.borrow().text.len() < TOKENS) {
            if !carry(&mut hosts) {
                hosts.iter_mut().for_each(|host| host.expire_timers().unwrap());
            }
        }
        for said in &said {
            let said = said.borrow();
            assert_eq!(said.text, expected);
            assert_eq!((said.evidence, said.abstained), (0, 0));
            assert!(said.signed.votes >= 4 && said.signed.proposals >= 1 && said.signed.attestations >= 4);
        }
        // Killed and booted again, they are where they were, and voters still.
        for (flash, host) in flashes.iter().zip(&hosts) {
            let (again, said) = boot(flash, 50);
            assert_eq!(again.node().epoch(), host.node().epoch());
            assert_eq!(said.borrow().learner, Some(false));
            assert_eq!(again.node().record().head, host.node().record().head);
        }
    });
}

#[test]
fn nothing_leaves_a_device_whose_flash_fails() {
    on_a_large_stack(|| {
        let flashes: Vec<Flash> = (0..MEMBERS as u8).map(provisioned).collect();
        let (mut hosts, said): (Vec<Host>, Vec<_>) = flashes.iter().map(|flash| boot(flash, 0)).unzip();
        hosts[0].submit(request(), ClientId(0)).unwrap().unwrap();
        for host in &mut hosts[1..] {
            host.submit(request(), ClientId(0)).unwrap().unwrap();
        }
        // The others work; the first one's flash fails at its first vote.
        *flashes[0].broken.borrow_mut() = true;
        let stopped = loop {
            assert!(said[0].borrow().text.is_empty(), "a decision needs a record");
            for peer in 1..MEMBERS as u8 {
                while hosts[0].queue(NodeId(peer)).is_some_and(|mut queue| queue.pop()) {}
            }
            let stopped = (1..MEMBERS).find_map(|from| {
                let mut queue = hosts[from].queue(NodeId(0))?;
                let message = queue.front()?.to_vec();
                queue.pop();
                hosts[0].receive(&message).err()
            });
            if let Some(stopped) = stopped {
                break stopped;
            }
            if !carry_among(&mut hosts) {
                hosts[1..].iter_mut().for_each(|host| host.expire_timers().unwrap());
            }
        };
        assert_eq!(stopped, Stopped::Flash);
        assert!(hosts[0].waiting().is_empty(), "what was not durable leaves all the same");
        assert_eq!(hosts[0].submit(request(), ClientId(0)), Err(Stopped::Flash), "it stands still");
    });
}

#[test]
fn a_device_that_is_cut_off_costs_its_fellows_a_bounded_queue_and_catches_up() {
    on_a_large_stack(|| {
        let flashes: Vec<Flash> = (0..MEMBERS as u8).map(provisioned).collect();
        let (mut hosts, said): (Vec<Host>, Vec<_>) = flashes.iter().map(|flash| boot(flash, 0)).unzip();
        for host in &mut hosts[1..] {
            host.submit(request(), ClientId(0)).unwrap().unwrap();
        }
        // What waits for it is the newest, and no more than there is room for.
        while hosts[1..].iter_mut().any(|host| host.queue(NodeId(0)).unwrap().dropped() == 0) {
            if !carry_among(&mut hosts) {
                hosts[1..].iter_mut().for_each(|host| host.expire_timers().unwrap());
            }
        }
        let text = expected();
        while said[1..].iter().any(|said| said.borrow().text.len() < TOKENS)
            || hosts[0].node().epoch() < hosts[1].node().epoch()
        {
            if !carry(&mut hosts) {
                hosts.iter_mut().for_each(|host| host.expire_timers().unwrap());
            }
        }
        assert!(said[1..].iter().all(|said| said.borrow().text == text));
        let decided = |host: &Host| host.node().head().decided().map(|decided| decided.header);
        assert_eq!(decided(&hosts[0]), decided(&hosts[1]));
        assert!(said.iter().all(|said| said.borrow().evidence == 0));
    });
}

/// As [`carry`], without the first device.
fn carry_among(hosts: &mut [Host]) -> bool {
    let mut carried = false;
    for from in 1..MEMBERS {
        for to in (1..MEMBERS).filter(|to| *to != from) {
            let mut queue = hosts[from].queue(NodeId(to as u8)).unwrap();
            let Some(message) = queue.front().map(<[u8]>::to_vec) else { continue };
            queue.pop();
            carried = true;
            hosts[to].receive(&message).unwrap();
        }
    }
    carried
}

#[test]
fn a_device_without_random_numbers_does_not_start() {
    let refused = host::draw_nonce(&mut Nothing).map_err(StartError::from);
    assert_eq!(refused, Err(StartError::NoRandomness));
}

#[test]
fn a_damaged_record_makes_a_learner_and_a_strange_one_stops_the_device() {
    on_a_large_stack(|| {
        let flash = provisioned(0);
        flash.bytes.borrow_mut()[VOTE_RECORD..].fill(0xFF);
        let (_, said) = boot(&flash, 0);
        assert_eq!(said.borrow().learner, Some(true));
        // What is whole but no record is a bug, or somebody else's.
        let flash = provisioned(0);
        let owner = butterfly_record::owner(&Cluster::<MEMBERS>::new(roster(), Default::default()).unwrap().id().0, 0);
        Store::<_, COPY>::provision(Region::new(flash.clone(), VOTE_RECORD as u32), owner, b"strange").unwrap();
        let party = party(&flash);
        let mut record: Store<_, COPY> = host::open_record(party, flash.clone(), VOTE_RECORD as u32).unwrap();
        assert_eq!(host::read_record::<_, MEMBERS, COPY>(&mut record).err(), Some(StartError::Record));
    });
}

#[test]
fn a_block_of_a_stranger_is_refused() {
    let flash = provisioned(0);
    let block: [u8; BLOCK] = flash.bytes.borrow()[..BLOCK].try_into().unwrap();
    let provision = Provision::read(&block).unwrap();
    let refused = |provision: Provision<'_>| Party::<MEMBERS>::new(&provision, MESSAGE as u32).err();
    assert_eq!(refused(Provision { identity: [55; 32], ..provision }), Some(PartyError::Stranger));
    assert_eq!(refused(Provision { exchange: [55; 32], ..provision }), None, "a new key of its own");
    assert_eq!(refused(Provision { records: &provision.records[1..], ..provision }), Some(PartyError::Records));
    assert_eq!(refused(Provision { peers: &provision.peers[1..], ..provision }), Some(PartyError::Addresses));
    assert_eq!(refused(Provision { roster: &[], ..provision }), Some(PartyError::Roster));
    assert!(Party::<3>::new(&provision, MESSAGE as u32).is_err(), "more members than the build holds");
}

/// Nobody commits in a view where f = p, and a device for four has no room for it.
#[test]
#[cfg(feature = "compact-four")]
fn a_roster_with_a_slow_path_is_refused_by_a_device_for_four() {
    let resilience = Resilience::new(MEMBERS, 1, 0).unwrap();
    let slow = Cluster::<MEMBERS>::new(Roster { resilience, ..roster() }, Default::default());
    assert_eq!(slow.err(), Some(ClusterError::SlowPath));
}

/// A server's bounds are larger, so its roster may be one that no device can keep.
#[test]
#[cfg(feature = "compact")]
fn a_roster_beyond_the_bounds_of_a_device_is_refused() {
    let client = public(&key(99)).0;
    let encoded = |clients: u8| [vec![clients], (0..clients).flat_map(|_| client).collect()].concat();
    let with_clients = |clients: u8| {
        let mut bytes = [0; 2048];
        let roster = wire::encode(&roster(), &mut bytes).unwrap();
        let one = encoded(1);
        let at = roster.windows(one.len()).position(|part| part == one).expect("there is one client");
        [&roster[..at], &encoded(clients), &roster[at + one.len()..]].concat()
    };
    let flash = provisioned(0);
    let block: [u8; BLOCK] = flash.bytes.borrow()[..BLOCK].try_into().unwrap();
    let provision = Provision::read(&block).unwrap();
    let refused = |roster: &[u8]| Party::<MEMBERS>::new(&Provision { roster, ..provision }, MESSAGE as u32).err();
    assert_eq!(refused(&with_clients(1)), None);
    assert_eq!(refused(&with_clients(2)), Some(PartyError::Cluster(ClusterError::RepeatedKey)), "it was read");
    assert_eq!(refused(&with_clients(3)), Some(PartyError::Roster));
}
