//! Makes sure that the compiler has the standard library of the components' target.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, TARGET};

/// Installs the target with rustup where it is missing. Several build scripts may ask at once:
/// a lock file in `guests` lets one of them do it.
pub(crate) fn ensure(guests: &Path) -> Result<(), Error> {
    if is_installed()? {
        return Ok(());
    }
    let lock = guests.join(".target-lock");
    fs::create_dir_all(guests).map_err(|e| Error::File(guests.to_owned(), e))?;
    let file = File::create(&lock).map_err(|e| Error::File(lock.clone(), e))?;
    file.lock().map_err(|e| Error::File(lock, e))?;
    if is_installed()? {
        return Ok(());
    }
    // Names no toolchain: the outer rustup has exported the one in use.
    let rustup = Command::new("rustup")
        .args(["target", "add", TARGET])
        .output();
    let reason = match rustup {
        Ok(done) if done.status.success() && is_installed()? => return Ok(()),
        Ok(done) => last_line(&done.stderr),
        Err(_) => "rustup not found".to_owned(),
    };
    Err(Error::NoTarget(reason))
}

fn is_installed() -> Result<bool, Error> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc)
        .args(["--print=target-libdir", "--target", TARGET])
        .output()
        .map_err(Error::Rustc)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    // The folder may exist and be empty: rustup leaves it behind when it removes a target.
    let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
    Ok(files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .last()
        .unwrap_or("rustup failed")
        .trim()
        .to_owned()
}
