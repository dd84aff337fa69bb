//! Validity and once: what clients get, epoch by epoch.

use std::collections::{BTreeMap, BTreeSet};

use butterfly_kernel::chain::State;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, Epoch};

use super::{ONCE, VALIDITY, Verdict, check};
use crate::simulate::Crypto;
use crate::simulate::stages::Reference;

/// A request that a client signed, with what one machine answers.
struct Asked {
    answer: Vec<u8>,
}

/// Where the cluster stands with its clients after an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// Of each client, the last request that is finished.
    finished: BTreeMap<u8, u64>,
    /// Whose request is under way, which, and what was answered so far.
    active: Option<(u8, u64, Vec<u8>)>,
    interrupted: bool,
}

/// All that was asked and answered.
#[derive(Default)]
pub(crate) struct Answers {
    asked: BTreeMap<(u8, u64), Asked>,
    /// The last epoch that was looked at, and where things stood then.
    last: u64,
    standing: Standing,
    /// Later epochs, whose turn comes.
    later: BTreeMap<u64, (Standing, Vec<u8>)>,
    /// Tokens that were committed.
    pub(crate) tokens: u64,
}

/// Epochs that may be missing, since nobody honest saw them but in passing.
const PATIENCE: usize = 16;

impl Answers {
    /// A client signs `request`.
    pub(crate) fn ask(&mut self, stages: u8, request: &Request) {
        let answer = Reference::new(stages).answer(&request.prompt, usize::from(request.tokens));
        self.asked.insert((request.client.0, request.sequence), Asked { answer });
    }

    /// An honest member commits `tokens` in an epoch after which the state is `state`.
    pub(crate) fn commit<const N: usize>(&mut self, state: &State<Crypto<N>>, tokens: &[u8]) -> Verdict {
        let Epoch(epoch) = state.epoch;
        if epoch <= self.last {
            return Ok(());
        }
        let held = self.later.entry(epoch).or_insert_with(|| (Standing::of(state), Vec::new()));
        if held.1.is_empty() {
            held.1 = tokens.to_vec();
        }
        while let Some(entry) = self.later.first_entry() {
            let skipped = *entry.key() != self.last + 1;
            if skipped && self.later.len() < PATIENCE {
                break;
            }
            let (epoch, (standing, tokens)) = self.later.pop_first().expect("there is one");
            self.advance(epoch, standing, &tokens, skipped)?;
        }
        Ok(())
    }

    fn advance(&mut self, epoch: u64, next: Standing, tokens: &[u8], skipped: bool) -> Verdict {
        let before = std::mem::replace(&mut self.standing, next);
        self.last = epoch;
        let next = &self.standing;
        if let Some((client, sequence, output)) = &next.active {
            let asked = self.asked.get(&(*client, *sequence));
            check(asked.is_some_and(|asked| asked.answer.starts_with(output)), VALIDITY, || {
                format!("epoch {epoch}: {output:?} is no beginning of the answer to request {sequence} of {client}")
            })?;
            check(next.finished_by(*client) + 1 == *sequence, ONCE, || {
                format!("epoch {epoch}: request {sequence} of client {client} is worked on out of turn")
            })?;
        }
        if skipped {
            let kept = before.finished.iter().all(|(client, sequence)| next.finished_by(*client) >= *sequence);
            return check(kept, ONCE, || format!("epoch {epoch}: a finished request is not finished any more"));
        }
        let Some((client, sequence, from, upto)) = self.served(&before, epoch)? else { return Ok(()) };
        let asked = self.asked.get(&(client, sequence));
        let asked = asked.filter(|asked| from < upto && upto <= asked.answer.len());
        let added = asked.map(|asked| &asked.answer[from..upto]);
        check(added.is_some_and(|added| tokens.is_empty() || tokens == added), VALIDITY, || {
            format!("epoch {epoch}: {tokens:?} for request {sequence} of client {client} at {from}, not {added:?}")
        })?;
        self.tokens += u64::try_from(upto - from).expect("few");
        Ok(())
    }

    /// Which request `epoch` added to, and which part of its answer.
    fn served(&self, before: &Standing, epoch: u64) -> Result<Option<(u8, u64, usize, usize)>, super::Breach> {
        let next = &self.standing;
        let clients: BTreeSet<u8> = before.finished.keys().chain(next.finished.keys()).copied().collect();
        let changed = |client: &u8| before.finished_by(*client) != next.finished_by(*client);
        let finished: Vec<u8> = clients.into_iter().filter(changed).collect();
        let length =
            |client: u8, sequence: u64| self.asked.get(&(client, sequence)).map_or(0, |asked| asked.answer.len());
        let part = match (&before.active, &next.active, finished.as_slice()) {
            (active, still, []) if next.interrupted => {
                check(active == still, ONCE, || format!("epoch {epoch} says that it served nobody, and did"))?;
                None
            }
            (None, Some((client, sequence, output)), []) => Some((*client, *sequence, 0, output.len())),
            (Some((client, sequence, held)), Some((same, again, output)), [])
                if (client, sequence) == (same, again) =>
            {
                Some((*client, *sequence, held.len(), output.len()))
            }
            (None, None, [client]) => {
                let sequence = next.finished_by(*client);
                Some((*client, sequence, 0, length(*client, sequence)))
            }
            (Some((client, sequence, held)), None, [same]) if client == same => {
                Some((*client, *sequence, held.len(), length(*client, *sequence)))
            }
            _ => {
                return Err(super::Breach {
                    property: ONCE,
                    seen: format!("epoch {epoch}: {before:?}, then {next:?}"),
                });
            }
        };
        for client in finished {
            let (was, is) = (before.finished_by(client), next.finished_by(client));
            check(was + 1 == is, ONCE, || format!("epoch {epoch}: client {client} goes from request {was} to {is}"))?;
        }
        Ok(part)
    }
}

impl Standing {
    fn of<const N: usize>(state: &State<Crypto<N>>) -> Standing {
        let active = state.active.as_ref().map(|active| {
            let request = &active.request.request;
            (request.client.0, request.sequence, active.output.to_vec())
        });
        let finished = state.finished.iter().map(|(ClientId(client), sequence)| (*client, *sequence)).collect();
        Standing { finished, active, interrupted: state.interrupted }
    }

    fn finished_by(&self, client: u8) -> u64 {
        self.finished.get(&client).copied().unwrap_or(0)
    }
}
