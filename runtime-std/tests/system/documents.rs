//! Proofs and evidence: one encoding, and every altered one is refused.

use std::path::Path;
use std::sync::Arc;

use crate::harness::{demo, verify};
use butterfly_kernel::crypto::ed25519::SignatureMap;
use butterfly_kernel::crypto::{Scheme, Signatures};
use butterfly_kernel::proof::Added;
use butterfly_kernel::types::NodeId;
use butterfly_runtime_std::document::{self, Checked, Statement};
use butterfly_runtime_std::protocol::{Crypto, VOTERS};
use butterfly_trace::{Heading, Order, START, Step};
use ed25519_dalek::SigningKey;

/// The proof of a short run, and the evidence of one with a fault.
fn proof(folder: &Path) -> Vec<u8> {
    let path = folder.join("proof");
    let outcome = demo(&format!("--tokens 2 --tokens-per-epoch 2 --proof {}", path.display()));
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    std::fs::read(path).unwrap()
}

fn commit_of(bytes: &[u8]) -> (Checked, Box<butterfly_runtime_std::protocol::CommitProof>) {
    let checked = document::check(bytes).unwrap();
    let Statement::Commit(proof) = checked.statement.clone() else { panic!("not a proof") };
    (checked, proof)
}

/// Every single bit.
fn no_bit_can_be_flipped(mut bytes: Vec<u8>) {
    document::check(&bytes).unwrap();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(document::check(&bytes).is_err(), "bit {bit} of byte {}", bit / 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    bytes.push(0);
    assert!(document::check(&bytes).is_err(), "a byte too many");
    bytes.truncate(bytes.len() - 2);
    assert!(document::check(&bytes).is_err(), "a byte too few");
}

#[test]
fn no_bit_of_a_proof_can_be_flipped() {
    let folder = tempfile::tempdir().unwrap();
    no_bit_can_be_flipped(proof(folder.path()));
}

#[test]
fn no_bit_of_evidence_can_be_flipped() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["lie", "equivocate"] {
        let path = folder.path().join(kind);
        let outcome = demo(&format!("--tokens 8 --fault 2:{kind} --evidence {}", path.display()));
        assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
        let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{kind}");
        for file in files {
            no_bit_can_be_flipped(std::fs::read(file).unwrap());
        }
    }
}

#[test]
fn altered_statements_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (Checked { lineage, .. }, proof) = commit_of(&proof(folder.path()));
    let cluster = Arc::clone(lineage.first());
    let refused = |altered: butterfly_runtime_std::protocol::CommitProof| {
        let bytes = document::write(&lineage, 0, Statement::Commit(Box::new(altered))).unwrap();
        format!("{:#}", document::check(&bytes).unwrap_err())
    };
    let signatures = &proof.certificate.signatures;
    let signers = || signatures.signers().iter().filter_map(|signer| Some((signer, signatures.get(&signer)?)));

    let mut short = proof.clone();
    short.certificate.signatures = SignatureMap::<VOTERS>::collect(signers().skip(1));
    assert!(refused(*short).contains("not a quorum"));

    let mut twice = proof.clone();
    let outsider = (0..4).map(NodeId).find(|node| signatures.get(node).is_none());
    let (_, first) = signers().next().unwrap();
    let others = signers().skip(1);
    twice.certificate.signatures = SignatureMap::<VOTERS>::collect(others.chain(outsider.map(|node| (node, first))));
    assert!(refused(*twice).contains("not a quorum"), "one member's signature under two names");

    let mut output = proof.clone();
    let Added::Tokens(tokens) = &mut output.steps[0].added else { panic!("the first epoch adds tokens") };
    tokens[0] = (tokens[0] + 1) % 96;
    assert!(refused(*output).contains("about something else"));

    let mut prompt = proof.clone();
    prompt.request.request.prompt[0] = 3;
    assert!(refused(*prompt).contains("not signed by a client"));

    let mut self_signed = proof.clone();
    let stranger = SigningKey::from_bytes(&[9; 32]);
    self_signed.request.signature = Crypto::sign(&stranger, &self_signed.request.digest(&cluster));
    assert!(refused(*self_signed).contains("not signed by a client"));
}

#[test]
fn another_clusters_proof_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ours = proof(folder.path());
    let file = folder.path().join("ours");
    std::fs::write(&file, &ours).unwrap();
    let (other, _) = commit_of(&proof(folder.path()));
    let id = other.cluster().id().to_string();
    assert!(verify(&file, &["--cluster", &id]).unwrap_err().contains("not the one asked for"));

    // Nor does our proof hold for the other cluster's members.
    let (_, commit) = commit_of(&ours);
    let forged = document::write(&other.lineage, 0, Statement::Commit(commit)).unwrap();
    assert!(document::check(&forged).is_err());
}

#[test]
fn a_trace_has_the_lines_of_honest_nodes_only_each_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let faults = "--fault 1:restart@2 --fault 2:replay";
    let outcome = demo(&format!("--tokens 16 --view-timeout-ms 300 {faults} --trace {}", path.display()));
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    let text = std::fs::read_to_string(path).unwrap();
    let (heading, lines) = text.split_once('\n').unwrap();
    let heading = Heading::read(heading).unwrap();
    let steps: Vec<Step> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((heading.order, heading.faulty, heading.steps), (Order::PerMember, vec![2], steps.len() as u64));
    let traced = &outcome.report["traced"];
    assert_eq!((&traced["steps"], &traced["left_out"]), (&steps.len().into(), &serde_json::json!([2])));
    for (node, starts) in [(0, 1), (1, 2), (2, 0), (3, 1)] {
        let own: Vec<&Step> = steps.iter().filter(|step| step.node == node).collect();
        assert_eq!(own.iter().filter(|step| step.input == START).count(), starts, "node {node}");
        for pair in own.windows(2) {
            let follows = pair[1].step == pair[0].step + 1 || pair[1].step == 1 && pair[1].input == START;
            assert!(follows, "{pair:?}");
        }
        assert_eq!(own.iter().any(|step| !step.commits.is_empty()), starts > 0, "node {node}");
    }
}
