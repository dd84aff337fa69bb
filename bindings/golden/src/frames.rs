//! Packed frames: what a host in another language tells a node, and hears from
//! it, many at once.

use butterfly_ffi::surface::{
    Commit, Digest, Fault, Input, Nonce, Output, Path, Refusal, Sampling, Signal, Step, Timer, Transmission, Work,
};
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::damage::encode;
use crate::vector::Verdict;

/// One frame and what must become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameVector {
    /// Unique in its file.
    pub name: String,
    /// What the bytes are read as.
    #[serde(rename = "type")]
    pub shape: FrameShape,
    /// For a reader.
    pub about: String,
    /// What must become of the bytes.
    pub verdict: Verdict,
    /// What an accepted frame says: variants and fields by name, bytes in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The encoding.
    #[serde(with = "hex::serde")]
    pub bytes: Vec<u8>,
}

/// What frames hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameShape {
    /// For `Node.step_packed`.
    Inputs,
    /// From it.
    Steps,
}

/// What a reader makes of `vector`'s bytes.
pub fn judge(vector: &FrameVector) -> Verdict {
    let read = match vector.shape {
        FrameShape::Inputs => wire::decode::<Vec<Input>>(&vector.bytes).map(drop),
        FrameShape::Steps => wire::decode::<Vec<Step>>(&vector.bytes).map(drop),
    };
    read.map_or_else(Verdict::from, |()| Verdict::Accepted)
}

/// Frames, good and bad.
pub fn vectors() -> Vec<FrameVector> {
    let mut vectors = vec![
        accepted("no_inputs", FrameShape::Inputs, "A frame may be empty.", &Vec::<Input>::new()),
        accepted("inputs", FrameShape::Inputs, "Every input, and every timer.", &inputs()),
        accepted("no_steps", FrameShape::Steps, "The answer to an empty frame.", &Vec::<Step>::new()),
        accepted("steps", FrameShape::Steps, "Every output, alone and together.", &steps()),
        accepted("refusals", FrameShape::Steps, "Every reason why an input changed nothing.", &refusals()),
    ];
    let (inputs, steps) = (encode(&inputs()), encode(&steps()));
    for (name, shape, bytes) in [("inputs", FrameShape::Inputs, &inputs), ("steps", FrameShape::Steps, &steps)] {
        let refused = |what: &str, about: &str, verdict, bytes: Vec<u8>| FrameVector {
            name: format!("{name}_{what}"),
            shape,
            about: about.to_owned(),
            verdict,
            value: None,
            bytes,
        };
        let with_first = |first: &[u8]| [first, &bytes[1..]].concat();
        vectors.extend([
            refused("nothing", "No bytes at all.", Verdict::Malformed, Vec::new()),
            refused("truncated", "The last byte is missing.", Verdict::Malformed, bytes[..bytes.len() - 1].to_vec()),
            refused(
                "trailing_byte",
                "There is one byte too many.",
                Verdict::TrailingBytes,
                [bytes.as_slice(), &[0]].concat(),
            ),
            refused(
                "overlong_count",
                "The count takes one byte more than it needs.",
                Verdict::NotCanonical,
                with_first(&[bytes[0] | 0x80, 0]),
            ),
            refused(
                "too_many",
                "There is one less than the count says.",
                Verdict::Malformed,
                with_first(&[bytes[0] + 1]),
            ),
            refused("huge_count", "A count that no frame has.", Verdict::Malformed, with_first(&[0xff; 9])),
            refused("unknown_variant", "A variant that does not exist.", Verdict::Malformed, vec![1, 99, 99]),
        ]);
    }
    vectors.push(FrameVector {
        name: "step_option_mark".to_owned(),
        shape: FrameShape::Steps,
        about: "An option begins with neither 0 nor 1.".to_owned(),
        verdict: Verdict::Malformed,
        value: None,
        bytes: vec![1, 2, 0],
    });
    vectors
}

