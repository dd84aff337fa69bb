//! Stages that are hashes: enough of a model to be wrong about.

use butterfly_kernel::inference::job::Job;
use butterfly_kernel::message::inference::Signal;
use butterfly_kernel::types::{Position, Stage};

use super::Crypto;

/// The stages of one request, with every input since its first position.
#[derive(Default)]
pub struct Executor {
    inputs: Vec<Vec<Signal>>,
}

const VOCABULARY: u64 = 96;

fn mix(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

/// What a stage gives for its whole history of inputs: like a transformer, it
/// depends on all of them.
fn run(stage: Stage, last: bool, inputs: &[Signal]) -> Signal {
    let hash = inputs.iter().fold(u64::from(stage.0), |hash, input| mix(hash, input));
    let bytes = if last { vec![(hash % VOCABULARY) as u8] } else { hash.to_le_bytes().to_vec() };
    bytes.into_iter().collect()
}

/// One machine, no cluster: what `tokens` tokens after `prompt` are.
pub fn reference(stages: u8, prompt: &[u8], tokens: usize) -> Vec<u8> {
    let mut executor = Executor::default();
    let mut text = prompt.to_vec();
    while text.len() < prompt.len() + tokens {
        executor.rebuild(stages, &text);
        let last = Stage(stages - 1);
        let output = run(last, true, &executor.inputs[last.index()]);
        text.push(output[0]);
    }
    text.split_off(prompt.len())
}

impl Executor {
    /// The history of every stage after the first consumed `tokens`.
    fn rebuild(&mut self, stages: u8, tokens: &[u8]) {
        self.inputs = vec![Vec::new(); usize::from(stages)];
        for token in tokens {
            self.inputs[0].push([*token].into_iter().collect());
            for stage in 0..stages - 1 {
                let output = run(Stage(stage), false, &self.inputs[usize::from(stage)]);
                self.inputs[usize::from(stage) + 1].push(output);
            }
        }
    }

    pub fn assign(&mut self, job: &Job<Crypto>) {
        let before = usize::from(job.first.0);
        let tokens: Vec<u8> =
            (0..before).map(|at| job.token_at(Position(at as u16), &Default::default()).unwrap()).collect();
        self.rebuild(job.stages().count() as u8, &tokens);
        // The first stage's inputs are the job's own tokens, as far as they are known.
        let known = (before..).map_while(|at| job.token_at(Position(at as u16), &Default::default()));
        let known: Vec<Signal> = known.map(|token| [token].into_iter().collect()).collect();
        self.inputs[0].extend(known);
    }

    pub fn provide(&mut self, stage: Stage, position: Position, signal: Signal) {
        let inputs = &mut self.inputs[stage.index()];
        inputs.truncate(usize::from(position.0));
        assert_eq!(inputs.len(), usize::from(position.0), "inputs are provided in order");
        inputs.push(signal);
    }

    pub fn compute(&mut self, job: &Job<Crypto>, stage: Stage, position: Position) -> Signal {
        let inputs = &self.inputs[stage.index()];
        let upto = usize::from(position.0) + 1;
        assert!(inputs.len() >= upto, "asked for an output whose input was not provided");
        run(stage, stage == job.last_stage(), &inputs[..upto])
    }
}
