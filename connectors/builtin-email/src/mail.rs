//! One mail from its texts, in HTML and in plain text. All markup is here and in `mail.html`: tables and
//! inline styles, because that is what mail programs show; nothing is fetched but the logo.

use sendbox_guest::html::escape;

/// What the reader is to do.
pub(crate) enum Action<'a> {
    /// Type a code.
    Code { code: String, note: &'a str },
    /// Open a link: by a button, and in full below it.
    Link {
        url: String,
        button: &'a str,
        hint: &'a str,
    },
}

/// The parts of a mail, none of them escaped.
pub(crate) struct Mail<'a> {
    pub(crate) language: &'a str,
    /// Whose mail it is: in place of the logo where there is none, or where it is not shown.
    pub(crate) brand: Option<&'a str>,
    pub(crate) logo: Option<&'a str>,
    /// Below the mail; several lines, or empty.
    pub(crate) company: &'a str,
    pub(crate) subject: String,
    pub(crate) greeting: String,
    pub(crate) lead: String,
    pub(crate) action: Action<'a>,
    pub(crate) ignore: &'a str,
}

impl Mail<'_> {
    /// The plain text.
    pub(crate) fn text(&self) -> String {
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
    pub(crate) fn html(&self) -> String {
        format!(
            include_str!("mail.html"),
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
                include_str!("code.html"),
                code = escape(code),
                note = escape(note)
            ),
            Action::Link { url, button, hint } => format!(
                include_str!("link.html"),
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
