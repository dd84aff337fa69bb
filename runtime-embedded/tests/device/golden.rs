//! The vectors that define the wire, read with the bounds of a device: it must
//! take what a server takes, and refuse what a server refuses.

#[cfg(not(feature = "compact-four"))]
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::wire;
use butterfly_runtime_embedded::protocol::Envelope;
#[cfg(not(feature = "compact-four"))]
use butterfly_runtime_embedded::protocol::{Cluster, Record, Roster, SignedRequest};
use serde_json::Value;

use crate::replay::{Runtime, play_all};

const MEMBERS: usize = 4;

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../bindings/golden/vectors/", $name, ".json")))
            .unwrap()
    };
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[cfg(not(feature = "compact-four"))]
fn cluster() -> Cluster<MEMBERS> {
    let described = vectors!("cluster");
    let roster: Roster<MEMBERS> = wire::decode(&bytes(&described["roster"])).unwrap();
    let cluster = Cluster::new(roster, Timing::default()).unwrap();
    assert_eq!(cluster.id().0.to_vec(), bytes(&described["id"]));
    cluster
}

#[cfg(not(feature = "compact-four"))]
/// Holds what `takes` makes of each vector of a type against its verdict, and
/// says how many were accepted.
fn check(file: &Value, shape: &str, takes: impl Fn(&[u8]) -> bool) -> usize {
    let vectors = file["vectors"].as_array().unwrap();
    let mut accepted = 0;
    for vector in vectors.iter().filter(|vector| vector["type"] == shape) {
        let good = vector["verdict"] == "accepted";
        assert_eq!(takes(&bytes(&vector["bytes"])), good, "{}", vector["name"]);
        accepted += usize::from(good);
    }
    accepted
}

#[test]
#[cfg(not(feature = "compact-four"))]
fn messages_are_those_of_a_server() {
    let cluster = cluster();
    let takes =
        |bytes: &[u8]| wire::decode::<Envelope<MEMBERS>>(bytes).is_ok_and(|envelope| cluster.verify(envelope).is_ok());
    assert!(check(&vectors!("messages"), "envelope", takes) >= 17, "one of each kind");
}

#[test]
#[cfg(not(feature = "compact-four"))]
fn requests_are_those_of_a_server() {
    let cluster = cluster();
    let takes = |bytes: &[u8]| {
        wire::decode::<SignedRequest<MEMBERS>>(bytes).is_ok_and(|request| cluster.verify_request(&request).is_ok())
    };
    assert!(check(&vectors!("requests"), "signed_request", takes) > 0);
}

#[test]
#[cfg(not(feature = "compact-four"))]
fn vote_records_are_those_of_a_server() {
    let file = vectors!("records");
    let vectors = file["vectors"].as_array().unwrap();
    let accepted =
        vectors.iter().filter(|vector| vector["verdict"] == "accepted").map(|vector| bytes(&vector["bytes"]));
    let mut longest = 0;
    for bytes in accepted {
        longest = longest.max(bytes.len());
        let record: Record<MEMBERS> = wire::decode(&bytes).unwrap();
        let mut again = [0; 8 * 1024];
        assert_eq!(wire::encode(&record, &mut again), Ok(bytes.as_slice()));
    }
    assert!(longest > 1_000);
}

/// The vectors' cluster has a worker and a slow path, so a device for four is
/// none of its members. What of its messages fits its bounds it says as servers do.
#[test]
#[cfg(feature = "compact-four")]
fn what_fits_a_device_for_four_is_said_as_servers_say_it() {
    let file = vectors!("messages");
    let accepted = file["vectors"].as_array().unwrap().iter().filter(|vector| vector["verdict"] == "accepted");
    let envelopes = accepted.filter(|vector| vector["type"] == "envelope").map(|vector| bytes(&vector["bytes"]));
    let (mut fit, mut others) = (0, 0);
    for bytes in envelopes {
        let mut again = [0; 8 * 1024];
        match wire::decode::<Envelope<MEMBERS>>(&bytes) {
            Ok(envelope) => {
                assert_eq!(wire::encode(&envelope, &mut again), Ok(bytes.as_slice()));
                fit += 1;
            }
            Err(_) => others += 1,
        }
    }
    assert!(fit >= 15 && others <= 6, "{fit} fit, {others} do not");
}

#[test]
fn sessions_speak_as_devices_do_in_the_vectors() {
    assert_eq!(play_all(Runtime::Device), 4);
}
