/** JSON values: looking into them, making and printing them. */

#include <string.h>

#include "internal.h"

sb_json_type sb_json_type_of(const sb_json *value)
{
    return value == NULL ? SB_NULL : value->type;
}

static bool is_named(const sb_json *member, const char *name, size_t size)
{
    return member->name_size == size && memcmp(member->name, name, size) == 0;
}

const sb_json *sb_member_sized(const sb_json *object, const char *name, size_t size)
{
    if (sb_json_type_of(object) != SB_OBJECT) {
        return NULL;
    }
    const sb_json *member = object->first;
    while (member != NULL && !is_named(member, name, size)) {
        member = member->next;
    }
    return member;
}

const sb_json *sb_member(const sb_json *object, const char *name)
{
    return sb_member_sized(object, name, strlen(name));
}

const sb_json *sb_first(const sb_json *container)
{
    return container == NULL ? NULL : container->first;
}

const sb_json *sb_next(const sb_json *value)
{
    return value == NULL ? NULL : value->next;
}

const char *sb_name(const sb_json *member)
{
    return member == NULL || member->name == NULL ? NULL
                                                  : sb_text_of(member->name, member->name_size);
}

const char *sb_string(const sb_json *value)
{
    if (sb_json_type_of(value) != SB_STRING) {
        return NULL;
    }
    const bool plain = memchr(value->text, '\0', value->size) == NULL;
    return plain ? value->text : sb_text_of(value->text, value->size);
}

int64_t sb_integer(const sb_json *value, int64_t otherwise)
{
    if (sb_json_type_of(value) != SB_NUMBER) {
        return otherwise;
    }
    const bool negative = value->text[0] == '-';
    const size_t first = negative ? 1 : 0;
    int64_t number = 0;
    if (value->size - first > 18) {
        return otherwise;
    }
    for (size_t i = first; i < value->size; i++) {
        if (!sb_is_digit(value->text[i])) {
            return otherwise;
        }
        number = number * 10 + (value->text[i] - '0');
    }
    return negative ? -number : number;
}

bool sb_is_true(const sb_json *value)
{
    return sb_json_type_of(value) == SB_BOOL && value->truth;
}

static sb_json *new_value(sb_json_type type)
{
    sb_json *value = sb_alloc(sizeof *value);
    value->type = type;
    return value;
}

sb_json *sb_object(void)
{
    return new_value(SB_OBJECT);
}

sb_json *sb_array(void)
{
    return new_value(SB_ARRAY);
}

sb_json *sb_text(const char *text)
{
    sb_json *value = new_value(text == NULL ? SB_NULL : SB_STRING);
    if (text != NULL) {
        value->text = sb_text_of(text, strlen(text));
        value->size = strlen(value->text);
    }
    return value;
}

sb_json *sb_number(int64_t number)
{
    sb_json *value = new_value(SB_NUMBER);
    value->text = sb_decimal(number);
    value->size = strlen(value->text);
    return value;
}

sb_json *sb_bool(bool flag)
{
    sb_json *value = new_value(SB_BOOL);
    value->truth = flag;
    return value;
}

void sb_hang(sb_json *container, sb_json *value)
{
    value->parent = container;
    value->next = NULL;
    if (container->last == NULL) {
        container->first = value;
    } else {
        container->last->next = value;
    }
    container->last = value;
}

void sb_replace(sb_json *place, const sb_json *value)
{
    sb_json fresh = *value;
    fresh.name = place->name;
    fresh.name_size = place->name_size;
    fresh.next = place->next;
    fresh.parent = place->parent;
    *place = fresh;
}

void sb_put(sb_json *object, const char *name, const sb_json *value)
{
    sb_json *member = object->first;
    while (member != NULL && !is_named(member, name, strlen(name))) {
        member = member->next;
    }
    if (member == NULL) {
        member = new_value(SB_NULL);
        member->name = name;
        member->name_size = strlen(name);
        sb_hang(object, member);
    }
    sb_replace(member, value == NULL ? new_value(SB_NULL) : value);
}

void sb_put_text(sb_json *object, const char *name, const char *text)
{
    if (text != NULL) {
        sb_put(object, name, sb_text(text));
    }
}

void sb_append(sb_json *array, const sb_json *value)
{
    sb_json *item = new_value(SB_NULL);
    sb_hang(array, item);
    sb_replace(item, value == NULL ? new_value(SB_NULL) : value);
}
