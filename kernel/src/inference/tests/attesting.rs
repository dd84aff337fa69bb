//! What a member attests, how often, and what the attestations of others tell
//! it about them.

use super::*;

/// What `member` attested since the last time.
fn attested(member: &mut Member<'_>) -> Vec<Attest<C>> {
    let attested = member.out.drain(..).filter_map(|output| match output {
        Output::Send { envelope, .. } => match envelope.message {
            Message::Attest(attest) => Some(attest),
            _ => None,
        },
        _ => None,
    });
    attested.collect()
}

/// Its host computes `signal`, or, if it was not asked to, others say so.
fn finds(member: &mut Member<'_>, stage: Stage, position: u16, signal: u8) {
    let others: Vec<NodeId> =
        member.run.active.placement.assigned(stage).filter(|node| *node != member.me).take(2).collect();
    let _ = member.computed(stage, position, &[signal]);
    for from in others {
        // Two agree already.
        let _ = member.hears(from, stage, position, &[signal]);
    }
}

#[test]
fn an_attestation_is_said_once_and_that_of_the_last_stage_has_the_tokens() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let me = seats(&run, LAST)[0];
    let mut member = Member::new(&cluster, me, &run);
    let mut said = Vec::new();
    for position in 0..6 {
        finds(&mut member, FIRST, position, 5);
        if position >= 2 {
            // 9 and 8, then 7 and 6.
            finds(&mut member, LAST, position, 11 - u8::try_from(position).unwrap());
        }
        said.extend(attested(&mut member));
    }
    let of = |stage: Stage| {
        let said = said.iter().filter(|attest| attest.claim.stage == stage);
        said.map(|attest| (attest.claim.committed, attest.tokens.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(of(LAST), [(0, [9, 8].to_vec()), (2, [7, 6].to_vec())]);
    if run.active.placement.owners(FIRST).contains(me) {
        assert_eq!(of(FIRST), [(0, [].to_vec()), (2, [].to_vec())]);
    }
    // Others take them.
    let mut fellow = Member::new(&cluster, seats(&run, LAST)[1], &run);
    for attest in said.into_iter().filter(|attest| attest.claim.committed == 0) {
        fellow.is_told(me, attest).unwrap();
    }
}

#[test]
fn only_members_of_a_stage_attest_it_and_nobody_hears_from_itself() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, _, outside] = seats(&run, FIRST);
    let attest = || {
        let claim = Claim { run: run.id, committed: 0, stage: FIRST, input: 70, output: 71 };
        Attest { claim, tokens: Tokens::new() }
    };
    let mut member = Member::new(&cluster, owner, &run);
    assert_eq!(member.is_told(outside, attest()), Err(Rejection::Unauthorised));
    assert_eq!(member.is_told(owner, attest()), Err(Rejection::Unauthorised));
    assert_eq!(member.is_told(other, attest()), Ok(()));
}

#[test]
fn an_owner_that_attested_its_part_to_the_end_was_not_silent() {
    let cluster = cluster(2);
    let run = run(&cluster, 6);
    let [owner, other, reserve, _] = seats(&run, FIRST);
    let attest = || {
        let claim = Claim { run: run.id, committed: 0, stage: FIRST, input: 70, output: 71 };
        Attest { claim, tokens: Tokens::new() }
    };
    let both = NodeSet::EMPTY.with(owner).with(other);
    for (heard, silent) in [(0, both), (4, both.without(owner))] {
        let mut member = Member::new(&cluster, reserve, &run);
        for position in 0..heard {
            for from in [owner, other] {
                member.hears(from, FIRST, position, &[5]).unwrap();
            }
            if position == 2 {
                let lasts = run.active.placement.assigned(LAST).filter(|node| *node != reserve).take(2);
                lasts.for_each(|from| member.hears(from, LAST, position, &[9]).unwrap());
            }
            // It waits for what comes next, not for what came.
            let _ = member.waited(FIRST);
        }
        assert!(member.inference.suspects().is_empty());
        member.is_told(owner, attest()).unwrap();
        assert_eq!(member.waited(FIRST), Ok(()));
        assert_eq!(member.inference.suspects(), silent, "after {heard} of 4 positions");
    }
}
