//! `/api/v1/events`: what happens at this node, as it happens, as Server-Sent
//! Events. What there is: [`crate::stream::happening`].
//!
//! | event | when | data |
//! | --- | --- | --- |
//! | `hello` | first | `version`, `node`, `start`: `resumed` if nothing is missing since `Last-Event-ID`, else `anew` |
//! | `end` | last, if the node ends the stream | `reason` |
//!
//! An id is that of the process and a number. Whoever was away comes back with
//! `Last-Event-ID`, as every browser does, and goes on there as long as it is
//! kept; one that begins anew asks for the documents first. A reader that takes
//! nothing for [`CONNECTION_TIME`] is dropped, one that takes too little gets
//! `end` and may come again.
//!
//! [`CONNECTION_TIME`]: super::CONNECTION_TIME

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use butterfly_kernel::types::NodeId;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::time::timeout;

use super::api::VERSION;
use super::lease::Lease;
use super::{Admin, CONNECTION_TIME};
use crate::stream::{Behind, KEPT, READERS, Reader, Start, Told};

/// Something is sent at least this often, so that a connection that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// After this many milliseconds a browser comes back.
const RETRY: u32 = 1_000;

/// What is sent next.
enum Turn {
    Greet(Start),
    Go,
    Over,
}

struct Sending {
    life: String,
    node: NodeId,
    reader: Reader,
    lease: Lease,
    turn: Turn,
}

pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    Extension(lease): Extension<Lease>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = last.and_then(|id| number_in(id, &admin.life));
    let Some((reader, start)) = admin.stream.read(after) else {
        let why = format!("{READERS} streams are open already; close one\n");
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], why).into_response();
    };
    let sending = Sending { life: admin.life.clone(), node: admin.me, reader, lease, turn: Turn::Greet(start) };
    let body = Body::from_stream(unfold(sending, Sending::next));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Of an id that this process gave.
fn number_in(id: &str, life: &str) -> Option<u64> {
    id.strip_prefix(life)?.strip_prefix('-')?.parse().ok()
}

impl Sending {
    /// The next piece of the answer. It is asked for when the reader took what
    /// was before it, so the connection has earned more time.
    async fn next(mut self) -> Option<(Result<String, Infallible>, Sending)> {
        self.lease.extend(CONNECTION_TIME);
        let (text, turn) = match self.turn {
            Turn::Greet(start) => (self.greeting(start), Turn::Go),
            Turn::Go => match timeout(HEARTBEAT, self.reader.next()).await {
                Ok(Ok(told)) => (self.written(&told), Turn::Go),
                Ok(Err(Behind)) => (farewell(), Turn::Over),
                Err(_quiet) => (":\n\n".into(), Turn::Go),
            },
            Turn::Over => return None,
        };
        self.turn = turn;
        Some((Ok(text), self))
    }

    fn greeting(&self, start: Start) -> String {
        let start = match start {
            Start::Anew => "anew",
            Start::Resumed => "resumed",
        };
        let data = json!({ "version": VERSION, "node": self.node.0, "start": start });
        format!("retry: {RETRY}\nevent: hello\ndata: {data}\n\n")
    }

    fn written(&self, told: &[Told]) -> String {
        let mut text = String::new();
        for Told { number, name, data } in told {
            // A string takes everything.
            let _written = write!(text, "id: {}-{number}\nevent: {name}\ndata: {data}\n\n", self.life);
        }
        text
    }
}

fn farewell() -> String {
    let reason = format!("too slow: more than {KEPT} events behind");
    format!("event: end\ndata: {}\n\n", json!({ "reason": reason }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Happening, Stream};

    fn sending(stream: &Stream) -> Sending {
        let (reader, start) = stream.read(None).unwrap();
        let lease = Lease::new(CONNECTION_TIME);
        Sending { life: "1f".into(), node: NodeId(2), reader, lease, turn: Turn::Greet(start) }
    }

    #[tokio::test]
    async fn a_stream_greets_tells_and_says_why_it_ends() {
        let stream = Stream::new(butterfly_kernel::types::NodeId(0));
        let sending = sending(&stream);
        let (text, sending) = sending.next().await.unwrap();
        let hello = "retry: 1000\nevent: hello\ndata: {\"node\":2,\"start\":\"anew\",\"version\":1}\n\n";
        assert_eq!(text.unwrap(), hello);
        stream.tell(&Happening::Session { member: NodeId(1), open: true });
        let (text, sending) = sending.next().await.unwrap();
        let text = text.unwrap();
        assert!(text.starts_with("id: 1f-1\nevent: session\ndata: {\"at_us\":"), "{text}");
        assert!(text.ends_with("\"member\":1,\"open\":true}\n\n"), "{text}");
        for _ in 0..=KEPT {
            stream.tell(&Happening::Session { member: NodeId(1), open: false });
        }
        let (text, sending) = sending.next().await.unwrap();
        assert_eq!(text.unwrap(), "event: end\ndata: {\"reason\":\"too slow: more than 8192 events behind\"}\n\n");
        assert!(sending.next().await.is_none());
    }

    #[test]
    fn an_id_is_of_this_process_or_none() {
        assert_eq!(number_in("1f-27", "1f"), Some(27));
        for id in ["1e-27", "1f27", "1f-", "-27", "27", ""] {
            assert_eq!(number_in(id, "1f"), None, "{id}");
        }
    }
}
