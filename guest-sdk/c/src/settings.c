/** Reads an integration's settings, and names the field that does not fit. */

#include <stdarg.h>
#include <string.h>

#include "internal.h"

static const char *const REQUIRED[] = {"Register", "SignIn", "ForgotPassword", "Generic"};

const char *sb_path_of(const sb_json *value)
{
    if (value == NULL || value->parent == NULL) {
        return "settings";
    }
    const char *before = value->parent->parent == NULL ? "" : sb_path_of(value->parent);
    if (value->parent->type == SB_OBJECT) {
        return sb_concat(before, *before == '\0' ? "" : ".", sb_name(value), NULL);
    }
    int64_t index = 0;
    for (const sb_json *item = value->parent->first; item != value && item != NULL;
         item = item->next) {
        index += 1;
    }
    return sb_concat(before, "[", sb_decimal(index), "]", NULL);
}

static void fail_at(const sb_json *value, const char *words)
{
    sb_fail(sb_invalid_settings(sb_path_of(value), words));
}

const char *sb_optional_text(const sb_json *object, const char *name)
{
    const sb_json *value = sb_member(object, name);
    if (value != NULL && value->type != SB_STRING) {
        fail_at(value, "expected a string");
        return NULL;
    }
    return sb_string(value);
}

const char *sb_need_text(const sb_json *object, const char *name)
{
    if (sb_member(object, name) == NULL) {
        fail_at(object, sb_concat("missing field `", name, "`", NULL));
    }
    const char *text = sb_optional_text(object, name);
    return text == NULL ? "" : text;
}

/** The first entry of exactly this usage type, or NULL. */
static const sb_json *entry_of(const sb_json *templates, const char *usage_type)
{
    const sb_json *entry = sb_first(templates);
    while (entry != NULL && !sb_same(sb_string(sb_member(entry, "usageType")), usage_type)) {
        entry = entry->next;
    }
    return entry;
}

static void need_usage_types(const sb_json *templates)
{
    const char *missing = "";
    for (size_t i = 0; i < sizeof REQUIRED / sizeof *REQUIRED; i++) {
        if (entry_of(templates, REQUIRED[i]) == NULL) {
            missing = sb_concat(missing, *missing == '\0' ? "" : ", ", REQUIRED[i], NULL);
        }
    }
    if (*missing != '\0') {
        fail_at(templates, sb_concat("no template for ", missing, NULL));
    }
}

const sb_json *sb_need_templates(const sb_json *object, const char *name, ...)
{
    const sb_json *templates = sb_member(object, name);
    if (templates == NULL) {
        fail_at(object, sb_concat("missing field `", name, "`", NULL));
        return sb_array();
    }
    if (templates->type != SB_ARRAY) {
        fail_at(templates, "expected a sequence");
        return sb_array();
    }
    for (const sb_json *entry = templates->first; entry != NULL; entry = entry->next) {
        if (entry->type != SB_OBJECT) {
            fail_at(entry, "expected an object");
        }
        sb_need_text(entry, "usageType");
        va_list fields;
        va_start(fields, name);
        for (const char *field; (field = va_arg(fields, const char *)) != NULL;) {
            sb_need_text(entry, field);
        }
        va_end(fields);
    }
    need_usage_types(templates);
    return templates;
}

const sb_json *sb_choose_exact(const sb_json *templates, const char *usage_type)
{
    const sb_json *entry = entry_of(templates, usage_type);
    if (entry == NULL) {
        const char *words = sb_concat("no template for the usage type ", usage_type, NULL);
        sb_fail(sb_failure_new(SB_TEMPLATE_NOT_FOUND, words));
        return sb_object();
    }
    return entry;
}

const sb_json *sb_choose(const sb_json *templates, const char *usage_type)
{
    const bool own = entry_of(templates, usage_type) != NULL;
    const bool generic = !own && entry_of(templates, "Generic") != NULL;
    return sb_choose_exact(templates, generic ? "Generic" : usage_type);
}
