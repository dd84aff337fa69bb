--------------------------- MODULE InferenceCheck ---------------------------
(***************************************************************************)
(* What the checkers need besides the protocol: placements, leader         *)
(* schedules, a stage function, and the fairness that a run assumes.       *)
(***************************************************************************)
EXTENDS Inference

CONSTANTS b, h1, h2, h3, right, wrong, old,
    Dropped        \* the action whose fairness is not assumed, or None

\* Repeated here because one of the checkers reads the assumptions of the root
\* module only.
ASSUME WellFormed

(***************************************************************************)
(* Placements of up to two stages on four members.  Where the liar owns a  *)
(* stage, a certificate that it does not sign needs the reserve.           *)
(***************************************************************************)
LiarOwnsBoth    == [s \in Stages |-> IF s = 1 THEN {b, h1} ELSE {b, h3}]
ReservesForBoth == [s \in Stages |-> IF s = 1 THEN {h2} ELSE {h1}]

HonestOwners  == [s \in Stages |-> IF s = 1 THEN {h1, h2} ELSE {h2, h3}]
LiarInReserve == [s \in Stages |-> IF s = 1 THEN {b} ELSE {h1}]

Nobody == [s \in Stages |-> {}]

\* A stage function that keeps apart what differs: what crosses a link is named
\* after what it was computed from.
Injective == [s \in Stages |-> [x \in Signals |-> x]]

\* Leader schedules.
HonestAlways    == [v \in Views |-> IF v = 0 THEN h1 ELSE h2]
ByzantineFirst  == [v \in Views |-> IF v = 0 THEN b ELSE h1]
ByzantineSecond == [v \in Views |-> IF v = 0 THEN h1 ELSE b]

(***************************************************************************)
(* What can happen, said as what cannot: a configuration must find it      *)
(* violated.  Otherwise some of the properties would hold for want of      *)
(* anything to hold of.                                                    *)
(***************************************************************************)

\* A value is voted for in view 0, carried into view 1 and decided there.
NothingCarriedIsDecided ==
    \A x \in UNION {candidates[i] : i \in Honest} :
        ~(/\ \E i \in Honest : votes[i][0] = x
          /\ VotesFor(0, x, Byzantine) < FastQuorum
          /\ VotesFor(1, x, {}) >= FastQuorum)

\* After restarts, a payload that nobody could put together again is handed over.
NothingOnlyFetched ==
    [][\A i, j \in Honest : Fetch(i, j) => Certified(Byzantine) \ candidates[i] # {}]_vars

FairSpec == Spec /\ Fair(Dropped)

==============================================================================
