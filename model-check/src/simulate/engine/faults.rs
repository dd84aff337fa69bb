//! What faults do to members; the network looks after its own.

use super::host::slot;
use super::{Engine, Event};
use crate::simulate::faults::{Family, Kind};
use crate::simulate::member::Fuse;
use crate::simulate::oracles::Verdict;

const MILLISECOND: u64 = 1_000;

impl<const N: usize> Engine<N> {
    pub(super) fn begin_fault(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        if fault.kind.family() == Family::Network {
            self.network.begin(self.setting.seed, fault);
            return Ok(());
        }
        if fault.kind.family() == Family::Disk {
            return self.begin_disk_fault(number);
        }
        if fault.kind.family() == Family::Byzantine {
            return self.begin_misbehaviour(number);
        }
        let now = self.now;
        let member = &mut self.members[fault.member];
        let there = member.node.is_some();
        match fault.kind {
            Kind::Crash => {
                // Now and then several at once.
                let group =
                    |member: &usize| *member == fault.member || fault.number.is_multiple_of(4) && fault.hits(*member);
                for hit in (0..self.members.len()).filter(group) {
                    self.members[hit].fuse = Some(Fuse { outputs: fault.strength, fault: number });
                }
                return Ok(());
            }
            Kind::CrashLoop => return self.flap(number),
            Kind::Pause => {
                member.paused_until = member.paused_until.max(fault.until);
            }
            Kind::SlowProcessor => member.toil = fault.strength,
            Kind::ClockJump => {
                let middle = 3_000;
                let jump = fault.strength.abs_diff(middle) * MILLISECOND;
                // A clock that is ahead finds its timers run out.
                let shift = |due: u64| if fault.strength > middle { due.saturating_sub(jump) } else { due + jump };
                let (boot, id) = (member.boot, slot(fault.member));
                for (timer, due) in member.shift_timers(now, shift) {
                    self.queue.put(due, Event::Ring { member: id, boot, timer });
                }
            }
            Kind::ClockDrift => member.drift = fault.strength,
            _ => {}
        }
        if there {
            self.feel(number);
        }
        Ok(())
    }

    /// A fault does something, for the first time or again.
    pub(super) fn feel(&mut self, number: usize) {
        if !std::mem::replace(&mut self.felt[number], true) {
            self.counts.faults.fired(self.setting.faults[number].kind);
        }
    }

    pub(super) fn end_fault(&mut self, number: usize) -> Verdict {
        let fault = &self.setting.faults[number];
        let member = &mut self.members[fault.member];
        match fault.kind {
            kind if kind.family() == Family::Network => self.network.end(fault.number),
            kind if kind.family() == Family::Disk => return self.end_disk_fault(number),
            Kind::SlowProcessor => member.toil = 0,
            Kind::ClockDrift => member.drift = 100,
            Kind::Crash | Kind::CrashLoop => {
                for hit in 0..self.members.len() {
                    let member = &mut self.members[hit];
                    member.fuse.take_if(|fuse| fuse.fault == number);
                    if member.node.is_none() && member.downed_by == Some(number) {
                        self.boot(hit)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A member in a crash loop ends soon after it began, and begins soon after it ended.
    pub(super) fn flap(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        if self.now >= fault.until {
            return Ok(());
        }
        let random = &mut self.streams[number];
        let next = random.within(MILLISECOND..=250 * MILLISECOND);
        self.queue.put(self.now + next, Event::Flap { fault: number });
        let member = &self.members[fault.member];
        if member.node.is_none() {
            return if member.downed_by == Some(number) { self.boot(fault.member) } else { Ok(()) };
        }
        let outputs = random.below(fault.strength + 1);
        self.members[fault.member].fuse = Some(Fuse { outputs, fault: number });
        Ok(())
    }
}
