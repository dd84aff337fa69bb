//! What a device does, one JSON document on each line, in the words in which a
//! server's process tells it.
//!
//! This file is a module of each board's program, which says what a [`Line`] is
//! and how far its stack was used.

use core::fmt::{self, Write};

use butterfly_kernel::message::agreement::Path;
use butterfly_record::Source;
use butterfly_runtime_embedded::board::{Event, Voice};
use butterfly_runtime_embedded::record::Encoded;

use crate::{Line, stack_used};

/// Says why the device does nothing more.
pub(crate) fn tell_failure(reason: &dyn fmt::Display) {
    // A line that nobody reads is no reason to stop.
    let _ = writeln!(Line, "{{\"event\":\"failed\",\"reason\":\"{reason}\"}}");
}

/// Says what the node does.
pub(crate) struct Journal;

/// Bytes, in hexadecimal digits.
struct Hex<B>(B);

impl<B: Source> fmt::Display for Hex<B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut outcome = Ok(());
        self.0.feed(&mut |piece| {
            outcome = outcome.and_then(|()| piece.iter().try_for_each(|byte| write!(out, "{byte:02x}")));
        });
        outcome
    }
}

impl<const N: usize> Voice<N> for Journal {
    fn say(&mut self, event: Event<'_, N>) {
        let _ = match event {
            Event::Ready { me, learner, epoch } => {
                writeln!(
                    Line,
                    "{{\"event\":\"ready\",\"node\":{},\"learner\":{learner},\"epoch\":{},\"stack\":{}}}",
                    me.0,
                    epoch.0,
                    stack_used()
                )
            }
            Event::Commit { decided, tokens, learner, signed } => {
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
                    Hex(Encoded(decided)),
                    Hex(tokens),
                    signed.votes,
                    signed.proposals,
                    signed.attestations,
                    stack_used()
                )
            }
            Event::EnterView { epoch, view } => {
                writeln!(Line, "{{\"event\":\"enter_view\",\"epoch\":{},\"view\":{}}}", epoch.0, view.0)
            }
            Event::Evidence(evidence) => {
                writeln!(Line, "{{\"event\":\"evidence\",\"evidence\":\"{}\"}}", Hex(Encoded(evidence)))
            }
            Event::Blocked(blocked) => writeln!(Line, "{{\"event\":\"standstill\",\"blocked\":{blocked}}}"),
            Event::Abstained => writeln!(Line, "{{\"event\":\"abstained\"}}"),
        };
    }
}
