//! Newcomers at the door of a member that is there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::change::{Contact, Warrant};
use butterfly_kernel::types::{Epoch, NodeId, Resilience};
use butterfly_kernel::wire;
use butterfly_session::token::{BearerSecret, Invitee, TokenNumber};
use butterfly_session::{IdentityKey, Local, Token};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::access::{Answer, Ask, Chronicle, Clients, Refusal, Standing, Submission, Wanted};
use crate::admin::Board;
use crate::folder::Member;
use crate::history::History;
use crate::keys::{Keys, session_cluster, session_identity};
use crate::metrics::Metrics;
use crate::protocol::{Change, Cluster, Crypto, Newcomer, Node, SignedChange, encode};
use crate::provision::Founded;
use crate::traffic::Unread;
use crate::transport::inbound::{Inbound, receive_from_all};
use crate::transport::{Connection, Party, local_of};

/// The member that newcomers apply to.
const SPONSOR: NodeId = NodeId(1);

/// A cluster on disk, of which one member is there.
struct World {
    folder: TempDir,
    cluster: Cluster,
    operator: SigningKey,
    /// The member's, which only one may have.
    history: History,
}

/// The member, until it is dropped.
struct Sponsor {
    address: SocketAddr,
    party: Arc<Party>,
    receiving: JoinHandle<()>,
    submissions: mpsc::Receiver<Submission>,
}

impl Drop for Sponsor {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let founded = Founded::new(Resilience::largest(4).unwrap(), 1, 1, 4, Timing::default()).unwrap();
        founded.provision_members(|node| folder.path().join(node.0.to_string())).unwrap();
        let operator = founded.operators[0].identity().clone();
        let member = Member::open(&home(&folder), Timing::default()).unwrap();
        let (record, _) = member.open_record().unwrap();
        let history = member.open_history(&record).unwrap();
        World { folder, cluster: founded.cluster, operator, history }
    }

    /// The sponsor comes, with what is in its folder.
    async fn sponsor(&self) -> Sponsor {
        let member = Member::open(&home(&self.folder), Timing::default()).unwrap();
        let (_, found) = member.open_record().unwrap();
        let node = Box::new(Node::new(&member.seat(), found).unwrap());
        let standing = Standing {
            epoch: node.epoch(),
            view: node.agreement().view(),
            role: node.role(),
            working: false,
            blocked: None,
        };
        let (submit, submissions) = mpsc::channel(1);
        let clients = Clients {
            lineage: Arc::clone(&member.lineage),
            chronicle: Arc::new(Chronicle::new(standing, None, self.history.shelf()).unwrap()),
            board: Arc::new(Board::new()),
            submissions: submit,
        };
        let inbound = Inbound {
            me: member.me,
            party: Arc::clone(&member.party),
            horizon: watch::channel(node.horizon()).1,
            metrics: Metrics::new(&member.cluster, member.me),
            unread: Unread::default(),
            inbox: mpsc::channel(1).0,
            behind: mpsc::channel(1).0,
            clients,
            used: member.open_used_tokens().ok().map(Arc::new),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiving = tokio::spawn(receive_from_all(Arc::new(listener), inbound));
        Sponsor { address, party: Arc::clone(&member.party), receiving, submissions }
    }

    fn token_by(&self, operator: &SigningKey, sponsor: NodeId, number: u8) -> Token {
        let sponsor = session_identity(&self.cluster.roster().members[sponsor.index()]);
        let invitee = Invitee::Bearer(secret().digest());
        Token::sign(operator, session_cluster(&self.cluster), sponsor, invitee, TokenNumber([number; 16]))
    }

    fn token(&self, number: u8) -> Token {
        self.token_by(&self.operator, SPONSOR, number)
    }

    fn newcomer(&self) -> (Keys, Arc<Local>) {
        let keys = Keys::generate().unwrap();
        let local = Arc::new(local_of(&keys, &self.cluster).unwrap());
        (keys, local)
    }

    /// The change that admits the holder of `keys`, as an operator orders it.
    fn admission(&self, keys: &Keys) -> SignedChange {
        let newcomer = Newcomer { key: keys.public(), profile: Profile::default(), contact: Contact::new() };
        let change = Change::Admit { newcomer, votes: true, resilience: Resilience::largest(5).unwrap() };
        let signature = Crypto::sign(&self.operator, &change.statement(&self.cluster));
        SignedChange { change, warrant: Warrant::Operator(signature) }
    }
}

