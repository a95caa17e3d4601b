//! `POST /packages/presign/s3`: links to many files in one call.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use packages::{
    access::ViewFiles,
    asset::AssetPath,
    id::PackageNodeId,
    links::{LinkRequest, LinkedFile, find_linked_files},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    App, Problem, audit,
    body::read_body,
    caller::Caller,
    links::{
        DispositionOption, LinkOptions, PresignResponse, parse_lifetime, sign_link, yield_between_signatures,
    },
    openapi,
    problem::ItemProblem,
    query::Query,
    response_size::json_string_length,
};

/// The largest number of items in one request.
const MAX_ITEMS: usize = 1000;

/// The files that links are requested for.
#[derive(Deserialize, ToSchema)]
#[schema(as = BatchRequest)]
pub(crate) struct BatchRequest<'a> {
    /// Up to 1,000 files, which may be repeated.
    #[serde(borrow)]
    #[schema(value_type = Vec<BatchItem>, max_items = 1000)]
    items: Vec<&'a RawValue>,
}

/// One file.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BatchItem {
    /// The node id of a package in the dataset.
    #[schema(example = "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")]
    package_id: String,
    /// The path of a viewer asset in the package. Without it, the link is for the package's newest source file.
    path: Option<String>,
    /// What a browser does with the file.
    disposition: Option<DispositionOption>,
}

/// The links, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchResponse {
    /// One item for each of the request.
    items: Vec<BatchItemResponse>,
}

/// A link, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum BatchItemResponse {
    /// The link. It has no `proxy_url`: a thousand of them are too much for one answer of a function.
    Link(PresignResponse),
    /// Why there is no link.
    Failure {
        /// The problem, as the response of a single request has it.
        problem: ItemProblem,
    },
}

/// An item, parsed.
struct ParsedItem {
    request: LinkRequest,
    disposition: Option<DispositionOption>,
}

/// Signs links to up to 1,000 files
///
/// The response has one item for each of the request, in the same order: a link, or the problem of this file. An item that
/// is not valid does not affect the others.
#[utoipa::path(
    post, path = "/presign/s3", tag = "links", operation_id = "presignS3Batch", security(("bearer" = [])),
    params(openapi::DatasetIdParam, openapi::ExpiresInParam),
    request_body(content = BatchRequest<'_>, description = "Up to 1 MiB, within 10 seconds"),
    responses(
        (status = OK, description = "A link or a problem for each item", body = BatchResponse),
        openapi::PrivateRouteProblems,
        openapi::RequestBodyProblems,
    ),
)]
pub(crate) async fn post_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let lifetime = parse_lifetime(&query)?;
    let parsed = parse_batch(&read_body(&app, body).await?)?;
    let requests: Vec<&LinkRequest> = parsed.iter().flatten().map(|item| &item.request).collect();
    let mut files = find_linked_files(&app.db, &access, &app.viewer_assets, &requests).await?.into_iter();
    let mut items = Vec::with_capacity(parsed.len());
    let mut linked = Vec::with_capacity(parsed.len());
    for (number, item) in parsed.iter().enumerate() {
        yield_between_signatures(number).await;
        let result = match item {
            Ok(item) => match files.next() {
                Some(Ok(file)) => sign_item(&app, item, file, lifetime).await,
                Some(Err(error)) => Err(error.into()),
                None => Err(Problem::internal("an item has no result")),
            },
            Err(problem) => Err(problem.clone()),
        };
        if let (Ok(item), Ok(link)) = (item, &result) {
            linked.push((&item.request, link.expires_at));
        }
        items.push(result.into());
    }
    let body = serde_json::to_vec(&BatchResponse { items })
        .map_err(|_| Problem::internal("a batch is not serializable"))?;
    if app.max_response_bytes.is_some_and(|most| json_string_length(&body) > most) {
        return Err(Problem::too_large("the links are too large for one response; request fewer at a time"));
    }
    audit::log_links_issued(&access, &linked);
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}

