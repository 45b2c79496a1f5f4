//! HTTP dates (RFC 9110, 5.6.7), in the one form that servers must send today, and the time as
//! signatures write it.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds since the Unix epoch of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn parse(text: &str) -> Option<u64> {
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

/// A moment in UTC, by the Gregorian calendar.
pub(crate) struct Utc {
    /// Of the week; a Thursday is 0, as the epoch's.
    #[cfg(feature = "mime")]
    weekday: u64,
    date: (u64, u64, u64),
    time: (u64, u64, u64),
}

impl Utc {
    /// Milliseconds since the Unix epoch, cut to seconds.
    pub(crate) fn of_millis(millis: u64) -> Self {
        let seconds = millis / 1000;
        let (mut day, time) = (seconds / 86_400, seconds % 86_400);
        #[cfg(feature = "mime")]
        let weekday = day % 7;
        // Whole 400-year cycles, then years and months that begin in March, as in `days`.
        day += 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (year, month) = if month < 10 {
            (year, month + 3)
        } else {
            (year + 1, month - 9)
        };
        Self {
            #[cfg(feature = "mime")]
            weekday,
            date: (year + era * 400, month, day),
            time: (time / 3600, time / 60 % 60, time % 60),
        }
    }

    /// `2026-01-02`.
    pub(crate) fn day(&self) -> String {
        let (year, month, day) = self.date;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `20260102`.
    pub(crate) fn basic_day(&self) -> String {
        let (year, month, day) = self.date;
        format!("{year:04}{month:02}{day:02}")
    }

    /// `20260102T030405Z` (ISO 8601, basic format).
    pub(crate) fn basic(&self) -> String {
        let (hour, minute, second) = self.time;
        format!("{}T{hour:02}{minute:02}{second:02}Z", self.basic_day())
    }

    /// `2026-01-02T03:04:05Z` (ISO 8601, extended format).
    pub(crate) fn extended(&self) -> String {
        let (hour, minute, second) = self.time;
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.day())
    }

    /// `Fri, 02 Jan 2026 03:04:05 +0000` (RFC 5322, 3.3).
    #[cfg(feature = "mime")]
    pub(crate) fn mail(&self) -> String {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        let name = |names: &[&'static str], at: u64| {
            let name = usize::try_from(at).ok().and_then(|at| names.get(at));
            name.copied().unwrap_or_default()
        };
        let ((year, month, day), (hour, minute, second)) = (self.date, self.time);
        let (weekday, month) = (name(&WEEKDAYS, self.weekday), name(&MONTHS, month - 1));
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }
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
    use super::{Utc, parse};

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
    fn moments_are_written_as_they_are_read() {
        for (text, written) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59Z"),
            ("Fri, 01 Mar 2024 00:00:00 GMT", "2024-03-01T00:00:00Z"),
            ("Fri, 31 Dec 2100 12:00:00 GMT", "2100-12-31T12:00:00Z"),
            ("Tue, 29 Feb 2000 01:02:03 GMT", "2000-02-29T01:02:03Z"),
        ] {
            let utc = Utc::of_millis(parse(text).unwrap() * 1000 + 999);
            assert_eq!(utc.extended(), written);
            assert_eq!(utc.basic(), written.replace(['-', ':'], ""));
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
