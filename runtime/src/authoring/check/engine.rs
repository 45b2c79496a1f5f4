//! Language runtimes inside a component that are started when it is built, not when it runs.

use memchr::memmem;

/// A language runtime that is started at build time: a send begins with the memory that it had then, the
/// state of its random numbers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// JavaScript.
    StarlingMonkey,
    /// Python.
    CPython,
}

impl Snapshot {
    /// The runtime in a component, known by words that it is linked with.
    pub(super) fn of(component: &[u8]) -> Option<Self> {
        let holds = |word: &str| memmem::find(component, word.as_bytes()).is_some();
        if holds("StarlingMonkey") {
            return Some(Self::StarlingMonkey);
        }
        (holds("componentize-py") || holds("PYTHONHOME")).then_some(Self::CPython)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::StarlingMonkey => "StarlingMonkey (JavaScript)",
            Self::CPython => "CPython",
        }
    }

    /// How its author gets fresh random numbers and times.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::StarlingMonkey => {
                "build it with WASI's clocks and random linked: `sendbox connector build` does, and so does `jco componentize -d stdio http fetch-event`; never `-d all`"
            }
            Self::CPython => {
                "build it without `--stub-wasi` (`-s`), as `sendbox connector build` does"
            }
        }
    }
}