/// The folder of the sponsor.
fn home(folder: &TempDir) -> PathBuf {
    folder.path().join(SPONSOR.0.to_string())
}

fn secret() -> BearerSecret {
    BearerSecret::from_random([5; 32])
}

impl Sponsor {
    async fn dial(&self, local: &Arc<Local>, token: &Token, secret: &BearerSecret) -> io::Result<Connection> {
        Connection::enrol(TcpStream::connect(self.address).await?, local, token, secret).await
    }

    /// A session in which the sponsor has answered.
    async fn enrol(&self, local: &Arc<Local>, token: &Token) -> io::Result<Connection> {
        let mut connection = self.dial(local, token, &secret()).await?;
        match ask(&mut connection, &Ask::Ending(0)).await? {
            Answer::Ending(None) => Ok(connection),
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(connection: &mut Connection, ask: &Ask) -> io::Result<Answer> {
    connection.send(&encode(ask).unwrap()).await?;
    connection.flush().await?;
    let answer = connection.receive().await?.expect("it did not say that it would end");
    Ok(wire::decode(answer).unwrap())
}

#[tokio::test]
async fn a_token_is_one_newcomers_also_after_a_restart() {
    let world = World::new();
    let ((_, first), (_, second)) = (world.newcomer(), world.newcomer());
    let token = world.token(1);
    for _start in 0..2 {
        let sponsor = world.sponsor().await;
        let mut broken = sponsor.enrol(&first, &token).await.unwrap();
        assert!(sponsor.enrol(&second, &token).await.is_err(), "somebody else");
        let mut again = sponsor.enrol(&first, &token).await.unwrap();
        assert!(broken.receive().await.is_err(), "it has one session at a time");
        assert!(sponsor.enrol(&second, &token).await.is_err(), "somebody else, again");
        assert!(matches!(ask(&mut again, &Ask::Ending(0)).await, Ok(Answer::Ending(None))));
        sponsor.enrol(&second, &world.token(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_for_its_sponsor_of_an_operator_and_with_its_secret() {
    let world = World::new();
    let sponsor = world.sponsor().await;
    let (_, newcomer) = world.newcomer();
    let client = Keys::generate().unwrap();
    let for_another = world.token_by(&world.operator, NodeId(2), 1);
    assert!(sponsor.enrol(&newcomer, &for_another).await.is_err(), "another member's");
    let made_out = Token { sponsor: world.token(1).sponsor, ..for_another };
    assert!(sponsor.enrol(&newcomer, &made_out).await.is_err(), "another member's, made out to this one");
    let foreign = world.token_by(client.identity(), SPONSOR, 1);
    assert!(sponsor.enrol(&newcomer, &foreign).await.is_err(), "not of an operator");
    let as_operator = Token { operator: IdentityKey::of(&world.operator), ..foreign };
    assert!(sponsor.enrol(&newcomer, &as_operator).await.is_err(), "said to be of an operator");
    let mut guessed = sponsor.dial(&newcomer, &world.token(1), &BearerSecret::from_random([6; 32])).await.unwrap();
    assert!(ask(&mut guessed, &Ask::Ending(0)).await.is_err(), "another secret");
    // None of these used it up.
    let (_, other) = world.newcomer();
    sponsor.enrol(&other, &world.token(1)).await.unwrap();
}

#[tokio::test]
async fn a_newcomer_may_ask_to_be_admitted_and_for_nothing_else() {
    let world = World::new();
    let mut sponsor = world.sponsor().await;
    let (keys, local) = world.newcomer();
    let somebody = Keys::generate().unwrap();
    let change = Change::Remove { member: NodeId(0), resilience: Resilience::largest(3).unwrap() };
    let removal = SignedChange { warrant: world.admission(&somebody).warrant, change };
    let token = world.token(1);
    for forbidden in [
        Ask::Standing,
        Ask::Follow(Epoch(1)),
        Ask::Evidence(0),
        Ask::Change(world.admission(&somebody)),
        Ask::Change(removal),
    ] {
        let mut connection = sponsor.enrol(&local, &token).await.unwrap();
        tokio::select! {
            answer = ask(&mut connection, &forbidden) => assert!(answer.is_err(), "{forbidden:?}"),
            Some(_) = sponsor.submissions.recv() => panic!("the node was asked: {forbidden:?}"),
        }
    }
    let mut connection = sponsor.enrol(&local, &token).await.unwrap();
    let mut unsigned = world.admission(&keys);
    unsigned.warrant = world.admission(&somebody).warrant;
    let answer = ask(&mut connection, &Ask::Change(unsigned)).await.unwrap();
    assert!(matches!(answer, Answer::Refused(Refusal::Unfit)), "{answer:?}");
    assert!(sponsor.submissions.try_recv().is_err(), "nothing of that reached the node");
    let signed = world.admission(&keys);
    let question = Ask::Change(signed.clone());
    let taking = async {
        let Submission { wanted, answer } = sponsor.submissions.recv().await.unwrap();
        let Wanted::Change(change) = wanted else { panic!("a request") };
        assert_eq!(*change.get(), signed);
        answer.send(Ok(())).unwrap();
    };
    let (answer, ()) = tokio::join!(ask(&mut connection, &question), taking);
    assert!(matches!(answer, Ok(Answer::Taken)), "{answer:?}");
}

/// Whoever was admitted asks as before how that ended, but not with a key that it gave up.
#[tokio::test]
async fn a_member_comes_with_its_token_only_with_keys_that_count() {
    let world = World::new();
    let sponsor = world.sponsor().await;
    let keys = Keys::read(&world.folder.path().join("0")).unwrap();
    let member = Arc::new(local_of(&keys, &world.cluster).unwrap());
    sponsor.enrol(&member, &world.token(1)).await.unwrap();
    sponsor.party.note_serial(session_identity(&keys.public()), 1);
    assert!(sponsor.enrol(&member, &world.token(1)).await.is_err());
}

#[tokio::test]
async fn few_newcomers_are_here_at_once_and_none_who_is_silent() {
    let world = World::new();
    let sponsor = world.sponsor().await;
    let mut here = Vec::new();
    for number in 0..4 {
        here.push(sponsor.enrol(&world.newcomer().1, &world.token(number)).await.unwrap());
    }
    let ((_, fifth), (_, sixth)) = (world.newcomer(), world.newcomer());
    assert!(sponsor.enrol(&fifth, &world.token(4)).await.is_err(), "all places are taken");
    here.pop().unwrap().end().await.unwrap();
    // It was not noted that the fifth came.
    loop {
        match sponsor.enrol(&sixth, &world.token(4)).await {
            Ok(connection) => break here.push(connection),
            Err(_) => tokio::task::yield_now().await,
        }
    }
    tokio::time::pause();
    for connection in &mut here {
        let ended = tokio::time::timeout(Duration::from_secs(31), connection.receive()).await;
        assert!(ended.expect("it is dropped by then").is_err());
    }
}

/// Members and clients are served all the same: that is what the node's other tests are for.
#[tokio::test]
async fn a_member_that_forgot_which_tokens_were_used_lets_nobody_in() {
    let world = World::new();
    let path = home(&world.folder).join("used-tokens");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let sponsor = world.sponsor().await;
    assert!(sponsor.enrol(&world.newcomer().1, &world.token(1)).await.is_err());
}
