//! The live page, in a browser: Chromium without a window, driven over
//! WebDriver. `cargo xtask page` installs it and runs these.

mod browser;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::events::{document, equivocate};
use crate::harness::butterfly;
use crate::operated::{Operated, wait_until};
use browser::Browser;

/// The most that a picture for the documentation may have.
const PICTURE: usize = 150_000;

/// Requests, one after the other, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<()>,
}

impl Load {
    fn on(cluster: &Operated) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let (dir, stopped) = (cluster.dir.to_str().unwrap().to_owned(), Arc::clone(&stop));
        let asking = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let asked = butterfly(&["submit", "--dir", &dir, "--tokens", "120"]);
                assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
            }
        });
        Load { stop, asking }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().unwrap();
    }
}

fn wait_until_whole(cluster: &Operated, nodes: u16) {
    wait_until("all have sessions with all", || {
        (0..nodes).all(|node| {
            let members = document(cluster.admin(node), "/api/v1/members");
            members["members"].as_array().unwrap().iter().all(|member| member["connected"] != false)
        })
    });
}

/// Where the pictures of this run are.
fn picture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn keep(name: &str, png: &[u8]) {
    assert!(png.len() <= PICTURE, "{name} has {} bytes", png.len());
    fs::write(picture(name), png).unwrap();
}

/// What the page must show of the last epochs, from the documents.
fn latencies(admin: SocketAddr) -> (u64, u64) {
    let last = document(admin, "/api/v1/state")["last_epoch"].as_u64().unwrap();
    let epochs = document(admin, &format!("/api/v1/epochs?from={}&limit=32", last - 31));
    let epochs = epochs["epochs"].as_array().unwrap();
    let mut latencies: Vec<u64> = epochs.iter().filter_map(|epoch| epoch["latency_us"].as_u64()).collect();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent).div_ceil(100) - 1];
    (at(50), at(99))
}

