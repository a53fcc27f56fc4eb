/* The methods: how weights are chosen and repaired. One row and one file each. */
#ifndef SECATEUR_METHOD_H
#define SECATEUR_METHOD_H

#include "prune/layer.h"

enum method_need {
    METHOD_NEEDS_NOTHING,
    METHOD_NEEDS_DIAGONAL, /* Σx² of the inputs: calibration text or an imatrix */
    METHOD_NEEDS_HESSIAN,  /* the full XXᵀ: calibration text */
};

struct method {
    const char *name;   /* "sparsegpt" */
    const char *help;   /* one line */
    const char *source; /* paper, section */
    enum method_need needs;
    struct pattern group; /* the pattern that its authors published */
    unsigned patterns;    /* bit (1u << pattern_kind) for each kind that it works with */
    const char *does,
        *suits;   /* why not with the others: "removes whole groups", "tile:RxC, rows and cols"; NULL: all */
    bool repairs; /* kept weights change as well */
    bool chooses; /* chooses a mask itself: may stand first */
    bool refines; /* works on a mask that another method has chosen: may stand behind a '+' */
    /* Prunes layer->weights in place: exact count, pattern kept, zeros are +0. False with a sentence (which the caller
     * prefixes with the matrix's name) on failure or cancellation; the weights are then undefined. */
    bool (*prune)(struct layer *layer, struct error *error);
};

extern const struct method method_table[];
extern const size_t method_count;

const struct method *method_find(const char *name); /* NULL when there is none */
const char *const *method_names(void);              /* NULL-terminated, for completion */

/* What a plan or a run names: one method, or a choice followed by refinements of its mask, joined by '+': "sparsegpt",
 * "magnitude+repair", "wanda+dsnot+repair". */
#define METHOD_CHAIN_STEPS 4
struct method_chain {
    const struct method *steps[METHOD_CHAIN_STEPS];
    size_t count;
};

/* ERROR_USAGE with what would be right: unknown names ("did you mean"), a first method that needs a mask, a later one
 * that takes none. */
bool method_parse(struct method_chain *chain, const char *text, struct error *error);

enum method_need method_needs(const struct method_chain *chain); /* the most that any step needs */
bool method_repairs(const struct method_chain *chain);

/* The pattern that a run uses: the first method's own group for PATTERN_DEFAULT. */
struct pattern method_pattern(const struct method_chain *chain, struct pattern pattern);

/* Refuses a pattern that a step does not make sense with, with a reason that names both and what would work. */
bool method_accepts(const struct method_chain *chain, struct pattern pattern, struct error *error);

/* Prunes layer->weights by all steps. layer->pattern must not be PATTERN_DEFAULT. Nothing changes when
 * the pattern's count is 0, unless kept weights are to be rounded. Refused for weights that hold NaN or Inf, for data
 * that is missing and for inputs that layer_check_input refuses; what that notes is in the report. */
bool method_run(struct layer *layer, const struct method_chain *chain, struct error *error);

#endif
