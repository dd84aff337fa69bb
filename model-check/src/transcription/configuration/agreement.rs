//! The constants of `AgreementCheck`.

use super::text::Text;
use super::{ConfigurationError, Names};
use crate::transcription::agreement::Constants;

pub(super) fn read(text: &mut Text) -> Result<(Constants, Names), ConfigurationError> {
    let n = text.number("N")?;
    let (members, byzantine) = text.members(n)?;
    let names = Names { members, symbols: text.set("Valid")?, none: text.take("None")? };
    // Byzantine replicas that lead are one here, whichever it is.
    let _ = text.member("b", &names)?;
    let [h1, h2] = [text.member("h1", &names)?, text.member("h2", &names)?];
    let views = text.set("Views")?.len();
    let leaders: Vec<Option<usize>> = match text.take("Leader")?.as_str() {
        "ByzantineAlways" => vec![None; views],
        "ByzantineFirst" => [None, Some(h1), Some(h2)].into_iter().take(views).collect(),
        "ByzantineSecond" => [Some(h1), None, Some(h2)].into_iter().take(views).collect(),
        _ => return Err(ConfigurationError::Constant("Leader")),
    };
    // One value besides is invalid, and honest replicas never say it.
    if text.set("Values")?.len() != names.symbols.len() + 1 || names.symbols.len() != 2 {
        return Err(ConfigurationError::Constant("Values"));
    }
    let constants = Constants {
        n,
        f: text.number("F")?,
        p: text.number("P")?,
        byzantine,
        leaders,
        slow_path: text.switch("SlowPath")?,
        strongest_only: text.switch("StrongestOnly")?,
        exclude_equivocator: text.switch("ExcludeEquivocator")?,
        report_locked: text.switch("ReportLocked")?,
        report_certified: text.switch("ReportCertified")?,
        smallest_of_equals: false,
        orbits: text.orbits,
    };
    if text.switch("WithinBound")? != constants.are_within_bound() {
        return Err(ConfigurationError::NotWellFormed);
    }
    Ok((constants, names))
}
