/** What the native tests are made of: titles, checks, and a count of what failed. */
#ifndef SENDBOX_TESTS_CHECK_H
#define SENDBOX_TESTS_CHECK_H

#include <stdio.h>

#include "host.h"

static const char *title = "";
static int failures;

/** Begins a test, with memory of its own. */
static inline void test(const char *sentence)
{
    sb_reset();
    title = sentence;
}

static inline void check(bool holds, const char *what, int line)
{
    if (!holds) {
        printf("%s\n  line %d: %s\n", title, line, what);
        failures += 1;
    }
}

static inline void check_text(const char *got, const char *expected, int line)
{
    if (!sb_same(got, expected)) {
        printf("%s\n  line %d\n  expected %s\n  got      %s\n", title, line,
               expected == NULL ? "NULL" : expected, got == NULL ? "NULL" : got);
        failures += 1;
    }
}

#define CHECK(condition) check(condition, #condition, __LINE__)
#define CHECK_TEXT(got, expected) check_text(got, expected, __LINE__)

/** What `main` returns. */
static inline int result(const char *suite)
{
    sb_reset();
    printf("%s: %s\n", suite, failures == 0 ? "passed" : "FAILED");
    return failures == 0 ? 0 : 1;
}

#endif
