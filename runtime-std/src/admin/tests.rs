use std::convert::Infallible;

use axum::body::Body;
use futures_util::stream::unfold;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Answers everything with bytes without end, as a busy stream of events.
async fn endless(Extension(lease): Extension<Lease>) -> Response {
    let pieces = unfold(lease, |lease| async move {
        lease.extend(CONNECTION_TIME);
        sleep(Duration::from_micros(10)).await;
        Some((Ok::<_, Infallible>(vec![b'x'; 16 * 1024]), lease))
    });
    Body::from_stream(pieces).into_response()
}

async fn served() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { attend(&listener, Router::new().route("/", get(endless))).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_loses_the_connection_and_who_reads_keeps_it() {
    let address = served().await;
    let begin = Instant::now();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(ASK).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(ASK).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    while begin.elapsed() < CONNECTION_TIME + Duration::from_secs(2) {
        assert!(busy.read(&mut buffer).await.unwrap() > 0, "a reader that reads was dropped");
    }
    // What was on its way is there to be read, and then nothing.
    let mut rest = Vec::new();
    let ended = idle.read_to_end(&mut rest).await;
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    assert!(rest.len() > MAX_WAITING);
}

#[tokio::test]
async fn a_lease_that_is_extended_ends_later() {
    let lease = Lease::new(Duration::ZERO);
    lease.run_out().await;
    lease.extend(Duration::from_millis(50));
    let begin = Instant::now();
    lease.run_out().await;
    assert!(begin.elapsed() >= Duration::from_millis(49));
}
