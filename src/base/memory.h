/* Allocation that fails as an error, never by exit; overflow-safe products; a counter that makes the n-th allocation
 * fail. */
#ifndef SECATEUR_MEMORY_H
#define SECATEUR_MEMORY_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for count × size bytes; NULL with an error when that overflows or is not to be had. count 0 gives a
 * valid pointer. */
void *memory_alloc(size_t count, size_t size, struct error *error);

/* As memory_alloc, aligned to 64 bytes (a cache line, a zmm register) and not zeroed. Freed with memory_free as well.
 */
void *memory_alloc_aligned(size_t count, size_t size, struct error *error);

/* Grows or shrinks to count × size bytes, contents kept; on failure the old memory stays valid and NULL is returned. */
void *memory_resize(void *old, size_t count, size_t size, struct error *error);

/* A copy of a string, of its first `length` bytes; NULL with an error on failure. */
char *memory_copy_string(const char *string, struct error *error);
char *memory_copy_bytes(const void *bytes, size_t length, struct error *error);

void memory_free(void *memory);

/* Makes room for one more element of `size` bytes in a growing array: doubles *capacity when count == *capacity. */
bool memory_grow(void *array_address, size_t *capacity, size_t count, size_t size, struct error *error);

/* Sums and products that say when they overflow. */
bool memory_multiply(size_t *product, size_t a, size_t b);
bool memory_add(size_t *sum, size_t a, size_t b);

/* For tests: the n-th allocation from now on fails (1 = the next one), once; 0 switches this off. Returns how many
 * allocations have been made since the last call. */
uint64_t memory_fail_at(uint64_t n);

/* The user's limit on working memory in bytes (--memory); 0 = none given. */
void memory_set_limit(size_t bytes);
size_t memory_limit(void);

#endif
