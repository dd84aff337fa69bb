//! What may happen next: what honest nodes said may arrive, time may run out,
//! and faulty nodes may say anything for which they have the signatures. What
//! a faulty node says is never stored: it is on offer as long as it could be
//! said, which is for good, since the network only grows.

use butterfly_kernel::message::agreement::{CommitCertificate, Proposal};
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::network::{Count, Network};
use super::setting::{Ballot, CertRequest, Delivery, Message, Report, Setting, ViewChange};
use crate::symbolic::{Signature, Symbolic, Value};

/// Something that may happen to one honest node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offer {
    /// The time of the view is over.
    TimeOut(View),
    /// One message arrives.
    Deliver {
        /// Its author.
        from: NodeId,
        /// The message.
        message: Message,
    },
    /// Votes or commits for one ballot arrive, until they have an effect.
    Tally {
        /// Votes or commits.
        count: Count,
        /// What they are for.
        ballot: Ballot,
        /// By whom. Honest ones arrive first.
        from: NodeSet,
        /// The effect.
        goal: Goal,
    },
    /// A leader asks, and right behind it arrive view changes that it names:
    /// those of faulty nodes if the leader is faulty, and then a question about
    /// nothing; all of them if it is honest.
    Question {
        /// The leader.
        from: NodeId,
        /// The question.
        request: CertRequest,
        /// What faulty nodes report in it.
        changes: Vec<(NodeId, ViewChange)>,
    },
}

/// What a quorum is delivered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goal {
    /// A decision.
    Decide,
    /// A commit certificate.
    Lock,
}

/// Which reports a question names, and how faulty nodes prove theirs.
#[derive(Clone, Default)]
struct Named {
    reports: Vec<(NodeId, Report)>,
    changes: Vec<(NodeId, ViewChange)>,
}

impl Setting {
    /// Everything that may happen to the honest node `to`. What the kernel
    /// rejects there, or what changes nothing, is no transition.
    pub fn offers(&self, network: &Network, to: NodeId) -> Vec<Offer> {
        let mut offers: Vec<Offer> = self.views().skip(1).map(|view| Offer::TimeOut(View(view.0 - 1))).collect();
        offers.extend(self.honest_messages(network, to));
        for from in self.faulty().iter() {
            let messages = self.faulty_messages(network, from, to);
            offers.extend(messages.into_iter().map(|message| Offer::Deliver { from, message }));
        }
        if self.parameters.delivery == Delivery::Quorum {
            offers.extend(self.tallies(network, to));
        }
        for view in self.views().skip(1).filter(|view| self.is_led_by_faulty(*view)) {
            offers.extend(self.questions(network, view));
        }
        offers
    }

    fn honest_messages(&self, network: &Network, to: NodeId) -> impl Iterator<Item = Offer> {
        let arrives = move |from: NodeId, message: &Message| match message {
            Message::Vote(_) | Message::Commit(_) => from != to && self.parameters.delivery == Delivery::Single,
            Message::CertAck(ballot) => from != to && self.leader(ballot.view) == to,
            Message::ViewChange(change) => from != to && !self.waits_for_question(change.view, to),
            _ => from != to,
        };
        let arriving = network.said().filter(move |(from, message)| arrives(*from, message));
        arriving.map(move |(from, message)| match message {
            Message::CertRequest(request) if self.waits_for_question(request.ballot.view, to) => {
                let changes = self.named_changes(network, request, to);
                Offer::Question { from, request: request.clone(), changes }
            }
            _ => Offer::Deliver { from, message: message.clone() },
        })
    }

    /// The view changes that an honest leader's question names.
    fn named_changes(&self, network: &Network, request: &CertRequest, to: NodeId) -> Vec<(NodeId, ViewChange)> {
        let view = request.ballot.view;
        let claims = self.changes(network, view);
        let others = request.reports.iter().filter(|(author, _)| **author != to);
        let find = |(author, report): (&NodeId, &Report)| {
            let said = network.said().find_map(|(from, message)| match message {
                Message::ViewChange(change) if from == *author && change.view == view => Some(change.clone()),
                _ => None,
            });
            let change = said.or_else(|| claims.iter().find(|claim| claim.report() == *report).cloned())?;
            Some((*author, change))
        };
        others.filter_map(find).collect()
    }

