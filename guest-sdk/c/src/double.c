/**
 * Decimal numbers to doubles and back, exactly, by whole numbers of any size. A libc does the same
 * in thirty times the code; here speed does not matter, because only numbers of 16 and more digits
 * come.
 */

#include <string.h>

#include "internal.h"

/** 800 digits times two to the 1130: what the longest number that is looked at needs. */
#define LIMBS 144
#define MANTISSA_BITS 53
#define LEAST_EXPONENT (-1074)

/** A whole number, its least significant limb first. */
typedef struct {
    int size;
    uint32_t limbs[LIMBS];
} whole;

static void trim(whole *n)
{
    while (n->size > 0 && n->limbs[n->size - 1] == 0) {
        n->size -= 1;
    }
}

static void multiply_add(whole *n, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (int i = 0; i < n->size; i++) {
        carry += (uint64_t)n->limbs[i] * factor;
        n->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0 && n->size < LIMBS) {
        n->limbs[n->size++] = (uint32_t)carry;
    }
}

static void multiply_by_ten_to(whole *n, int power)
{
    for (; power >= 9; power -= 9) {
        multiply_add(n, 1000000000, 0);
    }
    for (; power > 0; power--) {
        multiply_add(n, 10, 0);
    }
}

static void double_times(whole *n, int times)
{
    for (; times >= 31; times -= 31) {
        multiply_add(n, (uint32_t)1 << 31, 0);
    }
    multiply_add(n, (uint32_t)1 << (times > 0 ? times : 0), 0);
}

static int order_of(const whole *a, const whole *b)
{
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    for (int i = a->size - 1; i >= 0; i--) {
        if (a->limbs[i] != b->limbs[i]) {
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
        }
    }
    return 0;
}

