//! The constants of `ChainCheck`.

use super::text::Text;
use super::{ConfigurationError, Names};
use crate::transcription::chain::{Constants, Rules};

pub(super) fn read(text: &mut Text) -> Result<(Constants, Names), ConfigurationError> {
    let (members, byzantine) = text.everybody()?;
    let names = Names { members, symbols: text.set("Work")?, none: String::new() };
    let rules = Rules {
        learners_wait: text.switch("LearnersWait")?,
        fresh_nonce: text.switch("FreshNonce")?,
        count_incarnations: text.switch("CountIncarnations")?,
        wait_for_decision: text.switch("WaitForDecision")?,
        record_vote: text.switch("RecordVote")?,
        record_head: text.switch("RecordHead")?,
        record_payload: text.switch("RecordPayload")?,
        keep_role: text.switch("KeepRole")?,
        members_count: text.switch("MembersCount")?,
    };
    let constants = Constants {
        n: text.number("N")?,
        f: text.number("F")?,
        p: text.number("P")?,
        honest: names.members.len() - byzantine,
        byzantine,
        founders: text.places("Founders", &names.members)?,
        joining: text.places("Joining", &names.members)?,
        leaving: text.places("Leaving", &names.members)?,
        changes: text.number("Changes")?,
        epochs: text.number("Epochs")?,
        work: names.symbols.len(),
        draws: text.number("Draws")?,
        fallible: text.places("Fallible", &names.members)?,
        together: text.number("Together")?,
        equivocation: text.switch("Equivocation")?,
        notices_first: text.switch("NoticesFirst")?,
        rules,
        orbits: text.orbits,
    };
    if constants.are_well_formed() { Ok((constants, names)) } else { Err(ConfigurationError::NotWellFormed) }
}
