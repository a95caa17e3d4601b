//! Presigned links to files: what a client may ask of one, and what it gets.

use packages::{
    asset::AssetPath,
    file_name::Disposition,
    link_period::{MAX_LINK_SECONDS, MIN_LINK_SECONDS},
    links::{LinkRequest, LinkedFile},
    media_type::inline_media_type,
};
use serde::{Deserialize, Serialize};
use storage::{LinkSpec, Method, PresignedLink, ResponseHeaders};
use tokio::task::yield_now;
use utoipa::ToSchema;

use crate::{App, Problem, audit::LinkKind, query::Query};

/// Signatures of one request before other requests have their turn.
const SIGNATURES_PER_TURN: usize = 50;

/// A link and the file that it leads to. No `Debug`: it has the link.
#[derive(Serialize, ToSchema)]
#[schema(as = PresignedLink)]
pub(crate) struct PresignResponse {
    /// The link. Anyone who has it can read the object.
    #[schema(format = "uri")]
    pub(crate) presigned_url: String,
    /// When the link expires, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    pub(crate) expires_at: u64,
    /// The name under which the file is saved.
    #[schema(example = "recording.edf")]
    pub(crate) filename: String,
    /// The size of the file in bytes, if the database has it. It has no sizes of viewer assets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 75_161_927)]
    size: Option<u64>,
    /// The media type that the link sets. Without it, the object has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "image/png")]
    content_type: Option<&'static str>,
    /// The same object through `/proxy/s3`, which `GET`, `HEAD` and `Range` work with. It is there if the proxy allows the
    /// bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    pub(crate) proxy_url: Option<String>,
}

/// What a client asks of a link besides the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkOptions {
    pub(crate) disposition: Option<DispositionOption>,
    /// The least life of the link in seconds.
    pub(crate) lifetime: u16,
}

/// The values of the parameter `disposition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DispositionOption {
    /// A browser saves the file.
    Attachment,
    /// A browser shows the file.
    Inline,
}

impl LinkOptions {
    pub(crate) fn from_query(query: &Query) -> Result<Self, Problem> {
        let disposition = match query.get("disposition") {
            None => None,
            Some("attachment") => Some(DispositionOption::Attachment),
            Some("inline") => Some(DispositionOption::Inline),
            Some(_) => {
                return Err(Problem::invalid("query parameter 'disposition' must be attachment or inline"));
            }
        };
        Ok(Self { disposition, lifetime: parse_lifetime(query)? })
    }
}

/// `expires_in`.
pub(crate) fn parse_lifetime(query: &Query) -> Result<u16, Problem> {
    let lifetime = query.parse_number("expires_in", MIN_LINK_SECONDS..=MAX_LINK_SECONDS)?;
    Ok(lifetime.unwrap_or(MAX_LINK_SECONDS))
}

/// `package_id` and `path`.
pub(crate) fn parse_link_request(query: &Query) -> Result<LinkRequest, Problem> {
    let package = query.package_id()?;
    let path = query.get("path").map(AssetPath::parse).transpose()?;
    Ok(LinkRequest { package, path })
}

/// The headers of the answer that a link leads to. Source files are saved under their package's name, unless the client
/// wants to show them. Viewer assets are as they are stored, unless the client says otherwise.
pub(crate) fn response_headers(
    request: &LinkRequest,
    file: &LinkedFile,
    disposition: Option<DispositionOption>,
) -> Result<ResponseHeaders, Problem> {
    let default = request.path.is_none().then_some(DispositionOption::Attachment);
    let Some(disposition) = disposition.or(default) else { return Ok(ResponseHeaders::default()) };
    let (disposition, content_type) = match disposition {
        DispositionOption::Attachment => (Disposition::Attachment, None),
        DispositionOption::Inline => (Disposition::Inline, Some(require_inline_type(file)?)),
    };
    let content_disposition = Some(file.name.content_disposition(disposition));
    Ok(ResponseHeaders { content_disposition, content_type })
}

/// The media type is set with the disposition: the object's own could be one that runs script.
fn require_inline_type(file: &LinkedFile) -> Result<&'static str, Problem> {
    inline_media_type(file.name.as_str()).ok_or_else(|| {
        Problem::invalid(
            "disposition=inline is only for pictures, audio, video and plain text; use disposition=attachment",
        )
    })
}

/// Signs a link to a file.
pub(crate) async fn sign_link(
    app: &App,
    request: &LinkRequest,
    file: &LinkedFile,
    options: LinkOptions,
) -> Result<PresignResponse, Problem> {
    let headers = response_headers(request, file, options.disposition)?;
    let link = presign_file(app, file, &headers, options.lifetime).await?;
    Ok(PresignResponse {
        presigned_url: link.url().to_owned(),
        expires_at: link.expires_at(),
        filename: file.name.to_string(),
        size: file.size,
        content_type: headers.content_type,
        proxy_url: None,
    })
}

/// Signs the URL of a file, which works for at least `lifetime` seconds.
pub(crate) async fn presign_file(
    app: &App,
    file: &LinkedFile,
    headers: &ResponseHeaders,
    lifetime: u16,
) -> Result<PresignedLink, Problem> {
    let now = app.clock.now();
    let period = app.link_window.link_period(now, lifetime);
    let spec = LinkSpec { location: &file.location, method: Method::Get, period, headers };
    Ok(app.objects.presign(&spec, now).await?)
}

/// Called before each of many signatures, by its number: after some, other requests have their turn. A signature takes some
/// microseconds of the thread.
pub(crate) async fn yield_between_signatures(number: usize) {
    if number % SIGNATURES_PER_TURN == SIGNATURES_PER_TURN - 1 {
        yield_now().await;
    }
}

/// The kind of a link in the audit log.
pub(crate) fn link_kind(request: &LinkRequest) -> LinkKind<'static> {
    if request.path.is_some() { LinkKind::ViewerAsset } else { LinkKind::SourceFile }
}
