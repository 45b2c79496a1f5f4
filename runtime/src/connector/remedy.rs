//! What to do about a component that is refused.

use super::error::UploadError;
use super::inspect::Needs;
use crate::limits::Limit;

impl UploadError {
    /// What its author can do about it, in one sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        let granted = Needs::granted();
        match self {
            Self::NotWasm => {
                "give the component's file: the `output` of connector.toml, after `sendbox connector build`".to_owned()
            }
            Self::CoreModule => {
                "make a component of it: `sendbox connector build` embeds the contract and adapts it".to_owned()
            }
            Self::Malformed { .. } => "build it again; a file that was cut short was not copied whole".to_owned(),
            Self::TooLarge { .. } => {
                "strip it of debug information, or leave out libraries that it does not need; an operator may allow more as `engine.component_bytes`".to_owned()
            }
            Self::TooComplex { what, .. } => {
                format!("make it of fewer {what}: generated code or a library of another purpose is the usual cause")
            }
            Self::ForeignImport { name } if name.starts_with("wasi:") => {
                "build it for WASI 0.2: this host links neither earlier nor later versions".to_owned()
            }
            Self::ForeignImport { .. } => {
                "leave out what imports it: a connector gets http, smtp, signing, handover and log of sendbox:connector@0.1.0, and WASI 0.2".to_owned()
            }
            Self::MissingExport { name } if name.ends_with("#describe") => {
                "export `describe` beside `send`: it says what the connector is and which settings it takes; in an SDK it is made of `about`".to_owned()
            }
            Self::MissingExport { .. } => {
                "export sendbox:connector/send-message@0.1.0 with `describe` and `send`; `sendbox connector new` writes a project that does".to_owned()
            }
            Self::WrongContractVersion { .. } => {
                "build it again with this host's contract and SDK (`sendbox connector new` of this version writes both), or upload it to a host of the other version".to_owned()
            }
            Self::Mismatch(_) => {
                "make the bindings again from the contract's WIT as `sendbox connector new` of this version writes it".to_owned()
            }
            Self::NeedsTooMuch { limit: Limit::Memory } => format!(
                "start with less memory: at most {} MiB are granted; a stack or heap that is reserved at link time is the usual cause",
                granted.memory_bytes >> 20
            ),
            Self::NeedsTooMuch { .. } => {
                format!("start with smaller tables: at most {} elements are granted", granted.table_elements)
            }
            Self::Compile(problem) if problem.contains("multiple memories") => {
                "build it as one component: linked ones that have a memory each, as QuickJS's are, need a feature that is off; JavaScript is built with StarlingMonkey".to_owned()
            }
            Self::Compile(_) => {
                "build it without threads, SIMD, exceptions, garbage collection and tail calls: those features are off".to_owned()
            }
            Self::CompileLimit { .. } => {
                "make it smaller, or its functions shorter; an operator may allow more as `engine.compile_seconds` and `engine.compile_memory`".to_owned()
            }
            Self::UnsafeEngine { .. } => "ask the operator to update the server".to_owned(),
            Self::Describe { .. } => {
                "answer `describe` from constants: it has 2 s, no network, no clock that moves and no settings".to_owned()
            }
            Self::DescribeCalls { import } => {
                format!("leave out the call of {import} in `describe`, and in what runs before it")
            }
            Self::BadInfo { field: "hosts", problem } if problem.contains("writeOnly") => {
                "take the host from a setting that is no secret, or leave out `writeOnly` there".to_owned()
            }
            Self::BadInfo { field: "hosts", problem } if problem.contains("hands over") => {
                "leave out the hosts, or the import of handover: toolchains of JavaScript and Python import all of a world, so give them one with what is used".to_owned()
            }
            Self::BadInfo { field, .. } => format!("correct {field} in what `describe` answers"),
            Self::Schema(_) => {
                "answer a JSON Schema 2020-12 that stands alone, with \"type\": \"object\" at its top".to_owned()
            }
            Self::Host(_) => "try again; this is the host's defect, not the component's".to_owned(),
        }
    }
}
