//! One epoch of a trace as a run of the specification.

use butterfly_trace::Ballot;

use super::Refusal;
use crate::conform::agreement::leads;
use crate::records::Act;
use crate::transcription::agreement::{Entry, MOST_VIEWS, Specification, State};

/// One epoch.
pub(super) struct Run {
    specification: Specification,
    state: State,
    /// The values of the epoch, in the order in which they were spoken of.
    values: Vec<String>,
    beyond: bool,
}

/// What a step adds to what one replica did in one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) view: u32,
    pub(super) votes: Vec<Ballot>,
    pub(super) commits: Vec<Ballot>,
    pub(super) proposals: Vec<Ballot>,
}

/// What became of facts.
pub(super) enum Placed {
    /// These actions lead there.
    By(Vec<Act>),
    /// No actions lead there, for want of this one.
    Not(&'static str),
    /// The transcription has no words for this epoch any more.
    Beyond,
}

impl Run {
    pub(super) fn new(specification: Specification) -> Run {
        Run { specification, state: State::default(), values: Vec::new(), beyond: false }
    }

    pub(super) fn is_beyond(&self) -> bool {
        self.beyond
    }

    /// One replica did this: actions of the specification lead there.
    ///
    /// # Errors
    /// When it takes back what it did before.
    pub(super) fn advance(&mut self, replica: usize, facts: &Facts) -> Result<Placed, Refusal> {
        if self.beyond {
            return Ok(Placed::Beyond);
        }
        let Some(after) = self.with(replica, facts)? else {
            self.beyond = true;
            return Ok(Placed::Beyond);
        };
        let mut path = Vec::new();
        if !leads(&self.specification, &self.state, &after, replica, &mut path) {
            return Ok(Placed::Not(self.wanted(&after, replica)));
        }
        self.state = after;
        Ok(Placed::By(path))
    }

    /// Whether `value` is decided by now; none if the transcription has no
    /// words for this epoch any more.
    pub(super) fn decides(&mut self, value: &str) -> Option<bool> {
        let entry = self.entry(value);
        self.beyond |= entry.is_none();
        let entry = entry.filter(|_| !self.beyond)?;
        Some(self.specification.decided(&self.state).contains(&entry))
    }

    /// The place of `value` among those of this epoch; none if there are too many.
    fn entry(&mut self, value: &str) -> Option<Entry> {
        let place = self.values.iter().position(|known| known == value).unwrap_or_else(|| {
            self.values.push(value.to_owned());
            self.values.len() - 1
        });
        (place < 2).then(|| Entry::try_from(place + 1).expect("few values"))
    }

    /// The state with `facts`; none if the transcription has no words for it.
    fn with(&mut self, replica: usize, facts: &Facts) -> Result<Option<State>, Refusal> {
        let leads = |view: usize| self.specification.constants().leaders[view] == Some(replica);
        let proposed = facts.proposals.iter().filter_map(|ballot| usize::try_from(ballot.view).ok());
        if let Some(view) = proposed.filter(|view| *view < MOST_VIEWS).find(|view| !leads(*view)) {
            return Err(("Propose", format!("a proposal in view {view} by a replica that does not lead it")));
        }
        let mut state = self.state;
        let mut last = facts.view;
        let mut put = |slots: fn(&mut State, usize) -> &mut [Entry; MOST_VIEWS], ballots: &[Ballot], rule| {
            for Ballot { view, value } in ballots {
                // Whoever signs in a view is there, or was.
                last = last.max(*view);
                let Some(entry) = self.entry(value) else { return Ok(false) };
                let Some(view) = usize::try_from(*view).ok().filter(|view| *view < MOST_VIEWS) else {
                    return Ok(false);
                };
                let slot = &mut slots(&mut state, replica)[view];
                if *slot != 0 && *slot != entry {
                    return Err((rule, format!("a second value in view {view}: {value}")));
                }
                *slot = entry;
            }
            Ok(true)
        };
        let within = put(|state, _| &mut state.proposals, &facts.proposals, "Propose")?
            && put(|state, replica| &mut state.replicas[replica].votes, &facts.votes, "Vote")?
            && put(|state, replica| &mut state.replicas[replica].commits, &facts.commits, "Commit")?
            && usize::try_from(last).is_ok_and(|view| view < MOST_VIEWS);
        if !within {
            return Ok(None);
        }
        let view = &mut state.replicas[replica].view;
        *view = (*view).max(u8::try_from(last).expect("few views"));
        Ok(Some(state))
    }

    /// The action that should have led to `after`.
    fn wanted(&self, after: &State, replica: usize) -> &'static str {
        let (here, there) = (&self.state.replicas[replica], &after.replicas[replica]);
        if self.state.proposals != after.proposals {
            "Propose"
        } else if here.votes != there.votes {
            "Vote"
        } else if here.commits != there.commits {
            "Commit"
        } else {
            "EnterView"
        }
    }
}
