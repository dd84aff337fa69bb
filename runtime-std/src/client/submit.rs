//! `submit`: a request, from its number to its proof.
//!
//! The request goes to f + 1 voters, one of which must be honest; each that is
//! lost is replaced by another. All voters are followed: one that caught up
//! with an epoch does not know its tokens, but another does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, Epoch, NodeId, NodeSet};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use super::caller::Known;
use super::folder::Last;
use super::standing::Answered;
use super::{Client, ask, hear};
use crate::access::{Answer, Ask, Refusal};
use crate::document::{self, Statement};
use crate::ledger::Ledger;
use crate::model::SAMPLING;
use crate::protocol::{Crypto, Decided, Digest, SignedRequest};

/// Before a node that was lost is dialled again.
const REDIAL_PAUSE: Duration = Duration::from_millis(200);
/// Answers of nodes that wait to be looked at.
const NEWS: usize = 64;

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The tokens to continue.
    pub prompt: Vec<u8>,
    /// Tokens to add.
    pub tokens: u16,
    /// How long to wait without a new epoch.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The tokens that were added.
    pub tokens: Vec<u8>,
    /// A document that proves it, for `verify`.
    pub proof: Vec<u8>,
    /// From handing it in to the last token.
    pub latency: Duration,
    /// The last epoch of the answer.
    pub epoch: Epoch,
}

/// What a node's task tells.
enum News {
    Said(NodeId, Box<Answer>),
    Lost(NodeId),
}

/// What the tasks of all nodes must know.
#[derive(Clone)]
struct Course {
    known: Arc<Known>,
    request: SignedRequest,
    asked: watch::Receiver<NodeSet>,
    /// The first epoch that is missing.
    next: watch::Receiver<Epoch>,
    news: mpsc::Sender<News>,
}

impl Client {
    /// Hands `wish` in as this client's next request and waits for all of the
    /// answer. `show` is given tokens as they are committed.
    ///
    /// # Errors
    /// When too few nodes answer, or none decides anything for too long.
    pub async fn submit(&self, wish: &Wish, mut show: impl FnMut(&[u8]) -> Result<()>) -> Result<Submitted> {
        let _lock = self.folder.lock()?;
        let mut base = self.base().await?;
        let last = self.folder.last()?;
        let mut sequence = 1;
        if let Some(mut last) = last {
            let Request { sequence: of_last, prompt, tokens, .. } = last.request.request.clone();
            if !last.finished {
                let is_wish = prompt == *wish.prompt && tokens == wish.tokens;
                let is_over = of_last < next_sequence(base.as_ref(), self.me);
                if is_wish {
                    let outcome = self.see_through(&mut last, wish.patience, &mut show).await;
                    if outcome.is_err() && is_over {
                        self.folder.remember(&Last { finished: true, ..last })?;
                        return outcome.context(
                            "the cluster finished this request while nobody listened, and none of the nodes that \
                             answer knows its text; it is given up, and the same command asks anew",
                        );
                    }
                    return outcome;
                }
                if !is_over {
                    eprintln!("the request before was not finished; that comes first");
                    self.see_through(&mut last, wish.patience, &mut |_| Ok(())).await?;
                    base = self.base().await?;
                }
            }
            sequence = of_last + 1;
        }
        let sequence = sequence.max(next_sequence(base.as_ref(), self.me));
        let mut request = Last { request: self.sign(wish, sequence)?, base, finished: false };
        self.folder.remember(&request)?;
        self.see_through(&mut request, wish.patience, &mut show).await
    }

    /// The latest decision that anybody can prove, when f + 1 voters were asked.
    async fn base(&self) -> Result<Option<Decided>> {
        let mut known = self.caller.catch_up().await?;
        let mut answers = known.standings().await;
        if voters_among(&known, &answers) <= known.cluster().resilience().f() {
            // The roster may have changed in between.
            known = self.caller.catch_up().await?;
            answers = known.standings().await;
        }
        let resilience = known.cluster().resilience();
        let (voters, needed, all) = (voters_among(&known, &answers), resilience.f() + 1, resilience.n());
        ensure!(
            voters >= needed,
            "{voters} of {all} nodes answer, and {needed} are needed to hand in a request; \
             start the others with `butterfly start`, and see `butterfly status`"
        );
        let decisions = answers.into_values().filter_map(|Answered { decided, .. }| decided);
        let last = decisions.max_by_key(|decided| decided.header.epoch);
        // Whoever just entered may have nothing yet to show for it.
        let ending = known.lineage().endings().last().cloned();
        Ok(last.into_iter().chain(ending).max_by_key(|decided| decided.header.epoch))
    }

    fn sign(&self, wish: &Wish, sequence: u64) -> Result<SignedRequest> {
        let prompt = wish.prompt.iter().copied().collect();
        let request = Request { client: self.me, sequence, prompt, tokens: wish.tokens, sampling: SAMPLING };
        let statement = request.statement(self.caller.lineage().first());
        Ok(SignedRequest { signature: Crypto::sign(self.caller.keys().identity(), &statement), request })
    }

