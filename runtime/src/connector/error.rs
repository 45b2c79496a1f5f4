//! Why a component is refused, and why a call ended without the guest's answer.

use std::fmt;

use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::id::Digest;
use crate::limits::{Limit, Limits};
use crate::outcome::{Failure, FailureKind};
use crate::settings::SchemaError;

/// Why an uploaded component is refused. Each names what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Not WebAssembly at all.
    #[error("this is no WebAssembly component: the file does not begin with the bytes 00 61 73 6d")]
    NotWasm,
    /// A core module.
    #[error(
        "this is a core module, not a component: build for wasm32-wasip2, or run `wasm-tools component new`"
    )]
    CoreModule,
    /// Ends too early, or breaks the binary format.
    #[error("the component is malformed at byte {offset}: {problem}")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong.
        problem: String,
    },
    /// Over the size limit.
    #[error("the component has {size} bytes, and {limit} are allowed")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Too complex to be compiled with bounded cost.
    #[error("the component has {found} {what}, and {limit} are allowed")]
    TooComplex {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many may be.
        limit: u64,
    },
    /// An import that is neither the contract's nor WASI 0.2.
    #[error(
        "the component imports {name}: only sendbox:connector@0.1.0 and WASI 0.2 may be imported"
    )]
    ForeignImport {
        /// The import.
        name: String,
    },
    /// It does not do what a connector does.
    #[error("the component does not export {name}")]
    MissingExport {
        /// The export.
        name: &'static str,
    },
    /// Made for another version of the contract.
    #[error(
        "the component is made for version {} of the contract (it names {found}), and this host speaks version {}",
        version_of(found),
        version_of(expected)
    )]
    WrongContractVersion {
        /// What it imports or exports.
        found: String,
        /// What this host calls.
        expected: &'static str,
    },
    /// Its imports or exports have other types than the contract's.
    #[error("the component's imports or exports differ from the contract's: {0}")]
    Mismatch(String),
    /// Starts with more than a send may use.
    #[error("the component starts with more than {} allows", .limit.code())]
    NeedsTooMuch {
        /// The limit.
        limit: Limit,
    },
    /// The compiler refused it.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// Its compilation needs more than the compiling process may use.
    #[error("the component does not compile within {allowed}")]
    CompileLimit {
        /// What was allowed, such as `30 s of CPU`.
        allowed: String,
    },
    /// The engine of this build has a known way out of the sandbox.
    #[error(
        "this server's engine is affected by {advisory}: it runs built-in connectors only until it is updated"
    )]
    UnsafeEngine {
        /// The advisory's id.
        advisory: String,
    },
    /// `describe` did not answer.
    #[error("describe did not answer ({code}): {problem}")]
    Describe {
        /// The failure's code, such as `limit.cpu`.
        code: &'static str,
        /// In words.
        problem: String,
    },
    /// `describe` called the host.
    #[error("describe calls {import}: it must answer from constants")]
    DescribeCalls {
        /// The import that it called.
        import: &'static str,
    },
    /// `describe` answered something that the contract forbids.
    #[error("describe answered a wrong {field}: {problem}")]
    BadInfo {
        /// The field in the contract's words.
        field: &'static str,
        /// What was expected.
        problem: String,
    },
    /// The settings schema cannot be used.
    #[error("describe answered a wrong settings-schema: {0}")]
    Schema(#[from] SchemaError),
    /// The host could not do its part; the component may be fine.
    #[error("the host could not inspect the component: {0}")]
    Host(String),
}

impl UploadError {
    /// A stable code for the API and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotWasm => "upload.not-wasm",
            Self::CoreModule => "upload.core-module",
            Self::Malformed { .. } => "upload.malformed",
            Self::TooLarge { .. } => "upload.too-large",
            Self::TooComplex { .. } => "upload.too-complex",
            Self::ForeignImport { .. } => "upload.foreign-import",
            Self::MissingExport { .. } => "upload.missing-export",
            Self::WrongContractVersion { .. } => "upload.contract-version",
            Self::Mismatch(_) => "upload.mismatch",
            Self::NeedsTooMuch { .. } => "upload.needs-too-much",
            Self::Compile(_) => "upload.compile",
            Self::CompileLimit { .. } => "upload.compile-limit",
            Self::UnsafeEngine { .. } => "upload.engine-unsafe",
            Self::Describe { .. } => "upload.describe",
            Self::DescribeCalls { .. } => "upload.describe-calls",
            Self::BadInfo { .. } => "upload.info",
            Self::Schema(_) => "upload.schema",
            Self::Host(_) => "upload.host",
        }
    }
}

/// `0.1.0` of `sendbox:connector/http@0.1.0`.
fn version_of(name: &str) -> &str {
    name.rsplit_once('@').map_or(name, |(_, version)| version)
}

/// What a guest wrote to its standard error before its end, capped and redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords(Option<String>);

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(words) => write!(f, "; it said: {words}"),
            None => Ok(()),
        }
    }
}

