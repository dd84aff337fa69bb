//! Which mutant is noticed where.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::{Resilience, View};

use super::{Case, Layer, Script};
use crate::chain::properties::{DURABLE_BEFORE_VISIBLE, INTEGRITY, READMITTED_BY_NUMBER};
use crate::chain::setting::Parameters;
use crate::conform::Direction;
use crate::inference::{self, setting::Liar};
use crate::liveness::Goal;
use crate::models::chain::{ADMIT, SMALL};
use crate::models::inference::SMALL as ONE_PART;
use crate::models::{Agreement, Subject, Tier};
use crate::records::{Act, Options};
use crate::symbolic::Value;
use crate::world::setting::{Ballot, Delivery, Reports};
use crate::world::{AGREEMENT, CONTRACT, VALIDITY};

const N4_P1: Resilience = Resilience::outside_the_bounds(4, 1, 1);
const N4_P0: Resilience = Resilience::outside_the_bounds(4, 1, 0);
const N7: Resilience = Resilience::outside_the_bounds(7, 2, 1);

/// Four nodes, the last of them faulty, from record to record.
const fn records(resilience: Resilience, schedule: &'static [u8]) -> Subject {
    let agreement = Agreement { resilience, faulty: 1, schedule, symmetry: false, mutant: None };
    Subject::Records { agreement, options: Options { crashes: false, decide: false } }
}

/// Seven nodes, the last two faulty. Names are kept apart: scripts go by them.
const fn seven(schedule: &'static [u8]) -> Subject {
    let agreement = Agreement { resilience: N7, faulty: 2, schedule, symmetry: false, mutant: None };
    Subject::Records { agreement, options: Options { crashes: false, decide: false } }
}

/// Four nodes, each message to each receiver.
const fn receivers(resilience: Resilience, schedule: &'static [u8], delivery: Delivery) -> Subject {
    let agreement = Agreement { resilience, faulty: 1, schedule, symmetry: false, mutant: None };
    Subject::Receivers { agreement, delivery, reports: Reports::Single }
}

const fn chain(parameters: Parameters) -> Subject {
    Subject::Chain(parameters)
}

const fn inference(parameters: inference::setting::Parameters) -> Subject {
    Subject::Inference(parameters)
}

/// Configurations, roughly in the order of what they cost.
pub const ARENAS: &[Subject] = &[
    receivers(N4_P1, &[0], Delivery::Single),
    receivers(N4_P1, &[3], Delivery::Single),
    records(N4_P1, &[0, 0]),
    records(N4_P1, &[0, 3]),
    records(N4_P1, &[3, 0]),
    records(N4_P1, &[3, 3]),
    records(N4_P0, &[0, 3]),
    records(N4_P0, &[3, 3]),
    records(N4_P1, &[3, 3, 3]),
    receivers(N4_P1, &[0, 3], Delivery::Quorum),
    receivers(N4_P1, &[3, 3], Delivery::Quorum),
    records(N4_P0, &[3, 3, 3]),
    chain(SMALL),
    chain(LOST_TWICE),
    chain(TWO_MEMBERS),
    chain(TWO_VALUES),
    chain(THREE_EPOCHS),
    chain(ADMIT),
    inference(ONE_STAGE),
    inference(LIAR_FIRST),
    inference(RESTARTS),
    inference(LIAR_ASKED),
];

const ONE_STAGE: inference::setting::Parameters = ONE_PART;
/// Two stages, of which the liar owns the first, and is no member of the last.
const LIAR_FIRST: inference::setting::Parameters =
    inference::setting::Parameters { stages: 2, liar: Liar::OwnsFirst, schedule: &[3], ..ONE_PART };
/// Members may restart.
const RESTARTS: inference::setting::Parameters = inference::setting::Parameters { restarts: true, ..LIAR_FIRST };

/// The same, and the liar is asked first for what others lack.
const LIAR_ASKED: inference::setting::Parameters = inference::setting::Parameters { liar: Liar::OwnsLast, ..RESTARTS };

