//! Blocks of text under construction, and the line breaks between them.

/// A block that is being built: finished text, then words that may still grow.
#[derive(Default)]
pub(super) struct Block {
    pub(super) finished: String,
    pub(super) words: String,
    /// Whether the last line of `words` has any.
    pub(super) begun: bool,
    /// A space that the next word brings.
    pub(super) space: bool,
    /// Line breaks before this block, and owed before what follows inside it.
    pub(super) leading: usize,
    pub(super) owed: usize,
    /// White space counts.
    pub(super) pre: bool,
    /// Of a list: its items, laid out when all their marks are known.
    pub(super) items: Vec<Item>,
}

/// An item of a list.
pub(super) struct Item {
    /// What stands before its first line.
    pub(super) mark: String,
    pub(super) text: String,
    pub(super) leading: usize,
    pub(super) trailing: usize,
}

impl Block {
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.finished, self.words)
    }

    pub(super) fn new_lines(&mut self, count: usize) {
        self.words.push_str(&"\n".repeat(count));
        self.begun = false;
    }

    /// Adds a finished inner block. The first one inside hands its line breaks on to this one.
    pub(super) fn add(&mut self, text: &str, leading: usize, trailing: usize) {
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
    pub(super) fn add_items(&mut self) {
        let items = std::mem::take(&mut self.items);
        let width = items.iter().map(|item| item.mark.len()).max().unwrap_or(0);
        for item in items {
            let text = item.text.replace('\n', &format!("\n{:width$}", ""));
            let text = format!("{:width$}{text}", item.mark);
            self.add(&text, item.leading, item.trailing);
        }
    }
}
