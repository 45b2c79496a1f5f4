"""The text of a number as JavaScript prints it (ECMA-262, `Number::toString`)."""

from __future__ import annotations

import math

# Above this, JavaScript's numbers no longer hold every integer.
_EXACT = 1 << 53


def text(number: float) -> str:
    """The shortest text that reads back as the same double, in JavaScript's notation."""
    if isinstance(number, int) and -_EXACT <= number <= _EXACT:
        return str(number)
    double = _double(number)
    if not math.isfinite(double):
        return "NaN" if math.isnan(double) else "Infinity" if double > 0 else "-Infinity"
    if double == 0:
        return "0"
    mantissa, _, exponent = repr(abs(double)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The place of the point, counted from the first digit.
    point = int(exponent or 0) + len(digits) - len(fraction)
    return ("-" if double < 0 else "") + _notation(digits.rstrip("0"), point)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _notation(digits: str, point: int) -> str:
    """`0.digits` times ten to the `point`."""
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    if 0 < point <= 21:
        if point >= len(digits):
            return digits + "0" * (point - len(digits))
        return digits[:point] + "." + digits[point:]
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
