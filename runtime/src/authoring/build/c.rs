//! C and C++: the compiler that comes with Zig, and a core module made into a component here.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contract::Contract;
use super::{BuildError, component, toolchain};
use crate::authoring::Project;
use crate::id::Digest;

/// The release of Zig that the SDK is made for.
const VERSION: (u32, u32) = (0, 17);

/// Where generated code lies, from the project's folder.
const GLUE: &str = "build/bindings";

/// The module that the linker writes.
const MODULE: &str = "build/core.wasm";

/// Words of the compiler: a small reactor for WASI, with warnings, whose assertions hold.
const COMPILE: [&str; 7] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-Os",
    "-g0",
    "-UNDEBUG",
    "-Wall",
    "-Wextra",
];

/// Words of the linker. Zig would reserve 16 MiB of stack.
const LINK: [&str; 3] = [
    "-Wl,--strip-all",
    "-Wl,--gc-sections",
    "-Wl,-z,stack-size=65536",
];

/// Compiles the folder of the project's entry and the SDK.
pub(super) fn build(project: &Project, contract: &mut Contract) -> Result<Vec<u8>, BuildError> {
    let zig = Zig::find(project)?;
    let glue = project.folder.join(GLUE);
    component::write_glue(contract, wit_bindgen_c::Opts::default().build(), &glue)?;

    let own = project.entry.parent().unwrap_or(Path::new(""));
    let mut inputs = sources(project, own, &["c"])?;
    let with_cpp = sources(project, own, &["cc", "cpp", "cxx"])?;
    for folder in ["src", "wasm"] {
        inputs.extend(sources(project, &project.sdk.join(folder), &["c"])?);
    }
    inputs.extend(
        ["connector.c", "connector_component_type.o"].map(|name| Path::new(GLUE).join(name)),
    );

    let define = define(project)?;
    for (number, source) in with_cpp.iter().enumerate() {
        let object = PathBuf::from(format!("build/{number}.o"));
        let mut command = zig.compiler(project, "c++", &define);
        command.args(["-std=c++17", "-fno-exceptions", "-fno-rtti", "-c", "-o"]);
        toolchain::run("zig c++", command.arg(&object).arg(source))?;
        inputs.push(object);
    }
    let mut command = zig.compiler(project, "cc", &define);
    command
        .arg("-std=c11")
        .args(LINK)
        .args(["-o", MODULE])
        .args(&inputs);
    if !with_cpp.is_empty() {
        // Compiled once on a machine, which takes a minute or two.
        command.arg("-lc++");
    }
    toolchain::run("zig cc", &mut command)?;
    let module = project.folder.join(MODULE);
    let module = fs::read(&module).map_err(|error| BuildError::File(module, error))?;
    component::encode(&module)
}

/// How Zig is called: by itself, or as a package of Python's.
struct Zig {
    program: PathBuf,
    arguments: &'static [&'static str],
}

impl Zig {
    fn find(project: &Project) -> Result<Self, BuildError> {
        // Isolated: Python would look for its own modules in the project first.
        const PACKAGE: &[&str] = &["-I", "-m", "ziglang"];
        let candidates = [("python3", PACKAGE), ("python", PACKAGE), ("zig", &[])];
        let candidates = candidates.into_iter().flat_map(|(program, arguments)| {
            let programs = toolchain::all(project, program).into_iter();
            programs.map(move |program| Self { program, arguments })
        });
        let fits = |zig: &Self| {
            let arguments = [zig.arguments, &["version"]].concat();
            let version = toolchain::version(project, &zig.program, &arguments);
            version.as_deref().and_then(toolchain::major_minor) == Some(VERSION)
        };
        candidates
            .into_iter()
            .find(fits)
            .ok_or(BuildError::Missing {
                tool: "Zig 0.17, for its C compiler,",
                install: "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.0",
            })
    }

    /// The C or C++ compiler with what every call has.
    fn compiler(&self, project: &Project, language: &str, define: &str) -> Command {
        let mut include = OsString::from("-I");
        include.push(project.sdk.join("include"));
        let mut command = toolchain::command(project, &self.program);
        command
            .args(self.arguments)
            .arg(language)
            .args(COMPILE)
            .arg(define)
            .arg(include)
            .arg(format!("-I{GLUE}"));
        command
    }
}

/// The files of a folder with one of these endings, by name.
fn sources(project: &Project, folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
    let absolute = project.folder.join(folder);
    if !absolute.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error| BuildError::File(absolute.clone(), error);
    let mut sources = Vec::new();
    for entry in fs::read_dir(&absolute).map_err(failed)? {
        let path = folder.join(entry.map_err(failed)?.file_name());
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| endings.contains(&ending)) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// A word that changes with the files that the assembler includes, such as the settings' schema: the
/// compiler's cache does not look at them.
fn define(project: &Project) -> Result<String, BuildError> {
    const DIGITS: usize = 15;
    let failed = |error| BuildError::File(project.folder.clone(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(&project.folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut bytes = Vec::new();
    for file in files {
        bytes.extend(fs::read(&file).map_err(|error| BuildError::File(file, error))?);
    }
    let digest = Digest::of(&bytes).to_string();
    let digits = digest.get(..DIGITS).unwrap_or_default();
    Ok(format!("-DSENDBOX_FILES=0x{digits}"))
}
