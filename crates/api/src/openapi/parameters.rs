//! What a request may carry besides its body. [`Query`](crate::query::Query) reads the query; here is what it accepts.

use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{
        Object, ObjectBuilder, Required, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

/// Names parameters for `#[utoipa::path(params(..))]`, which takes types.
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
    /// Which dataset.
    Dataset = required(query("dataset_id", "The node id of the dataset. The caller's role there decides.",
        node_id("^N:dataset:[A-Za-z0-9-]+$", "N:dataset:03abba63-a5f0-48a2-88b6-6761358892ac")));
    /// Which package.
    Package = required(query("package_id", "The node id of a package or a collection in the dataset.",
        node_id("^N:(package|collection):[A-Za-z0-9-]+$", "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")));
    /// Which folder.
    Parent = query("parent", "The node id of a folder in the dataset, live or in the trash.",
        node_id("^N:(package|collection):[A-Za-z0-9-]+$", "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11"));
    /// Where a page begins.
    Cursor = query("cursor", "The `next` of the page before. Its content is not described.", text().max_length(Some(1400)));
    /// How large a page is.
    Limit = query("limit", "How many packages a page has at most: 100 if nothing is said, and at most 100 with `outlook`.",
        Object::builder().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1000)));
    /// Whether S3 is asked.
    Outlook = query("outlook", "`true` asks S3 what it still has of each file, and until when; it takes up to 10 seconds.",
        text().enum_values(Some(["true", "false"])));
    /// Which of a package's viewer assets.
    Asset = required(query("path", format!("The path of a viewer asset in the package. {ASSET_RULE}"),
        asset_path().min_length(Some(1))));
    /// Which of a package's viewer assets, if not its file.
    AssetOrFile = query("path", format!("The path of a viewer asset in the package; without it the package's newest \
        source file is meant. {ASSET_RULE}"), asset_path());
    /// How to be told.
    Redirect = query("redirect", "`false` asks for JSON; anything else, and nothing, for a redirect.",
        text().examples([json!("false")]));
    /// Whether to order, or to tell what an order would do.
    DryRun = query("dry_run", "`true` tells what an order would bring back, and orders nothing.",
        text().enum_values(Some(["true", "false"])));
    /// A presigned URL.
    PresignedUrl = required(query("presigned_url", "A complete, unexpired presigned URL (Signature Version 4) of an \
        object in a listed bucket. It must be percent-encoded whole, and is the only query parameter here.",
        text().format(Some(SchemaFormat::Custom("uri".to_owned()))).examples([json!(EXAMPLE_URL)])));
    /// A part of an object.
    Range = header("Range", "One range of bytes (RFC 9110, section 14). Anything else is ignored.",
        text().examples([json!("bytes=0-1023")]));
}

/// A request's id, which every endpoint takes.
pub(crate) fn request_id() -> Parameter {
    let rule = "The request's id: up to 128 letters, digits and `-_.:+/=`. Anything else is replaced by a new one; behind \
                API Gateway the gateway's own id counts.";
    let example = json!("6f0f9b7e-0d0c-4a5c-9b42-0f5f0c0f7d11");
    header("X-Request-Id", rule, text().examples([example])).build()
}

const ASSET_RULE: &str = "No segment is empty, `.` or `..`; there is no backslash, `*`, `?`, percent escape or control \
    character; it has up to 985 bytes in UTF-8.";

const EXAMPLE_URL: &str = "https://open-data.s3.us-east-1.amazonaws.com/a.parquet?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T111850Z\
    &X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=1a59a6f26aa5d60ce592a0a0c2cbeeb8be3ed61768ff30751fbbc404bf1b29b4";

fn query(name: &str, rule: impl Into<String>, schema: ObjectBuilder) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
    parameter.required(Required::False).description(Some(rule)).schema(Some(schema.build()))
}

fn header(name: &str, rule: &str, schema: ObjectBuilder) -> ParameterBuilder {
    query(name, rule, schema).parameter_in(ParameterIn::Header)
}

fn required(parameter: ParameterBuilder) -> ParameterBuilder {
    parameter.required(Required::True)
}

fn text() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}

fn node_id(pattern: &str, example: &str) -> ObjectBuilder {
    text().pattern(Some(pattern)).max_length(Some(255)).examples([json!(example)])
}

fn asset_path() -> ObjectBuilder {
    const PATTERN: &str = concat!(
        r"^(?!(.*/)?\.{1,2}(/|$))",                  // no segment is `.` or `..`
        r"(?!.*%[0-9A-Fa-f]{2})",                    // no percent escape
        r"[^/\\*?\u0000-\u001f\u007f-\u009f]+",      // one segment
        r"(/[^/\\*?\u0000-\u001f\u007f-\u009f]+)*$", // and more
    );
    text().pattern(Some(PATTERN)).max_length(Some(985)).examples([json!("image.ome.zarr/0/0/0/0")])
}
