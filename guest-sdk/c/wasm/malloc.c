/** The heap: `malloc` and its kin, for a component that lives for one send.
 *
 *  Each time that a component's memory grows, the host changes the protection of pages on all its
 *  processors, which costs as much as a part of the send. The heap that comes with the compiler grows for
 *  each size of block that is asked for, and none of it is there from the start. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** Bytes that are there from the start, which are enough for most sends. They take no room in the file. */
#define FIRST ((size_t)256 << 10)
/** Bytes that the heap grows by, if nothing larger is asked for. */
#define STEP ((size_t)1 << 20)
#define PAGE ((size_t)65536)
#define UNIT ((size_t)16)
#define LARGEST ((size_t)1 << 30)
#define KINDS 100

/** What stands before each piece that is given out. */
typedef struct {
    /** Which size the block has. */
    uint32_t kind;
    /** Bytes from the block's start to the piece. */
    uint32_t offset;
} head;

/** A block that was given back. */
typedef struct vacant {
    struct vacant *next;
} vacant;

static _Alignas(16) char first[FIRST];
static char *at = first;
static char *end = first + FIRST;
static vacant *given_back[KINDS];

/** Four sizes for each power of two, so that at most a fifth of a block lies idle. */
static size_t block_size(uint32_t kind)
{
    return (size_t)(4 + kind % 4) << (kind / 4 + 4);
}

/** Fresh bytes, or NULL where the send's limit is reached. */
static char *fresh(size_t size)
{
    if ((size_t)(end - at) < size) {
        size_t pages = ((size > STEP ? size : STEP) + PAGE - 1) / PAGE;
        size_t before = __builtin_wasm_memory_grow(0, pages);
        if (before == SIZE_MAX) {
            pages = (size + PAGE - 1) / PAGE;
            before = __builtin_wasm_memory_grow(0, pages);
        }
        if (before == SIZE_MAX) {
            return NULL;
        }
        char *start = (char *)(before * PAGE);
        /* Grown twice in a row is one piece. */
        at = start == end ? at : start;
        end = start + pages * PAGE;
    }
    char *bytes = at;
    at += size;
    return bytes;
}

static head *head_of(void *piece)
{
    return (head *)piece - 1;
}

/** `alignment` is a power of two. */
static void *allocate(size_t size, size_t alignment)
{
    const size_t offset = alignment > UNIT ? alignment : UNIT;
    if (size > LARGEST || offset > LARGEST - size) {
        errno = ENOMEM;
        return NULL;
    }
    /* Blocks begin at multiples of the unit: a larger alignment may have to skip some. */
    const size_t needed = size + offset;
    uint32_t kind = 0;
    while (block_size(kind) < needed) {
        kind += 1;
    }
    char *block = (char *)given_back[kind];
    if (block != NULL) {
        given_back[kind] = given_back[kind]->next;
    } else if ((block = fresh(block_size(kind))) == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    char *piece = block + UNIT;
    piece += -(uintptr_t)piece & (offset - 1);
    *head_of(piece) = (head){kind, (uint32_t)(piece - block)};
    return piece;
}

/** Bytes that a piece has room for. */
static size_t room(void *piece)
{
    return block_size(head_of(piece)->kind) - head_of(piece)->offset;
}

void *malloc(size_t size)
{
    return allocate(size, UNIT);
}

void free(void *piece)
{
    if (piece != NULL) {
        const head was = *head_of(piece);
        vacant *block = (vacant *)((char *)piece - was.offset);
        block->next = given_back[was.kind];
        given_back[was.kind] = block;
    }
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *piece = malloc(bytes);
    /* The block may have been used before. */
    return piece == NULL ? NULL : memset(piece, 0, bytes);
}

void *realloc(void *piece, size_t size)
{
    if (piece != NULL && size <= room(piece)) {
        return piece;
    }
    void *larger = malloc(size);
    if (larger != NULL && piece != NULL) {
        memcpy(larger, piece, room(piece));
        free(piece);
    }
    return larger;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(size, alignment);
}

int posix_memalign(void **piece, size_t alignment, size_t size)
{
    *piece = allocate(size, alignment);
    return *piece == NULL ? ENOMEM : 0;
}

size_t malloc_usable_size(void *piece)
{
    return piece == NULL ? 0 : room(piece);
}
