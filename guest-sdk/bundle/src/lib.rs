//! What a new connector's project is written from, embedded: the contract, the SDKs' sources and
//! their templates.

/// A file: its path in the project, with `/` between names, and its bytes.
pub type File = (&'static str, &'static [u8]);

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The contract's WIT.
pub fn contract() -> impl Iterator<Item = File> {
    below("wit/")
}

/// The sources of a language's SDK, from its folder under `guest-sdk/`.
pub fn sdk(language: &str) -> impl Iterator<Item = File> {
    below(format!("{language}/sdk/"))
}

/// The project that a language's authors start from. Its placeholders stand as they are.
pub fn template(language: &str) -> impl Iterator<Item = File> {
    below(format!("{language}/template/"))
}

fn below(folder: impl AsRef<str>) -> impl Iterator<Item = File> {
    let within = move |(path, bytes): &File| Some((path.strip_prefix(folder.as_ref())?, *bytes));
    FILES.iter().filter_map(within)
}
