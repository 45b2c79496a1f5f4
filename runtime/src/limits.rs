//! What one send, one tenant and the whole server may use. A hit is a typed error that names the limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod machine;
mod node;
mod tenant;

pub use machine::{group_memory, machine_memory};
pub use node::NodeLimits;
pub use tenant::TenantLimits;

/// Limits of one send, with their defaults. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Guest CPU in milliseconds, in steps of the 10 ms epoch tick.
    pub cpu_ms: u64,
    /// Wall clock of a send in milliseconds, network included.
    pub wall_ms: u64,
    /// The same for a connector that speaks SMTP, where a server may look at a message before it answers.
    pub smtp_wall_ms: u64,
    /// Linear memory, summed over all memories.
    pub memory: usize,
    /// Table elements, summed over all tables.
    pub table_elements: usize,
    /// Bytes that may cross from guest to host in one call.
    pub hostcall_bytes: usize,
    /// Host resources that a guest may hold.
    pub resources: usize,
    /// Random bytes in one call.
    pub random_bytes: u64,
    /// Signatures and key derivations a send.
    pub signatures: u32,
    /// HTTP requests a send.
    pub requests: u32,
    /// HTTP requests under way at once in a send.
    pub concurrent_requests: usize,
    /// Distinct hosts a send.
    pub hosts: usize,
    /// Headers of a request or response.
    pub headers: usize,
    /// One header of a request.
    pub header_bytes: usize,
    /// All headers of a request.
    pub headers_bytes: usize,
    /// A URL.
    pub url_bytes: usize,
    /// A request's body.
    pub request_body: usize,
    /// All headers of a response.
    pub response_headers_bytes: usize,
    /// A response's body.
    pub response_body: usize,
    /// All log lines of a send.
    pub log_bytes: usize,
    /// Log lines of a send.
    pub log_lines: usize,
    /// One log line.
    pub log_line_bytes: usize,
    /// Texts of a receipt or failure.
    pub result_bytes: usize,
    /// What is kept of an attempt: its exchanges and its log.
    pub attempt_bytes: usize,
    /// DNS in milliseconds.
    pub dns_ms: u64,
    /// TCP connect in milliseconds.
    pub connect_ms: u64,
    /// TLS handshake in milliseconds.
    pub tls_ms: u64,
    /// From the whole request to the response's head, in milliseconds.
    pub first_byte_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 250,
            wall_ms: 15_000,
            smtp_wall_ms: 90_000,
            memory: 64 << 20,
            table_elements: 20_000,
            hostcall_bytes: 2 << 20,
            resources: 256,
            random_bytes: 64 << 10,
            signatures: 16,
            requests: 16,
            concurrent_requests: 4,
            hosts: 4,
            headers: 100,
            header_bytes: 8 << 10,
            headers_bytes: 32 << 10,
            url_bytes: 8 << 10,
            request_body: 1 << 20,
            response_headers_bytes: 64 << 10,
            response_body: 1 << 20,
            log_bytes: 64 << 10,
            log_lines: 200,
            log_line_bytes: 4 << 10,
            result_bytes: 16 << 10,
            attempt_bytes: 256 << 10,
            dns_ms: 5_000,
            connect_ms: 5_000,
            tls_ms: 10_000,
            first_byte_ms: 10_000,
        }
    }
}

impl Limits {
    /// What a send cannot do with less of: with these an ordinary message of every built-in connector goes out.
    pub const MINIMA: Self = Self {
        cpu_ms: 10,
        wall_ms: 1_000,
        smtp_wall_ms: 1_000,
        memory: 2 << 20,
        table_elements: 1_000,
        hostcall_bytes: 64 << 10,
        resources: 16,
        random_bytes: 32,
        signatures: 1,
        requests: 2,
        concurrent_requests: 1,
        hosts: 2,
        headers: 32,
        header_bytes: 1 << 10,
        headers_bytes: 4 << 10,
        url_bytes: 2 << 10,
        request_body: 64 << 10,
        response_headers_bytes: 8 << 10,
        response_body: 16 << 10,
        log_bytes: 0,
        log_lines: 0,
        log_line_bytes: 64,
        result_bytes: 1 << 10,
        attempt_bytes: 4 << 10,
        dns_ms: 100,
        connect_ms: 100,
        tls_ms: 100,
        first_byte_ms: 100,
    };

