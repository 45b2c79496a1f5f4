"""HTTP dates (RFC 9110, 5.6.7), in the one form that servers must send today."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORM = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


def parse(text: str) -> int | None:
    """Seconds since the Unix epoch of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`."""
    found = _FORM.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
    try:
        date = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, tzinfo=timezone.utc)
    except ValueError:
        return None
    # A leap second is the one before, and one more.
    return int(date.timestamp()) + second if second <= 60 and year >= 1970 else None
