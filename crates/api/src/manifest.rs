//! `POST /packages/download-manifest`: links to all files of packages and of everything beneath them.

mod format;
mod pages;
mod request;
mod response;

use std::time::Duration;

use authorize::db::{find_claims, list_claims_by_packages};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderMap, header};
use packages::{
    access::{AccessError, Claims, DatasetAccess, Member, ViewFiles},
    id::PackageNodeId,
    manifest::{ReadableDatasets, select_files},
};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tracing::Instrument;

use crate::{App, Problem, audit, body::read_body, caller::MemberCaller, openapi, query::Query};
use format::ManifestFormat;
use pages::{ManifestPages, PageRange};
use request::parse_manifest_request;
use response::ManifestResponse;

/// How many manifests a process makes at once. Each holds a few megabytes.
const MAX_MANIFESTS: usize = 8;

static MANIFESTS: Semaphore = Semaphore::const_new(MAX_MANIFESTS);

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to receive one part of the response.
const RECEIVE_TIMEOUT: Duration = Duration::from_mins(1);

/// Lists links to all files of packages and of everything beneath them
///
/// The response is a stream of up to 100,000 files, ordered by folder, package and file id. `header` has the totals of all
/// files, and the time until which all links work. A file that did not pass the malware scan is in `blocked`, without a
/// link. A package that is unknown, in the trash, being restored or not uploaded yet is in `skipped`. `path` has the names of
/// the folders from the requested package down. Names are safe in a file system.
///
/// With `limit`, the response is a page, and `next` is the `cursor` of the next one. In AWS a response has at most 5 MB: a
/// page may end before its limit, and a manifest without `limit` that is larger is 413.
///
/// `Accept: application/x-ndjson` or `format=ndjson` returns one JSON value in each line: the header, the files as in `data`,
/// and at last `blocked`, `skipped` and `next`. `Accept: application/x-aria2-input` or `format=aria2` returns an input file
/// for aria2, which downloads the files into their folders.
#[utoipa::path(
    post, path = "/download-manifest", tag = "links", operation_id = "downloadManifest", security(("bearer" = [])),
    params(
        openapi::OptionalDatasetIdParam, openapi::ManifestLimitParam, openapi::ManifestCursorParam,
        openapi::ManifestFormatParam, openapi::ExpiresInParam,
    ),
    request_body(content = request::ManifestBody, description = "Up to 1 MiB, within 10 seconds"),
    responses(
        (status = OK, description = "The manifest", content(
            (ManifestResponse = "application/json"), (String = "application/x-ndjson"), (String = "text/plain"),
        )),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
        openapi::RequestBodyProblems,
    ),
)]
pub(crate) async fn post_manifest(
    State(app): State<App>,
    MemberCaller(member): MemberCaller,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let format = ManifestFormat::from_request(&query, &headers)?;
    let range = PageRange::from_query(&query)?;
    let request = parse_manifest_request(&read_body(body).await?)?;
    let access = find_readable_datasets(&app, member, &query, &request.node_ids).await?;
    let turn = tokio::time::timeout(TURN_TIMEOUT, MANIFESTS.acquire()).await;
    let Ok(Ok(turn)) = turn else { return Err(Problem::unavailable("too many manifests at once")) };
    let selection = select_files(&app.db, &access, &request).await?;
    audit::log_manifest_issued(&access, &request, selection.files.len());
    let mut pages = ManifestPages::new(app, access, selection, range, format);
    // Before the head of the response: a failure still has its status.
    let first = pages.next_chunk().await?.unwrap_or_default();
    let body = if pages.is_limited() {
        Box::pin(collect_pages(pages, first)).await?
    } else {
        stream_pages(pages, first, turn)
    };
    Ok(([(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

/// The datasets that have the packages and that the caller may read.
async fn find_readable_datasets(
    app: &App,
    member: Member,
    query: &Query,
    node_ids: &[String],
) -> Result<ReadableDatasets, Problem> {
    let datasets = if query.get("dataset_id").is_some() {
        let dataset = query.dataset_id()?;
        tracing::Span::current().record("dataset", dataset.as_str());
        let claims = find_claims(&app.db, member, &dataset).await?;
        vec![check_access(&claims.ok_or(AccessError::OtherDataset)?)?]
    } else {
        let packages: Vec<PackageNodeId> =
            node_ids.iter().filter_map(|node_id| PackageNodeId::parse(node_id).ok()).collect();
        let claims = list_claims_by_packages(&app.db, &member, &packages).await?;
        claims.iter().filter_map(|claims| check_access(claims).ok()).collect()
    };
    ReadableDatasets::new(datasets).ok_or_else(Problem::no_package)
}

fn check_access(claims: &Claims) -> Result<DatasetAccess<ViewFiles>, AccessError> {
    DatasetAccess::check(claims, &claims.dataset.node_id).inspect_err(|error| {
        audit::log_access_refused(claims, &claims.dataset.node_id, *error);
    })
}

/// The whole body, for a host that returns responses at once.
async fn collect_pages(mut pages: ManifestPages, first: Bytes) -> Result<Body, Problem> {
    let mut body = Vec::from(first);
    while let Some(chunk) = pages.next_chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(Body::from(body))
}

/// A body that is made while the client receives it. If a page fails, the connection breaks: the client sees that the body is
/// not complete.
fn stream_pages(mut pages: ManifestPages, first: Bytes, turn: SemaphorePermit<'static>) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Problem>>(1);
    let work = async move {
        let _turn = turn;
        let mut chunk = Ok(Some(first));
        while let Some(part) = chunk.transpose() {
            let is_failed = part.is_err();
            // A client that receives nothing must not hold the selection for ever.
            let sent = tokio::time::timeout(RECEIVE_TIMEOUT, sender.send(part)).await;
            if is_failed || !matches!(sent, Ok(Ok(()))) {
                break;
            }
            chunk = pages.next_chunk().await;
        }
    };
    tokio::spawn(work.in_current_span());
    let parts = stream::unfold(receiver, async |mut receiver| {
        let part = receiver.recv().await?;
        Some((part.map_err(|_| std::io::Error::other("the manifest is not complete")), receiver))
    });
    Body::from_stream(Box::pin(parts))
}