/// The leader may show members different values.
const TWO_VALUES: Parameters = Parameters { work: 2, equivocation: true, ..SMALL };
/// A record may be lost twice.
const LOST_TWICE: Parameters = Parameters { draws: 2, ..SMALL };
/// Two members may lose theirs, at a time.
const TWO_MEMBERS: Parameters = Parameters { fallible: 2, together: 2, ..LOST_TWICE };
/// The first with two losses, in three epochs.
const THREE_EPOCHS: Parameters = Parameters { epochs: 3, ..LOST_TWICE };

/// Nodes 0, 1 and 2 lock the first value; the others voted for the second, which
/// is put through in the next view.
const LOCKED: Script = &[
    &[vote(0, X), commit(0, X)],
    &[vote(0, X), commit(0, X), enter(1), vote(1, Y)],
    &[vote(0, X), commit(0, X), enter(1), vote(1, Y)],
    &[vote(0, Y), enter(1), vote(1, Y)],
    &[vote(0, Y), enter(1), vote(1, Y)],
];

/// The same, but nodes 1 and 2 lock when they have left the view.
const LOCKED_LATE: Script = &[
    &[vote(0, X), commit(0, X)],
    &[vote(0, X), enter(1), commit(0, X), vote(1, Y)],
    &[vote(0, X), enter(1), commit(0, X), vote(1, Y)],
    &[vote(0, Y), enter(1), vote(1, Y)],
    &[vote(0, Y), enter(1), vote(1, Y)],
];

/// The same as the first, with a view between in which nothing happens.
const LOCKED_EARLY: Script = &[
    &[vote(0, X), commit(0, X)],
    &[vote(0, X), commit(0, X), enter(1), enter(2), vote(2, Y)],
    &[vote(0, X), commit(0, X), enter(1), enter(2), vote(2, Y)],
    &[vote(0, Y), enter(1), enter(2), vote(2, Y)],
    &[vote(0, Y), enter(1), enter(2), vote(2, Y)],
];

/// Nobody honest locks the first value; the second is decided in the next view,
/// and then a faulty node shows a commit certificate of the first.
const OVERTAKEN: Script = &[
    &[vote(0, X)],
    &[vote(0, X), enter(1), vote(1, Y), enter(2), vote(2, X)],
    &[vote(0, X), enter(1), vote(1, Y), enter(2), vote(2, X)],
    &[vote(0, Y), enter(1), vote(1, Y), enter(2), vote(2, X)],
    &[vote(0, Y), enter(1), vote(1, Y), enter(2), vote(2, X)],
];

