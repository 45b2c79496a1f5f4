/**
 * Replays recorded cases against the connector, without Wasm and without a network: the same
 * settings, message and answers in, the same request and outcome out.
 *
 *     replay [--refused CASE=KIND]... FILE...
 *
 * A file holds one JSON object a line. `--refused` names a case in which the connector means to
 * make no request, and the kind of its failure.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

static const char *const KINDS[] = {"invalid-settings", "template-not-found", "rejected",
                                    "unauthorized",     "throttled",          "unavailable",
                                    "unknown"};

static int cases;
static int different;

static const char *text_at(const sb_json *object, const char *name)
{
    const char *text = sb_string(sb_member(object, name));
    return text == NULL ? "" : text;
}

/** A text in base64, as the host makes one of a user and a password. */
static const char *base64(const char *text)
{
    sb_buffer out = {0};
    sb_add_base64(&out, text, strlen(text));
    return sb_taken(&out);
}

/** The credential as the header that the host makes of it; a NULL name where there is none. */
static sb_pair credential_header(const sb_request *request)
{
    const sb_pair secret = request->credential;
    switch (request->credential_kind) {
    case SB_BASIC:
        return (sb_pair){
            "authorization",
            sb_concat("Basic ", base64(sb_concat(secret.name, ":", secret.value, NULL)), NULL)};
    case SB_BEARER:
        return (sb_pair){"authorization", sb_concat("Bearer ", secret.value, NULL)};
    case SB_SECRET_HEADER:
        return secret;
    case SB_NO_CREDENTIAL:
        break;
    }
    return (sb_pair){NULL, NULL};
}

static void differs(const char *name, const char *what, const char *expected, const char *got)
{
    printf("%s: %s\n  expected %s\n  got      %s\n", name, what, expected, got);
    different += 1;
}

static void expect_same(const char *name, const char *what, const char *expected, const char *got)
{
    if (!sb_same(expected, got)) {
        differs(name, what, expected, got);
    }
}

/** The headers of a request that are not every HTTP client's own. */
static size_t headers_of(const sb_request *request, sb_pair *headers)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!sb_same(request->headers[i].name, "accept")) {
            headers[count++] = request->headers[i];
        }
    }
    headers[count] = credential_header(request);
    return count + (headers[count].name != NULL ? 1 : 0);
}

static void compare_headers(const char *name, const sb_json *recorded, const sb_request *request)
{
    sb_pair made[SB_HEADERS_MAX + 1];
    size_t count = headers_of(request, made);
    for (const sb_json *header = sb_first(recorded); header != NULL; header = sb_next(header)) {
        size_t at = 0;
        while (at < count && !sb_same(made[at].name, sb_name(header))) {
            at += 1;
        }
        const char *got = at < count ? sb_without_controls(made[at].value) : "none";
        expect_same(name, sb_name(header), sb_string(header), got);
        if (at < count) {
            made[at] = made[--count];
        }
    }
    for (size_t i = 0; i < count; i++) {
        differs(name, made[i].name, "none", made[i].value);
    }
}

static void compare_request(const char *name, const sb_json *recorded, const sb_request *request)
{
    const sb_json *body = sb_member(recorded, "body");
    const char *text = sb_text_of(request->body, request->body_size);
    expect_same(name, "method", text_at(recorded, "method"), request->method);
    expect_same(name, "URL", text_at(recorded, "url"), request->url);
    compare_headers(name, sb_member(recorded, "headers"), request);
    if (sb_same(text_at(body, "kind"), "json")) {
        /* By text, so that the order of keys counts. */
        const char *value = sb_json_print(sb_member(body, "value"));
        expect_same(name, "body", value, sb_json_print(sb_json_parse(text)));
    }
    if (sb_member(body, "raw") != NULL) {
        expect_same(name, "body's bytes", text_at(body, "raw"), text);
    }
}

static bool is_tagged(const sb_json *recorded, const char *wanted)
{
    const sb_json *tag = sb_first(sb_member(recorded, "tags"));
    while (tag != NULL && !sb_same(sb_string(tag), wanted)) {
        tag = sb_next(tag);
    }
    return tag != NULL;
}

static void compare_outcome(const char *name, const sb_json *recorded, bool refused,
                            const char *kind, const sb_outcome *outcome)
{
    const sb_json *expected = sb_member(sb_member(recorded, "expect"), "outcome");
    /* A redirect that the peer followed ends here, as a failure. */
    const bool ok =
        !refused && sb_is_true(sb_member(expected, "ok")) && !is_tagged(recorded, "redirect");
    if (ok != outcome->sent) {
        differs(name, "outcome", ok ? "a receipt" : "a failure",
                outcome->sent ? "a receipt" : outcome->failure.message);
    }
    if (kind != NULL && !outcome->sent) {
        expect_same(name, "kind", kind, KINDS[outcome->failure.kind]);
    }
}

