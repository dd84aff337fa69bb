//! Rosters.

use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::types::{
    MAX_CLIENTS, MAX_CONTEXT, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, MAX_VOTERS, Resilience,
};

use crate::Roster;
use crate::damage::{encode, encodings, replace};
use crate::story::{Story, public, roster};
use crate::vector::{Reason, Shape, Vector, Verdict};

/// Rosters, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let accepted = Vector::accepted("roster", Shape::Roster, "The cluster of these vectors.", encode(&roster()));
    let damaged = encodings(&accepted, &story.cluster);
    let largest = Vector::accepted("roster_largest", Shape::Roster, "Every list is full.", encode(&largest()));
    let mut vectors = vec![accepted, largest];
    vectors.extend(damaged);
    vectors.extend(resilience());
    vectors.extend(contents());
    vectors
}

/// Sixteen members, eight clients, a model of the largest numbers.
fn largest() -> Roster {
    let key = |number: usize| public(&ed25519_dalek::SigningKey::from_bytes(&[number as u8 + 1; 32]));
    let mut roster = roster();
    roster.resilience = Resilience::largest(MAX_VOTERS).expect("as many as may vote");
    roster.members = (0..MAX_VOTERS).map(key).collect();
    roster.clients = (0..MAX_CLIENTS).map(|client| key(100 + client)).collect();
    roster.model.stages = MAX_STAGES as u8;
    roster.model.context = MAX_CONTEXT as u16;
    roster.model.vocabulary = u8::MAX;
    roster.model.signal = MAX_SIGNAL as u16;
    roster.model.tokens_per_epoch = MAX_TOKENS_PER_EPOCH as u8;
    roster
}

/// Numbers of members and faults that cannot be: refused as they are read.
fn resilience() -> Vec<Vector> {
    let roster = roster();
    let genuine = encode(&(roster.resilience, &roster.members));
    let numbers = |n: u8, f: u8, p: u8| [&[n, f, p], &genuine[3..]].concat();
    let refused = |name, about, n, f, p| {
        let bytes = replace(&encode(&roster), &genuine, &numbers(n, f, p));
        Vector::refused(name, Shape::Roster, about, (Reason::OutOfBounds, Verdict::Malformed), bytes)
    };
    vec![
        refused("roster_too_many_faults", "Two faults need seven members.", 4, 2, 0),
        refused("roster_fast_path_too_wide", "Two silent members on the fast path need six.", 4, 1, 2),
        refused("roster_nobody", "No members.", 0, 0, 0),
        refused("roster_too_many_voters", "Seventeen voters.", 17, 1, 0),
    ]
}

fn contents() -> Vec<Vector> {
    let refused = |name, about, verdict, alter: &dyn Fn(&mut Roster)| {
        let mut roster = roster();
        alter(&mut roster);
        Vector::refused(name, Shape::Roster, about, verdict, encode(&roster))
    };
    let model = (Reason::OutOfBounds, Verdict::Model);
    vec![
        refused(
            "roster_missing_member",
            "Three keys for four members.",
            (Reason::Mismatch, Verdict::Members),
            &|roster| {
                roster.members.truncate(3);
            },
        ),
        refused("roster_no_client", "No client.", (Reason::Empty, Verdict::Clients), &|roster| roster.clients.clear()),
        refused(
            "roster_repeated_key",
            "A client with a member's key.",
            (Reason::RepeatedKey, Verdict::RepeatedKey),
            &|roster| {
                roster.clients[0] = PublicKey(roster.members[0].0);
            },
        ),
        refused("roster_no_stage", "A model without stages.", model, &|roster| roster.model.stages = 0),
        refused("roster_too_many_stages", "A model of nine stages.", model, &|roster| {
            roster.model.stages = MAX_STAGES as u8 + 1;
        }),
        refused("roster_context_too_long", "A context of 257.", model, &|roster| {
            roster.model.context = MAX_CONTEXT as u16 + 1;
        }),
        refused("roster_signal_too_long", "Signals of 321 bytes.", model, &|roster| {
            roster.model.signal = MAX_SIGNAL as u16 + 1;
        }),
    ]
}
