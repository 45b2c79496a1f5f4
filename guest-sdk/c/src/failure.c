/** What went wrong, in the contract's seven kinds; the one place that reads status codes. */

#include <string.h>

#include "internal.h"

static sb_failure first;
static bool failed;

void sb_reset(void)
{
    sb_free_all();
    failed = false;
}

void sb_fail(sb_failure failure)
{
    if (!failed) {
        first = failure;
        failed = true;
    }
}

bool sb_failed(void)
{
    return failed;
}

sb_failure sb_noted(void)
{
    return first;
}

sb_receipt sb_refused(sb_failure failure)
{
    sb_fail(failure);
    return (sb_receipt){NULL, NULL};
}

sb_failure sb_failure_new(sb_failure_kind kind, const char *message)
{
    return (sb_failure){kind, NULL, message, SB_NO_DELAY};
}

sb_failure sb_invalid_settings(const char *field, const char *words)
{
    return sb_failure_new(SB_INVALID_SETTINGS, sb_concat(field, ": ", words, NULL));
}

sb_failure_kind sb_kind_of_status(uint16_t status)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return SB_UNAUTHORIZED;
    case 402:
    case 408:
    case 425:
    case 429:
        return SB_THROTTLED;
    case 503:
        return SB_UNAVAILABLE;
    case 303:
        /* The request was processed, and its outcome lies elsewhere. */
        return SB_UNKNOWN;
    default:
        break;
    }
    if (status == 400 || status == 422) {
        return SB_REJECTED;
    }
    /* The host follows no redirect, so the address is wrong; every other 4xx speaks of address,
       method or form. Of the 5xx only 503 says that the request was not processed. */
    return status >= 300 && status < 500 ? SB_INVALID_SETTINGS : SB_UNKNOWN;
}

/** A whole number in a date, of so many digits, or -1. */
static int64_t part(const char **at, int digits, char behind)
{
    int64_t number = 0;
    for (; digits > 0; digits--, *at += 1) {
        if (!sb_is_digit(**at)) {
            return -1;
        }
        number = number * 10 + (**at - '0');
    }
    if (**at != behind) {
        return -1;
    }
    *at += 1;
    return number;
}

/** Seconds since the Unix epoch of an IMF-fixdate (RFC 9110, 5.6.7), or -1. */
static int64_t date_of(const char *text)
{
    static const char months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    const char *at = text == NULL ? NULL : strstr(text, ", ");
    if (at == NULL) {
        return -1;
    }
    at += 2;
    const int64_t day = part(&at, 2, ' ');
    if (day < 1 || day > 31 || strlen(at) < 4 || at[3] != ' ') {
        return -1;
    }
    const char name[4] = {at[0], at[1], at[2], '\0'};
    const char *month = strstr(months, name);
    at += 4;
    int64_t year = part(&at, 4, ' ');
    const int64_t hour = year < 1970 ? -1 : part(&at, 2, ':');
    const int64_t minute = hour < 0 || hour > 23 ? -1 : part(&at, 2, ':');
    const int64_t second = minute < 0 || minute > 59 ? -1 : part(&at, 2, ' ');
    if (month == NULL || second < 0 || second > 60 || strcmp(at, "GMT") != 0) {
        return -1;
    }
    /* The year begins in March, so that the leap day is its last. */
    int64_t from_march = (month - months) / 4 - 2;
    year -= from_march < 0 ? 1 : 0;
    from_march += from_march < 0 ? 12 : 0;
    const int64_t leap_days = year / 4 - year / 100 + year / 400;
    const int64_t days = year * 365 + leap_days + (from_march * 153 + 2) / 5 + day - 719469;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

/** Milliseconds of `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. */
static uint64_t delay_of(const sb_response *response)
{
    const char *value = sb_response_header(response, "retry-after");
    if (value == NULL) {
        return SB_NO_DELAY;
    }
    value = sb_without_controls(value);
    const char *at = value;
    uint64_t seconds = 0;
    while (sb_is_digit(*at) && seconds < 100000000000) {
        seconds = seconds * 10 + (uint64_t)(*at++ - '0');
    }
    if (at > value && *at == '\0') {
        return seconds * 1000;
    }
    const int64_t until = date_of(value);
    if (until < 0) {
        return SB_NO_DELAY;
    }
    const int64_t date = date_of(sb_response_header(response, "date"));
    const int64_t now = date < 0 ? (int64_t)(sb_now() / 1000) : date;
    return until > now ? (uint64_t)(until - now) * 1000 : 0;
}

static bool is_markup(const char *text)
{
    while (sb_space(text) > 0) {
        text += sb_space(text);
    }
    return *text == '<';
}

/** The first words of a plain or JSON body, on one line. A page of markup explains nothing. */
static const char *excerpt(const sb_response *response)
{
    enum { CHARACTERS = 200 };
    const char *text = sb_one_line(sb_response_text(response));
    while (sb_space(text) > 0) {
        text += sb_space(text);
    }
    size_t size = 0;
    for (int count = 0; text[size] != '\0'; size++) {
        count += (text[size] & 0xC0) != 0x80;
        if (count > CHARACTERS) {
            break;
        }
    }
    return *text == '<' ? "" : sb_copy(text, size);
}

sb_failure sb_failure_from(const sb_response *response)
{
    const char *code = sb_decimal(response->status);
    const char *words = "";
    if (response->status >= 300 && response->status < 400) {
        words = "redirects are not followed, the address must be the final one";
    } else {
        words = excerpt(response);
    }
    const char *message = sb_concat("HTTP status ", code, *words == '\0' ? "" : ": ", words, NULL);
    sb_failure_kind kind = sb_kind_of_status(response->status);
    if (kind == SB_REJECTED && is_markup(sb_response_text(response))) {
        /* A page of a proxy or a web server says nothing of the message. */
        kind = SB_INVALID_SETTINGS;
    }
    return (sb_failure){kind, code, message, delay_of(response)};
}

sb_failure sb_failure_of_provider(const sb_response *response, sb_failure_kind kind,
                                  const char *code, const char *words)
{
    sb_failure failure = sb_failure_from(response);
    failure.kind = kind;
    failure.code = code;
    failure.message = words == NULL || *words == '\0' ? failure.message : words;
    return failure;
}

sb_failure sb_failure_unreadable(const sb_response *response)
{
    const char *code = sb_decimal(response->status);
    const char *words = sb_concat("HTTP status ", code, " without the provider's answer", NULL);
    return (sb_failure){SB_UNKNOWN, code, words, SB_NO_DELAY};
}

sb_failure sb_failure_of_http(sb_http_error error, const char *words)
{
    static const struct {
        sb_failure_kind kind;
        const char *code;
        const char *words;
    } known[] = {
        {SB_INVALID_SETTINGS, "denied", "the egress policy does not allow this address"},
        {SB_INVALID_SETTINGS, "invalid-request", NULL},
        {SB_UNAVAILABLE, "dns", "the host name could not be resolved"},
        {SB_UNAVAILABLE, "connect", "no connection"},
        {SB_UNAVAILABLE, "tls", "no trusted TLS session"},
        {SB_UNKNOWN, "timeout", "no whole response in time"},
        {SB_UNKNOWN, "interrupted", "the connection ended before a whole response"},
        {SB_UNKNOWN, "response-too-large", "the response is over the limit"},
    };
    const char *own = known[error].words;
    return (sb_failure){known[error].kind, known[error].code, own == NULL ? words : own,
                        SB_NO_DELAY};
}
