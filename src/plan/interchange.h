/* Plans of other tools, read and written. Our own CSV stays the master: what a format cannot express, or does not say,
 * is told in remarks.
 *
 *   evopress        text, "model.layers.0.self_attn.q_proj: 4" for every matrix: sparsity S + level · step / weights
 *   dlp             JSON list of the share that is kept, one for each block
 *   owl             shares that are kept, one for each block or matrix, as text or .npy
 *   alphapruning    sparsities, one for each block or matrix, as text or .npy
 *   llm-compressor  YAML recipe with a SparseGPTModifier or WandaPruningModifier */
#ifndef SECATEUR_INTERCHANGE_H
#define SECATEUR_INTERCHANGE_H

#include "base/text.h"
#include "plan/plan.h"

/* What the file does not hold. NaN: not given. */
struct interchange_options {
    double sparsity; /* evopress: S, of level 0 */
    double step;     /* evopress: weights that a level stands for */
};

const char *const *interchange_names(void); /* NULL-terminated */

/* Sparsities and patterns of the file become the plan's, as one undo group, or nothing changes. Methods, bounds and
 * locks stay; a locked matrix keeps its target. Faults in the file are ERROR_INPUT with its line. Lines are added to
 * remarks. */
bool interchange_import(struct plan *plan, const char *format, const char *path,
                        const struct interchange_options *options, struct text *remarks, struct error *error);

/* Written whole or not at all. ERROR_USAGE when the plan is one that the format would turn into another plan. */
bool interchange_export(const struct plan *plan, const char *format, const char *path,
                        const struct interchange_options *options, struct text *remarks, struct error *error);

#endif
