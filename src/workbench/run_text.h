/* The text that a run works on, opened for a model: with its tokenizer, position limit and vocabulary. */
#ifndef SECATEUR_RUN_TEXT_H
#define SECATEUR_RUN_TEXT_H

#include "base/text.h"
#include "model/corpus.h"
#include "engine/gemm.h"
#include "model/model.h"
#include "workbench/workbench.h"

/* SOURCE as corpus.h has it. position_limit and vocabulary of options are filled in from the model. A model without a
 * tokenizer takes token ids only, and says so. */
bool run_text_open(struct corpus *corpus, const struct model *model, const char *source,
                   const struct corpus_options *options, struct error *error);

/* "stories.txt: 128 windows of 128 tokens, random (seed 0), BOS per document; 3 bytes were not UTF-8". */
void run_text_describe(struct text *text, const struct corpus *corpus);

/* What products are made in: as --compute says; auto is f32 where results are compared with others' (exact), and
 * elsewhere bf16 for models whose matrices are stored so: rounding f32 or f16 weights to bf16 would be work on another
 * model. Never bf16 on processors that do not multiply it. */
enum compute run_compute(const struct settings *settings, const struct model *model, bool exact);
/* As a command's own compute= says where it is given. */
enum compute run_compute_argument(const struct workbench *workbench, const struct value *value, bool exact);
extern const char *const run_compute_choices[];     /* for that argument; NULL-terminated */
const char *run_compute_name(enum compute compute); /* "f32", "bf16" */

#endif
