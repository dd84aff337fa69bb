//! What clients ask for.

use super::random::Random;

/// Prompts and answers, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// As on the command line.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Shortest and longest prompt.
    pub prompt: (u16, u16),
    /// Shortest and longest answer.
    pub tokens: (u16, u16),
    /// Whether a client asks for something else once it is served.
    pub repeats: bool,
}

/// Every workload that has a name; the first where nothing else is said.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "mixed", about: "of an epoch or of several", prompt: (1, 6), tokens: (2, 24), repeats: true },
    Workload { name: "short", about: "each of an epoch", prompt: (1, 2), tokens: (1, 1), repeats: true },
    Workload { name: "long", about: "as much as the model holds", prompt: (8, 24), tokens: (24, 40), repeats: true },
];

/// The workload called `name`.
pub fn find(name: &str) -> Option<Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.name == name)
}

impl Workload {
    /// Each client asks once, for just so much.
    pub(crate) const fn single(prompt: u16, tokens: u16) -> Workload {
        Workload { name: "single", about: "", prompt: (prompt, prompt), tokens: (tokens, tokens), repeats: false }
    }

    /// Tokens of the next prompt, and of its answer.
    pub(crate) fn draw_prompt(&self, random: &mut Random) -> u16 {
        draw(random, self.prompt)
    }

    /// Tokens of the next answer.
    pub(crate) fn draw_tokens(&self, random: &mut Random) -> u16 {
        draw(random, self.tokens)
    }
}

fn draw(random: &mut Random, (least, most): (u16, u16)) -> u16 {
    u16::try_from(random.within(u64::from(least)..=u64::from(most))).expect("between two small numbers")
}
