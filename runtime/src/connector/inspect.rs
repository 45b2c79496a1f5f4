//! What a component needs and how complex it is, read before anything is compiled: the compiler's
//! cost is not bounded by a file's size alone.

use serde::{Deserialize, Serialize};
use wasmparser::{
    ComponentExternalKind, Encoding, FunctionBody, Instance, Operator, Parser, Payload, TableType,
};

use super::engine::{CORE_INSTANCES, MEMORIES, TABLES};
use super::error::UploadError;
use crate::about::printable;
use crate::limits::{Limit, Limits};

/// The export that makes a component a connector.
pub(super) const SEND_MESSAGE: &str = "sendbox:connector/send-message@0.1.0";
/// The import of a connector that composes and does not send.
pub(super) const HANDOVER: &str = "sendbox:connector/handover@0.1.0";
/// The import of a connector that submits mail.
pub(super) const SMTP: &str = "sendbox:connector/smtp@0.1.0";
const SEND_MESSAGE_ANY: &str = "sendbox:connector/send-message@";
const CONTRACT: &str = "sendbox:connector/";
const CONTRACT_VERSION: &str = "@0.1.0";
/// What a connector exports in [`SEND_MESSAGE`].
pub(super) const FUNCTIONS: [(&str, &str); 2] = [
    ("describe", "sendbox:connector/send-message@0.1.0#describe"),
    ("send", "sendbox:connector/send-message@0.1.0#send"),
];
/// Packages of WASI 0.2. Files and sockets are linked with nothing behind them.
const WASI: [&str; 7] = [
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:cli/",
    "wasi:filesystem/",
    "wasi:sockets/",
    "wasi:http/",
];

const MAGIC: &[u8] = b"\0asm";
const FUNCTIONS_MAX: u64 = 50_000;
const BODY_BYTES_MAX: u64 = 1 << 20;
const LOCALS_MAX: u64 = 5_000;
const BRANCH_TARGETS_MAX: u64 = 4_096;
const DATA_SEGMENTS_MAX: u64 = 10_000;
const TYPES_MAX: u64 = 10_000;
const NESTING_MAX: u64 = 8;
const PAGE: u64 = 64 << 10;

/// What a component starts with: so much the pool of instances must grant it, whatever a send does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Linear memories in its modules.
    pub memories: u64,
    /// Bytes that they have at the start, together.
    pub memory_bytes: u64,
    /// Tables in its modules.
    pub tables: u64,
    /// Elements that they have at the start, together.
    pub table_elements: u64,
    /// Instances of core modules.
    pub core_instances: u64,
}

impl Needs {
    /// The most that is granted under the default limits of a send.
    #[must_use]
    pub fn granted() -> Self {
        let limits = Limits::default();
        Self {
            memories: u64::from(MEMORIES),
            memory_bytes: limits.memory as u64,
            tables: u64::from(TABLES),
            table_elements: limits.table_elements as u64,
            core_instances: u64::from(CORE_INSTANCES),
        }
    }
}

/// What a component is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// What it imports, in order.
    pub(super) imports: Vec<String>,
    /// Instances that it exports.
    pub(super) exports: Vec<String>,
    /// What it starts with.
    pub(super) needs: Needs,
    functions: u64,
    types: u64,
    segments: u64,
}

/// Reads `bytes` and refuses what no connector is.
pub(super) fn shape(bytes: &[u8], limit: usize) -> Result<Shape, UploadError> {
    let shape = read(bytes, limit)?;
    let first = shape.problems().next();
    first.map_or(Ok(shape), Err)
}

/// Everything that keeps `bytes` from being a connector, for an author to read at once.
pub(super) fn problems(bytes: &[u8], limit: usize) -> Vec<UploadError> {
    match read(bytes, limit) {
        Ok(shape) => shape.problems().collect(),
        Err(error) => vec![error],
    }
}

/// Reads as far as the cost of reading on is bounded.
fn read(bytes: &[u8], limit: usize) -> Result<Shape, UploadError> {
    if bytes.len() > limit {
        let size = bytes.len();
        return Err(UploadError::TooLarge { size, limit });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(UploadError::NotWasm);
    }
    let mut shape = Shape::default();
    let mut depth = 0_u64;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        match &payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(UploadError::CoreModule);
            }
            Payload::Version { .. } => {
                depth += 1;
                at_most("levels of nesting", depth, NESTING_MAX)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 1 {
            shape.read_surface(&payload)?;
        }
        shape.read_module(payload)?;
    }
    Ok(shape)
}

