/** Reads JSON (RFC 8259) strictly, within bounds of size, depth and number of values. */

#include <string.h>

#include "internal.h"

typedef struct {
    const char *at;
    const char *end;
    size_t values;
} reader;

static void skip_blanks(reader *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) {
        r->at += 1;
    }
}

static bool takes(reader *r, char c)
{
    const bool there = r->at < r->end && *r->at == c;
    r->at += there ? 1 : 0;
    return there;
}

static bool takes_word(reader *r, const char *word)
{
    const size_t size = strlen(word);
    const bool there = (size_t)(r->end - r->at) >= size && memcmp(r->at, word, size) == 0;
    r->at += there ? size : 0;
    return there;
}

/** Four hexadecimal digits, or -1. */
static int32_t code_unit(reader *r)
{
    int32_t unit = 0;
    if (r->end - r->at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++, r->at++) {
        const char c = *r->at;
        const char lower = (char)(c | 0x20);
        if (sb_is_digit(c)) {
            unit = unit * 16 + (c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            unit = unit * 16 + (lower - 'a' + 10);
        } else {
            return -1;
        }
    }
    return unit;
}

static void add_character(sb_buffer *text, int32_t code)
{
    if (code < 0x80) {
        sb_add_byte(text, (char)code);
    } else if (code < 0x800) {
        sb_add_byte(text, (char)(0xC0 | code >> 6));
        sb_add_byte(text, (char)(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        sb_add_byte(text, (char)(0xE0 | code >> 12));
        sb_add_byte(text, (char)(0x80 | (code >> 6 & 0x3F)));
        sb_add_byte(text, (char)(0x80 | (code & 0x3F)));
    } else {
        sb_add_byte(text, (char)(0xF0 | code >> 18));
        sb_add_byte(text, (char)(0x80 | (code >> 12 & 0x3F)));
        sb_add_byte(text, (char)(0x80 | (code >> 6 & 0x3F)));
        sb_add_byte(text, (char)(0x80 | (code & 0x3F)));
    }
}

/** What follows `\u`. Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD. */
static bool read_unicode(reader *r, sb_buffer *text)
{
    int32_t unit = code_unit(r);
    if (unit < 0) {
        return false;
    }
    if (unit >= 0xD800 && unit < 0xDC00) {
        const char *behind = r->at;
        const int32_t low = takes_word(r, "\\u") ? code_unit(r) : -1;
        if (low >= 0xDC00 && low < 0xE000) {
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        } else {
            r->at = behind;
        }
    }
    add_character(text, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
    return true;
}

static bool read_escape(reader *r, sb_buffer *text)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (takes(r, 'u')) {
        return read_unicode(r, text);
    }
    const char *letter = r->at < r->end && *r->at != '\0' ? strchr(letters, *r->at) : NULL;
    if (letter == NULL) {
        return false;
    }
    r->at += 1;
    sb_add_byte(text, meanings[letter - letters]);
    return true;
}

/** A string behind its opening quote. */
static bool read_string(reader *r, const char **data, size_t *size)
{
    sb_buffer text = {0};
    for (;;) {
        const char *plain = r->at;
        while (r->at < r->end && (unsigned char)*r->at >= 0x20 && *r->at != '"' && *r->at != '\\') {
            r->at += 1;
        }
        sb_add(&text, plain, (size_t)(r->at - plain));
        if (takes(r, '"')) {
            *data = sb_taken(&text);
            *size = text.size;
            return true;
        }
        if (!takes(r, '\\') || !read_escape(r, &text)) {
            return false;
        }
    }
}

static bool skip_digits(reader *r)
{
    const char *before = r->at;
    while (r->at < r->end && sb_is_digit(*r->at)) {
        r->at += 1;
    }
    return r->at > before;
}

static bool read_number(reader *r, sb_json *value)
{
    const char *begin = r->at;
    takes(r, '-');
    if (!takes(r, '0') && !skip_digits(r)) {
        return false;
    }
    if (takes(r, '.') && !skip_digits(r)) {
        return false;
    }
    if (takes(r, 'e') || takes(r, 'E')) {
        if (!takes(r, '+')) {
            takes(r, '-');
        }
        if (!skip_digits(r)) {
            return false;
        }
    }
    value->type = SB_NUMBER;
    value->size = (size_t)(r->at - begin);
    value->text = sb_copy(begin, value->size);
    return true;
}

static sb_json *read_value(reader *r, int levels);

static bool read_array(reader *r, sb_json *array, int levels)
{
    array->type = SB_ARRAY;
    skip_blanks(r);
    if (takes(r, ']')) {
        return true;
    }
    do {
        sb_json *item = read_value(r, levels);
        if (item == NULL) {
            return false;
        }
        sb_hang(array, item);
        skip_blanks(r);
    } while (takes(r, ','));
    return takes(r, ']');
}

static bool read_object(reader *r, sb_json *object, int levels)
{
    object->type = SB_OBJECT;
    skip_blanks(r);
    if (takes(r, '}')) {
        return true;
    }
    do {
        const char *name;
        size_t name_size;
        skip_blanks(r);
        if (!takes(r, '"') || !read_string(r, &name, &name_size)) {
            return false;
        }
        skip_blanks(r);
        sb_json *member = takes(r, ':') ? read_value(r, levels) : NULL;
        if (member == NULL) {
            return false;
        }
        member->name = name;
        member->name_size = name_size;
        sb_hang(object, member);
        skip_blanks(r);
    } while (takes(r, ','));
    sb_order_members(object);
    return takes(r, '}');
}

static sb_json *read_value(reader *r, int levels)
{
    if (levels == 0 || ++r->values > SB_JSON_VALUES_MAX) {
        return NULL;
    }
    sb_json *value = sb_alloc(sizeof *value);
    skip_blanks(r);
    bool whole;
    if (takes(r, '{')) {
        whole = read_object(r, value, levels - 1);
    } else if (takes(r, '[')) {
        whole = read_array(r, value, levels - 1);
    } else if (takes(r, '"')) {
        value->type = SB_STRING;
        whole = read_string(r, &value->text, &value->size);
    } else if (takes_word(r, "null")) {
        whole = true;
    } else if ((value->truth = takes_word(r, "true")) || takes_word(r, "false")) {
        value->type = SB_BOOL;
        whole = true;
    } else {
        whole = read_number(r, value);
    }
    return whole ? value : NULL;
}

const sb_json *sb_json_read(const char *text, size_t size)
{
    reader r = {text, text + size, 0};
    if (size > SB_JSON_BYTES_MAX) {
        return NULL;
    }
    const sb_json *value = read_value(&r, SB_JSON_LEVELS_MAX);
    skip_blanks(&r);
    return r.at == r.end ? value : NULL;
}

const sb_json *sb_json_parse(const char *text)
{
    return sb_json_read(text, strlen(text));
}
