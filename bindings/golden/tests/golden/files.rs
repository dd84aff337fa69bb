//! The files are what the wire is, and say so when they are not.

use butterfly_golden::files::{self, File, difference};

#[test]
fn the_files_are_what_the_wire_is() {
    if let Err(error) = files::check(&files::folder()) {
        panic!("{error}");
    }
}

#[test]
fn a_difference_is_named_by_file_line_and_vector() {
    let text = |last| format!("{{\n  \"name\": \"vote\",\n  \"type\": \"envelope\",\n  \"bytes\": \"{last}\"\n}}\n");
    let made = File { name: "messages.json", text: text("01") };
    assert_eq!(difference(&made, &text("01")), None);
    let said = difference(&made, &text("02")).unwrap();
    assert_eq!(said, "messages.json differs from line 4, at \"name\": \"vote\"");
    assert!(difference(&made, "").unwrap().starts_with("messages.json differs from line 1"));
    let longer = format!("{}\n", made.text);
    assert!(difference(&made, &longer).is_some(), "what stands behind the end is a difference too");
}
