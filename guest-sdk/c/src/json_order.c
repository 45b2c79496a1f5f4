/** The order of an object's members: JavaScript's, as the messages' senders see it. */

#include <string.h>

#include "internal.h"

int64_t sb_array_index(const char *name, size_t size)
{
    int64_t index = 0;
    if (size == 0 || size > 10 || (name[0] == '0' && size > 1)) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (!sb_is_digit(name[i])) {
            return -1;
        }
        index = index * 10 + (name[i] - '0');
    }
    return index < UINT32_MAX ? index : -1;
}

typedef int compare(const sb_json *a, const sb_json *b);

static int by_name(const sb_json *a, const sb_json *b)
{
    const size_t shorter = a->name_size < b->name_size ? a->name_size : b->name_size;
    const int order = memcmp(a->name, b->name, shorter);
    return order != 0 ? order : (a->name_size > b->name_size) - (a->name_size < b->name_size);
}

/** Array indices first, ascending; the others stay as they are. */
static int as_javascript(const sb_json *a, const sb_json *b)
{
    const int64_t left = sb_array_index(a->name, a->name_size);
    const int64_t right = sb_array_index(b->name, b->name_size);
    if (left < 0 || right < 0) {
        return (left < 0) - (right < 0);
    }
    return (left > right) - (left < right);
}

/** Merge sort: stable, and as fast on members chosen to make it slow. */
static void sort(sb_json **items, size_t count, compare *order)
{
    sb_json **from = items;
    sb_json **to = sb_alloc(count * sizeof *to);
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            const size_t middle = begin + width < count ? begin + width : count;
            const size_t end = middle + width < count ? middle + width : count;
            size_t left = begin;
            size_t right = middle;
            for (size_t at = begin; at < end; at++) {
                const bool takes_left =
                    left < middle && (right == end || order(from[left], from[right]) <= 0);
                to[at] = from[takes_left ? left++ : right++];
            }
        }
        sb_json **swapped = from;
        from = to;
        to = swapped;
    }
    memmove(items, from, count * sizeof *items);
}

static void hang_all(sb_json *object, sb_json **members, size_t count)
{
    object->first = NULL;
    object->last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (members[i] != NULL) {
            sb_hang(object, members[i]);
        }
    }
}

void sb_order_members(sb_json *object)
{
    size_t count = 0;
    bool indices = false;
    for (const sb_json *member = object->first; member != NULL; member = member->next) {
        count += 1;
        indices = indices || sb_array_index(member->name, member->name_size) >= 0;
    }
    if (count < 2) {
        return;
    }
    sb_json **members = sb_alloc(count * sizeof *members);
    sb_json *member = object->first;
    for (size_t i = 0; i < count; i++, member = member->next) {
        members[i] = member;
    }
    sort(members, count, by_name);
    bool repeated = false;
    for (size_t i = 1, first = 0; i < count; i++) {
        if (by_name(members[first], members[i]) == 0) {
            sb_replace(members[first], members[i]);
            members[i]->name = NULL;
            repeated = true;
        } else {
            first = i;
        }
    }
    if (!repeated && !indices) {
        return;
    }
    member = object->first;
    for (size_t i = 0; i < count; member = member->next) {
        members[i++] = member->name == NULL ? NULL : member;
    }
    hang_all(object, members, count);
    if (indices) {
        count = 0;
        for (member = object->first; member != NULL; member = member->next) {
            members[count++] = member;
        }
        sort(members, count, as_javascript);
        hang_all(object, members, count);
    }
}
