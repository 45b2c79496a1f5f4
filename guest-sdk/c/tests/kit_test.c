/** The recorded pure functions of the peer's connector kit: one JSON object a line of its files. */

#include "check.h"

#include <stdlib.h>
#include <string.h>

typedef void row_test(const sb_json *row);

static const char *text_of(const sb_json *value)
{
    const char *text = sb_string(value);
    return text == NULL ? "" : text;
}

static const sb_json *argument(const sb_json *row, int index)
{
    const sb_json *value = sb_first(sb_member(row, "args"));
    for (; index > 0; index--) {
        value = sb_next(value);
    }
    return value;
}

static void renders(const sb_json *row)
{
    const sb_message message = {.payload = sb_member(row, "payload")};
    const char *text = text_of(sb_member(row, "template"));
    /* Inherited names count as missing. */
    const bool quirk = sb_same(sb_string(sb_member(row, "name")), "quirk_prototype_keys");
    CHECK_TEXT(sb_render(&message, text), quirk ? text : text_of(sb_member(row, "expect")));
}

static void chooses(const sb_json *row)
{
    const sb_json *templates = sb_member(argument(row, 1), "templates");
    const sb_json *chosen = sb_choose(templates, text_of(argument(row, 0)));
    const char *got = sb_failed() ? "null" : sb_json_print(chosen);
    CHECK_TEXT(got, sb_json_print(sb_member(row, "expect")));
}

static const char *parsed(const sb_json *row)
{
    const sb_mailbox mailbox = sb_mailbox_parse(
        text_of(argument(row, 0)), text_of(argument(row, 1)), text_of(argument(row, 2)));
    sb_json *seen = sb_object();
    sb_put_text(seen, "email", mailbox.address);
    sb_put_text(seen, "name", *mailbox.name == '\0' ? NULL : mailbox.name);
    return sb_json_print(seen);
}

static void reads_mailboxes(const sb_json *row)
{
    const char *function = text_of(sb_member(row, "fn"));
    const char *text = text_of(argument(row, 0));
    const sb_json *expected = sb_member(row, "expect");
    if (strstr(title, "\\u0000") != NULL) {
        /* The peer leaves out a U+0000; a C text has U+FFFD in its place. */
        return;
    }
    if (sb_same(function, "parseSendFrom")) {
        CHECK_TEXT(parsed(row), sb_json_print(expected));
    } else if (sb_same(function, "stripHeaderControlChars")) {
        CHECK_TEXT(sb_without_controls(text), text_of(expected));
    }
}

/** Tests each row of a file in the folder, and says how many there were. */
static void each_row(const char *folder, const char *name, row_test *check_row)
{
    char path[4096];
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int rows = 0;
    snprintf(path, sizeof path, "%s/%s.jsonl", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        CHECK_TEXT("not there", path);
        return;
    }
    while ((size = getline(&line, &room, file)) > 0) {
        test(line);
        const sb_json *row = sb_json_read(line, (size_t)size);
        CHECK(row != NULL);
        check_row(row);
        rows += 1;
    }
    CHECK(rows > 0);
    printf("%s: %d rows\n", name, rows);
    free(line);
    fclose(file);
}

const sb_connector sendbox_connector = {.settings = NULL};

int main(int count, char **arguments)
{
    const char *folder = count > 1 ? arguments[1] : ".";
    each_row(folder, "render", renders);
    each_row(folder, "number-format", renders);
    each_row(folder, "template-choice", chooses);
    each_row(folder, "mailbox", reads_mailboxes);
    return result("kit");
}
