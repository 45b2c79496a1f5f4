//! The text of a number as JavaScript prints it (ECMA-262, `Number::toString`).

use serde_json::Number;

/// Above this, JavaScript's numbers no longer hold every integer: 2^53.
const EXACT: u64 = 1 << 53;

/// The shortest text that reads back as the same double, in JavaScript's notation.
pub(crate) fn text(number: &Number) -> String {
    if let Some(n) = number.as_i64().filter(|n| n.unsigned_abs() <= EXACT) {
        return n.to_string();
    }
    let double = number.as_f64().unwrap_or_default();
    if double == 0.0 {
        return "0".into();
    }
    // The same shortest digits in one of several notations, without Rust's own printing of
    // doubles, which takes 14 KiB of a component.
    let shortest = Number::from_f64(double.abs()).map_or_else(String::new, |n| n.to_string());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let point = exponent.parse().unwrap_or(0) + whole.len() as i32 - 1;
    let exponent = point - (all.len() - digits.len()) as i32;
    let sign = if double < 0.0 { "-" } else { "" };
    format!("{sign}{}", notation(digits.trim_end_matches('0'), exponent))
}

/// `digits` with the point after the first one, times ten to the `exponent`.
fn notation(digits: &str, exponent: i32) -> String {
    let point = usize::try_from(exponent + 1).unwrap_or(0);
    match exponent {
        -6..0 => format!(
            "0.{}{digits}",
            "0".repeat(exponent.unsigned_abs() as usize - 1)
        ),
        0..21 if point >= digits.len() => {
            format!("{digits}{}", "0".repeat(point - digits.len()))
        }
        0..21 => {
            let (whole, fraction) = digits.split_at(point);
            format!("{whole}.{fraction}")
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let plus = if exponent < 0 { "" } else { "+" };
            format!("{first}{dot}{rest}e{plus}{exponent}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_between_notations_are_those_of_javascript() {
        for (json, expected) in [
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("0.00000123", "0.00000123"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("-1.5e300", "-1.5e+300"),
            ("123.456", "123.456"),
            ("100.5", "100.5"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.1", "0.1"),
            ("12345678901234567890123", "1.2345678901234568e+22"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("-9007199254740991", "-9007199254740991"),
            ("18446744073709551615", "18446744073709552000"),
        ] {
            assert_eq!(text(&serde_json::from_str(json).unwrap()), expected);
        }
    }
}
