/** Prints JSON as JavaScript's `JSON.stringify` does. */

#include <string.h>

#include "internal.h"

static void print_string(sb_buffer *out, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    sb_add_byte(out, '"');
    size_t plain = 0;
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        sb_add(out, text + plain, i - plain);
        plain = i + 1;
        const char *known = c == 0 ? NULL : strchr(escaped, c);
        if (known != NULL) {
            const char escape[2] = {'\\', letters[known - escaped]};
            sb_add(out, escape, 2);
        } else {
            const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            sb_add(out, escape, 6);
        }
    }
    sb_add(out, text + plain, size - plain);
    sb_add_byte(out, '"');
}

static void print(sb_buffer *out, const sb_json *value)
{
    if (value->type == SB_STRING) {
        print_string(out, value->text, value->size);
    } else if (value->type == SB_NUMBER) {
        const char *number = sb_number_text(value->text, value->size);
        sb_add_text(out, strchr(number, 'I') == NULL ? number : "null");
    } else if (value->type == SB_BOOL) {
        sb_add_text(out, value->truth ? "true" : "false");
    } else if (value->type == SB_NULL) {
        sb_add_text(out, "null");
    } else {
        const bool object = value->type == SB_OBJECT;
        sb_add_byte(out, object ? '{' : '[');
        for (const sb_json *child = value->first; child != NULL; child = child->next) {
            sb_add_text(out, child == value->first ? "" : ",");
            if (object) {
                print_string(out, child->name, child->name_size);
                sb_add_byte(out, ':');
            }
            print(out, child);
        }
        sb_add_byte(out, object ? '}' : ']');
    }
}

const char *sb_json_print(const sb_json *value)
{
    sb_buffer text = {0};
    if (value != NULL) {
        print(&text, value);
    }
    return sb_taken(&text);
}
