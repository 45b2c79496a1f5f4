//! A letter with one code or one link, in HTML and in plain text. All markup is here and in `letter/`:
//! tables and inline styles, because that is what mail programs show; nothing is fetched but the logo.

use crate::html::escape;

/// What the reader is to do.
pub enum Action<'a> {
    /// Type a code.
    Code {
        /// The code.
        code: String,
        /// Below it.
        note: &'a str,
    },
    /// Open a link: by a button, and in full below it.
    Link {
        /// Where it leads.
        url: String,
        /// On the button.
        button: &'a str,
        /// Before the same link in full.
        hint: &'a str,
    },
}

/// The parts of a letter, none of them escaped.
pub struct Letter<'a> {
    /// Language tag of the texts.
    pub language: &'a str,
    /// Whose letter it is: in place of the logo where there is none, or where it is not shown.
    pub brand: Option<&'a str>,
    /// Its URL.
    pub logo: Option<&'a str>,
    /// Below the letter; several lines, or empty.
    pub company: &'a str,
    /// Subject and headline.
    pub subject: String,
    /// First line.
    pub greeting: String,
    /// What it is about.
    pub lead: String,
    /// What the reader is to do.
    pub action: Action<'a>,
    /// What to do if one did not ask for it.
    pub ignore: &'a str,
}

impl Letter<'_> {
    /// The plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let action = match &self.action {
            Action::Code { code, note } => format!("{code}\n\n{note}"),
            Action::Link { url, button, .. } => format!("{button}\n{url}"),
        };
        let (greeting, lead, ignore) = (&self.greeting, &self.lead, self.ignore);
        let mut text = format!("{greeting}\n\n{lead}\n\n{action}\n\n{ignore}\n");
        if !self.company.is_empty() {
            // The separator of a signature (RFC 3676, 4.3).
            text.push_str(&format!("\n-- \n{}\n", lines(self.company).join("\n")));
        }
        text
    }

    /// The HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        format!(
            include_str!("letter/letter.html"),
            language = self.language,
            subject = escape(&self.subject),
            greeting = escape(&self.greeting),
            lead = escape(&self.lead),
            ignore = escape(self.ignore),
            header = self.header(),
            action = self.action(),
            footer = self.footer(),
        )
    }

    fn header(&self) -> String {
        let brand = escape(self.brand.unwrap_or_default());
        let inner = match self.logo.map(escape) {
            Some(logo) => format!(
                r#"<img src="{logo}" alt="{brand}" height="40" style="display:block;height:40px;width:auto;max-width:240px;border:0;font-size:18px;font-weight:600;">"#
            ),
            None if brand.is_empty() => return String::new(),
            None => brand,
        };
        format!(
            "<tr><td class=\"ink\" style=\"padding:32px 32px 0;font-size:18px;font-weight:600;color:#16191d;\">{inner}</td></tr>\n"
        )
    }

    fn action(&self) -> String {
        match &self.action {
            Action::Code { code, note } => format!(
                include_str!("letter/code.html"),
                code = escape(code),
                note = escape(note)
            ),
            Action::Link { url, button, hint } => format!(
                include_str!("letter/link.html"),
                url = escape(url),
                button = escape(button),
                hint = escape(hint)
            ),
        }
    }

    fn footer(&self) -> String {
        if self.company.is_empty() {
            return String::new();
        }
        let lines: Vec<_> = lines(self.company).into_iter().map(escape).collect();
        format!(
            "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"max-width:600px;\">\n\
             <tr><td class=\"pale\" align=\"center\" style=\"padding:16px 32px;font-family:Arial,sans-serif;font-size:12px;line-height:18px;color:#5b6570;\">{}</td></tr>\n\
             </table>\n",
            lines.join("<br>")
        )
    }
}

/// The lines of a text without other control characters.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.split(|c: char| c.is_control());
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}