/// Mutants that are noticed.
pub const KILLED: &[Case] =
    &[
        // Thresholds.
        invariant(Mutant::SmallFastQuorum, records(N4_P1, &[3, 3]), AGREEMENT, 2).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::LargeFastQuorum, records(N4_P1, &[3, 3]), CONTRACT, 2),
        invariant(Mutant::SmallSlowQuorum, records(N4_P0, &[3, 3]), AGREEMENT, 4).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::LargeSlowQuorum, records(N4_P0, &[3, 3]), CONTRACT, 5).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::LargeCommitQuorum, records(N4_P0, &[3, 3]), CONTRACT, 4).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::SmallViewChangeQuorum, records(N4_P1, &[3, 3]), AGREEMENT, 6),
        invariant(Mutant::LargeEquivocationThreshold, records(N4_P1, &[3, 3]), AGREEMENT, 7)
            .not_in(&[records(N4_P1, &[0, 3]), records(N4_P0, &[3, 3])]),
        invariant(Mutant::SmallProgressQuorum, records(N4_P1, &[3, 3]), AGREEMENT, 6)
            .not_in(&[records(N4_P1, &[3, 0])]),
        // Selecting a value.
        invariant(Mutant::KeepEquivocator, records(N4_P1, &[3, 3]), AGREEMENT, 6)
            .not_in(&[records(N4_P1, &[0, 3]), records(N4_P0, &[3, 3])]),
        invariant(Mutant::ExcludeAlways, records(N4_P1, &[0, 3]), AGREEMENT, 6).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::TooFewWithoutEquivocator, records(N4_P1, &[3, 3]), AGREEMENT, 6)
            .not_in(&[records(N4_P1, &[0, 3]), records(N4_P0, &[3, 3])]),
        invariant(Mutant::AnyAfterEquivocation, records(N4_P1, &[3, 3]), AGREEMENT, 7)
            .not_in(&[records(N4_P1, &[0, 3])]),
        invariant(Mutant::FirstAfterEquivocation, records(N4_P1, &[3, 3]), AGREEMENT, 8)
            .not_in(&[records(N4_P1, &[0, 3]), records(N4_P0, &[3, 3])]),
        invariant(Mutant::SingleVoteIgnored, records(N4_P1, &[3, 3]), AGREEMENT, 6).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::VotesBeforeLock, seven(&[6, 6]), AGREEMENT, 16).by(LOCKED).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::LockAlwaysWins, seven(&[6, 6, 6]), AGREEMENT, 21)
            .by(OVERTAKEN)
            .not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::IgnoreLocks, seven(&[6, 6]), AGREEMENT, 16).by(LOCKED).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::LowestView, records(N4_P1, &[3, 3, 3]), AGREEMENT, 8).not_in(&[records(N4_P1, &[3, 3])]),
        // Leaving a view.
        invariant(Mutant::ForgetVote, records(N4_P1, &[3, 3]), AGREEMENT, 6),
        invariant(Mutant::ForgetOldVote, records(N4_P1, &[3, 3, 3]), AGREEMENT, 8).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::ForgetLock, seven(&[6, 6]), AGREEMENT, 16).by(LOCKED).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::ForgetOldLock, seven(&[6, 6, 6]), AGREEMENT, 20)
            .by(LOCKED_EARLY)
            .not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::StaleReport, records(N4_P1, &[3, 3, 3]), AGREEMENT, 9).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::LateTimer, records(N4_P1, &[3, 3, 3]), AGREEMENT, 10).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::LeaveAfterDecision, receivers(N4_P1, &[0, 3], Delivery::Quorum), CONTRACT, 2),
        invariant(Mutant::ListenAfterDecision, receivers(N4_P1, &[0], Delivery::Single), CONTRACT, 3),
        // Verifying.
        invariant(Mutant::UnsignedVote, records(N4_P1, &[3, 3]), AGREEMENT, 2),
        invariant(Mutant::UncertifiedProposal, records(N4_P1, &[3, 3]), AGREEMENT, 6)
            .not_in(&[records(N4_P1, &[3, 0])]),
        invariant(Mutant::UncertifiedReport, records(N4_P1, &[3, 3, 3]), AGREEMENT, 8)
            .not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::UnsignedReport, records(N4_P1, &[0, 3]), AGREEMENT, 6).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::ShortLock, records(N4_P0, &[3, 3]), AGREEMENT, 9).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::ForeignProposal, receivers(N4_P1, &[0], Delivery::Single), CONTRACT, 2).not_in(&[receivers(
            N4_P1,
            &[3],
            Delivery::Single,
        )]),
        // Voting and deciding.
        invariant(Mutant::VoteTwice, records(N4_P1, &[3, 3]), AGREEMENT, 4),
        invariant(Mutant::VoteInOlderView, records(N4_P1, &[3, 3]), AGREEMENT, 6),
        invariant(Mutant::VoteUnknown, records(N4_P1, &[3, 3]), VALIDITY, 2).not_in(&[records(N4_P1, &[0, 3])]),
        invariant(Mutant::CommitInOlderView, seven(&[6, 6]), AGREEMENT, 16)
            .by(LOCKED_LATE)
            .not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::CountAnyValue, receivers(N4_P1, &[3], Delivery::Single), AGREEMENT, 5).not_in(&[receivers(
            N4_P1,
            &[0],
            Delivery::Single,
        )]),
        invariant(Mutant::CountOnArrival, receivers(N4_P1, &[0, 3], Delivery::Quorum), CONTRACT, 3)
            .not_in(&[receivers(N4_P1, &[3], Delivery::Single)]),
        invariant(Mutant::OldBallotsIgnored, receivers(N4_P1, &[0, 3], Delivery::Quorum), CONTRACT, 3)
            .not_in(&[receivers(N4_P1, &[3], Delivery::Single)]),
        invariant(Mutant::DropOldVotes, receivers(N4_P1, &[0, 3], Delivery::Quorum), CONTRACT, 3).not_in(&[receivers(
            N4_P1,
            &[3],
            Delivery::Single,
        )]),
        invariant(Mutant::NeverDecideFast, records(N4_P1, &[3, 3]), CONTRACT, 2),
        invariant(Mutant::NeverDecideSlow, records(N4_P0, &[3, 3]), CONTRACT, 4).not_in(&[records(N4_P1, &[3, 3])]),
        // Leading.
        invariant(Mutant::ProposeTwice, records(N4_P1, &[0, 3]), AGREEMENT, 4).not_in(&[records(N4_P1, &[3, 3])]),
        invariant(Mutant::AcknowledgeAnything, records(N4_P1, &[3, 3]), AGREEMENT, 6)
            .not_in(&[records(N4_P1, &[3, 0])]),
        invariant(Mutant::AcknowledgeUnheld, records(N4_P1, &[3, 3]), AGREEMENT, 6).not_in(&[records(N4_P1, &[3, 0])]),
        // Blaming.
        invariant(Mutant::BlameReporter, receivers(N4_P1, &[3, 3], Delivery::Quorum), CONTRACT, 4)
            .not_in(&[receivers(N4_P1, &[0, 3], Delivery::Quorum)]),
        invariant(Mutant::BlameAcrossViews, receivers(N4_P1, &[0, 3], Delivery::Quorum), CONTRACT, 6)
            .not_in(&[receivers(N4_P1, &[3, 3], Delivery::Quorum)]),
        invariant(Mutant::BlameRepetition, receivers(N4_P1, &[0], Delivery::Single), CONTRACT, 2),
        // Remembering. A statement that leaves before it is durable breaks the contract in a
        // step or two; what is asked for here is what that leads to.
        restart(Mutant::VoteUnrecorded, records(N4_P1, &[3, 3]), AGREEMENT, 4),
        restart(Mutant::CommitUnrecorded, seven(&[6, 6]), AGREEMENT, 16).by(LOCKED),
        restart(Mutant::ViewUnrecorded, records(N4_P1, &[3, 3]), AGREEMENT, 6),
        restart(Mutant::ProposalUnrecorded, records(N4_P1, &[0, 3]), AGREEMENT, 4),
        restart(Mutant::VoteNotRecalled, records(N4_P0, &[3, 3]), CONTRACT, 3).not_in(&[records(N4_P1, &[3, 3])]),
        restart(Mutant::CommitNotRecalled, records(N4_P0, &[0, 3]), CONTRACT, 4).not_in(&[records(N4_P0, &[3, 3])]),
        invariant(Mutant::ShortQuestion, records(N4_P1, &[3, 3]), AGREEMENT, 6),
        // Against the specification: what is not let, and what is not done.
        refinement(Mutant::SmallCommitQuorum, records(N4_P0, &[3, 3]), 4).not_in(&[records(N4_P1, &[3, 3])]),
        refinement(Mutant::WeakestAfterEquivocation, records(N4_P0, &[3, 3]), 7),
        completeness(Mutant::LargeViewChangeQuorum, records(N4_P1, &[0, 0]), 3),
        completeness(Mutant::SmallEquivocationThreshold, records(N4_P1, &[3, 3]), 1),
        completeness(Mutant::StayOnTimeOut, records(N4_P1, &[0, 0]), 1),
        completeness(Mutant::VoteOnlyOwnValue, records(N4_P1, &[0, 0]), 2),
        completeness(Mutant::VoteOnce, records(N4_P1, &[0, 3]), 4),
        completeness(Mutant::StickyVote, records(N4_P1, &[0, 3]), 5).not_in(&[records(N4_P1, &[0, 0])]),
        completeness(Mutant::StickyLock, records(N4_P0, &[3, 3]), 4).not_in(&[records(N4_P1, &[3, 3])]),
        completeness(Mutant::CommitOnlyOwnVote, records(N4_P0, &[0, 3]), 3).not_in(&[records(N4_P1, &[0, 3])]),
        completeness(Mutant::NeverCommit, records(N4_P0, &[0, 3]), 3).not_in(&[records(N4_P1, &[0, 3])]),
        completeness(Mutant::NeverAsk, records(N4_P1, &[0, 0]), 3).not_in(&[records(N4_P1, &[0, 3])]),
        completeness(Mutant::AskOnlyWhenFree, records(N4_P1, &[0, 0]), 4),
        completeness(Mutant::AskOnlyWhenBound, records(N4_P1, &[0, 0]), 3),
        completeness(Mutant::NeverAcknowledge, records(N4_P1, &[0, 0]), 3),
        completeness(Mutant::ProgressUnrecorded, records(N4_P1, &[3, 3, 3]), 7).not_in(&[records(N4_P1, &[3, 3])]),
        // Computing.
        invariant(Mutant::SmallAttestationQuorum, inference(ONE_STAGE), VALIDITY, 1),
        completeness(Mutant::LargeAttestationQuorum, inference(ONE_STAGE), 3),
        refinement(Mutant::SmallSignalQuorum, inference(LIAR_FIRST), 1).not_in(&[inference(ONE_STAGE)]),
        completeness(Mutant::LargeSignalQuorum, inference(ONE_STAGE), 2),
        completeness(Mutant::NeverStepIn, inference(ONE_STAGE), 1),
        refinement(Mutant::UnassignedReporter, inference(LIAR_FIRST), 3).not_in(&[inference(ONE_STAGE)]),
        refinement(Mutant::PastUnneeded, inference(RESTARTS), 3).not_in(&[inference(LIAR_FIRST)]),
        restart(Mutant::HistoryUnchecked, inference(LIAR_ASKED), CONTRACT, 2),
        completeness(Mutant::AskOneOnly, inference(LIAR_ASKED), 2).not_in(&[inference(RESTARTS)]),
        invariant(Mutant::AttestUncomputed, inference(LIAR_FIRST), CONTRACT, 2),
        refinement(Mutant::AttestAlone, inference(LIAR_FIRST), 2).not_in(&[inference(ONE_STAGE)]),
        completeness(Mutant::NeverAttest, inference(ONE_STAGE), 2),
        refinement(Mutant::UnassignedAttester, inference(LIAR_FIRST), 6).not_in(&[inference(ONE_STAGE)]),
        invariant(Mutant::TokensUnchecked, inference(ONE_STAGE), VALIDITY, 3),
        // Following the chain, and losing a record.
        invariant(Mutant::StaleDecision, chain(TWO_VALUES), AGREEMENT, 10),
        completeness(Mutant::NeverSkip, chain(SMALL), 7),
        invariant(Mutant::UncheckedDecision, chain(SMALL), AGREEMENT, 9),
        invariant(Mutant::UncheckedHeader, chain(TWO_VALUES), DURABLE_BEFORE_VISIBLE, 6).not_in(&[chain(SMALL)]),
        invariant(Mutant::UncheckedState, chain(TWO_VALUES), DURABLE_BEFORE_VISIBLE, 6).not_in(&[chain(SMALL)]),
        refinement(Mutant::NeverApply, chain(SMALL), 1),
        invariant(Mutant::LearnerSigns, chain(TWO_VALUES), AGREEMENT, 5),
        restart(Mutant::RoleUnrecorded, chain(TWO_VALUES), AGREEMENT, 12),
        invariant(Mutant::CatchUpReadmits, chain(TWO_VALUES), AGREEMENT, 11),
        invariant(Mutant::AnyNonce, chain(LOST_TWICE), DURABLE_BEFORE_VISIBLE, 7)
            .not_in(&[chain(SMALL), chain(TWO_VALUES)]),
        invariant(Mutant::AnyMember, chain(TWO_MEMBERS), READMITTED_BY_NUMBER, 5)
            .not_in(&[chain(SMALL), chain(LOST_TWICE)]),
        invariant(Mutant::AnyIncarnation, chain(THREE_EPOCHS), INTEGRITY, 8).not_in(&[chain(SMALL), chain(TWO_VALUES)]),
        refinement(Mutant::FirstIncarnation, chain(LOST_TWICE), 5).not_in(&[chain(SMALL)]),
        restart(Mutant::HeadUnrecorded, chain(TWO_VALUES), AGREEMENT, 11),
        invariant(Mutant::PayloadUnrecorded, chain(SMALL), DURABLE_BEFORE_VISIBLE, 1),
        invariant(Mutant::DecisionUnrecorded, chain(SMALL), CONTRACT, 3),
        // Changing the roster.
        invariant(Mutant::EnterAsReplica, chain(ADMIT), READMITTED_BY_NUMBER, 5),
        refinement(Mutant::GoOnWhenOver, chain(ADMIT), 4),
        // What must happen in the end.
        liveness(Mutant::WaitForLast, records(N4_P1, &[3, 0]), Goal::NoTrap, 0),
    ];

