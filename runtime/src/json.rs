//! One reading of JSON. What comes from outside is gone through once, before anything is taken from it: what
//! parsers read in different ways is put into the one form that all read alike, or refused with its place.
//!
//! | in the text | what becomes of it |
//! |---|---|
//! | a key twice in one object | refused |
//! | half a surrogate pair | U+FFFD, as JavaScript sends it in UTF-8 |
//! | an escape of a letter that needs none, such as `\u0036` | the letter: words about a send are searched for it |
//! | U+0000 | refused: to some languages the text ends there |
//! | a number that has a shorter form, such as `654321.0`, `6.54321e5` or `-0` | that form, without an exponent |
//! | a number that a double does not hold, or nearly zero | refused |
//!
//! Everything else stays as it was written, byte by byte.

use std::borrow::Cow;

use crate::about::printable;

/// How deep any JSON may nest.
const DEPTH_MAX: usize = 128;
/// Up to here a double holds every integer: 2^53 - 1.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
/// What is nearer to zero has no short form without an exponent.
const NEAREST: f64 = 1e-6;
/// Characters of a key that a pointer shows.
const STEP_MAX: usize = 64;
/// A longer pointer loses its end.
const POINTER_MAX: usize = 200;

/// A place that parsers read in different ways. Repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {problem}")]
pub struct Unlike {
    /// JSON pointer to the place.
    pub pointer: String,
    /// What is wrong, and what to write instead.
    pub problem: &'static str,
}

impl Unlike {
    const fn new(problem: &'static str) -> Self {
        Self {
            pointer: String::new(),
            problem,
        }
    }

    fn below(mut self, step: &str) -> Self {
        if self.pointer.len() > POINTER_MAX {
            self.pointer = "/…".to_owned();
        }
        let step: String = printable(step).chars().take(STEP_MAX).collect();
        let step = step.replace('~', "~0").replace('/', "~1");
        self.pointer.insert_str(0, &format!("/{step}"));
        self
    }
}

/// The text as every parser reads it alike. Text that is no JSON comes back as it is, from the first wrong
/// byte on: whoever parses it says what is wrong.
///
/// # Errors
/// [`Unlike`] for the first place that has no such reading.
pub fn one_reading(text: &str) -> Result<Cow<'_, str>, Unlike> {
    let mut reader = Reader {
        text,
        at: 0,
        out: String::new(),
        kept: 0,
    };
    // What stands behind the value is for the parser to refuse.
    let _ = reader.value(0)?;
    if reader.out.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    reader.replace(text.len(), text.len(), "");
    Ok(Cow::Owned(reader.out))
}

/// Walks over JSON. A walk of `None` has met what is no JSON, and stands still there.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// The text up to `kept`, as it is to be read; empty until something is replaced.
    out: String,
    kept: usize,
}

