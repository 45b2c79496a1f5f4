/** Mail addresses, and what a mail server's answer means. */

#include <string.h>

#include "internal.h"

/** Whether the text is the local part of an address (RFC 5321, 4.1.2), quoted or not. */
static bool is_local(const char *local, size_t size)
{
    const bool quoted = size >= 2 && local[0] == '"' && local[size - 1] == '"';
    /* Some readers end an address at a bracket or begin a comment at one, in quotes or not. */
    const char *special = quoted ? "\"\\<>()[]" : "()<>[]:;@\\,\"";
    for (size_t i = quoted ? 1 : 0; i < size - (quoted ? 1 : 0); i++) {
        const unsigned char c = (unsigned char)local[i];
        /* Those above ASCII, U+0080 to U+009F, are C2 80 to C2 9F. */
        const bool high = c == 0xC2 && (unsigned char)local[i + 1] < 0xA0;
        if (sb_is_control(c) || high || strchr(special, c) != NULL ||
            (!quoted && sb_space(local + i) > 0)) {
            return false;
        }
        /* Some decode words wherever they stand (RFC 2047, 5 forbids them here). */
        if (c == '=' && local[i + 1] == '?') {
            return false;
        }
    }
    return size > 0 && size <= 64;
}

const char *sb_address(const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    const char *begin = text + strspn(text, " ");
    size_t size = strlen(begin);
    while (size > 0 && begin[size - 1] == ' ') {
        size -= 1;
    }
    char *address = sb_copy(begin, size);
    char *at = strrchr(address, '@');
    if (at == NULL || !is_local(address, (size_t)(at - address)) ||
        !sb_same(address, sb_text_of(address, size))) {
        return NULL;
    }
    for (char *c = at + 1; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    }
    return sb_is_name(at + 1) ? address : NULL;
}

/** The code and words of a reply as a failure. */
static sb_failure refusal(sb_failure_kind kind, const sb_smtp_reply *reply)
{
    const char *code = sb_decimal(reply->code);
    const char *words = sb_concat(code, *reply->text == '\0' ? "" : " ", reply->text, NULL);
    return (sb_failure){kind, reply->enhanced == NULL ? code : reply->enhanced, words, SB_NO_DELAY};
}

static bool is_one_of(const char *code, const char *const codes[])
{
    for (; code != NULL && *codes != NULL; codes++) {
        if (sb_same(code, *codes)) {
            return true;
        }
    }
    return false;
}

/** Whether a reply is about the sender: one to `MAIL FROM`, or a code of RFC 5248 or Exchange. */
static bool is_of_sender(const sb_smtp_reply *reply)
{
    static const char *const codes[] = {"5.1.7",  "5.1.8",  "5.2.252", "5.7.23",
                                        "5.7.26", "5.7.27", "5.7.60",  NULL};
    return is_one_of(reply->enhanced, codes) || sb_starts_with(reply->text, "MAIL FROM: ");
}

/** Whether a reply speaks of a rate or a quota (452 in RFC 5321; X.7.0 of large providers). */
static bool is_limited(const sb_smtp_reply *reply)
{
    static const char words[] = "rate limit";
    static const char *const codes[] = {"5.4.5", "5.1.90", "5.7.232", "5.7.233", "4.7.28", NULL};
    if (reply->code == 452 || is_one_of(reply->enhanced, codes)) {
        return true;
    }
    for (const char *at = reply->text; *at != '\0'; at++) {
        size_t i = 0;
        /* The bit that makes a letter small makes a blank of the text's end. */
        while (words[i] != '\0' && at[i] != '\0' && (at[i] | 0x20) == words[i]) {
            i += 1;
        }
        if (words[i] == '\0') {
            return true;
        }
    }
    return false;
}

sb_failure sb_failure_of_smtp(sb_smtp_error error, const sb_smtp_reply *reply)
{
    static const struct {
        sb_failure_kind kind;
        const char *code;
        const char *words;
    } known[] = {
        {SB_INVALID_SETTINGS, "not-supported", "this host does not offer SMTP"},
        {SB_INVALID_SETTINGS, "denied",
         "the egress policy does not allow this server, port or plain text"},
        {SB_INVALID_SETTINGS, "invalid-request", ""},
        {SB_UNAVAILABLE, "dns", "the host name could not be resolved"},
        {SB_UNAVAILABLE, "connect", "no session with the server"},
        {SB_UNAVAILABLE, "tls", "no trusted TLS session: "},
        {SB_UNAUTHORIZED, NULL, NULL},
        {SB_REJECTED, NULL, NULL},
        {SB_UNAVAILABLE, NULL, NULL},
        {SB_UNAVAILABLE, "timeout", "no reply in time"},
        {SB_UNKNOWN, "interrupted", "the session ended after the message and before its answer"},
    };
    if (known[error].code == NULL) {
        sb_failure_kind kind = known[error].kind;
        if (error != SB_SMTP_UNAUTHORIZED && is_limited(reply)) {
            kind = SB_THROTTLED;
        } else if (error == SB_SMTP_REJECTED && is_of_sender(reply)) {
            kind = SB_INVALID_SETTINGS;
        }
        return refusal(kind, reply);
    }
    const char *words = sb_concat(known[error].words, reply->text, NULL);
    return (sb_failure){known[error].kind, known[error].code, words, SB_NO_DELAY};
}

const char *sb_submit(const sb_server *server, const char *mail_from, const char *rcpt_to,
                      const char *mail)
{
    const char *from = sb_same(mail_from, "") ? "" : sb_address(mail_from);
    const char *to = sb_address(rcpt_to);
    if (from == NULL) {
        sb_fail(sb_invalid_settings("from", "is no mail address"));
    } else if (to == NULL) {
        sb_fail(sb_failure_new(SB_REJECTED, "the recipient is not one mail address"));
    }
    if (sb_failed()) {
        return NULL;
    }
    sb_smtp_reply reply = {0, NULL, ""};
    sb_smtp_error error;
    if (!sb_submission(server, from, to, mail, &reply, &error)) {
        sb_fail(sb_failure_of_smtp(error, &reply));
        return NULL;
    }
    return reply.text;
}
