//! `spec/*.cfg`: the same files that the checkers of TLA+ read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::agreement::Constants;

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationError {
    /// There is no such file.
    Missing(PathBuf),
    /// A constant is not there, or has a value that is not understood.
    Constant(&'static str),
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigurationError::Missing(path) => write!(out, "cannot read {}", path.display()),
            ConfigurationError::Constant(name) => write!(out, "the constant {name} is missing or not understood"),
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// The folder of the modules.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec")
}

/// Every configuration of `AgreementCheck`, by the name of its file.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).into_iter().flatten().flatten().map(|file| file.path());
    let configurations = files.filter(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    let mut names: Vec<String> =
        configurations.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.retain(|name| read(name).is_ok());
    names.sort();
    names
}

/// The constants of `AgreementCheck` in `spec/NAME.cfg`.
///
/// # Errors
/// When there is no such file, or it is not understood.
pub fn read(name: &str) -> Result<Constants, ConfigurationError> {
    let path = folder().join(format!("{name}.cfg"));
    let text = std::fs::read_to_string(&path).map_err(|_| ConfigurationError::Missing(path))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Constants, ConfigurationError> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("\\*"));
    let mut said: BTreeMap<&str, &str> = BTreeMap::new();
    let mut orbits = false;
    for line in lines {
        if let Some((name, value)) = line.split_once(" = ").or_else(|| line.split_once(" <- ")) {
            said.insert(name.trim(), value.trim());
        }
        orbits |= line.trim() == "VIEW Orbit";
    }
    let value = |name: &'static str| said.get(name).copied().ok_or(ConfigurationError::Constant(name));
    let number = |name: &'static str| value(name)?.parse().map_err(|_| ConfigurationError::Constant(name));
    let switch =
        |name: &'static str| value(name)?.to_lowercase().parse().map_err(|_| ConfigurationError::Constant(name));
    let members = |name: &'static str| Ok(value(name)?.split(',').count());
    let views = members("Views")?;
    let leaders: Vec<Option<usize>> = match value("Leader")? {
        "ByzantineAlways" => vec![None; views],
        "ByzantineFirst" => [None, Some(0), Some(1)].into_iter().take(views).collect(),
        "ByzantineSecond" => [Some(0), None, Some(1)].into_iter().take(views).collect(),
        _ => return Err(ConfigurationError::Constant("Leader")),
    };
    Ok(Constants {
        n: number("N")?,
        f: number("F")?,
        p: number("P")?,
        byzantine: members("Byzantine")?,
        leaders,
        slow_path: switch("SlowPath")?,
        strongest_only: switch("StrongestOnly")?,
        exclude_equivocator: switch("ExcludeEquivocator")?,
        report_locked: switch("ReportLocked")?,
        report_certified: switch("ReportCertified")?,
        smallest_of_equals: false,
        orbits,
    })
}
