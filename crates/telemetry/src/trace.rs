//! Which trace a piece of work belongs to (AWS X-Ray Developer Guide, "Tracing header" and "Sending trace data").

use std::{fmt, time::Duration};

use uuid::Uuid;

use crate::clock;

/// The header that carries a trace over HTTP. In SQS it is the message's system attribute `AWSTraceHeader`.
pub const HEADER: &str = "x-amzn-trace-id";

/// One in so many requests that come without a decision is traced.
const ONE_IN: u128 = 20;

/// A tracing header: `Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceHeader {
    /// The trace: `1-`, 8 hexadecimal digits (its start, in seconds since the Unix epoch), `-`, 24 more.
    pub root: String,
    /// Who called: 16 hexadecimal digits.
    pub parent: Option<String>,
    /// Whether the trace is recorded, if that is decided.
    pub sampled: Option<bool>,
}

impl TraceHeader {
    /// Reads a header, which may come from anybody: nothing but hexadecimal digits is taken over. `None` if it names no
    /// trace; a parent that is none, and members that are not known here, are left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let member = |name: &str| {
            let mut members = text.split(';').filter_map(|member| member.trim().split_once('='));
            members.find_map(|(known, value)| (known == name).then_some(value))
        };
        let root = member("Root").filter(|root| is_trace_id(root))?;
        let parent = member("Parent").filter(|parent| is_hex(parent, 16));
        let sampled = match member("Sampled") {
            Some("1") => Some(true),
            Some("0") => Some(false),
            _ => None,
        };
        Some(Self { root: root.to_owned(), parent: parent.map(str::to_owned), sampled })
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        self.sampled.map_or(Ok(()), |sampled| write!(f, ";Sampled={}", u8::from(sampled)))
    }
}

/// What a piece of work is in the trace that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The work of a service: X-Ray knows nothing of it yet.
    Segment,
    /// A part of what somebody else has a segment for, as Lambda has for each invocation of a function.
    Subsegment,
}

impl Kind {
    /// The value of a root span's field `kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Subsegment => "subsegment",
        }
    }
}

/// The place of a piece of work in a trace. Its root span takes three fields from it, and may have `kind`:
///
/// ```
/// # let message_header = None;
/// use telemetry::{Trace, trace::Kind};
///
/// let trace = Trace::begin(message_header);
/// let span = tracing::error_span!(
///     target: "trace.root", "restore",
///     trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
///     kind = Kind::Segment.name(),
/// );
/// ```
///
/// Without `kind` it is a subsegment in Lambda, a segment elsewhere; without a caller it is a segment anyhow. A segment has
/// its span's name; one that is called `request` has the service's.
#[derive(Debug, Clone)]
pub struct Trace {
    id: String,
    header: TraceHeader,
}

impl Trace {
    /// Continues the trace of a header, or begins one. Who began it has decided whether it is recorded; if nobody has,
    /// one in twenty is.
    #[must_use]
    pub fn begin(header: Option<&str>) -> Self {
        let random = Uuid::new_v4();
        let header =
            header.and_then(TraceHeader::parse).unwrap_or_else(|| new_trace(clock::system(), random));
        let sampled = header.sampled.unwrap_or_else(|| random.as_u128().is_multiple_of(ONE_IN));
        Self { id: new_id(random), header: TraceHeader { sampled: Some(sampled), ..header } }
    }

    /// The trace, recorded or not: what to look for.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.header.root
    }

    /// Who called. `None` also if the trace is not recorded.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.header.parent.as_deref().filter(|_| self.is_sampled())
    }

    /// This piece of work. `None` if the trace is not recorded.
    #[must_use]
    pub fn segment_id(&self) -> Option<&str> {
        self.is_sampled().then_some(&*self.id)
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.header.sampled == Some(true)
    }

    /// The header for whoever is called from here.
    #[must_use]
    pub fn header(&self) -> String {
        TraceHeader { parent: Some(self.id.clone()), ..self.header.clone() }.to_string()
    }
}

