/**
 * Variables in texts, `{{ name.of.a.value }}`, with the semantics of Logto's connector kit.
 *
 * The peer's expression is `/{{\s*([\w.]+)\s*}}/g`, replaced once and never read again. Inherited
 * properties (`{{constructor}}`), which the peer resolves, count as missing here.
 */

#include <string.h>

#include "internal.h"

/** JavaScript's `String(value)`, with an empty text for null. */
static void add_value(sb_buffer *out, const sb_json *value)
{
    switch (sb_json_type_of(value)) {
    case SB_NULL:
        break;
    case SB_BOOL:
        sb_add_text(out, value->truth ? "true" : "false");
        break;
    case SB_NUMBER:
        sb_add_text(out, sb_number_text(value->text, value->size));
        break;
    case SB_STRING:
        sb_add(out, value->text, value->size);
        break;
    case SB_ARRAY:
        for (const sb_json *item = value->first; item != NULL; item = item->next) {
            sb_add_text(out, item == value->first ? "" : ",");
            add_value(out, item);
        }
        break;
    case SB_OBJECT:
        sb_add_text(out, "[object Object]");
        break;
    }
}

static int64_t length_of(const sb_json *array)
{
    int64_t length = 0;
    for (const sb_json *item = array->first; item != NULL; item = item->next) {
        length += 1;
    }
    return length;
}

/** The value of that name inside another one, or NULL. */
static const sb_json *inside(const sb_json *value, const char *name, size_t size)
{
    if (sb_json_type_of(value) != SB_ARRAY) {
        return sb_member_sized(value, name, size);
    }
    if (size == 6 && memcmp(name, "length", 6) == 0) {
        return sb_number(length_of(value));
    }
    int64_t index = sb_array_index(name, size);
    const sb_json *item = index < 0 ? NULL : value->first;
    for (; item != NULL && index > 0; index--) {
        item = item->next;
    }
    return item;
}

/** Adds the value behind a path; false where its first name is missing. */
static bool add_variable(sb_buffer *out, const char *path, size_t size, const sb_json *payload,
                         sb_writer *write)
{
    const char *end = path + size;
    const char *dot = memchr(path, '.', size);
    const char *stop = dot == NULL ? end : dot;
    const sb_json *value = sb_member_sized(payload, path, (size_t)(stop - path));
    if (stop == path || value == NULL) {
        return false;
    }
    while (stop < end) {
        const char *name = stop + 1;
        stop = memchr(name, '.', (size_t)(end - name));
        stop = stop == NULL ? end : stop;
        value = inside(value, name, (size_t)(stop - name));
    }
    sb_buffer text = {0};
    add_value(&text, value);
    write(out, sb_taken(&text), text.size);
    return true;
}

static const char *behind_spaces(const char *at)
{
    for (size_t blank; (blank = sb_space(at)) > 0;) {
        at += blank;
    }
    return at;
}

static bool is_word(char c)
{
    const char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || sb_is_digit(c) || c == '_' || c == '.';
}

void sb_render_into(sb_buffer *out, const char *text, const sb_json *payload, sb_writer *write)
{
    for (const char *open; (open = strstr(text, "{{")) != NULL;) {
        sb_add(out, text, (size_t)(open - text));
        const char *path = behind_spaces(open + 2);
        const char *end = path;
        while (is_word(*end)) {
            end += 1;
        }
        const char *close = behind_spaces(end);
        if (end == path || !sb_starts_with(close, "}}")) {
            /* No variable begins here, but one may at the next brace: `{{{code}}}`. */
            sb_add_byte(out, '{');
            text = open + 1;
            continue;
        }
        text = close + 2;
        if (!add_variable(out, path, (size_t)(end - path), payload, write)) {
            sb_add(out, open, (size_t)(text - open));
        }
    }
    sb_add_text(out, text);
}

/** A value in an element or a quoted attribute, so that nothing in it is markup. */
static void add_escaped(sb_buffer *out, const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        switch (value[i]) {
        case '&':
            sb_add_text(out, "&amp;");
            break;
        case '<':
            sb_add_text(out, "&lt;");
            break;
        case '>':
            sb_add_text(out, "&gt;");
            break;
        case '"':
            sb_add_text(out, "&quot;");
            break;
        case '\'':
            sb_add_text(out, "&#39;");
            break;
        default:
            sb_add_byte(out, value[i]);
        }
    }
}

static void add_as_it_is(sb_buffer *out, const char *value, size_t size)
{
    sb_add(out, value, size);
}

static const char *rendered(const sb_message *message, const char *template_text, sb_writer *write)
{
    sb_buffer text = {0};
    sb_render_into(&text, template_text == NULL ? "" : template_text, message->payload, write);
    return sb_text_of(text.data, text.size);
}

const char *sb_render(const sb_message *message, const char *template_text)
{
    return rendered(message, template_text, add_as_it_is);
}

const char *sb_render_html(const sb_message *message, const char *template_text)
{
    return rendered(message, template_text, message->unescaped_html ? add_as_it_is : add_escaped);
}

const char *sb_render_line(const sb_message *message, const char *template_text)
{
    return sb_one_line(sb_render(message, template_text));
}