    /// What the faulty node `from` may say to `to`, apart from questions.
    fn faulty_messages(&self, network: &Network, from: NodeId, to: NodeId) -> Vec<Message> {
        let mut messages = Vec::new();
        for view in self.views() {
            for ballot in Value::ALL.map(|value| Ballot { view, value }) {
                let leads = self.leader(view) == from || self.forgeries.foreign_proposal && view == View::ZERO;
                if leads && self.is_justified(network, ballot) {
                    messages.push(Message::Propose { ballot, progress: self.progress(view) });
                } else if leads && self.forgeries.uncertified_proposal {
                    messages.push(Message::Propose { ballot, progress: None });
                }
                if self.parameters.delivery == Delivery::Single {
                    messages.push(Message::Vote(ballot));
                    if self.cluster.resilience().slow_path() {
                        messages.push(Message::Commit(ballot));
                    }
                }
                if view > View::ZERO && self.leader(view) == to {
                    messages.push(Message::CertAck(ballot));
                }
            }
            if view > View::ZERO && !self.waits_for_question(view, to) {
                messages.extend(self.changes_on_offer(network, view).into_iter().map(Message::ViewChange));
            }
        }
        messages
    }

    /// Where tables are kept bare, other view changes arrive only with the
    /// question that names them.
    fn changes_on_offer(&self, network: &Network, view: View) -> Vec<ViewChange> {
        if self.is_kept_bare(view) { vec![bare_change(view)] } else { self.changes(network, view) }
    }

    /// Every view change for `view` that a faulty node can prove.
    fn changes(&self, network: &Network, view: View) -> Vec<ViewChange> {
        let earlier = || {
            let views = self.views().take_while(move |earlier| *earlier < view);
            views.flat_map(|view| Value::ALL.map(|value| Ballot { view, value }))
        };
        let proposed = earlier().filter(|ballot| self.has_proposal(network, *ballot));
        let mut proposals: Vec<_> = proposed.map(|ballot| self.proposal(ballot)).collect();
        proposals.extend(earlier().filter_map(|ballot| self.forged_proposal(ballot)));
        let locked = earlier().filter(|ballot| self.has_commit_certificate(network, *ballot));
        let locks: Vec<_> = locked.map(|ballot| self.lock(ballot)).collect();
        let mut changes = Vec::new();
        for voted in std::iter::once(None).chain(proposals.into_iter().map(Some)) {
            changes.push(ViewChange { view, voted: voted.clone(), locked: None });
            let lock =
                |lock: &CommitCertificate<_>| ViewChange { view, voted: voted.clone(), locked: Some(lock.clone()) };
            changes.extend(locks.iter().map(lock));
        }
        changes
    }

    /// A proposal that passes for one although it is none.
    pub(crate) fn forged_proposal(&self, ballot: Ballot) -> Option<Proposal<Symbolic>> {
        let genuine = self.proposal(ballot);
        if !Value::VALID.contains(&ballot.value) {
            None
        } else if !self.is_led_by_faulty(ballot.view) && self.forgeries.unsigned_report {
            Some(Proposal { signature: Signature::Forged, ..genuine })
        } else if self.is_led_by_faulty(ballot.view) && self.forgeries.uncertified_report && ballot.view > View::ZERO {
            Some(Proposal { progress: None, ..genuine })
        } else {
            None
        }
    }

    /// Whether a proposal of `ballot`, signed by its leader, can be shown.
    fn has_proposal(&self, network: &Network, ballot: Ballot) -> bool {
        if self.is_led_by_faulty(ballot.view) {
            self.is_justified(network, ballot)
        } else {
            network.is_proposed(ballot)
        }
    }

    fn is_justified(&self, network: &Network, ballot: Ballot) -> bool {
        ballot.view == View::ZERO || network.is_certified(ballot)
    }

