//! The work on one request, its parts, and what makes the result of one valid.

use crate::agreement::rules::Mutant;
use crate::chain::{Active, Head, Header, Increment, Refused, State, links_digest};
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Signatures, Tag};
use crate::machine::Rejection;
use crate::message::inference::{Links, Request, RunId, SignedRequest, Work};
use crate::types::{Position, Stage};

/// The work on one request, as far as it is committed.
///
/// With P prompt tokens, output token j comes from the input at position
/// P - 1 + j; every other input is a prompt token or an earlier output. What
/// is computed is a function of the request and the placement alone, so a run
/// goes on while the epoch that commits its last part is still being decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run<C: Scheme> {
    /// Names all of it.
    pub id: RunId<C>,
    /// The request and what was committed of it.
    pub active: Active<C>,
    stages: u8,
    tokens_per_epoch: u8,
}

/// What one epoch adds to a run. A part that finds c tokens committed consumes
/// the positions from P - 1 + c (from 0 if c = 0) and adds `tokens` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// Tokens before this part.
    pub committed: u16,
    /// The position after the last input of the part.
    pub end: Position,
    /// How many tokens the part adds.
    pub tokens: u8,
}

impl Part {
    /// Tokens after this part.
    pub fn after(&self) -> u16 {
        self.committed.saturating_add(u16::from(self.tokens))
    }
}

impl<C: Scheme> Run<C> {
    /// The run that goes on with, or begins, `request` after `head`.
    ///
    /// # Errors
    /// Why the request cannot be run next.
    pub fn new<const N: usize>(
        cluster: &Cluster<C, N>,
        head: &Head<C>,
        request: &SignedRequest<C>,
    ) -> Result<Run<C>, Refused> {
        let state = head.state();
        state.admits(cluster, request)?;
        let name = request.digest(cluster);
        // Drawn from the chain and the request: nobody can choose it.
        let seed = cluster.statement(Tag::Placement, &(head.value(cluster), name));
        let profiles = state.profiles(cluster);
        let active = match state.active {
            Some(active) => active,
            None => Active {
                placement: cluster.place(&profiles, &seed).map_err(|_| Refused::Placement)?,
                output: heapless::Vec::new(),
                links: first_links(cluster, &name),
                checkpoints: heapless::Vec::new(),
                request: request.clone(),
            },
        };
        let Request { client, sequence, .. } = request.request;
        let plan = cluster.statement(Tag::Plan, &(name, &active.placement));
        let model = cluster.model();
        let (stages, tokens_per_epoch) = (model.stages, model.tokens_per_epoch);
        Ok(Run { id: RunId { client, sequence, plan }, active, stages, tokens_per_epoch })
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.active.request.request
    }

    /// Tokens of the request that are committed.
    pub fn committed(&self) -> u16 {
        count(self.active.output.len())
    }

    /// The first position whose input is not covered by what is committed.
    pub fn first(&self) -> Position {
        self.active.position()
    }

    /// The part that finds `committed` tokens, if the request asks for more.
    pub fn part(&self, committed: u16) -> Option<Part> {
        let left = self.request().tokens.checked_sub(committed).filter(|left| *left > 0)?;
        let tokens = self.tokens_per_epoch.min(u8::try_from(left).unwrap_or(u8::MAX));
        let continued = count(self.request().prompt.len()).saturating_add(committed).saturating_sub(1);
        Some(Part { committed, end: Position(continued.saturating_add(u16::from(tokens))), tokens })
    }

    /// The position after the last input of the request.
    pub fn end(&self) -> Position {
        let length = count(self.request().prompt.len()).saturating_add(self.request().tokens);
        Position(length.saturating_sub(1))
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = Stage> + use<C> {
        (0..self.stages).map(Stage)
    }

    /// The stage whose outputs are tokens.
    pub fn last_stage(&self) -> Stage {
        Stage(self.stages.saturating_sub(1))
    }

    /// The stage that consumes what `stage` gives.
    pub fn consumer(&self, stage: Stage) -> Stage {
        if stage == self.last_stage() { Stage(0) } else { stage.next() }
    }

    /// The first position, at or after `position`, whose output of `stage` is
    /// passed on: the last stage says nothing about prompt positions but the
    /// last of them.
    pub fn output_from(&self, stage: Stage, position: Position) -> Position {
        if stage == self.last_stage() {
            position.max(Position(count(self.request().prompt.len()).saturating_sub(1)))
        } else {
            position
        }
    }

    /// The token that the first stage consumes at `position`, if it is known:
    /// a prompt token, a committed one, or one of `fresh`, those after them.
    pub fn token_at(&self, position: Position, fresh: &[u8]) -> Option<u8> {
        let tokens = self.request().prompt.iter().chain(&self.active.output).chain(fresh);
        tokens.copied().nth(position.index())
    }

    /// The link in front of the first stage at `end`, when `fresh` follows
    /// what is committed.
    pub fn input_link<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        fresh: &[u8],
        end: Position,
    ) -> Option<C::Digest> {
        let mut link = *self.active.links.first()?;
        for position in self.first().0..end.0 {
            link = extend(cluster, &link, &[self.token_at(Position(position), fresh)?]);
        }
        Some(link)
    }

