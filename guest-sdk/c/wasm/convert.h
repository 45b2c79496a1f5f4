/** Between the texts of the contract's bindings and the SDK's. */
#ifndef SENDBOX_CONVERT_H
#define SENDBOX_CONVERT_H

#include <string.h>

#include "../src/internal.h"
#include "connector.h"

typedef connector_string_t wit_text;
typedef connector_option_string_t wit_option;
typedef connector_tuple2_string_string_t wit_pair;

static inline const char *text_from_host(wit_text text)
{
    return sb_text_of(text.ptr, text.len);
}

static inline const char *option_from_host(wit_option text)
{
    return text.is_some ? text_from_host(text.val) : NULL;
}

/**
 * A text that the host reads during a call, and does not free. It takes nothing but UTF-8, and the
 * component traps on the rest.
 */
static inline wit_text lent(const char *text)
{
    const char *checked = text == NULL ? "" : sb_text_of(text, strlen(text));
    return (wit_text){(uint8_t *)checked, strlen(checked)};
}

static inline wit_option lent_option(const char *text)
{
    return (wit_option){text != NULL, lent(text)};
}

static inline wit_pair lent_pair(sb_pair pair)
{
    return (wit_pair){lent(pair.name), lent(pair.value)};
}

#endif
