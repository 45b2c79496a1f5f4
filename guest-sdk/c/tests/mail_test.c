/** Mails as servers and readers need them: short lines, ASCII, one header a header. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "sendbox_mail.h"

static sb_mail mail_with(const char *subject, const char *text, const char *html)
{
    return (sb_mail){.from = {"noreply@mail.example.com", "Example, Inc."},
                     .to = "alice@example.net",
                     .subject = subject,
                     .text = text,
                     .html = html,
                     .id = "0199-a/b"};
}

static bool has_line(const char *mail, const char *line)
{
    return strstr(mail, sb_concat("\r\n", line, "\r\n", NULL)) != NULL;
}

/** Whether no line is too long, and nothing but CRLF ends one. */
static bool is_clean(const char *mail)
{
    size_t column = 0;
    for (const char *at = mail; *at != '\0'; at++) {
        const bool pair = at[0] == '\r' && at[1] == '\n';
        if (!pair && (*at == '\r' || *at == '\n' || (unsigned char)*at >= 0x7F)) {
            return false;
        }
        at += pair ? 1 : 0;
        column = pair ? 0 : column + 1;
        if (column > 78) {
            return false;
        }
    }
    return true;
}

/** The bytes behind base64, line ends left out. */
static const char *decoded(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    sb_buffer out = {0};
    uint32_t bits = 0;
    for (int count = 0; *text != '\0'; text++) {
        const char *digit = strchr(digits, *text);
        if (digit == NULL || *text == '\0') {
            continue;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            sb_add_byte(&out, (char)(bits >> count & 0xFF));
        }
    }
    return sb_taken(&out);
}

/** What a reader makes of the encoded words between two texts. */
static const char *unworded(const char *mail, const char *begin, const char *end)
{
    sb_buffer out = {0};
    const char *at = strstr(mail, begin);
    const char *stop = at == NULL ? NULL : strstr(at, end);
    while (at != NULL && (at = strstr(at, "=?utf-8?B?")) != NULL && at < stop) {
        at += strlen("=?utf-8?B?");
        const size_t size = strcspn(at, "?");
        sb_add_text(&out, decoded(sb_copy(at, size)));
    }
    return sb_taken(&out);
}

static const char *times(const char *text, int count)
{
    sb_buffer out = {0};
    for (; count > 0; count--) {
        sb_add_text(&out, text);
    }
    return sb_taken(&out);
}

static void a_mail_has_its_headers(void)
{
    sb_host_answers(200, "");
    sb_test_host.now = 1767323045678;
    test("a mail is the same each time and carries its id on the sender's domain");
    sb_mail mail = mail_with("Code 123456", "Hello", NULL);
    mail.reply_to = (sb_mailbox){"help@example.com", "say \"hi\""};
    const char *text = sb_compose(&mail);
    CHECK_TEXT(text, sb_compose(&mail));
    CHECK(sb_starts_with(text, "From: \"Example, Inc.\" <noreply@mail.example.com>\r\n"));
    CHECK(has_line(text, "To: <alice@example.net>"));
    CHECK(has_line(text, "Reply-To: \"say \\\"hi\\\"\" <help@example.com>"));
    CHECK(has_line(text, "Subject: Code 123456"));
    CHECK(has_line(text, "Message-ID: <0199-a-b@mail.example.com>"));
    CHECK(has_line(text, "Date: Fri, 02 Jan 2026 03:04:05 +0000"));
    CHECK(has_line(text, "Content-Transfer-Encoding: 7bit\r\n\r\nHello"));

    test("a mail without an id has one of its own");
    sb_test_host.uuid = "0c0ffee0-0000-4000-8000-000000000000";
    sb_mail other = mail_with("x", "text", "<p>html</p>");
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        other.id = none[i];
        const char *own = sb_compose(&other);
        CHECK(has_line(own, "Message-ID: <0c0ffee0-0000-4000-8000-000000000000@mail.example.com>"));
        CHECK(strstr(own, "\"=_0c0ffee0-0000-4000-8000-000000000000\"") != NULL);
    }

    test("leap days and ends of years are dated");
    sb_test_host.now = 1709251199000;
    CHECK(has_line(sb_compose(&mail), "Date: Thu, 29 Feb 2024 23:59:59 +0000"));
    sb_test_host.now = 4133937600000;
    CHECK(has_line(sb_compose(&mail), "Date: Fri, 31 Dec 2100 12:00:00 +0000"));
    sb_test_host.now = 0;
    CHECK(has_line(sb_compose(&mail), "Date: Thu, 01 Jan 1970 00:00:00 +0000"));
}

