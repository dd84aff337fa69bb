//! The live page at `/`: files of this program, without a build step.
//!
//! They load nothing but each other and ask nobody but this node, and the
//! policy that they come with makes sure of it: no script, style or image of
//! anybody else, nothing inline, no form, no frame around them.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($name:literal, $kind:ident) => {
        File { name: $name, kind: $kind, text: include_str!(concat!("../../page/", $name)) }
    };
}

/// The first is what `/` shows.
const FILES: [File; 12] = [
    file!("index.html", HTML),
    file!("style.css", STYLE),
    file!("icon.svg", PICTURE),
    file!("main.js", SCRIPT),
    file!("source.js", SCRIPT),
    file!("cluster.js", SCRIPT),
    file!("draw.js", SCRIPT),
    file!("health.js", SCRIPT),
    file!("topology.js", SCRIPT),
    file!("lanes.js", SCRIPT),
    file!("charts.js", SCRIPT),
    file!("events.js", SCRIPT),
];

pub(super) async fn index() -> Response {
    show(&FILES[0])
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    let found = FILES.iter().skip(1).find(|file| file.name == name);
    found.map_or_else(|| (StatusCode::NOT_FOUND, "the page has no such file\n").into_response(), show)
}

fn show(file: &File) -> Response {
    ([(CONTENT_TYPE, file.kind), (CONTENT_SECURITY_POLICY, POLICY)], file.text).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::FILES;

    /// Bytes of all files, each compressed by itself.
    const MOST: usize = 60_000;

    #[test]
    fn the_page_is_small() {
        let compressed = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap().len()
        };
        let all: usize = FILES.iter().map(|file| compressed(file.text)).sum();
        println!("the page: {all} bytes compressed, {} as they are", FILES.iter().map(|f| f.text.len()).sum::<usize>());
        assert!(all <= MOST, "{all} bytes");
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_nothing_is_inline_or_from_elsewhere() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let mut there: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let mut served: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        there.sort_unstable();
        served.sort_unstable();
        assert_eq!(there, served);
        for file in &FILES {
            let text = file.text.replace("http://www.w3.org/2000/svg", "");
            for alien in ["http://", "https://", "style=", "innerHTML", "onclick", "eval("] {
                assert!(!text.contains(alien), "{} has {alien}", file.name);
            }
        }
    }
}
