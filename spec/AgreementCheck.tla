--------------------------- MODULE AgreementCheck ---------------------------
(***************************************************************************)
(* What the checkers need besides the protocol: named replicas, leader     *)
(* schedules, and a reduction by symmetry.                                 *)
(***************************************************************************)
EXTENDS Agreement

CONSTANTS b, h1, h2

\* Repeated here because one of the checkers reads the assumptions of the root
\* module only.
ASSUME WellFormed

(***************************************************************************)
(* Leader schedules.  A Byzantine leader can sign whatever an honest one   *)
(* would, so the first schedule allows everything that the others do; they *)
(* are here because only they exercise Propose.                            *)
(***************************************************************************)
ByzantineAlways == [v \in Views |-> b]
ByzantineFirst  == [v \in Views |-> IF v = 0 THEN b ELSE IF v = 1 THEN h1 ELSE h2]
ByzantineSecond == [v \in Views |-> IF v = 0 THEN h1 ELSE IF v = 1 THEN b ELSE h2]

(***************************************************************************)
(* Symmetry.  Honest replicas that lead no view are interchangeable, and   *)
(* so are valid values.  Orbit maps a state to the same thing for every    *)
(* renaming of it: the set, over all renamings of values, of how many      *)
(* replicas are in which local state.  Given to a checker as its VIEW, it  *)
(* makes states count as one iff they are renamings of each other.  Both   *)
(* checkers understand VIEW alike, which is not so for SYMMETRY.           *)
(***************************************************************************)
Renamed(value, renaming) == IF value \in Valid THEN renaming[value] ELSE value

RenamedHistory(history, renaming) == [v \in Views |-> Renamed(history[v], renaming)]

Local(r, renaming) ==
    <<{v \in Views : Leader[v] = r},
      view[r],
      RenamedHistory(votes[r], renaming),
      RenamedHistory(commits[r], renaming)>>

Image(renaming) ==
    LET locals == [r \in Honest |-> Local(r, renaming)]
    IN  <<{<<locals[r], Cardinality({q \in Honest : locals[q] = locals[r]})>> : r \in Honest},
          RenamedHistory(proposals, renaming)>>

Renamings == {f \in [Valid -> Valid] : \A x, y \in Valid : f[x] = f[y] => x = y}

Orbit == {Image(renaming) : renaming \in Renamings}

(***************************************************************************)
(* What must happen.  Honest replicas promise to take their steps if these *)
(* stay possible without anything that a Byzantine replica would have to   *)
(* sign; Byzantine replicas promise nothing.  An honest replica has to     *)
(* lead the last view, which nobody leaves.                                *)
(***************************************************************************)
HonestVotes(v, x)   == Cardinality({r \in Honest : votes[r][v] = x})
HonestCommits(v, x) == Cardinality({r \in Honest : commits[r][v] = x})

\* What honest reports alone admit.
HonestlyJustified(v) ==
    LET entered == {r \in Honest : view[r] >= v}
        quorums == {Q \in SUBSET entered :
                        Cardinality(Q) >= ViewChangeQuorum /\ Leader[v] \in Q}
    IN  UNION {Select([r \in Q |-> Report(r, v)]) : Q \in quorums}

UnaidedPropose(v) ==
    /\ Propose(v)
    /\ proposals'[v] \in IF v = 0 THEN Valid ELSE HonestlyJustified(v)

UnaidedVote(r) ==
    /\ Leader[view[r]] \in Honest
    /\ Vote(r)

UnaidedCommit(r) ==
    /\ Commit(r)
    /\ HonestVotes(view[r], commits'[r][view[r]]) >= SlowQuorum

Fairness ==
    /\ \A v \in Views : WF_vars(UnaidedPropose(v))
    /\ \A r \in Honest : /\ WF_vars(UnaidedVote(r))
                         /\ WF_vars(UnaidedCommit(r))
                         /\ WF_vars(EnterView(r))

FairSpec == Spec /\ Fairness

\* Votes or commits of honest replicas alone decide in the end.
EventualCommitment ==
    <>(\E v \in Views, x \in Valid :
          \/ HonestVotes(v, x) >= FastQuorum
          \/ SlowPath /\ HonestCommits(v, x) >= SlowQuorum)

==============================================================================
