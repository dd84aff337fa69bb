//! The block is read back as it was written, or not at all.

use std::vec::Vec;

use super::*;

fn provision<'b>(roster: &'b [u8], records: &'b [u8], peers: &'b [u8]) -> Provision<'b> {
    Provision {
        identity: [1; 32],
        exchange: [2; 32],
        serial: 3,
        network: Network {
            hardware: [2, 0, 0, 0, 0, 1],
            address: [10, 0, 2, 15],
            prefix: 24,
            gateway: [10, 0, 2, 2],
            port: 7000,
        },
        timing: Timing { view: 4_000, view_cap: 16_000, retransmit: 500, escalate: 400 },
        roster,
        records,
        peers,
    }
}

fn written() -> [u8; BLOCK] {
    let peers: Vec<u8> =
        (0..4).flat_map(|at| Address { host: [10, 0, 2, at], port: 7000 + u16::from(at) }.to_bytes()).collect();
    let mut flash = [0xFF; BLOCK];
    provision(&[7; 400], &[8; 528], &peers).write(&mut flash).unwrap();
    flash
}

#[test]
fn what_was_written_is_read_back() {
    let flash = written();
    let read = Provision::read(&flash).unwrap();
    assert!(read.roster == [7; 400] && read.records == [8; 528] && read.serial == 3);
    assert_eq!(read.peer(3), Some(Address { host: [10, 0, 2, 3], port: 7003 }));
    assert_eq!(read.peer(4), None);
    assert_eq!(read.network.port, 7000);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let flash = written();
    let used = HEAD + 32 + 32 + 400 + 528;
    for at in 0..used {
        for bit in 0..8 {
            let mut damaged = flash;
            damaged[at] ^= 1 << bit;
            assert!(Provision::read(&damaged).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn an_erased_flash_is_blank_and_a_roster_may_be_too_long() {
    assert!(Provision::read(&[0xFF; BLOCK]).err() == Some(ProvisionError::Blank));
    assert!(Provision::read(&[0; BLOCK]).err() == Some(ProvisionError::Blank));
    let long = [0; BLOCK];
    assert_eq!(provision(&long, &[], &[]).write(&mut [0xFF; BLOCK]), Err(ProvisionError::TooLong));
}
