//! A token as a file: nothing but what an operator wrote is read.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::client;
use crate::provision::Founded;

/// An operator of a cluster of four, with its folder.
fn operator() -> (TempDir, Caller) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operator");
    let founded = Founded::new(Resilience::largest(4).unwrap(), 1, 1, 4, Timing::default()).unwrap();
    let nodes: Vec<SocketAddr> = (1..5).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
    client::provision(&path, &founded.cluster, &founded.operators[0], &founded.records, &nodes).unwrap();
    (folder, Caller::open(&path).unwrap())
}

fn invitation(operator: &Caller) -> Invitation {
    Invitation::sign(operator, true, Resilience::largest(5).unwrap()).unwrap()
}

fn why_refused(invitation: &Invitation) -> String {
    let bytes = invitation.to_bytes().unwrap();
    format!("{:#}", Invitation::from_bytes(&bytes).err().expect("it is refused"))
}

#[test]
fn what_was_written_is_read_by_its_owner_only() {
    let (folder, operator) = operator();
    let (written, path) = (invitation(&operator), folder.path().join("token"));
    written.write(&path).unwrap();
    assert!(written.write(&path).is_err(), "a token is not written over another one");
    let read = Invitation::read(&path).unwrap();
    assert_eq!(*read.to_bytes().unwrap(), *written.to_bytes().unwrap());
    let sponsors = read.sponsors();
    let ports: Vec<_> = sponsors.iter().map(|sponsor| sponsor.address.map(|address| address.port())).collect();
    assert_eq!(ports, [1, 2, 3, 4].map(Some));
    let newcomer = Newcomer {
        key: Keys::generate().unwrap().public(),
        profile: butterfly_kernel::assignment::Profile::default(),
        contact: butterfly_kernel::message::change::Contact::new(),
    };
    assert!(read.lineage().cluster().change_is_genuine(&read.admit(newcomer)));

    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    mode(0o640);
    assert!(Invitation::read(&path).err().unwrap().to_string().contains("others may read"));
}

#[test]
fn no_bit_of_a_token_can_be_flipped_and_nothing_cut_off() {
    let (_folder, operator) = operator();
    let mut bytes = invitation(&operator).to_bytes().unwrap().to_vec();
    Invitation::from_bytes(&bytes).unwrap();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Invitation::from_bytes(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bytes.len() {
        assert!(Invitation::from_bytes(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    bytes.push(0);
    assert!(Invitation::from_bytes(&bytes).is_err(), "a byte too many");
}

/// The digest of such a file is right: whoever writes one can do that.
#[test]
fn what_does_not_belong_together_is_refused() {
    let (_folder, operator) = operator();
    let other = invitation(&operator);
    let altered = |alter: &dyn Fn(&mut Invitation)| {
        let mut invitation = invitation(&operator);
        alter(&mut invitation);
        why_refused(&invitation)
    };
    let unsigned = "no operator of its roster signed it";
    assert!(altered(&|token| token.bearer = other.bearer.clone()).contains(unsigned));
    assert!(altered(&|token| token.votes = false).contains(unsigned));
    assert!(altered(&|token| token.resilience = Resilience::new(5, 0, 0).unwrap()).contains(unsigned));
    assert!(altered(&|token| token.operator = other.operator.clone()).contains(unsigned));
    let of_sessions = "its tokens for sessions are not for the members of its roster";
    assert!(altered(&|token| token.secret = other.secret.clone()).contains(of_sessions));
    assert!(altered(&|token| token.tokens.swap(0, 1)).contains(of_sessions));
    assert!(altered(&|token| token.tokens.truncate(3)).contains(of_sessions));
    let nobody = IdentityKey::of(&SigningKey::from_bytes(&[9; 32]));
    assert!(altered(&|token| token.tokens[2].operator = nobody).contains(of_sessions));
    assert!(altered(&|token| token.addresses.truncate(3)).contains("where each founder listens"));
    assert!(altered(&|token| token.records.swap(0, 1)).contains("key records"));
}
