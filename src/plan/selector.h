/* Which matrices a command means: "5.q", "mlp.*", "4-9.q", "*.down", "5", "all", "tagged", "re:…", a tensor's exact
 * name.
 *
 *   selector = part { "," part }
 *   part     = "all" | "*" | "tagged" | "locked" | "unlocked"
 *            | [ blocks "." ] roles | blocks
 *            | "re:" POSIX extended regular expression on tensor names; takes the rest of the selector, commas included
 *            | tensor or module name (the only way to reach matrices that are pruned only when named)
 *   blocks   = number, range "4-9", or glob over block numbers
 *   roles    = glob over labels ("q", "e3.up") or over their last part ("up" is the up of every expert, too);
 *              "attn" (q k v qkv o) and "mlp" (gate up gate_up down fc1 fc2), also as "attn.*", "mlp.up"
 *
 * A selector that meets a fused matrix ("*.q" on qkv) says so by name; one that meets nothing says what would. */
#ifndef SECATEUR_SELECTOR_H
#define SECATEUR_SELECTOR_H

#include "plan/plan.h"

/* Fills indices (new memory, caller frees) in matrix order without doubles; never empty. ERROR_USAGE with a sentence
 * otherwise. */
bool selector_match(size_t **indices, size_t *count, const struct plan *plan, const char *selector,
                    struct error *error);

#endif
