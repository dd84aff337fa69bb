//! The last decisions, as clients are told of them: encoded answers, the oldest
//! of which make room. A client that comes late asks somebody with more memory.

use butterfly_kernel::types::Epoch;
use butterfly_record::Source;
use heapless::Vec;

/// Bytes in front of an answer: its epoch and its length.
const HEAD: usize = 8 + 2;

/// Encoded answers, by their epochs, in order; `BYTES` in all.
#[derive(Debug)]
pub(crate) struct Chronicle<const BYTES: usize> {
    bytes: Vec<u8, BYTES>,
}

impl<const BYTES: usize> Chronicle<BYTES> {
    pub(crate) const fn new() -> Self {
        Chronicle { bytes: Vec::new() }
    }

    /// Adds what is told of `epoch`.
    pub(crate) fn add(&mut self, epoch: Epoch, told: &impl Source) {
        let length = told.length();
        let needed = HEAD.saturating_add(length);
        let Ok(length) = u16::try_from(length) else { return };
        while BYTES.saturating_sub(self.bytes.len()) < needed {
            let Some((_, first, _)) = split(&self.bytes) else { return };
            let taken = HEAD.saturating_add(first.len());
            let left = self.bytes.len().saturating_sub(taken);
            self.bytes.copy_within(taken.., 0);
            self.bytes.truncate(left);
        }
        // There is room now.
        let _ = self.bytes.extend_from_slice(&epoch.0.to_le_bytes());
        let _ = self.bytes.extend_from_slice(&length.to_le_bytes());
        told.feed(&mut |piece| {
            let _ = self.bytes.extend_from_slice(piece);
        });
    }

    /// The first kept epoch that is not before `from`.
    pub(crate) fn next(&self, from: Epoch) -> Option<(Epoch, &[u8])> {
        let mut rest = self.bytes.as_slice();
        while let Some((epoch, told, behind)) = split(rest) {
            if epoch >= from {
                return Some((epoch, told));
            }
            rest = behind;
        }
        None
    }
}

fn split(bytes: &[u8]) -> Option<(Epoch, &[u8], &[u8])> {
    let (epoch, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (told, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((Epoch(u64::from_le_bytes(*epoch)), told, rest))
}
