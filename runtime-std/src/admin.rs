//! What an operator sees of a node: health, metrics, a read-only API, a stream
//! of events and a page that shows all of it.
//!
//! A listener of its own, off unless `node.toml` says where. It answers GET
//! and changes nothing; nobody shows who he is, so it listens on loopback only.
//!
//! A page in somebody's browser can reach loopback as well. What keeps it out:
//! the `Host` must be ours, so that no name of its own can point here; no
//! answer allows another origin to read it; what a browser says comes from
//! another site is refused; nothing but GET is taken.
//!
//! What callers hold of this process is bounded: [`CONNECTIONS`] at a time,
//! one request each, whose head has at most [`MAX_HEAD`] bytes and whose body
//! nobody reads, all of it within [`CONNECTION_TIME`]. Only a stream of events
//! may last longer, while its reader takes what it gets.

mod api;
mod board;
mod epochs;
mod events;
mod health;
mod lease;
mod page;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use butterfly_kernel::types::NodeId;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::access::Chronicle;
use crate::metrics::Metrics;
use crate::protocol::Cluster;
use crate::stream::Stream;
use crate::transport::Peers;
pub(crate) use board::Board;
use lease::Lease;

/// Connections at a time; one more is closed at once.
const CONNECTIONS: usize = 16;
/// From being accepted to having taken the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// Bytes of an answer that wait for the socket: what a reader that does not
/// read has of ours.
const MAX_WAITING: usize = 64 * 1024;
/// Bytes of a request line with its header fields.
const MAX_HEAD: usize = 8 * 1024;
/// After an accept that failed, for want of file descriptors or so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is asked of the event loop: whether it is there.
pub(crate) type Probe = oneshot::Sender<()>;

/// What answers are made of.
pub(crate) struct Admin {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) me: NodeId,
    pub(crate) metrics: Metrics,
    pub(crate) chronicle: Arc<Chronicle>,
    pub(crate) board: Arc<Board>,
    pub(crate) stream: Stream,
    /// Names this process among all that ever were this node.
    pub(crate) life: String,
    pub(crate) peers: watch::Receiver<Peers>,
    /// Goes to the event loop, which answers between two steps.
    pub(crate) probes: mpsc::Sender<Probe>,
}

/// Answers whoever connects, for as long as it is polled. When it is dropped,
/// connections end.
pub(crate) async fn serve(listener: Arc<TcpListener>, address: SocketAddr, admin: Admin) {
    attend(&listener, router(address, admin)).await;
}

async fn attend(listener: &TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Whoever is gone takes no more room.
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let lease = Lease::new(CONNECTION_TIME);
        let service = TowerToHyperService::new(router.clone().layer(Extension(lease.clone())));
        connections.spawn(async move {
            let _place = place;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(CONNECTION_TIME)
                .max_header_size(MAX_HEAD)
                .max_buf_size(MAX_WAITING)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever broke it off, or was too slow, may come again.
            tokio::select! {
                _ = connection => {}
                () = lease.run_out() => {}
            }
        });
    }
}

fn router(address: SocketAddr, admin: Admin) -> Router {
    let names = Names::of(address);
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(scrape))
        .route("/api/v1/state", get(api::state))
        .route("/api/v1/members", get(api::members))
        .route("/api/v1/epochs", get(epochs::epochs))
        .route("/api/v1/evidence", get(api::evidence))
        .route("/api/v1/events", get(events::events))
        .route("/", get(page::index))
        .route("/page/{name}", get(page::file))
        .fallback(|| async {
            let there = "there is /, /livez, /readyz, /metrics, and /api/v1/{state,members,epochs,evidence,events}\n";
            (StatusCode::NOT_FOUND, there)
        })
        .layer(from_fn_with_state(names, guard))
        .with_state(Arc::new(admin))
}

async fn scrape(State(admin): State<Arc<Admin>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match admin.metrics.scrape() {
        Ok(scraped) => ([("content-type", OPEN_METRICS)], scraped).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

/// By what this listener may be called.
#[derive(Clone)]
struct Names(Arc<[String; 2]>);

impl Names {
    fn of(address: SocketAddr) -> Names {
        Names(Arc::new([address.to_string(), format!("localhost:{}", address.port())]))
    }

    /// Whether the request says exactly one name, and it is ours.
    fn include(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(HOST).iter();
        let (first, second) = (said.next().and_then(|host| host.to_str().ok()), said.next());
        second.is_none() && first.is_some_and(|host| self.0.iter().any(|name| name.eq_ignore_ascii_case(host)))
    }
}

/// Refuses what is not asked of us in the one way in which we are asked.
async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    let mut response = if !names.include(request.headers()) {
        let why = format!("the Host must be {} or {}\n", names.0[0], names.0[1]);
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    } else if request.method() != Method::GET {
        (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")], "only GET is taken\n").into_response()
    } else if is_of_another_site(request.headers()) {
        (StatusCode::FORBIDDEN, "another site's page has nothing to ask here\n").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether a browser says so. To come here by a link of another site is all right.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let is_elsewhere = said("sec-fetch-site").is_some_and(|site| site != b"same-origin" && site != b"none");
    is_elsewhere && said("sec-fetch-mode") != Some(b"navigate")
}
