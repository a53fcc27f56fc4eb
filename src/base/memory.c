#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_ALIGNMENT 64

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

void *memory_alloc_aligned(size_t count, size_t size, struct error *error) {
    size_t bytes;
    if (should_fail() || !memory_multiply(&bytes, count, size) || bytes > SIZE_MAX - MEMORY_ALIGNMENT)
        return refuse(count, size, error);
    bytes = (bytes + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
    void *memory = aligned_alloc(MEMORY_ALIGNMENT, bytes > 0 ? bytes : MEMORY_ALIGNMENT);
    return memory != NULL ? memory : refuse(count, size, error);
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
