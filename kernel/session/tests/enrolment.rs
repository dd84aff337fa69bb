//! How somebody is let in who is no member yet.

mod rogue;
mod world;

use std::collections::BTreeSet;

use butterfly_session::limits::Limits;
use butterfly_session::token::{BearerSecret, Invitee, Operators, TokenNumber};
use butterfly_session::{Closed, IdentityKey, Peer, Refused, Token, wire};
use ed25519_dalek::SigningKey;
use rogue::Claims;
use world::{CLUSTER, End, FOREIGN, Member, ROSTER, Said, identity_of, member, member_of};

const FRAME: usize = 1024;
const LIFE: u32 = 1 << 20;
/// No member: `ROSTER` ends before it.
const NEWCOMER: u8 = 20;
const SPONSOR: u8 = 1;

struct Operator(SigningKey);

impl Operators for Operator {
    fn is_operator(&self, key: &IdentityKey) -> bool {
        *key == IdentityKey::of(&self.0)
    }
}

fn operator() -> Operator {
    Operator(SigningKey::from_bytes(&[200; 32]))
}

fn token(invitee: Invitee) -> Token {
    Token::sign(&operator().0, CLUSTER, identity_of(SPONSOR), invitee, TokenNumber([9; 16]))
}

fn for_newcomer() -> Token {
    token(Invitee::Identity(identity_of(NEWCOMER)))
}

struct Enrolment {
    newcomer: End<FRAME, LIFE>,
    sponsor: End<FRAME, LIFE>,
    messages: [Vec<u8>; 3],
}

/// Everything up to where the sponsor looks at the token.
fn enrol(newcomer: Member, token: &Token, secret: &BearerSecret) -> Enrolment {
    enrol_and_apply(newcomer, token, token, secret)
}

/// The same, with another token in the end than the one that named the sponsor.
fn enrol_and_apply(newcomer: Member, named: &Token, token: &Token, secret: &BearerSecret) -> Enrolment {
    let (mut newcomer, mut sponsor) = (End::new(newcomer, 1), End::new(member(SPONSOR), 2));
    let ephemeral = newcomer.random.ephemeral();
    let first = newcomer.write(|session, local, out| session.enrol(local, named, ephemeral, out)).unwrap();
    assert_eq!(sponsor.hear(&first), Ok(vec![Said::Knock]));
    let answer = sponsor.answer(&ROSTER).unwrap();
    assert_eq!(newcomer.hear(&answer), Ok(vec![Said::Answered]));
    let application = newcomer.write(|session, local, out| session.apply(local, token, secret, out)).unwrap();
    assert_eq!(sponsor.hear(&application), Ok(vec![Said::Applied]));
    Enrolment { newcomer, sponsor, messages: [first, answer, application] }
}

fn examine(sponsor: &mut End<FRAME, LIFE>) -> Result<(Peer, TokenNumber), Refused> {
    let applicant = sponsor.session.examine(&sponsor.member.local, &operator())?;
    Ok((applicant.newcomer, applicant.number))
}

#[test]
fn a_newcomer_with_a_token_is_let_in_and_both_know_each_other() {
    let bearer = BearerSecret::from_random([5; 32]);
    let with_secret = token(Invitee::Bearer(bearer.digest()));
    for (token, secret) in [(for_newcomer(), BearerSecret::none()), (with_secret, bearer)] {
        let Enrolment { mut newcomer, mut sponsor, messages } = enrol(member(NEWCOMER), &token, &secret);
        let lengths = [wire::FIRST_OF_NEWCOMER, wire::ANSWER_TO_NEWCOMER, wire::APPLICATION];
        assert_eq!(messages.map(|message| message.len()), lengths.map(|length| length + wire::LENGTH));
        assert_eq!(sponsor.session.accept(), Err(Refused::NotNow), "not before the token was looked at");
        assert_eq!(examine(&mut sponsor), Ok((newcomer.member.peer, token.number)));
        assert_eq!(sponsor.session.peer(), None, "not before it was written down");
        assert_eq!(sponsor.frames(b"early"), Err(Refused::NotNow));
        assert_eq!(sponsor.session.accept(), Ok(newcomer.member.peer));
        assert_eq!(newcomer.session.peer(), Some(&sponsor.member.peer));
        let frame = sponsor.say(b"welcome");
        assert_eq!(newcomer.hear(&frame), Ok(vec![Said::Message(b"welcome".to_vec())]));
        let frame = newcomer.say(b"thanks");
        assert_eq!(sponsor.hear(&frame), Ok(vec![Said::Message(b"thanks".to_vec())]));
    }
}

/// The host's part of it: a set that outlives restarts.
#[test]
fn a_token_is_used_once() {
    let mut used = BTreeSet::new();
    let mut admitted = 0;
    for _ in 0..3 {
        let Enrolment { mut sponsor, .. } = enrol(member(NEWCOMER), &for_newcomer(), &BearerSecret::none());
        let (_, number) = examine(&mut sponsor).unwrap();
        if used.insert(number) {
            sponsor.session.accept().unwrap();
            admitted += 1;
        }
    }
    assert_eq!(admitted, 1);
}

