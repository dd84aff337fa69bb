//! Which mutant is noticed where.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;

use super::{Case, Layer};
use crate::models::{Agreement, Subject, Tier};
use crate::records::Options;
use crate::world::setting::{Delivery, Reports};
use crate::world::{AGREEMENT, CONTRACT, VALIDITY};

const N4_P1: Resilience = Resilience::outside_the_bounds(4, 1, 1);
const N4_P0: Resilience = Resilience::outside_the_bounds(4, 1, 0);
const N7: Resilience = Resilience::outside_the_bounds(7, 2, 1);

/// Four nodes, the last of them faulty, from record to record.
const fn records(resilience: Resilience, schedule: &'static [u8]) -> Subject {
    let agreement = Agreement { resilience, faulty: 1, schedule, mutant: None };
    Subject::Records { agreement, options: Options { symmetry: false, crashes: false, decide: false } }
}

/// Seven nodes, the last two faulty.
const fn seven(schedule: &'static [u8]) -> Subject {
    let agreement = Agreement { resilience: N7, faulty: 2, schedule, mutant: None };
    Subject::Records { agreement, options: Options { symmetry: true, crashes: false, decide: false } }
}

/// Four nodes, each message to each receiver.
const fn receivers(resilience: Resilience, schedule: &'static [u8], delivery: Delivery) -> Subject {
    let agreement = Agreement { resilience, faulty: 1, schedule, mutant: None };
    Subject::Receivers { agreement, delivery, reports: Reports::Single }
}

/// Configurations, roughly in the order of what they cost.
pub const ARENAS: &[Subject] = &[
    receivers(N4_P1, &[0], Delivery::Single),
    receivers(N4_P1, &[3], Delivery::Single),
    records(N4_P1, &[0, 1]),
    records(N4_P1, &[0, 0]),
    records(N4_P1, &[0, 3]),
    records(N4_P1, &[3, 0]),
    records(N4_P1, &[3, 3]),
    records(N4_P0, &[0, 1]),
    records(N4_P0, &[0, 3]),
    records(N4_P0, &[3, 0]),
    records(N4_P0, &[3, 3]),
    records(N4_P1, &[3, 0, 1]),
    records(N4_P1, &[3, 3, 3]),
    receivers(N4_P1, &[0, 3], Delivery::Quorum),
    receivers(N4_P1, &[3, 3], Delivery::Quorum),
    records(N4_P0, &[3, 3, 3]),
    receivers(N4_P1, &[0, 1], Delivery::Quorum),
];

/// Mutants that are noticed.
pub const KILLED: &[Case] = &[];

/// Mutants that no layer here notices yet, with the layer that should.
pub const OPEN: &[(Mutant, &str)] = &[];

/// Mutants that nothing can notice, each with a proof.
pub const EQUIVALENT: &[(Mutant, &str)] = &[];

/// Mutants outside agreement, each with the test that notices it.
pub const ELSEWHERE: &[(Mutant, &str)] = &[];
