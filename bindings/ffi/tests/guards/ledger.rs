//! What a client takes for decided.

use butterfly_ffi::Error;
use butterfly_ffi::ledger::Ledger;
use butterfly_ffi::surface::Commit;

use crate::table::{CLIENTS, Table, altered, keys, request, roster, wish};

const TOKENS: u16 = 8;

/// Two epochs with the answer to the first request.
fn decided() -> Vec<Commit> {
    let commits = Table::after(TOKENS).commits_of(0);
    assert_eq!(commits.len(), 2);
    commits
}

#[test]
fn an_answer_is_put_together_in_whatever_order_and_proven() {
    let commits = decided();
    let ledger = Ledger::new(roster(), &request(1, TOKENS), None).unwrap();
    assert_eq!(ledger.next_epoch().unwrap(), 1);
    assert_eq!(ledger.proof().unwrap(), None);
    assert!(ledger.add(&commits[1].decided, &commits[1].tokens).unwrap().is_empty());
    assert!(!ledger.is_complete().unwrap());
    let whole = ledger.add(&commits[0].decided, &commits[0].tokens).unwrap();
    assert_eq!(whole, (4..12).collect::<Vec<u8>>());
    assert!(ledger.is_complete().unwrap());
    assert_eq!((ledger.tokens().unwrap(), ledger.next_epoch().unwrap()), (whole.clone(), 3));
    // Again is nothing new.
    assert!(ledger.add(&commits[0].decided, &commits[0].tokens).unwrap().is_empty());
    let proof = ledger.proof().unwrap().unwrap();
    let proven = roster().verify_proof(&proof).unwrap();
    assert_eq!((proven.tokens, proven.committed, proven.first_epoch, proven.last_epoch), (whole, 0, 1, 2));
    for place in 0..proof.len() {
        assert!(roster().verify_proof(&altered(&proof, place)).is_err(), "byte {place}");
    }
}

#[test]
fn tokens_that_were_not_decided_are_dropped() {
    let [first, _] = &decided()[..] else { panic!() };
    let ledger = Ledger::new(roster(), &request(1, TOKENS), None).unwrap();
    for wrong in [vec![], vec![4, 5, 6], vec![4, 5, 6, 8], vec![0; 17]] {
        assert!(ledger.add(&first.decided, &wrong).unwrap().is_empty(), "{wrong:?}");
    }
    assert_eq!(ledger.next_epoch().unwrap(), 1);
    assert_eq!(ledger.add(&first.decided, &first.tokens).unwrap(), first.tokens);
}

#[test]
fn a_decision_that_is_not_genuine_is_refused() {
    let [first, second] = &decided()[..] else { panic!() };
    let ledger = Ledger::new(roster(), &request(1, TOKENS), None).unwrap();
    let last = first.decided.len();
    for place in 0..last {
        let altered = altered(&first.decided, place);
        assert!(ledger.add(&altered, &first.tokens).is_err(), "byte {place}");
        assert!(Ledger::new(roster(), &request(1, TOKENS), Some(altered)).is_err(), "byte {place}");
    }
    // Two values in one epoch, each with a certificate: all members are faulty.
    ledger.add(&first.decided, &first.tokens).unwrap();
    let mut others = Table::adding(2);
    others.submit(&request(1, TOKENS));
    others.settle();
    let other = &others.commits_of(0)[0];
    roster().verify_decision(&other.decided).unwrap();
    let refused = ledger.add(&other.decided, &other.tokens).unwrap_err();
    assert!(matches!(&refused, Error::Unproven { reason } if reason.contains("two values")), "{refused}");
    assert_eq!(ledger.add(&second.decided, &second.tokens).unwrap(), second.tokens);
}

#[test]
fn a_request_that_nobody_signed_has_no_ledger() {
    let signed = request(1, TOKENS);
    let forged = altered(&signed, signed.len() - 1);
    assert!(matches!(Ledger::new(roster(), &forged, None), Err(Error::Unproven { .. })));
    assert!(matches!(Ledger::new(roster(), &[], None), Err(Error::Malformed { .. })));
}

#[test]
fn what_was_committed_before_the_base_is_known() {
    let [first, second] = &decided()[..] else { panic!() };
    let ledger = Ledger::new(roster(), &request(1, TOKENS), Some(first.decided.clone())).unwrap();
    assert_eq!((ledger.tokens().unwrap(), ledger.next_epoch().unwrap()), (first.tokens.clone(), 2));
    assert_eq!(ledger.add(&second.decided, &second.tokens).unwrap(), second.tokens);
    let proven = roster().verify_proof(&ledger.proof().unwrap().unwrap()).unwrap();
    assert_eq!((proven.committed, proven.tokens, proven.first_epoch), (4, second.tokens.clone(), 2));
}

/// Epochs with other requests are stepped over, and are no part of the proof.
#[test]
fn an_answer_may_begin_late() {
    let mut table = Table::after(4);
    let second = roster().sign_request(keys(CLIENTS[1]), wish(1, 4)).unwrap();
    table.submit(&second);
    table.settle();
    let commits = table.commits_of(0);
    let ledger = Ledger::new(roster(), &second, None).unwrap();
    assert!(ledger.add(&commits[0].decided, &commits[0].tokens).unwrap().is_empty());
    assert_eq!(ledger.add(&commits[1].decided, &commits[1].tokens).unwrap(), commits[1].tokens);
    let proven = roster().verify_proof(&ledger.proof().unwrap().unwrap()).unwrap();
    assert_eq!((proven.client, proven.first_epoch, proven.last_epoch), (1, 2, 2));
}
