/* Which shapes of zeros are allowed, and the exact selection of the lowest scores within them.
 *
 * Exactly k entries, ties by index (lower index goes first), found by counting bits of the stored type and not by
 * sorting. */
#ifndef SECATEUR_PATTERN_H
#define SECATEUR_PATTERN_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum pattern_kind {
    PATTERN_DEFAULT,      /* the group that the method's authors published */
    PATTERN_UNSTRUCTURED, /* k lowest of the matrix */
    PATTERN_ROW,          /* k lowest of every row: "row" */
    PATTERN_COLUMN_BLOCK, /* k lowest of every block of n columns over all rows: "columns:128" */
    PATTERN_N_M,          /* keep N of every M along the inputs: "2:4" */
    PATTERN_TILE,         /* whole tiles of R rows × C columns: "tile:16x16" */
    PATTERN_WHOLE_ROWS,   /* "rows" */
    PATTERN_WHOLE_COLUMNS /* "cols" */
};

struct pattern {
    enum pattern_kind kind;
    int n, m; /* N:M: keep n of m, 1 <= n < m <= 32; column block: n columns; tile: n rows × m columns */
};

/* "unstructured", "row", "2:4", "columns:128", "tile:16x16", "rows", "cols", "default"; ERROR_USAGE with the list
 * otherwise. */
bool pattern_parse(struct pattern *pattern, const char *string, struct error *error);
#define PATTERN_TEXT_SIZE 32
const char *pattern_text(char buffer[PATTERN_TEXT_SIZE], struct pattern pattern);
bool pattern_equal(struct pattern a, struct pattern b);

/* How many of a matrix's entries go for a target sparsity: round(sparsity × group) summed over groups; for N:M fixed by
 * the pattern (a trailing group of r < M keeps ceil(N·r/M)), where sparsity only says whether it is pruned at all (>
 * 0). Tiles: only those wholly inside the matrix can go, as many as make sparsity × entries, rounded. */
uint64_t pattern_count(struct pattern pattern, int64_t rows, int64_t columns, double sparsity);

/* Smallest possible change of pattern_count (1 for unstructured; rows for per row; a tile, ...). */
uint64_t pattern_step(struct pattern pattern, int64_t rows, int64_t columns);

/* mask[rows × columns] = 1 where the entry goes, 0 where it stays, from scores[rows × columns] (NaN counts as the
 * highest; the sign is left out). sparsity is of the group. Uses all threads. False on
 * lack of memory. */
bool pattern_select(uint8_t *mask, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                    double sparsity, struct error *error);

/* As pattern_select, by the conventions of the reference implementations (golden/README): unstructured cuts score <=
 * sorted[int(n·s)], one too many and all ties; per row int(columns·s); N:M loses N of a short last group, too. */
bool pattern_select_reference(uint8_t *mask, const float *scores, struct pattern pattern, int64_t rows, int64_t columns,
                              double sparsity, struct error *error);

/* The key of the k-th lowest of count non-negative scores: those strictly below *threshold go, and of those equal the
 * first *ties. */
void select_threshold(float *threshold, uint64_t *ties, const float *scores, size_t count, uint64_t k);

#endif
