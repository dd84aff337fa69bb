//! Stages in another language, and what they do to whoever runs them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};

use butterfly_ffi::Error;
use butterfly_ffi::document::{Statement, read_document, write_evidence};
use butterfly_ffi::roster::Roster;
use butterfly_ffi::simulation::{Plan, Simulation, StageFunctions};
use butterfly_ffi::surface::Work;

use crate::table::{VOCABULARY, altered, model};

/// A stage as a closure.
struct Stage<F>(F);

impl<F: Fn(u8, &Work) -> Result<Vec<u8>, Error> + Send + Sync> StageFunctions for Stage<F> {
    fn run(&self, member: u8, work: Work) -> Result<Vec<u8>, Error> {
        (self.0)(member, &work)
    }
}

fn next(work: &Work) -> Vec<u8> {
    let last = work.inputs.last().unwrap().0.clone();
    if work.stage == 0 { last } else { vec![(last[0] + 1) % VOCABULARY] }
}

fn plan() -> Plan {
    Plan {
        members: 4,
        model: model(),
        seed: 3,
        loss: 0,
        least_delay: 100,
        most_delay: 200,
        liars: vec![],
        silent: vec![],
    }
}

fn simulation(
    plan: Plan,
    stage: impl Fn(u8, &Work) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
) -> Result<Arc<Simulation>, Error> {
    Simulation::new(plan, Box::new(Stage(stage)))
}

#[test]
fn plans_that_cannot_be_are_refused() {
    let refused = |plan| matches!(simulation(plan, |_, work| Ok(next(work))), Err(Error::Roster { .. }));
    assert!(refused(Plan { members: 0, ..plan() }));
    assert!(refused(Plan { members: 17, ..plan() }));
    assert!(refused(Plan { liars: vec![4], ..plan() }));
    assert!(refused(Plan { silent: vec![4], ..plan() }));
    assert!(refused(Plan { loss: 1_000, ..plan() }));
    assert!(refused(Plan { least_delay: 2, most_delay: 1, ..plan() }));
    assert!(!refused(Plan { loss: 999, least_delay: 1, most_delay: 1, liars: vec![3], silent: vec![0], ..plan() }));
}

#[test]
fn a_stage_that_calls_back_is_told_that_it_is_busy() {
    let own: Arc<Mutex<Weak<Simulation>>> = Arc::default();
    let told = Arc::new(Mutex::new(None));
    let (inside, heard) = (Arc::clone(&own), Arc::clone(&told));
    let simulation = simulation(plan(), move |_, work| {
        let simulation = inside.lock().unwrap().upgrade().unwrap();
        *heard.lock().unwrap() = simulation.report().err();
        Ok(next(work))
    })
    .unwrap();
    *own.lock().unwrap() = Arc::downgrade(&simulation);
    simulation.submit(vec![1], 4, None).unwrap();
    assert!(simulation.run(60_000).unwrap());
    assert_eq!(*told.lock().unwrap(), Some(Error::Busy));
    assert_eq!(simulation.report().unwrap().tokens, [2, 3, 4, 5]);
}

#[test]
fn a_stage_that_panics_leaves_a_broken_object() {
    let simulation = simulation(plan(), |_, _| panic!("as a stage in Rust may")).unwrap();
    simulation.submit(vec![1], 4, None).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| simulation.run(60_000))).is_err());
    assert_eq!(simulation.report().unwrap_err(), Error::Broken);
    assert_eq!(simulation.run(1).unwrap_err(), Error::Broken);
}

#[test]
fn whatever_one_member_says_the_others_make_up_for_it() {
    for wrong in [None, Some(vec![]), Some(vec![0; 9]), Some(vec![0; 10_000]), Some(vec![VOCABULARY])] {
        let said = wrong.clone();
        let simulation = simulation(plan(), move |member, work| match &said {
            None if member == 1 => Err(Error::Stage { reason: "no".into() }),
            Some(wrong) if member == 1 && work.stage == 1 => Ok(wrong.clone()),
            _ => Ok(next(work)),
        })
        .unwrap();
        simulation.submit(vec![1, 2], 8, None).unwrap();
        assert!(simulation.run(60_000).unwrap(), "{wrong:?}");
        let report = simulation.report().unwrap();
        assert_eq!(report.tokens, (3..11).collect::<Vec<u8>>());
        let failed = report.failures.iter().filter(|said| *said == "member 1: no").count();
        assert_eq!((failed > 0, failed), (wrong.is_none(), report.failures.len()));
        assert_eq!(report.blamed, [], "a fault that harms nobody is none");
    }
}