static void texts_are_encoded(void)
{
    static const char *const subjects[] = {"Grüße aus München", "验证码 123456", "🌍🌍🌍", " lone ",
                                           "two  spaces"};
    test("subjects and names in many scripts are read back as they were");
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        const char *subject = times(subjects[i], 1 + 9 * (int)(i % 2));
        sb_mail mail = mail_with(subject, "x", NULL);
        mail.from.name = subjects[i];
        const char *text = sb_compose(&mail);
        CHECK(is_clean(text));
        CHECK_TEXT(unworded(text, "Subject:", "Message-ID:"), subject);
        CHECK_TEXT(unworded(text, "From:", "<noreply"), subjects[i]);
    }

    test("a text that is no UTF-8 is encoded as what a reader would show");
    const char *const broken[] = {times("\x80", 100), sb_concat("\xFF", times("\x80", 99), NULL)};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        sb_mail mail = mail_with(broken[i], "x", NULL);
        const char *subject = unworded(sb_compose(&mail), "Subject:", "Message-ID:");
        CHECK_TEXT(subject, times("\xEF\xBF\xBD", 100));
    }

    test(
        "a long body, a foreign one and one with a boundary are in base64, the others as they are");
    const char *const bodies[] = {times("a", 1001), times("ü", 600), "x =_ y", "nul\x01"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        sb_mail mail = mail_with("x", bodies[i], NULL);
        const char *text = sb_compose(&mail);
        CHECK(is_clean(text) && has_line(text, "Content-Transfer-Encoding: base64"));
        CHECK_TEXT(decoded(strstr(text, "\r\n\r\n")), bodies[i]);
    }
    sb_mail mail = mail_with("x", "a\nb\r\nc\rd", NULL);
    CHECK(has_line(sb_compose(&mail), "a\r\nb\r\nc\r\nd"));

    test("a line is folded behind a word that ends in a colon");
    mail = mail_with(sb_concat(times("word: ", 20), "end", NULL), "x", NULL);
    CHECK(is_clean(sb_compose(&mail)));

    test("an address with blanks is not folded");
    const char *address =
        sb_concat("\"a  ", times("b ", 25), "\"@", times("long.", 9), "test", NULL);
    mail = mail_with("x", "x", NULL);
    mail.to = mail.from.address = mail.reply_to.address = address;
    const char *fields = sb_compose(&mail);
    CHECK(has_line(fields, sb_concat("To: <", address, ">", NULL)));
    CHECK(has_line(fields, sb_concat("Reply-To: <", address, ">", NULL)));
    CHECK(strstr(fields, sb_concat(" <", address, ">\r\nTo:", NULL)) != NULL);

    test("text and HTML become alternatives");
    mail = mail_with("x", "Hello", "<p>--=_0199-a-b</p>");
    const char *text = sb_compose(&mail);
    CHECK(has_line(text, "Content-Type: multipart/alternative; boundary=\"=_0199-a-b\""));
    CHECK(strstr(text, "\r\n\r\n--=_0199-a-b\r\nContent-Type: text/plain") != NULL);
    CHECK(strstr(text, "Hello\r\n--=_0199-a-b\r\nContent-Type: text/html") != NULL);
    CHECK(strstr(text, "\r\n--=_0199-a-b--\r\n") != NULL);
}

static void headers_cannot_be_injected(void)
{
    static const char *const evil[] = {"Hi\r\nBcc: v@evil.test", "Hi\nBcc: v", "Hi\rBcc: v",
                                       "A\"\r\nBcc: v", "ü\r\nBcc: v"};
    test("no text begins another header");
    for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
        const sb_pair headers[] = {{"X-A", evil[i]}, {NULL, NULL}};
        sb_mail mail = mail_with(evil[i], evil[i], NULL);
        mail.from.name = evil[i];
        mail.id = evil[i];
        mail.headers = headers;
        const char *text = sb_compose(&mail);
        const char *body = strstr(text, "\r\n\r\n");
        const char *bcc = strstr(text, "\r\nBcc");
        CHECK(is_clean(text) && (bcc == NULL || bcc >= body));
    }
    static const char *const names[] = {"X-A: b\r\nBcc", "Bcc", "bcc",         "Content-Type", "",
                                        "X A",           "To",  "MIME-Version"};
    test("a header that a mail cannot have is refused");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sb_reset();
        const sb_pair headers[] = {{names[i], "v"}, {NULL, NULL}};
        sb_mail mail = mail_with("x", "y", NULL);
        mail.headers = headers;
        sb_compose(&mail);
        CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);
    }

    test("who cannot be written to is no fault of the settings, but who writes is");
    sb_mail mail = mail_with("x", "y", NULL);
    mail.reply_to.address = "nobody";
    sb_compose(&mail);
    CHECK(sb_failed() && sb_noted().kind == SB_REJECTED);
    sb_reset();
    mail = mail_with("x", "y", NULL);
    mail.to = "nobody";
    sb_compose(&mail);
    CHECK(sb_failed() && sb_noted().kind == SB_REJECTED);
    sb_reset();
    mail = mail_with("x", "y", NULL);
    mail.from.address = NULL;
    sb_compose(&mail);
    CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);

    test("an address is one address");
    CHECK_TEXT(sb_address(" Alice@EXAMPLE.Net "), "Alice@example.net");
    CHECK_TEXT(sb_address("\"a b\"@x.test"), "\"a b\"@x.test");
    CHECK_TEXT(sb_address("\"\"@x.test"), "\"\"@x.test");
    static const char *const bad[] = {"",
                                      "a",
                                      "a@",
                                      "@x.test",
                                      "a@b@c.test",
                                      "a@x.test, b@x.test",
                                      "a,b@x.test",
                                      "a@x.test\r\nBcc: b@x.test",
                                      "a@[127.0.0.1]",
                                      "a b@x.test",
                                      "<a@x.test>",
                                      "\"a\"b\"@x.test",
                                      "\"a> <b\"@x.test",
                                      "\"a ](b\"@x.test",
                                      "=?utf-8?Q?b?=@x.test",
                                      "a\xC2\x85@x.test",
                                      "\"a\xC2\x85 b\"@x.test",
                                      "a\xFF@x.test",
                                      NULL};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(sb_address(bad[i]) == NULL);
    }
}