#[test]
fn a_token_is_for_one_newcomer_one_sponsor_one_cluster_and_of_an_operator() {
    let secret = BearerSecret::from_random([5; 32]);
    let sign = |operator: &SigningKey, cluster, sponsor| {
        let invitee = Invitee::Identity(identity_of(NEWCOMER));
        Token::sign(operator, cluster, identity_of(sponsor), invitee, TokenNumber([9; 16]))
    };
    let good = sign(&operator().0, CLUSTER, SPONSOR);
    let nobody = SigningKey::from_bytes(&[201; 32]);
    let cases = [
        ("of somebody who is no operator", sign(&nobody, CLUSTER, SPONSOR)),
        ("for another cluster", sign(&operator().0, FOREIGN, SPONSOR)),
        (
            "for another sponsor, made out to this one",
            Token { sponsor: identity_of(SPONSOR), ..sign(&operator().0, CLUSTER, 2) },
        ),
        ("for another newcomer", token(Invitee::Identity(identity_of(21)))),
        (
            "for another newcomer, made out to this one",
            Token { invitee: good.invitee, ..token(Invitee::Identity(identity_of(21))) },
        ),
        ("with another secret", token(Invitee::Bearer(BearerSecret::from_random([6; 32]).digest()))),
        ("with another number", Token { number: TokenNumber([8; 16]), ..good }),
        (
            "said to be of the operator",
            Token { operator: IdentityKey::of(&operator().0), ..sign(&nobody, CLUSTER, SPONSOR) },
        ),
    ];
    for (name, token) in cases {
        let Enrolment { mut sponsor, .. } = enrol(member(NEWCOMER), &token, &secret);
        assert_eq!(examine(&mut sponsor), Err(Refused::Closed(Closed::Token)), "{name}");
        assert_eq!(sponsor.session.accept(), Err(Refused::Closed(Closed::Token)), "{name}");
    }
    let for_another = sign(&operator().0, CLUSTER, 2);
    let Enrolment { mut sponsor, .. } = enrol_and_apply(member(NEWCOMER), &good, &for_another, &secret);
    assert_eq!(examine(&mut sponsor), Err(Refused::Closed(Closed::Token)), "genuine, and for another sponsor");
    let Enrolment { mut sponsor, .. } = enrol(member(NEWCOMER), &good, &secret);
    assert!(examine(&mut sponsor).is_ok());
}

#[test]
fn another_member_does_not_take_the_token() {
    let mut newcomer = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
    let ephemeral = newcomer.random.ephemeral();
    let first = newcomer.write(|session, local, out| session.enrol(local, &for_newcomer(), ephemeral, out)).unwrap();
    assert_eq!(End::<FRAME, LIFE>::new(member(2), 2).hear(&first), Err(Closed::NotForUs));
}

/// A member between the two that answers in the sponsor's place: the prologue
/// names the sponsor, and the newcomer gives its token to nobody else.
#[test]
fn a_newcomer_shows_its_token_to_nobody_but_its_sponsor() {
    let mut newcomer = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
    let to_another = Token { sponsor: identity_of(2), ..for_newcomer() };
    let ephemeral = newcomer.random.ephemeral();
    newcomer.write(|session, local, out| session.enrol(local, &for_newcomer(), ephemeral, out)).unwrap();
    let mut double = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
    let ephemeral = double.random.ephemeral();
    let first = double.write(|session, local, out| session.enrol(local, &to_another, ephemeral, out)).unwrap();
    let mut other = End::<FRAME, LIFE>::new(member(2), 2);
    other.hear(&first).unwrap();
    let answer = other.answer(&ROSTER).unwrap();
    assert_eq!(newcomer.hear(&answer), Err(Closed::Handshake), "the same ephemeral key, another sponsor");
    assert_eq!(double.hear(&answer), Ok(vec![Said::Answered]));
}

/// What comes of the answer that `sponsor` makes up.
fn answered(sponsor: &Member, claims: &Claims) -> Result<Vec<Said>, Closed> {
    let mut newcomer = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
    let ephemeral = newcomer.random.ephemeral();
    let first = newcomer.write(|session, local, out| session.enrol(local, &for_newcomer(), ephemeral, out)).unwrap();
    let (_, answer) = rogue::answer_newcomer(sponsor, &first, claims, 5);
    newcomer.hear(&answer)
}

