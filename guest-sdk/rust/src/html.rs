//! Values in HTML, and the plain text of an HTML e-mail, laid out as the peer's library lays it out: blocks apart by
//! line breaks, headings in capitals, links behind their words, lists with marks, no line wrap.

mod block;
mod entities;
mod token;

use block::{Block, Item};
use token::{Token, Tokens};

pub use crate::escape::escape;

/// Blocks inside blocks that are laid out; deeper ones count as words. No mail needs more, and
/// closing each copies its text.
const DEEPEST: usize = 100;

/// The plain text of an HTML document or fragment, without any `<` or `>`.
#[must_use]
pub fn plain(html: &str) -> String {
    let mut layout = Layout::default();
    for token in Tokens::of(html) {
        match token {
            Token::Text(text) => layout.text(&text),
            // Only a body's content is shown, where there is one.
            Token::Open { name, .. } if name == "body" => {
                layout = Layout::default();
                layout.open(name, &[]);
            }
            Token::Open { name, attributes } => layout.open(name, &attributes),
            Token::Close(name) if name == "body" && layout.is_open(&name) => break,
            Token::Close(name) => layout.close(&name),
        }
    }
    layout.finish().replace(['<', '>'], "")
}

/// What an open element does to the text inside it.
enum Effect {
    Nothing,
    Link {
        href: String,
        words: String,
    },
    Block {
        trailing: usize,
        heading: bool,
        quote: bool,
    },
    List {
        /// The next number of an ordered list.
        next: Option<i64>,
        nested: bool,
    },
}

struct Element {
    name: String,
    effect: Effect,
    /// The mark that it has as a list's child.
    mark: Option<String>,
}

/// The open elements, and the blocks that they are in; the first block is the document's.
struct Layout {
    elements: Vec<Element>,
    blocks: Vec<Block>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            elements: Vec::new(),
            blocks: vec![Block::default()],
        }
    }
}

impl Layout {
    fn is_open(&self, name: &str) -> bool {
        self.elements.iter().any(|element| element.name == name)
    }

    fn text(&mut self, text: &str) {
        let in_list = self
            .elements
            .last()
            .is_some_and(|element| matches!(element.effect, Effect::List { .. }));
        if !in_list {
            self.words(text, true);
        } else if !text.trim().is_empty() {
            self.open_block(1, false);
            self.words(text, true);
            self.close_item(String::new());
        }
    }

