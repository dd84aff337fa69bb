//! What an operator sees of a node: health, metrics, a read-only API.
//!
//! A listener of its own, off unless `node.toml` says where. It answers GET
//! and changes nothing; nobody shows who he is, so it listens on loopback only.
//!
//! A page in somebody's browser can reach loopback as well. What keeps it out:
//! the `Host` must be ours, so that no name of its own can point here; no
//! answer allows another origin to read it; nothing but GET is taken.
//!
//! What callers hold of this process is bounded: [`CONNECTIONS`] at a time,
//! one request each, whose head has at most [`MAX_HEAD`] bytes and whose body
//! nobody reads, all of it within [`CONNECTION_TIME`].

mod api;
mod board;
mod epochs;
mod health;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use butterfly_kernel::types::NodeId;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::access::Chronicle;
use crate::metrics::Metrics;
use crate::protocol::Cluster;
use crate::transport::Peers;
pub(crate) use board::Board;

/// Connections at a time; one more is closed at once.
const CONNECTIONS: usize = 16;
/// From being accepted to having taken the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
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
    pub(crate) peers: watch::Receiver<Peers>,
    /// Goes to the event loop, which answers between two steps.
    pub(crate) probes: mpsc::Sender<Probe>,
}

/// Answers whoever connects, for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, address: SocketAddr, admin: Admin) {
    let router = router(address, admin);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(CONNECTION_TIME)
                .max_header_size(MAX_HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever broke it off, or was too slow, may come again.
            let _late = timeout(CONNECTION_TIME, connection).await;
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
        .fallback(|| async {
            (StatusCode::NOT_FOUND, "there is /livez, /readyz, /metrics, and /api/v1/{state,members,epochs,evidence}\n")
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
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}
