//! What faults do to disks, and what members do about it.

use butterfly_kernel::node::{Record, Role};
use butterfly_kernel::types::{Epoch, Nonce};
use butterfly_kernel::wire;
use butterfly_record::StoreError;

use super::Engine;
use crate::simulate::Crypto;
use crate::simulate::disk::{DiskError, Survivors};
use crate::simulate::faults::Kind;
use crate::simulate::oracles::{Breach, RECORD, Verdict, check};
use crate::simulate::storage::StorageError;

impl<const N: usize> Engine<N> {
    pub(super) fn begin_disk_fault(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        let draw = self.streams[number].draw();
        let member = &mut self.members[fault.member];
        let Some(mut disk) = member.storage.disk() else { return Ok(()) };
        match fault.kind {
            // A record bears one damage in each life: see `butterfly_record`.
            Kind::RotAtRest | Kind::RotOnRead | Kind::MisdirectedWrite | Kind::MisdirectedRead if member.damaged => {
                return Ok(());
            }
            Kind::RotAtRest => disk.rot(&mut self.streams[number]),
            Kind::TotalLoss => disk.wipe(),
            Kind::RollBack => {
                member.image = Some(disk.image());
                return Ok(());
            }
            kind => disk.arm(kind, number, draw),
        }
        drop(disk);
        match fault.kind {
            Kind::RotAtRest | Kind::MisdirectedWrite => member.damaged = true,
            // It shows when the record is read: the process ends now, and begins when the fault is over.
            Kind::RotOnRead | Kind::MisdirectedRead | Kind::TotalLoss => {
                member.damaged = true;
                self.stop(fault.member, number);
            }
            Kind::LostFsync => self.accounts.excuse(fault.member),
            _ => {}
        }
        if matches!(fault.kind, Kind::RotAtRest | Kind::TotalLoss) {
            self.feel(number);
        }
        Ok(())
    }

    pub(super) fn end_disk_fault(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        let hit = fault.member;
        match fault.kind {
            Kind::RotAtRest | Kind::MisdirectedWrite | Kind::LostFsync => self.stop(hit, number),
            Kind::RollBack => {
                self.stop(hit, number);
                let image = self.members[hit].image.take();
                if let (Some(image), Some(mut disk)) = (image, self.members[hit].storage.disk()) {
                    disk.put_back(image);
                    self.accounts.excuse(hit);
                }
                self.feel(number);
            }
            _ => {}
        }
        if self.members[hit].node.is_none() && self.members[hit].downed_by == Some(number) {
            // What strikes when the record is read does so now.
            self.boot(hit)?;
        }
        if let Some(mut disk) = self.members[hit].storage.disk() {
            disk.disarm(number);
        }
        if self.members[hit].node.is_none() && self.members[hit].downed_by == Some(number) {
            return self.boot(hit);
        }
        Ok(())
    }

    /// The power of one member fails: what is not durable is lost.
    fn stop(&mut self, number: usize, fault: usize) {
        let member = &mut self.members[number];
        if member.node.is_some() {
            member.end(fault);
        }
        if let Some(mut disk) = member.storage.disk() {
            disk.lose_power(Survivors::None);
        }
    }

    /// Reads a member's record. `None` if the disk fails, and the member cannot begin.
    #[allow(clippy::option_option, reason = "no record is not no disk")]
    pub(super) fn read_record(
        &mut self,
        number: usize,
        nonce: Nonce,
    ) -> Result<Option<Option<Record<Crypto<N>>>>, Breach> {
        let me = self.members[number].me.index();
        let read = self.members[number].storage.open();
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.is_written(number, Err(error)).map(|_| None),
        };
        self.feel_disk(number);
        self.members[number].durable = Epoch::GENESIS;
        let Some(bytes) = bytes else {
            let wiped = self.setting.faults.iter().any(|fault| fault.member == me && fault.kind.counts_towards_f());
            check(wiped, RECORD, || {
                format!("member {number} finds no record, though its disk had no more faults than it must bear")
            })?;
            self.accounts.lose(me, nonce);
            return Ok(Some(None));
        };
        let record = wire::decode::<Record<Crypto<N>>>(&bytes).map_err(|error| Breach {
            property: RECORD,
            seen: format!("member {number} cannot understand its record: {error}"),
        })?;
        if record.role == Role::Learner {
            // It lost its record in an earlier life, and draws another number now.
            self.accounts.lose(me, nonce);
        }
        self.members[number].durable = record.head.epoch();
        self.accounts.covers(me, &record)?;
        Ok(Some(Some(record)))
    }

    /// Whether a record is durable; if not, the member ends.
    pub(super) fn is_written(&mut self, number: usize, written: Result<(), StorageError>) -> Result<bool, Breach> {
        let fault = self.feel_disk(number);
        let Err(error) = written else {
            let member = &mut self.members[number];
            member.durable = member.node.as_ref().map_or(member.durable, |node| node.head().epoch());
            return Ok(true);
        };
        let member = &mut self.members[number];
        let Some(fault) = fault else {
            return Err(Breach {
                property: RECORD,
                seen: format!("member {number} cannot write its record: {error:?}"),
            });
        };
        member.end(fault);
        if let (StoreError::Device(why), Some(mut disk)) = (error, member.storage.disk()) {
            let (random, sectors) = (&mut self.streams[fault], disk.pending_sectors());
            let survivors = match (why, self.setting.faults[fault].kind) {
                (DiskError::Power, Kind::ReorderedWrites) => Survivors::reordered(random),
                _ => Survivors::torn(random, sectors),
            };
            disk.lose_power(survivors);
            // The power fails once.
            if why == DiskError::Power {
                disk.disarm(fault);
            }
        }
        Ok(false)
    }

    /// Counts the faults that did something to a disk; the last of them.
    fn feel_disk(&mut self, number: usize) -> Option<usize> {
        let mut fired = std::mem::take(&mut self.members[number].storage.disk()?.fired);
        fired.iter().for_each(|fault| self.feel(*fault));
        fired.pop()
    }
}