static void servers_answers_are_classified(void)
{
    test("every answer of a mail server has its kind and code");
    const struct {
        sb_smtp_error error;
        sb_smtp_reply reply;
        sb_failure_kind kind;
        const char *code;
    } answers[] = {
        {SB_SMTP_DENIED, {0, NULL, ""}, SB_INVALID_SETTINGS, "denied"},
        {SB_SMTP_DNS, {0, NULL, ""}, SB_UNAVAILABLE, "dns"},
        {SB_SMTP_TLS, {0, NULL, "expired"}, SB_UNAVAILABLE, "tls"},
        {SB_SMTP_TIMEOUT, {0, NULL, ""}, SB_UNAVAILABLE, "timeout"},
        {SB_SMTP_INTERRUPTED, {0, NULL, ""}, SB_UNKNOWN, "interrupted"},
        {SB_SMTP_UNAUTHORIZED, {535, "5.7.8", "bad"}, SB_UNAUTHORIZED, "5.7.8"},
        {SB_SMTP_REJECTED, {550, NULL, "no"}, SB_REJECTED, "550"},
        {SB_SMTP_DEFERRED, {451, "4.7.1", "greylisted"}, SB_UNAVAILABLE, "4.7.1"},
        {SB_SMTP_DEFERRED, {451, NULL, "a Rate Limit"}, SB_THROTTLED, "451"},
        {SB_SMTP_DEFERRED, {452, NULL, "too many"}, SB_THROTTLED, "452"},
        /* Of its own size, so that whoever reads beyond its end is seen. */
        {SB_SMTP_DEFERRED, {450, NULL, sb_copy("at this rate", 12)}, SB_UNAVAILABLE, "450"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const sb_failure failure = sb_failure_of_smtp(answers[i].error, &answers[i].reply);
        CHECK(failure.kind == answers[i].kind);
        CHECK_TEXT(failure.code, answers[i].code);
    }

    test("nothing is submitted once a failure is noted");
    const sb_server server = {.host = "smtp.example.com", .port = 465};
    sb_host_answers(200, "");
    CHECK_TEXT(sb_submit(&server, "a@b.test", "c@d.test", "mail"), "queued");
    CHECK_TEXT(sb_test_host.mail, "mail");
    sb_fail(sb_failure_new(SB_REJECTED, "no"));
    CHECK(sb_submit(&server, "a@b.test", "c@d.test", "mail") == NULL);

    static const char evil[] = "a@b.test>\r\nRCPT TO:<v@evil.test";
    static const struct {
        const char *from;
        const char *to;
        sb_failure_kind kind;
    } envelopes[] = {{evil, "c@d.test", SB_INVALID_SETTINGS},
                     {NULL, "c@d.test", SB_INVALID_SETTINGS},
                     {"a@b.test", evil, SB_REJECTED},
                     {"a@b.test", "", SB_REJECTED},
                     {"a@b.test", NULL, SB_REJECTED}};
    for (size_t i = 0; i < sizeof envelopes / sizeof *envelopes; i++) {
        test("an envelope that could end a command reaches no host");
        sb_host_answers(200, "");
        CHECK(sb_submit(&server, envelopes[i].from, envelopes[i].to, "mail") == NULL);
        CHECK(sb_failed() && sb_noted().kind == envelopes[i].kind);
        CHECK(sb_test_host.mail == NULL);
    }

    test("the null path is submitted");
    sb_host_answers(200, "");
    CHECK_TEXT(sb_submit(&server, "", " c@D.test", "mail"), "queued");
}

const sb_connector sendbox_connector = {.settings = NULL};

int main(void)
{
    a_mail_has_its_headers();
    texts_are_encoded();
    headers_cannot_be_injected();
    servers_answers_are_classified();
    return result("mail");
}
