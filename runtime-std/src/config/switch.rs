//! An address, or the word `off`.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const OFF: &str = "off";

/// Something that is done at an address, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Not at all, whatever somebody else said.
    Off,
    /// There.
    At(SocketAddr),
}

impl Switch {
    /// The address, if there is one.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Switch::Off => None,
            Switch::At(address) => Some(address),
        }
    }
}

impl FromStr for Switch {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Switch, AddrParseError> {
        if text == OFF { Ok(Switch::Off) } else { text.parse().map(Switch::At) }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Switch::Off => out.write_str(OFF),
            Switch::At(address) => address.fmt(out),
        }
    }
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Switch, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom(format!("{text:?} is neither an address with a port nor \"off\"")))
    }
}
