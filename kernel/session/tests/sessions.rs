//! The conversations of `vectors/sessions.json`, both parts of each.

mod replay;

use replay::{Conversation, Runtime, VECTORS, play_all};

#[test]
fn each_part_writes_and_understands_the_bytes_of_the_file() {
    assert_eq!(play_all(Runtime::Server), 4);
    assert_eq!(play_all(Runtime::Device), 4);
}

#[test]
fn only_what_a_device_takes_less_of_shows_that_it_is_one() {
    let conversations: Vec<Conversation> = serde_json::from_str(VECTORS).unwrap();
    let lengths = |name: &str| -> Vec<usize> {
        let conversation = conversations.iter().find(|conversation| conversation.name == name).unwrap();
        conversation.steps.iter().map(|step| step.bytes.len()).collect()
    };
    let (one, other) = (lengths("server_to_device"), lengths("device_to_server"));
    assert_eq!(one, other, "frames have the same lengths whoever dials");
    assert_eq!(one, lengths("device_to_device"));
}
