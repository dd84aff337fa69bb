//! A run that a person can follow: numbered steps, who sent what to whom, and
//! what came of it. Printed as text here; [`crate::chart`] draws it.

/// A run from its first state.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Who takes part, from left to right in a chart.
    pub nodes: Vec<Lifeline>,
    /// What holds before the first step, a line each.
    pub opening: Vec<String>,
    /// The steps.
    pub scenes: Vec<Scene>,
    /// What holds after the last, a line each.
    pub ending: Vec<String>,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Lifeline {
    /// Its name.
    pub name: String,
    /// It says what it likes.
    pub faulty: bool,
}

/// One step: something happens at one node.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Where, by place in [`Story::nodes`].
    pub at: usize,
    /// What happens, in one line.
    pub happening: String,
    /// The messages that arrive, in order.
    pub arrows: Vec<Arrow>,
    /// What came of it, a line each.
    pub consequences: Vec<String>,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// From whom, by place in [`Story::nodes`].
    pub from: usize,
    /// What it says.
    pub says: String,
}

impl Story {
    /// The story in lines; the steps are numbered from 1.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.opening.iter().map(|line| format!("    {line}")).collect();
        for (number, scene) in self.scenes.iter().enumerate() {
            lines.push(format!("{:2}. {}", number + 1, scene.happening));
            lines.extend(scene.consequences.iter().map(|line| format!("      {line}")));
        }
        lines.extend(self.ending.iter().map(|line| format!("    {line}")));
        lines
    }
}
