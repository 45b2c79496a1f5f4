/** The text of a number as JavaScript prints it (ECMA-262, `Number::toString`). */

#include <string.h>

#include "internal.h"

/** So many digits of a text decide which double it is; a longer one is cut behind a digit more. */
#define DIGITS_MAX 800
/** A double holds this many digits of any decimal number. */
#define DIGITS_KEPT 15

/** The digits of a JSON number. What is cut counts as more than nothing. */
static sb_digits digits_of(const char *text, size_t size)
{
    char *digits = sb_alloc(size + 1);
    sb_digits decimal = {digits, 0, 0};
    size_t at = text[0] == '-' ? 1 : 0;
    bool behind_point = false;
    for (; at < size && (sb_is_digit(text[at]) || text[at] == '.'); at++) {
        if (text[at] == '.') {
            behind_point = true;
            continue;
        }
        decimal.point += decimal.count > 0 || text[at] != '0' ? !behind_point : -behind_point;
        if (decimal.count > 0 || text[at] != '0') {
            digits[decimal.count++] = text[at];
        }
    }
    if (at < size) {
        const bool negative = text[++at] == '-';
        at += negative || text[at] == '+' ? 1 : 0;
        int exponent = 0;
        for (; at < size && exponent < 10000000; at++) {
            exponent = exponent * 10 + (text[at] - '0');
        }
        decimal.point += negative ? -exponent : exponent;
    }
    while (decimal.count > 0 && digits[decimal.count - 1] == '0') {
        decimal.count -= 1;
    }
    if (decimal.count > DIGITS_MAX) {
        digits[DIGITS_MAX] = '1';
        decimal.count = DIGITS_MAX + 1;
    }
    return decimal;
}

static void add_zeroes(sb_buffer *out, int count)
{
    for (; count > 0; count--) {
        sb_add_byte(out, '0');
    }
}

/** Writes the digits in one of JavaScript's four notations. */
static void add_notation(sb_buffer *out, sb_digits decimal)
{
    const int count = (int)decimal.count;
    const int point = decimal.point;
    if (point > -6 && point <= 0) {
        sb_add_text(out, "0.");
        add_zeroes(out, -point);
        sb_add(out, decimal.digits, decimal.count);
    } else if (point > 0 && point <= 21 && point >= count) {
        sb_add(out, decimal.digits, decimal.count);
        add_zeroes(out, point - count);
    } else if (point > 0 && point <= 21) {
        sb_add(out, decimal.digits, (size_t)point);
        sb_add_byte(out, '.');
        sb_add(out, decimal.digits + point, (size_t)(count - point));
    } else {
        sb_add(out, decimal.digits, 1);
        sb_add_text(out, count > 1 ? "." : "");
        sb_add(out, decimal.digits + 1, decimal.count - 1);
        sb_add_text(out, point > 0 ? "e+" : "e");
        sb_add_text(out, sb_decimal(point - 1));
    }
}

const char *sb_number_text(const char *text, size_t size)
{
    sb_digits decimal = digits_of(text, size);
    char shortest[17];
    sb_buffer out = {0};
    if (decimal.count == 0) {
        return "0";
    }
    sb_add_text(&out, text[0] == '-' ? "-" : "");
    if (decimal.count > DIGITS_KEPT || decimal.point > 300 || decimal.point < -300) {
        if (decimal.point > 310) {
            sb_add_text(&out, "Infinity");
            return sb_taken(&out);
        }
        const sb_double number = sb_nearest_double(decimal);
        if (number.mantissa == 0) {
            return "0";
        }
        decimal = sb_shortest_digits(number, decimal.point, shortest);
        /* Two to the 1024 and more. */
        if (number.exponent > 971 || (number.exponent == 971 && number.mantissa >> 53 > 0)) {
            sb_add_text(&out, "Infinity");
            return sb_taken(&out);
        }
    }
    add_notation(&out, decimal);
    return sb_taken(&out);
}
