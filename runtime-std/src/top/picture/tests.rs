use expect_test::{Expect, expect};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::top::report::Proven;

fn example() -> Report {
    let node = |id: u8, epoch| NodeReport {
        answers: true,
        admin: Some(([127, 0, 0, 1], 7500 + u16::from(id)).into()),
        role: Some("replica".into()),
        coordinator: Some("committing".into()),
        epoch: Some(epoch),
        view: Some(0),
        leader: Some(1),
        sessions: 2,
        latency: Some(Latency { p50_us: 9_120, p99_us: 135_049 }),
        fast_percent: Some(98),
        proves: vec![Proven { accused: 2, fault: "votes".into() }],
        ..NodeReport::silent(id, None)
    };
    let behind = NodeReport { coordinator: Some("recovering".into()), latency: None, ..node(2, 7) };
    let silent = NodeReport::silent(3, Some(([127, 0, 0, 1], 7503).into()));
    let nodes = vec![node(0, 1_241), node(1, 1_241), behind, silent];
    let mut report = Report { cluster: Some("73e303c7456a40b5".into()), voters: 4, f: 1, nodes, ..Report::default() };
    report.conclude();
    report
}

fn rendered(report: &Report, (width, height): (u16, u16), palette: Palette) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, report, &[0, 20, 80, 160], palette)).unwrap();
    terminal
}

fn check(report: &Report, size: (u16, u16), expected: Expect) {
    let shown = rendered(report, size, Palette::Plain).backend().to_string();
    let lines: Vec<&str> = shown.lines().map(|line| line.trim_matches('"').trim_end()).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn a_cluster_with_every_trouble() {
    check(
        &example(),
        (76, 16),
        expect![[r#"
            butterfly 73e303c7456a
            3 of 4 nodes answer
            epoch 1241, view 0, led by node 1; 1 of 4 may be faulty

            node is           epoch   view role     sessions p50      p99      fast
            0    committing   1241    0    replica  2        9.1 ms   135 ms   98 %
            1 *  committing   1241    0    replica  2        9.1 ms   135 ms   98 %
            2    recovering   7       0    replica  2        -        -        98 %
            3    no answer

            epochs a second: 160
             ▁▄█
            node 2 is proven faulty: votes


            q ends; each line is what a node says of itself
        "#]],
    );
}

#[test]
fn nobody_answers() {
    let mut report = Report { nodes: vec![NodeReport::silent(0, None)], ..Report::default() };
    report.conclude();
    check(
        &report,
        (76, 12),
        expect![[r#"
            butterfly nobody answers
            0 of 1 nodes answer, which is too few for a decision
            epoch -, view -, led by node -; 0 of 0 may be faulty

            node is           epoch   view role     sessions p50      p99      fast
            0    not asked

            epochs a second: 160
             ▁▄█


            q ends; each line is what a node says of itself
        "#]],
    );
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    for size in [(71, 16), (76, 11), (1, 1)] {
        let shown = rendered(&example(), size, Palette::Coloured).backend().to_string();
        assert!(!shown.contains("epochs a second"), "{size:?}");
    }
    check(
        &example(),
        (60, 2),
        expect![[r#"
            the terminal is too small: 72 by 12 at least. q ends

        "#]],
    );
}

#[test]
fn without_colours_there_are_none() {
    let colours = |palette| {
        let terminal = rendered(&example(), (76, 16), palette);
        terminal.backend().buffer().content().iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(colours(Palette::Plain), 0);
    assert!(colours(Palette::Coloured) > 0);
}
