//! One input as many: fields parted by the byte 0xFF, and their items by 0xFE, neither of which is in any UTF-8 text.

use std::borrow::Cow;

/// The fields of an input, in order. One that is missing is empty.
pub(crate) struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

/// The bytes before the first `mark`, and those behind it.
fn part(bytes: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == mark) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Self { rest: Some(data) }
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let (field, rest) = part(self.rest.unwrap_or_default(), 0xff);
        self.rest = rest;
        field
    }

    pub(crate) fn text(&mut self) -> String {
        text(self.bytes()).into_owned()
    }

    /// A text that counts as not given where it is empty.
    pub(crate) fn maybe(&mut self) -> Option<String> {
        Some(self.text()).filter(|text| !text.is_empty())
    }

    /// One of some ways to go on.
    pub(crate) fn choice(&mut self) -> u8 {
        self.bytes().first().copied().unwrap_or_default()
    }

    pub(crate) fn texts(&mut self) -> Vec<String> {
        let (mut texts, mut rest) = (Vec::new(), Some(self.bytes()));
        while let Some(bytes) = rest.filter(|bytes| !bytes.is_empty()) {
            let (item, behind) = part(bytes, 0xfe);
            texts.push(text(item).into_owned());
            rest = behind;
        }
        texts
    }

    pub(crate) fn pairs(&mut self) -> Vec<(String, String)> {
        let mut texts = self.texts().into_iter();
        let mut pairs = Vec::new();
        while let Some(first) = texts.next() {
            pairs.push((first, texts.next().unwrap_or_default()));
        }
        pairs
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