static const sb_content *content_of(const sb_json *recorded)
{
    if (sb_json_type_of(recorded) != SB_OBJECT) {
        return NULL;
    }
    sb_content *content = sb_alloc(sizeof *content);
    content->subject = text_at(recorded, "subject");
    content->body = text_at(recorded, "content");
    content->plain = sb_same(text_at(recorded, "contentType"), "text/plain");
    content->text = sb_string(sb_member(recorded, "text"));
    content->reply_to = sb_string(sb_member(recorded, "replyTo"));
    content->send_from = sb_string(sb_member(recorded, "sendFrom"));
    return content;
}

static void prepare_host(const sb_json *recorded)
{
    const sb_json *answer = sb_first(sb_member(recorded, "responses"));
    const char *fault = text_at(sb_member(recorded, "network"), "fault");
    sb_host_answers((uint16_t)sb_integer(sb_member(answer, "status"), 0), text_at(answer, "body"));
    sb_test_host.answers = sb_member(answer, "network") == NULL && *fault == '\0';
    sb_test_host.error = sb_same(fault, "dns_failure") ? SB_HTTP_DNS : SB_HTTP_INTERRUPTED;
    sb_test_host.now = (uint64_t)sb_integer(sb_member(recorded, "now_ms"), 0);
    sb_test_host.uuid = sb_string(sb_first(sb_member(recorded, "uuids")));

    sb_pair *headers = sb_alloc(SB_HEADERS_MAX * sizeof *headers);
    size_t count = 0;
    const sb_json *header = sb_first(sb_member(answer, "headers"));
    for (; header != NULL && count < SB_HEADERS_MAX; header = sb_next(header)) {
        headers[count++] = (sb_pair){sb_name(header), sb_string(header)};
    }
    sb_test_host.response.headers = headers;
    sb_test_host.response.header_count = count;
}

/** The kind that `--refused` gives for the case, or NULL. */
static const char *refused_kind(const char *name, int count, char **arguments)
{
    const char *slash = strrchr(name, '/');
    const char *start = sb_concat(slash == NULL ? name : slash + 1, "=", NULL);
    for (int i = 1; i + 1 < count; i++) {
        if (sb_same(arguments[i], "--refused") && sb_starts_with(arguments[i + 1], start)) {
            return arguments[i + 1] + strlen(start);
        }
    }
    return NULL;
}

static void replay(const sb_json *recorded, int count, char **arguments)
{
    const char *name = text_at(recorded, "id");
    const char *refused = refused_kind(name, count, arguments);
    const sb_json *expect = sb_member(recorded, "expect");
    const sb_json *request = sb_first(sb_member(expect, "requests"));
    const sb_json *given = sb_member(recorded, "message");
    sb_message message = {
        .recipient = text_at(given, "to"),
        .usage_type = text_at(given, "type"),
        .locale = sb_string(sb_member(sb_member(given, "payload"), "locale")),
        .client_ip = sb_string(sb_member(given, "ip")),
        .content = content_of(sb_member(recorded, "content")),
        .idempotency_key = name,
        .expires_in = 600000,
    };
    const char *settings = sb_json_print(sb_member(recorded, "settings"));
    const char *payload = sb_json_print(sb_member(given, "payload"));
    prepare_host(recorded);
    const sb_outcome outcome =
        sb_send(&sendbox_connector, settings, strlen(settings), &message, payload, strlen(payload));

    const char *kind = sb_string(sb_member(sb_member(expect, "outcome"), "kind"));
    compare_outcome(name, recorded, refused != NULL, refused != NULL ? refused : kind, &outcome);
    /* Without a name there is nothing on the wire, though a request was made. */
    const bool made =
        sb_test_host.requests > 0 && (sb_test_host.answers || sb_test_host.error != SB_HTTP_DNS);
    const bool expected = request != NULL && refused == NULL;
    if (made != expected) {
        differs(name, "request", expected ? "one" : "none", made ? "one" : "none");
    } else if (made) {
        compare_request(name, request, sb_test_host.request);
    }
}

static void replay_file(FILE *file, int count, char **arguments)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, file)) > 0) {
        sb_reset();
        const sb_json *recorded = sb_json_read(line, (size_t)size);
        if (recorded == NULL) {
            differs("case", "line", "JSON", line);
        } else {
            replay(recorded, count, arguments);
        }
        cases += 1;
    }
    free(line);
    sb_reset();
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--refused") == 0) {
            i += 1;
            continue;
        }
        FILE *file = fopen(arguments[i], "r");
        if (file == NULL) {
            perror(arguments[i]);
            return 2;
        }
        replay_file(file, count, arguments);
        fclose(file);
    }
    printf("%s: %d cases, %d differences\n", sendbox_connector.about.id, cases, different);
    return cases > 0 && different == 0 ? 0 : 1;
}
