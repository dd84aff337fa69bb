//! `/livez`: does the event loop turn? `/readyz`: can this node take its part?
//!
//! A node that is not alive is to be started again. One that is not ready is
//! to be looked at: starting it again helps nobody.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use butterfly_kernel::node::Role;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Admin;

/// The event loop answers within this time, or is taken for stuck: the longest
/// that it does in one step is to wait for the disk.
const LOOP_TIME: Duration = Duration::from_secs(5);

/// One thing that must hold.
struct Check {
    name: &'static str,
    holds: bool,
    /// For people, in either case.
    about: String,
}

pub(super) async fn live(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    answer("alive", &[event_loop(&admin).await], false)
}

pub(super) async fn ready(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let checks = [event_loop(&admin).await, vote_record(&admin), decisions(&admin), peers(&admin)];
    answer("ready", &checks, query.as_deref() == Some("verbose"))
}

fn answer(what: &str, checks: &[Check], verbose: bool) -> (StatusCode, String) {
    let whole = checks.iter().all(|check| check.holds);
    let mut text = String::new();
    for Check { name, holds, about } in checks.iter().filter(|check| verbose || !check.holds) {
        let mark = if *holds { "ok" } else { "no" };
        // A string takes everything.
        let _written = writeln!(text, "{mark} {name}: {about}");
    }
    let verdict = if whole { format!("{what}\n") } else { format!("not {what}\n") };
    let status = if whole { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text + &verdict)
}

async fn event_loop(admin: &Admin) -> Check {
    let (probe, answered) = oneshot::channel();
    let asked = async { admin.probes.send(probe).await.is_ok() && answered.await.is_ok() };
    let holds = timeout(LOOP_TIME, asked).await.unwrap_or(false);
    let about = if holds { "it answers".into() } else { format!("no answer within {} s", LOOP_TIME.as_secs()) };
    Check { name: "event loop", holds, about }
}

fn vote_record(admin: &Admin) -> Check {
    let (holds, about) = match admin.chronicle.stands().role {
        Role::Replica => (true, "it may vote"),
        Role::Worker => (true, "not needed: this member never votes"),
        Role::Learner => (false, "lost; nothing is signed in agreement until the cluster admits this node again"),
    };
    Check { name: "vote record", holds, about: about.into() }
}

fn decisions(admin: &Admin) -> Check {
    let blocked = admin.chronicle.stands().blocked;
    let about = blocked.as_ref().map_or_else(|| "nothing stands in their way".into(), ToString::to_string);
    Check { name: "decisions", holds: blocked.is_none(), about }
}

/// A quorum is within reach.
fn peers(admin: &Admin) -> Check {
    let Admin { cluster, me, metrics, .. } = admin;
    let quorum = cluster.resilience().view_change_quorum();
    let own = usize::from(cluster.votes(*me));
    let connected = cluster.voters().without(*me).iter().filter(|peer| metrics.is_connected(*peer)).count();
    let about = format!("{connected} other voters are connected, {} are needed", quorum.saturating_sub(own));
    Check { name: "peers", holds: connected + own >= quorum, about }
}
