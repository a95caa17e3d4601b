//! Whether endpoints are reachable: their names resolve, and their ports answer in time.

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

/// How long a DNS query may take, and how long a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Something that the service connects to.
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

    /// The endpoint of a URL. Without a port, the scheme's default applies.
    pub(crate) fn from_url(name: &'static str, url: &str) -> Option<Self> {
        let uri: Uri = url.split('?').next()?.parse().ok()?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        Some(Self::new(name, uri.host()?, port))
    }
}

/// The names of the endpoints that are reachable.
#[derive(Debug, Default)]
pub(crate) struct ReachableEndpoints(BTreeSet<&'static str>);

impl ReachableEndpoints {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// Why an endpoint is not reachable, and what to do.
struct Unreachable {
    found: String,
    advice: String,
}

/// Checks all endpoints at once.
pub(crate) async fn check_endpoints(endpoints: Vec<Endpoint>) -> (Vec<Check>, ReachableEndpoints) {
    let results = join_all(endpoints.iter().map(connect)).await;
    let reachable = endpoints.iter().zip(&results).filter(|(_, result)| result.is_ok());
    let reachable = ReachableEndpoints(reachable.map(|(endpoint, _)| endpoint.name).collect());
    let checks = endpoints.iter().zip(results).map(|(endpoint, result)| match result {
        Ok(found) => Check::ok(endpoint.name, found),
        // The service itself never connects to the CDN: it only makes links to it.
        Err(Unreachable { found, advice }) if endpoint.name == "cdn" => {
            Check::warning(endpoint.name, found, advice)
        }
        Err(Unreachable { found, advice }) => Check::failure(endpoint.name, found, advice),
    });
    (checks.collect(), reachable)
}

/// Connects, and describes the connection.
async fn connect(endpoint: &Endpoint) -> Result<String, Unreachable> {
    let Endpoint { name, host, port } = endpoint;
    let address = format!("{host}:{port}");
    let resolved = resolve(endpoint).await?;
    let started = Instant::now();
    match timeout(CONNECT_TIMEOUT, connect_any(&resolved)).await {
        Ok(Ok(connected)) => {
            let kind = if is_private(connected.ip()) { "a private address" } else { "a public address" };
            let millis = started.elapsed().as_millis();
            Ok(format!("{address} at {}, {kind}, in {millis} ms", connected.ip()))
        }
        Ok(Err(error)) => Err(Unreachable {
            found: format!("{address} refuses connections: {}", error.kind()),
            advice: port_advice(name).to_owned(),
        }),
        Err(_) => Err(Unreachable {
            found: format!("{address} does not answer within {} s", CONNECT_TIMEOUT.as_secs()),
            advice: route_advice(name),
        }),
    }
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Unreachable> {
    let Endpoint { name, host, port } = endpoint;
    let addresses = match timeout(CONNECT_TIMEOUT, lookup_host((host.as_str(), *port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => {
            return Err(Unreachable {
                found: format!("{host} did not resolve within {} s", CONNECT_TIMEOUT.as_secs()),
                advice: "the name server does not answer: check that DNS is on in the VPC".to_owned(),
            });
        }
    };
    if addresses.is_empty() {
        let advice = format!("check the name: {}", dns_advice(name));
        return Err(Unreachable { found: format!("{host} does not resolve"), advice });
    }
    Ok(addresses)
}

/// Connects to the first address that answers.
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
        "database" => "it is from RDS_PROXY_ENDPOINT or POSTGRES_HOST",
        "cdn" => "it is from CLOUDFRONT_DISTRIBUTION_DOMAIN",
        _ => "it depends on REGION; a VPC endpoint needs private DNS",
    }
}

fn port_advice(name: &str) -> &'static str {
    match name {
        "database" => "check the port (POSTGRES_PORT), and that the database is running",
        _ => "check the address, and that the service is running",
    }
}

fn route_advice(name: &str) -> String {
    match name {
        "database" => {
            "allow this port in the database's security group, from the security group of the functions"
                .to_owned()
        }
        "cdn" => "only clients and this check connect to it; from a private subnet that needs a NAT gateway"
            .to_owned(),
        "s3" | "dynamodb" => {
            "from a private subnet it needs a NAT gateway, or a gateway endpoint with a route to it"
                .to_owned()
        }
        "cognito" => "from a private subnet it needs a NAT gateway".to_owned(),
        _ => format!(
            "from a private subnet it needs a NAT gateway, or a VPC endpoint for {name} whose security group allows port \
             443"
        ),
    }
}
