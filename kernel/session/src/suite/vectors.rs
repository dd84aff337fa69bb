//! The published vectors, through the suite as it is shipped.

use std::string::String;
use std::vec::Vec;

use clatter::Handshaker;
use clatter::bytearray::ByteArray;
use clatter::handshakepattern::{noise_ik, noise_xx};
use serde::Deserialize;

use super::{Noise, Secret, pair};

#[derive(Deserialize)]
struct Vector {
    protocol: String,
    prologue: String,
    initiator: Keys,
    responder: Keys,
    known_to_initiator: Option<String>,
    handshake_hash: Option<String>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Keys {
    r#static: String,
    ephemeral: String,
}

#[derive(Deserialize)]
struct Message {
    payload: String,
    bytes: String,
}

fn key(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

impl Vector {
    fn noise(&self, is_initiator: bool) -> Noise {
        let pattern = match self.protocol.as_str() {
            "Noise_IK_25519_ChaChaPoly_BLAKE2s" => noise_ik(),
            "Noise_XX_25519_ChaChaPoly_BLAKE2s" => noise_xx(),
            other => panic!("{other} is no protocol of ours"),
        };
        let keys = if is_initiator { &self.initiator } else { &self.responder };
        let known = self.known_to_initiator.as_deref().filter(|_| is_initiator).map(key);
        let pair = |text| Some(pair(Secret::from_slice(&key(text))));
        let prologue = hex::decode(&self.prologue).unwrap();
        let noise =
            Noise::new(pattern, &prologue, is_initiator, pair(&keys.r#static), pair(&keys.ephemeral), known, None);
        let noise = noise.unwrap();
        assert_eq!(noise.get_name().as_str(), self.protocol);
        noise
    }
}

#[test]
fn published_vectors_hold_in_both_roles() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../vectors/noise.json")).unwrap();
    assert_eq!(vectors.len(), 4, "IK and XX, by two authors");
    for vector in &vectors {
        let (mut writer, mut reader) = (vector.noise(true), vector.noise(false));
        let mut messages = vector.messages.iter();
        let mut buffer = [0; 1024];
        while !writer.is_finished() {
            let message = messages.next().unwrap();
            let payload = hex::decode(&message.payload).unwrap();
            let written = writer.write_message(&payload, &mut buffer).unwrap();
            assert_eq!(hex::encode(&buffer[..written]), message.bytes);
            let read = reader.read_message(&hex::decode(&message.bytes).unwrap(), &mut buffer).unwrap();
            assert_eq!(buffer[..read], payload[..]);
            core::mem::swap(&mut writer, &mut reader);
        }
        let (mut writer, mut reader) = (writer.finalize().unwrap(), reader.finalize().unwrap());
        let hashes = [&writer, &reader].map(|side| hex::encode(*side.get_handshake_hash()));
        assert!(vector.handshake_hash.iter().all(|hash| hashes.iter().all(|ours| ours == hash)));
        let mut frames = 0;
        for message in messages {
            let payload = hex::decode(&message.payload).unwrap();
            let written = writer.send(&payload, &mut buffer).unwrap();
            assert_eq!(hex::encode(&buffer[..written]), message.bytes);
            let read = reader.receive(&hex::decode(&message.bytes).unwrap(), &mut buffer).unwrap();
            assert_eq!(buffer[..read], payload[..]);
            core::mem::swap(&mut writer, &mut reader);
            frames += 1;
        }
        assert!(frames >= 2, "a frame in each direction");
    }
}
