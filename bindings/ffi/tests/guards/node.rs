//! What a node hears from its host and from others.

use std::collections::VecDeque;

use butterfly_ffi::Error;
use butterfly_ffi::message::read_message;
use butterfly_ffi::node::Node;
use butterfly_ffi::packed::{pack_inputs, unpack_steps};
use butterfly_ffi::surface::{Input, Nonce, Output, Refusal, Role, Timer};

use crate::table::{CLIENTS, MEMBERS, Table, altered, keys, member, request, roster};

fn receive(node: &Node, message: Vec<u8>) -> Option<Refusal> {
    let before = (node.record().unwrap(), node.status().unwrap());
    let step = node.step(Input::Receive { message }).unwrap();
    if step.refusal.is_some() {
        assert!(step.outputs.is_empty());
        assert_eq!((node.record().unwrap(), node.status().unwrap()), before, "what is refused changes nothing");
    }
    step.refusal
}

#[test]
fn only_a_member_has_a_node_and_only_with_a_record_of_its_own() {
    let record = roster().first_record(0).unwrap();
    for party in [MEMBERS, CLIENTS[0]] {
        assert!(matches!(Node::new(roster(), keys(party), Some(record.clone())), Err(Error::Keys { .. })));
    }
    for wrong in [vec![], vec![9], [&record[..], &[0]].concat()] {
        assert!(matches!(Node::new(roster(), keys(0), Some(wrong)), Err(Error::Malformed { .. })));
    }
    let worker = [2, 0];
    assert!(Node::new(roster(), keys(0), Some(worker.to_vec())).is_err());
    // Without one it is a learner, which says so.
    assert_eq!(Node::new(roster(), keys(0), None).unwrap().status().unwrap().role, Role::Learner);
}

#[test]
fn a_frame_is_taken_whole_or_not_at_all() {
    let (one, other) = (member(0), member(0));
    let start = Input::Start { nonce: Nonce([7; 16]) };
    let inputs = vec![start, Input::Submit { request: request(1, 4) }, Input::Timer { timer: Timer::Retransmit }];
    let frame = pack_inputs(inputs.clone()).unwrap();
    for wrong in [vec![], frame[..frame.len() - 1].to_vec(), [&frame[..], &[0]].concat(), vec![0x81, 0]] {
        assert!(matches!(one.step_packed(&wrong), Err(Error::Malformed { .. })), "{wrong:?}");
    }
    let steps = unpack_steps(&one.step_packed(&frame).unwrap()).unwrap();
    let typed: Vec<_> = inputs.into_iter().map(|input| other.step(input).unwrap()).collect();
    assert_eq!(steps, typed, "both surfaces say the same, and nothing of a wrong frame was taken");
    assert!(steps[1].outputs.iter().any(|output| matches!(output, Output::Send { .. })));
}

#[test]
fn forged_messages_are_refused_before_the_kernel_sees_them() {
    let mut table = Table::adding(1);
    table.deaf = Some(3);
    table.submit(&request(1, 4));
    table.settle();
    let deaf = &table.nodes[3];
    let (_, message) = table.held[0].clone();
    assert_eq!(receive(deaf, altered(&message, message.len() - 1)), Some(Refusal::Signature));
    assert_eq!(receive(deaf, [&message[..], &[0]].concat()), Some(Refusal::TrailingBytes));
    assert_eq!(receive(deaf, message[..message.len() - 1].to_vec()), Some(Refusal::Malformed));
    let mut stranger = message.clone();
    stranger[0] = 9;
    assert_eq!(receive(deaf, stranger), Some(Refusal::Stranger));
    assert_eq!(receive(deaf, message.clone()), None);
    assert!(receive(deaf, message).is_some(), "it is known");
}

#[test]
fn what_nobody_listens_to_any_more_costs_no_signature() {
    let table = Table::after(8);
    let (_, vote) = table.first("vote");
    // Its time is over, which is found out first.
    assert_eq!(receive(&table.nodes[3], altered(&vote, vote.len() - 1)), Some(Refusal::Stale));
}