#[test]
fn requests_come_one_after_the_other() {
    let simulation = simulation(plan(), |_, work| Ok(next(work))).unwrap();
    simulation.submit(vec![1], 4, None).unwrap();
    assert_eq!(simulation.submit(vec![1], 4, None), Err(Error::Busy));
    assert!(simulation.run(60_000).unwrap());
    assert!(matches!(simulation.submit(vec![], 4, None), Err(Error::Malformed { .. })));
    simulation.submit(vec![9], 4, None).unwrap();
    assert!(simulation.run(60_000).unwrap());
    let report = simulation.report().unwrap();
    assert_eq!(report.tokens, [10, 11, 12, 13]);
    assert_eq!(simulation.roster().unwrap().verify_proof(&report.proof.unwrap()).unwrap().sequence, 2);
    for stranger in [4, 255] {
        assert!(matches!(simulation.crash(stranger), Err(Error::Roster { .. })));
        assert!(matches!(simulation.restart(stranger), Err(Error::Roster { .. })));
    }
}

#[test]
fn nothing_of_one_request_is_left_for_the_next() {
    // Alone, so that nobody makes up for it.
    let simulation = simulation(Plan { members: 1, ..plan() }, |_, work| Ok(next(work))).unwrap();
    for first in [1, 9, 40] {
        simulation.submit(vec![first], 4, None).unwrap();
        assert!(simulation.run(60_000).unwrap());
        assert_eq!(simulation.report().unwrap().tokens, (first + 1..first + 5).collect::<Vec<u8>>());
    }
}

#[test]
fn nothing_is_decided_without_a_quorum_and_time_passes_all_the_same() {
    let simulation = simulation(plan(), |_, work| Ok(next(work))).unwrap();
    simulation.crash(2).unwrap();
    simulation.crash(3).unwrap();
    simulation.submit(vec![1], 4, None).unwrap();
    assert!(!simulation.run(5_000).unwrap());
    let report = simulation.report().unwrap();
    assert_eq!((report.now, report.decisions.len(), report.proof), (5_000_000, 0, None));
    simulation.restart(2).unwrap();
    assert!(simulation.run(60_000).unwrap());
    assert!(simulation.report().unwrap().decisions.iter().all(|decision| decision.member != 3));
}

#[test]
fn messages_take_as_long_as_planned_or_are_lost() {
    let run = |seed| {
        let simulation = simulation(Plan { loss: 100, seed, ..plan() }, |_, work| Ok(next(work))).unwrap();
        simulation.submit(vec![1], 8, None).unwrap();
        assert!(simulation.run(60_000).unwrap());
        simulation.report().unwrap().sent
    };
    let sent = run(1);
    assert_eq!(sent, run(1));
    assert_ne!(sent, run(2));
    let lost = sent.iter().filter(|message| message.arrives.is_none()).count();
    assert!(sent.len() / 20 < lost && lost < sent.len() / 5, "{lost} of {}", sent.len());
    assert!(sent.iter().filter_map(|sent| Some(sent.arrives? - sent.at)).all(|delay| (100..=200).contains(&delay)));
    assert!(sent.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

/// What proves that member 2 of a cluster lied.
pub(crate) fn evidence() -> (Arc<Roster>, Vec<u8>) {
    let simulation = simulation(Plan { liars: vec![2], ..plan() }, |_, work| Ok(next(work))).unwrap();
    simulation.submit(vec![1], 8, None).unwrap();
    assert!(simulation.run(60_000).unwrap());
    let blamed = simulation.report().unwrap().blamed;
    (simulation.roster().unwrap(), blamed.into_iter().next().expect("a liar is blamed").evidence)
}

#[test]
fn evidence_is_believed_if_it_holds() {
    let (roster, evidence) = evidence();
    let file = write_evidence(Arc::clone(&roster), &evidence).unwrap();
    let Statement::Evidence { evidence: proven } = read_document(&file).unwrap().statement else { panic!() };
    assert_eq!(proven.accused, 2);
    for place in 0..evidence.len() {
        assert!(roster.verify_evidence(&altered(&evidence, place)).is_err(), "byte {place}");
    }
    let forged = altered(&evidence, evidence.len() - 1);
    assert!(write_evidence(roster, &forged).is_err());
}
