//! Whether the places are to be reached at all: a name that resolves, and a port that answers in time.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::future::join_all;
use http::Uri;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use crate::report::Check;

/// How long a name may take to be resolved, and a connection to be made.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A place that the service talks to.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    host: String,
    port: u16,
}

impl Endpoint {
    pub(crate) fn new(name: &'static str, host: &str, port: u16) -> Self {
        Self { name, host: host.to_owned(), port }
    }

    /// Of a URL, whose scheme tells the port where it has none.
    pub(crate) fn of_url(name: &'static str, url: &str) -> Option<Self> {
        let uri: Uri = url.split('?').next()?.parse().ok()?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        Some(Self::new(name, uri.host()?, port))
    }
}

/// Which endpoints answered, by name.
#[derive(Debug, Default)]
pub(crate) struct Reached(BTreeSet<&'static str>);

impl Reached {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// Looks at all endpoints at once.
pub(crate) async fn check_endpoints(endpoints: Vec<Endpoint>) -> (Vec<Check>, Reached) {
    let looked = join_all(endpoints.iter().map(look_at)).await;
    let reached = endpoints.iter().zip(&looked).filter(|(_, found)| found.is_ok());
    let reached = Reached(reached.map(|(endpoint, _)| endpoint.name).collect());
    let checks = endpoints.iter().zip(looked).map(|(endpoint, found)| match found {
        Ok(found) => Check::ok(endpoint.name, found),
        // The service itself never asks the distribution: it only makes links to it.
        Err((found, advice)) if endpoint.name == "cdn" => Check::warning(endpoint.name, found, advice),
        Err((found, advice)) => Check::failure(endpoint.name, found, advice),
    });
    (checks.collect(), reached)
}

/// What was found, or what was not and what to do.
async fn look_at(endpoint: &Endpoint) -> Result<String, (String, String)> {
    let Endpoint { name, host, port } = endpoint;
    let place = format!("{host}:{port}");
    let addresses = timeout(TIMEOUT, lookup_host((host.as_str(), *port))).await;
    let resolved = match addresses {
        Ok(Ok(addresses)) => addresses.collect::<Vec<SocketAddr>>(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => {
            let found = format!("{host} is not resolved within {} s", TIMEOUT.as_secs());
            return Err((found, "the name server does not answer: is DNS on in the network?".to_owned()));
        }
    };
    if resolved.is_empty() {
        let advice = format!("is the name right? {}", dns_advice(name));
        return Err((format!("{host} does not resolve"), advice));
    }
    let begun = Instant::now();
    match timeout(TIMEOUT, connect_any(&resolved)).await {
        Ok(Ok(address)) => {
            let way = if is_private(address.ip()) { "a private address" } else { "a public address" };
            Ok(format!("{place} at {}, {way}, in {} ms", address.ip(), begun.elapsed().as_millis()))
        }
        Ok(Err(error)) => Err((format!("{place} refuses connections: {}", error.kind()), port_advice(name))),
        Err(_) => Err((format!("{place} does not answer within {} s", TIMEOUT.as_secs()), way_advice(name))),
    }
}

/// The first address that answers.
async fn connect_any(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(*address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

fn dns_advice(name: &str) -> &'static str {
    match name {
        "database" => "RDS_PROXY_ENDPOINT or POSTGRES_HOST names it",
        "cdn" => "CLOUDFRONT_DISTRIBUTION_DOMAIN names it",
        _ => "REGION decides it; a VPC endpoint needs private DNS",
    }
}

fn port_advice(name: &str) -> String {
    match name {
        "database" => "is the port right (POSTGRES_PORT), and is the database up?".to_owned(),
        _ => "is the address right, and is the service up?".to_owned(),
    }
}

fn way_advice(name: &str) -> String {
    match name {
        "database" => {
            "let the security group of the database in from that of the functions, at this port".to_owned()
        }
        "cdn" => {
            "only this check and clients need it: from a private subnet it takes a NAT gateway".to_owned()
        }
        "s3" | "dynamodb" => {
            "from a private subnet it takes a NAT gateway, or a gateway endpoint with a route to it"
                .to_owned()
        }
        "cognito" => "from a private subnet it takes a NAT gateway".to_owned(),
        _ => format!(
            "from a private subnet it takes a NAT gateway, or a VPC endpoint for {name} whose security group lets port \
             443 in"
        ),
    }
}
