//! The trace context of a unit of work (AWS X-Ray Developer Guide, "Tracing header" and "Sending trace data").

use std::{fmt, time::Duration};

use uuid::Uuid;

use crate::clock::system_clock;

/// The HTTP header of a trace. In SQS it is the message's system attribute `AWSTraceHeader`.
pub const TRACE_HEADER: &str = "x-amzn-trace-id";

/// One in this many requests is recorded, if no caller has decided.
const SAMPLE_ONE_IN: u128 = 20;

/// A tracing header: `Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceHeader {
    /// The trace id: `1-`, 8 hexadecimal digits (the start in seconds since the Unix epoch), `-`, 24 more digits.
    pub root: String,
    /// The segment of the caller: 16 hexadecimal digits.
    pub parent: Option<String>,
    /// Whether the trace is recorded. `None` if that is not decided yet.
    pub sampled: Option<bool>,
}

impl TraceHeader {
    /// Parses an untrusted header. `None` without a valid trace id. An invalid parent and unknown members are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Gateways add members such as `Self` and `Lineage`, and some write a space after the semicolon.
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

/// The kind of a unit of work in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// The work of a service, which X-Ray does not know yet.
    Segment,
    /// A part of a segment that already exists, such as Lambda's segment of an invocation.
    Subsegment,
}

impl SegmentKind {
    /// The value of a root span's field `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Subsegment => "subsegment",
        }
    }
}

/// The trace context of a unit of work. Its root span has three fields of it, and may have `kind`:
///
/// ```
/// # let message_header = None;
/// use telemetry::{SegmentKind, TraceContext};
///
/// let trace = TraceContext::from_header(message_header);
/// let span = tracing::error_span!(
///     target: "trace.root", "job",
///     trace_id = trace.trace_id(), parent_id = trace.parent_id(), segment_id = trace.segment_id(),
///     kind = SegmentKind::Segment.as_str(),
/// );
/// ```
///
/// Without `kind`, the root is a subsegment in Lambda and a segment elsewhere. Without a caller it is always a segment. A
/// segment has the name of its span. A segment of a span `request` has the name of the service.
#[derive(Debug, Clone)]
pub struct TraceContext {
    id: String,
    header: TraceHeader,
}

impl TraceContext {
    /// Continues the trace of a header, or starts a new one. The header says whether the trace is recorded. If it does
    /// not, one in twenty is.
    #[must_use]
    pub fn from_header(header: Option<&str>) -> Self {
        let random = Uuid::new_v4();
        let header =
            header.and_then(TraceHeader::parse).unwrap_or_else(|| new_trace_header(system_clock(), random));
        let sampled = header.sampled.unwrap_or_else(|| random.as_u128().is_multiple_of(SAMPLE_ONE_IN));
        Self { id: new_segment_id(random), header: TraceHeader { sampled: Some(sampled), ..header } }
    }

    /// The trace id, to search for. It exists even if the trace is not recorded.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.header.root
    }

    /// The id of the caller's segment. `None` if there is no caller or the trace is not recorded.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.header.parent.as_deref().filter(|_| self.is_sampled())
    }

    /// The id of this unit of work. `None` if the trace is not recorded.
    #[must_use]
    pub fn segment_id(&self) -> Option<&str> {
        self.is_sampled().then_some(&*self.id)
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.header.sampled == Some(true)
    }

    /// The header for calls that this unit of work makes.
    #[must_use]
    pub fn to_header(&self) -> String {
        let sampled = if self.is_sampled() { "1" } else { "0" };
        ["Root=", &self.header.root, ";Parent=", &self.id, ";Sampled=", sampled].concat()
    }
}

fn new_trace_header(now: Duration, random: Uuid) -> TraceHeader {
    let (_, unique) = random.as_u64_pair();
    // A trace id has 96 random bits. These parts of a version 4 UUID have 94.
    let unique = (u128::from(unique) << 32) | u128::from(random.as_fields().0);
    // A `Uuid` is encoded without a formatter: each request has these ids.
    let id = Uuid::from_u128((u128::from(now.as_secs()) << 96) | unique);
    let mut buffer = Uuid::encode_buffer();
    let (start, unique) = id.simple().encode_lower(&mut buffer).split_at(8);
    TraceHeader { root: ["1-", start, "-", unique].concat(), parent: None, sampled: None }
}

/// The id of a segment: 64 bits in hexadecimal digits.
pub(crate) fn new_segment_id(random: Uuid) -> String {
    let (high, low) = random.as_u64_pair();
    // The fixed bits of the two halves are at different positions, so every bit of the result is random.
    let id = Uuid::from_u64_pair(0, high ^ low);
    id.simple().encode_lower(&mut Uuid::encode_buffer()).split_at(16).1.to_owned()
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
    fn headers_round_trip() {
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
    fn ignores_unknown_members() {
        let text = format!(
            "Self=1-1-1; Parent=53995c3f42cd8ad8;Root={ROOT};Lineage=a87bd80c:1|68fd508a:5;Sampled=?"
        );
        assert_eq!(
            TraceHeader::parse(&text).unwrap().to_string(),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8")
        );
    }

    #[test]
    fn rejects_invalid_headers() {
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
    fn continues_a_trace_with_a_new_segment_id() {
        let trace =
            TraceContext::from_header(Some(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1")));
        let id = trace.segment_id().unwrap();
        assert!(is_hex(id, 16));
        assert_eq!((trace.trace_id(), trace.parent_id()), (ROOT, Some("53995c3f42cd8ad8")));
        assert_eq!(trace.to_header(), format!("Root={ROOT};Parent={id};Sampled=1"));
    }

    #[test]
    fn an_unrecorded_trace_has_a_trace_id_only() {
        let trace =
            TraceContext::from_header(Some(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0")));
        assert_eq!((trace.trace_id(), trace.parent_id(), trace.segment_id()), (ROOT, None, None));
        assert!(trace.to_header().ends_with(";Sampled=0"));
    }

    #[test]
    fn records_one_in_twenty_new_traces() {
        let traces: Vec<TraceContext> =
            (0..4000).map(|_| TraceContext::from_header(Some("hunter2"))).collect();
        assert!(traces.iter().all(|trace| is_trace_id(trace.trace_id())));
        let sampled = traces.iter().filter(|trace| trace.is_sampled()).count();
        assert!((100..300).contains(&sampled), "{sampled} of 4000");
    }

    #[test]
    fn a_new_trace_id_holds_the_start_time_and_96_bits_of_the_uuid() {
        let random = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        let header = new_trace_header(Duration::from_secs(0x6789_1233), random);
        assert_eq!(header.root, "1-67891233-8899aabbccddeeff00112233");
        assert!(is_trace_id(&new_trace_header(Duration::ZERO, Uuid::nil()).root));
    }
}
