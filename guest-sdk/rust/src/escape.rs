//! Values in HTML.

/// The text as it stands in an element or in a quoted attribute, so that nothing in it is markup.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_markup_stays() {
        assert_eq!(
            escape(r#"<a href="x" title='y'>é & &amp;</a>"#),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;é &amp; &amp;amp;&lt;/a&gt;"
        );
    }
}
