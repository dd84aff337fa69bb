//! Writes the golden vectors, or compares them with `--check`. Called by
//! `cargo xtask golden`.

use std::process::ExitCode;

use butterfly_golden::files;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = files::folder();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => files::write(&folder).map(|()| println!("written: {}", folder.display())),
        ["--check"] => files::check(&folder).map(|()| println!("the golden vectors are what the wire is")),
        _ => {
            eprintln!("usage: butterfly-golden [--check]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
