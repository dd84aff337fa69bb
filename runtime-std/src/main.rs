//! The `butterfly` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    butterfly_runtime_std::cli::main()
}
