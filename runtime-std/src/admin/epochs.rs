//! `/api/v1/epochs?from=&limit=`: what was decided, from the chronicle that
//! clients are served from.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use butterfly_kernel::types::Epoch;
use butterfly_kernel::wire;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::api::VERSION;
use crate::access::{Answer, Told};
use crate::history::Entry;
use crate::protocol::path_name;

/// Epochs of one answer, if it is not said how many.
const USUAL: usize = 50;
/// And at most.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    /// The first epoch [default: the first that is kept].
    from: Option<u64>,
    /// 1 to [`MOST`].
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct EpochsReport {
    version: u32,
    epochs: Vec<EpochReport>,
    /// Where to go on; there may be nothing yet.
    next: u64,
}

#[derive(Serialize)]
struct EpochReport {
    epoch: u64,
    view: u32,
    path: &'static str,
    /// The value that was decided.
    value: String,
    /// How many were added; none where the node caught up.
    tokens: usize,
    latency_us: Option<u64>,
}

pub(super) async fn epochs(
    State(admin): State<Arc<Admin>>,
    Query(range): Query<Range>,
) -> Result<Json<EpochsReport>, (StatusCode, String)> {
    let limit = range.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err((StatusCode::BAD_REQUEST, format!("`limit` may be 1 to {MOST}, not {limit}\n")));
    }
    let from = range.from.unwrap_or_default();
    let failed = |why: String| (StatusCode::INTERNAL_SERVER_ERROR, why);
    let read = |(_, told): Entry| match wire::decode(&told) {
        Ok(Answer::Told(told)) => Ok(EpochReport::new(&told)),
        _ => Err(failed("an epoch that cannot be read\n".into())),
    };
    let kept = admin.chronicle.range(Epoch(from), limit).map_err(|error| failed(format!("{error:#}\n")))?;
    let epochs = kept.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let next = epochs.last().map_or(from, |last| last.epoch + 1);
    Ok(Json(EpochsReport { version: VERSION, epochs, next }))
}

impl EpochReport {
    fn new(told: &Told) -> EpochReport {
        let certificate = &told.decided.certificate;
        EpochReport {
            epoch: told.decided.header.epoch.0,
            view: certificate.ballot.view.0,
            path: path_name(certificate.path),
            value: certificate.ballot.value.to_string(),
            tokens: told.tokens.len(),
            latency_us: told.latency_us,
        }
    }
}
