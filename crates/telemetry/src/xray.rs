//! Traces: a span becomes an X-Ray document, which is sent to the daemon when the span ends.
//! `docs/decisions/0005-traces-without-opentelemetry.md` says why this is not OpenTelemetry.

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
    ROOT_SPAN_TARGET, STEP_SPAN_TARGET,
    clock::Clock,
    fields::Fields,
    trace::{SegmentKind, new_segment_id},
};

/// The first line of a datagram (AWS X-Ray Developer Guide, "Sending segment documents to the X-Ray daemon").
const DATAGRAM_HEADER: &[u8] = b"{\"format\":\"json\",\"version\":1}\n";

/// The maximum payload of a UDP datagram over IPv4. A document may have 64 KiB, which is slightly more.
const MAX_DATAGRAM_BYTES: usize = 65_507;

/// A client of the X-Ray daemon. A document that cannot be sent is dropped: a trace must not fail a request.
#[derive(Debug)]
pub(crate) struct DaemonClient(UdpSocket);

impl DaemonClient {
    /// Connects a UDP socket. Nothing is sent yet, so this succeeds without a daemon, too.
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        // A full socket buffer must not block the runtime's thread.
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    fn send(&self, document: &Value) {
        let mut datagram = Vec::with_capacity(1024);
        datagram.extend_from_slice(DATAGRAM_HEADER);
        if serde_json::to_writer(&mut datagram, document).is_ok() && datagram.len() <= MAX_DATAGRAM_BYTES {
            let _ = self.0.send(&datagram);
        }
    }
}

/// How spans become segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentConfig {
    /// The name of the segment of a span `request`.
    pub(crate) service: &'static str,
    /// The kind of a root span without a field `kind`.
    pub(crate) root_kind: SegmentKind,
    /// The fields that become annotations.
    pub(crate) annotations: &'static [&'static str],
}

/// The layer of traces. It sees only root spans and step spans.
pub(crate) fn trace_layer<S>(
    daemon: DaemonClient,
    config: SegmentConfig,
    clock: Clock,
) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = FilterFn::new(is_trace_span).with_max_level_hint(LevelFilter::INFO);
    TraceLayer { daemon, config, clock }.with_filter(filter)
}

struct TraceLayer {
    daemon: DaemonClient,
    config: SegmentConfig,
    clock: Clock,
}

/// A segment or subsegment that has not ended, stored in its span's extensions.
struct OpenSegment {
    name: &'static str,
    /// The kind of a root. `None` for a step, which is always a subsegment.
    root: Option<SegmentKind>,
    id: String,
    trace_id: String,
    parent_id: Option<String>,
    start: Duration,
    fields: Fields,
}

impl TraceLayer {
    /// Opens a root span's segment, in the trace that its fields name. X-Ray rejects a subsegment without a parent.
    fn open_root(&self, attributes: &Attributes<'_>) -> Option<OpenSegment> {
        let (name, fields) = (attributes.metadata().name(), Fields::from_attributes(attributes));
        let kinds = [SegmentKind::Segment, SegmentKind::Subsegment];
        let kind = kinds.into_iter().find(|kind| fields.get_str("kind") == Some(kind.as_str()));
        let parent_id = fields.get_str("parent_id").map(str::to_owned);
        let root = parent_id.as_ref().map_or(SegmentKind::Segment, |_| kind.unwrap_or(self.config.root_kind));
        Some(OpenSegment {
            name: if root == SegmentKind::Segment && name == "request" { self.config.service } else { name },
            root: Some(root),
            id: fields.get_str("segment_id")?.to_owned(),
            trace_id: fields.get_str("trace_id")?.to_owned(),
            parent_id,
            start: (self.clock)(),
            fields,
        })
    }

    /// Opens a step's subsegment, in the trace of its parent span.
    fn open_step(&self, parent: &OpenSegment, attributes: &Attributes<'_>) -> OpenSegment {
        OpenSegment {
            name: attributes.metadata().name(),
            root: None,
            id: new_segment_id(Uuid::new_v4()),
            trace_id: parent.trace_id.clone(),
            parent_id: Some(parent.id.clone()),
            start: (self.clock)(),
            fields: Fields::from_attributes(attributes),
        }
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let open = if attributes.metadata().target() == ROOT_SPAN_TARGET {
            self.open_root(attributes)
        } else {
            // Without a parent segment the trace is not recorded, and nothing is opened.
            let parent = span.parent();
            let extensions = parent.as_ref().map(|parent| parent.extensions());
            let parent = extensions.as_ref().and_then(|extensions| extensions.get::<OpenSegment>());
            parent.map(|parent| self.open_step(parent, attributes))
        };
        if let Some(open) = open {
            span.extensions_mut().insert(open);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<OpenSegment>() {
            record.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        // The fields are complete only now: a status is recorded late.
        let open = ctx.span(&id).and_then(|span| span.extensions_mut().remove::<OpenSegment>());
        if let Some(open) = open {
            let document = document::build_document(&open, self.config.annotations, (self.clock)());
            self.daemon.send(&document);
        }
    }
}

fn is_trace_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && matches!(metadata.target(), ROOT_SPAN_TARGET | STEP_SPAN_TARGET)
}

#[cfg(test)]
mod tests;