    /// Follows a request that was remembered to its end, from one cluster to the
    /// next if the roster changes before it begins.
    async fn see_through(
        &self,
        last: &mut Last,
        patience: Duration,
        show: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Submitted> {
        let begin = Instant::now();
        let mut base = last.base.clone();
        loop {
            let known = self.caller.known();
            let lineage = Arc::clone(known.lineage());
            let next = base.as_ref().map_or(Epoch::GENESIS, |base| base.header.epoch).next();
            let changes = lineage.changes_before(next);
            let mut ledger = Ledger::after(lineage.deciding(next), last.request.clone(), base.as_ref());
            show(ledger.text())?;
            if let Some(ending) = follow(known, &last.request, &mut ledger, patience, show).await? {
                if changes == lineage.changes() {
                    self.caller.advance(ending.clone())?;
                }
                base = Some(ending);
                continue;
            }
            last.finished = true;
            self.folder.remember(last)?;
            let proof = ledger.proof().context("an answer without an epoch")?;
            return Ok(Submitted {
                tokens: ledger.text().to_vec(),
                proof: document::write(&lineage, changes, Statement::Commit(Box::new(proof)))?,
                latency: begin.elapsed(),
                epoch: ledger.committed(),
            });
        }
    }

    /// The id of the first cluster, by which whoever checks a proof knows it.
    pub fn first(&self) -> Digest {
        self.caller.lineage().first().id()
    }
}

/// Asks for `request`, and follows the members, until all of its answer is in
/// the ledger, or the ledger's cluster ended before the request began: how.
async fn follow(
    known: Arc<Known>,
    request: &SignedRequest,
    ledger: &mut Ledger<'_>,
    patience: Duration,
    show: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<Decided>> {
    let cluster = Arc::clone(known.cluster());
    let f = cluster.resilience().f();
    let (asked, is_asked) = watch::channel(NodeSet::first(f + 1));
    let (next, is_next) = watch::channel(ledger.next());
    let (sender, mut news) = mpsc::channel(NEWS);
    let course = Course { known, request: request.clone(), asked: is_asked, next: is_next, news: sender };
    let mut tasks = JoinSet::new();
    for node in cluster.voters().iter() {
        tasks.spawn(course.clone().follow(node));
    }
    drop(course);
    let mut refusals = BTreeMap::new();
    let mut ending = None;
    let mut deadline = tokio::time::Instant::now() + patience;
    while !ledger.is_complete() {
        let Ok(heard) = timeout_at(deadline, news.recv()).await else {
            bail!(
                "no epoch was decided for {} s; `butterfly status` says who is missing. \
                 The same command goes on with this request",
                patience.as_secs()
            );
        };
        let (node, answer) = match heard.context("no node is followed")? {
            News::Said(node, answer) => (node, *answer),
            News::Lost(node) => {
                ask_another(&asked, node, cluster.voters());
                continue;
            }
        };
        match answer {
            // Of the cluster behind this one, which is followed when its beginning is known.
            Answer::Told(told) if ledger.is_ahead(&told.decided) => {}
            Answer::Told(told) => {
                let before = ledger.next();
                if told.decided.state.change.is_some() {
                    ending = Some(told.decided.clone());
                }
                // Whoever tells what cannot be is not listened to any more than that.
                let tokens = ledger.add(node, told)?;
                show(&tokens)?;
                if ledger.next() > before {
                    next.send_replace(ledger.next());
                    deadline = tokio::time::Instant::now() + patience;
                }
            }
            Answer::Refused(refusal) => {
                refusals.insert(node, refusal);
                give_up(&refusals, f)?;
                ask_another(&asked, node, cluster.voters());
            }
            Answer::Taken | Answer::Standing(..) | Answer::Evidence(_) | Answer::Ending(_) => {}
        }
        // Other members may know the text of epochs before it that this one does not.
        if let Some(ending) = ending.take_if(|ending| ledger.next() > ending.header.epoch && !ledger.is_complete()) {
            tasks.shutdown().await;
            return Ok(Some(ending));
        }
    }
    tasks.shutdown().await;
    Ok(None)
}

fn voters_among(known: &Known, answers: &BTreeMap<NodeId, Answered>) -> usize {
    answers.keys().filter(|node| known.cluster().votes(**node)).count()
}

/// The number that a client's next request has after `base`.
fn next_sequence(base: Option<&Decided>, client: ClientId) -> u64 {
    base.map_or(1, |decided| decided.state.next_sequence(client))
}

/// More than f nodes say that the request is in vain: one of them is honest.
fn give_up(refusals: &BTreeMap<NodeId, Refusal>, f: usize) -> Result<()> {
    let of_weight = |refusal: &&Refusal| **refusal != Refusal::Finished;
    if refusals.values().filter(of_weight).count() > f
        && let Some(refusal) = refusals.values().next()
    {
        bail!("the nodes refuse the request: {refusal}");
    }
    Ok(())
}

/// The node after `lost` that was not asked yet is.
fn ask_another(asked: &watch::Sender<NodeSet>, lost: NodeId, voters: NodeSet) {
    asked.send_if_modified(|asked| {
        let another = voters.difference(*asked).iter().next().filter(|_| asked.contains(lost));
        match another {
            Some(another) => *asked = asked.with(another),
            None => return false,
        }
        true
    });
}

impl Course {
    /// Follows `node` until nobody listens, dialling again whenever it is lost.
    async fn follow(mut self, node: NodeId) {
        loop {
            let Err(_lost) = self.listen(node).await;
            if self.news.send(News::Lost(node)).await.is_err() {
                return;
            }
            sleep(REDIAL_PAUSE).await;
        }
    }

    async fn listen(&mut self, node: NodeId) -> Result<std::convert::Infallible> {
        let mut connection = self.known.connect(node).await?;
        let from = *self.next.borrow();
        ask(&mut connection, &Ask::Follow(from)).await?;
        let mut has_asked = false;
        loop {
            if !has_asked && self.asked.borrow_and_update().contains(node) {
                // Nobody promised to remember a request: it is handed in with each session.
                ask(&mut connection, &Ask::Submit(self.request.clone())).await?;
                has_asked = true;
            }
            tokio::select! {
                answer = hear(&mut connection) => self.news.send(News::Said(node, Box::new(answer?))).await.ok().context("over")?,
                changed = self.asked.changed() => changed?,
            }
        }
    }
}
