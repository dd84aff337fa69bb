use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::Resilience;

use super::*;
use crate::provision::Founded;

fn tellers() -> Vec<Teller> {
    let founded = Founded::new(Resilience::largest(4).unwrap(), 1, 0, 4, Timing::default()).unwrap();
    let cluster = std::sync::Arc::new(founded.cluster);
    cluster.members().iter().map(|node| Teller::new(&cluster, node)).collect()
}

fn epoch(teller: &Teller) -> EpochSpan {
    let at = |milliseconds| teller.monotonic + Duration::from_millis(milliseconds);
    let phase = |doing, began, ended| Phase { doing, began: at(began), ended: at(ended) };
    EpochSpan {
        epoch: Epoch(1),
        view: View(0),
        path: Path::Fast,
        tokens: 4,
        began: at(1),
        ended: at(9),
        phases: vec![phase(Coordinator::Computing, 1, 6), phase(Coordinator::Committing, 6, 9)],
    }
}

#[test]
fn what_all_nodes_tell_of_an_epoch_is_one_tree() {
    let tellers = tellers();
    let spans: Vec<Value> = tellers.iter().flat_map(|teller| teller.spans(&epoch(teller))).collect();
    let of = |name: &str| spans.iter().filter(|span| span["name"] == name).cloned().collect::<Vec<_>>();
    assert_eq!((spans.len(), of("epoch").len(), of("computing").len()), (12, 4, 4));
    let ids: std::collections::BTreeSet<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), spans.len(), "each span has an id of its own");
    assert!(ids.iter().all(|id| id.len() == 16));
    assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]));
    assert_eq!(spans[0]["traceId"].as_str().unwrap().len(), 32);
    // Node 1 leads epoch 1.
    let roots: Vec<&Value> = spans.iter().filter(|span| span["parentSpanId"].is_null()).collect();
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0]["attributes"][0], number("node", 1));
    assert!(spans.iter().all(|span| span["parentSpanId"].as_str().is_none_or(|parent| ids.contains(parent))));
}

#[test]
fn another_epoch_is_another_trace() {
    let tellers = tellers();
    let of = |epoch| tellers[0].trace_id(Epoch(epoch));
    assert_ne!(of(1), of(2));
    assert_eq!(of(2), tellers[3].trace_id(Epoch(2)));
}

#[test]
fn times_are_those_of_the_system_clock() {
    let teller = &tellers()[2];
    let spans = teller.spans(&epoch(teller));
    let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
    let began = teller.since_epoch.as_nanos();
    assert_eq!(time(&spans[0], "startTimeUnixNano") - began, 1_000_000);
    assert_eq!(time(&spans[0], "endTimeUnixNano") - began, 9_000_000);
    assert_eq!(time(&spans[2], "startTimeUnixNano"), time(&spans[1], "endTimeUnixNano"));
    let earlier = teller.monotonic - Duration::from_millis(1);
    assert_eq!(teller.nanoseconds(earlier), (began - 1_000_000).to_string());
}