/// Why a connector could not be loaded, or a call ended without the guest's answer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The engine could not start.
    #[error("the WebAssembly engine: {0}")]
    Engine(String),
    /// The bytes are not those of the digest.
    #[error("the component's bytes do not have the digest {0}")]
    WrongDigest(Digest),
    /// The component is refused.
    #[error(transparent)]
    Refused(#[from] UploadError),
    /// A limit of the send.
    #[error("{detail}")]
    Limit {
        /// Which.
        limit: Limit,
        /// Its value and what to do, in words.
        detail: String,
    },
    /// The guest trapped: a panic, an abort, an exception that nobody caught.
    #[error("the connector trapped: {reason}{said}")]
    Trap {
        /// The engine's words.
        reason: String,
        /// What the guest said of it.
        said: LastWords,
        /// The functions that it was in, the innermost first, where the component has their names.
        functions: Vec<String>,
    },
    /// The guest called `exit`.
    #[error("the connector exited with {code} instead of answering{said}")]
    Exit {
        /// Its exit code.
        code: i32,
        /// What the guest said of it.
        said: LastWords,
    },
    /// The attempt could not be recorded before its request.
    #[error("the attempt could not be recorded before its request, so nothing was sent")]
    NotArmed,
    /// It does not say of itself what it said when it was uploaded.
    #[error(
        "the component {digest} says of its {field} something else than was approved: delete this version and upload it again"
    )]
    NotAsApproved {
        /// The component.
        digest: Digest,
        /// The first field that differs, in the contract's words.
        field: &'static str,
    },
    /// `describe` called an import.
    #[error("describe calls {0}")]
    CalledInDescribe(&'static str),
    /// A defect of the host, contained in this one send.
    #[error("the host failed inside this send")]
    HostPanic,
}

impl ConnectorError {
    pub(super) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }

    /// A stable code for failures and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Limit { limit, .. } => limit.code(),
            Self::Trap { .. } => "connector.trap",
            Self::Exit { .. } => "connector.exit",
            Self::NotArmed => "attempt.not-armed",
            Self::CalledInDescribe(_) => "connector.describe",
            Self::NotAsApproved { .. } => "connector.not-as-approved",
            Self::HostPanic => "host.panic",
            Self::Refused(_) => "connector.refused",
            Self::Engine(_) | Self::WrongDigest(_) => "connector.unavailable",
        }
    }

    /// Whether the guest was ended against its will.
    #[must_use]
    pub const fn trapped(&self) -> bool {
        matches!(
            self,
            Self::Limit { .. } | Self::Trap { .. } | Self::Exit { .. }
        )
    }

    /// The same with what the guest wrote to its standard error last: a runtime's own account of a panic or of
    /// an exception, in its language's words.
    pub(super) fn after(mut self, words: Option<String>) -> Self {
        if let Self::Trap { said, .. } | Self::Exit { said, .. } = &mut self {
            *said = LastWords(words);
        }
        self
    }

    /// The failure of an attempt that ended this way. `completed`: a whole request left before.
    #[must_use]
    pub fn failure(&self, completed: bool) -> Failure {
        let kind = if completed {
            FailureKind::Unknown
        } else {
            FailureKind::Unavailable
        };
        Failure::host(kind, self.code(), self.to_string())
    }

    pub(super) fn wall(limits: &Limits) -> Self {
        Self::Limit {
            limit: Limit::Wall,
            detail: format!("the send did not end within {} ms", limits.wall_ms),
        }
    }

    pub(super) fn cpu(limits: &Limits) -> Self {
        Self::Limit {
            limit: Limit::Cpu,
            detail: format!("the connector used more than {} ms of CPU", limits.cpu_ms),
        }
    }

    /// What ended a guest, from the engine's error. Limits that the engine itself keeps are known
    /// by type where it has one, else by its words.
    pub(super) fn of(error: wasmtime::Error, limits: &Limits) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        let limit = |limit, detail| Self::Limit { limit, detail };
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            let (code, said) = (exit.0, LastWords::default());
            return Self::Exit { code, said };
        }
        if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
            let detail = "the connector's calls nest too deep for its stack".to_owned();
            return limit(Limit::Stack, detail);
        }
        if error.is::<PoolConcurrencyLimitError>() {
            let detail = "no room in the pool of instances".to_owned();
            return limit(Limit::Concurrency, detail);
        }
        let words = format!("{:#}", error.root_cause());
        let table_full = matches!(
            error.downcast_ref::<ResourceTableError>(),
            Some(ResourceTableError::Full)
        );
        if table_full || words.contains("handle limit exceeded") {
            let detail = format!(
                "the connector held more than {} resources",
                limits.resources
            );
            return limit(Limit::Resources, detail);
        }
        if words.starts_with("requested len ") {
            let detail = format!(
                "the connector asked for more than {} random bytes in one call",
                limits.random_bytes
            );
            return limit(Limit::Random, detail);
        }
        if words.contains("fuel allocated for hostcalls") {
            let detail = format!(
                "the connector passed more than {} bytes to the host in one call",
                limits.hostcall_bytes
            );
            return limit(Limit::HostcallBytes, detail);
        }
        Self::Trap {
            reason: words,
            said: LastWords::default(),
            functions: functions(&error),
        }
    }
}

/// Functions of a backtrace that are kept.
const FUNCTIONS_MAX: usize = 16;

/// The named functions that a trap happened in, by the engine's own account of them: a line for each frame,
/// `0: 0x1f2 - module!function`.
fn functions(error: &wasmtime::Error) -> Vec<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let account = backtrace.map(ToString::to_string).unwrap_or_default();
    let frames = account
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .map(|(_, place)| place.split_once('!').map_or(place, |(_, name)| name))
        .filter(|name| !name.starts_with("<wasm function"));
    frames.take(FUNCTIONS_MAX).map(str::to_owned).collect()
}