/** `a` less `b`, which is no larger. */
static void subtract(whole *a, const whole *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < a->size; i++) {
        borrow += (int64_t)a->limbs[i] - (i < b->size ? b->limbs[i] : 0);
        a->limbs[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    trim(a);
}

static int bits(const whole *n)
{
    int count = 32 * n->size;
    for (uint32_t top = n->size > 0 ? n->limbs[n->size - 1] : 0; top > 0 && top >> 31 == 0;
         top <<= 1) {
        count -= 1;
    }
    return count;
}

static whole whole_of(uint64_t number)
{
    whole n = {2, {(uint32_t)number, (uint32_t)(number >> 32)}};
    trim(&n);
    return n;
}

sb_double sb_nearest_double(sb_digits decimal)
{
    if (decimal.count == 0 || decimal.point < -330) {
        return (sb_double){0, 0};
    }
    whole numerator = whole_of(0);
    whole denominator = whole_of(1);
    for (size_t i = 0; i < decimal.count; i++) {
        if (numerator.size == 0) {
            numerator = whole_of((uint64_t)(decimal.digits[i] - '0'));
        } else {
            multiply_add(&numerator, 10, (uint32_t)(decimal.digits[i] - '0'));
        }
    }
    const int power = decimal.point - (int)decimal.count;
    multiply_by_ten_to(power > 0 ? &numerator : &denominator, power > 0 ? power : -power);

    /* Brings the quotient to 1 and more, and less than 2; the rest is two to the exponent. */
    int exponent = bits(&numerator) - bits(&denominator);
    double_times(exponent > 0 ? &denominator : &numerator, exponent > 0 ? exponent : -exponent);
    if (order_of(&numerator, &denominator) < 0) {
        double_times(&numerator, 1);
        exponent -= 1;
    }
    int precision = MANTISSA_BITS;
    if (exponent - precision + 1 < LEAST_EXPONENT) {
        precision = exponent + 1 - LEAST_EXPONENT;
    }
    if (precision < 0) {
        return (sb_double){0, 0};
    }
    uint64_t mantissa = 0;
    for (int i = 0; i < precision; i++) {
        const bool bit = order_of(&numerator, &denominator) >= 0;
        if (bit) {
            subtract(&numerator, &denominator);
        }
        mantissa = mantissa << 1 | bit;
        double_times(&numerator, 1);
    }
    if (precision == 0) {
        /* Between a half and one of the least double: the numerator stands for twice the rest. */
        exponent = LEAST_EXPONENT - 1;
    }
    const int half = order_of(&numerator, &denominator);
    mantissa += half > 0 || (half == 0 && (mantissa & 1) == 1) ? 1 : 0;
    return (sb_double){mantissa, exponent - precision + 1};
}

static bool is_same(sb_double a, sb_double b)
{
    for (; a.mantissa > 0 && (a.mantissa & 1) == 0; a.mantissa >>= 1) {
        a.exponent += 1;
    }
    for (; b.mantissa > 0 && (b.mantissa & 1) == 0; b.mantissa >>= 1) {
        b.exponent += 1;
    }
    return a.mantissa == b.mantissa && (a.mantissa == 0 || a.exponent == b.exponent);
}

static sb_digits without_zeroes(sb_digits decimal)
{
    while (decimal.count > 0 && decimal.digits[decimal.count - 1] == '0') {
        decimal.count -= 1;
    }
    return decimal;
}

/** The first `count` of 17 digits, rounded up where `up`. */
static sb_digits rounded(const char exact[17], int count, int point, bool up, char digits[17])
{
    memcpy(digits, exact, (size_t)count);
    int at = count - 1;
    for (; up && at >= 0 && digits[at] == '9'; at--) {
        digits[at] = '0';
    }
    if (up && at >= 0) {
        digits[at] += 1;
    } else if (up) {
        digits[0] = '1';
        point += 1;
    }
    return without_zeroes((sb_digits){digits, (size_t)count, point});
}

/** Whether the digits behind the first `count` are more than a half of the last one, or an odd
 * one's. */
static bool rounds_up(const char exact[17], int count, const whole *rest, const whole *denominator)
{
    int order;
    if (count == 17) {
        whole twice = *rest;
        double_times(&twice, 1);
        order = order_of(&twice, denominator);
    } else {
        order = (exact[count] > '5') - (exact[count] < '5');
        for (int i = count + 1; order == 0 && i < 17; i++) {
            order = exact[i] > '0';
        }
        order = order == 0 && rest->size > 0 ? 1 : order;
    }
    return order > 0 || (order == 0 && (exact[count - 1] - '0') % 2 == 1);
}

sb_digits sb_shortest_digits(sb_double number, int point, char digits[17])
{
    whole numerator = whole_of(number.mantissa);
    whole denominator = whole_of(1);
    const int twos = number.exponent;
    double_times(twos > 0 ? &numerator : &denominator, twos > 0 ? twos : -twos);
    multiply_by_ten_to(point > 0 ? &denominator : &numerator, point > 0 ? point : -point);
    /* The text that the double was read from may stand on the other side of a power of ten. */
    if (order_of(&numerator, &denominator) >= 0) {
        multiply_add(&denominator, 10, 0);
        point += 1;
    }
    char exact[17];
    for (int i = 0; i < 17; i++) {
        exact[i] = '0';
        multiply_add(&numerator, 10, 0);
        for (; order_of(&numerator, &denominator) >= 0; exact[i]++) {
            subtract(&numerator, &denominator);
        }
        if (i == 0 && exact[0] == '0') {
            point -= 1;
            i -= 1;
        }
    }
    /* A normal double holds any 15 digits; one near zero holds fewer. */
    for (int count = point > -300 ? 15 : 1; count < 17; count++) {
        const bool up = rounds_up(exact, count, &numerator, &denominator);
        sb_digits shorter = rounded(exact, count, point, up, digits);
        if (is_same(sb_nearest_double(shorter), number)) {
            return shorter;
        }
        shorter = rounded(exact, count, point, true, digits);
        if (is_same(sb_nearest_double(shorter), number)) {
            return shorter;
        }
    }
    return rounded(exact, 17, point, rounds_up(exact, 17, &numerator, &denominator), digits);
}