async fn sign_item(
    app: &App,
    item: &ParsedItem,
    file: LinkedFile,
    lifetime: u16,
) -> Result<PresignResponse, Problem> {
    let options = LinkOptions { disposition: item.disposition, lifetime };
    sign_link(app, &item.request, &file, options).await
}

/// Parses the body. Each item is parsed by itself, so that one of the wrong form is one failure.
fn parse_batch(body: &[u8]) -> Result<Vec<Result<ParsedItem, Problem>>, Problem> {
    let request: BatchRequest<'_> = serde_json::from_slice(body).map_err(|_| {
        Problem::invalid(r#"the body must be JSON of the form {"items": [{"package_id": "N:package:…"}]}"#)
    })?;
    if request.items.len() > MAX_ITEMS {
        return Err(Problem::too_large(format!("one request may have up to {MAX_ITEMS} items")));
    }
    Ok(request.items.into_iter().map(parse_item).collect())
}

fn parse_item(json: &RawValue) -> Result<ParsedItem, Problem> {
    let item: BatchItem = serde_json::from_str(json.get()).map_err(|_| {
        Problem::invalid(
            "an item must be an object with 'package_id', and optionally 'path' and 'disposition' (attachment or inline)",
        )
    })?;
    let package = PackageNodeId::parse(&item.package_id)
        .map_err(|error| Problem::invalid(format!("'package_id' is {error}")))?;
    let path = item.path.filter(|path| !path.is_empty());
    let path = path.as_deref().map(AssetPath::parse).transpose()?;
    Ok(ParsedItem { request: LinkRequest { package, path }, disposition: item.disposition })
}

impl From<Result<PresignResponse, Problem>> for BatchItemResponse {
    fn from(result: Result<PresignResponse, Problem>) -> Self {
        match result {
            Ok(link) => Self::Link(link),
            Err(problem) => Self::Failure { problem: problem.into_item() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses of the items: 200 for a valid one.
    fn statuses(body: &str) -> Result<Vec<u16>, u16> {
        let parsed = parse_batch(body.as_bytes()).map_err(|problem| problem.status().as_u16())?;
        let status = |item: &Result<ParsedItem, Problem>| {
            item.as_ref().map_or_else(|problem| problem.status().as_u16(), |_| 200)
        };
        Ok(parsed.iter().map(status).collect())
    }

    #[test]
    fn a_bad_item_does_not_affect_the_others() {
        let body = r#"{"items": [
            {"package_id": "N:package:1"}, 7, null, [], "N:package:1", {}, {"package_id": 1}, {"package_id": "N:user:1"},
            {"package_id": "N:package:1", "path": "../x"}, {"package_id": "N:package:1", "disposition": "shown"},
            {"package_id": "N:package:1", "path": "a/b", "disposition": "inline", "other": true},
            {"package_id": "N:package:1", "path": null, "disposition": null}, {"package_id": "N:package:1", "path": ""}
        ]}"#;
        let bad = 400;
        let expected = vec![200, bad, bad, bad, bad, bad, bad, bad, bad, bad, 200, 200, 200];
        assert_eq!(statuses(body), Ok(expected));
    }

    #[test]
    fn a_body_of_another_form_is_invalid() {
        for body in
            ["", "null", "[]", "{}", r#"{"items": {}}"#, r#"{"items": null}"#, r#"{"items": [1"#, "\u{0}"]
        {
            assert_eq!(statuses(body), Err(400), "{body}");
        }
        assert_eq!(statuses(r#"{"items": []}"#), Ok(vec![]));
    }

    #[test]
    fn a_request_has_at_most_1000_items() {
        let body = |count: usize| format!(r#"{{"items": [{}]}}"#, vec!["0"; count].join(","));
        assert_eq!(statuses(&body(1000)).unwrap().len(), 1000);
        assert_eq!(statuses(&body(1001)), Err(413));
    }
}