    /// The link behind the last stage when `fresh` follows what is committed.
    pub fn output_link<const N: usize>(&self, cluster: &Cluster<C, N>, fresh: &[u8]) -> Option<C::Digest> {
        let link = *self.active.links.get(usize::from(self.stages))?;
        Some(fresh.iter().fold(link, |link, token| extend(cluster, &link, &[*token])))
    }

    /// External validity: whether `work`, whose signatures were checked, is
    /// the next part of this run.
    ///
    /// # Errors
    /// [`Rejection::OtherRun`], [`Rejection::Unauthorised`] when a certificate
    /// is by members that are not assigned, [`Rejection::Invalid`] else.
    pub fn validate<const N: usize>(&self, cluster: &Cluster<C, N>, work: &Work<C>) -> Result<(), Rejection> {
        let part = self.part(self.committed()).ok_or(Rejection::OtherRun)?;
        if work.run != self.id
            || work.committed != part.committed
            || work.request.request != self.active.request.request
        {
            return Err(Rejection::OtherRun);
        }
        let vocabulary = cluster.model().vocabulary;
        if work.tokens.len() != usize::from(part.tokens)
            || work.tokens.iter().any(|token| *token >= vocabulary)
            || work.links.first().copied() != self.input_link(cluster, &work.tokens, part.end)
            || work.links.last().copied() != self.output_link(cluster, &work.tokens)
                && !cluster.mutated(Mutant::TokensUnchecked)
            || work.links.len() != self.active.links.len()
            || work.certificates.len() != usize::from(self.stages)
        {
            return Err(Rejection::Invalid);
        }
        for (stage, certificate) in self.stages().zip(&work.certificates) {
            let assigned = self.active.placement.set(stage);
            if certificate.signers().iter().any(|signer| !assigned.contains(signer)) {
                return Err(Rejection::Unauthorised);
            }
        }
        Ok(())
    }

    /// What `work`, which is valid, makes of the chain behind `head`: the header
    /// of the next epoch and the state after it.
    #[inline(never)]
    pub fn successor<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        head: &Head<C>,
        work: &Work<C>,
    ) -> (Header<C>, State<C>) {
        let request = self.active.request.digest(cluster);
        let increment = Increment { request, committed: work.committed, tokens: work.tokens.clone() };
        let epoch = head.epoch().next();
        let state = self.state_after(cluster, head, work, links_digest(cluster, &work.links));
        let (previous, increment) = (head.value(cluster), increment.digest(cluster));
        (Header { epoch, previous, increment, state: state.root(cluster) }, state)
    }

    /// The state alone, when the digest of the links after `work` is known:
    /// nothing has to be digested for it.
    pub fn state_after<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        head: &Head<C>,
        work: &Work<C>,
        links: C::Digest,
    ) -> State<C> {
        head.state().advance_to(cluster, head.epoch().next(), &self.active, &work.tokens, (&work.links, links))
    }
}

/// The links of a request of which nothing was computed yet.
fn first_links<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, request: &C::Digest) -> Links<C> {
    // One more than there are stages: the bound of the roster.
    (0..=cluster.model().stages).map(|link| first_link(cluster, request, Stage(link))).collect()
}

/// The link in front of `stage` before anything crossed it; `request` is the
/// digest of the client's request.
pub fn first_link<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, request: &C::Digest, stage: Stage) -> C::Digest {
    cluster.statement(Tag::Link, &(request, stage))
}

/// The link after `signal` crossed it.
pub fn extend<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, link: &C::Digest, signal: &[u8]) -> C::Digest {
    cluster.statement(Tag::Link, &(link, signal))
}

fn count(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
