//! Whole clusters over the exported surface: what they agree on, who is blamed,
//! and that members come back from what they were asked to persist.

use butterfly_ffi::Error;
use butterfly_ffi::roster::Model;
use butterfly_ffi::simulation::{Plan, Report, Simulation, StageFunctions};
use butterfly_ffi::surface::{Digest, Work};
use std::collections::BTreeMap;
use std::sync::Mutex;

const STAGES: u8 = 3;
const VOCABULARY: u8 = 96;

/// Stages that depend on all their inputs, as every stage may.
#[derive(Default)]
struct Sums(Mutex<BTreeMap<(u8, u8), Inputs>>);

type Inputs = Vec<Vec<u8>>;

impl StageFunctions for Sums {
    fn run(&self, member: u8, work: Work) -> Result<Vec<u8>, Error> {
        let mut held = self.0.lock().unwrap();
        let inputs = held.entry((member, work.stage)).or_default();
        assert!(usize::from(work.first) <= inputs.len(), "an input was left out");
        inputs.truncate(usize::from(work.first));
        inputs.extend(work.inputs.into_iter().map(|signal| signal.0));
        assert_eq!(inputs.len(), usize::from(work.position) + 1);
        Ok(vec![sum(inputs)])
    }
}

fn sum(inputs: &[Vec<u8>]) -> u8 {
    let weighed = inputs.iter().zip(1_u64..).map(|(input, weight)| weight * u64::from(input[0]));
    u8::try_from(weighed.sum::<u64>() % u64::from(VOCABULARY)).unwrap()
}

/// What one machine finds.
fn alone(prompt: &[u8], tokens: usize) -> Vec<u8> {
    let mut text = prompt.to_vec();
    while text.len() < prompt.len() + tokens {
        let mut signals: Vec<Vec<u8>> = text.iter().map(|token| vec![*token]).collect();
        for _ in 0..STAGES {
            signals = (1..=signals.len()).map(|upto| vec![sum(&signals[..upto])]).collect();
        }
        text.push(signals.last().unwrap()[0]);
    }
    text.split_off(prompt.len())
}

fn plan(seed: u64) -> Plan {
    let model = Model {
        manifest: Digest([1; 32]),
        layers: STAGES,
        stages: STAGES,
        vocabulary: VOCABULARY,
        context: 64,
        signal: 8,
        tokens_per_epoch: 4,
    };
    Plan { members: 4, model, seed, loss: 0, least_delay: 100, most_delay: 200, liars: vec![], silent: vec![] }
}

fn answer(simulation: &Simulation, prompt: &[u8], tokens: u16) -> Report {
    simulation.submit(prompt.to_vec(), tokens, None).unwrap();
    assert!(simulation.run(120_000).unwrap(), "no answer in two minutes of virtual time");
    let report = simulation.report().unwrap();
    assert_eq!(report.tokens, alone(prompt, usize::from(tokens)));
    let proof = simulation.roster().unwrap().verify_proof(report.proof.as_ref().unwrap()).unwrap();
    assert_eq!(proof.tokens, report.tokens);
    report
}

#[test]
fn a_liar_is_blamed_and_nobody_else() {
    for seed in 0..8 {
        let liar = u8::try_from(seed % 4).unwrap();
        let simulation = Simulation::new(Plan { liars: vec![liar], ..plan(seed) }, Box::<Sums>::default()).unwrap();
        let report = answer(&simulation, &[1, 2], 12);
        assert!(!report.blamed.is_empty(), "seed {seed}");
        for blame in report.blamed {
            assert_eq!(blame.accused, liar);
            assert_eq!(simulation.roster().unwrap().verify_evidence(&blame.evidence).unwrap().accused, liar);
        }
    }
}

#[test]
fn losses_and_silence_change_no_token() {
    for seed in 0..8 {
        let plan = Plan { loss: 150, silent: vec![3], ..plan(seed) };
        let simulation = Simulation::new(plan, Box::<Sums>::default()).unwrap();
        assert!(answer(&simulation, &[5], 8).blamed.is_empty());
    }
}

/// It comes back with nothing but its record, and is needed at once: it recovers
/// the inputs of its stages from fellows.
#[test]
fn a_member_recovers_in_the_middle_of_a_request() {
    for seed in 0..8 {
        let simulation = Simulation::new(plan(seed), Box::<Sums>::default()).unwrap();
        simulation.submit(vec![1, 2, 3], 24, None).unwrap();
        while simulation.report().unwrap().tokens.len() < 8 {
            simulation.run(1).unwrap();
        }
        let victim = u8::try_from(seed % 4).unwrap();
        simulation.crash(victim).unwrap();
        simulation.run(1).unwrap();
        simulation.restart(victim).unwrap();
        simulation.crash((victim + 1) % 4).unwrap();
        assert!(simulation.run(120_000).unwrap(), "seed {seed}");
        assert_eq!(simulation.report().unwrap().tokens, alone(&[1, 2, 3], 24));
    }
}
