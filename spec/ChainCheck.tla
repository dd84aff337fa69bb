----------------------------- MODULE ChainCheck -----------------------------
(***************************************************************************)
(* What the checkers need besides the protocol: a reduction by symmetry,   *)
(* and witnesses.                                                          *)
(***************************************************************************)
EXTENDS Chain

\* Repeated here because one of the checkers reads the assumptions of the root
\* module only.
ASSUME WellFormed

(***************************************************************************)
(* Symmetry.  Founders that neither lose their record nor leave are        *)
(* interchangeable, since no notice and no change names them, and so is    *)
(* work.  Orbit maps a state to the  *)
(* same thing for every renaming of it.  See AgreementCheck.tla.           *)
(***************************************************************************)
Renamings == {f \in [Work -> Work] : \A x, y \in Work : f[x] = f[y] => x = y}

RenamedIncrement(increment, renaming) ==
    IF increment.kind = "Work" THEN Worked(renaming[increment.work]) ELSE increment

Renamed(c, renaming) == [i \in DOMAIN c |-> RenamedIncrement(c[i], renaming)]

RenamedRecord(m, renaming) ==
    <<m.role, m.origin, Renamed(m.head, renaming), Renamed(m.voted, renaming), Renamed(m.payload, renaming)>>

Local(r, renaming) ==
    <<{r} \cap (Fallible \cup Joining \cup Leaving), drawn[r],
      RenamedRecord(memory[r], renaming),
      RenamedRecord(record[r], renaming),
      {Renamed(c, renaming) : c \in signed[r]}>>

Image(renaming) ==
    LET locals == [r \in Honest |-> Local(r, renaming)]
    IN  <<{<<locals[r], Cardinality({q \in Honest : locals[q] = locals[r]})>> : r \in Honest},
          notices>>

Orbit == {Image(renaming) : renaming \in Renamings}

(***************************************************************************)
(* Witnesses: what must be possible, or the properties say little.  Each   *)
(* denies it, and must fail.                                               *)
(***************************************************************************)
NobodyIsEverStuck == ~Stuck

\* Nobody votes who is no founder.
NobodyJoins == \A r \in Honest : signed[r] # {} => r \in Founders

\* Nobody votes after it lost its record.
NobodyComesBack == \A r \in Honest : drawn[r] > 0 => memory[r].voted = None

\* Nobody skips an epoch.
NobodySkips ==
    [][\A r \in Honest : Len(memory'[r].head) <= Len(memory[r].head) + 1]_vars

(***************************************************************************)
(* Each kind of step must be bound to happen, or progress fails.           *)
(***************************************************************************)
NeedNotVote    == Spec /\ \A r \in Honest : WF_vars(FairClose(r)) /\ WF_vars(FairCatchUp(r))
NeedNotClose   == Spec /\ \A r \in Honest : WF_vars(FairVote(r)) /\ WF_vars(FairCatchUp(r))
NeedNotCatchUp == Spec /\ \A r \in Honest : WF_vars(FairVote(r)) /\ WF_vars(FairClose(r))
NeedNotEnter ==
    Spec /\ \A r \in Honest :
        WF_vars(FairVote(r)) /\ WF_vars(FairClose(r)) /\ WF_vars(FairCatchUp(r))

==============================================================================