impl Shape {
    /// Imports and exports that are not the contract's.
    fn problems(&self) -> impl Iterator<Item = UploadError> {
        let imports = self.imports.iter().filter_map(|name| check_import(name));
        imports.chain(check_exports(&self.exports))
    }

    /// Imports and exports of the outermost component.
    fn read_surface(&mut self, payload: &Payload<'_>) -> Result<(), UploadError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import.map_err(malformed)?;
                    self.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(malformed)?;
                    if export.kind == ComponentExternalKind::Instance {
                        self.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts of all modules together.
    fn read_module(&mut self, payload: Payload<'_>) -> Result<(), UploadError> {
        match payload {
            Payload::TypeSection(section) => {
                self.types += u64::from(section.count());
                at_most("types", self.types, TYPES_MAX)
            }
            Payload::ComponentTypeSection(section) => {
                self.types += u64::from(section.count());
                at_most("types", self.types, TYPES_MAX)
            }
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                at_most("functions", self.functions, FUNCTIONS_MAX)
            }
            Payload::DataSection(section) => {
                self.segments += u64::from(section.count());
                at_most("data segments", self.segments, DATA_SEGMENTS_MAX)
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(malformed)?;
                    let bytes = memory.initial.saturating_mul(PAGE);
                    within(Limit::Memory, bytes)?;
                    self.needs.memories += 1;
                    self.needs.memory_bytes += bytes;
                }
                at_most("memories", self.needs.memories, u64::from(MEMORIES))
            }
            Payload::TableSection(section) => {
                for table in section {
                    let TableType { initial, .. } = table.map_err(malformed)?.ty;
                    within(Limit::TableElements, initial)?;
                    self.needs.tables += 1;
                    self.needs.table_elements += initial;
                }
                at_most("tables", self.needs.tables, u64::from(TABLES))
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let instance = instance.map_err(malformed)?;
                    let made = matches!(instance, Instance::Instantiate { .. });
                    self.needs.core_instances += u64::from(made);
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => check_body(&body),
            _ => Ok(()),
        }
    }
}

/// What the compiler spends grows faster than a function's size, its locals and its branches.
fn check_body(body: &FunctionBody<'_>) -> Result<(), UploadError> {
    let range = body.range();
    let size = range.end.saturating_sub(range.start) as u64;
    at_most("bytes in one function", size, BODY_BYTES_MAX)?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, _) = group.map_err(malformed)?;
        locals += u64::from(count);
        at_most("locals in one function", locals, LOCALS_MAX)?;
    }
    for operator in body.get_operators_reader().map_err(malformed)? {
        if let Operator::BrTable { targets } = operator.map_err(malformed)? {
            let targets = u64::from(targets.len());
            at_most("targets in one branch table", targets, BRANCH_TARGETS_MAX)?;
        }
    }
    Ok(())
}

fn check_import(name: &str) -> Option<UploadError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(interface) = name.strip_prefix(CONTRACT)
        && plain
    {
        let ours = interface.ends_with(CONTRACT_VERSION);
        return (!ours).then(|| wrong_version(name));
    }
    let wasi = WASI.iter().any(|package| name.starts_with(package))
        && name
            .rsplit_once('@')
            .is_some_and(|(_, version)| version.starts_with("0.2."));
    (!(plain && wasi)).then(|| UploadError::ForeignImport {
        name: printable(name),
    })
}

fn check_exports(exports: &[String]) -> Option<UploadError> {
    if exports.iter().any(|name| name == SEND_MESSAGE) {
        return None;
    }
    let mut exports = exports.iter();
    let other = exports.find(|name| name.starts_with(SEND_MESSAGE_ANY));
    Some(match other {
        Some(found) => wrong_version(found),
        None => UploadError::MissingExport { name: SEND_MESSAGE },
    })
}

fn wrong_version(found: &str) -> UploadError {
    UploadError::WrongContractVersion {
        found: printable(found),
        expected: SEND_MESSAGE,
    }
}

fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), UploadError> {
    if found > limit {
        return Err(UploadError::TooComplex { what, found, limit });
    }
    Ok(())
}

/// Whether what a module starts with fits into the default limits of a send.
fn within(limit: Limit, needed: u64) -> Result<(), UploadError> {
    let limits = Limits::default();
    let allowed = match limit {
        Limit::Memory => limits.memory,
        _ => limits.table_elements,
    };
    if needed > allowed as u64 {
        return Err(UploadError::NeedsTooMuch { limit });
    }
    Ok(())
}

pub(super) fn malformed(error: wasmparser::BinaryReaderError) -> UploadError {
    UploadError::Malformed {
        offset: error.offset(),
        problem: printable(error.message()),
    }
}
