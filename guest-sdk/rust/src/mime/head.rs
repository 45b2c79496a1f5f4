//! Header fields (RFC 5322, 2.2 and 3.2): folded lines, encoded words (RFC 2047), mailboxes. Control
//! characters never reach a line, so no text ends its field.

use super::encode::{base64, escaped};
use crate::failure::one_line;
use crate::mailbox::Mailbox;

/// Where a line is folded: two before RFC 5322 asks for it (2.1.1), for encoded words (RFC 2047, 2).
const WIDTH: usize = 76;
/// The longest word that stays as it is: with any name before it, its line is within 998 bytes.
const LONGEST_WORD: usize = 900;
/// The letters of an encoded word: 75 (RFC 2047, 2) without `=?utf-8?B?` and `?=`.
const ENCODED_WORD: usize = 75 - ENCODED_WORD_FRAME;
const ENCODED_WORD_FRAME: usize = 12;

/// Header fields under construction.
#[derive(Default)]
pub(super) struct Head {
    text: String,
    /// Bytes of the last line.
    column: usize,
    /// A field has its name and no word yet.
    begun: bool,
}

impl Head {
    /// An unstructured field (RFC 5322, 2.2.1). Encoded words in the text stay what they are, as in
    /// nodemailer.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        let value = one_line(value);
        self.begin(name);
        if is_plain(&value) {
            self.plain(&value);
        } else {
            self.encoded(&value);
        }
        self.end();
    }

    /// A field of one mailbox (RFC 5322, 3.4).
    pub(super) fn mailbox(&mut self, name: &str, mailbox: &Mailbox) {
        let display = one_line(&mailbox.name);
        self.begin(name);
        // Some readers decode words inside quotes as well.
        if is_plain(&display) && !display.is_empty() && !display.contains("=?") {
            let quoted = display.replace('\\', "\\\\").replace('"', "\\\"");
            self.plain(&format!("\"{quoted}\""));
        } else if !display.is_empty() {
            self.encoded(&display);
        }
        self.word(&format!("<{}>", mailbox.address));
        self.end();
    }

    /// A field of one address, which may hold spaces in quotes: it is never folded.
    pub(super) fn address(&mut self, name: &str, address: &str) {
        self.begin(name);
        self.word(&format!("<{address}>"));
        self.end();
    }

    /// A field whose value is ready, in words that may be folded.
    pub(super) fn ready(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.plain(value);
        self.end();
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn begin(&mut self, name: &str) {
        self.column = 0;
        self.put(name);
        self.put(":");
        self.begun = true;
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
    }

    fn put(&mut self, text: &str) {
        let before = self.text.len();
        self.text.extend(text.chars().filter(|c| !c.is_control()));
        self.column += self.text.len() - before;
    }

    /// A word behind a space, on a new line where it does not fit.
    fn word(&mut self, word: &str) {
        let first = std::mem::take(&mut self.begun);
        if self.column + 1 + word.len() > WIDTH && !first {
            self.text.push_str("\r\n");
            self.column = 0;
        }
        self.put(" ");
        self.put(word);
    }

    fn plain(&mut self, text: &str) {
        for word in text.split(' ') {
            self.word(word);
        }
    }

    /// The text in encoded words, each of whole characters (RFC 2047, 5). A reader leaves out what
    /// is between them.
    fn encoded(&mut self, text: &str) {
        let as_base64 = escaped(text) * 6 > text.len();
        let mut rest = text;
        while !rest.is_empty() {
            let room = WIDTH.saturating_sub(self.column + 1 + ENCODED_WORD_FRAME);
            // A field's name may leave little of its line.
            let room = if room < 16 {
                ENCODED_WORD
            } else {
                room.min(ENCODED_WORD)
            };
            let (word, behind) = rest.split_at(fitting(rest, room, as_base64));
            let (letter, word) = if as_base64 {
                ('B', base64(word))
            } else {
                ('Q', q_encoded(word))
            };
            self.word(&format!("=?utf-8?{letter}?{word}?="));
            rest = behind;
        }
    }
}

/// Whether a text can stand in a header as it is. Where lines are folded, readers drop all spaces but
/// one.
fn is_plain(text: &str) -> bool {
    let fits = |word: &str| (1..=LONGEST_WORD).contains(&word.len());
    text.is_empty() || (text.is_ascii() && text.split(' ').all(fits))
}

/// The bytes of the longest run of whole characters that fits in `room` letters; at least one.
fn fitting(text: &str, room: usize, as_base64: bool) -> usize {
    let (mut end, mut letters) = (0, 0);
    for c in text.chars() {
        let after = end + c.len_utf8();
        letters += match c {
            _ if is_literal(c) || c == ' ' => 1,
            _ => 3 * c.len_utf8(),
        };
        let needed = if as_base64 {
            after.div_ceil(3) * 4
        } else {
            letters
        };
        if needed > room && end > 0 {
            break;
        }
        end = after;
    }
    end
}

/// What a `Q` word keeps, wherever it stands (RFC 2047, 5, rule 3).
fn is_literal(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!*+-/".contains(c)
}

fn q_encoded(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        match c {
            ' ' => word.push('_'),
            _ if is_literal(c) => word.push(c),
            _ => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    super::encode::push_escape(&mut word, byte);
                }
            }
        }
    }
    word
}
