//! HTML as a stream of tags and texts, read as forgivingly as a browser reads it.

use std::borrow::Cow;

use super::entities::decode;

/// What comes next. Comments, scripts and styles are left out.
pub(super) enum Token<'a> {
    /// Text with its entities decoded.
    Text(Cow<'a, str>),
    /// An opening tag, its name in lower case.
    Open {
        name: String,
        attributes: Vec<(String, String)>,
    },
    /// A closing tag, its name in lower case.
    Close(String),
}

/// The tokens of a document.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(html: &'a str) -> Self {
        Self { rest: html }
    }

    /// Takes the characters up to the first that `ends`, or all.
    fn until(&mut self, ends: impl FnMut(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Goes behind the next `mark`, or to the end.
    fn skip(&mut self, mark: &str) {
        self.rest = self.rest.split_once(mark).map_or("", |(_, rest)| rest);
    }

    /// The text from here to the next tag; a `<` at its start belongs to it.
    fn text(&mut self) -> Token<'a> {
        let found = self.rest.bytes().skip(1).position(|byte| byte == b'<');
        let end = found.map_or(self.rest.len(), |at| at + 1);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Text(decode(text))
    }

    /// The opening tag whose name begins here, or nothing where the document ends inside it.
    fn open(&mut self) -> Option<Token<'a>> {
        let typed = self.until(|c| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
        let name = typed.to_ascii_lowercase();
        let raw = ["script", "style"].contains(&name.as_str());
        if self.rest.is_empty() {
            // The peer's parser waits here for a raw text to begin, and gives up with its letters.
            let begun = ["script", "style", "title"].map(|raw| raw.starts_with(&name));
            return begun.contains(&true).then_some(Token::Text(typed.into()));
        }
        let mut attributes: Vec<(String, String)> = Vec::new();
        loop {
            self.until(|c| !c.is_ascii_whitespace() && c != '/');
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break;
            }
            let (name, value) = self.attribute()?;
            if !attributes.iter().any(|(known, _)| *known == name) {
                attributes.push((name, value));
            }
        }
        if raw {
            self.skip_raw(&name);
        }
        Some(Token::Open { name, attributes })
    }

    /// One attribute, or nothing where the document ends inside it.
    fn attribute(&mut self) -> Option<(String, String)> {
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/' | '>');
        let first = self.rest.chars().next()?;
        let mut name = String::from(first.to_ascii_lowercase());
        self.rest = self.rest.get(first.len_utf8()..)?;
        name.push_str(&self.until(ends).to_ascii_lowercase());
        self.until(|c| !c.is_ascii_whitespace());
        let Some(rest) = self.rest.strip_prefix('=') else {
            return Some((name, String::new()));
        };
        self.rest = rest;
        self.until(|c| !c.is_ascii_whitespace());
        let quote = self.rest.chars().next()?;
        let value = if matches!(quote, '"' | '\'') {
            let (value, rest) = self.rest.get(1..)?.split_once(quote)?;
            self.rest = rest;
            value
        } else {
            self.until(|c| c.is_ascii_whitespace() || c == '>')
        };
        Some((name, decode(value).into_owned()))
    }

    /// Goes to the closing tag of a script or style: nothing else ends it.
    fn skip_raw(&mut self, name: &str) {
        let closes = |at: &usize| {
            let inner = self.rest.get(at + 2..at + 2 + name.len());
            inner.is_some_and(|inner| inner.eq_ignore_ascii_case(name))
        };
        let mut marks = self.rest.match_indices("</").map(|(at, _)| at);
        let end = marks.find(closes).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while let Some(first) = self.rest.chars().next() {
            let behind = self.rest.get(1..).filter(|_| first == '<');
            let Some(behind) = behind else {
                return Some(self.text());
            };
            let letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
            if letter(behind) {
                self.rest = behind;
                let open = self.open();
                if open.is_none() {
                    self.rest = "";
                }
                return open;
            } else if let Some(name) = behind.strip_prefix('/').filter(|name| letter(name)) {
                self.rest = name;
                let name = self.until(|c| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
                let name = name.to_ascii_lowercase();
                self.skip(">");
                return Some(Token::Close(name));
            } else if let Some(comment) = behind.strip_prefix("!--") {
                self.rest = comment;
                self.skip("-->");
            } else if behind.starts_with(['!', '?', '/']) {
                self.skip(">");
            } else {
                return Some(self.text());
            }
        }
        None
    }
}
