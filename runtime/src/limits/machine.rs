//! How much memory this process may have at most: its control group's, of either version, and the machine's.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";
/// A limit of version 1 from which on it is none: the kernel's own word for that is nearly 2⁶³.
const NO_LIMIT: u64 = 1 << 60;

/// Bytes of memory that this process may have: the least of what its control groups and the machine have. None
/// where nothing of it can be read.
#[must_use]
pub fn machine_memory() -> Option<u64> {
    let group = group_memory();
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| total(&text));
    group.into_iter().chain(machine).min()
}

/// The least of the memory limits of this process's control groups and of those above them; none where there is none.
#[must_use]
pub fn group_memory() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let places = own
        .lines()
        .filter_map(|line| place(Path::new(GROUPS), line));
    places.filter_map(|place| place.least()).min()
}

/// `MemTotal` of /proc/meminfo (proc(5)).
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A control group's folder, what it lies under, and the file with its limit.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    top: PathBuf,
    group: PathBuf,
    file: &'static str,
}

/// Where the limit stands of a line of /proc/self/cgroup: `0::/path` in version 2, `4:memory:/path` in version 1.
fn place(groups: &Path, line: &str) -> Option<Place> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (top, file) = match controllers {
        "" => (groups.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (groups.join("memory"), "memory.limit_in_bytes")
        }
        _ => return None,
    };
    Some(Place {
        group: top.join(path.trim_start_matches('/')),
        top,
        file,
    })
}

impl Place {
    /// The least limit from the group to the top. In a container the path may be that of the host: what is not
    /// there has none.
    fn least(&self) -> Option<u64> {
        let above = self.group.ancestors();
        let limits = above
            .take_while(|group| group.starts_with(&self.top))
            .filter_map(|group| fs::read_to_string(group.join(self.file)).ok());
        // Where there is no limit the file of version 2 says `max`.
        let limits = limits.filter_map(|limit| limit.trim().parse().ok());
        limits.filter(|limit| *limit < NO_LIMIT).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_either_version_is_found_from_the_group_upwards() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory/a/memory.limit_in_bytes", "268435456\n");
        write("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("x.slice/memory.max", "1073741824\n");
        write("x.slice/y.service/memory.max", "max\n");
        let least = |line: &str| place(folder.path(), line)?.least();
        assert_eq!(least("4:memory:/a/b"), Some(256 << 20));
        assert_eq!(least("4:hugetlb,memory:/a"), Some(256 << 20));
        assert_eq!(least("4:memory:/"), None);
        assert_eq!(least("4:memory:/docker/of-the-host"), None);
        assert_eq!(least("0::/x.slice/y.service"), Some(1 << 30));
        assert_eq!(least("0::/"), None);
        assert_eq!(least("2:cpu,cpuacct:/a"), None);
        assert_eq!(least("nonsense"), None);
    }

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(
            total("MemTotal:       24601976 kB\nMemFree: 1 kB\n"),
            Some(24_601_976 << 10)
        );
        assert_eq!(total("nothing"), None);
        assert!(machine_memory().unwrap() >= 64 << 20);
    }
}
