------------------------------ MODULE Agreement ------------------------------
(***************************************************************************)
(* Fast Byzantine agreement on one value: one epoch of the kernel's        *)
(* `agreement` module.                                                     *)
(*                                                                         *)
(* N replicas, at most F of them Byzantine.  Replicas go through views;    *)
(* each view has one leader, who proposes a value.  A replica votes for at *)
(* most one value per view.  N-P equal votes decide at once (the fast      *)
(* path); a quorum of votes, then a quorum of commits, decides one message *)
(* delay later (the slow path).  If nothing is decided in time, replicas   *)
(* leave the view and each reports the last vote it cast and the last      *)
(* commit certificate it saw.  From N-F such reports the next leader       *)
(* selects a value that cannot contradict a decision, and F+1 replicas     *)
(* attest that it selected correctly (the progress certificate).           *)
(*                                                                         *)
(* How the protocol is abstracted.  Each of these is exact as far as the   *)
(* properties below go:                                                    *)
(*   - Messages are never stored.  An honest message exists from the       *)
(*     moment the history of its sender says that it was sent, and can be  *)
(*     used at any later time: loss, duplication and reordering are the    *)
(*     freedom not to use it yet.                                          *)
(*   - Byzantine replicas have no state.  Whatever they could sign is      *)
(*     always available; predicates ask what could exist, not what was     *)
(*     sent.  They cannot forge the signature of an honest replica.        *)
(*   - Nobody "receives" a decision.  A value counts as decided as soon as *)
(*     votes or commits exist that would convince somebody, and replicas   *)
(*     go on as if they had not seen them.                                 *)
(*   - Views time out one at a time.  Skipping a view is the same as       *)
(*     leaving it without having voted.                                    *)
(*   - Collecting a progress certificate is one step: whether a value is   *)
(*     justified depends on final reports only, so once it is, it stays.   *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
    N,             \* number of replicas
    F,             \* how many of them may be Byzantine
    P,             \* how many may be silent while the fast path still decides
    Views,         \* 0..k, the views explored
    Values,        \* everything that can be proposed
    Valid,         \* the values that satisfy external validity
    None,          \* the absence of a value
    Honest,        \* the replicas that follow the protocol
    Byzantine,     \* the replicas that need not
    Leader,        \* the replica that leads each view
    StrongestOnly, \* Select prefers the best supported of several values
    SlowPath       \* whether commits and commit certificates exist at all

(***************************************************************************)
(* Rules that a run may switch off, to see that the properties notice.     *)
(* The protocol is the module with all of them TRUE.                       *)
(***************************************************************************)
CONSTANTS
    ExcludeEquivocator,   \* Select ignores a leader caught proposing two values
    ReportLocked,         \* view changes report the commit certificate
    ReportCertified,      \* reported votes carry the progress certificate
    WithinBound           \* N, F and P satisfy the bound of the protocol

Replicas == Honest \cup Byzantine

(***************************************************************************)
(* The slow path may be left out iff P >= F: then FastQuorum <= N-F, and   *)
(* the honest replicas alone can always decide on the fast path.           *)
(***************************************************************************)
Resilient ==
    /\ Cardinality(Byzantine) <= F
    /\ N >= 3*F + 1
    /\ N >= 3*F + 2*P - 1
    /\ SlowPath \/ P >= F

WellFormed ==
    /\ Cardinality(Replicas) = N
    /\ Honest \cap Byzantine = {}
    /\ Valid \subseteq Values
    /\ None \notin Values
    /\ \A v \in Views : v = 0 \/ v - 1 \in Views
    /\ \A v \in Views : Leader[v] \in Replicas
    /\ WithinBound <=> Resilient

ASSUME WellFormed

------------------------------------------------------------------------------
(* Thresholds *)

FastQuorum            == N - P
SlowQuorum            == (N + F + 2) \div 2    \* (N+F+1)/2, rounded up
ViewChangeQuorum      == N - F
EquivocationThreshold == F + P
\* F+1 attestations make a progress certificate: one of them is honest.  Here
\* that one is the predicate Justified, so the number itself is never counted.
ProgressQuorum        == F + 1

------------------------------------------------------------------------------
(* State *)

VARIABLES
    view,       \* view[r]       the view that r is in
    votes,      \* votes[r][v]   what r voted for in v, or None
    commits,    \* commits[r][v] what r sent a commit for in v, or None
    proposals   \* proposals[v]  what the leader of v proposed, if it is honest

vars == <<view, votes, commits, proposals>>

\* A value tagged with the view it comes from.  Nothing is below every view.
At(v, x) == [view |-> v, value |-> x]
Nothing  == At(-1, None)

\* The latest entry before view v in a history.
Latest(history, v) ==
    LET past == {u \in Views : u < v /\ history[u] # None}
    IN  IF past = {}
        THEN Nothing
        ELSE LET last == CHOOSE u \in past : \A t \in past : t <= u
             IN  At(last, history[last])

\* The two things of its past that a replica carries into view v: its highest
\* vote and the highest commit certificate it acted on.
Voted(r, v)  == Latest(votes[r], v)
Locked(r, v) == IF ReportLocked THEN Latest(commits[r], v) ELSE Nothing

------------------------------------------------------------------------------
(* What exists.  A Byzantine signature can always be added. *)

VotesFor(v, x)   == Cardinality({r \in Honest : votes[r][v] = x} \cup Byzantine)
CommitsFor(v, x) == Cardinality({r \in Honest : commits[r][v] = x} \cup Byzantine)

\* The values for which a commit certificate of view v can be put together.
Certified(v) == {x \in Valid : SlowPath /\ VotesFor(v, x) >= SlowQuorum}

DecidedIn(v, x) == \/ VotesFor(v, x) >= FastQuorum
                   \/ SlowPath /\ CommitsFor(v, x) >= SlowQuorum

Decided == {x \in Values : \E v \in Views : DecidedIn(v, x)}

------------------------------------------------------------------------------
(* Selecting a value for a new view *)

(***************************************************************************)
(* Two certified proposals of view w got votes, so the leader of w is      *)
(* Byzantine.  Without its report at most F-1 of the others are, and among *)
(* them a value decided in w on the fast path keeps EquivocationThreshold  *)
(* votes, which no other value can then reach.  A decision on the slow     *)
(* path would have shown itself as a commit certificate.                   *)
(***************************************************************************)
SelectDespiteEquivocation(S, w, voted) ==
    LET counted    == IF ExcludeEquivocator THEN DOMAIN S \ {Leader[w]} ELSE DOMAIN S
        Support(x) == Cardinality({r \in counted : S[r].vote = At(w, x)})
        strong     == {x \in voted : Support(x) >= EquivocationThreshold}
    IN  IF Cardinality(counted) < ViewChangeQuorum THEN {}
        ELSE IF strong = {} THEN Valid
        ELSE IF ~StrongestOnly THEN strong
        \* The kernel takes the smallest of equals; any of them is safe.
        ELSE {x \in strong : \A y \in strong : Support(y) <= Support(x)}

\* A commit certificate outweighs the votes of its view: it is unique, votes
\* need not be.
SelectFrom(S, w) ==
    LET locked == {S[r].locked.value : r \in {q \in DOMAIN S : S[q].locked.view = w}}
        voted  == {S[r].vote.value : r \in {q \in DOMAIN S : S[q].vote.view = w}}
    IN  IF locked # {} THEN locked
        ELSE IF Cardinality(voted) = 1 THEN voted
        ELSE SelectDespiteEquivocation(S, w, voted)

(***************************************************************************)
(* S maps each of a set of replicas to its report.  The result is the set  *)
(* of values that S admits: all valid ones if nothing can have been        *)
(* decided, a single one if that one may have been, none if S is too small *)
(* to tell.  Only the highest view that S knows about matters: whatever it *)
(* holds was itself selected so as not to contradict earlier views.        *)
(***************************************************************************)
Select(S) ==
    LET known   == {S[r].vote.view : r \in DOMAIN S} \cup
                   {S[r].locked.view : r \in DOMAIN S}
        highest == CHOOSE u \in known : \A t \in known : t <= u
    IN  IF highest = Nothing.view THEN Valid ELSE SelectFrom(S, highest)

\* What may be voted for depends on what is justified, and that on what was
\* voted for in earlier views; it ends at view 0.
RECURSIVE Justified(_)

(***************************************************************************)
(* The values that replicas may vote for in view v: signed by its leader   *)
(* and, after view 0, with a progress certificate.  A Byzantine leader     *)
(* signs everything, an honest one a single justified value.               *)
(***************************************************************************)
Proposed(v) ==
    IF Leader[v] \in Honest THEN {proposals[v]} \ {None}
    ELSE IF v = 0 THEN Valid
    ELSE Justified(v)

\* The values for which a report may claim a vote in view v.
Citable(v) ==
    IF Leader[v] \in Byzantine /\ ~ReportCertified THEN Valid ELSE Proposed(v)

\* The report of honest r, final once r has entered v.
Report(r, v) == [vote |-> Voted(r, v), locked |-> Locked(r, v)]

\* Everything that a Byzantine replica can report on entering v.
ByzantineReports(v) ==
    LET past == {u \in Views : u < v}
    IN  [vote   : {Nothing} \cup UNION {{At(u, x) : x \in Citable(u)} : u \in past},
         locked : {Nothing} \cup UNION {{At(u, x) : x \in Certified(u)} : u \in past}]

\* An honest leader counts its own report as soon as it knows the values that
\* are named in it.  The payload of its vote is in its record; that of a commit
\* certificate for another value it may still have to fetch.
MayOmitOwn(v) ==
    LET report == Report(Leader[v], v)
    IN  report.locked # Nothing /\ report.locked.value # report.vote.value

\* The values that some set of reports, which somebody could present, admits.
Justified(v) ==
    LET entered == {r \in Honest : view[r] >= v}
        actual  == [r \in entered |-> Report(r, v)]
        quorums == {Q \in SUBSET (entered \cup Byzantine) :
                        /\ Cardinality(Q) >= ViewChangeQuorum
                        /\ \/ Leader[v] \in Byzantine
                           \/ Leader[v] \in Q
                           \/ MayOmitOwn(v)}
        Merge(Q, lie) == [r \in Q |-> IF r \in entered THEN actual[r] ELSE lie[r]]
    IN  IF quorums = {} THEN {}
        ELSE LET forged == ByzantineReports(v)
             IN  {x \in Valid :
                     \E Q \in quorums : \E lie \in [Q \cap Byzantine -> forged] :
                         x \in Select(Merge(Q, lie))}

------------------------------------------------------------------------------
(* Actions *)

Init ==
    /\ view      = [r \in Honest |-> 0]
    /\ votes     = [r \in Honest |-> [v \in Views |-> None]]
    /\ commits   = [r \in Honest |-> [v \in Views |-> None]]
    /\ proposals = [v \in Views |-> None]

\* The honest leader of view v proposes, once, and votes for what it proposes:
\* one record covers both.  Any valid value in view 0, a justified one later.
Propose(v) ==
    /\ Leader[v] \in Honest
    /\ view[Leader[v]] = v
    /\ proposals[v] = None
    /\ \E x \in IF v = 0 THEN Valid ELSE Justified(v) :
           /\ proposals' = [proposals EXCEPT ![v] = x]
           /\ votes' = [votes EXCEPT ![Leader[v]][v] = x]
    /\ UNCHANGED <<view, commits>>

\* r votes in the view it is in, once.
Vote(r) ==
    /\ votes[r][view[r]] = None
    /\ \E x \in Proposed(view[r]) :
           votes' = [votes EXCEPT ![r][view[r]] = x]
    /\ UNCHANGED <<view, commits, proposals>>

\* r holds a commit certificate of the view it is in: it is locked on x from
\* now on, and says so.  Its own vote may have been for another value.
Commit(r) ==
    /\ commits[r][view[r]] = None
    /\ \E x \in Certified(view[r]) :
           commits' = [commits EXCEPT ![r][view[r]] = x]
    /\ UNCHANGED <<view, votes, proposals>>

\* The timer of r expires: it enters the next view and broadcasts its report.
\* It will never again vote or commit in the views that it has left.
EnterView(r) ==
    /\ view[r] + 1 \in Views
    /\ view' = [view EXCEPT ![r] = view[r] + 1]
    /\ UNCHANGED <<votes, commits, proposals>>

Next ==
    \/ \E v \in Views : Propose(v)
    \/ \E r \in Honest : Vote(r) \/ Commit(r) \/ EnterView(r)

Spec == Init /\ [][Next]_vars

------------------------------------------------------------------------------
(* Properties *)

TypeOK ==
    /\ view      \in [Honest -> Views]
    /\ votes     \in [Honest -> [Views -> Values \cup {None}]]
    /\ commits   \in [Honest -> [Views -> Values \cup {None}]]
    /\ proposals \in [Views -> Values \cup {None}]

\* No two values are decided, in the same view or in different ones.
Agreement == Cardinality(Decided) <= 1

\* Whatever is decided is valid.
Validity == Decided \subseteq Valid

\* Nothing sent is ever taken back: no second vote, commit or proposal in a view,
\* and no return to a view that was left.
NeverTakenBack ==
    [][/\ \A r \in Honest : view'[r] >= view[r]
       /\ \A r \in Honest, v \in Views :
              /\ votes[r][v] \in {None, votes'[r][v]}
              /\ commits[r][v] \in {None, commits'[r][v]}
       /\ \A v \in Views : proposals[v] \in {None, proposals'[v]}]_vars

\* Why Agreement holds: after a decision no other value is justified.
LockedIn ==
    \A x \in Decided, v \in Views, u \in Views :
        v < u /\ DecidedIn(v, x) =>
            Justified(u) \subseteq {x}

==============================================================================
