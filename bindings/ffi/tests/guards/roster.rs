//! Numbers, keys and requests that cannot be.

use butterfly_ffi::Error;
use butterfly_ffi::node::Node;
use butterfly_ffi::roster::{Model, Request, Roster};
use butterfly_ffi::surface::{Input, Nonce, Output, Timer};

use crate::table::{CLIENTS, MEMBERS, Table, VOCABULARY, altered, keys, model, public, roster, wish};

#[test]
fn rosters_outside_their_bounds_are_refused() {
    let found = |members, voters, model, faults, silent| {
        Roster::found(public(0..members), voters, public(CLIENTS), model, faults, silent, 2_000)
    };
    let refused = |outcome: Result<_, Error>| matches!(outcome, Err(Error::Roster { .. }));
    assert!(refused(found(0, 0, model(), None, None)));
    assert!(refused(found(MEMBERS, MEMBERS + 1, model(), None, None)), "more voters than members");
    assert!(refused(found(40, 40, model(), None, None)), "more members than there may be");
    assert!(refused(found(MEMBERS, MEMBERS, model(), Some(2), None)), "four bear one liar");
    assert!(refused(found(MEMBERS, MEMBERS, model(), Some(1), Some(2))));
    assert!(refused(found(MEMBERS, MEMBERS, model(), None, Some(2))));
    let nobody = Roster::found(public(0..MEMBERS), MEMBERS, vec![], model(), None, None, 2_000);
    assert!(refused(nobody), "nobody may ask");
    let twice = Roster::found(public([0, 1, 2, 2]), MEMBERS, public(CLIENTS), model(), None, None, 2_000);
    assert!(refused(twice), "one key for two members");
    for wrong in [
        Model { layers: 0, ..model() },
        Model { layers: 1, ..model() },
        Model { stages: 0, ..model() },
        Model { stages: 9, layers: 9, ..model() },
        Model { vocabulary: 0, ..model() },
        Model { context: 1, ..model() },
        Model { context: 257, ..model() },
        Model { signal: 0, ..model() },
        Model { signal: 321, ..model() },
        Model { tokens_per_epoch: 0, ..model() },
        Model { tokens_per_epoch: 17, ..model() },
    ] {
        assert!(refused(found(MEMBERS, MEMBERS, wrong.clone(), None, None)), "{wrong:?}");
    }
    let facts = found(7, 6, model(), Some(1), Some(1)).unwrap().facts().unwrap();
    assert_eq!((facts.voters, facts.faults, facts.silent, facts.members.len()), (6, 1, 1, 7));
    assert_eq!((facts.model, facts.clients), (model(), public(CLIENTS)));
    let facts = found(7, 7, model(), Some(1), None).unwrap().facts().unwrap();
    assert_eq!((facts.faults, facts.silent), (1, 1));
}

#[test]
fn a_roster_is_read_from_its_one_encoding() {
    let encoded = roster().encode().unwrap();
    let again = Roster::decode(&encoded, 2_000).unwrap();
    assert_eq!((again.facts().unwrap(), again.encode().unwrap()), (roster().facts().unwrap(), encoded.clone()));
    for wrong in [vec![], [&encoded[..], &[0]].concat(), encoded[1..].to_vec()] {
        assert!(Roster::decode(&wrong, 2_000).is_err());
    }
}

#[test]
fn a_request_must_fit_the_model_and_be_a_clients() {
    let sign = |request| roster().sign_request(keys(CLIENTS[1]), request);
    for wrong in [
        Request { prompt: vec![], ..wish(1, 4) },
        Request { prompt: vec![VOCABULARY], ..wish(1, 4) },
        Request { prompt: vec![0; 61], ..wish(1, 4) },
        Request { prompt: vec![0; 1_000], ..wish(1, 4) },
        wish(1, 0),
        wish(1, 62),
    ] {
        assert!(matches!(sign(wrong.clone()), Err(Error::Malformed { .. })), "{wrong:?}");
    }
    for party in [0, 50] {
        assert!(matches!(roster().sign_request(keys(party), wish(1, 4)), Err(Error::Keys { .. })));
    }
    let signed = sign(wish(3, 4)).unwrap();
    assert_eq!(roster().read_request(&signed).unwrap(), wish(3, 4));
    let forged = altered(&signed, signed.len() - 1);
    assert!(matches!(roster().read_request(&forged), Err(Error::Unproven { .. })));
}

