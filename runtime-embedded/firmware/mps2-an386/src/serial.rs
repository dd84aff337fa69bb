//! The serial line: what the device does, one JSON document on each line, in
//! the words in which a server's process tells it.

use core::fmt::{self, Write};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::wire;
use butterfly_runtime_embedded::board::{Event, Voice};

use crate::register::Register;
use crate::stack;

// SAFETY: the first UART of the board, which nobody else uses.
const DATA: Register = unsafe { Register::new(0x4000_4000) };
// SAFETY: as above.
const STATE: Register = unsafe { Register::new(0x4000_4004) };
// SAFETY: as above.
const CONTROL: Register = unsafe { Register::new(0x4000_4008) };
// SAFETY: as above.
const DIVIDER: Register = unsafe { Register::new(0x4000_4010) };

const TRANSMIT_ENABLE: u32 = 1;
const TRANSMIT_FULL: u32 = 1;
/// The least that the UART takes.
const FASTEST: u32 = 16;

/// Room for the encoding of a decision.
const DECISION: usize = 4 * 1024;

/// Switches the line on.
pub(crate) fn start() {
    DIVIDER.write(FASTEST);
    CONTROL.write(TRANSMIT_ENABLE);
}

/// Says why the device does nothing more.
pub(crate) fn fail(reason: &dyn fmt::Display) {
    // A line that nobody reads is no reason to stop.
    let _ = writeln!(Line, "{{\"event\":\"failed\",\"reason\":\"{reason}\"}}");
}

/// What the node does, on the line.
pub(crate) struct Serial {
    decision: [u8; DECISION],
}

impl Serial {
    /// Nothing was said.
    pub(crate) const fn new() -> Serial {
        Serial { decision: [0; DECISION] }
    }
}

struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(put);
        Ok(())
    }
}

fn put(byte: u8) {
    while STATE.read() & TRANSMIT_FULL != 0 {}
    DATA.write(u32::from(byte));
}

struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl<const N: usize> Voice<N> for Serial {
    fn say(&mut self, event: Event<'_, N>) {
        let _ = match event {
            Event::Ready { me, learner, epoch } => {
                writeln!(
                    Line,
                    "{{\"event\":\"ready\",\"node\":{},\"learner\":{learner},\"epoch\":{},\"stack\":{}}}",
                    me.0,
                    epoch.0,
                    stack::high_water()
                )
            }
            Event::Commit { decided, tokens, learner, signed } => {
                let bytes = wire::encode(decided, &mut self.decision).unwrap_or_default();
                let path = match decided.certificate.path {
                    Path::Fast => "fast",
                    Path::Slow => "slow",
                };
                writeln!(
                    Line,
                    "{{\"event\":\"commit\",\"epoch\":{},\"view\":{},\"path\":\"{path}\",\"decided\":\"{}\",\
                     \"tokens\":\"{}\",\"learner\":{learner},\"votes\":{},\"proposals\":{},\"attestations\":{},\"stack\":{}}}",
                    decided.header.epoch.0,
                    decided.certificate.ballot.view.0,
                    Hex(bytes),
                    Hex(tokens),
                    signed.votes,
                    signed.proposals,
                    signed.attestations,
                    stack::high_water()
                )
            }
            Event::EnterView { epoch, view } => {
                writeln!(Line, "{{\"event\":\"enter_view\",\"epoch\":{},\"view\":{}}}", epoch.0, view.0)
            }
            Event::Evidence(evidence) => {
                writeln!(Line, "{{\"event\":\"evidence\",\"evidence\":\"{}\"}}", Hex(evidence))
            }
            Event::Blocked(blocked) => writeln!(Line, "{{\"event\":\"standstill\",\"blocked\":{blocked}}}"),
            Event::Abstained => writeln!(Line, "{{\"event\":\"abstained\"}}"),
        };
    }
}
