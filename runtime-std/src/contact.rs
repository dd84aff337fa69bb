//! How a newcomer to a roster is reached, as its admission commits it: its key
//! record, and the address where it listens as text.

use std::net::SocketAddr;

use butterfly_kernel::message::change;
use butterfly_session::KeyRecord;
use butterfly_session::keys::RECORD;

use crate::lineage::Lineage;

/// What the others must know besides a newcomer's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Which exchange key is its own.
    pub record: KeyRecord,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Contact {
    /// As the change says it. None in practice: there is room for any address.
    pub fn write(&self) -> Option<change::Contact> {
        let address = self.address.to_string();
        change::Contact::from_slice(&[&self.record.to_bytes()[..], address.as_bytes()].concat()).ok()
    }

    /// What [`Contact::write`] made; none of anything else.
    pub fn read(contact: &change::Contact) -> Option<Contact> {
        let (record, address) = contact.split_first_chunk::<RECORD>()?;
        let address = std::str::from_utf8(address).ok()?.parse().ok()?;
        Some(Contact { record: KeyRecord::from_bytes(record)?, address })
    }
}

/// Where the members of the last cluster listen, when those of the first listen
/// at `founders`; none where it is not known.
pub fn addresses(lineage: &Lineage, founders: &[Option<SocketAddr>]) -> Vec<Option<SocketAddr>> {
    lineage.gather(founders, |newcomer| Contact::read(&newcomer.contact).map(|contact| contact.address))
}
