//! The vectors that define the wire, as a server reads and writes them:
//! `runtime-embedded/tests/device/golden.rs` holds a device against the same files.

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::wire;
use butterfly_runtime_std::protocol::{Cluster, Envelope, Record, Roster, SignedRequest, encode};
use serde_json::Value;

use crate::replay::{Runtime, play_all};

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../bindings/golden/vectors/", $name, ".json")))
            .unwrap()
    };
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn cluster() -> Cluster {
    let roster: Roster = wire::decode(&bytes(&vectors!("cluster")["roster"])).unwrap();
    Cluster::new(roster, Timing::default()).unwrap()
}

/// Holds what `takes` makes of each vector of a type against its verdict, and
/// says how many were accepted.
fn check(file: &Value, shape: &str, takes: impl Fn(&[u8]) -> bool) -> usize {
    let mut accepted = 0;
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["type"] == shape) {
        let good = vector["verdict"] == "accepted";
        assert_eq!(takes(&bytes(&vector["bytes"])), good, "{}", vector["name"]);
        accepted += usize::from(good);
    }
    accepted
}

#[test]
fn messages_requests_and_vote_records_are_those_of_a_device() {
    let cluster = cluster();
    let message = |bytes: &[u8]| wire::decode::<Envelope>(bytes).is_ok_and(|envelope| cluster.verify(envelope).is_ok());
    assert!(check(&vectors!("messages"), "envelope", message) >= 17, "one of each kind");
    let request = |bytes: &[u8]| {
        wire::decode::<SignedRequest>(bytes).is_ok_and(|request| cluster.verify_request(&request).is_ok())
    };
    assert!(check(&vectors!("requests"), "signed_request", request) > 0);
    let mut records = 0;
    for vector in vectors!("records")["vectors"].as_array().unwrap().iter().filter(|one| one["verdict"] == "accepted") {
        let record: Record = wire::decode(&bytes(&vector["bytes"])).unwrap();
        assert_eq!(encode(&record).unwrap(), bytes(&vector["bytes"]), "{}", vector["name"]);
        records += 1;
    }
    assert!(records > 0);
}

#[test]
fn sessions_speak_as_servers_do_in_the_vectors() {
    assert_eq!(play_all(Runtime::Server), 4);
}
