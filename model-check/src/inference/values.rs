//! Values: what crossed each link, and the payloads that show it.

use std::collections::HashMap;

use butterfly_kernel::chain::{Header, Increment};
use butterfly_kernel::inference::run::extend;
use butterfly_kernel::message::inference::{Attest, Claim, Links, Payload, Tokens, Work};
use butterfly_kernel::types::Stage;

use super::setting::{EPOCH, Setting, Signal};
use crate::symbolic::Quorum;
use crate::symbolic::exact::Exact;

/// The number of a value.
pub type Id = u8;

/// What a member made of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Computation {
    /// What stood in front of the stage.
    pub input: Signal,
    /// What came out.
    pub output: Signal,
}

/// What crossed each link, from link 0.
#[derive(Clone, Debug)]
pub struct Value {
    /// One signal for each link; the last is the token.
    pub signals: Vec<Signal>,
    /// What its certificates say crossed the links.
    attested: Vec<Signal>,
    /// The digest on which replicas agree.
    pub digest: u64,
    links: Links<Exact>,
    tokens: Tokens,
}

/// Every value that there can be.
pub struct Values {
    values: Vec<Value>,
    by_digest: HashMap<u64, Id>,
}

impl Values {
    /// All combinations of signals; and one that has other tokens than crossed
    /// the last link, which is never valid.
    pub fn new(setting: &Setting) -> Values {
        let mut combinations = vec![Vec::new()];
        for _ in 0..=setting.parameters.stages {
            let longer = |shorter: &Vec<Signal>| {
                let shorter = shorter.clone();
                Signal::ALL.map(move |signal| shorter.iter().copied().chain([signal]).collect())
            };
            combinations = combinations.iter().flat_map(longer).collect();
        }
        let right = vec![Signal::RIGHT; combinations[0].len()];
        let whole = combinations.into_iter().map(|signals| Value::new(setting, signals, None));
        let values: Vec<Value> = whole.chain([Value::new(setting, right, Some(Signal::WRONG))]).collect();
        let by_digest = values.iter().zip(0..).map(|(value, id)| (value.digest, id)).collect();
        Values { values, by_digest }
    }

    /// The value with this number.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[usize::from(id)]
    }

    /// The number of the value with this digest.
    pub fn find(&self, digest: u64) -> Option<Id> {
        self.by_digest.get(&digest).copied()
    }

    /// All of them, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Value)> {
        (0..).zip(&self.values)
    }
}

impl Value {
    /// With another token than crossed the last link, if one is given.
    fn new(setting: &Setting, attested: Vec<Signal>, token: Option<Signal>) -> Value {
        let Setting { cluster, run, head, .. } = setting;
        let mut signals = attested.clone();
        if let (Some(last), Some(token)) = (signals.last_mut(), token) {
            *last = token;
        }
        let crossed =
            attested.iter().zip(&run.active.links).map(|(signal, link)| extend(cluster, link, &signal.bytes()));
        let links: Links<Exact> = crossed.collect();
        let last = signals.last().expect("a link behind the last stage");
        let tokens: Tokens = last.bytes().into_iter().collect();
        let state = head.state().advance(cluster, EPOCH, &run.active, &tokens, &links);
        let request = run.active.request.digest(cluster);
        let increment = Increment::<Exact> { request, committed: run.committed(), tokens: tokens.clone() };
        let (increment, root) = (increment.digest(cluster), state.root(cluster));
        let header = Header::<Exact> { epoch: EPOCH, previous: head.value(cluster), increment, state: root };
        Value { digest: header.value(cluster), signals, attested, links, tokens }
    }

    /// What its certificates say about `stage`.
    pub fn attested(&self, stage: Stage) -> Computation {
        Computation { input: self.attested[stage.index()], output: self.attested[stage.index() + 1] }
    }

    /// What shows it, with so many attestations for each stage.
    pub fn payload(&self, setting: &Setting, attestations: usize) -> Payload<Exact> {
        Payload::Work(Work {
            run: setting.run.id,
            committed: setting.run.committed(),
            request: setting.run.active.request.clone(),
            tokens: self.tokens.clone(),
            links: self.links.clone(),
            certificates: setting.stages().map(|_| Quorum::of(attestations)).collect(),
        })
    }
}

/// "This stage on these inputs gives these outputs."
pub fn attestation(setting: &Setting, stage: Stage, computation: Computation) -> Attest<Exact> {
    let link = |place: usize, signal: Signal| {
        let before = setting.run.active.links.get(place).expect("a link of the model");
        extend(&setting.cluster, before, &signal.bytes())
    };
    let claim = Claim {
        run: setting.run.id,
        committed: setting.run.committed(),
        stage,
        input: link(stage.index(), computation.input),
        output: link(stage.index() + 1, computation.output),
    };
    let is_last = stage == setting.run.last_stage();
    let tokens = if is_last { computation.output.bytes().into_iter().collect() } else { Tokens::new() };
    Attest { claim, tokens }
}
