//! Rosters.

use butterfly_kernel::assignment::{
    Flow, LayerSet, Layers, Links, MAX_FLOW_BYTES, MAX_LAYERS, MAX_LINK, Profile, Strategy,
};
use butterfly_kernel::cluster::Assignment;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::types::{
    MAX_CLIENTS, MAX_CONTEXT, MAX_MEMBERS, MAX_OPERATORS, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, MAX_VOTERS,
    Resilience,
};

use crate::Roster;
use crate::damage::{encode, encodings, replace};
use crate::story::{Story, VOTERS, public, roster};
use crate::vector::{Reason, Shape, Vector, Verdict};

/// Rosters, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let accepted = Vector::accepted("roster", Shape::Roster, "The cluster of these vectors.", encode(&roster()));
    let damaged = encodings(&accepted, &story.cluster);
    let largest = Vector::accepted("roster_largest", Shape::Roster, "Every list is full.", encode(&largest()));
    let without = "Four voters and no worker, which take turns at two layers.";
    let without = Vector::accepted("roster_without_workers", Shape::Roster, without, encode(&without_workers()));
    let mut vectors = vec![accepted, without, largest];
    vectors.extend(damaged);
    vectors.extend(resilience());
    vectors.extend(contents());
    vectors.extend(assignments());
    vectors
}

/// Sixteen voters and forty-eight workers, eight clients, a model of the
/// largest numbers: a chain of layers with as many that skip layers.
fn largest() -> Roster {
    let key = |number: usize| public(&ed25519_dalek::SigningKey::from_bytes(&[number as u8 + 1; 32]));
    let skip = |from: u8| 1 + u8::from(from < 62) + u8::from(from < 3);
    let flows = (0..MAX_LAYERS as u8 - 1)
        .flat_map(|from| (1..=skip(from)).map(move |far| Flow { from, to: from + far, bytes: MAX_FLOW_BYTES }));
    let mut roster = roster();
    roster.resilience = Resilience::largest(MAX_VOTERS).expect("as many as may vote");
    roster.members = (0..MAX_MEMBERS).map(key).collect();
    roster.clients = (0..MAX_CLIENTS).map(|client| key(100 + client)).collect();
    roster.operators = (0..MAX_OPERATORS).map(|operator| key(150 + operator)).collect();
    roster.model.stages = MAX_STAGES as u8;
    roster.model.context = MAX_CONTEXT as u16;
    roster.model.vocabulary = u8::MAX;
    roster.model.signal = MAX_SIGNAL as u16;
    roster.model.tokens_per_epoch = MAX_TOKENS_PER_EPOCH as u8;
    roster.model.checkpoint_interval = u16::MAX;
    let profile = Profile { speed: u32::MAX, zone: u8::MAX, holds: LayerSet::ALL };
    roster.assignment = Assignment {
        strategy: Strategy::Hybrid,
        layers: Layers { work: [u32::MAX; MAX_LAYERS].into(), flows: flows.collect(), joined: LayerSet::run(1..8) },
        profiles: (0..MAX_MEMBERS).map(|_| profile).collect(),
        links: Links { within: MAX_LINK, between: MAX_LINK },
    };
    assert!(roster.assignment.layers.flows.is_full(), "every list is full");
    roster
}

/// The four voters alone, in turn.
fn without_workers() -> Roster {
    let mut roster = roster();
    roster.members.truncate(usize::from(VOTERS));
    roster.assignment = Assignment::in_turn(usize::from(VOTERS), 2).expect("a model may have two layers");
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
        Vector::refused(
            "roster_too_many_members",
            Shape::Roster,
            "Sixty-five members.",
            (Reason::TooManyElements, Verdict::Malformed),
            replace(&encode(&roster), &encode(&roster.members), &encode(&vec![&roster.members[0]; MAX_MEMBERS + 1])),
        ),
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
            "Three keys for four voters.",
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
        refused(
            "roster_operator_is_member",
            "An operator with a member's key.",
            (Reason::RepeatedKey, Verdict::RepeatedKey),
            &|roster| {
                roster.operators[0] = PublicKey(roster.members[0].0);
            },
        ),
        refused("roster_no_stage", "A model without stages.", model, &|roster| roster.model.stages = 0),
        refused("roster_too_many_stages", "A model of nine stages.", model, &|roster| {
            roster.model.stages = MAX_STAGES as u8 + 1;
        }),
        refused("roster_context_too_long", "A context of 257.", model, &|roster| {
            roster.model.context = MAX_CONTEXT as u16 + 1;
        }),
        refused("roster_no_checkpoint", "Checkpoints after no token.", model, &|roster| {
            roster.model.checkpoint_interval = 0;
        }),
        refused("roster_signal_too_long", "Signals of 321 bytes.", model, &|roster| {
            roster.model.signal = MAX_SIGNAL as u16 + 1;
        }),
    ]
}

/// Facts from which nobody can tell who runs which layers.
fn assignments() -> Vec<Vector> {
    let refused = |name, about, verdict, alter: &dyn Fn(&mut Assignment)| {
        let mut roster = roster();
        alter(&mut roster.assignment);
        Vector::refused(name, Shape::Roster, about, verdict, encode(&roster))
    };
    let bounds = (Reason::OutOfBounds, Verdict::Placement);
    let mismatch = (Reason::Mismatch, Verdict::Placement);
    vec![
        refused(
            "roster_missing_profile",
            "Four profiles for five members.",
            (Reason::Mismatch, Verdict::Profiles),
            &|facts| facts.profiles.truncate(4),
        ),
        refused("roster_no_layer", "A model without layers.", (Reason::Empty, Verdict::Placement), &|facts| {
            facts.layers.work.clear();
            facts.layers.flows.clear();
        }),
        refused("roster_flow_nowhere", "A flow to layer 4 of four.", mismatch, &|facts| facts.layers.flows[2].to = 4),
        refused("roster_flow_backwards", "A flow from a layer to itself.", mismatch, &|facts| {
            facts.layers.flows[1].to = 1;
        }),
        refused("roster_flow_repeated", "One flow twice.", (Reason::RepeatedKey, Verdict::Placement), &|facts| {
            facts.layers.flows[1] = facts.layers.flows[0];
        }),
        refused("roster_flow_of_nothing", "A flow of no bytes.", bounds, &|facts| facts.layers.flows[0].bytes = 0),
        refused("roster_layers_apart", "Nothing flows into the last layer.", mismatch, &|facts| {
            facts.layers.flows.truncate(2);
        }),
        refused("roster_first_layer_joined", "The first layer is joined to none.", mismatch, &|facts| {
            facts.layers.joined = LayerSet::run(0..1);
        }),
        refused("roster_layers_inseparable", "Two stages of layers that may not be parted.", mismatch, &|facts| {
            facts.layers.joined = LayerSet::run(1..4);
        }),
        refused("roster_link_too_dear", "A link that costs more than may be.", bounds, &|facts| {
            facts.links.between = MAX_LINK + 1;
        }),
        refused("roster_too_few_able_members", "Two members can run anything, three must.", bounds, &|facts| {
            facts.profiles.iter_mut().take(3).for_each(|profile| profile.speed = 0);
        }),
    ]
}
