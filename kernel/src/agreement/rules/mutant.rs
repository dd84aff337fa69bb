//! The seeded departures, each with what is wrong in a line.

/// The list once, as a type and as a table.
macro_rules! mutants {
    ($($(#[doc = $about:literal])+ $name:ident,)+) => {
        /// A single guard, quorum, record or rule of the protocol that is bent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(not(feature = "checker"), allow(dead_code, reason = "only a checker can choose one"))]
        pub enum Mutant {
            $($(#[doc = $about])+ $name,)+
        }

        #[cfg(feature = "checker")]
        impl Mutant {
            /// Every one, in the order of the source.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$name,)+];

            /// What is wrong.
            pub fn about(self) -> &'static str {
                match self {
                    $(Mutant::$name => concat!($($about),+).trim_start(),)+
                }
            }
        }
    };
}

mutants! {
    // Thresholds.
    /// One vote less decides.
    SmallFastQuorum,
    /// One vote more is needed to decide.
    LargeFastQuorum,
    /// One vote less locks, one commit less decides.
    SmallSlowQuorum,
    /// One vote more is needed to lock, one commit more to decide.
    LargeSlowQuorum,
    /// One commit less decides.
    SmallCommitQuorum,
    /// One commit more is needed to decide.
    LargeCommitQuorum,
    /// A decision waits for the word of the last member.
    WaitForLast,
    /// A leader needs one report less.
    SmallViewChangeQuorum,
    /// A leader needs one report more.
    LargeViewChangeQuorum,
    /// After an equivocation one vote less binds.
    SmallEquivocationThreshold,
    /// After an equivocation it takes one vote more to bind.
    LargeEquivocationThreshold,
    /// One acknowledgement less justifies a proposal.
    SmallProgressQuorum,
    /// One acknowledgement more is needed to justify a proposal.
    LargeProgressQuorum,

    // Selecting a value.
    /// A leader that equivocated is not left out when a new leader selects.
    KeepEquivocator,
    /// The report of the highest view's leader is left out although it did not equivocate.
    ExcludeAlways,
    /// Without the leader that equivocated, fewer than n - f reports are enough.
    TooFewWithoutEquivocator,
    /// After an equivocation nothing binds.
    AnyAfterEquivocation,
    /// After an equivocation the value reported first binds, whatever its support.
    FirstAfterEquivocation,
    /// After an equivocation the least supported value with enough votes binds.
    WeakestAfterEquivocation,
    /// A value that only one replica voted for does not bind.
    SingleVoteIgnored,
    /// Votes outweigh a commit certificate of the same view.
    VotesBeforeLock,
    /// A commit certificate outweighs votes of a higher view.
    LockAlwaysWins,
    /// Reported commit certificates do not count.
    IgnoreLocks,
    /// The highest view is looked for in votes only.
    VotedViewsOnly,
    /// The lowest view that is reported counts instead of the highest.
    LowestView,

    // Leaving a view.
    /// A view change does not report the vote.
    ForgetVote,
    /// A view change reports a vote only if it is of the view that is left.
    ForgetOldVote,
    /// A view change does not report the commit certificate.
    ForgetLock,
    /// A view change reports a commit certificate only if it is of the view that is left.
    ForgetOldLock,
    /// View changes for earlier views are used as well.
    StaleReport,
    /// A replica stays when the time of its view is over.
    StayOnTimeOut,
    /// The timer of an earlier view leads back to the view behind it.
    LateTimer,
    /// A replica that has decided still leaves its view.
    LeaveAfterDecision,
    /// A replica that has decided still takes in messages.
    ListenAfterDecision,

    // Verifying.
    /// The signature of a vote is not looked at.
    UnsignedVote,
    /// A proposal of a later view needs no progress certificate.
    UncertifiedProposal,
    /// A reported proposal of a later view needs no progress certificate.
    UncertifiedReport,
    /// A reported proposal needs no signature of its leader.
    UnsignedReport,
    /// A reported commit certificate needs no quorum.
    ShortLock,
    /// Anybody may propose, not the leader only.
    ForeignProposal,

    // Voting and deciding.
    /// A replica votes again when its leader makes another proposal.
    VoteTwice,
    /// A replica votes for a proposal of a view that it has left.
    VoteInOlderView,
    /// A replica votes for a value that it does not know to be valid.
    VoteUnknown,
    /// A replica votes only for the value that it would propose itself.
    VoteOnlyOwnValue,
    /// A replica that voted in an earlier view votes in no later one.
    VoteOnce,
    /// A replica that voted in an earlier view votes for no other value later.
    StickyVote,
    /// A replica that holds a commit certificate votes for no other value.
    StickyLock,
    /// A replica commits in the view before its own, which it has left.
    CommitInOlderView,
    /// A replica commits only to what it voted for itself.
    CommitOnlyOwnVote,
    /// A replica never commits.
    NeverCommit,
    /// Votes make a quorum whatever they are for.
    CountAnyValue,
    /// A vote counts for the view in which it arrives.
    CountOnArrival,
    /// Votes and commits for the view before do not count any more.
    OldBallotsIgnored,
    /// On leaving a view its votes are forgotten.
    DropOldVotes,
    /// A fast quorum of votes does not decide.
    NeverDecideFast,
    /// A slow quorum of commits does not decide.
    NeverDecideSlow,

    // Leading.
    /// A leader that comes to know another value proposes that one too.
    ProposeTwice,
    /// The leader of a later view never asks.
    NeverAsk,
    /// A leader asks for nothing when the reports bind it.
    AskOnlyWhenFree,
    /// A leader asks for nothing when the reports leave it free.
    AskOnlyWhenBound,
    /// A replica never acknowledges.
    NeverAcknowledge,
    /// A replica acknowledges whatever value is asked about.
    AcknowledgeAnything,
    /// A question may name fewer reports than n - f.
    ShortQuestion,
    /// A replica acknowledges reports that it does not hold.
    AcknowledgeUnheld,
    /// A replica acknowledges a value that it does not know to be valid.
    AcknowledgeUnknown,

    // Blaming.
    /// Whoever reports a proposal is blamed for the other one that its leader made.
    BlameReporter,
    /// A leader is blamed for different proposals in different views.
    BlameAcrossViews,
    /// A voter is blamed for saying the same thing twice.
    BlameRepetition,

    // Remembering.
    /// A vote is sent before it is durable.
    VoteUnrecorded,
    /// The record does not hold the payload of the value voted for.
    PayloadUnrecorded,
    /// The record holds proposals without their progress certificates.
    ProgressUnrecorded,
    /// A commit is sent before its certificate is durable.
    CommitUnrecorded,
    /// A view is left before the next one is durable.
    ViewUnrecorded,
    /// A proposal is sent before it is durable.
    ProposalUnrecorded,
    /// The record does not hold the decision of the epoch before.
    HeadUnrecorded,
    /// A decision is handed out before it is durable.
    DecisionUnrecorded,
    /// After a restart a replica does not count its own vote.
    VoteNotRecalled,
    /// After a restart a replica does not count its own commit.
    CommitNotRecalled,

    // Computing.
    /// A stage certificate takes one attestation less.
    SmallAttestationQuorum,
    /// A stage certificate takes one attestation more.
    LargeAttestationQuorum,
    /// One report less makes a signal certain.
    SmallSignalQuorum,
    /// One report more is needed to make a signal certain.
    LargeSignalQuorum,
    /// A reserve never steps in.
    NeverStepIn,
    /// A signal counts whoever reports it.
    UnassignedReporter,
    /// A stage is computed while earlier inputs of it are lacking.
    PastUnneeded,
    /// Earlier inputs are taken as they are told.
    HistoryUnchecked,
    /// Who does not answer is asked for earlier inputs again, and nobody else.
    AskOneOnly,
    /// A member attests what others agree on and it did not compute.
    AttestUncomputed,
    /// A member attests what it computed, whether or not others agree.
    AttestAlone,
    /// A member never attests.
    NeverAttest,
    /// An attestation counts whoever signed it.
    UnassignedAttester,
    /// The tokens of a payload need not be those that crossed the last link.
    TokensUnchecked,

    // Following the chain.
    /// A member that is told an older decision goes back to it.
    StaleDecision,
    /// A member that is behind takes the next decision only.
    NeverSkip,
    /// The certificate of a decision that is told may lack signatures.
    UncheckedDecision,
    /// The certificate of a decision that is told may be of another value.
    UncheckedHeader,
    /// The state that is told with a decision may be another one.
    UncheckedState,

    // Losing a record.
    /// A learner never asks to be admitted again.
    NeverApply,
    /// A learner signs.
    LearnerSigns,
    /// The record of a learner reads like that of a replica.
    RoleUnrecorded,
    /// A learner is a replica again with the next decision that it holds.
    CatchUpReadmits,
    /// A learner is admitted again by any number that it ever drew.
    AnyNonce,
    /// A learner is admitted again when another member is.
    AnyMember,
    /// A notice is admitted whichever incarnation it names.
    AnyIncarnation,
    /// A learner says each time that it is admitted again for the first time.
    FirstIncarnation,

    // Changing the roster.
    /// Whoever enters the next cluster signs there, also if it does not know what it signed.
    EnterAsReplica,
    /// A cluster goes on although its roster changed.
    GoOnWhenOver,
}
