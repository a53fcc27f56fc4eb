#include "workbench/report_evaluations.h"

#include "workbench/run_text.h"
#include "workbench/csv.h"
#include <math.h>

static void add_model(struct text *line, const struct evaluation_record *record) {
    csv_add_string(line, record->model);
}

static void add_source(struct text *line, const struct evaluation_record *record) {
    csv_add_string(line, record->source);
}

static void add_windows(struct text *line, const struct evaluation_record *record) {
    text_add(line, "%llu", (unsigned long long)record->result.windows);
}

static void add_length(struct text *line, const struct evaluation_record *record) {
    text_add(line, "%zu", record->length);
}

static void add_tokens(struct text *line, const struct evaluation_record *record) {
    text_add(line, "%llu", (unsigned long long)record->result.tokens);
}

static void add_bos(struct text *line, const struct evaluation_record *record) {
    csv_add_string(line, corpus_bos_name(record->bos));
}

static void add_corpus(struct text *line, const struct evaluation_record *record) {
    text_add(line, "%016llx", (unsigned long long)record->hash);
}

static void add_compute(struct text *line, const struct evaluation_record *record) {
    text_add(line, "%s", run_compute_name(record->compute));
}

static void add_nll(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->result.nll);
}

static void add_nll_error(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->result.nll_error);
}

static void add_perplexity(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->result.perplexity);
}

static void add_perplexity_error(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->result.perplexity_error);
}

static void add_perplexity_windows(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->result.perplexity_windows);
}

static void add_against(struct text *line, const struct evaluation_record *record) {
    csv_add_string(line, record->against);
}

/* What compares is left empty where nothing was compared. */
static void add_compared(struct text *line, const struct evaluation_record *record, double value) {
    csv_add_number(line, record->against[0] != '\0' ? value : NAN);
}

static void add_dense_perplexity(struct text *line, const struct evaluation_record *record) {
    add_compared(line, record, record->result.perplexity - record->result.delta_perplexity);
}

static void add_delta_perplexity(struct text *line, const struct evaluation_record *record) {
    add_compared(line, record, record->result.delta_perplexity);
}

static void add_kl(struct text *line, const struct evaluation_record *record) {
    add_compared(line, record, record->result.kl);
}

static void add_agreement(struct text *line, const struct evaluation_record *record) {
    add_compared(line, record, record->result.agreement);
}

static void add_sparsity(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->sparsity);
}

static void add_verified(struct text *line, const struct evaluation_record *record) {
    text_add(line, record->verified ? "yes" : "no");
}

static void add_seconds(struct text *line, const struct evaluation_record *record) {
    csv_add_number(line, record->seconds);
}

static void add_formula(struct text *line, const struct evaluation_record *record) {
    (void)record;
    csv_add_string(line, EVALUATION_FORMULA);
}

static const struct {
    const char *name, *help;
    void (*add)(struct text *line, const struct evaluation_record *record);
} columns[] = {
    {"model", "what was measured", add_model},
    {"source", "the text", add_source},
    {"windows", "number of windows", add_windows},
    {"length", "tokens in a window: the context", add_length},
    {"tokens", "predictions counted", add_tokens},
    {"bos", "where the beginning-of-text token stands", add_bos},
    {"corpus", "XXH3-64 of the token ids", add_corpus},
    {"compute", "arithmetic of the forward pass", add_compute},
    {"nll", "mean negative log-likelihood over all tokens, nats", add_nll},
    {"nll_error", "its standard error", add_nll_error},
    {"perplexity", "exp(nll)", add_perplexity},
    {"perplexity_error", "its standard error", add_perplexity_error},
    {"perplexity_windows", "exp(mean of the windows' means)", add_perplexity_windows},
    {"against", "the dense model compared with", add_against},
    {"dense_perplexity", "of the dense model", add_dense_perplexity},
    {"delta_perplexity", "perplexity - dense_perplexity", add_delta_perplexity},
    {"kl", "KL(dense || this), nats per token", add_kl},
    {"agreement", "share of tokens with the same most likely next token", add_agreement},
    {"sparsity", "of the prunable weights, where the plan was applied", add_sparsity},
    {"verified", "whether the family was compared with the reference implementation", add_verified},
    {"seconds", "taken", add_seconds},
    {"formula", "of the perplexity", add_formula},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

void report_evaluations_heading(struct text *output) {
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        text_add(output, i > 0 ? ",%s" : "%s", columns[i].name);
    text_add(output, "\n");
}

void report_evaluations_row(struct text *output, const struct evaluation_record *record) {
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (i > 0)
            text_add(output, ",");
        columns[i].add(output, record);
    }
    text_add(output, "\n");
}

void report_evaluations(struct text *output, struct workbench *workbench) {
    report_evaluations_heading(output);
    (void)pthread_mutex_lock(&workbench->mutex);
    for (size_t i = 0; i < workbench->evaluation_count; i++)
        report_evaluations_row(output, &workbench->evaluations[i]);
    (void)pthread_mutex_unlock(&workbench->mutex);
}

void report_evaluations_manual(struct text *output) {
    text_add(output, ".SS evaluations.csv, and eval \\-\\-csv\nOne row for each evaluation.\n");
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        text_add(output, ".TP\n.B %s\n%s\n", columns[i].name, columns[i].help);
}
