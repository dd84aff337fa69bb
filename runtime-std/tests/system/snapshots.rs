//! What the commands print, kept as files: help, errors with exit codes, JSON.
//! `UPDATE_EXPECT=1 cargo test -p butterfly-runtime-std snapshots` writes them anew.

use std::path::Path;
use std::process::{Command, Output};

use expect_test::expect_file;
use serde_json::Value;

use crate::harness;

const COMMANDS: [&str; 18] = [
    "",
    "demo",
    "init",
    "start",
    "submit",
    "status",
    "remove",
    "token",
    "join",
    "top",
    "bench",
    "reference",
    "verify",
    "config",
    "config check",
    "keygen",
    "completions",
    "man",
];

/// In a folder of its own, so that no path is in what is printed.
fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
    command.args(arguments.split_whitespace()).current_dir(folder).env("COLUMNS", "100");
    for name in ["LISTEN", "ADMIN", "VIEW_TIMEOUT_MS", "LOG_FORMAT", "LOG_LEVEL", "TRACES"] {
        command.env_remove(format!("BUTTERFLY_{name}"));
    }
    harness::run(&mut command)
}

#[test]
fn help_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let help = |command: &&str| {
        let output = run(folder.path(), &format!("{command} --help"));
        assert!(output.status.success());
        format!("$ butterfly {command} --help\n{}\n", String::from_utf8(output.stdout).unwrap())
    };
    let all: String = COMMANDS.iter().map(help).collect();
    expect_file!["snapshots/help.txt"].assert_eq(&all);
}

#[test]
fn errors_and_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), "init --dir c --base-port 1").status.success());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let config = std::fs::read_to_string(folder.path().join("c/node-1/node.toml")).unwrap();
    let cases = [
        "init --dir c",
        "init --dir no/such/place",
        "init --dir d --nodes 3 --faults-tolerated 1",
        "init --dir d --nodes 17",
        "init --dir d --tokens-per-epoch 17",
        "init --dir d --base-port 65534",
        "init --dir d --base-port 65500",
        "init --dir d --base-port 7400 --admin-port 7403",
        "init --dir d --clients 9",
        "start --dir c",
        "start --dir c --all --node 1",
        "start --dir c --node 4",
        "start --dir nowhere --all",
        "start --dir c --node 1 --view-timeout-ms 5",
        "start --dir c --node 1 --admin 0.0.0.0:7501",
        "start --dir c --node 1 --admin of",
        "start --dir c --node 1 --traces 192.0.2.1:4318",
        "start --dir c --node 1 --log-format xml",
        "submit --dir nowhere",
        "submit --dir c --prompt Return --tokens 400",
        "submit --dir c --tokens 4",
        "status --dir nowhere",
        "token --dir nowhere --out t",
        "token --dir c --out t --faults-tolerated 2",
        "token --dir c --out t --worker --faults-tolerated 1",
        "token --dir c --out c/operator/key",
        "join --dir d --token nowhere --listen 127.0.0.1:1",
        "join --dir d --token c/operator/key --listen 127.0.0.1:1",
        "join --dir d --token c/operator/roster --listen 127.0.0.1:1",
        "join --dir d --token t --listen 0.0.0.0:7404",
        "join --dir d --token t --listen 127.0.0.1:0",
        "join --dir d --token t --listen 127.0.0.1:1 --admin 192.0.2.1:1",
        "top --dir nowhere",
        "top --dir c",
        "config",
        "config check --dir nowhere",
        "keygen --dir c",
        "completions sulk",
        "verify c/client-0/roster",
    ];
    let mut shown = String::new();
    let mut record = |arguments: &str| {
        let output = run(folder.path(), arguments);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{arguments}");
        assert!(output.stdout.is_empty(), "{arguments}: an error is told on standard error");
        shown += &format!("$ butterfly {arguments}\n{}exit code {code}\n\n", String::from_utf8(output.stderr).unwrap());
    };
    cases.into_iter().for_each(&mut record);
    for line in
        ["sulk = 1\n", "listen = \"here\"\n", "view_timeout_ms = 0\n", "traces = \"on\"\n", "log_level = \"loud\"\n"]
    {
        write("c/node-1/node.toml", &format!("{line}{}", config.replace("view_timeout_ms", "# ")));
        record("config check --dir c --node 1");
    }
    write("c/node-1/node.toml", "peers = [\"127.0.0.1:7400\"]\n");
    record("config check --dir c --node 1");
    write("c/node-1/node.toml", &config);
    write("c/node-1/key-records", "short");
    record("config check --dir c --node 1");
    write("c/client-0/client.toml", "nodes = []\n");
    record("status --dir c");
    record("remove --dir c --node 4");
    record("remove --dir c --node 1 --patience 0");
    record("remove --dir c --node 1 --faults-tolerated 1");
    record("remove --dir d --node 1");
    expect_file!["snapshots/errors.txt"].assert_eq(&shown);
}

/// What is different every time is replaced by its kind.
fn json(output: &Output) -> String {
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, kind) in [("cluster", "<id>"), ("identity", "<key>"), ("exchange", "<key>")] {
        if let Some(value) = document.get_mut(name) {
            *value = kind.into();
        }
    }
    serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn json_documents() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        "init --dir c --base-port 1 --json",
        "keygen --dir k --json",
        "config check --dir c --json",
        "config check --dir c --node 2 --listen 127.0.0.1:9 --json",
        "config check --dir c --node 3 --admin off --traces 127.0.0.1:4318 --log-format json --log-level debug --json",
        "token --dir c --out t --json",
        "token --dir c --out w --worker --json",
        "status --dir c --json",
        "top --dir c --json",
    ];
    let mut shown = String::new();
    for arguments in commands {
        let output = run(folder.path(), arguments);
        let code = output.status.code().unwrap();
        shown += &format!("$ butterfly {arguments}\n{}\nexit code {code}\n\n", json(&output));
    }
    expect_file!["snapshots/json.txt"].assert_eq(&shown);
}

#[test]
fn the_environment_stands_between_file_and_flag() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), "init --dir c").status.success());
    let value = |environment: Option<&str>, flag: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
        command.args(["config", "check", "--dir", "c", "--node", "0", "--json"]).args(flag.split_whitespace());
        command.current_dir(folder.path()).env_remove("BUTTERFLY_VIEW_TIMEOUT_MS");
        command.envs(environment.map(|value| ("BUTTERFLY_VIEW_TIMEOUT_MS", value)));
        let output = harness::run(&mut command);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let setting = &document["nodes"][0]["view_timeout_ms"];
        (setting["value"].as_u64(), setting["source"].as_str().map(str::to_owned))
    };
    let from = |value: u64, source: &str| (Some(value), Some(source.to_owned()));
    assert_eq!(value(None, ""), from(2_000, "file"));
    assert_eq!(value(Some("300"), ""), from(300, "environment"));
    assert_eq!(value(Some("300"), "--view-timeout-ms 400"), from(400, "flag"));
    assert_eq!(value(Some("many"), ""), (None, None));
}

#[test]
fn completions_and_pages_name_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(folder.path(), &format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).unwrap();
        let missing = COMMANDS.iter().flat_map(|command| command.split(' ')).find(|command| !script.contains(command));
        assert_eq!(missing, None, "{shell}");
    }
    assert!(run(folder.path(), "man --dir pages").status.success());
    for command in COMMANDS {
        let name = ["butterfly", &command.replace(' ', "-")].join("-");
        let page = folder.path().join(format!("pages/{}.1", name.trim_end_matches('-')));
        assert!(page.exists(), "{}", page.display());
    }
}
