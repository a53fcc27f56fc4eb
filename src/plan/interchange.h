/* Other tools' plans. What a format cannot express is said in `notes`, a sentence a line; our CSV holds everything. */
#ifndef SECATEUR_INTERCHANGE_H
#define SECATEUR_INTERCHANGE_H

#include "base/text.h"
#include "plan/plan.h"

struct interchange_options {
    double sparsity; /* EvoPress: the sparsity of level 0, which its files do not hold; NaN: not given */
    double step;     /* EvoPress: weights of a level */
};
#define INTERCHANGE_STEP 1e6 /* EvoPress's own */

struct interchange {
    const char *name, *help;
    /* Sets targets inside the caller's group. NULL: cannot be read. */
    bool (*read)(struct plan *plan, const char *text, const struct interchange_options *options, struct text *notes,
                 struct error *error);
    bool (*write)(struct text *output, const struct plan *plan, const struct interchange_options *options,
                  struct text *notes, struct error *error);
};
extern const struct interchange interchange_table[];
const struct interchange *interchange_find(const char *name); /* NULL when there is none */
const char *const *interchange_names(void);                   /* NULL-terminated */

#endif
