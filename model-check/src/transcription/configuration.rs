//! `spec/*.cfg`: the same files that the checkers of TLA+ read.
//!
//! A file does not say which module it is for, since the checkers are told
//! beside it. Here it is known by a constant that no other module has; then
//! every constant of that module has to be there, and nothing else.

mod agreement;
mod chain;
mod inference;
mod text;

use std::fmt;
use std::path::PathBuf;

use super::{Module, agreement as of_agreement, chain as of_chain, inference as of_inference};
use text::Text;

/// A file, as far as it matters without fairness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The module and its constants.
    pub constants: Constants,
    /// What must hold: places in the module's [`Module::PROPERTIES`].
    pub checked: Vec<usize>,
    /// What the file calls things that have numbers here.
    pub names: Names,
}

/// The constants of one of the modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constants {
    /// Of `AgreementCheck`.
    Agreement(of_agreement::Constants),
    /// Of `ChainCheck`.
    Chain(of_chain::Constants),
    /// Of `InferenceCheck`.
    Inference(of_inference::Constants),
}

impl Constants {
    /// The root module: `spec/ROOT.tla`.
    pub fn root(&self) -> &'static str {
        match self {
            Constants::Agreement(_) => "AgreementCheck",
            Constants::Chain(_) => "ChainCheck",
            Constants::Inference(_) => "InferenceCheck",
        }
    }

    /// Whether states that differ in names only are explored once.
    pub fn are_of_orbits(&self) -> bool {
        match self {
            Constants::Agreement(constants) => constants.orbits,
            Constants::Chain(constants) => constants.orbits,
            Constants::Inference(_) => false,
        }
    }
}

/// Names by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of members, the honest ones first.
    pub members: Vec<String>,
    /// Of valid values, work or signals.
    pub symbols: Vec<String>,
    /// Of the absence of one, where a module has a name for it.
    pub none: String,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationError {
    /// There is no such file.
    Missing(PathBuf),
    /// A line says nothing that is known here.
    Line(String),
    /// It is about what must happen.
    Fair,
    /// No module is known by one of its constants.
    Module,
    /// A constant is not there, or has a value that is not understood.
    Constant(&'static str),
    /// The module, as transcribed, has no such constant.
    Unknown(String),
    /// The module, as transcribed, has no such property.
    Property(String),
    /// The constants contradict what the module assumes of them.
    NotWellFormed,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigurationError::Missing(path) => write!(out, "cannot read {}", path.display()),
            ConfigurationError::Line(line) => write!(out, "the line `{line}` is not understood"),
            ConfigurationError::Fair => write!(out, "it says what must happen under fairness, which only TLC can tell"),
            ConfigurationError::Module => {
                write!(out, "it is for none of the modules: each has one of the constants ")?;
                write!(out, "{OF_AGREEMENT}, {OF_CHAIN} and {OF_INFERENCE}")
            }
            ConfigurationError::Constant(name) => write!(out, "the constant {name} is missing or not understood"),
            ConfigurationError::Unknown(name) => write!(out, "its module has no constant {name} in Rust"),
            ConfigurationError::Property(name) => write!(out, "its module has no property {name} in Rust"),
            ConfigurationError::NotWellFormed => write!(out, "its constants are not WellFormed"),
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// The folder of the modules.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec")
}

/// Every configuration that assumes no fairness, by the name of its file.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).into_iter().flatten().flatten().map(|file| file.path());
    let configurations = files.filter(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    let mut names: Vec<String> =
        configurations.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    // What is not understood for any other reason must be seen.
    names.retain(|name| read(name) != Err(ConfigurationError::Fair));
    names.sort();
    names
}

/// Whether a property of the configuration has to fail: a rule is switched off,
/// or what the property denies has to be possible.
pub fn must_fail(name: &str) -> bool {
    ["broken-", "witness-", "reached-"].iter().any(|beginning| name.starts_with(beginning))
}

/// `spec/NAME.cfg`
///
/// # Errors
/// When there is no such file, or it is not understood.
pub fn read(name: &str) -> Result<Configuration, ConfigurationError> {
    let path = folder().join(format!("{name}.cfg"));
    let text = std::fs::read_to_string(&path).map_err(|_| ConfigurationError::Missing(path))?;
    parse(&text)
}

const OF_AGREEMENT: &str = "SlowPath";
const OF_CHAIN: &str = "Epochs";
const OF_INFERENCE: &str = "Gives";

fn parse(text: &str) -> Result<Configuration, ConfigurationError> {
    let mut text = Text::parse(text)?;
    if text.specification != "Spec" {
        return Err(ConfigurationError::Fair);
    }
    let (constants, names, checked) = if text.has(OF_AGREEMENT) {
        let (constants, names) = agreement::read(&mut text)?;
        (Constants::Agreement(constants), names, checked::<of_agreement::Specification>(&text)?)
    } else if text.has(OF_CHAIN) {
        let (constants, names) = chain::read(&mut text)?;
        (Constants::Chain(constants), names, checked::<of_chain::Specification>(&text)?)
    } else if text.has(OF_INFERENCE) {
        let (constants, names) = inference::read(&mut text)?;
        (Constants::Inference(constants), names, checked::<of_inference::Specification>(&text)?)
    } else {
        return Err(ConfigurationError::Module);
    };
    text.is_used_up()?;
    Ok(Configuration { constants, checked, names })
}

fn checked<M: Module>(text: &Text) -> Result<Vec<usize>, ConfigurationError> {
    let place = |name: &String| {
        let place = M::NAMES.iter().position(|known| known == name);
        place.ok_or_else(|| ConfigurationError::Property(name.clone()))
    };
    text.properties.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = include_str!("../../../spec/chain-unreduced.cfg");

    #[test]
    fn every_file_is_understood_or_assumes_fairness() {
        let names = names();
        assert!(!names.is_empty());
        for name in names {
            assert_eq!(read(&name).err(), None, "{name}");
        }
    }

    #[test]
    fn a_constant_that_is_not_transcribed_is_no_secret() {
        assert!(parse(CHAIN).is_ok());
        let more = CHAIN.replace("Epochs = 3", "Epochs = 3\n    Eras = 3");
        assert_eq!(parse(&more), Err(ConfigurationError::Unknown("Eras".to_owned())));
        let less = CHAIN.replace("    Together = 1\n", "");
        assert_eq!(parse(&less), Err(ConfigurationError::Constant("Together")));
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let property = CHAIN.replace("NoResign", "NobodyResigns");
        assert_eq!(parse(&property), Err(ConfigurationError::Property("NobodyResigns".to_owned())));
        let fair = CHAIN.replace("SPECIFICATION Spec", "SPECIFICATION FairSpec");
        assert_eq!(parse(&fair), Err(ConfigurationError::Fair));
        let symmetric = CHAIN.replace("INVARIANTS", "SYMMETRY Names\nINVARIANTS");
        assert_eq!(parse(&symmetric), Err(ConfigurationError::Line("SYMMETRY Names".to_owned())));
        let nobody = CHAIN.replace("Epochs", "Eras");
        assert_eq!(parse(&nobody), Err(ConfigurationError::Module));
        let too_few = CHAIN.replace("F = 1", "F = 2");
        assert_eq!(parse(&too_few), Err(ConfigurationError::NotWellFormed));
    }
}