#[test]
fn messages_and_decisions_are_believed_with_their_signatures_only() {
    let table = Table::after(4);
    for kind in ["attest", "vote", "propose"] {
        let (author, message) = table.first(kind);
        let facts = roster().verify_message(&message).unwrap();
        assert_eq!((facts.author, facts.kind.as_str()), (author, kind));
        let forged = altered(&message, message.len() - 1);
        assert!(matches!(roster().verify_message(&forged), Err(Error::Unproven { .. })), "{kind}");
    }
    let decided = &table.commits_of(0)[0].decided;
    assert_eq!(roster().verify_decision(decided).unwrap(), 1);
    assert_eq!(roster().next_sequence(Some(decided.clone()), 0).unwrap(), 2);
    assert_eq!(roster().next_sequence(Some(decided.clone()), 1).unwrap(), 1);
    assert_eq!(roster().next_sequence(None, 0).unwrap(), 1);
    for place in 0..decided.len() {
        assert!(roster().verify_decision(&altered(decided, place)).is_err(), "byte {place}");
        assert!(roster().next_sequence(Some(altered(decided, place)), 0).is_err(), "byte {place}");
    }
}

#[test]
fn first_records_say_who_votes() {
    let found = Roster::found(public(0..5), MEMBERS, public(CLIENTS), model(), None, None, 2_000).unwrap();
    assert_eq!(found.first_record(0).unwrap(), found.first_record(3).unwrap());
    assert_ne!(found.first_record(0).unwrap(), found.first_record(4).unwrap());
    assert_ne!(found.member_name(0).unwrap(), found.member_name(1).unwrap());
    assert_ne!(found.member_name(0).unwrap(), roster().member_name(0).unwrap());
}

#[test]
fn turns_go_round() {
    let leaders: Vec<u8> = (0..8).map(|view| roster().leader(1, view).unwrap()).collect();
    assert_eq!(leaders[..4], leaders[4..]);
    let all: std::collections::BTreeSet<_> = leaders.into_iter().collect();
    assert_eq!(all, (0..MEMBERS).collect());
}

/// Whatever the time of a view, a member asks again within it.
#[test]
fn waiting_times_fit_into_the_first_view() {
    for timeout in [20, 2_000, 60_000] {
        let alone = Roster::found(public([0]), 1, public(CLIENTS), model(), None, None, timeout).unwrap();
        let node = Node::new(alone.clone(), keys(0), Some(alone.first_record(0).unwrap())).unwrap();
        let request = alone.sign_request(keys(CLIENTS[0]), wish(1, 8)).unwrap();
        let (mut waiting, mut set) = (vec![Input::Submit { request }, Input::Start { nonce: Nonce([0; 16]) }], vec![]);
        while let Some(input) = waiting.pop() {
            for output in node.step(input).unwrap().outputs {
                match output {
                    Output::SetTimer { timer, after } => set.push((timer, after)),
                    Output::Compute { work } => {
                        waiting.push(Input::Computed { ticket: work.ticket, output: vec![1] });
                    }
                    _ => {}
                }
            }
        }
        let after =
            |is_meant: fn(&Timer) -> bool| set.iter().find(|(timer, _)| is_meant(timer)).map(|(_, after)| *after);
        assert_eq!(after(|timer| matches!(timer, Timer::View { view: 0, .. })), Some(timeout));
        let again = after(|timer| matches!(timer, Timer::Retransmit)).unwrap();
        assert!(0 < again && again <= timeout.div_ceil(2), "{again} of {timeout}");
    }
}
