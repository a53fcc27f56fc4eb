/* What the formats of interchange.h share; private to them. */
#ifndef SECATEUR_INTERCHANGE_STATE_H
#define SECATEUR_INTERCHANGE_STATE_H

#include "base/file.h"
#include "plan/interchange.h"

#define EXCHANGE_FILE_MAXIMUM ((size_t)64 << 20)

/* An import or export at work. */
struct exchange {
    const struct model *model;
    struct target *targets; /* [matrix_count]: dense when an import begins; the plan's in an export */
    const struct plan *plan;
    const char *path;
    struct interchange_options options;
    struct text *remarks;
};

/* A text file, line by line: lines without blanks at their ends. */
struct exchange_text {
    char *bytes, *next;
    size_t line; /* of the line given last, from 1 */
};
bool exchange_text_open(struct exchange_text *text, const struct exchange *exchange, struct error *error);
char *exchange_text_line(struct exchange_text *text); /* NULL at the end */
void exchange_text_close(struct exchange_text *text);

bool exchange_write(const struct exchange *exchange, const struct text *text, struct error *error);

/* ERROR_INPUT "FILE, line N: ...". */
bool exchange_fail(const struct exchange *exchange, size_t line, struct error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A value between 0 and 1 that `what` names; where: "value 3", "line 3". */
bool exchange_check_share(const struct exchange *exchange, double value, const char *what, const char *where,
                          struct error *error);

/* One sparsity for all prunable matrices of a block: the weighted mean, and in *uneven whether they differ. */
double exchange_block_sparsity(const struct exchange *exchange, size_t block, bool *uneven);

/* Remarks about what lists of sparsities leave out: patterns, methods, bounds, locks, matrices outside blocks. */
void exchange_remark_losses(const struct exchange *exchange, bool patterns, bool methods);

bool exchange_read_evopress(struct exchange *exchange, struct error *error);
bool exchange_write_evopress(struct exchange *exchange, struct error *error);
bool exchange_read_dlp(struct exchange *exchange, struct error *error);
bool exchange_write_dlp(struct exchange *exchange, struct error *error);
bool exchange_read_densities(struct exchange *exchange, struct error *error);
bool exchange_write_densities(struct exchange *exchange, struct error *error);
bool exchange_read_sparsities(struct exchange *exchange, struct error *error);
bool exchange_write_sparsities(struct exchange *exchange, struct error *error);
bool exchange_read_recipe(struct exchange *exchange, struct error *error);
bool exchange_write_recipe(struct exchange *exchange, struct error *error);

#endif