fn milliseconds(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    if ms >= 100.0 { format!("{ms:.0} ms") } else { format!("{ms:.1} ms") }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: cargo xtask page"]
async fn four_nodes_under_load_in_trouble_and_gone() {
    let mut cluster = Operated::start(4);
    wait_until_whole(&cluster, 4);
    let admin = cluster.admin(0);
    let load = Load::on(&cluster);
    let page = Browser::open(&format!("http://{admin}/")).await;
    page.wait_for("it is live", "document.querySelector('#link').dataset.state === 'live'").await;
    page.wait_for("every member is up", "document.querySelector('#up').textContent === '4 of 4'").await;
    page.wait_for("all lanes are full", "document.querySelector('#lanes').dataset.columns === '24'").await;
    page.wait_for("it shows 200 epochs", "+document.querySelector('#epoch').textContent > 200").await;
    keep("four-nodes.png", &page.screenshot().await);
    page.prefer("dark").await;
    keep("four-nodes-dark.png", &page.screenshot().await);
    page.prefer("light").await;
    load.end();

    // At rest it shows what the documents say.
    let state = document(admin, "/api/v1/state");
    page.wait_for(
        "it comes to rest",
        &format!("document.querySelector('#epoch').textContent === '{}'", state["epoch"]),
    )
    .await;
    page.wait_for("the node has nothing to do", "document.querySelector('#doing').textContent === 'ready'").await;
    let state = document(admin, "/api/v1/state");
    let (p50, p99) = latencies(admin);
    let cluster_id = &state["cluster"].as_str().unwrap()[..12];
    for (id, expected) in [
        ("whose", format!("Node 0’s view of cluster {cluster_id}")),
        ("verdict", "every member is up".into()),
        ("faults", "1 of 4".into()),
        ("margin", "1 more".into()),
        ("epoch", state["epoch"].to_string()),
        ("view", state["view"].to_string()),
        ("leader", format!("node {}", state["leader"])),
        ("p50", milliseconds(p50)),
        ("p99", milliseconds(p99)),
    ] {
        assert_eq!(page.text(&format!("#{id}")).await, expected, "#{id}");
    }
    assert_eq!(page.evaluate("return document.querySelectorAll('#ring g.up').length").await, 4);
    assert_eq!(page.evaluate("return document.querySelectorAll('#evidence .none').length").await, 1);
    // What is not listed from the start is listed when it is asked for.
    assert_eq!(page.evaluate("return document.querySelectorAll('#log [data-kind=decided]').length").await, 0);
    page.click("#show-decided").await;
    page.wait_for("decisions are listed", "document.querySelectorAll('#log [data-kind=decided]').length > 20").await;
    page.click("#show-decided").await;

    // A node is killed, and somebody with its keys says two things.
    cluster.kill(3);
    cluster.wait_for_line("node 3 has ended");
    page.wait_for("node 3 is down", "document.querySelector('#node-3').classList.contains('down')").await;
    page.wait_for("it is missed", "document.querySelector('#up').textContent === '3 of 4'").await;
    assert_eq!(page.text("#verdict").await, "some are missing");
    assert_eq!(page.text("#margin").await, "0 more");
    equivocate(&cluster, 3, 0, state["epoch"].as_u64().unwrap());
    page.wait_for("its badge is there", "document.querySelector('#node-3 a') !== null").await;
    page.wait_for("its evidence is there", "document.querySelector('#evidence-3') !== null").await;
    page.click("#node-3 a").await;
    assert_eq!(page.evaluate("return location.hash").await, "#evidence-3");
    assert_eq!(page.evaluate("return document.querySelector(':target').id").await, "evidence-3");
    let shown = page.text("#evidence-3").await;
    assert!(shown.contains("it signed two votes in one view"), "{shown}");
    let load = Load::on(&cluster);
    let left = "document.querySelectorAll('#log [data-kind=view]').length > 2";
    page.wait_for("epochs that it leads need another view", left).await;
    page.wait_for("it is suspected", "document.querySelector('#node-3 .doubt') !== null").await;
    keep("a-faulty-node.png", &page.screenshot().await);
    load.end();

    // Nothing went wrong in the browser until now; that it would have said so is seen next.
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.evaluate("const alien = document.createElement('script'); alien.textContent = 'window.alien = 1'; document.body.append(alien)").await;
    assert_eq!(page.evaluate("return window.alien === undefined").await, true);
    let complaints = page.complaints().await;
    assert!(complaints.iter().any(|complaint| complaint.contains("Content Security Policy")), "{complaints:?}");

    // The node itself goes and comes back.
    cluster.kill(0);
    cluster.wait_for_line("node 0 has ended");
    page.wait_for("the loss is shown", "document.querySelector('#link').dataset.state === 'lost'").await;
    assert_eq!(page.text("#link").await, "connection lost, trying again");
    let again = cluster.spawn("start", &["--node", "0"]);
    page.wait_for("it is live again", "document.querySelector('#link').dataset.state === 'live'").await;
    page.wait_for("two are connected", "document.querySelector('#up').textContent === '3 of 4'").await;
    page.close().await;
    again.kill();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: cargo xtask page"]
async fn sixteen_nodes() {
    let cluster = Operated::start(16);
    wait_until_whole(&cluster, 16);
    let admin = cluster.admin(5);
    let load = Load::on(&cluster);
    let page = Browser::open(&format!("http://{admin}/")).await;
    page.wait_for("every member is up", "document.querySelector('#up').textContent === '16 of 16'").await;
    page.wait_for("all lanes are full", "document.querySelector('#lanes').dataset.columns === '24'").await;
    page.wait_for("it shows 30 epochs", "+document.querySelector('#epoch').textContent > 30").await;
    keep("sixteen-nodes.png", &page.screenshot().await);
    load.end();
    assert_eq!(page.text("#faults").await, "5 of 16");
    assert_eq!(page.text("#margin").await, "5 more");
    assert_eq!(page.evaluate("return document.querySelectorAll('#ring g.up').length").await, 16);
    assert_eq!(page.evaluate("return document.querySelectorAll('#lane-names li').length").await, 16);
    // Nothing is wider than the window.
    assert_eq!(page.evaluate("return document.documentElement.scrollWidth <= innerWidth").await, true);
    let decided: Value = document(admin, "/api/v1/state")["last_epoch"].clone();
    assert_ne!(decided, json!(null));
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
    assert_eq!(cluster.end(), Some(0));
}