#[test]
fn a_sponsor_has_the_identity_that_the_token_names_and_its_key() {
    let (sponsor, other) = (member(SPONSOR), member(2));
    let good = Claims::of(&sponsor, sponsor.peer.identity());
    assert_eq!(answered(&sponsor, &good), Ok(vec![Said::Answered]));
    let as_itself = Claims { credential: Claims::of(&other, sponsor.peer.identity()).credential, ..good.clone() };
    assert_eq!(answered(&other, &as_itself), Err(Closed::Stranger));
    assert_eq!(answered(&other, &good), Err(Closed::Record), "the record is of another key");
    let narrow = Claims { limits: Limits { frame: 511, message: 1 }, ..good };
    assert_eq!(answered(&sponsor, &narrow), Err(Closed::Limits));
}

/// The other implementation of Noise as the sponsor, up to frames.
#[test]
fn a_sponsor_on_snow_reads_the_application() {
    let (sponsor, secret) = (member(SPONSOR), BearerSecret::from_random([5; 32]));
    let token = token(Invitee::Bearer(secret.digest()));
    let mut newcomer = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
    let ephemeral = newcomer.random.ephemeral();
    let first = newcomer.write(|session, local, out| session.enrol(local, &token, ephemeral, out)).unwrap();
    let claims = Claims::of(&sponsor, sponsor.peer.identity());
    let code = rogue::code(CLUSTER, 2, &sponsor.peer.identity().0, &first[2..first.len() - 16]);
    assert!(first.ends_with(&code));
    let (sponsoring, answer) = rogue::answer_newcomer(&sponsor, &first, &claims, 5);
    assert_eq!(newcomer.hear(&answer), Ok(vec![Said::Answered]));
    let application = newcomer.write(|session, local, out| session.apply(local, &token, &secret, out)).unwrap();
    let (mut rogue, payload) = sponsoring.read(&application);
    let credential = Claims::of(&newcomer.member, sponsor.peer.identity()).credential;
    let limits = [&1024_u16.to_le_bytes()[..], &world::LONGEST.to_le_bytes()].concat();
    assert_eq!(payload, [&credential[..], &limits, &token.to_bytes(), &[5; 32]].concat());
    let frame = rogue.seal(b"\x01welcome");
    assert_eq!(newcomer.hear(&frame), Ok(vec![Said::Message(b"welcome".to_vec())]));
    assert_eq!(rogue.open(&newcomer.say(b"thanks")), Some(vec![b"\x01thanks".to_vec()]));
}

#[test]
fn a_newcomer_of_a_foreign_cluster_is_refused_before_any_diffie_hellman() {
    let mut newcomer = End::<FRAME, LIFE>::new(member_of(FOREIGN, NEWCOMER, 0, 1_000), 1);
    let ephemeral = newcomer.random.ephemeral();
    let first = newcomer.write(|session, local, out| session.enrol(local, &for_newcomer(), ephemeral, out)).unwrap();
    assert_eq!(End::<FRAME, LIFE>::new(member(SPONSOR), 2).hear(&first), Err(Closed::NotForUs));
}

#[test]
fn an_application_cannot_be_sent_again() {
    let Enrolment { messages: [first, _, application], .. } =
        enrol(member(NEWCOMER), &for_newcomer(), &BearerSecret::none());
    let mut again = End::<FRAME, LIFE>::new(member(SPONSOR), 3);
    again.hear(&first).unwrap();
    again.answer(&ROSTER).unwrap();
    assert_eq!(again.hear(&application), Err(Closed::Handshake));
}

/// Every bit of the three messages, one at a time.
#[test]
fn a_flipped_bit_lets_nobody_in() {
    let none = BearerSecret::none();
    let Enrolment { messages, .. } = enrol(member(NEWCOMER), &for_newcomer(), &none);
    let more = vec![0; 70_000];
    for (number, message) in messages.iter().enumerate() {
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut sponsor = End::<FRAME, LIFE>::new(member(SPONSOR), 2);
            let mut newcomer = End::<FRAME, LIFE>::new(member(NEWCOMER), 1);
            let reader = if number == 1 {
                let ephemeral = newcomer.random.ephemeral();
                let first = newcomer.write(|session, local, out| session.enrol(local, &for_newcomer(), ephemeral, out));
                assert_eq!(first.as_ref(), Ok(&messages[0]));
                &mut newcomer
            } else {
                if number == 2 {
                    sponsor.hear(&messages[0]).unwrap();
                    assert_eq!(sponsor.answer(&ROSTER).as_ref(), Ok(&messages[1]));
                }
                &mut sponsor
            };
            let heard = reader.hear(&flipped).and_then(|_| reader.hear(&more));
            assert!(heard.is_err(), "message {number}, bit {bit}: {heard:?}");
        }
    }
}

#[test]
fn tokens_survive_a_file() {
    let token = for_newcomer();
    assert_eq!(Token::from_bytes(&token.to_bytes()), Some(token));
    let mut bytes = token.to_bytes();
    bytes[32] = 2;
    assert_eq!(Token::from_bytes(&bytes), None, "there is no third kind of invitee");
}
