//! The display name of a sender whose address is somebody else's: the one check of it.

/// Bytes of a display name.
const NAME_MAX: usize = 256;

/// The display name in a name, a mailbox, or `Name <mailbox>`; none where it could be read as an address, or
/// could be shown as another text than it is.
#[must_use]
pub fn display_name(sender: &str) -> Option<String> {
    let name = sender.split('<').next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    let plain = !name.is_empty() && name.len() <= NAME_MAX && !name.contains(misleads);
    plain.then(|| name.to_owned())
}

/// Characters that make an address of a name, in every width that programs take for them, and those that turn
/// text around or hide in it. The joiners of Persian words and of emoji stay.
const fn misleads(c: char) -> bool {
    matches!(
        c,
        '@' | '<' | '>'
            | '\u{ff20}' | '\u{fe6b}' // commercial at: full width, small
            | '\u{ff1c}' | '\u{ff1e}' | '\u{fe64}' | '\u{fe65}' // less and greater than, the same
            | '\u{61c}' | '\u{200e}' | '\u{200f}' // marks of direction
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // embeddings, overrides, isolates
            | '\u{2028}' | '\u{2029}' // ends of lines and paragraphs
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // unseen
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_address_and_is_seen_as_it_is() {
        for (sender, name) in [
            ("Acme", "Acme"),
            ("  Acme \r\n<a@b.test>", "Acme"),
            ("Müller & Söhne, GmbH", "Müller & Söhne, GmbH"),
            ("علی\u{200c}رضا", "علی\u{200c}رضا"),
            (
                "\u{1f469}\u{200d}\u{1f4bb} Dev",
                "\u{1f469}\u{200d}\u{1f4bb} Dev",
            ),
        ] {
            assert_eq!(display_name(sender).as_deref(), Some(name));
        }
        for sender in [
            "",
            "<a@b.test>",
            "ceo@bank.test",
            "ceo＠bank.test",
            "ceo﹫bank.test",
            "Bank ＜ceo",
            "Acme\u{202e}knab",
            "\u{2066}Bank\u{2069}",
            "Ba\u{200b}nk",
            "Ba\u{ad}nk",
            "Bank\u{e0041}",
        ] {
            assert_eq!(display_name(sender), None, "{sender:?}");
        }
        assert_eq!(display_name(&"a".repeat(257)), None);
    }
}
