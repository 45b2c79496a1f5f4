/** Memory that lives until the send ends: an arena, and texts that grow in it. */

#include <stdlib.h>
#include <string.h>

#include "internal.h"

/** Room of one block: most sends need no second one. With what stands before it, it fills a size of
 *  the component's heap. 0 gives each allocation its own block, so that a sanitizer sees where it ends. */
#ifndef SB_BLOCK_SIZE
#define SB_BLOCK_SIZE (131072 - 64)
#endif

typedef struct block {
    struct block *next;
    size_t used;
    size_t room;
    max_align_t bytes[];
} block;

static block *newest;

void *sb_alloc(size_t size)
{
    const size_t unit = sizeof(max_align_t);
    if (size > SIZE_MAX / 4) {
        abort();
    }
    const size_t rounded = SB_BLOCK_SIZE > 0 ? (size + unit - 1) / unit * unit : size;
    if (newest == NULL || newest->room - newest->used < rounded || SB_BLOCK_SIZE == 0) {
        const size_t room = rounded > SB_BLOCK_SIZE ? rounded : SB_BLOCK_SIZE;
        block *fresh = malloc(sizeof(block) + room);
        if (fresh == NULL) {
            /* The host reports a guest that ran out of memory. */
            abort();
        }
        fresh->next = newest;
        fresh->used = 0;
        fresh->room = room;
        newest = fresh;
    }
    char *at = (char *)newest->bytes + newest->used;
    newest->used += rounded;
    return memset(at, 0, size);
}

void sb_free_all(void)
{
    while (newest != NULL) {
        block *next = newest->next;
        free(newest);
        newest = next;
    }
}

void sb_add(sb_buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->room - buffer->size < size) {
        const size_t room = 2 * buffer->room + size + 64;
        char *data = sb_alloc(room);
        if (buffer->size > 0) {
            memcpy(data, buffer->data, buffer->size);
        }
        buffer->data = data;
        buffer->room = room;
    }
    if (size > 0) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
}

void sb_add_byte(sb_buffer *buffer, char byte)
{
    sb_add(buffer, &byte, 1);
}

void sb_add_text(sb_buffer *buffer, const char *text)
{
    if (text != NULL) {
        sb_add(buffer, text, strlen(text));
    }
}

char *sb_taken(sb_buffer *buffer)
{
    sb_add_byte(buffer, '\0');
    buffer->size -= 1;
    return buffer->data;
}

char *sb_copy(const void *bytes, size_t size)
{
    char *copy = sb_alloc(size + 1);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}