    fn open(&mut self, name: String, attributes: &[(String, String)]) {
        while let Some(last) = self.elements.last()
            && closes(&name, &last.name)
        {
            self.close_last();
        }
        let mark = self.mark(&name);
        if mark.is_some() {
            self.open_block(1, false);
        }
        let attribute = |wanted: &str| {
            let found = attributes.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let deep = self.blocks.len() > DEEPEST;
        let effect = match name.as_str() {
            "a" => Effect::Link {
                href: link(attribute("href").unwrap_or_default()).to_owned(),
                words: String::new(),
            },
            "ul" | "ol" if !deep => {
                let nested = self.elements.last().is_some_and(|e| e.name == "li");
                self.open_block(if nested { 1 } else { 2 }, false);
                let start = attribute("start").and_then(|start| start.parse().ok());
                let next = (name == "ol").then(|| start.unwrap_or(1));
                Effect::List { next, nested }
            }
            _ => match breaks(&name) {
                Some((leading, trailing)) if !deep => {
                    self.open_block(leading, name == "pre");
                    Effect::Block {
                        trailing,
                        heading: name.starts_with('h') && name.len() == 2 && name != "hr",
                        quote: name == "blockquote",
                    }
                }
                _ => Effect::Nothing,
            },
        };
        match name.as_str() {
            "br" => self.line_break(),
            "hr" => self.words(&"-".repeat(40), true),
            _ => {}
        }
        let void = is_void(&name);
        self.elements.push(Element { name, effect, mark });
        if void {
            self.close_last();
        }
    }

    /// The mark of a list's child; nothing elsewhere.
    fn mark(&mut self, name: &str) -> Option<String> {
        let Effect::List { next, nested } = &mut self.elements.last_mut()?.effect else {
            return None;
        };
        let mark = match next {
            _ if name != "li" => String::new(),
            None => " * ".to_owned(),
            Some(number) => {
                let mark = format!(" {number}. ");
                *number = number.saturating_add(1);
                mark
            }
        };
        Some(if *nested {
            mark.trim_start().to_owned()
        } else {
            mark
        })
    }

    fn close(&mut self, name: &str) {
        match self.elements.iter().rposition(|e| e.name == name) {
            Some(at) => {
                while self.elements.len() > at {
                    self.close_last();
                }
            }
            // As browsers do with these two alone.
            None if name == "br" => self.line_break(),
            None if name == "p" => {
                self.open(name.to_owned(), &[]);
                self.close_last();
            }
            None => {}
        }
    }

    fn close_last(&mut self) {
        let Some(element) = self.elements.pop() else {
            return;
        };
        match element.effect {
            Effect::Nothing => {}
            Effect::Link { href, words } if href.is_empty() || href == words => {}
            Effect::Link { href, words } if words.is_empty() => self.words(&href, false),
            Effect::Link { href, .. } => self.words(&format!(" [{href}]"), false),
            Effect::Block {
                trailing, quote, ..
            } => {
                if let Some(block) = self.blocks.pop() {
                    let text = block.text();
                    let text = if quote { quoted(&text) } else { text };
                    self.add(&text, block.leading, block.owed.max(trailing));
                }
            }
            Effect::List { nested, .. } => {
                if let Some(mut list) = self.blocks.pop() {
                    list.add_items();
                    let text = list.text();
                    if !text.is_empty() {
                        self.add(&text, list.leading, if nested { 1 } else { 2 });
                    }
                }
            }
        }
        if let Some(mark) = element.mark {
            self.close_item(mark);
        }
    }

    fn open_block(&mut self, leading: usize, pre: bool) {
        let pre = pre || self.blocks.last().is_some_and(|block| block.pre);
        self.blocks.push(Block {
            leading,
            pre,
            ..Block::default()
        });
    }

    fn close_item(&mut self, mark: String) {
        if let Some(block) = self.blocks.pop()
            && let Some(list) = self.blocks.last_mut()
        {
            list.items.push(Item {
                mark,
                text: block.text(),
                leading: block.leading,
                trailing: block.owed.max(1),
            });
        }
    }

    fn add(&mut self, text: &str, leading: usize, trailing: usize) {
        if let Some(block) = self.blocks.last_mut() {
            block.add(text, leading, trailing);
        }
    }

    fn line_break(&mut self) {
        match self.blocks.last_mut() {
            Some(block) if block.pre => block.finished.push('\n'),
            Some(block) => block.new_lines(1),
            None => {}
        }
    }

    /// Adds words; `shown` ones are changed and noted by the elements around them.
    fn words(&mut self, text: &str, shown: bool) {
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        if block.pre {
            block.finished.push_str(text);
            return;
        }
        let mut words = text.split(is_space).filter(|word| !word.is_empty());
        let mut next = words.next();
        if text.is_empty() || (block.owed > 0 && next.is_none()) {
            return;
        }
        if block.owed > 0 {
            let owed = std::mem::take(&mut block.owed);
            block.new_lines(owed);
        }
        let mut space = block.space || text.starts_with(is_space);
        block.space = (block.space && next.is_none()) || text.ends_with(is_space);
        while let Some(word) = next {
            if block.begun && space {
                block.words.push(' ');
            }
            if shown {
                block.words.push_str(&affected(&mut self.elements, word));
            } else {
                block.words.push_str(word);
            }
            block.begun = true;
            space = true;
            next = words.next();
        }
    }

    fn finish(mut self) -> String {
        while !self.elements.is_empty() {
            self.close_last();
        }
        self.blocks.pop().map_or_else(String::new, |b| b.text())
    }
}

/// The word as the elements around it show it, the innermost first.
fn affected(elements: &mut [Element], word: &str) -> String {
    let mut word = word.to_owned();
    for element in elements.iter_mut().rev() {
        match &mut element.effect {
            Effect::Block { heading: true, .. } => word = word.to_uppercase(),
            Effect::Link { words, .. } => words.push_str(&word),
            _ => {}
        }
    }
    word
}

/// Where a link leads; nowhere, if only to another place of the mail.
fn link(href: &str) -> &str {
    let href = href.strip_prefix("mailto:").unwrap_or(href);
    if href.starts_with('#') { "" } else { href }
}

fn quoted(text: &str) -> String {
    let lines = text.trim_matches('\n').split('\n');
    let lines: Vec<_> = lines.map(|line| format!("> {line}")).collect();
    lines.join("\n")
}

/// HTML's white space, and the zero-width space. A no-break space is a word.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}' | '\u{200b}')
}

/// Line breaks before and after a block; nothing for an element within a line.
fn breaks(name: &str) -> Option<(usize, usize)> {
    match name {
        "article" | "aside" | "div" | "footer" | "form" | "header" | "main" | "nav" | "section" => {
            Some((1, 1))
        }
        "blockquote" | "h4" | "h5" | "h6" | "hr" | "p" | "pre" | "table" => Some((2, 2)),
        "h1" | "h2" | "h3" => Some((3, 2)),
        _ => None,
    }
}

fn is_void(name: &str) -> bool {
    [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr",
    ]
    .contains(&name)
}

/// Whether an opening tag ends the element that is open, of those whose end may be left out.
fn closes(opening: &str, open: &str) -> bool {
    match open {
        "li" => opening == "li",
        "p" => {
            breaks(opening).is_some()
                || [
                    "address",
                    "details",
                    "dl",
                    "fieldset",
                    "figcaption",
                    "figure",
                    "ol",
                    "ul",
                ]
                .contains(&opening)
        }
        _ => false,
    }
}
