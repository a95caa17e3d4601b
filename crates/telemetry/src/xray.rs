//! Traces: spans become X-Ray documents, each sent to the daemon when its span ends. Why not OpenTelemetry:
//! `docs/decisions/0005-traces-without-opentelemetry.md`.

mod document;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::Duration,
};

use serde_json::Value;
use tracing::{
    Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    filter::FilterFn,
    layer::{Context, Layer},
    registry::LookupSpan,
};
use uuid::Uuid;

use crate::{
    ROOT_TARGET, STEP_TARGET,
    clock::Clock,
    fields::Fields,
    trace::{Kind, new_id},
};

/// What precedes each document (AWS X-Ray Developer Guide, "Sending segment documents to the X-Ray daemon").
const HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

/// The most that a datagram can carry over IPv4, which is less than the 64 kB that a document may have.
const DATAGRAM: usize = 65_507;

/// An X-Ray daemon. What it does not take is lost: a trace is not worth a request.
#[derive(Debug)]
pub(crate) struct Daemon(UdpSocket);

impl Daemon {
    /// Nothing is sent yet, so it does not matter whether anybody listens.
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    fn send(&self, document: &Value) {
        let mut datagram = Vec::with_capacity(1024);
        datagram.extend_from_slice(HEADER);
        if serde_json::to_writer(&mut datagram, document).is_ok() && datagram.len() <= DATAGRAM {
            let _ = self.0.send(&datagram);
        }
    }
}

/// The layer, deaf to all but the spans of traces.
pub(crate) fn layer<S>(
    daemon: Daemon,
    service: &'static str,
    roots: Kind,
    clock: Clock,
) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = FilterFn::new(is_of_a_trace).with_max_level_hint(LevelFilter::INFO);
    XRay { daemon, service, roots, clock }.with_filter(filter)
}

struct XRay {
    daemon: Daemon,
    service: &'static str,
    roots: Kind,
    clock: Clock,
}

/// A segment or subsegment that has not ended yet, kept with its span.
struct Open {
    name: &'static str,
    /// `None` for a step: a subsegment as well, but one of ours.
    root: Option<Kind>,
    id: String,
    trace_id: String,
    parent_id: Option<String>,
    start: Duration,
    fields: Fields,
}

impl XRay {
    /// A root belongs to the trace that its fields name. X-Ray takes no subsegment of nothing.
    fn open_root(&self, attributes: &Attributes<'_>) -> Option<Open> {
        let (name, fields) = (attributes.metadata().name(), Fields::of(attributes));
        let kind = [Kind::Segment, Kind::Subsegment];
        let asked = kind.into_iter().find(|kind| fields.text("kind") == Some(kind.name()));
        let parent_id = fields.text("parent_id").map(str::to_owned);
        let root = parent_id.as_ref().map_or(Kind::Segment, |_| asked.unwrap_or(self.roots));
        Some(Open {
            name: if root == Kind::Segment && name == "request" { self.service } else { name },
            root: Some(root),
            id: fields.text("segment_id")?.to_owned(),
            trace_id: fields.text("trace_id")?.to_owned(),
            parent_id,
            start: (self.clock)(),
            fields,
        })
    }

    /// A step belongs to the trace of the span that it is in.
    fn open_step(&self, parent: &Open, attributes: &Attributes<'_>) -> Open {
        Open {
            name: attributes.metadata().name(),
            root: None,
            id: new_id(Uuid::new_v4()),
            trace_id: parent.trace_id.clone(),
            parent_id: Some(parent.id.clone()),
            start: (self.clock)(),
            fields: Fields::of(attributes),
        }
    }
}

impl<S> Layer<S> for XRay
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let open = if attributes.metadata().target() == ROOT_TARGET {
            self.open_root(attributes)
        } else {
            // Also where nothing is recorded; then this is all that is done.
            let parent = span.parent();
            let extensions = parent.as_ref().map(|parent| parent.extensions());
            let parent = extensions.as_ref().and_then(|extensions| extensions.get::<Open>());
            parent.map(|parent| self.open_step(parent, attributes))
        };
        if let Some(open) = open {
            span.extensions_mut().insert(open);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            record.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let open = ctx.span(&id).and_then(|span| span.extensions_mut().remove::<Open>());
        if let Some(open) = open {
            self.daemon.send(&document::of(&open, (self.clock)()));
        }
    }
}

fn is_of_a_trace(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && matches!(metadata.target(), ROOT_TARGET | STEP_TARGET)
}

#[cfg(test)]
mod tests;
