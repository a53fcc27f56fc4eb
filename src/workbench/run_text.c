#include "workbench/run_text.h"

#include "base/file.h"
#include <string.h>

bool run_text_open(struct corpus *corpus, const struct model *model, const char *source,
                   const struct corpus_options *options, struct error *error) {
    struct corpus_options filled = *options;
    const char *folder = model->checkpoint->folder;
    struct tokenizer *tokenizer = NULL;
    filled.position_limit = model->architecture.positions;
    filled.vocabulary = model->architecture.vocabulary;
    if (tokenizer_present(folder) && (tokenizer = tokenizer_open(folder, error)) == NULL)
        return false;
    bool ok = corpus_open(corpus, source, tokenizer, &filled, error);
    tokenizer_close(tokenizer);
    return ok;
}

void run_text_describe(struct text *text, const struct corpus *corpus) {
    text_add(text, "%s: %zu windows of %zu tokens, ", file_name(corpus->name), corpus->windows, corpus->length);
    if (corpus->cut == CORPUS_RANDOM)
        text_add(text, "random (seed %llu%s)", (unsigned long long)corpus->seed,
                 corpus->joined ? ", across documents" : "");
    else
        text_add(text, "sequential");
    text_add(text, ", BOS %s", corpus_bos_name(corpus->bos));
    if (corpus->replaced > 0)
        text_add(text, "; %llu bytes were not UTF-8", (unsigned long long)corpus->replaced);
    if (corpus->unknown > 0)
        text_add(text, "; %llu characters are outside the vocabulary", (unsigned long long)corpus->unknown);
}

const char *const run_compute_choices[] = {"auto", "f32", "bf16", NULL};

static bool stored_in_bf16(const struct model *model) {
    for (size_t i = 0; i < model->matrix_count; i++)
        if (model->matrices[i].prunable && model->matrices[i].tensor->dtype != DTYPE_BF16)
            return false;
    return true;
}

static enum compute choose_compute(const char *name, const struct model *model, bool exact) {
    bool wanted = strcmp(name, "bf16") == 0 || (strcmp(name, "auto") == 0 && !exact && stored_in_bf16(model));
    return wanted && gemm_has_bf16() ? COMPUTE_BF16 : COMPUTE_F32;
}

enum compute run_compute(const struct settings *settings, const struct model *model, bool exact) {
    return choose_compute(settings->compute, model, exact);
}

enum compute run_compute_argument(const struct workbench *workbench, const struct value *value, bool exact) {
    return choose_compute(value->given ? value->text : workbench->settings.compute, workbench->model, exact);
}

const char *run_compute_name(enum compute compute) {
    return compute == COMPUTE_BF16 ? "bf16" : "f32";
}