fn new_trace(now: Duration, random: Uuid) -> TraceHeader {
    let (_, unique) = random.as_u64_pair();
    // 96 bits, of which a version 4 UUID has more than 90 to give.
    let unique = (u128::from(unique) << 32) | u128::from(random.as_fields().0);
    TraceHeader { root: format!("1-{:08x}-{unique:024x}", now.as_secs()), parent: None, sampled: None }
}

/// The id of a segment: 64 bits in hexadecimal digits.
pub(crate) fn new_id(random: Uuid) -> String {
    let (high, low) = random.as_u64_pair();
    // The few bits that are the same in all such UUIDs do not meet.
    format!("{:016x}", high ^ low)
}

fn is_trace_id(id: &str) -> bool {
    let mut parts = id.split('-');
    let (version, start, unique) = (parts.next(), parts.next(), parts.next());
    version == Some("1")
        && start.is_some_and(|start| is_hex(start, 8))
        && unique.is_some_and(|unique| is_hex(unique, 24))
        && parts.next().is_none()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-67891233-abcdef012345678912345678";

    #[test]
    fn a_header_is_read_and_written() {
        for text in [
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0"),
            format!("Root={ROOT};Sampled=0"),
            format!("Root={ROOT}"),
        ] {
            assert_eq!(TraceHeader::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_gateways_add_is_left_out() {
        let text = format!(
            "Self=1-1-1; Parent=53995c3f42cd8ad8;Root={ROOT};Lineage=a87bd80c:1|68fd508a:5;Sampled=?"
        );
        assert_eq!(
            TraceHeader::parse(&text).unwrap().to_string(),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8")
        );
    }

    #[test]
    fn a_clients_words_are_not_taken_over() {
        for text in [
            "",
            "Root",
            "Root=",
            "Root=hunter2",
            "Root=1-67891233-hunter2hunter2hunter2hunt",
            "Root=2-67891233-abcdef012345678912345678",
            "Root=1-67891233-abcdef012345678912345678-9",
            "Parent=53995c3f42cd8ad8;Sampled=1",
        ] {
            assert_eq!(TraceHeader::parse(text), None, "{text}");
        }
        let parent = TraceHeader::parse(&format!("Root={ROOT};Parent=hunter2hunter2hu")).unwrap().parent;
        assert_eq!(parent, None);
    }

    #[test]
    fn a_trace_goes_on_with_a_new_id() {
        let trace = Trace::begin(Some(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1")));
        let id = trace.segment_id().unwrap();
        assert!(is_hex(id, 16));
        assert_eq!((trace.trace_id(), trace.parent_id()), (ROOT, Some("53995c3f42cd8ad8")));
        assert_eq!(trace.header(), format!("Root={ROOT};Parent={id};Sampled=1"));
    }

    #[test]
    fn a_trace_that_is_not_recorded_still_has_a_name() {
        let trace = Trace::begin(Some(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0")));
        assert_eq!((trace.trace_id(), trace.parent_id(), trace.segment_id()), (ROOT, None, None));
        assert!(trace.header().ends_with(";Sampled=0"));
    }

    #[test]
    fn one_in_twenty_new_traces_is_recorded() {
        let traces: Vec<Trace> = (0..4000).map(|_| Trace::begin(Some("hunter2"))).collect();
        assert!(traces.iter().all(|trace| is_trace_id(trace.trace_id())));
        let sampled = traces.iter().filter(|trace| trace.is_sampled()).count();
        assert!((100..300).contains(&sampled), "{sampled} of 4000");
    }

    #[test]
    fn a_new_trace_says_when_it_began() {
        let trace = new_trace(Duration::from_secs(0x6789_1233), Uuid::from_u128(0x0123_4567));
        assert!(trace.root.starts_with("1-67891233-"), "{}", trace.root);
        assert!(is_trace_id(&new_trace(Duration::ZERO, Uuid::nil()).root));
    }
}