/// Mutants that nothing can notice, each with a proof.
pub const EQUIVALENT: &[(Mutant, &str)] = &[
    (
        Mutant::LargeProgressQuorum,
        "f + 2 acknowledgements can be had wherever f + 1 can. Whatever reports justify a value, n - f or more \
         replicas made them, and an honest one among those acknowledges when it is asked. If only honest ones did, \
         n - f >= 2f + 1 >= f + 2 acknowledge; if k <= f faulty ones did, n - f - k >= f + 1 honest ones do, and a \
         faulty one that helped with its report can help with its acknowledgement. And when no faulty one helps, the \
         n - f honest ones that reach the view are enough.",
    ),
    (
        Mutant::VotedViewsOnly,
        "A commit certificate of view w never lies above every reported vote. It holds a slow quorum of votes, and \
         n - f replicas report: at least (n + f + 1) / 2 - f of them voted in w, and (n - 3f + 1) / 2 >= 1 of those \
         are honest. An honest one reports its highest vote, which is of w or higher. So the highest view among the \
         votes is the highest of all.",
    ),
    (
        Mutant::AcknowledgeUnknown,
        "All that the protocol takes from a progress certificate is that the reports of n - f replicas justify the \
         value. An acknowledgement says just that, and it is true whether or not the value is known. Whoever votes \
         for the value, or uses a report that names it, sees for itself that it is known. So no step becomes possible \
         that the specification does not have, and none becomes impossible. If nobody honest knows the value, nobody \
         votes for it, as if its leader had been silent.",
    ),
];

