//! What a server offers in its answer to `EHLO`.

use super::reply::Reply;

/// The extensions that are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) starttls: bool,
    pub(super) pipelining: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    /// The keyword stood there.
    pub(super) size: bool,
    /// The largest message, where the server names one.
    pub(super) size_max: Option<usize>,
    /// Mechanisms of `AUTH`, in upper case.
    pub(super) auth: Vec<String>,
}

impl Offers {
    /// Reads the keywords (RFC 5321, 4.1.1.1); the first line is a greeting.
    pub(super) fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = String::from_utf8_lossy(line).to_ascii_uppercase();
            // Old servers write `AUTH=LOGIN`.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => {
                    offers.size = true;
                    let size = words.next().and_then(|size| size.parse().ok());
                    offers.size_max = size.filter(|size| *size > 0);
                }
                Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_are_left() {
        let lines = [
            "mx",
            "size 1000",
            "AUTH PLAIN login",
            "AUTH=CRAM-MD5",
            "X-ODD",
            "8bitmime",
        ];
        let reply = Reply {
            code: 250,
            lines: lines.map(Into::into).to_vec(),
        };
        let offers = Offers::of(&reply);
        assert_eq!(offers.size_max, Some(1000));
        assert_eq!(offers.auth, ["PLAIN", "LOGIN", "CRAM-MD5"]);
        assert!(offers.eight_bit && !offers.starttls && !offers.utf8);
    }
}
