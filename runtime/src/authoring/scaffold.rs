//! Writes a new project: a language's template, a copy of its SDK, and the contract.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Language;
use crate::id::{ConnectorId, IdError};

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The name is none of a connector.
    #[error("{0:?} is no name for a connector: {1}")]
    Name(String, IdError),
    /// Toolchains take no package whose name starts with a digit.
    #[error("{0:?} is no name for a new connector: it must start with a letter")]
    StartsWithDigit(String),
    /// The folder is there, and has something in it.
    #[error("{0} exists and is not empty: choose another name, or another folder to start from")]
    Exists(PathBuf),
    /// This build holds no template for the language.
    #[error("this build of sendbox has no template for {0}")]
    NoTemplate(Language),
    /// A file cannot be written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}

/// Writes the project `name` into a new folder of that name in `parent`, and returns the folder.
///
/// # Errors
/// Where the name is none, the folder is there with something in it, or a file cannot be written.
pub fn scaffold(language: Language, name: &str, parent: &Path) -> Result<PathBuf, ScaffoldError> {
    let id: ConnectorId = name
        .parse()
        .map_err(|error| ScaffoldError::Name(name.to_owned(), error))?;
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(ScaffoldError::StartsWithDigit(name.to_owned()));
    }
    let folder = parent.join(id.as_str());
    let occupied = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if occupied {
        return Err(ScaffoldError::Exists(folder));
    }
    let mut template = sdk_bundle::template(language.name()).peekable();
    if template.peek().is_none() {
        return Err(ScaffoldError::NoTemplate(language));
    }
    for (path, bytes) in template {
        write(&folder, &dotted(path), &filled(bytes, name))?;
    }
    for (path, bytes) in sdk_bundle::sdk(language.name()) {
        write(&folder, &format!("sdk/{path}"), bytes)?;
    }
    for (path, bytes) in sdk_bundle::contract() {
        write(&folder, &format!("wit/{path}"), bytes)?;
    }
    Ok(folder)
}

/// The path of a template's file in a project: `_name` is written as `.name`.
fn dotted(path: &str) -> String {
    let names = path.split('/').map(|name| {
        match name.strip_prefix('_').filter(|rest| !rest.starts_with('_')) {
            Some(rest) => format!(".{rest}"),
            None => name.to_owned(),
        }
    });
    names.collect::<Vec<_>>().join("/")
}

/// A template's file with its two placeholders filled in. Variables of messages, such as `{{code}}`,
/// stay as they are.
fn filled(bytes: &[u8], name: &str) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text
            .replace("{{name}}", name)
            .replace("{{title}}", &title(name))
            .into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

/// `my-mail` as people write it: `My Mail`.
fn title(name: &str) -> String {
    let words = name.split('-').filter(|word| !word.is_empty());
    let words = words.map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join(" ")
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), ScaffoldError> {
    let path = folder.join(path);
    let failed = |error| ScaffoldError::File(path.clone(), error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(&path, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_name_as_people_write_it() {
        assert_eq!(title("my--mail2-x"), "My Mail2 X");
    }

    #[test]
    fn names_beginning_with_one_underscore_get_a_dot() {
        assert_eq!(dotted("_gitignore"), ".gitignore");
        assert_eq!(dotted("_cargo/config.toml"), ".cargo/config.toml");
        assert_eq!(dotted("src/__init__.py"), "src/__init__.py");
    }
}
