//! The process that compiles: a component from standard input, its artifact to standard output. It is
//! this same program, without environment, files, network or secrets.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::confine::{Allowance, confine};
use super::progress::Underway;
use crate::about::printable;
use crate::connector::engine::COMPONENT_BYTES_MAX;
use crate::connector::engine::{self, EngineConfig};
use crate::connector::error::UploadError;

/// The command that makes a compiler of the program. It stands in no help text.
const COMMAND: &str = "compile-component";

/// Bytes of native code.
const ARTIFACT_MAX: usize = 64 << 20;
/// Bytes of what a compiler says.
const WORDS_MAX: u64 = 4 << 10;
/// From this size on a component is a language's runtime, and gets twice as much.
const LARGE: usize = 4 << 20;

/// In KiB.
const ALLOCATOR_STEP: &str = "32768";

/// Seconds of wall clock for one of CPU: sends go first, and a busy machine is no fault of the component.
const PATIENCE: u64 = 10;

/// The component is at fault.
const REFUSED: u8 = 3;
/// The process could not be confined.
const NOT_CONFINED: u8 = 4;

/// Who compiles, and with how much.
#[derive(Clone, Debug)]
pub(super) struct Compiler {
    program: PathBuf,
    seconds: u64,
    memory: u64,
}

/// What the process `sendbox compile-component` does: compiles standard input to standard output within
/// `cpu` seconds and `memory` bytes of address space.
#[must_use]
pub fn compile_standard_input(cpu: u64, memory: u64) -> ExitCode {
    let engine = match engine::for_compiling() {
        Ok(engine) => engine,
        Err(error) => return fail(NOT_CONFINED, &error.to_string()),
    };
    if let Err(problem) = confine(Allowance { cpu, memory }) {
        return fail(NOT_CONFINED, &problem);
    }
    let mut bytes = Vec::new();
    let most = COMPONENT_BYTES_MAX as u64;
    if let Err(error) = std::io::stdin().take(most).read_to_end(&mut bytes) {
        return fail(NOT_CONFINED, &error.to_string());
    }
    match engine.precompile_component(&bytes) {
        Ok(code) => match std::io::stdout().write_all(&code) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(NOT_CONFINED, &error.to_string()),
        },
        Err(error) => fail(REFUSED, &format!("{error:#}")),
    }
}

fn fail(code: u8, words: &str) -> ExitCode {
    // Standard error is a pipe to the parent, which may have gone.
    let _ = std::io::stderr().write_all(words.as_bytes());
    ExitCode::from(code)
}

impl Compiler {
    /// The compiler that `config` names, if it names one.
    pub(super) fn of(config: &EngineConfig) -> Option<Self> {
        Some(Self {
            program: config.compiler.clone()?,
            seconds: config.compile_seconds.max(1),
            memory: config.compile_memory,
        })
    }

    /// Has `bytes` compiled within the limits, which are doubled for a large component.
    pub(super) async fn compile(
        &self,
        bytes: &[u8],
        underway: &Underway,
    ) -> Result<Vec<u8>, UploadError> {
        let times = if bytes.len() > LARGE { 2 } else { 1 };
        let allowance = Allowance {
            cpu: self.seconds.saturating_mul(times),
            memory: self.memory.saturating_mul(times),
        };
        let wall = Duration::from_secs(allowance.cpu.saturating_mul(PATIENCE));
        let started = self.start(allowance);
        let mut child = started.map_err(|error| {
            UploadError::Host(format!("the compiler could not be started: {error}"))
        })?;
        underway.by(child.id(), allowance.cpu);
        match timeout(wall, exchange(&mut child, bytes)).await {
            Ok(Ok(ended)) => judge(&ended, allowance).map(|()| ended.code),
            Ok(Err(error)) => Err(UploadError::Host(format!("the compiler: {error}"))),
            // It is killed as it is dropped.
            Err(_) => Err(over(format!("{} s", wall.as_secs()))),
        }
    }

    fn start(&self, allowance: Allowance) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg(COMMAND)
            .arg(allowance.cpu.to_string())
            .arg(allowance.memory.to_string())
            .env_clear()
            // The allocator reserves address space in such steps: 1 GiB, its default, is all that the
            // process may have.
            .env("MIMALLOC_ARENA_RESERVE", ALLOCATOR_STEP)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

struct Ended {
    status: ExitStatus,
    code: Vec<u8>,
    words: Vec<u8>,
}

async fn exchange(child: &mut Child, bytes: &[u8]) -> std::io::Result<Ended> {
    let (mut input, output, errors) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut input) = input.take() {
            // A compiler that ended early says why by its status.
            let _ = input.write_all(bytes).await;
        }
    };
    let read = async {
        let mut code = Vec::new();
        if let Some(output) = output {
            let most = ARTIFACT_MAX as u64 + 1;
            output.take(most).read_to_end(&mut code).await?;
        }
        std::io::Result::Ok(code)
    };
    let listen = async {
        let mut words = Vec::new();
        if let Some(errors) = errors {
            errors.take(WORDS_MAX).read_to_end(&mut words).await?;
        }
        std::io::Result::Ok(words)
    };
    let ((), code, words) = tokio::join!(write, read, listen);
    let (code, words) = (code?, words?);
    if code.len() > ARTIFACT_MAX {
        child.start_kill()?;
    }
    let status = child.wait().await?;
    Ok(Ended {
        status,
        code,
        words,
    })
}

fn judge(ended: &Ended, allowance: Allowance) -> Result<(), UploadError> {
    let words = String::from_utf8_lossy(&ended.words);
    let memory = || over(format!("{} MiB of memory", allowance.memory >> 20));
    if ended.code.len() > ARTIFACT_MAX {
        return Err(over(format!("{} MiB of native code", ARTIFACT_MAX >> 20)));
    }
    match (ended.status.code(), ended.status.signal()) {
        (Some(0), _) => Ok(()),
        // A mapping or an allocation that was refused: ENOMEM, and the standard library's word for it.
        (Some(_), _) if words.contains("os error 12") || words.contains("out of memory") => {
            Err(memory())
        }
        (Some(code), _) if code == i32::from(REFUSED) => {
            Err(UploadError::Compile(printable(&words)))
        }
        (_, Some(libc::SIGXCPU | libc::SIGKILL)) => {
            Err(over(format!("{} s of CPU", allowance.cpu)))
        }
        (_, Some(libc::SIGABRT | libc::SIGSEGV)) => Err(memory()),
        _ => Err(UploadError::Host(format!("the compiler ended: {words}"))),
    }
}

fn over(allowed: String) -> UploadError {
    UploadError::CompileLimit { allowed }
}
