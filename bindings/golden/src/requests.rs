//! A client's signed requests.

use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::ClientId;

use crate::damage::{add_group_order, encode, encodings, flip_signature};
use crate::story::{Story, plain_request, sign_request};
use crate::vector::{Reason, Shape, Vector, Verdict};

/// Requests, good and bad.
pub fn vectors(story: &Story) -> Vec<Vector> {
    let bytes = encode(&story.request);
    let unknown = Request { client: ClientId(1), ..plain_request() };
    let accepted =
        Vector::accepted("request", Shape::SignedRequest, "Three tokens, to be continued by eight.", bytes.clone());
    let refused = |name, about, verdict, bytes| Vector::refused(name, Shape::SignedRequest, about, verdict, bytes);
    let forged = Verdict::Signature;
    let mut vectors = vec![
        refused(
            "request_wrong_signature",
            "One bit of the signature is changed.",
            (Reason::WrongSignature, forged),
            flip_signature(&bytes),
        ),
        refused(
            "request_malleable_signature",
            "The signature with s + L in place of s.",
            (Reason::MalleableSignature, forged),
            add_group_order(&bytes),
        ),
        refused(
            "request_unknown_client",
            "The cluster admits one client, number 0.",
            (Reason::UnknownAuthor, Verdict::Stranger),
            encode(&sign_request(&story.cluster, unknown)),
        ),
        refused(
            "request_foreign_cluster",
            "Genuine in a cluster that runs another model.",
            (Reason::ForeignCluster, forged),
            encode(&Story::foreign().request),
        ),
    ];
    vectors.extend(encodings(&accepted, &story.cluster));
    vectors.insert(0, accepted);
    vectors
}
