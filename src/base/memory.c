#define _GNU_SOURCE /* madvise */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MEMORY_ALIGNMENT 64
#define MEMORY_HUGE ((size_t)1 << 21) /* a huge page; what takes several is asked for in them */

static _Atomic uint64_t allocations;
static _Atomic uint64_t failing;
static _Atomic size_t limit;

uint64_t memory_fail_at(uint64_t n) {
    uint64_t made = atomic_exchange(&allocations, 0);
    atomic_store(&failing, n);
    return made;
}

static bool should_fail(void) {
    uint64_t number = atomic_fetch_add(&allocations, 1) + 1;
    return number == atomic_load(&failing);
}

static void *refuse(size_t count, size_t size, struct error *error) {
    (void)error_set(error, ERROR_MEMORY, "out of memory: %zu × %zu bytes were not to be had", count, size);
    return NULL;
}

bool memory_multiply(size_t *product, size_t a, size_t b) {
    return !__builtin_mul_overflow(a, b, product);
}

bool memory_add(size_t *sum, size_t a, size_t b) {
    return !__builtin_add_overflow(a, b, sum);
}

void *memory_alloc(size_t count, size_t size, struct error *error) {
    size_t bytes;
    if (should_fail() || !memory_multiply(&bytes, count, size))
        return refuse(count, size, error);
    void *memory = calloc(bytes > 0 ? bytes : 1, 1);
    return memory != NULL ? memory : refuse(count, size, error);
}

/* Large arrays in huge pages: a fresh one of 64 MB would otherwise cost 16384 page faults, which is some percent of a
 * layer's solve. Only advice: without them nothing but speed changes. */
static void advise_huge(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    if (memory != NULL && bytes >= 2 * MEMORY_HUGE)
        (void)madvise(memory, bytes / MEMORY_HUGE * MEMORY_HUGE, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

void *memory_alloc_aligned(size_t count, size_t size, struct error *error) {
    size_t bytes;
    if (should_fail() || !memory_multiply(&bytes, count, size) || bytes > SIZE_MAX - MEMORY_HUGE)
        return refuse(count, size, error);
    size_t alignment = bytes >= 2 * MEMORY_HUGE ? MEMORY_HUGE : MEMORY_ALIGNMENT;
    void *memory = NULL; /* aligned_alloc wants whole multiples of the alignment */
    if (posix_memalign(&memory, alignment, bytes > 0 ? bytes : 1) != 0)
        return refuse(count, size, error);
    advise_huge(memory, bytes);
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size, struct error *error) {
    size_t bytes;
    if (should_fail() || !memory_multiply(&bytes, count, size))
        return refuse(count, size, error);
    void *memory = realloc(old, bytes > 0 ? bytes : 1);
    return memory != NULL ? memory : refuse(count, size, error);
}

char *memory_copy_bytes(const void *bytes, size_t length, struct error *error) {
    char *copy = memory_alloc(length + 1, 1, error);
    if (copy != NULL && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *memory_copy_string(const char *string, struct error *error) {
    return memory_copy_bytes(string, strlen(string), error);
}

void memory_free(void *memory) {
    free(memory);
}

bool memory_grow(void *array_address, size_t *capacity, size_t count, size_t size, struct error *error) {
    if (count < *capacity)
        return true;
    void *old;
    memcpy(&old, array_address, sizeof old);
    size_t larger = *capacity > 0 ? *capacity * 2 : 16;
    void *memory = memory_resize(old, larger, size, error);
    if (memory == NULL)
        return false;
    memcpy(array_address, &memory, sizeof memory);
    *capacity = larger;
    return true;
}

void memory_set_limit(size_t bytes) {
    atomic_store(&limit, bytes);
}

size_t memory_limit(void) {
    return atomic_load(&limit);
}
