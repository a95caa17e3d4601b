//! The parameters of all endpoints, as documented. [`Query`](crate::query::Query) parses them.

use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{
        Object, ObjectBuilder, Required, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

/// Defines a type for each parameter: `#[utoipa::path(params(..))]` takes types.
macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident = $parameter:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$parameter.build()]
            }
        }
    )+};
}

parameters! {
    /// The dataset.
    DatasetIdParam = required_param(query_param("dataset_id",
        "The node id of the dataset. The caller's role in it decides what is allowed.",
        node_id_schema("^N:dataset:[A-Za-z0-9-]+$", "N:dataset:03abba63-a5f0-48a2-88b6-6761358892ac")));
    /// The dataset, if the packages must be in it.
    OptionalDatasetIdParam = query_param("dataset_id",
        "The node id of the dataset that has the packages. Without it, they may be in several datasets of the caller's \
        workspace, and those in datasets that the caller may not read count as not found.",
        node_id_schema("^N:dataset:[A-Za-z0-9-]+$", "N:dataset:03abba63-a5f0-48a2-88b6-6761358892ac"));
    /// The position of a page of the manifest.
    ManifestCursorParam = query_param("cursor", "The `next` value of the previous page. Its content is opaque.",
        string_schema().max_length(Some(64)));
    /// The size of a page of the manifest.
    ManifestLimitParam = query_param("limit",
        "The largest number of files in the response. Without it, the response has all files.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(10_000)));
    /// The form of the manifest.
    ManifestFormatParam = query_param("format", "The form of the response, in place of `Accept`.",
        string_schema().enum_values(Some(["json", "ndjson", "aria2"])));
    /// A package.
    PackageIdParam = required_param(query_param("package_id", "The node id of a package or a collection in the dataset.",
        node_id_schema("^N:(package|collection):[A-Za-z0-9-]+$", "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")));
    /// The folder to list.
    ParentParam = query_param("parent", "The node id of a folder in the dataset. The folder may be in the trash.",
        node_id_schema("^N:(package|collection):[A-Za-z0-9-]+$", "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11"));
    /// The folder whose packages are listed.
    FolderParam = query_param("parent", "The node id of a folder in the dataset. It is not in the trash.",
        node_id_schema("^N:(package|collection):[A-Za-z0-9-]+$", "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11"));
    /// The order of a list.
    SortParam = query_param("sort", "The order: by name, which is the default, or by name from the last to the first. A \
        cursor is good for one of them.",
        string_schema().enum_values(Some(["name", "-name"])));
    /// The workspace whose datasets are listed.
    WorkspaceParam = query_param("workspace",
        "The number of a workspace that the caller belongs to. The default is the one that they are active in.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(i32::MAX)));
    /// The position of a page.
    CursorParam = query_param("cursor", "The `next` value of the previous page. Its content is opaque.",
        string_schema().max_length(Some(1400)));
    /// The size of a page.
    LimitParam = query_param("limit",
        "The largest number of packages in a page. The default is 100. With `outlook`, the maximum is 100.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000)));
    /// The size of a page of a folder.
    PageLimitParam = query_param("limit",
        "The largest number of packages in a page. The default is 100.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000)));
    /// The size of a page of datasets.
    DatasetLimitParam = query_param("limit",
        "The largest number of datasets in a page. The default is 100.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000)));
    /// The size of a page of viewer assets.
    AssetLimitParam = query_param("limit",
        "The largest number of viewer assets and directories in a page. The default is 1000.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000)));
    /// The position of a page of viewer assets.
    AssetCursorParam = query_param("cursor",
        "The `next` value of the previous page of the same directory. Its content is opaque.",
        string_schema().max_length(Some(6000)));
    /// A directory of viewer assets.
    AssetDirectoryParam = query_param("path", format!("The path of a directory of viewer assets, with a slash at its end. \
        {ASSET_RULE}"), asset_path_schema(DIRECTORY_PATTERN, "image.ome.zarr/"));
    /// Whether to check the files in S3.
    OutlookParam = query_param("outlook",
        "`true` checks in S3 whether each file can be restored, and until when. This takes up to 10 seconds.",
        string_schema().enum_values(Some(["true", "false"])));
    /// A viewer asset, or a directory.
    AssetOrDirectoryParam = query_param("path", format!("The path of a viewer asset in the package or, with a slash at its \
        end, of a directory. Without it, the link is for all viewer assets of the package. {ASSET_RULE}"),
        asset_path_schema(ASSET_OR_DIRECTORY_PATTERN, "image.ome.zarr/"));
    /// Whether to set cookies.
    CookiesParam = query_param("cookies", "`set` also sets the cookies of a link to a directory, for the path of \
        `resource`. The CDN must share the service's host or its domain.",
        string_schema().pattern(Some("^(set)?$")).examples([json!("set")]));
    /// A viewer asset, or the source file.
    OptionalAssetPathParam = query_param("path", format!("The path of a viewer asset in the package. Without it, the \
        link is for the package's newest source file. {ASSET_RULE}"), asset_path_schema(ASSET_PATTERN, "image.ome.zarr/0/0/0/0"));
    /// The form of the response.
    RedirectParam = query_param("redirect",
        "`true` or `1` redirects, `false` or `0` returns the link as JSON, or as text with `Accept: text/plain`. Without it, \
        the response is a redirect, unless the client accepts nothing but JSON or plain text.",
        string_schema().pattern(Some("^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)$")).examples([json!("false")]));
    /// What a browser does with a file.
    DispositionParam = query_param("disposition",
        "`attachment` saves the file under its package's name, which is the default for source files. `inline` shows it in \
        the browser; it is only for pictures, audio, video and plain text.",
        string_schema().enum_values(Some(["attachment", "inline"])));
    /// The life of a link.
    ExpiresInParam = query_param("expires_in",
        "How long the link works at least, in seconds. The default is 3600. By default it works for up to a twelfth longer.",
        Object::builder().schema_type(Type::Integer).minimum(Some(60)).maximum(Some(3600)));
    /// Whether to preview the order.
    DryRunParam = query_param("dry_run", "`true` returns what an order would restore, and orders nothing.",
        string_schema().enum_values(Some(["true", "false"])));
    /// A presigned URL.
    PresignedUrlParam = required_param(query_param("presigned_url", "A complete, unexpired presigned URL (Signature Version \
        4) of an object in an allowed bucket. It must be percent-encoded. No other query parameter is allowed.",
        string_schema().format(Some(SchemaFormat::Custom("uri".to_owned()))).examples([json!(EXAMPLE_URL)])));
    /// A part of an object.
    RangeHeaderParam = header_param("Range", "A single range of bytes (RFC 9110, section 14). Anything else is ignored.",
        string_schema().examples([json!("bytes=0-1023")]));
}

/// The conditions of a request for an object.
pub(crate) struct ConditionParams;

impl IntoParams for ConditionParams {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        const TAG: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";
        const DATE: &str = "Sat, 24 Oct 2026 10:00:00 GMT";
        let conditions = [
            ("If-Match", "412 if the object's `ETag` is none of these (RFC 9110, section 13).", TAG),
            ("If-None-Match", "304 if the object's `ETag` is one of these.", TAG),
            ("If-Modified-Since", "304 if the object is not newer. `If-None-Match` counts before it.", DATE),
            ("If-Unmodified-Since", "412 if the object is newer. `If-Match` counts before it.", DATE),
            ("If-Range", "`Range` is ignored if the object has another `ETag` or `Last-Modified`.", TAG),
        ];
        let parameter = |(name, rule, example)| {
            header_param(name, rule, string_schema().examples([json!(example)])).build()
        };
        conditions.map(parameter).into()
    }
}

/// The parameter of paths that end in a file's name.
pub(super) const FILE_NAME_PARAMETER: &str = "name";

/// The last segment of a path that ends in a file's name.
pub(super) fn file_name_param() -> Parameter {
    let rule = "Any name. The service ignores it; clients name the files that they save after it.";
    let parameter = query_param(
        FILE_NAME_PARAMETER,
        rule,
        string_schema().min_length(Some(1)).examples([json!("scan.bam.bai")]),
    );
    required_param(parameter.parameter_in(ParameterIn::Path)).build()
}

/// The request id, a parameter of every endpoint.
pub(crate) fn request_id_param() -> Parameter {
    let rule = "The request's id: up to 128 letters, digits and `-_.:+/=`. Any other value is replaced by a new id. Behind \
                API Gateway, the gateway's own id replaces it.";
    let example = json!("6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11");
    header_param("X-Request-Id", rule, string_schema().examples([example])).build()
}

const ASSET_RULE: &str = "No segment may be empty, `.` or `..`. Backslashes, `*`, `?`, percent escapes and control \
    characters are not allowed. At most 985 bytes in UTF-8.";

const EXAMPLE_URL: &str = "https://open-data.s3.us-east-1.amazonaws.com/a.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T111850Z\
    &X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=1a59a6f26aa5d60ce592a0a0c2cbeeb8be3ed61768ff30751fbbc404bf1b29b4";

fn query_param(name: &str, rule: impl Into<String>, schema: ObjectBuilder) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
    parameter.required(Required::False).description(Some(rule)).schema(Some(schema.build()))
}

fn header_param(name: &str, rule: &str, schema: ObjectBuilder) -> ParameterBuilder {
    query_param(name, rule, schema).parameter_in(ParameterIn::Header)
}

fn required_param(parameter: ParameterBuilder) -> ParameterBuilder {
    parameter.required(Required::True)
}

fn string_schema() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}

fn node_id_schema(pattern: &str, example: &str) -> ObjectBuilder {
    string_schema().pattern(Some(pattern)).max_length(Some(255)).examples([json!(example)])
}

/// One segment and more, without `.`, `..` and percent escapes. It mirrors `packages::asset`, which decides.
macro_rules! asset_pattern {
    ($end:literal) => {
        concat!(
            r"^(?!(.*/)?\.{1,2}(/|$))",                 // no segment is `.` or `..`
            r"(?!.*%[0-9A-Fa-f]{2})",                   // no percent escape
            r"[^/\\*?\u0000-\u001f\u007f-\u009f]+",     // one segment
            r"(/[^/\\*?\u0000-\u001f\u007f-\u009f]+)*", // and more
            $end,
        )
    };
}

const ASSET_PATTERN: &str = asset_pattern!("$");
const DIRECTORY_PATTERN: &str = asset_pattern!("/$");
const ASSET_OR_DIRECTORY_PATTERN: &str = asset_pattern!("/?$");

fn asset_path_schema(pattern: &str, example: &str) -> ObjectBuilder {
    string_schema().pattern(Some(pattern)).max_length(Some(985)).examples([json!(example)])
}
