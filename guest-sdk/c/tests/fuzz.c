/**
 * Texts broken at random, under the sanitizers: the reader ends, what it prints reads back as the
 * same, and templates, addresses, senders and mails of such texts do no harm. The same texts on
 * every run.
 *
 *     fuzz COUNT
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../testing/host.h"

static const char *const SEEDS[] = {
    "{\"a\":[1,-2.5e-7,true,false,null],\"10\":{\"b\":\"\\u00e9\\ud83d\\ude00\\n\"},\"2\":\"{{a.b}}"
    "\"}",
    "[12345678901234567890,0.30000000000000004,5e-324,1.7976931348623157e308,-0]",
    "{\"usageType\":\"SignIn\",\"usageType\":\"Generic\",\"x\":\"\\\"\\\\\\/\\b\\f\\r\\t\"}",
    "{{ a }} {{b.0.c}} {{{code}}} {{x.length}} \xC2\xA0{{\xE3\x80\x80n}}",
    "HTTPS://User.Example.COM:443/a/../%2e/b?q='x'#f https://[::1]:8/\\..",
    "Name <a@b.example> <x>\r\nBcc: y\x7F\xED\xA0\x80\xF0\x9F",
};

static uint64_t state = 0x9E3779B97F4A7C15;

static uint32_t below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % limit;
}

/** A seed with a few bytes changed, doubled, left out, or taken from another seed. */
static size_t mutated(char *text, size_t room)
{
    static const char marks[] = "{}[]\",:\\u0123456789eE+-. <>@/%";
    const uint32_t seeds = sizeof SEEDS / sizeof *SEEDS;
    size_t size = strlen(strcpy(text, SEEDS[below(seeds)]));
    for (uint32_t changes = 1 + below(8); changes > 0; changes--) {
        const size_t at = below((uint32_t)size + 1);
        const size_t length = 1 + below(12);
        const uint32_t way = below(5);
        if (way == 0 && at < size) {
            text[at] = (char)below(256);
        } else if (way == 1 && at < size) {
            text[at] = marks[below(sizeof marks - 1)];
        } else if (way == 2 && at + length < size) {
            memmove(text + at, text + at + length, size - at - length);
            size -= length;
        } else if (way == 3 && at + length < size && size + length < room) {
            memmove(text + at + length, text + at, size - at);
            size += length;
        } else if (way == 4) {
            const char *other = SEEDS[below(seeds)];
            const size_t from = below((uint32_t)strlen(other));
            const size_t take = strlen(other) - from < room - at ? strlen(other) - from : room - at;
            memcpy(text + at, other + from, take);
            size = at + take > size ? at + take : size;
        }
    }
    return size;
}

static void fail(const char *what, const char *text, size_t size)
{
    printf("%s: ", what);
    fwrite(text, 1, size, stdout);
    printf("\n");
    exit(1);
}

/** A mail of the text in every place: lines that servers take, and no header but its own. */
static void try_mail(const char *text)
{
    const sb_pair headers[] = {{"X-Own", text}, {NULL, NULL}};
    const char *address = sb_address(text);
    const char *from = address == NULL ? "a@b.test" : address;
    const sb_mail mail = {.from = {from, text},
                          .to = from,
                          .reply_to = {from, text},
                          .subject = text,
                          .text = text,
                          .html = text,
                          .headers = headers,
                          .id = text};
    size_t column = 0;
    for (const char *at = sb_compose(&mail); *at != '\0'; at++) {
        const bool pair = at[0] == '\r' && at[1] == '\n';
        at += pair ? 1 : 0;
        column = pair ? 0 : column + 1;
        if (column > 998 || (unsigned char)*at >= 0x7F || (!pair && (*at == '\r' || *at == '\n'))) {
            fail("composed a line that no server takes", text, strlen(text));
        }
    }
}

/** Whether the text was JSON. */
static bool try_one(const char *bytes, size_t size)
{
    const char *text = sb_text_of(bytes, size);
    const sb_json *value = sb_json_parse(text);
    const sb_json *exact = sb_json_read(bytes, size);
    if (exact != NULL && value == NULL) {
        fail("accepted only before it was made UTF-8", bytes, size);
    }
    if (value != NULL) {
        const char *printed = sb_json_print(value);
        const sb_json *again = sb_json_parse(printed);
        if (again == NULL || !sb_same(sb_json_print(again), printed)) {
            fail("did not read back", bytes, size);
        }
    }
    try_mail(text);
    sb_json *settings = sb_object();
    sb_put_text(settings, "endpoint", text);
    const sb_json *payload = sb_json_parse("{\"a\":{\"b\":[{\"c\":1}]},\"code\":\"x\",\"n\":1e21}");
    const sb_message message = {.recipient = text,
                                .payload = sb_json_type_of(value) == SB_OBJECT ? value : payload};
    const char *rendered = sb_render(&message, text);
    if (!sb_same(sb_text_of(rendered, strlen(rendered)), rendered)) {
        fail("rendered what is no UTF-8", bytes, size);
    }
    sb_need_url(settings, "endpoint");
    sb_mailbox_text(sb_mailbox_parse(text, "a@b", "c"));
    sb_concealed(&message, sb_one_line(text));
    const sb_pair headers[] = {{"retry-after", text}, {"date", text}};
    const sb_response response = {429, headers, 2, bytes, size};
    sb_failure_from(&response);
    return value != NULL;
}

const sb_connector sendbox_connector = {.settings = NULL};

int main(int count, char **arguments)
{
    const long texts = count > 1 ? strtol(arguments[1], NULL, 10) : 0;
    long accepted = 0;
    char text[2048];
    for (long i = 0; i < texts; i++) {
        const size_t size = mutated(text, sizeof text);
        /* On the heap, so that a read behind the end is seen. */
        char *exact = malloc(size > 0 ? size : 1);
        memcpy(exact, text, size);
        accepted += try_one(exact, size);
        free(exact);
        sb_reset();
    }
    printf("fuzz: %ld texts, %ld of them JSON\n", texts, accepted);
    return texts == 0 || accepted > 0 ? 0 : 1;
}
