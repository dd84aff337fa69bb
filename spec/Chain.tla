-------------------------------- MODULE Chain --------------------------------
(***************************************************************************)
(* The chain of epochs: the kernel's `node` module, as far as agreement    *)
(* goes.                                                                   *)
(*                                                                         *)
(* N members, at most F of them Byzantine, decide one value after the      *)
(* other, one in each epoch.  A member signs in the one epoch after the    *)
(* last that it holds decided, and what it signs is on its disk first.     *)
(* Who is behind takes the newest decision from anybody who holds it.  Who *)
(* lost its record is a learner: it follows, signs nothing, and asks to be *)
(* admitted again with a number (a nonce) that it drew after the loss.     *)
(* Once an epoch is decided that contains the number, it signs in later    *)
(* epochs.  Had it signed in one of those before the loss, it would have   *)
(* held the decision of the epoch before, and the number with it, which    *)
(* did not exist then.                                                     *)
(*                                                                         *)
(* An epoch may change the roster: admit a member, or remove one.  It is   *)
(* the last of its cluster.  What goes on behind it is another cluster,    *)
(* with a roster and an identity of its own, whose first state follows     *)
(* from the last decision.  So each epoch is decided by one roster, and    *)
(* every member of it knows which.  A member enters the next cluster once  *)
(* it holds that decision, and nobody hears what a cluster decides before  *)
(* having entered it: nothing skips a change.                              *)
(*                                                                         *)
(* How the protocol is abstracted:                                         *)
(*   - A value is the chain that it ends: the sequence of what each epoch  *)
(*     added.  The kernel's value is a digest of the value before, of what *)
(*     the epoch adds, and of the state, which follows from the two.       *)
(*   - Agreement on one value is a single view: a member signs at most one *)
(*     value in an epoch, and a quorum of equal ones decides.  What views  *)
(*     add is the subject of Agreement.tla.  It assumes members that do    *)
(*     not forget; that nobody signs again in an epoch in which it signed  *)
(*     before its loss (NoResign) makes the assumption true in each epoch, *)
(*     since one that signs nothing is one that is silent.                 *)
(*   - Messages are never stored, except as the history of who signed or   *)
(*     said what.  What was said once can be used at any later time.       *)
(*   - Byzantine members have no state.  They sign everything, always, and *)
(*     hold every decision that anybody could put together.  What they say *)
(*     about themselves changes nothing here and is left out.              *)
(*   - An operator may order any change, at any time.  Who is ordered in    *)
(*     was set up for it, once, and is called a guest until then: it holds *)
(*     a record that says that it signed nothing, and hears of changes     *)
(*     only.  Who was ordered out is a guest for ever.                     *)
(*   - A step is done at once, with what it writes.  The kernel sends      *)
(*     nothing before it is written; a crash in between is a message that  *)
(*     nobody has used yet.                                                *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, Sequences

CONSTANTS
    N,            \* number of founders, all of them voters
    F,            \* how many of them may be Byzantine
    P,            \* how many may be silent while the fast path still decides
    Epochs,       \* how many epochs are explored
    Honest,       \* who follows the protocol
    Byzantine,    \* who need not
    Founders,     \* the members of the first roster
    Joining,      \* who may be admitted later
    Leaving,      \* who may be removed
    Changes,      \* how often the roster changes at most
    Work,         \* what an epoch may add to a request
    Draws,        \* how many numbers are drawn in all, which bounds the losses
    Fallible,     \* the members that may lose their record
    Together,     \* how many learners there may be at a time
    Equivocation, \* members may be shown different values in one epoch
    NoticesFirst  \* what a member says about itself, or an operator orders, goes before work

(***************************************************************************)
(* Rules that a run may switch off, to see that the properties notice.     *)
(* The protocol is the module with all of them TRUE.                       *)
(***************************************************************************)
CONSTANTS
    LearnersWait,       \* a learner signs nothing
    FreshNonce,         \* the number is drawn anew after each loss, and each start
    CountIncarnations,  \* a notice names how often its member was admitted
    WaitForDecision,    \* nothing is signed on top of what is not decided
    RecordVote,         \* a vote is written before it is sent
    RecordHead,         \* a decision is written before its slot is used again
    RecordPayload,      \* the payload of a vote is written with it
    KeepRole,           \* a learner that enters a cluster is a learner there
    MembersCount        \* who is not in a roster does not count for it

Everybody == Honest \cup Byzantine

\* Whether the members of S can be a cluster.
IsRoster(S) ==
    /\ Cardinality(S) >= 3*F + 1
    /\ Cardinality(S) >= 3*F + 2*P - 1
    /\ Cardinality(S \cap Byzantine) <= F

WellFormed ==
    /\ Cardinality(Founders) = N
    /\ Honest \cap Byzantine = {}
    /\ Fallible \subseteq Honest
    /\ Founders \cup Joining \subseteq Everybody
    /\ Founders \cap Joining = {}
    /\ IsRoster(Founders)

ASSUME WellFormed

------------------------------------------------------------------------------
(* Thresholds, of n members *)

FastQuorum(n)       == n - P
SlowQuorum(n)       == (n + F + 2) \div 2    \* (n+F+1)/2, rounded up
ViewChangeQuorum(n) == n - F

\* The fewest that sign for a decision, on either path.
Quorum(n) == IF FastQuorum(n) <= SlowQuorum(n) THEN FastQuorum(n) ELSE SlowQuorum(n)

------------------------------------------------------------------------------
(* Values, and the state after each *)

\* What an epoch adds: work on a request, a member's notice, or a change of the
\* roster.  A notice is given in one cluster, which it names by where it begins.
Worked(work) == [kind |-> "Work", work |-> work]

Readmit(r, origin, incarnation, nonce) ==
    [kind |-> "Readmit", member |-> r, origin |-> origin,
     incarnation |-> incarnation, nonce |-> nonce]

Admit(r)  == [kind |-> "Admit", member |-> r]
Remove(r) == [kind |-> "Remove", member |-> r]

IsChange(increment) == increment.kind \in {"Admit", "Remove"}

\* The chain before the first epoch.  No value is empty, so it also stands for
\* the absence of one.
Genesis == <<>>
None    == <<>>

\* The chain on top of which c was signed.
Before(c) == SubSeq(c, 1, Len(c) - 1)

\* The epochs of c that changed the roster.
ChangesIn(c) == {i \in DOMAIN c : IsChange(c[i])}

\* Where the cluster begins that goes on with c: behind its last change.
Origin(c) ==
    IF ChangesIn(c) = {} THEN 0 ELSE CHOOSE i \in ChangesIn(c) : \A j \in ChangesIn(c) : j <= i

Named(c, kind) == {c[i].member : i \in {j \in DOMAIN c : c[j].kind = kind}}

\* Its members.  Who was removed does not come back: it would be somebody else.
Roster(c) == (Founders \cup Named(c, "Admit")) \ Named(c, "Remove")

\* The roster that decides about c itself.
Deciding(c) == Roster(Before(c))

\* The last notice of r in the chain c since the cluster began.
ReadmittedSince(c, origin, r) ==
    LET of == {i \in DOMAIN c : i > origin /\ c[i].kind = "Readmit" /\ c[i].member = r}
    IN  IF of = {}
        THEN Readmit(r, origin, 0, 0)
        ELSE c[CHOOSE i \in of : \A j \in of : j <= i]

Readmitted(c, r) == ReadmittedSince(c, Origin(c), r)

NextIncarnation(c, r) == Readmitted(c, r).incarnation + 1

\* Whether the epoch after c may commit the notice.
AdmitsNotice(c, notice) ==
    /\ notice.origin = Origin(c)
    /\ notice.member \in Roster(c)
    /\ CountIncarnations =>
        /\ notice.incarnation = NextIncarnation(c, notice.member)
        /\ notice.nonce # Readmitted(c, notice.member).nonce

\* The changes that the epoch after c may commit.
AdmittedChanges(c) ==
    LET roster == Roster(c)
        join   == {r \in Joining \ (roster \cup Named(c, "Remove")) : IsRoster(roster \cup {r})}
        leave  == {r \in Leaving \cap roster : IsRoster(roster \ {r})}
    IN  IF Cardinality(ChangesIn(c)) < Changes
        THEN {Admit(r) : r \in join} \cup {Remove(r) : r \in leave}
        ELSE {}

------------------------------------------------------------------------------
(* State *)

VARIABLES
    memory,   \* memory[r]  what r goes by: its role, where the cluster begins that
              \*            it is in, the head of its chain, the value that it voted
              \*            for in the epoch after that, and the payload of this
              \*            value if it holds it
    record,   \* record[r]  the same, as r would read it back from its disk
    signed,   \* signed[r]  the values that r ever voted for
    notices,  \*            the notices that members ever gave
    drawn     \* drawn[r]   how many numbers r has drawn; a learner goes by the last

vars == <<memory, record, signed, notices, drawn>>

\* What provisioning writes, and what is left after a loss.
First(role) == [role |-> role, origin |-> 0, head |-> Genesis, voted |-> None, payload |-> None]

\* Whether m is of the cluster that goes on with its head: if not, that one is over.
HasEntered(m) == m.origin = Origin(m.head)

\* Whether r is a member of the cluster that goes on with its head, and is there.
IsMember(r)  == r \in Roster(memory[r].head)
TakesPart(r) == HasEntered(memory[r]) /\ IsMember(r)

Learners == {r \in Honest : memory[r].role = "Learner"}
Replicas == Honest \ Learners

------------------------------------------------------------------------------
(* What exists.  A Byzantine signature can always be added. *)

Voted == UNION {signed[r] : r \in Honest}

VotesFor(c) ==
    LET voters == {r \in Honest : c \in signed[r]} \cup Byzantine
    IN  IF MembersCount THEN voters \cap Deciding(c) ELSE voters

IsDecided(c) == Cardinality(VotesFor(c)) >= Quorum(Cardinality(Deciding(c)))

\* The values for which a decision certificate can be put together.
Decided == {c \in Voted : IsDecided(c)}

\* Those of them that end in epochs after e.
DecidedAfter(e) == {c \in Voted : Len(c) > e /\ IsDecided(c)}

\* What q can show: its newest decision, and those that changed the roster.  It has
\* dropped what else it had of the epochs until then.
Shown(q) ==
    LET head == memory[q].head IN {head} \cup {SubSeq(head, 1, i) : i \in ChangesIn(head)}

\* Whether r can make something of c: it is a decision of the cluster that r is in,
\* or the last one of a cluster of which r is a guest.
IsFor(r, c) ==
    /\ Origin(Before(c)) = memory[r].origin
    /\ r \in Deciding(c) \/ IsChange(c[Len(c)])

\* The decisions of epochs after e that r can be told.
Held(r, e) ==
    {c \in UNION {Shown(q) : q \in Honest \ {r}} : Len(c) > e /\ IsFor(r, c)}
Told(r, e) ==
    Held(r, e) \cup (IF Byzantine = {} THEN {} ELSE {c \in DecidedAfter(e) : IsFor(r, c)})

\* The values whose payload honest members hand out.
Supplied == {memory[q].payload : q \in Honest}

\* The replicas that stand by their vote for c and repeat it: c is not decided as
\* far as they know.
Repeating(c) == {q \in Honest : memory[q].voted = c}

\* Whether the payload of c can be had.  One that nobody stands by is computed, or
\* its notice heard, just now.
HandedOut(c) == c \in Supplied \/ Repeating(c) = {}
Known(c)     == HandedOut(c) \/ Byzantine # {}

\* The values that are valid at the end of the chain c.
Valid(c) ==
    LET admitted == {notice \in notices : AdmitsNotice(c, notice)} \cup AdmittedChanges(c)
        work     == IF NoticesFirst /\ admitted # {} THEN {} ELSE {Worked(w) : w \in Work}
    IN  {Append(c, increment) : increment \in admitted \cup work}

(***************************************************************************)
(* The values that members at the end of the chain c may vote for.  With   *)
(* Equivocation, the leader shows each member what it likes.  Without, one *)
(* value comes out of each epoch, and whoever signs in it signs for that:  *)
(* any quorum that signed in an epoch, in whatever views, decides.  Only a *)
(* value that nobody stands by any more, since its voters lost their       *)
(* records, gives way to another, as it would in a later view.             *)
(***************************************************************************)
Proposed(c) ==
    LET begun == {d \in Voted : /\ Len(d) = Len(c) + 1
                                /\ Repeating(d) # {} \/ d \in Decided}
    IN  IF Equivocation \/ begun = {} THEN Valid(c) ELSE begun

\* What r may sign on top of.
Bases(r) ==
    LET m == memory[r]
    IN  (IF m.voted = None THEN {m.head} ELSE {}) \cup
        (IF WaitForDecision \/ m.voted = None THEN {} ELSE {m.voted})

Votable(r) ==
    IF TakesPart(r) /\ (LearnersWait => r \notin Learners)
    THEN UNION {{c \in Proposed(base) : Len(c) <= Epochs /\ Known(c)} : base \in Bases(r)}
    ELSE {}

------------------------------------------------------------------------------
(* Steps *)

\* The part of m that r writes.  A record is written as a whole.
Durable(r, m) ==
    [role    |-> m.role,
     origin  |-> m.origin,
     head    |-> IF RecordHead THEN m.head ELSE record[r].head,
     voted   |-> IF RecordVote THEN m.voted ELSE None,
     payload |-> IF RecordPayload THEN m.payload ELSE None]

\* r goes by m from now on, and m is durable.
Persist(r, m) ==
    /\ memory' = [memory EXCEPT ![r] = m]
    /\ record' = [record EXCEPT ![r] = Durable(r, m)]

\* The number that r goes by after drawing once more.
Redrawn(r) == IF FreshNonce \/ drawn[r] = 0 THEN drawn[r] + 1 ELSE drawn[r]

\* How many numbers the members of S have drawn.
RECURSIVE Sum(_)
Sum(S) == IF S = {} THEN 0
          ELSE LET r == CHOOSE q \in S : TRUE
               IN  drawn[r] + Sum(S \ {r})

CanDraw(r) == Redrawn(r) = drawn[r] \/ Sum(Honest) < Draws

\* The notice of r, which goes by m, if it is a learner among the members.
OwnNotice(r, m, nonce) ==
    IF m.role = "Learner" /\ HasEntered(m) /\ r \in Roster(m.head)
    THEN {Readmit(r, m.origin, NextIncarnation(m.head, r), nonce)}
    ELSE {}

\* r votes for c: what it signs first in an epoch stands for all that it signs there.
\* A leader proposes and votes in one step.
VoteFor(r, c) ==
    /\ Persist(r, [memory[r] EXCEPT !.voted = c, !.payload = c])
    /\ signed' = [signed EXCEPT ![r] = signed[r] \cup {c}]
    /\ UNCHANGED <<notices, drawn>>

\* The decided c becomes the head of r's chain, and the epoch after it is open.
\* A learner whose number c contains is a replica again.
Follow(r, c) ==
    LET m        == memory[r]
        admitted == ReadmittedSince(c, m.origin, r).nonce = drawn[r]
        role     == IF m.role = "Learner" /\ ~admitted THEN "Learner" ELSE "Replica"
        \* Nothing, unless r signs on top of what is not decided.
        ahead    == IF Len(m.voted) > Len(c) THEN m.voted ELSE None
        after    == [m EXCEPT !.role = role, !.head = c, !.voted = ahead, !.payload = ahead]
    IN  /\ Persist(r, after)
        /\ notices' = notices \cup OwnNotice(r, after, drawn[r])
        /\ UNCHANGED <<signed, drawn>>

------------------------------------------------------------------------------
(* Actions *)

Init ==
    /\ memory  = [r \in Honest |-> First("Replica")]
    /\ record  = [r \in Honest |-> First("Replica")]
    /\ signed  = [r \in Honest |-> {}]
    /\ notices = {}
    /\ drawn   = [r \in Honest |-> 0]

\* r votes in the open epoch, once.
Vote(r) == \E c \in Votable(r) : VoteFor(r, c)

\* The values that r sees decided in the open epoch.
Closable(r) ==
    LET head == memory[r].head
    IN  IF TakesPart(r) /\ r \notin Learners
        THEN {c \in DecidedAfter(Len(head)) :
                  /\ Before(c) = head
                  /\ Byzantine # {} \/ c \in Supplied}
        ELSE {}

\* r holds a quorum of votes in the open epoch.
Close(r) == \E c \in Closable(r) : Follow(r, c)

\* r is told of a later decision, and skips what lies between.
CatchUp(r) == \E c \in Told(r, Len(memory[r].head)) : Follow(r, c)

\* r holds the last decision of its cluster, and goes on in the next one.  What it
\* is there, it was before: who does not know what it signed, knows it no better.
Enter(r) ==
    LET m       == memory[r]
        entered == [m EXCEPT !.origin = Origin(m.head),
                             !.role = IF KeepRole THEN m.role ELSE "Replica"]
    IN  /\ ~HasEntered(m)
        /\ Persist(r, entered)
        /\ notices' = notices \cup OwnNotice(r, entered, drawn[r])
        /\ UNCHANGED <<signed, drawn>>

\* r crashes and starts from what is durable.  A learner draws another number.
Start(r) ==
    LET m      == record[r]
        \* A vote in another epoch than the open one says nothing about it.
        \* Whoever signs ahead has to read them all.
        voted  == IF WaitForDecision /\ Len(m.voted) # Len(m.head) + 1 THEN None ELSE m.voted
        nonce  == IF m.role = "Learner" THEN Redrawn(r) ELSE drawn[r]
    IN  /\ m.role = "Learner" => CanDraw(r)
        /\ memory'  = [memory EXCEPT ![r] = [m EXCEPT !.voted = voted]]
        /\ drawn'   = [drawn EXCEPT ![r] = nonce]
        /\ notices' = notices \cup OwnNotice(r, m, nonce)
        /\ UNCHANGED <<record, signed>>

\* r starts without a record: it is a learner.
Lose(r) ==
    /\ r \in Fallible
    /\ Cardinality(Learners \ {r}) < Together
    /\ CanDraw(r)
    /\ memory'  = [memory EXCEPT ![r] = First("Learner")]
    /\ record'  = [record EXCEPT ![r] = First("Learner")]
    /\ drawn'   = [drawn EXCEPT ![r] = Redrawn(r)]
    /\ notices' = notices \cup OwnNotice(r, First("Learner"), Redrawn(r))
    /\ UNCHANGED signed

Next == \E r \in Honest : Vote(r) \/ Close(r) \/ CatchUp(r) \/ Enter(r) \/ Start(r) \/ Lose(r)

Spec == Init /\ [][Next]_vars

------------------------------------------------------------------------------
(* Properties *)

IsChain(c) ==
    /\ Len(c) <= Epochs
    /\ \A i \in DOMAIN c :
           \/ c[i].kind = "Work" /\ c[i].work \in Work
           \/ c[i].kind = "Readmit" /\ c[i] \in notices
           \/ c[i].kind = "Admit" /\ c[i].member \in Joining
           \/ c[i].kind = "Remove" /\ c[i].member \in Leaving

IsRecord(m) ==
    /\ m.role \in {"Replica", "Learner"}
    /\ m.origin \in {0} \cup ChangesIn(m.head)
    /\ IsChain(m.head)
    /\ IsChain(m.voted)
    /\ m.payload \in {m.voted, None}

TypeOK ==
    /\ DOMAIN memory = Honest
    /\ DOMAIN record = Honest
    /\ \A r \in Honest : IsRecord(memory[r]) /\ IsRecord(record[r])
    /\ \A r \in Honest : \A c \in signed[r] : IsChain(c) /\ c # None
    /\ \A notice \in notices :
           notice.member \in Honest /\ notice.nonce \in 1..drawn[notice.member]
    /\ drawn \in [Honest -> 0..Draws]

\* No two values of one epoch are decided.
Agreement == \A c, d \in Decided : Len(c) = Len(d) => c = d

\* What is decided extends what was decided before, and members hold nothing else.
Consistency ==
    /\ \A c, d \in Decided : Len(c) <= Len(d) => c = SubSeq(d, 1, Len(c))
    /\ \A r \in Honest : memory[r].head \in Decided \cup {Genesis}

\* Nothing is signed on top of what is not decided.
SignedOnDecided ==
    \A r \in Honest : \A c \in signed[r] :
        Before(c) \in Decided \cup {Genesis}

\* A notice is committed at most once, and those of a member in their order.
AreOfOne(one, other) ==
    /\ one.kind = "Readmit" /\ other.kind = "Readmit"
    /\ one.member = other.member /\ one.origin = other.origin

Integrity ==
    \A c \in Decided : \A i, j \in DOMAIN c :
        i < j /\ AreOfOne(c[i], c[j]) => c[i].incarnation < c[j].incarnation

\* Nobody signs in an epoch that is not its roster's.
OnlyMembersSign == \A r \in Honest : \A c \in signed[r] : r \in Deciding(c)

\* No honest member ever signs two values in one epoch, whatever it lost.
NeverContradicted ==
    \A r \in Honest : \A c, d \in signed[r] : Len(c) = Len(d) => c = d

\* Nobody signs in an epoch in which it signed before.
NoResign ==
    [][\A r \in Honest :
           LET vote == memory'[r].voted
           IN  vote # None /\ vote # memory[r].voted =>
                   \A c \in signed[r] : Len(c) # Len(vote)]_vars

\* A learner signs nothing.
LearnersAreSilent ==
    [][\A r \in Learners : signed'[r] = signed[r] /\ memory'[r].voted = None]_vars

\* Whatever a replica signed is covered by its record: the epoch is over, or
\* the vote and its payload are there.
DurableBeforeVisible ==
    \A r \in Honest : record[r].role = "Replica" =>
        \A c \in signed[r] :
            \/ Len(c) <= Len(record[r].head)
            \/ c = record[r].voted /\ c = record[r].payload

(***************************************************************************)
(* Too few are left.  A node says that it is blocked when fewer than N-F   *)
(* that may sign are heard of; Byzantine members may be.  The cluster is   *)
(* stuck when in the epoch after the last decided one the members that     *)
(* signed, or still may, make no quorum, and no learner's number is        *)
(* decided.                                                                *)
(***************************************************************************)
Last == IF Decided = {} THEN Genesis
        ELSE CHOOSE c \in Decided : \A d \in Decided : Len(d) <= Len(c)

Size == Cardinality(Roster(Last))

Blocked == Cardinality((Replicas \cup Byzantine) \cap Roster(Last)) < ViewChangeQuorum(Size)

SignedIn(e) == {r \in Honest : {c \in signed[r] : Len(c) = e} # {}}

IsAdmitted(c, r) ==
    \E i \in DOMAIN c : c[i].kind = "Readmit" /\ c[i].member = r /\ c[i].nonce = drawn[r]

Stuck ==
    /\ Cardinality((Replicas \cup SignedIn(Len(Last) + 1) \cup Byzantine) \cap Roster(Last))
           < Quorum(Size)
    /\ \A c \in Decided, r \in Learners : ~IsAdmitted(c, r)

\* Whoever is stuck is told so.
StuckIsBlocked == Stuck => Blocked

\* A cluster that is stuck decides nothing, for ever, whatever anybody does.
StuckStays == [][Stuck => Stuck' /\ Decided' = Decided]_vars

------------------------------------------------------------------------------
(***************************************************************************)
(* Progress.  Only what honest members do by themselves is bound to happen *)
(* in the end: they vote and close with what honest members still say,     *)
(* catch up with what honest members hold, and enter where the roster      *)
(* changed.  Nobody has to crash, to lose its record, or to hear a         *)
(* Byzantine member.                                                       *)
(***************************************************************************)

FairVote(r) == \E c \in {d \in Votable(r) : HandedOut(d)} : VoteFor(r, c)

FairClose(r) ==
    \E c \in {d \in Closable(r) :
                 d \in Supplied /\ Cardinality(Repeating(d)) >= Quorum(Cardinality(Deciding(d)))} :
        Follow(r, c)

FairCatchUp(r) == \E c \in Held(r, Len(memory[r].head)) : Follow(r, c)

Fairness ==
    \A r \in Honest :
        /\ WF_vars(FairVote(r))
        /\ WF_vars(FairClose(r))
        /\ WF_vars(FairCatchUp(r))
        /\ WF_vars(Enter(r))

FairSpec == Spec /\ Fairness

\* Every member holds every decision in the end.  Who does not, is none.
EventualCommitment == <>[](\A r \in Honest : Len(memory[r].head) = Epochs \/ ~IsMember(r))

\* A learner is a replica again in the end, unless it lost its record so late
\* that nobody was left to begin another epoch.
Room == \A c \in Voted : Len(c) < Epochs

RecoveringLeadsToReady ==
    \A r \in Honest : (r \in Learners /\ Room) ~> r \notin Learners

==============================================================================
