//! A story as a message sequence chart, in SVG: one line for each node, time
//! from top to bottom, an arrow for each message that arrives.

use std::fmt::Write;

use crate::story::{Scene, Story};

/// Pixels between two lifelines.
const COLUMN: usize = 210;
/// Pixels from one arrow to the next.
const ROW: usize = 26;
/// Room at the left, for the numbers of the steps.
const LEFT: usize = 110;
/// Room at the top, for the title and the names.
const TOP: usize = 96;
const STYLE: &str = "text{font:13px sans-serif;fill:#1b1b1b}.title{font-size:16px;font-weight:bold}\
    .note{fill:#444}.number{fill:#777}.says{font-size:12px}.verdict{fill:#b00020;font-weight:bold}\
    line{stroke:#555}.life{stroke:#bbb}.faulty{stroke:#b00020;stroke-dasharray:5 4}\
    .head{fill:#eef3fb;stroke:#6b87b5}.headfaulty{fill:#fdecee;stroke:#b00020}.act{fill:#fff8e1;stroke:#c9a227}";

/// Draws `story` under `title`.
pub fn draw(title: &str, story: &Story) -> String {
    let rows: usize = story.scenes.iter().map(height).sum();
    let bottom = TOP + (rows + 1) * ROW;
    let lines = story.opening.len() + story.ending.len();
    let width = LEFT + story.nodes.len() * COLUMN + 40;
    let all = bottom + (lines + 2) * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{all}\" viewBox=\"0 0 {width} {all}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto-start-reverse\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"#333\"/></marker></defs>\n"
    );
    text(&mut svg, "title", 16, 28, title);
    for (place, node) in story.nodes.iter().enumerate() {
        let x = column(place);
        let (head, life) = if node.faulty { ("headfaulty", "life faulty") } else { ("head", "life") };
        let _ = writeln!(svg, "<line class=\"{life}\" x1=\"{x}\" y1=\"78\" x2=\"{x}\" y2=\"{bottom}\"/>");
        let _ =
            writeln!(svg, "<rect class=\"{head}\" x=\"{}\" y=\"50\" width=\"140\" height=\"28\" rx=\"6\"/>", x - 70);
        let name = if node.faulty { format!("{} (faulty)", node.name) } else { node.name.clone() };
        centred(&mut svg, "", x, 69, &name);
    }
    let mut y = TOP + ROW / 2;
    for (number, scene) in story.scenes.iter().enumerate() {
        draw_scene(&mut svg, number + 1, scene, y);
        y += height(scene) * ROW;
    }
    let mut y = bottom + ROW;
    for line in &story.opening {
        text(&mut svg, "note", 16, y, line);
        y += ROW;
    }
    for line in &story.ending {
        text(&mut svg, "verdict", 16, y, line);
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Rows that a scene takes: its messages, what happens, what comes of it.
fn height(scene: &Scene) -> usize {
    scene.arrows.len().max(1) + scene.consequences.len() + 1
}

fn draw_scene(svg: &mut String, number: usize, scene: &Scene, top: usize) {
    let x = column(scene.at);
    text(svg, "number", 16, top, &format!("{number}."));
    let mut y = top;
    for arrow in &scene.arrows {
        let from = column(arrow.from);
        let gap = if from < x { 3 } else { 0 };
        let _ = writeln!(
            svg,
            "<line x1=\"{from}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" marker-end=\"url(#tip)\"/>",
            if from < x { x - gap } else { x + 3 }
        );
        centred(svg, "says", (from + x) / 2, y - 5, &arrow.says);
        y += ROW;
    }
    if scene.arrows.is_empty() {
        boxed(svg, x, y, &scene.happening);
        y += ROW;
    }
    for consequence in &scene.consequences {
        boxed(svg, x, y, consequence);
        y += ROW;
    }
}

/// Words on a lifeline.
fn boxed(svg: &mut String, x: usize, y: usize, words: &str) {
    let width = words.chars().count() * 7 + 14;
    let left = x.saturating_sub(width / 2).max(40);
    let _ =
        writeln!(svg, "<rect class=\"act\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"20\" rx=\"4\"/>", y - 14);
    centred(svg, "says", left + width / 2, y, words);
}

fn column(place: usize) -> usize {
    LEFT + place * COLUMN + COLUMN / 4
}

fn text(svg: &mut String, class: &str, x: usize, y: usize, words: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words));
}

fn centred(svg: &mut String, class: &str, x: usize, y: usize, words: &str) {
    let words = escaped(words);
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{words}</text>");
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Arrow, Lifeline};

    #[test]
    fn every_message_is_an_arrow_between_its_lifelines() {
        let node = |name: &str, faulty| Lifeline { name: name.to_owned(), faulty };
        let story = Story {
            nodes: vec![node("node 0", false), node("node 1", true)],
            opening: vec!["f < 1".to_owned()],
            scenes: vec![Scene {
                at: 0,
                happening: "node 1 -> node 0".to_owned(),
                arrows: vec![Arrow { from: 1, says: "Propose".to_owned() }],
                consequences: vec!["node 0 says: Vote".to_owned()],
            }],
            ending: vec!["it fails".to_owned()],
        };
        let svg = draw("a run", &story);
        let arrow = format!("x1=\"{}\" y1=\"109\" x2=\"{}\"", column(1), column(0) + 3);
        assert!(svg.contains(&arrow), "{svg}");
        assert!(svg.contains("f &lt; 1") && svg.contains("it fails") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
