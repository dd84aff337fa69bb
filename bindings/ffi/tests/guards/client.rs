//! What clients and nodes say to each other.

use butterfly_ffi::Error;
use butterfly_ffi::client::{
    Answer, Ask, Denial, LastRequest, Standing, decode_answer, decode_ask, decode_last_request, encode_answer,
    encode_ask, encode_last_request,
};
use butterfly_ffi::surface::Role;

use crate::simulation::evidence;
use crate::table::{Table, request};

fn malformed<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Malformed { .. }))
}

#[test]
fn questions_are_read_as_they_were_written() {
    for ask in [
        Ask::Standing,
        Ask::Submit { request: request(1, 4) },
        Ask::Follow { epoch: 1 << 40 },
        Ask::Evidence { number: 300 },
    ] {
        let bytes = encode_ask(ask.clone()).unwrap();
        assert_eq!(decode_ask(&bytes).unwrap(), ask);
        assert!(malformed(decode_ask(&[&bytes[..], &[0]].concat())));
        assert!(malformed(decode_ask(&bytes[..bytes.len() - 1])));
    }
    assert!(malformed(encode_ask(Ask::Submit { request: vec![1] })));
    assert!(malformed(decode_ask(&[9])));
}

#[test]
fn answers_are_read_as_they_were_written() {
    let decided = Table::after(4).commits_of(0)[0].decided.clone();
    let standing = |role, blocked_by, decided| Answer::Standing {
        standing: Standing { epoch: 7, view: 3, role, working: true, blocked_by, decided },
    };
    for answer in [
        standing(Role::Replica, vec![], None),
        standing(Role::Learner, vec![1, 2], Some(decided.clone())),
        standing(Role::Worker, vec![], None),
        Answer::Taken,
        Answer::Refused { reason: Denial::Finished },
        Answer::Told { decided: decided.clone(), tokens: vec![1, 2, 3] },
        Answer::Evidence { evidence: Some(evidence().1) },
        Answer::Evidence { evidence: None },
    ] {
        let bytes = encode_answer(answer.clone()).unwrap();
        assert_eq!(decode_answer(&bytes).unwrap(), answer);
        assert!(malformed(decode_answer(&[&bytes[..], &[0]].concat())));
    }
    assert!(malformed(encode_answer(Answer::Told { decided, tokens: vec![0; 17] })));
    assert!(malformed(encode_answer(Answer::Told { decided: vec![1], tokens: vec![] })));
    assert!(malformed(encode_answer(standing(Role::Replica, vec![], Some(vec![1])))));
    assert!(malformed(encode_answer(Answer::Evidence { evidence: Some(vec![1]) })));
}

#[test]
fn what_a_client_wrote_down_is_read_again() {
    let decided = Table::after(4).commits_of(0)[0].decided.clone();
    for (base, finished) in [(None, false), (Some(decided), true)] {
        let last = LastRequest { request: request(2, 4), base, finished };
        let bytes = encode_last_request(last.clone()).unwrap();
        assert_eq!(decode_last_request(&bytes).unwrap(), last);
        assert!(malformed(decode_last_request(&[&bytes[..], &[0]].concat())));
    }
    let nothing = LastRequest { request: vec![], base: None, finished: false };
    assert!(malformed(encode_last_request(nothing)));
}
