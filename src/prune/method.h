/* The methods: how weights are chosen and repaired. One row and one file each. */
#ifndef SECATEUR_METHOD_H
#define SECATEUR_METHOD_H

#include "prune/layer.h"

enum method_need {
    METHOD_NEEDS_NOTHING,
    METHOD_NEEDS_DIAGONAL, /* Σx² of the inputs: calibration text or an imatrix */
    METHOD_NEEDS_MEAN,     /* Σx as well */
    METHOD_NEEDS_HESSIAN,  /* the full XXᵀ: calibration text */
};

struct method {
    const char *name;   /* "sparsegpt" */
    const char *help;   /* one line */
    const char *source; /* paper, section */
    enum method_need needs;
    struct pattern group; /* the pattern that its authors published */
    unsigned patterns;    /* bit (1u << pattern_kind) for each kind that it works with */
    bool repairs;         /* kept weights change as well */
    /* Prunes layer->weights in place: exact count, pattern kept, zeros are +0. False with a sentence (which the caller
     * prefixes with the matrix's name) on failure or cancellation; the weights are then undefined. */
    bool (*prune)(struct layer *layer, struct progress *progress, struct error *error);
};

extern const struct method method_table[];
extern const size_t method_count;

const struct method *method_find(const char *name); /* NULL when there is none */
const char *const *method_names(void);              /* NULL-terminated, for completion */

/* Refuses a pattern that the method does not make sense with, with a reason that names both and what would work. */
bool method_accepts(const struct method *method, struct pattern pattern, struct error *error);

/* The pattern that a run uses: the method's own group for PATTERN_DEFAULT. */
struct pattern method_pattern(const struct method *method, struct pattern pattern);

#endif
