//! Writes `vectors/sessions.json`: conversations between servers and devices,
//! under known keys.
//!
//! ```console
//! $ cargo run -p butterfly-session --example vectors              # write it again
//! $ cargo run -p butterfly-session --example vectors -- --check   # compare
//! ```

#[path = "../tests/replay/mod.rs"]
mod replay;

use std::path::Path;
use std::process::ExitCode;

use replay::{Act, Conversation, Party, Player, Role, Runtime, Step};

const FILE: &str = "vectors/sessions.json";

fn main() -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let mut text = serde_json::to_string_pretty(&conversations()).expect("conversations are plain data");
    text.push('\n');
    if std::env::args().any(|argument| argument == "--check") {
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            return ExitCode::SUCCESS;
        }
        eprintln!("{} is not what would be written", path.display());
        return ExitCode::FAILURE;
    }
    std::fs::write(&path, text).expect("the folder can be written");
    ExitCode::SUCCESS
}

fn conversations() -> Vec<Conversation> {
    let (server, device) = (Runtime::Server, Runtime::Device);
    [
        ("server_to_server", server, server),
        ("server_to_device", server, device),
        ("device_to_server", device, server),
        ("device_to_device", device, device),
    ]
    .map(|(name, initiator, responder)| conversation(name, party(initiator, 1), party(responder, 2)))
    .into()
}

fn party(runtime: Runtime, number: u8) -> Party {
    let seed = |kind: u8| hex::encode([16 * kind + number; 32]);
    // As the runtimes announce it.
    let longest = match runtime {
        Runtime::Server => 16 * 1024,
        Runtime::Device => 1_664,
    };
    Party { runtime, identity: seed(1), exchange: seed(2), ephemeral: seed(3), serial: u32::from(number), longest }
}

fn conversation(name: &str, initiator: Party, responder: Party) -> Conversation {
    let mut conversation = Conversation { name: name.to_owned(), initiator, responder, steps: Vec::new() };
    let mut players = [Role::Initiator, Role::Responder].map(|role| Player::new(&conversation, role));
    let acts = [(0, Act::Dial), (1, Act::Answer), (0, Act::Confirm)].into_iter().chain(talk());
    for (place, act) in acts {
        let by = [Role::Initiator, Role::Responder][place];
        let bytes = players[place].act(&act);
        let step = Step { by, act, bytes };
        assert!(players[1 - place].hears(&step), "{name}: {:?} is understood", step.act);
        conversation.steps.push(step);
    }
    conversation
}

/// Nothing, a byte, what fits in any frame, and what takes several frames of a
/// device; each under a first key and under the next.
fn talk() -> Vec<(usize, Act)> {
    let message = |length: u8, times: usize| hex::encode((0..length).collect::<Vec<u8>>().repeat(times));
    let mut acts = Vec::new();
    for place in [0, 1] {
        acts.push((place, Act::Say { message: message(0, 1) }));
        acts.push((place, Act::SayAndChangeKey { message: message(1, 1) }));
        acts.push((place, Act::Say { message: message(250, 1) }));
        acts.push((place, Act::Say { message: message(250, 6) }));
    }
    acts.extend([(1, Act::End), (0, Act::Say { message: message(10, 1) }), (0, Act::End)]);
    acts
}
