/** The component's heap, with a memory that grows as WebAssembly's does. */

#include "check.h"

#include <stdlib.h>

#define MOST 64
static _Alignas(65536) char memory[MOST * 65536];
static size_t grown = 0;
static int times = 0;

static size_t grow(size_t more)
{
    if (more > MOST - grown) {
        return SIZE_MAX;
    }
    const size_t before = (size_t)(uintptr_t)memory / 65536 + grown;
    grown += more;
    times += 1;
    return before;
}

#define __builtin_wasm_memory_grow(number, more) grow(more)
#define malloc heap_malloc
#define free heap_free
#define calloc heap_calloc
#define realloc heap_realloc
#define aligned_alloc heap_aligned_alloc
#define posix_memalign heap_posix_memalign
#define malloc_usable_size heap_usable_size
#include "../wasm/malloc.c"

/** Pieces of many sizes, each full of its own number, so that two that overlap are seen. */
static void keeps_pieces_apart(void)
{
    test("pieces of all sizes and alignments lie apart, where they were asked to");
    enum { COUNT = 400 };
    unsigned char *pieces[COUNT] = {NULL};
    size_t sizes[COUNT] = {0};
    uint32_t chance = 1;
    for (int round = 0; round < 20000; round++) {
        chance = chance * 1664525 + 1013904223;
        const int i = (int)(chance >> 8) % COUNT;
        for (size_t byte = 0; byte < sizes[i]; byte++) {
            if (pieces[i][byte] != (unsigned char)i) {
                CHECK(!"a piece was written to by another");
                return;
            }
        }
        const size_t size = (chance >> 16) % (round % 50 == 0 ? 20000 : 600);
        const size_t alignment = (size_t)16 << (chance >> 28) % 5;
        if (round % 3 == 0) {
            pieces[i] = heap_realloc(pieces[i], size);
        } else {
            heap_free(pieces[i]);
            pieces[i] = heap_aligned_alloc(alignment, size);
            CHECK((uintptr_t)pieces[i] % alignment == 0);
        }
        CHECK(pieces[i] != NULL && heap_usable_size(pieces[i]) >= size);
        sizes[i] = size;
        memset(pieces[i], i, size);
    }
    for (int i = 0; i < COUNT; i++) {
        heap_free(pieces[i]);
    }
}

static void keeps_what_was_written(void)
{
    test("a piece that grows keeps its bytes, and a cleared one has none of another's");
    char *piece = heap_malloc(100);
    memset(piece, 'x', 100);
    piece = heap_realloc(piece, 5000);
    CHECK(piece[0] == 'x' && piece[99] == 'x');
    heap_free(piece);
    char *cleared = heap_calloc(50, 100);
    CHECK(cleared[0] == 0 && cleared[4999] == 0);
    heap_free(cleared);
}

static void does_not_grow_for_a_usual_send(void)
{
    test("what a usual send takes is there from the start");
    for (int i = 0; i < 500; i++) {
        CHECK(heap_malloc(20 * (size_t)(i % 20)) != NULL);
    }
    CHECK(times == 0);
}

static void ends_at_the_limit(void)
{
    test("at the limit there is no memory, and what was given back can be had again");
    CHECK(heap_malloc((size_t)MOST * 65536) == NULL);
    void *large = heap_malloc(2000000);
    CHECK(large != NULL && times == 1);
    CHECK(heap_malloc(3000000) == NULL);
    heap_free(large);
    CHECK(heap_malloc(2000000) == large);
    CHECK(heap_calloc(SIZE_MAX / 2, 4) == NULL);
    CHECK(heap_malloc(SIZE_MAX) == NULL);
}

int main(void)
{
    does_not_grow_for_a_usual_send();
    ends_at_the_limit();
    keeps_what_was_written();
    keeps_pieces_apart();
    return result("heap");
}
