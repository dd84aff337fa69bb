//! Durable before visible: each row of the table in `butterfly_kernel::node`.
//!
//! The harness holds everything that a member signs or hands out against its
//! disk at that moment. A run in which every row matters passes; with one row
//! taken out of the kernel the same run fails, and for that row's reason.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cluster::byzantine::Behaviour;
use crate::cluster::{Action, Network, Plan, TestCluster, World, request};
use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::machine::Transmission;
use butterfly_kernel::message::Kind;
use butterfly_kernel::types::Resilience;

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const SECOND: u64 = 1_000_000;

/// Four members without a fast path.
fn four() -> TestCluster {
    Plan { resilience: Resilience::new(4, 1, 0).unwrap(), stages: 2, tokens_per_epoch: 2, ..Plan::of(4) }.cluster()
}

/// One of the four is silent: every epoch needs commits, and those that it
/// leads a view change.
fn run(mutant: Option<Mutant>) -> World {
    let mut cluster = four();
    cluster.rules.mutant = mutant;
    let mut world = World::with(cluster, 5, Network::CALM);
    world.behave(3, Behaviour::Silent);
    let asked = request(&world.cluster, 1, &PROMPT, 16);
    world.submit(0, asked);
    assert!(world.run(300 * SECOND, |world| world.all_committed(8)));
    world.assert_agreement();
    world
}

/// With `mutant` the run must end in a complaint that contains `complaint`.
fn caught(mutant: Mutant, complaint: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(run(Some(mutant)))));
    let panic = outcome.expect_err("nobody noticed");
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or_default();
    assert!(said.contains(complaint), "another complaint: {said}");
}

#[test]
fn with_every_row_in_place_nobody_complains_and_every_row_is_used() {
    let world = run(None);
    for kind in [Kind::Propose, Kind::Vote, Kind::Commit, Kind::ViewChange, Kind::CertAck] {
        assert!(world.sent.keys().any(|(sent, how)| (*sent, *how) == (kind, Transmission::First)), "{}", kind.name());
    }
    assert!(world.members[0].commits.iter().any(|commit| commit.view.0 > 0), "some value was decided in a later view");
}

#[test]
fn a_vote_is_durable_before_it_is_sent() {
    caught(Mutant::VoteUnrecorded, "says what is not durable: Vote");
}

#[test]
fn the_payload_of_a_vote_is_durable_before_it_is_sent() {
    caught(Mutant::PayloadUnrecorded, "says what is not durable");
}

#[test]
fn the_progress_certificate_of_a_proposal_is_durable_before_it_is_sent() {
    caught(Mutant::ProgressUnrecorded, "says what is not durable: Propose");
}

#[test]
fn a_commit_certificate_is_durable_before_the_commit_is_sent() {
    caught(Mutant::CommitUnrecorded, "says what is not durable: Commit");
}

#[test]
fn a_view_is_durable_before_its_view_change_is_sent() {
    caught(Mutant::ViewUnrecorded, "says what is not durable: ViewChange");
}

#[test]
fn a_proposal_is_durable_before_it_is_sent() {
    caught(Mutant::ProposalUnrecorded, "says what is not durable: Propose");
}

#[test]
fn the_decision_of_the_epoch_before_is_durable_before_anything_is_signed() {
    caught(Mutant::HeadUnrecorded, "before the one before is durable");
}

#[test]
fn a_decision_is_durable_before_it_is_handed_out() {
    caught(Mutant::DecisionUnrecorded, "before it is durable");
}

/// What the rows are for: whatever is lost in a crash was not said.
#[test]
fn members_that_crash_after_any_output_never_contradict_themselves() {
    for outputs in 0..12 {
        for member in 0..3 {
            let mut world = World::with(four(), 5, Network::CALM);
            for blow in 0..20 {
                let time = (1 + blow) * 40_000;
                world.at(time, member, Action::CrashInStep(outputs));
                world.at(time + 20_000, member, Action::Restart);
            }
            let asked = request(&world.cluster, 1, &PROMPT, 16);
            world.submit((member + 1) % 3, asked);
            assert!(world.run(300 * SECOND, |world| world.all_committed(8)), "{outputs} outputs of {member}");
            world.assert_agreement();
            assert!(world.accused().is_empty());
        }
    }
}