    /// What no configuration may go beyond: what one send costs at worst is multiplied by the sends at once.
    pub const MAXIMA: Self = Self {
        cpu_ms: 2_000,
        wall_ms: 60_000,
        smtp_wall_ms: 300_000,
        memory: 256 << 20,
        table_elements: 80_000,
        hostcall_bytes: 8 << 20,
        resources: 4_096,
        random_bytes: 64 << 10,
        signatures: 64,
        requests: 64,
        concurrent_requests: 16,
        hosts: 16,
        headers: 100,
        header_bytes: 8 << 10,
        headers_bytes: 32 << 10,
        url_bytes: 8 << 10,
        request_body: 10 << 20,
        response_headers_bytes: 64 << 10,
        response_body: 10 << 20,
        log_bytes: 256 << 10,
        log_lines: 1_000,
        log_line_bytes: 16 << 10,
        result_bytes: 64 << 10,
        attempt_bytes: 1 << 20,
        dns_ms: 60_000,
        connect_ms: 60_000,
        tls_ms: 60_000,
        first_byte_ms: 60_000,
    };

    /// The wall clock of a send.
    #[must_use]
    pub const fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }

    /// Those of a connector that speaks SMTP.
    #[must_use]
    pub fn for_smtp(&self) -> Self {
        Self {
            wall_ms: self.smtp_wall_ms,
            ..self.clone()
        }
    }
}

/// A limit, by the name that errors and metrics carry. Those of a send come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum Limit {
    Cpu,
    Wall,
    Memory,
    TableElements,
    Stack,
    HostcallBytes,
    Resources,
    Random,
    Requests,
    ConcurrentRequests,
    Hosts,
    HeaderCount,
    HeaderSize,
    Url,
    RequestBody,
    ResponseHeaders,
    ResponseBody,
    Result,
    Concurrency,
    GuestMemory,
    Log,
    Signatures,
    Calls,
    Messages,
    MessagesPerDay,
    QueuedMessages,
    QueuedBytes,
    Recipient,
    Integrations,
    Reads,
    ReadTime,
    Answers,
    SettingsBytes,
    FreeDisk,
    NodeMemory,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 35] = [
        Self::Cpu,
        Self::Wall,
        Self::Memory,
        Self::TableElements,
        Self::Stack,
        Self::HostcallBytes,
        Self::Resources,
        Self::Random,
        Self::Requests,
        Self::ConcurrentRequests,
        Self::Hosts,
        Self::HeaderCount,
        Self::HeaderSize,
        Self::Url,
        Self::RequestBody,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::Result,
        Self::Concurrency,
        Self::GuestMemory,
        Self::Log,
        Self::Signatures,
        Self::Calls,
        Self::Messages,
        Self::MessagesPerDay,
        Self::QueuedMessages,
        Self::QueuedBytes,
        Self::Recipient,
        Self::Integrations,
        Self::Reads,
        Self::ReadTime,
        Self::Answers,
        Self::SettingsBytes,
        Self::FreeDisk,
        Self::NodeMemory,
    ];

    /// The limit of a code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.code() == code)
    }

    /// Whether a guest meets it for what others do: the same send may do well a little later.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Concurrency | Self::GuestMemory)
    }

    /// `limit.` and a word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cpu => "limit.cpu",
            Self::Wall => "limit.wall",
            Self::Memory => "limit.memory",
            Self::TableElements => "limit.table-elements",
            Self::Stack => "limit.stack",
            Self::HostcallBytes => "limit.hostcall-bytes",
            Self::Resources => "limit.resources",
            Self::Random => "limit.random",
            Self::Requests => "limit.requests",
            Self::ConcurrentRequests => "limit.concurrent-requests",
            Self::Hosts => "limit.hosts",
            Self::HeaderCount => "limit.header-count",
            Self::HeaderSize => "limit.header-size",
            Self::Url => "limit.url",
            Self::RequestBody => "limit.request-body",
            Self::ResponseHeaders => "limit.response-headers",
            Self::ResponseBody => "limit.response-body",
            Self::Result => "limit.result",
            Self::Concurrency => "limit.concurrency",
            Self::GuestMemory => "limit.guest-memory",
            Self::Log => "limit.log",
            Self::Signatures => "limit.signatures",
            Self::Calls => "limit.calls",
            Self::Messages => "limit.messages",
            Self::MessagesPerDay => "limit.messages-per-day",
            Self::QueuedMessages => "limit.queued-messages",
            Self::QueuedBytes => "limit.queued-bytes",
            Self::Recipient => "limit.recipient",
            Self::Integrations => "limit.integrations",
            Self::Reads => "limit.reads",
            Self::ReadTime => "limit.read-time",
            Self::Answers => "limit.answers",
            Self::SettingsBytes => "limit.settings-bytes",
            Self::FreeDisk => "limit.free-disk",
            Self::NodeMemory => "limit.node-memory",
        }
    }
}