    fn has_commit_certificate(&self, network: &Network, ballot: Ballot) -> bool {
        let votes = network.supporters(Count::Votes, ballot).len().saturating_add(self.faulty().len());
        let enough = votes >= self.cluster.slow_quorum() || self.forgeries.short_lock;
        self.cluster.resilience().slow_path() && enough
    }

    /// Quorums that exist for `to`: its own statement is in its table already.
    fn tallies(&self, network: &Network, to: NodeId) -> Vec<Offer> {
        // A quorum that is bent upwards is offered as it should be: it must decide all the same.
        let should = self.cluster.resilience();
        let fast = self.cluster.fast_quorum().min(should.fast_quorum());
        let mut goals = vec![(Count::Votes, Goal::Decide, fast)];
        if should.slow_path() {
            goals.push((Count::Votes, Goal::Lock, self.cluster.slow_quorum()));
            goals.push((Count::Commits, Goal::Decide, self.cluster.commit_quorum().min(should.slow_quorum())));
        }
        let mut tallies = Vec::new();
        for ballot in self.views().flat_map(|view| Value::ALL.map(|value| Ballot { view, value })) {
            for (count, goal, quorum) in &goals {
                let all = network.supporters(*count, ballot).union(self.faulty());
                if all.len() >= *quorum {
                    tallies.push(Offer::Tally { count: *count, ballot, from: all.without(to), goal: *goal });
                }
            }
        }
        tallies
    }

    /// Every question of a faulty leader that names reports which exist.
    fn questions(&self, network: &Network, view: View) -> Vec<Offer> {
        let claims: Vec<Option<ViewChange>> =
            std::iter::once(None).chain(self.changes(network, view).into_iter().map(Some)).collect();
        let honest: Vec<(NodeId, Report)> = network.reports(view).collect();
        let mut choices = vec![Named::default()];
        for (from, report) in honest {
            let mut named = choices.clone();
            named.iter_mut().for_each(|named| named.reports.push((from, report)));
            choices.extend(named);
        }
        for from in self.faulty().iter() {
            let with_claim = |named: Named| {
                claims.iter().map(move |claim| {
                    let mut named = named.clone();
                    if let Some(change) = claim {
                        named.reports.push((from, change.report()));
                        named.changes.push((from, change.clone()));
                    }
                    named
                })
            };
            choices = choices.into_iter().flat_map(with_claim).collect();
        }
        let enough = self.reports_asked_about();
        let mut questions = Vec::new();
        for named in choices.into_iter().filter(|named| named.reports.len() >= enough) {
            for ballot in Value::ALL.map(|value| Ballot { view, value }) {
                if !network.is_certified(ballot) {
                    let request = request(ballot, named.reports.iter().copied());
                    questions.push(Offer::Question {
                        from: self.leader(view),
                        request,
                        changes: named.changes.clone(),
                    });
                }
            }
        }
        questions
    }

    /// A question about reports that nobody made: it can be asked at any time
    /// and is never acknowledged. Where tables are kept bare, it names the
    /// reports that faulty nodes are to be left with.
    pub(super) fn blank_question(&self, view: View) -> CertRequest {
        let unsaid = Some(Ballot { view: View::ZERO, value: Value::UNSAID });
        let reports = self.cluster.members().iter().map(|node| {
            let bare = self.is_faulty(node) && self.is_kept_bare(view);
            (node, Report { voted: unsaid.filter(|_| !bare), locked: None })
        });
        request(Ballot { view, value: Value::VALID[0] }, reports)
    }
}

/// A view change that reports nothing.
pub(super) fn bare_change(view: View) -> ViewChange {
    ViewChange { view, voted: None, locked: None }
}

pub(crate) fn request(ballot: Ballot, reports: impl Iterator<Item = (NodeId, Report)>) -> CertRequest {
    let mut request = CertRequest { ballot, reports: Default::default() };
    for (from, report) in reports {
        request.reports.insert(from, report).expect("one report of each member");
    }
    request
}
