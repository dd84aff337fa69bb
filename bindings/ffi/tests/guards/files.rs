//! Files: proofs and evidence, and what a node must not forget.

use std::fs;
use std::path::PathBuf;

use butterfly_ffi::Error;
use butterfly_ffi::document::{Statement, read_document, write_evidence, write_proof};
use butterfly_ffi::ledger::Ledger;
use butterfly_ffi::vote_record::VoteRecord;

use crate::table::{Table, altered, request, roster};

fn proof() -> Vec<u8> {
    let ledger = Ledger::new(roster(), &request(1, 4), None).unwrap();
    for commit in Table::after(4).commits_of(0) {
        ledger.add(&commit.decided, &commit.tokens).unwrap();
    }
    ledger.proof().unwrap().unwrap()
}

#[test]
fn a_document_is_believed_if_everything_in_it_holds() {
    let file = write_proof(roster(), &proof()).unwrap();
    let document = read_document(&file).unwrap();
    assert_eq!(document.roster.facts().unwrap(), roster().facts().unwrap());
    let Statement::Commit { proof: proven } = document.statement else { panic!("it is a proof") };
    assert_eq!(proven.tokens, [4, 5, 6, 7]);
    for place in 0..file.len() {
        assert!(read_document(&altered(&file, place)).is_err(), "byte {place}");
    }
    let reason = |bytes: &[u8]| match read_document(bytes) {
        Err(Error::Malformed { reason }) => reason,
        _ => panic!("not as malformed"),
    };
    assert!(reason(b"").contains("no proof or evidence"));
    assert!(reason(&file[1..]).contains("no proof or evidence"));
    assert!(reason(&file[..8]).contains("version"));
    assert!(reason(&altered(&file, 8)).contains("version"));
    assert!(matches!(read_document(&[&file[..], &[0]].concat()), Err(Error::Malformed { .. })));
}

#[test]
fn nothing_is_written_that_would_not_be_believed() {
    let proof = proof();
    let forged = altered(&proof, proof.len() - 1);
    assert!(matches!(write_proof(roster(), &forged), Err(Error::Unproven { .. })));
    assert!(matches!(write_proof(roster(), &[]), Err(Error::Malformed { .. })));
    assert!(write_evidence(roster(), &proof).is_err());
}

/// A path that nobody else has; the file is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let scratch = Scratch(std::env::temp_dir().join(format!("butterfly-{}-{name}", std::process::id())));
        let _absent = fs::remove_file(&scratch.0);
        scratch
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _absent = fs::remove_file(&self.0);
    }
}

fn reason<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Record { reason }) => reason,
        _ => panic!("it should fail as a record does"),
    }
}

#[test]
fn a_vote_record_is_held_once_and_closed_for_good() {
    let (scratch, owner) = (Scratch::new("held"), roster().member_name(0).unwrap());
    let record = VoteRecord::provision(scratch.path(), owner, b"first").unwrap();
    assert!(reason(VoteRecord::open(scratch.path(), owner)).contains("must not run twice"));
    assert!(reason(VoteRecord::provision(scratch.path(), owner, b"first")).contains("exists"));
    assert_eq!(record.record().unwrap().unwrap(), b"first");
    record.write(b"second").unwrap();
    assert!(reason(record.write(&[0; 20_000])).contains("too long"));
    assert_eq!(record.record().unwrap().unwrap(), b"second");
    record.close().unwrap();
    record.close().unwrap();
    assert!(reason(record.record()).contains("closed"));
    assert!(reason(record.write(b"third")).contains("closed"));
    assert_eq!(VoteRecord::open(scratch.path(), owner).unwrap().record().unwrap().unwrap(), b"second");
    let other = roster().member_name(1).unwrap();
    assert_eq!(VoteRecord::open(scratch.path(), other).unwrap().record().unwrap(), None, "another member's");
    assert!(reason(VoteRecord::open("/nowhere/record".into(), owner)).contains("/nowhere/record"));
}

#[test]
fn a_file_that_was_cut_is_lost_and_what_stands_behind_a_record_stays() {
    let (scratch, owner) = (Scratch::new("cut"), roster().member_name(0).unwrap());
    VoteRecord::provision(scratch.path(), owner, b"first").unwrap().close().unwrap();
    let whole = fs::read(&scratch.0).unwrap();
    let tail = b"written by another program";
    fs::write(&scratch.0, [&whole[..], tail].concat()).unwrap();
    let record = VoteRecord::open(scratch.path(), owner).unwrap();
    assert_eq!(record.record().unwrap().unwrap(), b"first");
    record.write(b"second").unwrap();
    record.close().unwrap();
    assert!(fs::read(&scratch.0).unwrap().ends_with(tail));

    fs::write(&scratch.0, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(VoteRecord::open(scratch.path(), owner).unwrap().record().unwrap(), None);
    assert_eq!(fs::read(&scratch.0).unwrap().len(), whole.len());
}
