//! Which field of a JSON text an error is about, by the place where reading stopped.
//!
//! Ours instead of `serde_path_to_error`, whose tracking doubles the readers of every settings type:
//! 6 to 21 KiB of a component, and work in each send for errors that few make.

/// One step from a value to a value inside it.
enum Step {
    /// The raw text of a name, still empty before the first one.
    Name(String),
    /// A place in a list.
    Index(usize),
}

/// The path of the value that reading came to in the first `end` bytes of valid JSON: such as
/// `templates[0].content`, and empty for the whole. Behind an object it is that of its last member,
/// or, where `whole`, the object's own.
pub(super) fn path(text: &str, end: usize, whole: bool) -> String {
    let mut steps = Vec::new();
    let mut closed = None;
    let mut name_comes = false;
    let mut bytes = text.bytes().take(end).enumerate();
    while let Some((at, byte)) = bytes.next() {
        if !byte.is_ascii_whitespace() {
            closed = None;
        }
        match byte {
            b'{' => {
                steps.push(Step::Name(String::new()));
                name_comes = true;
            }
            b'[' => steps.push(Step::Index(0)),
            b'}' => closed = steps.pop(),
            b']' => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                _ => name_comes = true,
            },
            b'"' => {
                let mut escaped = false;
                let closing = bytes.find(|(_, byte)| {
                    let closes = *byte == b'"' && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    closes
                });
                let close = closing.map_or(end, |(close, _)| close);
                if let (true, Some(Step::Name(name))) = (name_comes, steps.last_mut()) {
                    *name = text.get(at + 1..close).unwrap_or_default().to_owned();
                    name_comes = false;
                }
            }
            _ => {}
        }
    }
    steps.extend(closed.filter(|_| !whole));
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Name(name) if path.is_empty() => path = name,
            Step::Name(name) if name.is_empty() => {}
            Step::Name(name) => path = path + "." + &name,
            Step::Index(index) => path = path + "[" + &index.to_string() + "]",
        }
    }
    path
}
