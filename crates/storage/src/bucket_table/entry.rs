//! One entry of a table: its members, and the checks of each.

use std::net::IpAddr;

use serde::Deserialize;
use signing::s3::{CustomEndpoint, Region};

use super::{BucketEntry, pattern::BucketPattern};
use aws::sts::RoleArn;

/// The members of an entry, as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryFields {
    bucket: String,
    region: Option<String>,
    endpoint: Option<String>,
    path_style: Option<bool>,
    role_arn: Option<String>,
    #[serde(default)]
    requester_pays: bool,
    #[serde(default)]
    proxy: bool,
}

impl EntryFields {
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| {
            // Texts about members name members. Others repeat values.
            let text = error.to_string();
            let is_about_members = ["unknown field", "missing field", "duplicate field"]
                .iter()
                .any(|start| text.starts_with(start));
            let text = text.split(" at line").next().unwrap_or_default().to_owned();
            if is_about_members { text } else { "a member has the wrong type".to_owned() }
        })
    }

    /// A bucket of another account, as `EXTERNAL_BUCKETS_ROLE_MAP` has them.
    pub(super) fn external(bucket: String, role_arn: String) -> Self {
        let (region, endpoint, path_style) = (None, None, None);
        Self {
            bucket,
            region,
            endpoint,
            path_style,
            role_arn: Some(role_arn),
            requester_pays: true,
            proxy: false,
        }
    }

    pub(super) fn into_entry(self, home: &Region) -> Result<BucketEntry, String> {
        let entry = BucketEntry {
            bucket: BucketPattern::parse(&self.bucket)?,
            region: self.region.map(|name| parse_region(&name, home)).transpose()?,
            endpoint: self.endpoint.map(|url| parse_endpoint(&url)).transpose()?,
            is_path_style: self.path_style,
            role: self.role_arn.map(|arn| parse_role(&arn, home)).transpose()?,
            is_requester_pays: self.requester_pays,
            is_proxied: self.proxy,
        };
        if let Some(endpoint) = &entry.endpoint {
            check_endpoint_use(&entry, &host_of(endpoint), home)?;
        }
        Ok(entry)
    }
}

/// Credentials work in one partition only, and so do links.
fn parse_region(name: &str, home: &Region) -> Result<Region, String> {
    let region = Region::new(name).map_err(|_| "region: expected a region such as us-east-1")?;
    if region.partition() != home.partition() {
        return Err("region: it is in another partition of AWS than the service".to_owned());
    }
    Ok(region)
}

fn parse_role(arn: &str, home: &Region) -> Result<RoleArn, String> {
    let role = RoleArn::new(arn).map_err(|error| format!("role_arn: {error}"))?;
    if role.partition() != home.partition() {
        return Err("role_arn: it is in another partition of AWS than the service".to_owned());
    }
    Ok(role)
}

fn parse_endpoint(url: &str) -> Result<CustomEndpoint, String> {
    let endpoint = CustomEndpoint::parse(url)
        .map_err(|_| "endpoint: expected https://HOST or https://HOST:PORT, without user, path or query")?;
    // A signed request may be repeated by who reads it on its way, and links have session tokens.
    if endpoint.to_string().starts_with("http://") && !is_loopback(&host_of(&endpoint)) {
        return Err("endpoint: http:// is only for this machine; use https://".to_owned());
    }
    Ok(endpoint)
}

/// A session token is for AWS. The proxy knows AWS's hosts and the endpoint of all buckets, and no others.
fn check_endpoint_use(entry: &BucketEntry, host: &str, home: &Region) -> Result<(), String> {
    // `.amazonaws.com` of `s3.us-east-1.amazonaws.com`.
    let regional = home.service_host("s3");
    let is_aws = regional.strip_prefix(&format!("s3.{home}")).is_some_and(|domain| host.ends_with(domain));
    if entry.role.is_some() && !is_aws && !is_loopback(host) {
        return Err("role_arn: the endpoint is not AWS's, and would get sessions of the role".to_owned());
    }
    if entry.is_proxied {
        return Err("proxy: it leads to no endpoint of a table, only to AWS's hosts and AWS_ENDPOINT_URL_S3"
            .to_owned());
    }
    Ok(())
}

/// The host without scheme and port.
fn host_of(endpoint: &CustomEndpoint) -> String {
    let url = endpoint.to_string();
    let authority = url.split_once("://").map_or("", |(_, authority)| authority);
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
