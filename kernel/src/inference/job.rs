//! What one epoch computes, and what makes its result valid.

use crate::chain::{Active, Head, Header, Increment, Refused, State};
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Signatures, Tag};
use crate::inference::placement::Placement;
use crate::machine::Rejection;
use crate::message::inference::{Links, Payload, Request, SignedRequest, Tokens};
use crate::types::{Epoch, Position, Stage};

/// The work of one epoch: the next tokens of one request.
///
/// With P prompt tokens, output token j comes from the input at position
/// P - 1 + j; every other input is a prompt token or an earlier output. An
/// epoch that finds c tokens committed consumes the positions from P - 1 + c
/// (from 0 if c = 0) and adds `tokens` of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job<C: Scheme> {
    /// Names all of it, the decided prefix included.
    pub id: C::Digest,
    /// The epoch.
    pub epoch: Epoch,
    /// The request and what was committed of it before.
    pub active: Active<C>,
    /// Who runs which stage.
    pub placement: Placement,
    /// The first input of the epoch.
    pub first: Position,
    /// The position after the last input of the epoch.
    pub end: Position,
    /// How many tokens the epoch adds.
    pub tokens: u8,
    stages: u8,
}

/// A payload that was found valid, and what it would make of the chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate<C: Scheme> {
    /// The payload.
    pub payload: Payload<C>,
    /// What its value covers.
    pub header: Header<C>,
    /// The state after it.
    pub state: State<C>,
}

impl<C: Scheme> Job<C> {
    /// The job that continues or begins `request` after `head`.
    ///
    /// # Errors
    /// Why the request cannot be run next.
    pub fn new<const N: usize>(
        cluster: &Cluster<C, N>,
        head: &Head<C>,
        request: &SignedRequest<C>,
    ) -> Result<Job<C>, Refused> {
        let state = head.state();
        state.admits(cluster, request)?;
        let previous = head.value(cluster);
        let name = request.digest(cluster);
        let active = state.active.unwrap_or_else(|| Active {
            seed: cluster.statement(Tag::Placement, &(previous, name)),
            output: heapless::Vec::new(),
            links: first_links(cluster, &name),
            request: request.clone(),
        });
        let epoch = head.epoch().next();
        let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        let (prompt, committed) = (count(request.request.prompt.len()), count(active.output.len()));
        let left = request.request.tokens.saturating_sub(committed);
        let tokens = cluster.model().tokens_per_epoch.min(u8::try_from(left).unwrap_or(u8::MAX));
        let continued = prompt.saturating_add(committed).saturating_sub(1);
        Ok(Job {
            id: cluster.statement(Tag::Job, &(epoch, previous, name, committed, active.seed, &active.links)),
            epoch,
            placement: Placement::draw(cluster, &active.seed),
            first: Position(if committed == 0 { 0 } else { continued }),
            end: Position(continued.saturating_add(u16::from(tokens))),
            tokens,
            stages: cluster.model().stages,
            active,
        })
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.active.request.request
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = Stage> + use<C> {
        (0..self.stages).map(Stage)
    }

    /// The stage whose outputs are tokens.
    pub fn last_stage(&self) -> Stage {
        Stage(self.stages.saturating_sub(1))
    }

    /// The first position whose output of `stage` is passed on: the last stage
    /// says nothing about prompt positions but the last of them.
    pub fn first_output(&self, stage: Stage) -> Position {
        if stage == self.last_stage() {
            let prompt = u16::try_from(self.request().prompt.len()).unwrap_or(u16::MAX);
            self.first.max(Position(prompt.saturating_sub(1)))
        } else {
            self.first
        }
    }

    /// The token that the first stage consumes at `position`, if it is known:
    /// a prompt token, a committed one, or one of `fresh`, this epoch's own.
    pub fn token_at(&self, position: Position, fresh: &Tokens) -> Option<u8> {
        let tokens = self.request().prompt.iter().chain(&self.active.output).chain(fresh);
        tokens.copied().nth(usize::from(position.0))
    }

    /// The link in front of the first stage, after the epoch that adds `tokens`.
    pub fn input_link<const N: usize>(&self, cluster: &Cluster<C, N>, tokens: &Tokens) -> Option<C::Digest> {
        let mut link = *self.active.links.first()?;
        for position in self.first.0..self.end.0 {
            link = extend(cluster, &link, &[self.token_at(Position(position), tokens)?]);
        }
        Some(link)
    }

    /// The link behind the last stage, after the epoch that adds `tokens`.
    pub fn output_link<const N: usize>(&self, cluster: &Cluster<C, N>, tokens: &Tokens) -> Option<C::Digest> {
        let link = *self.active.links.get(usize::from(self.stages))?;
        Some(tokens.iter().fold(link, |link, token| extend(cluster, &link, &[*token])))
    }

    /// External validity: whether `payload`, whose signatures were checked, is
    /// a result of this job.
    ///
    /// # Errors
    /// [`Rejection::OtherJob`], [`Rejection::Unauthorised`] when a certificate
    /// is by members that are not assigned, [`Rejection::Invalid`] else.
    pub fn validate<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        head: &Head<C>,
        payload: Payload<C>,
    ) -> Result<(C::Digest, Candidate<C>), Rejection> {
        if payload.job != self.id
            || payload.epoch != self.epoch
            || payload.request.request != self.active.request.request
        {
            return Err(Rejection::OtherJob);
        }
        let vocabulary = cluster.model().vocabulary;
        if payload.tokens.len() != usize::from(self.tokens)
            || payload.tokens.iter().any(|token| *token >= vocabulary)
            || payload.links.first().copied() != self.input_link(cluster, &payload.tokens)
            || payload.links.last().copied() != self.output_link(cluster, &payload.tokens)
            || payload.links.len() != self.active.links.len()
            || payload.certificates.len() != usize::from(self.stages)
        {
            return Err(Rejection::Invalid);
        }
        for (stage, certificate) in self.stages().zip(&payload.certificates) {
            let assigned = self.placement.set(stage);
            if certificate.signers().iter().any(|signer| !assigned.contains(signer)) {
                return Err(Rejection::Unauthorised);
            }
        }
        let state = head.state().advance(cluster, self.epoch, &self.active, &payload.tokens, &payload.links);
        let header = Header {
            epoch: self.epoch,
            previous: head.value(cluster),
            increment: self.increment(cluster, &payload.tokens).digest(cluster),
            state: state.root(cluster),
        };
        Ok((header.value(cluster), Candidate { payload, header, state }))
    }

    fn increment<const N: usize>(&self, cluster: &Cluster<C, N>, tokens: &Tokens) -> Increment<C> {
        Increment {
            request: self.active.request.digest(cluster),
            committed: u16::try_from(self.active.output.len()).unwrap_or(u16::MAX),
            tokens: tokens.clone(),
        }
    }
}

/// The links of a request of which nothing was computed yet.
fn first_links<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, request: &C::Digest) -> Links<C> {
    let mut links = Links::<C>::new();
    for link in 0..=cluster.model().stages {
        // One more than there are stages: the bound of the roster.
        let _ = links.push(cluster.statement(Tag::Link, &(request, link)));
    }
    links
}

/// The link after `signal` crossed it.
pub fn extend<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, link: &C::Digest, signal: &[u8]) -> C::Digest {
    cluster.statement(Tag::Link, &(link, signal))
}

#[cfg(test)]
mod tests;