#[test]
fn requests_of_nobody_are_refused() {
    let node = member(0);
    let refusal = |request: Vec<u8>| node.step(Input::Submit { request }).unwrap().refusal;
    let request = request(1, 4);
    assert_eq!(refusal(altered(&request, request.len() - 1)), Some(Refusal::Signature));
    assert_eq!(refusal([&request[..], &[0]].concat()), Some(Refusal::TrailingBytes));
    assert_eq!(refusal(vec![]), Some(Refusal::Malformed));
    assert_eq!(refusal(request), None);
}

#[test]
fn work_is_taken_once_and_only_from_whom_it_was_asked() {
    let node = member(0);
    node.step(Input::Start { nonce: Nonce([0; 16]) }).unwrap();
    let step = node.step(Input::Submit { request: request(1, 4) }).unwrap();
    let work = |output: &Output| if let Output::Compute { work } = output { Some(work.clone()) } else { None };
    let work = step.outputs.iter().find_map(work).expect("the first stage has all that it takes");
    let computed = |ticket, output: Vec<u8>| node.step(Input::Computed { ticket, output }).unwrap().refusal;
    assert_eq!(computed(work.ticket + 1_000, vec![1]), Some(Refusal::OtherRun));
    assert_eq!(computed(work.ticket, vec![0; 10_000]), Some(Refusal::Invalid));
    // It is still waited for.
    assert_eq!(computed(work.ticket, vec![1]), None);
    assert_eq!(computed(work.ticket, vec![1]), Some(Refusal::OtherRun));
}

/// What comes before its time is kept until then: a member that hears everything
/// in reverse decides what the others decided, and need not ask.
#[test]
fn what_comes_too_early_is_kept() {
    let mut table = Table::adding(1);
    // Not who must propose, in either epoch.
    let deaf = (roster().leader(1, 0).unwrap() + 2) % MEMBERS;
    table.deaf = Some(deaf);
    table.submit(&request(1, 8));
    table.settle_without_some();
    let decided = table.commits_of((deaf + 1) % MEMBERS);
    assert_eq!((decided.len(), table.commits_of(deaf).len()), (2, 0));
    // Nobody tells it what was decided.
    table.held.retain(|(_, message)| read_message(message).unwrap().kind != "decided");
    let (mut commits, mut early) = (Vec::new(), 0);
    let held = std::mem::take(&mut table.held).into_iter().rev();
    let mut inputs: VecDeque<Input> = held.map(|(_, message)| Input::Receive { message }).collect();
    while let Some(input) = inputs.pop_front() {
        let step = table.nodes[usize::from(deaf)].step(input).unwrap();
        early += usize::from(step.refusal == Some(Refusal::Early));
        for output in step.outputs {
            match output {
                Output::Compute { work } => inputs.push_front(table.compute(&work)),
                Output::Commit { commit } => commits.push(commit.tokens),
                _ => {}
            }
        }
    }
    assert!(early > 0, "nothing came too early: this shows nothing");
    assert_eq!(commits, decided.into_iter().map(|commit| commit.tokens).collect::<Vec<_>>());
}

#[test]
fn a_liar_falsifies_its_own_words_only() {
    let table = Table::after(4);
    let (author, attestation) = table.first("attest");
    let (liar, other) = (&table.nodes[usize::from(author)], &table.nodes[usize::from((author + 1) % MEMBERS)]);
    let lie = liar.falsify(&attestation).unwrap();
    assert_ne!(lie, attestation);
    assert_eq!(roster().verify_message(&lie).unwrap().author, author, "it is signed");
    assert_eq!(other.falsify(&attestation).unwrap(), attestation);
    assert!(matches!(liar.falsify(&[1, 2]), Err(Error::Malformed { .. })));
    let (voter, vote) = table.first("vote");
    assert_eq!(table.nodes[usize::from(voter)].falsify(&vote).unwrap(), vote);
}
