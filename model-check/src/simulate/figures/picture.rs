//! The figures as one picture, in SVG: three panels, each with what was
//! promised as a dashed line.

use std::fmt::Write;

use super::{Pace, Recovery};
use crate::simulate::Micros;

const WIDTH: f64 = 1010.0;
const HEIGHT: f64 = 420.0;
/// Where the panels' axes cross, from the top.
const FLOOR: f64 = 320.0;
/// Height of a panel.
const RISE: f64 = 220.0;
const STYLE: &str = "text{font:13px sans-serif;fill:#1b1b1b}.title{font-weight:bold}.note{font-size:12px;fill:#555}\
    .axis{stroke:#555}.promised{stroke:#b00020;stroke-dasharray:5 4}.promise{fill:#b00020;font-size:12px}\
    .token{fill:#6b87b5}.interval{fill:#c9a227}.all{stroke:#6b87b5}.single{stroke:#c9a227}\
    .line{fill:none;stroke-width:2}";

/// One panel: where it begins, how wide it is, and what its whole height means.
struct Panel {
    left: f64,
    width: f64,
    most: f64,
}

/// Draws all figures.
pub fn draw(paces: &[Pace], sizes: &[Pace], recoveries: &[Recovery]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, "title", 20.0, 26.0, "50 layers of 10 ms, 1 ms round trip, in virtual time");
    shares(&mut svg, paces);
    ceilings(&mut svg, sizes);
    losses(&mut svg, recoveries);
    svg.push_str("</svg>\n");
    svg
}

fn shares(svg: &mut String, paces: &[Pace]) {
    let panel = Panel { left: 60.0, width: 230.0, most: 0.07 };
    panel.frame(svg, "coordination's share", "tokens that an epoch commits; 10 members");
    panel.promise(svg, 0.06, "6 % of the pipeline's interval");
    panel.promise(svg, 0.01, "1 % of a token");
    for (place, pace) in paces.iter().enumerate() {
        let x = panel.place(place, paces.len());
        panel.bar(svg, "token", x - 14.0, pace.share_of_token());
        panel.bar(svg, "interval", x, pace.share_of_interval());
        centred(svg, x, FLOOR + 18.0, &pace.shape.tokens_per_epoch.to_string());
    }
    legend(svg, panel.left, &[("token", "of a token"), ("interval", "of the interval")]);
}

fn ceilings(svg: &mut String, sizes: &[Pace]) {
    let panel = Panel { left: 370.0, width: 270.0, most: 1.1 };
    panel.frame(svg, "throughput, of the ceiling", "members, and faults that they bear");
    for (place, pace) in sizes.iter().enumerate() {
        let x = panel.place(place, sizes.len());
        panel.bar(svg, "token", x - 14.0, pace.of_ceiling());
        panel.bar(svg, "interval", x, pace.of_prompt_ceiling());
        centred(svg, x, FLOOR + 18.0, &format!("{}, {}", pace.shape.members, pace.shape.f));
    }
    panel.promise(svg, 0.85, "");
    let _ = writeln!(
        svg,
        "<text class=\"promise\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">85 %</text>",
        panel.left - 4.0,
        panel.height(0.85) + 4.0
    );
    legend(svg, panel.left, &[("token", "an answer"), ("interval", "a prompt")]);
}

/// Of all losses, how many delay the next commit by no more than that.
fn losses(svg: &mut String, recoveries: &[Recovery]) {
    let panel = Panel { left: 720.0, width: 220.0, most: 1.1 };
    panel.frame(svg, "an owner is lost: share of losses", "ms by which the next commit is later");
    let most = recoveries.iter().filter_map(|recovery| recovery.delays.last()).max().copied().unwrap_or(0);
    let most = most.max(1);
    let across = |delay: Micros| panel.left + panel.width * ratio(delay, most);
    for recovery in recoveries {
        let class = if recovery.batches { "all" } else { "single" };
        let mut points = format!("{},{FLOOR}", panel.left);
        for (place, delay) in recovery.delays.iter().enumerate() {
            let share = ratio(count(place + 1), count(recovery.delays.len()));
            let _ = write!(points, " {:.1},{:.1}", across(*delay), panel.height(share));
        }
        let _ = writeln!(svg, "<polyline class=\"line {class}\" points=\"{points}\"/>");
    }
    let promised = across(500_000);
    let _ = writeln!(
        svg,
        "<line class=\"promised\" x1=\"{promised:.1}\" y1=\"{FLOOR}\" x2=\"{promised:.1}\" y2=\"{:.1}\"/>",
        FLOOR - RISE
    );
    text(svg, "promise", promised + 4.0, FLOOR - 8.0, "500 ms, 99 of 100");
    text(svg, "note", panel.left, FLOOR + 18.0, "0");
    text(svg, "note", panel.left + panel.width - 30.0, FLOOR + 18.0, &(most / 1_000).to_string());
    legend(svg, panel.left, &[("token", "positions at hand at once"), ("interval", "one by one")]);
}

#[allow(clippy::cast_precision_loss, reason = "a picture")]
fn ratio(part: Micros, whole: Micros) -> f64 {
    part as f64 / whole as f64
}

impl Panel {
    fn frame(&self, svg: &mut String, title: &str, below: &str) {
        let right = self.left + self.width;
        text(svg, "title", self.left, FLOOR - RISE - 22.0, title);
        text(svg, "note", self.left, FLOOR + 40.0, below);
        let _ =
            writeln!(svg, "<line class=\"axis\" x1=\"{}\" y1=\"{FLOOR}\" x2=\"{right}\" y2=\"{FLOOR}\"/>", self.left);
        let top = FLOOR - RISE;
        let _ = writeln!(svg, "<line class=\"axis\" x1=\"{0}\" y1=\"{FLOOR}\" x2=\"{0}\" y2=\"{top}\"/>", self.left);
    }

    fn height(&self, value: f64) -> f64 {
        FLOOR - RISE * value / self.most
    }

    fn promise(&self, svg: &mut String, value: f64, what: &str) {
        let (y, right) = (self.height(value), self.left + self.width);
        let _ =
            writeln!(svg, "<line class=\"promised\" x1=\"{}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>", self.left);
        text(svg, "promise", self.left + 4.0, y - 4.0, what);
    }

    #[allow(clippy::cast_precision_loss, reason = "a picture")]
    fn place(&self, place: usize, of: usize) -> f64 {
        self.left + self.width * (place as f64 + 0.5) / of as f64
    }

    fn bar(&self, svg: &mut String, class: &str, x: f64, value: f64) {
        let y = self.height(value);
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"12\" height=\"{:.1}\"><title>{:.2} %</title></rect>",
            FLOOR - y,
            value * 100.0
        );
    }
}

fn legend(svg: &mut String, left: f64, entries: &[(&str, &str)]) {
    let mut x = left;
    for (class, what) in entries {
        let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\"/>", FLOOR + 52.0);
        text(svg, "note", x + 14.0, FLOOR + 61.0, what);
        x += if what.len() > 16 { 175.0 } else { 105.0 };
    }
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, what: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{what}</text>");
}

fn centred(svg: &mut String, x: f64, y: f64, what: &str) {
    let _ = writeln!(svg, "<text class=\"note\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{y:.1}\">{what}</text>");
}

fn count(count: usize) -> Micros {
    Micros::try_from(count).expect("few")
}
