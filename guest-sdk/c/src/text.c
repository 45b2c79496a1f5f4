/** Texts: UTF-8, blanks and control characters, percent-encoding. */

#include <stdarg.h>
#include <string.h>

#include "internal.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD";

/**
 * Whether the bytes begin with a well-formed character (Unicode 15, table 3-7). `length` is its
 * size, or that of the broken part of one.
 */
static bool character(const unsigned char *bytes, size_t size, size_t *length)
{
    const unsigned char lead = bytes[0];
    *length = 1;
    if (lead < 0x80) {
        return true;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return false;
    }
    const size_t whole = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (; *length < whole; *length += 1) {
        if (*length == size || bytes[*length] < lowest || bytes[*length] > highest) {
            return false;
        }
        lowest = 0x80;
        highest = 0xBF;
    }
    return true;
}

const char *sb_text_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    const unsigned char *end = at + size;
    const unsigned char *good = at;
    sb_buffer text = {0};
    while (at < end) {
        size_t length;
        const bool whole = character(at, (size_t)(end - at), &length) && *at != 0;
        at += length;
        if (!whole) {
            sb_add(&text, good, (size_t)(at - length - good));
            sb_add_text(&text, REPLACEMENT);
            good = at;
        }
    }
    sb_add(&text, good, (size_t)(at - good));
    return sb_taken(&text);
}

bool sb_is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F;
}

bool sb_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    const char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || sb_is_digit(c);
}

bool sb_is_name(const char *text)
{
    size_t label = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '.' ? label == 0 : !is_word(*c) && *c != '-' && *c != '_') {
            return false;
        }
        label = *c == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return label > 0 && strlen(text) <= 253;
}

bool sb_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool sb_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *sb_concat(const char *first, ...)
{
    sb_buffer text = {0};
    va_list rest;
    va_start(rest, first);
    for (const char *part = first; part != NULL; part = va_arg(rest, const char *)) {
        sb_add_text(&text, part);
    }
    va_end(rest);
    return sb_taken(&text);
}

const char *sb_decimal(int64_t number)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    return sb_copy(digits + at, sizeof digits - at);
}

/** JavaScript's `\s`, which is not Unicode's white space: U+FEFF is in, U+0085 is not. */
size_t sb_space(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
        return 1;
    }
    if (at[0] == 0xC2 && at[1] == 0xA0) {
        return 2;
    }
    static const char *const wide[] = {"\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
                                       "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        if (sb_starts_with(text, wide[i])) {
            return 3;
        }
    }
    const bool general = at[0] == 0xE2 && at[1] == 0x80 && at[2] >= 0x80 && at[2] <= 0x8A;
    return general ? 3 : 0;
}

/** The size of the blank at the end of the bytes, or 0. */
static size_t blank_at_end(const char *bytes, size_t size)
{
    for (size_t length = 1; length <= 3 && length <= size; length++) {
        if (sb_space(bytes + size - length) == length) {
            return length;
        }
    }
    return 0;
}

static const char *trimmed(const char *bytes, size_t size)
{
    size_t blank;
    while (size > 0 && (blank = sb_space(bytes)) > 0) {
        bytes += blank;
        size -= blank;
    }
    while ((blank = blank_at_end(bytes, size)) > 0) {
        size -= blank;
    }
    return sb_copy(bytes, size);
}

const char *sb_one_line(const char *text)
{
    sb_buffer line = {0};
    const char *at = text;
    bool controls = false;
    while (*at != '\0') {
        const char *end = at;
        while (*end != '\0' && !sb_is_control((unsigned char)*end)) {
            end += 1;
        }
        controls = controls || *end != '\0';
        const char *word = trimmed(at, (size_t)(end - at));
        if (*word != '\0') {
            sb_add_text(&line, line.size > 0 ? " " : "");
            sb_add_text(&line, word);
        }
        at = *end == '\0' ? end : end + 1;
    }
    return controls ? sb_taken(&line) : text;
}

const char *sb_without_controls(const char *text)
{
    sb_buffer kept = {0};
    for (; *text != '\0'; text++) {
        if (!sb_is_control((unsigned char)*text)) {
            sb_add_byte(&kept, *text);
        }
    }
    const char *line = sb_taken(&kept);
    return trimmed(line, kept.size);
}

void sb_add_encoded(sb_buffer *buffer, const char *text, const char *kept, bool form)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (is_word(*text) || strchr(kept, c) != NULL) {
            sb_add_byte(buffer, *text);
        } else if (form && c == ' ') {
            sb_add_byte(buffer, '+');
        } else {
            const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
            sb_add(buffer, escape, 3);
        }
    }
}

const char *sb_path_segment(const char *text)
{
    sb_buffer segment = {0};
    sb_add_encoded(&segment, text, "-_.!~*'()", false);
    return sb_taken(&segment);
}
