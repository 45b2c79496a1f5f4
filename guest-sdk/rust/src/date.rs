//! HTTP dates (RFC 9110, 5.6.7), in the one form that servers must send today.

/// Seconds since the Unix epoch of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn parse(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, text) = text.split_once(", ")?;
    let mut parts = text.strip_suffix(" GMT")?.split(' ');
    let day: u64 = number(parts.next()?, 2, 31)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = number(parts.next()?, 4, 9999).filter(|year| *year >= 1970)?;
    let mut time = parts.next()?.split(':');
    let hour = number(time.next()?, 2, 23)?;
    let minute = number(time.next()?, 2, 59)?;
    let second = number(time.next()?, 2, 60)?;
    if parts.next().is_some() || time.next().is_some() {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, digits: usize, most: u64) -> Option<u64> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| plain && *n <= most)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; the year begins in March, so that
/// the leap day is its last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day).saturating_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn dates_count_from_the_epoch() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Sat, 21 Nov 2026 07:30:00 GMT", 1_795_246_200),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "soon",
            "Sun, 06 Nov 1994",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "120",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
