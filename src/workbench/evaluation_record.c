#include "workbench/evaluation_record.h"

#include "base/memory.h"
#include "workbench/run_text.h"

bool evaluation_record_add(struct workbench *workbench, const struct evaluation_record *record, struct error *error) {
    (void)pthread_mutex_lock(&workbench->mutex);
    bool ok = memory_grow(&workbench->evaluations, &workbench->evaluation_capacity, workbench->evaluation_count,
                          sizeof *record, error);
    if (ok) {
        workbench->evaluations[workbench->evaluation_count++] = *record;
        workbench->knowledge++;
    }
    (void)pthread_mutex_unlock(&workbench->mutex);
    return ok;
}

static void say_conditions(struct text *output, const struct evaluation_record *record) {
    char memory[TEXT_NUMBER_SIZE];
    char time[TEXT_NUMBER_SIZE];
    text_add(output, "%s on %s\n", record->model, record->source);
    text_add(output, "  %llu windows of %zu tokens, BOS %s%s, corpus %016llx, %s, working memory %s%s, %s\n",
             (unsigned long long)record->result.windows, record->length, corpus_bos_name(record->bos),
             record->padded ? ", padding masked" : "", (unsigned long long)record->hash,
             run_compute_name(record->compute), text_bytes(memory, (double)record->memory),
             record->states_bf16 ? " (hidden states in bf16)" : "", text_duration(time, record->seconds));
    if (!record->verified)
        text_add(output, "  not verified against a reference: this family's forward pass was checked by the program's "
                         "own tests only\n");
}

static void say_perplexity(struct text *output, const struct evaluation_record *record) {
    const struct evaluation *result = &record->result;
    text_add(output, "  perplexity %.4f +- %.4f, mean over all %llu predicted tokens: " EVALUATION_FORMULA "\n",
             result->perplexity, result->perplexity_error, (unsigned long long)result->tokens);
    text_add(output, "  perplexity %.4f, mean of windows: exp(mean of the windows' means)\n",
             result->perplexity_windows);
    text_add(output, "  loss %.6f +- %.6f nats per token; the standard error is from the spread of %s\n", result->nll,
             result->nll_error, result->windows > 1 ? "the windows' means" : "the tokens");
}

static void say_comparison(struct text *output, const struct evaluation_record *record) {
    const struct evaluation *result = &record->result;
    text_add(output, "  against %s:\n", record->against);
    text_add(output, "  dense perplexity %.4f, difference %+.4f (loss %+.6f nats per token)\n",
             result->perplexity - result->delta_perplexity, result->delta_perplexity, result->nll - result->dense_nll);
    text_add(output, "  KL(dense || this) %.6f nats per token, top-1 agreement %.2f %%\n", result->kl,
             100 * result->agreement);
}

void evaluation_record_say(struct text *output, const struct evaluation_record *record) {
    say_conditions(output, record);
    say_perplexity(output, record);
    if (record->against[0] != '\0')
        say_comparison(output, record);
}
