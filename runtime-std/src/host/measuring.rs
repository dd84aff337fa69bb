//! A node that is measured: epochs that compute nothing, and what they cost.
//!
//! Whoever measures agreement wants no inference in between. So nodes give
//! notice of another speed, again and again: each notice is an epoch of its
//! own, decided as every other.

use std::time::{Duration, Instant};

use anyhow::Result;
use butterfly_kernel::assignment::Profile;
use butterfly_kernel::types::{NodeId, View};

use super::Host;
use crate::bench::{Cost, Measured, WARM_UP, micros};
use crate::control::Event;
use crate::protocol::Input;

/// What is measured, and how the epochs come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Epochs that are measured, after some that are not.
    pub epochs: u64,
    /// Whether, and when, this node gives notice.
    pub notices: Notices,
}

/// When a node that is measured gives notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    /// Never: it decides on those of others.
    Never,
    /// This long after its last one was committed.
    After(Duration),
    /// When it leads the epoch that is open now. So there is one notice at a
    /// time, in front of the proposal, and nobody waits for it.
    AsLeader,
}

/// What was counted since the measurement began.
pub(super) struct Measuring {
    plan: Measure,
    decided: u64,
    next_notice: Option<tokio::time::Instant>,
    flushes: u64,
    record_bytes: u64,
    agreement_us: Vec<u64>,
    began: Option<(Instant, Counts)>,
}

/// Everything that only grows.
#[derive(Clone, Copy)]
struct Counts {
    said: u64,
    sent: u64,
    bytes: u64,
    checked: u64,
    flushes: u64,
    record_bytes: u64,
    cost: Cost,
}

impl Measuring {
    pub(super) fn new(plan: Measure) -> Measuring {
        let agreement_us = Vec::new();
        Measuring { plan, decided: 0, next_notice: None, flushes: 0, record_bytes: 0, agreement_us, began: None }
    }

    /// The vote record was made durable.
    pub(super) fn flushed(&mut self, record_bytes: usize) {
        self.flushes += 1;
        self.record_bytes += record_bytes as u64;
    }
}

impl Host {
    /// When it is time for another notice, if this node gives any.
    pub(super) fn next_notice(&self) -> Option<tokio::time::Instant> {
        self.measuring.as_ref().and_then(|measuring| measuring.next_notice)
    }

    /// Says that this node is faster than it was, or slower.
    pub(super) fn give_notice(&mut self) -> Result<()> {
        let Some(measuring) = &mut self.measuring else { return Ok(()) };
        measuring.next_notice = None;
        let profiles = self.node.head().state().profiles(&self.member.cluster);
        let Some(profile) = profiles.get(self.member.me.index()) else { return Ok(()) };
        let speed = if profile.speed > 1 { profile.speed - 1 } else { 2 };
        let _rejected = self.settle(Input::Revise(Profile { speed, ..*profile }))?;
        Ok(())
    }

    /// Plans the next notice, after one of this node's own was committed or before
    /// the first.
    pub(super) fn plan_notice(&mut self, after_its_own: bool) {
        let Some(measuring) = &mut self.measuring else { return };
        let now = tokio::time::Instant::now();
        match measuring.plan.notices {
            Notices::After(pause) if after_its_own => measuring.next_notice = Some(now + pause),
            Notices::AsLeader if self.member.cluster.leader(self.node.epoch(), View::ZERO) == self.member.me => {
                measuring.next_notice = Some(now);
            }
            Notices::Never | Notices::After(_) | Notices::AsLeader => {}
        }
    }

    /// An epoch was decided, with the notice of `author`.
    pub(super) fn measure(&mut self, agreement: Option<Duration>, author: Option<NodeId>) -> Result<()> {
        self.plan_notice(author == Some(self.member.me));
        let Some(mut measuring) = self.measuring.take() else { return Ok(()) };
        measuring.decided += 1;
        if measuring.decided == WARM_UP {
            measuring.began = Some((Instant::now(), self.counts(&measuring)));
        } else if measuring.began.is_some() {
            measuring.agreement_us.extend(agreement.map(micros));
        }
        if measuring.decided == WARM_UP + measuring.plan.epochs
            && let Some((began, before)) = measuring.began.take()
        {
            let took_us = micros(began.elapsed());
            let now = self.counts(&measuring);
            self.voice.tell(&Event::Measured(Measured {
                epochs: measuring.plan.epochs,
                took_us,
                agreement_us: std::mem::take(&mut measuring.agreement_us),
                said: now.said - before.said,
                sent: now.sent - before.sent,
                bytes: now.bytes - before.bytes,
                checked: now.checked - before.checked,
                flushes: now.flushes - before.flushes,
                record_bytes: now.record_bytes - before.record_bytes,
                cost: now.cost.since(before.cost),
            }))?;
        }
        self.measuring = Some(measuring);
        Ok(())
    }

    fn counts(&self, measuring: &Measuring) -> Counts {
        let all = self.traffic.all();
        Counts {
            said: self.said,
            sent: all.first + all.retransmitted,
            bytes: all.bytes,
            checked: self.metrics.checked(),
            flushes: measuring.flushes,
            record_bytes: measuring.record_bytes,
            cost: Cost::now(),
        }
    }
}
