//! Blocks of text under construction, and the line breaks between them.

/// A block that is being built: finished text, then words that may still grow.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) finished: String,
    pub(crate) words: String,
    /// Whether the last line of `words` has any.
    pub(crate) begun: bool,
    /// A space that the next word brings.
    pub(crate) space: bool,
    /// Line breaks before this block, and owed before what follows inside it.
    pub(crate) leading: usize,
    pub(crate) owed: usize,
    /// White space counts.
    pub(crate) pre: bool,
    /// Of a list: its items, laid out when all their marks are known.
    pub(crate) items: Vec<Item>,
}

/// An item of a list.
pub(crate) struct Item {
    /// What stands before its first line.
    pub(crate) mark: String,
    pub(crate) text: String,
    pub(crate) leading: usize,
    pub(crate) trailing: usize,
}

impl Block {
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.finished, self.words)
    }

    pub(crate) fn new_lines(&mut self, count: usize) {
        self.words.push_str(&"\n".repeat(count));
        self.begun = false;
    }

    /// Adds a finished inner block. The first one inside hands its line breaks on to this one.
    pub(crate) fn add(&mut self, text: &str, leading: usize, trailing: usize) {
        let breaks = self.owed.max(leading);
        self.finished = self.text();
        self.words.clear();
        self.begun = false;
        if self.finished.is_empty() {
            self.leading = breaks;
        } else {
            self.finished.push_str(&"\n".repeat(breaks));
        }
        self.finished.push_str(text);
        self.owed = trailing;
    }

    /// Lays the items out: their text in a column behind the marks.
    pub(crate) fn add_items(&mut self) {
        let items = std::mem::take(&mut self.items);
        let width = items.iter().map(|item| item.mark.len()).max().unwrap_or(0);
        for item in items {
            let text = item.text.replace('\n', &format!("\n{:width$}", ""));
            let text = format!("{:width$}{text}", item.mark);
            self.add(&text, item.leading, item.trailing);
        }
    }
}
