/* Which matrices a command means: "5.q", "mlp.*", "4-9.q", "*.down", "5", "all", "tagged", "re:…", a tensor's exact
 * name.
 *
 * selector   = part { "," part }
 * part       = "all" | "*" | "tagged" | "locked" | "unlocked" | [ blocks "." ] roles | blocks | "re:" POSIX regex on
 * tensor names | tensor or module name (the only way to reach matrices that are pruned only when named) blocks     =
 * glob or number or range "4-9" roles      = glob over labels: "q", "e3.up", "up"; groups "attn" (q k v qkv o) and
 * "mlp" (gate up gate_up down fc1 fc2); "mlp.*" too A selector that meets a fused matrix ("*.q" on qkv) says so by
 * name; one that meets nothing says what would. */
#ifndef SECATEUR_SELECTOR_H
#define SECATEUR_SELECTOR_H

#include "plan/plan.h"

/* Fills indices (new memory, caller frees) in matrix order without doubles. ERROR_USAGE with a sentence otherwise. */
bool selector_match(size_t **indices, size_t *count, const struct plan *plan, const char *selector,
                    struct error *error);

#endif