fn accepted(name: &str, shape: FrameShape, about: &str, frame: &(impl Serialize + ?Sized)) -> FrameVector {
    let value = with_hex(serde_json::to_value(frame).expect("frames are plain data"));
    let (name, about) = (name.to_owned(), about.to_owned());
    FrameVector { name, shape, about, verdict: Verdict::Accepted, value: Some(value), bytes: encode(frame) }
}

/// Bytes as hex in place of numbers. No other list of a frame holds numbers.
fn with_hex(value: Value) -> Value {
    match value {
        Value::Array(parts) => {
            let bytes: Option<Vec<u8>> = parts.iter().map(|part| u8::try_from(part.as_u64()?).ok()).collect();
            match bytes.filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Value::String(hex::encode(bytes)),
                None => Value::Array(parts.into_iter().map(with_hex).collect()),
            }
        }
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, with_hex(field))).collect(),
        other => other,
    }
}

fn timers() -> [Timer; 3] {
    [Timer::View { epoch: u64::MAX, view: u32::MAX }, Timer::Retransmit, Timer::Escalate { epoch: 300, stage: u8::MAX }]
}

fn inputs() -> Vec<Input> {
    let mut inputs = vec![
        Input::Start { nonce: Nonce(std::array::from_fn(|at| at as u8)) },
        Input::Receive { message: vec![7; 200] },
        Input::Submit { request: vec![1, 2, 3] },
        Input::Computed { ticket: u64::MAX, output: vec![95] },
        Input::Revise { speed: u32::MAX, zone: u8::MAX },
    ];
    inputs.extend(timers().map(|timer| Input::Timer { timer }));
    inputs
}

fn steps() -> Vec<Step> {
    let alone = outputs().into_iter().map(|output| Step { refusal: None, outputs: vec![output] });
    let together = Step { refusal: Some(Refusal::Stale), outputs: outputs() };
    alone.chain([together, Step { refusal: None, outputs: Vec::new() }]).collect()
}

fn outputs() -> Vec<Output> {
    let work = |sampling| Work {
        ticket: 1 << 40,
        run: Digest([9; 32]),
        stage: 1,
        cut: vec![1, 4],
        position: 255,
        first: 254,
        inputs: vec![Signal(vec![1, 2, 3]), Signal(vec![0; 130])],
        sampling,
    };
    let commit = |notice| Commit {
        epoch: 6,
        view: 1,
        path: if notice == Some(3) { Path::Slow } else { Path::Fast },
        tokens: vec![24, 25],
        notice,
        decided: vec![5; 300],
    };
    let mut outputs = vec![
        Output::Persist { record: vec![1; 128] },
        Output::Send { to: vec![0, 2, 63], message: vec![2; 127], transmission: Transmission::First },
        Output::Send { to: vec![1], message: vec![3], transmission: Transmission::Again },
        Output::Compute { work: work(Sampling::Greedy) },
        Output::Compute { work: work(Sampling::Seeded { seed: u64::MAX, temperature: u16::MAX }) },
        Output::Commit { commit: commit(None) },
        Output::Commit { commit: commit(Some(3)) },
        Output::Blocked { silent: vec![1, 2], learners: Vec::new() },
        Output::Resumed,
        Output::EnterView { epoch: 7, view: 2 },
    ];
    outputs.extend(timers().map(|timer| Output::SetTimer { timer, after: 2_000 }));
    let faults = [Fault::Proposals, Fault::Votes, Fault::Commits, Fault::ViewChanges, Fault::Attestation];
    outputs.extend(faults.map(|fault| Output::Evidence { accused: 2, fault, evidence: vec![4; 5] }));
    outputs
}

fn refusals() -> Vec<Step> {
    let all = [
        Refusal::Early,
        Refusal::Stale,
        Refusal::Duplicate,
        Refusal::Unauthorised,
        Refusal::Invalid,
        Refusal::OtherRun,
        Refusal::Full,
        Refusal::Malformed,
        Refusal::TrailingBytes,
        Refusal::NotCanonical,
        Refusal::Stranger,
        Refusal::Signature,
        Refusal::Certificate,
    ];
    all.map(|refusal| Step { refusal: Some(refusal), outputs: Vec::new() }).into()
}