const X: Value = Value::VALID[0];
const Y: Value = Value::VALID[1];

const fn vote(view: u32, value: Value) -> Act {
    Act::Vote(Ballot { view: View(view), value })
}

const fn commit(view: u32, value: Value) -> Act {
    Act::Commit(Ballot { view: View(view), value })
}

const fn enter(view: u32) -> Act {
    Act::EnterView(View(view))
}

const fn invariant(mutant: Mutant, killed_in: Subject, property: &'static str, steps: usize) -> Case {
    Case {
        mutant,
        tier: Tier::Always,
        layer: Layer::Invariant,
        survives: &[],
        killed_in,
        script: None,
        property,
        steps,
    }
}

/// Held against the specification.
const fn refinement(mutant: Mutant, killed_in: Subject, steps: usize) -> Case {
    Case { layer: Layer::Refinement, ..invariant(mutant, killed_in, Direction::Refinement.name(), steps) }
}

/// The same in the other direction.
const fn completeness(mutant: Mutant, killed_in: Subject, steps: usize) -> Case {
    Case { layer: Layer::Completeness, ..invariant(mutant, killed_in, Direction::Completeness.name(), steps) }
}

/// By what must happen in the end.
const fn liveness(mutant: Mutant, killed_in: Subject, goal: Goal, steps: usize) -> Case {
    Case { layer: Layer::Liveness, ..invariant(mutant, killed_in, goal.name(), steps) }
}

const fn restart(mutant: Mutant, killed_in: Subject, property: &'static str, steps: usize) -> Case {
    Case { layer: Layer::Restart, ..invariant(mutant, killed_in, property, steps) }
}

impl Case {
    /// Only along `script`.
    const fn by(self, script: Script) -> Case {
        Case { script: Some(script), ..self }
    }

    /// It survives in `subjects`.
    const fn not_in(self, subjects: &'static [Subject]) -> Case {
        Case { survives: subjects, ..self }
    }
}