type Walk<T = ()> = Result<Option<T>, Unlike>;

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn replace(&mut self, from: usize, to: usize, with: &str) {
        let before = self.slice(self.kept, from);
        self.out.push_str(before);
        self.out.push_str(with);
        self.kept = to;
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over `byte`, where it stands here.
    fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self, depth: usize) -> Walk {
        self.blanks();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                Err(Unlike::new("must nest at most 128 deep"))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => Ok(self.string()?.map(drop)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Ok(self.word()),
        }
    }

    fn object(&mut self, depth: usize) -> Walk {
        self.at += 1;
        self.blanks();
        if self.take(b'}') {
            return Ok(Some(()));
        }
        let mut keys: Vec<Cow<'t, str>> = Vec::new();
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Ok(None);
            }
            let Some(key) = self.string()? else {
                return Ok(None);
            };
            self.blanks();
            if !self.take(b':') {
                return Ok(None);
            }
            let walked = self.value(depth).map_err(|unlike| unlike.below(&key))?;
            keys.push(key);
            if walked.is_none() {
                return Ok(None);
            }
            self.blanks();
            if !self.take(b',') {
                break;
            }
        }
        if !self.take(b'}') {
            return Ok(None);
        }
        keys.sort_unstable();
        let twice = keys.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one),
            _ => None,
        });
        match twice {
            Some(key) => {
                Err(Unlike::new("stands there twice: write each key of an object once").below(key))
            }
            None => Ok(Some(())),
        }
    }

    fn list(&mut self, depth: usize) -> Walk {
        self.at += 1;
        self.blanks();
        if self.take(b']') {
            return Ok(Some(()));
        }
        for index in 0_usize.. {
            let walked = self.value(depth);
            let walked = walked.map_err(|unlike| unlike.below(&index.to_string()))?;
            if walked.is_none() {
                return Ok(None);
            }
            self.blanks();
            if !self.take(b',') {
                break;
            }
        }
        Ok(self.take(b']').then_some(()))
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.slice(self.at, self.text.len());
        let words = ["true", "false", "null"].into_iter();
        let word = words.into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(())
    }

    /// Steps over a text and gives what it says.
    fn string(&mut self) -> Walk<Cow<'t, str>> {
        self.at += 1;
        let start = self.at;
        // Where the part that is not in `said` yet begins.
        let (mut said, mut from) = (String::new(), start);
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                return Ok(None);
            };
            self.at += next;
            if self.take(b'"') {
                let tail = self.slice(from, self.at - 1);
                return Ok(Some(if said.is_empty() && from == start {
                    Cow::Borrowed(tail)
                } else {
                    said.push_str(tail);
                    Cow::Owned(said)
                }));
            }
            said.push_str(self.slice(from, self.at));
            match self.escape()? {
                Some(c) => said.push(c),
                None => return Ok(None),
            }
            from = self.at;
        }
    }

    /// The character of the escape that begins here.
    fn escape(&mut self) -> Walk<char> {
        let start = self.at;
        self.at += 2;
        let c = match self.text.as_bytes().get(start + 1) {
            Some(b'u') => return self.unicode(start),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Ok(None),
        };
        Ok(Some(c))
    }

    fn unicode(&mut self, start: usize) -> Walk<char> {
        let Some(unit) = self.unit(start) else {
            return Ok(None);
        };
        self.at = start + 6;
        if unit == 0 {
            return Err(Unlike::new(
                "must not hold U+0000, at which some languages end a text",
            ));
        }
        if let Some(plain) = plain(unit) {
            self.replace(start, start + 6, plain.encode_utf8(&mut [0; 4]));
            return Ok(Some(plain));
        }
        let low = self.unit(self.at).unwrap_or_default();
        let pair = char::decode_utf16([unit, low]).next();
        let c = match (char::from_u32(unit.into()), pair) {
            (Some(c), _) => c,
            (None, Some(Ok(c))) => {
                self.at += 6;
                c
            }
            (None, _) => {
                self.replace(start, start + 6, "\\ufffd");
                char::REPLACEMENT_CHARACTER
            }
        };
        Ok(Some(c))
    }

    /// The code unit of the escape `\u` with four hexadecimal digits at `start`.
    fn unit(&self, start: usize) -> Option<u16> {
        let digits = self.text.get(start..start + 6)?.strip_prefix("\\u")?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| hex)
    }

    fn number(&mut self) -> Walk {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let text = self.slice(start, self.at);
        if !is_number(text) {
            return Ok(None);
        }
        // Most are short integers.
        if text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Some(()));
        }
        let double: f64 = text.parse().unwrap_or(f64::INFINITY);
        if double.abs() > INTEGER_MAX {
            return Err(Unlike::new(
                "must be a number up to 9007199254740991, which every language holds exactly; write a longer one as text",
            ));
        }
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let is_zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        let short = match is_zero {
            true => "0".to_owned(),
            false if double.abs() < NEAREST => {
                return Err(Unlike::new(
                    "must be zero or at least 0.000001; write a smaller number as text",
                ));
            }
            // The shortest digits that say the same, and no exponent.
            false => double.to_string(),
        };
        if short != text {
            self.replace(start, self.at, &short);
        }
        Ok(Some(()))
    }
}

/// The character of a code unit that stands for itself in a JSON text.
fn plain(unit: u16) -> Option<char> {
    let byte = u8::try_from(unit).ok()?;
    let needs_none = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    needs_none.then(|| byte.into())
}

/// RFC 8259, 6.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests;
