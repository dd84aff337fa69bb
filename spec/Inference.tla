------------------------------ MODULE Inference ------------------------------
(***************************************************************************)
(* One part of a run: how the kernel's `inference` module makes a result,  *)
(* and how one epoch comes to commit it.                                   *)
(*                                                                         *)
(* A model is a chain of stages.  Each stage has F+1 owners and F          *)
(* reserves.  An owner computes its stage as soon as F+1 members agree on  *)
(* the input, and tells what came out; a reserve does so once it has       *)
(* escalated.  A member that computed what F+1 members agree on attests    *)
(* it: "stage s on x gives y".  F+1 equal attestations are a stage         *)
(* certificate, and certificates that fit together from the committed      *)
(* tokens to the new ones are a payload.  Leaders propose and members vote *)
(* for nothing whose payload they do not hold.                             *)
(*                                                                         *)
(* How it is abstracted.                                                   *)
(*   - Messages are never stored.  An honest message exists from the       *)
(*     moment the history of its sender says that it was sent, and can be  *)
(*     used at any later time.  After a restart what was said before and   *)
(*     not used yet is lost; saying it again says the same.                *)
(*   - Byzantine members have no state.  Whatever they could sign is       *)
(*     always available, a different thing to each receiver.               *)
(*   - The actions count a parameter `help` besides the honest: all        *)
(*     Byzantine members where the question is what may happen, nobody     *)
(*     where the question is what must happen.                             *)
(*   - A part is one position of the run; its signals are a few names.     *)
(*   - Becoming certain of a signal is no step of its own.  Nobody is told *)
(*     of it, and it shows in what a member computes or attests next.      *)
(*   - Agreement is here only as far as payloads matter.  How one of       *)
(*     several valid values is selected is the subject of Agreement.tla;   *)
(*     here there is one valid value, and that is a property.              *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
    N,             \* number of members
    F,             \* how many of them may be Byzantine
    P,             \* how many may be silent while the fast path still decides
    Honest,        \* the members that follow the protocol
    Byzantine,     \* the members that need not
    Last,          \* the last stage; the first one is 1
    Owners,        \* Owners[s]   the members that compute stage s at once
    Reserves,      \* Reserves[s] the members that step in for them
    Signals,       \* everything that can cross a link
    Committed,     \* the signal in front of stage 1 that continues what is committed
    Old,           \* signals of the part before, which is committed already
    Gives,         \* Gives[s][x] what stage s makes of x
    Views,         \* 0..k, the views explored
    Leader,        \* the member that leads each view
    Restarting,    \* honest members that may lose what is not durable
    None,          \* the absence of a signal or value
    WithinBound,   \* the numbers satisfy the bound of the protocol
    Without        \* rules that are switched off; the protocol is {}

(***************************************************************************)
(* Rules that a run may switch off, to see that the properties notice.     *)
(***************************************************************************)
Rules == {
    "CertificateQuorum",  \* a certificate takes F+1 attestations, not F
    "ComputesItself",     \* a member does not pass on what it heard instead
    "WaitsForAgreement",  \* a signal is used when F+1 agree, not when one says so
    "Escalation",         \* reserves step in
    "Chained",            \* each certificate's input is the output of the one before
    "Continues",          \* the first input is the committed tokens
    "HoldsPayload",       \* a vote is for a value whose payload is held
    "PayloadRecorded",    \* and that payload is durable before the vote is sent
    "ViewChange"}         \* a view may be left

Keeps(rule) == rule \notin Without

Members     == Honest \cup Byzantine
Stages      == 1..Last
Links       == 0..Last    \* link s is behind stage s, and in front of the next
Assigned(s) == Owners[s] \cup Reserves[s]

\* What a payload commits to: what crossed each link.
Values == [Links -> Signals]

\* What the model gives behind each link on the committed tokens.
RECURSIVE Model(_)
Model(s) == IF s = 0 THEN Committed ELSE Gives[s][Model(s - 1)]

Resilient ==
    /\ N >= 3*F + 1
    /\ N >= 3*F + 2*P - 1
    /\ P >= F    \* there is no slow path in this module
    /\ \A s \in Stages :
           /\ Cardinality(Owners[s]) >= F + 1
           /\ Cardinality(Assigned(s)) >= 2*F + 1
           /\ Cardinality(Byzantine \cap Assigned(s)) <= F
    /\ Cardinality(Byzantine) <= F

WellFormed ==
    /\ Cardinality(Members) = N
    /\ Honest \cap Byzantine = {}
    /\ Restarting \subseteq Honest
    /\ None \notin Signals
    /\ Committed \in Signals \ Old
    /\ \A s \in Stages : Assigned(s) \subseteq Members /\ Owners[s] \cap Reserves[s] = {}
    /\ \A s \in Stages : \A x \in Signals : Gives[s][x] \in Signals
    /\ \A v \in Views : v = 0 \/ v - 1 \in Views
    /\ \A v \in Views : Leader[v] \in Members
    /\ Without \subseteq Rules
    /\ WithinBound <=> Resilient

ASSUME WellFormed

------------------------------------------------------------------------------
(* Thresholds *)

AttestationQuorum == IF Keeps("CertificateQuorum") THEN F + 1 ELSE F
SignalQuorum      == IF Keeps("WaitsForAgreement") THEN F + 1 ELSE 1
FastQuorum        == N - P
ViewChangeQuorum  == N - F
ProgressQuorum    == F + 1

------------------------------------------------------------------------------
(* State *)

VARIABLES
    working,     \* working[i][s]    i computes stage s: it owns it, or stepped in
    computed,    \* computed[i][s]   the input and output of s at i, or None
    attested,    \* attested[i][s]   i signed what it computed and told all voters
    past,        \* past[i][s]       i has the earlier inputs of s
    candidates,  \* candidates[i]    the values whose payload i holds and found valid
    view,        \* view[i]          the view that i is in
    votes,       \* votes[i][v]      what i voted for in v, or None
    proposals,   \* proposals[v]     what the leader of v proposed, if it is honest
    stabilised   \* nobody restarts any more

desk      == <<working, computed, attested, past>>
agreement == <<view, votes, proposals>>
vars      == <<desk, candidates, agreement, stabilised>>

Computation(x, y) == [input |-> x, output |-> y]

------------------------------------------------------------------------------
(* What members said about a stage *)

\* Honest members that computed y, whatever from.  What a member computed
\* it has told everybody concerned, or tells them when they ask.
Reporters(s, y) ==
    {i \in Honest \cap Assigned(s) : computed[i][s] # None /\ computed[i][s].output = y}

\* The signals behind link s on which a quorum agrees.  Link 0 carries what is
\* committed; nobody needs to be asked.
Certain(s, quorum, help) ==
    IF s = 0 THEN {Committed}
    ELSE {y \in Signals :
              Cardinality(Reporters(s, y) \cup (help \cap Assigned(s))) >= quorum}

\* What honest i attested of stage s.  Of the part before, which is committed,
\* everybody attested everything.
Attestations(i, s) ==
    {Computation(x, Gives[s][x]) : x \in Old} \cup
    (IF attested[i][s] THEN {computed[i][s]} ELSE {})

\* The claims for which a stage certificate can be put together.  Liars make
\* one of their own only if they are enough without anybody honest.
Certificates(s, help) ==
    LET liars  == help \cap Assigned(s)
        said   == [i \in Honest \cap Assigned(s) |-> Attestations(i, s)]
        claims == IF Cardinality(liars) >= AttestationQuorum
                  THEN [input : Signals, output : Signals]
                  ELSE UNION {said[i] : i \in DOMAIN said}
    IN  {claim \in claims :
            Cardinality({i \in DOMAIN said : claim \in said[i]} \cup liars) >= AttestationQuorum}

\* The values for which somebody can put a valid payload together: external
\* validity, with the certificates that exist.
Certified(help) ==
    LET certificates == [s \in Stages |-> Certificates(s, help)]
        Behind(s, x, y) ==
            IF Keeps("Chained") THEN Computation(x, y) \in certificates[s]
            ELSE \E claim \in certificates[s] : claim.output = y
    IN  {value \in Values :
            /\ value[0] = Committed \/ ~Keeps("Continues")
            /\ \A s \in Stages : Behind(s, value[s - 1], value[s])}

------------------------------------------------------------------------------
(* What agreement does with values *)

\* The last vote of i before view v, which i reports when it enters v.
Reported(i, v) ==
    LET past_views == {u \in Views : u < v /\ votes[i][u] # None}
    IN  IF past_views = {} THEN None
        ELSE votes[i][CHOOSE u \in past_views : \A t \in past_views : t <= u]

(***************************************************************************)
(* What i finds that the leader of v may propose.  A report is usable once *)
(* the payload of the vote in it is held: that is why whoever votes must   *)
(* be able to show the payload.  A quorum of usable reports admits the     *)
(* values voted for, and all that are held if there are none.              *)
(***************************************************************************)
Admitted(i, v, help) ==
    LET usable  == {j \in Honest : view[j] >= v /\ Reported(j, v) \in candidates[i] \cup {None}}
        quorums == {Q \in SUBSET usable : Cardinality(Q \cup help) >= ViewChangeQuorum}
        Carried(Q) == {Reported(j, v) : j \in Q} \ {None}
    IN  IF v = 0 THEN candidates[i]
        ELSE UNION {IF Carried(Q) = {} THEN candidates[i] ELSE Carried(Q) : Q \in quorums}

\* Those who say that x may be proposed in v make a progress certificate.
Acknowledged(v, x, help) ==
    Cardinality({i \in Honest : /\ view[i] >= v
                                /\ x \in candidates[i]
                                /\ x \in Admitted(i, v, help)} \cup help) >= ProgressQuorum

\* What may be voted for in view v: of an honest leader what it proposed, of
\* another everything that it can justify, if it helps at all.
Proposed(v, help) ==
    IF Leader[v] \in Honest THEN {proposals[v]} \ {None}
    ELSE IF Leader[v] \notin help THEN {}
    ELSE IF v = 0 THEN Values
    ELSE {x \in UNION {candidates[i] : i \in Honest} : Acknowledged(v, x, help)}

VotesFor(v, x, help) == Cardinality({i \in Honest : votes[i][v] = x} \cup help)

\* Byzantine votes alone are too few.
Decided(help) ==
    {x \in UNION {{votes[i][v] : i \in Honest} : v \in Views} \ {None} :
        \E v \in Views : VotesFor(v, x, help) >= FastQuorum}

\* Honest i hands the result out: it needs the payload to do so.
HasCommitted(i, help) == Decided(help) \cap candidates[i] # {}

------------------------------------------------------------------------------
(* Actions *)

Init ==
    /\ working    = [i \in Honest |-> [s \in Stages |-> i \in Owners[s]]]
    /\ computed   = [i \in Honest |-> [s \in Stages |-> None]]
    /\ attested   = [i \in Honest |-> [s \in Stages |-> FALSE]]
    /\ past       = [i \in Honest |-> [s \in Stages |-> TRUE]]
    /\ candidates = [i \in Honest |-> {}]
    /\ view       = [i \in Honest |-> 0]
    /\ votes      = [i \in Honest |-> [v \in Views |-> None]]
    /\ proposals  = [v \in Views |-> None]
    /\ stabilised = (Restarting = {})

\* A reserve steps in: the owners had their time, members disagree, or somebody
\* asks it for what it has not computed.  A Byzantine member can ask at any time.
Escalate(i, s) ==
    /\ Keeps("Escalation")
    /\ i \in Reserves[s]
    /\ ~working[i][s]
    /\ working' = [working EXCEPT ![i][s] = TRUE]
    /\ UNCHANGED <<computed, attested, past, candidates, agreement, stabilised>>

\* i computes stage s on a signal that it is certain of, and tells the members
\* of the stage and of the next.
Compute(i, s, help) ==
    /\ i \in Assigned(s)
    /\ working[i][s]
    /\ past[i][s]
    /\ computed[i][s] = None
    /\ \E x \in Certain(s - 1, SignalQuorum, help) :
       \E y \in IF Keeps("ComputesItself") THEN {Gives[s][x]} ELSE Certain(s, 1, help) :
           computed' = [computed EXCEPT ![i][s] = Computation(x, y)]
    /\ UNCHANGED <<working, attested, past, candidates, agreement, stabilised>>

\* i signs what it computed, and tells all voters, when F+1 members agree on
\* it.  With another result it abstains: its own may be at fault.
Attest(i, s, help) ==
    /\ i \in Assigned(s)
    /\ ~attested[i][s]
    /\ computed[i][s] # None
    /\ computed[i][s].output \in Certain(s, F + 1, help)
    /\ attested' = [attested EXCEPT ![i][s] = TRUE]
    /\ UNCHANGED <<working, computed, past, candidates, agreement, stabilised>>

\* Certificates for every stage fit together at i: it holds a payload.
Certify(i, help) ==
    /\ \E x \in Certified(help) \ candidates[i] :
           candidates' = [candidates EXCEPT ![i] = candidates[i] \cup {x}]
    /\ UNCHANGED <<desk, agreement, stabilised>>

\* i asks for a payload of which others speak, and is given it by j.  Byzantine
\* members need no action: with their help, Certify allows what they could give,
\* as long as the honest attestations in it can still be had.
Fetch(i, j) ==
    /\ \E x \in candidates[j] \ candidates[i] :
           candidates' = [candidates EXCEPT ![i] = candidates[i] \cup {x}]
    /\ UNCHANGED <<desk, agreement, stabilised>>

\* The honest leader of view v proposes, once, a value whose payload it holds.
\* Its own vote is in the same record.
Propose(v, help) ==
    /\ Leader[v] \in Honest
    /\ view[Leader[v]] = v
    /\ proposals[v] = None
    /\ \E x \in Admitted(Leader[v], v, help) :
           /\ v = 0 \/ Acknowledged(v, x, help)
           /\ proposals' = [proposals EXCEPT ![v] = x]
           /\ votes' = [votes EXCEPT ![Leader[v]][v] = x]
    /\ UNCHANGED <<desk, candidates, view, stabilised>>

\* i votes in the view it is in, once, for a value whose payload it holds.  The
\* vote and the payload become durable together.
Vote(i, help) ==
    /\ votes[i][view[i]] = None
    /\ \E x \in Proposed(view[i], help) :
           /\ x \in candidates[i] \/ ~Keeps("HoldsPayload")
           /\ votes' = [votes EXCEPT ![i][view[i]] = x]
    /\ UNCHANGED <<desk, candidates, view, proposals, stabilised>>

\* The time of view 0 begins when i could propose something itself, that of a
\* later view when enough members are in it.
Timed(i, help) ==
    IF view[i] = 0 THEN candidates[i] # {}
    ELSE Cardinality({j \in Honest : view[j] >= view[i]} \cup help) >= ViewChangeQuorum

\* F+1 members are in later views.
Joins(i, help) == Cardinality({j \in Honest : view[j] > view[i]} \cup help) >= F + 1

\* i enters the next view and reports its last vote.
EnterView(i, help) ==
    /\ Keeps("ViewChange")
    /\ view[i] + 1 \in Views
    /\ Timed(i, help) \/ Joins(i, help)
    /\ view' = [view EXCEPT ![i] = view[i] + 1]
    /\ UNCHANGED <<desk, candidates, votes, proposals, stabilised>>

\* i loses everything that is not durable.  What it voted for last is, with
\* its payload; the inputs of stages behind the first must be recovered.
Restart(i) ==
    /\ i \in Restarting
    /\ ~stabilised
    /\ working'    = [working EXCEPT ![i] = [s \in Stages |-> i \in Owners[s]]]
    /\ computed'   = [computed EXCEPT ![i] = [s \in Stages |-> None]]
    /\ attested'   = [attested EXCEPT ![i] = [s \in Stages |-> FALSE]]
    /\ past'       = [past EXCEPT ![i] = [s \in Stages |-> s = 1 \/ i \notin Assigned(s)]]
    /\ candidates' = [candidates EXCEPT ![i] =
                         IF Keeps("PayloadRecorded")
                         THEN {Reported(i, view[i] + 1)} \ {None}
                         ELSE {}]
    /\ UNCHANGED <<agreement, stabilised>>

\* i recovers the earlier inputs of stage s from a member of the stage, or from
\* one of the stage before, whose outputs they are.
Recover(i, s) ==
    /\ ~past[i][s]
    /\ \/ \E j \in (Honest \cap Assigned(s)) \ {i} : past[j][s]
       \/ \E j \in Honest \cap Assigned(s - 1) : past[j][s - 1]
    /\ past' = [past EXCEPT ![i][s] = TRUE]
    /\ UNCHANGED <<working, computed, attested, candidates, agreement, stabilised>>

\* From now on nobody restarts.
Stabilise ==
    /\ ~stabilised
    /\ stabilised' = TRUE
    /\ UNCHANGED <<desk, candidates, agreement>>

Next ==
    \/ \E i \in Honest, s \in Stages :
           \/ Escalate(i, s)
           \/ Compute(i, s, Byzantine)
           \/ Attest(i, s, Byzantine)
           \/ Recover(i, s)
    \/ \E i \in Honest :
           \/ Certify(i, Byzantine)
           \/ \E j \in Honest : Fetch(i, j)
           \/ Vote(i, Byzantine)
           \/ EnterView(i, Byzantine)
           \/ Restart(i)
    \/ \E v \in Views : Propose(v, Byzantine)
    \/ Stabilise

Spec == Init /\ [][Next]_vars

------------------------------------------------------------------------------
(* Properties *)

TypeOK ==
    /\ \A i \in Honest, s \in Stages :
           /\ {working[i][s], attested[i][s], past[i][s]} \subseteq BOOLEAN
           /\ computed[i][s] \in [input : Signals, output : Signals] \cup {None}
    /\ \A i \in Honest : candidates[i] \subseteq Values
    /\ \A i \in Honest : view[i] \in Views
    /\ \A i \in Honest, v \in Views : votes[i][v] \in Values \cup {None}
    /\ \A v \in Views : proposals[v] \in Values \cup {None}
    /\ stabilised \in BOOLEAN

\* Everything that an honest member holds as valid, or that is decided.
Results == UNION {candidates[i] : i \in Honest} \cup Decided(Byzantine)

\* A result is what the model gives on the committed tokens, link by link.
Validity == \A x \in Results : \A s \in Links : x[s] = Model(s)

\* No stage certificate can be made that says anything false, even by all
\* Byzantine members together.
ByzantineResistance ==
    \A s \in Stages : \A claim \in Certificates(s, Byzantine) :
        claim.output = Gives[s][claim.input]

\* A result begins exactly where the committed tokens end: no part is committed
\* twice, none is left out.
Integrity == \A x \in Results : x[0] = Committed

\* No two values are decided, in one view or in different ones.
Agreement == Cardinality(Decided(Byzantine)) <= 1

\* Two statements of one member with equal inputs and different outputs, or one
\* that contradicts a certificate, are evidence against their author.
Contradicts(one, other) == one.input = other.input /\ one.output # other.output

Blamed ==
    LET certificates == [s \in Stages |-> Certificates(s, Byzantine)]
        HasErred(i, s) ==
            LET own == Attestations(i, s)
            IN  \E claim \in own, other \in own \cup certificates[s] :
                    Contradicts(claim, other)
    IN  {i \in Honest : \E s \in Stages : i \in Assigned(s) /\ HasErred(i, s)}

\* Evidence never names an honest member.
Accountability == Blamed = {}

\* Whoever voted last for a value can show its payload, also after a restart,
\* so that a later leader can use the report of that vote.
Carried ==
    \A i \in Honest : Reported(i, view[i] + 1) \in candidates[i] \cup {None}

\* No vote or proposal is taken back, and no view entered again.
NeverTakenBack ==
    [][/\ \A i \in Honest : view'[i] >= view[i]
       /\ \A i \in Honest, v \in Views : votes[i][v] \in {None, votes'[i][v]}
       /\ \A v \in Views : proposals[v] \in {None, proposals'[v]}]_vars

------------------------------------------------------------------------------
(***************************************************************************)
(* What must happen, if honest members do what they can do without help.   *)
(* Byzantine members need not do anything.                                 *)
(***************************************************************************)

\* The owners had their time: the timer of a reserve runs once the input of
\* its stage is certain.
Overdue(i, s) == Certain(s - 1, F + 1, {}) # {} /\ Escalate(i, s)

\* A member that has committed does not leave its view.
TimesOut(i) == ~HasCommitted(i, {}) /\ EnterView(i, {})

\* Restarts end some day, and what was lost is recovered.
FairRestarts(dropped) ==
    /\ \A s \in Stages : \A i \in Honest \cap Assigned(s) :
           dropped = "Recover" \/ WF_vars(Recover(i, s))
    /\ dropped = "Stabilise" \/ WF_vars(Stabilise)

\* Weak fairness of every action of honest members, except of `dropped`.  Fetch
\* needs none: what others hold can be put together, or computed again.
Fair(dropped) ==
    /\ \A s \in Stages : \A i \in Honest \cap Reserves[s] :
           dropped = "Escalate" \/ WF_vars(Overdue(i, s))
    /\ \A s \in Stages : \A i \in Honest \cap Assigned(s) :
           /\ dropped = "Compute" \/ WF_vars(Compute(i, s, {}))
           /\ dropped = "Attest"  \/ WF_vars(Attest(i, s, {}))
    /\ \A i \in Honest :
           /\ dropped = "Certify"   \/ WF_vars(Certify(i, {}))
           /\ dropped = "Vote"      \/ WF_vars(Vote(i, {}))
           /\ dropped = "EnterView" \/ WF_vars(TimesOut(i))
    /\ \A v \in {u \in Views : Leader[u] \in Honest} :
           dropped = "Propose" \/ WF_vars(Propose(v, {}))
    /\ Restarting = {} \/ FairRestarts(dropped)

\* Some honest member commits.
EventualCommitment == <>(\E i \in Honest : HasCommitted(i, {}))

\* All honest members do.
EventualAgreement == <>(\A i \in Honest : HasCommitted(i, {}))

\* A view without a proposal is left, unless it is over.
Left(i, v) == view[i] > v \/ HasCommitted(i, {})
DeadLeaderDetected ==
    \A v \in {u \in Views : Leader[u] \in Byzantine} : <>(\A i \in Honest : Left(i, v))

\* Liars cannot prevent a certificate of any stage.
CertificatesUnpreventable ==
    \A s \in Stages :
        <>(Computation(Model(s - 1), Model(s)) \in Certificates(s, {}))

\* A member that lost its inputs has them back in the end.
RecoveringLeadsToReady ==
    \A i \in Honest, s \in Stages : ~past[i][s] ~> past[i][s]

==============================================================================
