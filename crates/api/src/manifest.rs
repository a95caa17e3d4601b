//! `POST /packages/download-manifest`: links to all files of packages and of everything beneath them.

mod format;
mod pages;
mod request;
mod response;
mod turns;

use std::{io, sync::Arc, time::Duration};

use authorize::db::{AccessRequest, Identity, TeamList, decide_access, list_claims_by_packages};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderMap, header};
use packages::{
    access::{AccessError, Claims, DatasetAccess, Member, ViewFiles},
    id::{DatasetNodeId, PackageNodeId},
    manifest::{ReadableDatasets, select_files},
};
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use crate::{App, Problem, audit, body::read_body, caller::MemberCaller, openapi, query::Query};
use format::ManifestFormat;
use pages::{ManifestPages, PageRange};
use request::parse_manifest_request;
use response::ManifestResponse;
use turns::ManifestTurn;

/// How long a whole stream may take. The links of its beginning end a little later.
const STREAM_TIMEOUT: Duration = Duration::from_mins(50);

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
    State(app): State<Arc<App>>,
    caller: MemberCaller,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let format = ManifestFormat::from_request(&query, &headers)?;
    let range = PageRange::from_query(&query)?;
    let request = parse_manifest_request(&read_body(&app, body).await?)?;
    let user = caller.member.user.node_id.clone();
    // Boxed: the handler's future would hold those of its statements.
    let access = Box::pin(find_readable_datasets(&app, caller, &query, &request.packages)).await?;
    let turn = ManifestTurn::begin(&user).await?;
    let selection = select_files(&app.db, &access, &request).await?;
    let mut pages = ManifestPages::new(app, access.clone(), selection, range, format);
    let links = pages.count_links();
    // Before the head of the response: a failure still has its status.
    let first = pages.next_chunk().await?.unwrap_or_default();
    audit::log_manifest_issued(&access, &request, links);
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
    MemberCaller { member, claims }: MemberCaller,
    query: &Query,
    packages: &[PackageNodeId],
) -> Result<ReadableDatasets, Problem> {
    let datasets = if query.get("dataset_id").is_some() {
        let dataset = query.dataset_id()?;
        tracing::Span::current().record("dataset", dataset.as_str());
        let claims = match claims.filter(|claims| claims.dataset.node_id == dataset) {
            Some(claims) => claims,
            None => Arc::new(find_claims(app, &member, &dataset).await?),
        };
        vec![check_access(&claims)?]
    } else {
        let claims = list_claims_by_packages(&app.db, &member, packages).await?;
        claims.iter().filter_map(|claims| check_access(claims).ok()).collect()
    };
    ReadableDatasets::new(datasets).ok_or_else(Problem::no_package)
}

/// The claims of a member on a dataset, in whatever workspace of theirs it is.
async fn find_claims(app: &App, member: &Member, dataset: &DatasetNodeId) -> Result<Claims, Problem> {
    let identity = Identity::from_member(member);
    let request = AccessRequest { identity: &identity, dataset, package: None, teams: TeamList::Omitted };
    let decision = decide_access(&app.db, request, None).await?;
    Ok(decision.result.map_err(|denial| {
        audit::log_dataset_denied(member, dataset, &denial);
        AccessError::OtherDataset
    })?)
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

/// A part of a streamed manifest.
enum StreamPart {
    Data(Bytes),
    /// The manifest is complete. A stream that ends without it was cut off.
    End,
}

/// A body that is made while the client receives it. If a page fails, or the client takes too long, the connection breaks:
/// so the client sees that the body is not complete.
fn stream_pages(pages: ManifestPages, first: Bytes, turn: ManifestTurn) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    let work = async move {
        let _turn = turn;
        if let Err(reason) = Box::pin(send_pages(pages, first, &sender)).await {
            tracing::warn!(reason, "a manifest was cut off");
        }
    };
    tokio::spawn(work.in_current_span());
    let parts = stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(StreamPart::Data(data)) => Some((Ok(data), Some(receiver))),
            Some(StreamPart::End) => None,
            None => Some((Err(io::Error::other("the manifest is not complete")), None)),
        }
    });
    Body::from_stream(Box::pin(parts))
}

/// Sends all pages. The error says why the stream was cut off.
async fn send_pages(
    mut pages: ManifestPages,
    first: Bytes,
    sender: &mpsc::Sender<StreamPart>,
) -> Result<(), &'static str> {
    let deadline = Instant::now() + STREAM_TIMEOUT;
    let mut part = StreamPart::Data(first);
    loop {
        let is_end = matches!(part, StreamPart::End);
        let latest = deadline.min(Instant::now() + RECEIVE_TIMEOUT);
        let sent = tokio::time::timeout_at(latest, sender.send(part)).await;
        sent.map_err(|_| "the client received nothing in time")?.map_err(|_| "the client disconnected")?;
        if is_end {
            return Ok(());
        }
        let chunk = pages.next_chunk().await;
        part = match chunk.inspect_err(Problem::log_cause).map_err(|_| "a page failed")? {
            Some(data) => StreamPart::Data(data),
            None => StreamPart::End,
        };
    }
}
