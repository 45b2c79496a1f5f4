//! What a component needs and how complex it is, read before anything is compiled: the compiler's
//! cost is not bounded by a file's size alone.

use wasmparser::{
    ComponentExternalKind, Encoding, FunctionBody, Operator, Parser, Payload, TableType,
};

use super::engine::{MEMORIES, TABLES};
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

/// What a component is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// What it imports, in order.
    pub(super) imports: Vec<String>,
    /// Instances that it exports.
    pub(super) exports: Vec<String>,
    /// Linear memories defined in its modules.
    pub(super) memories: u64,
    /// Tables defined in its modules.
    pub(super) tables: u64,
    functions: u64,
    types: u64,
    segments: u64,
}

/// Reads `bytes` and refuses what no connector is.
pub(super) fn shape(bytes: &[u8], limit: usize) -> Result<Shape, UploadError> {
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
    check_imports(&shape.imports)?;
    check_exports(&shape.exports)?;
    Ok(shape)
}

impl Shape {
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
                    self.memories += 1;
                    within(Limit::Memory, memory.initial.saturating_mul(PAGE))?;
                }
                at_most("memories", self.memories, u64::from(MEMORIES))
            }
            Payload::TableSection(section) => {
                for table in section {
                    let TableType { initial, .. } = table.map_err(malformed)?.ty;
                    self.tables += 1;
                    within(Limit::TableElements, initial)?;
                }
                at_most("tables", self.tables, u64::from(TABLES))
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

fn check_imports(imports: &[String]) -> Result<(), UploadError> {
    let contract = |name: &str| name.starts_with(CONTRACT) && name.ends_with(CONTRACT_VERSION);
    let wasi = |name: &str| {
        WASI.iter().any(|package| name.starts_with(package))
            && name
                .rsplit_once('@')
                .is_some_and(|(_, version)| version.starts_with("0.2."))
    };
    let known = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_graphic()) && (contract(name) || wasi(name))
    };
    match imports.iter().find(|name| !known(name)) {
        Some(name) => Err(UploadError::ForeignImport {
            name: printable(name),
        }),
        None => Ok(()),
    }
}

fn check_exports(exports: &[String]) -> Result<(), UploadError> {
    if exports.iter().any(|name| name == SEND_MESSAGE) {
        return Ok(());
    }
    match exports
        .iter()
        .find(|name| name.starts_with(SEND_MESSAGE_ANY))
    {
        Some(found) => Err(UploadError::WrongContractVersion {
            found: printable(found),
            expected: SEND_MESSAGE,
        }),
        None => Err(UploadError::MissingExport { name: SEND_MESSAGE }),
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
