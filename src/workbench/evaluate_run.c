#include "workbench/evaluate_run.h"

#include "base/file.h"
#include "base/memory.h"
#include "workbench/evaluate_output.h"
#include "workbench/forecast_record.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Hidden states above this go to a file where the user has set no limit. */
#define DEFAULT_STATES_MEMORY ((uint64_t)1 << 30)

void evaluate_settings_free(struct evaluate_settings *settings) {
    memory_free(settings->source);
    memory_free(settings->against);
    memory_free(settings->mask);
    memory_free(settings->logits);
    memory_free(settings->hidden);
    memory_free(settings->losses);
    memset(settings, 0, sizeof *settings);
}

struct evaluate_run *evaluate_run_create(struct workbench *workbench, struct evaluate_settings *settings,
                                         struct error *error) {
    struct evaluate_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL) {
        evaluate_settings_free(settings);
        return NULL;
    }
    run->workbench = workbench;
    run->settings = *settings;
    memset(settings, 0, sizeof *settings);
    return run;
}

void evaluate_run_free(struct evaluate_run *run) {
    if (run == NULL)
        return;
    stream_close(run->stream);
    stream_close(run->dense_stream);
    model_close(run->dense);
    corpus_close(&run->corpus);
    evaluate_settings_free(&run->settings);
    memory_free(run);
}

/* ---- opening ---- */

static bool check_runs(const struct model *model, struct error *error) {
    if (model->architecture_known)
        return true;
    if (error != NULL)
        *error = model->architecture_error;
    return false;
}

static bool check_same_text(const struct model *model, const struct model *dense, struct error *error) {
    if (model->architecture.vocabulary == dense->architecture.vocabulary)
        return true;
    return error_set(error, ERROR_USAGE,
                     "%s has a vocabulary of %lld, %s one of %lld: only models of one vocabulary can be compared",
                     model->name, (long long)model->architecture.vocabulary, dense->name,
                     (long long)dense->architecture.vocabulary);
}

static bool open_dense(struct evaluate_run *run, struct error *error) {
    if (run->settings.against == NULL)
        return true;
    run->dense = model_open(run->settings.against, error);
    return run->dense != NULL && check_runs(run->dense, error) &&
           check_same_text(run->workbench->model, run->dense, error);
}

static bool open_text(struct evaluate_run *run, struct error *error) {
    struct corpus_options options = {.cut = CORPUS_SEQUENTIAL,
                                     .bos = run->settings.bos,
                                     .windows = run->settings.windows,
                                     .length = run->settings.length};
    return run_text_open(&run->corpus, run->workbench->model, run->settings.source, &options, error) &&
           (run->settings.mask == NULL || corpus_read_mask(&run->corpus, run->settings.mask, error));
}

/* ---- memory ---- */

/* What all streams take besides hidden states, and the hidden states of all of them. */
static uint64_t memory_needed(uint64_t *states, const struct evaluate_run *run) {
    const struct model *models[] = {run->workbench->model, run->dense};
    uint64_t rest = 0;
    *states = 0;
    for (size_t i = 0; i < 2 && models[i] != NULL; i++) {
        uint64_t part;
        rest += stream_memory(&part, models[i], run->corpus.windows, run->corpus.length, &run->options);
        rest -= part;
        *states += part;
    }
    return rest;
}

/* Hidden states get what the limit leaves; the rest of them goes to a file. */
static bool divide_memory(struct evaluate_run *run, struct error *error) {
    uint64_t states;
    uint64_t limit = run->workbench->settings.memory;
    run->options =
        (struct stream_options){.compute = run->settings.compute, .states_bf16 = run->workbench->settings.states_bf16};
    uint64_t rest = memory_needed(&states, run);
    if (limit != 0 && rest >= limit) {
        char needed[TEXT_NUMBER_SIZE];
        char allowed[TEXT_NUMBER_SIZE];
        return error_set(error, ERROR_MEMORY,
                         "evaluating takes %s of working memory besides the hidden states; --memory allows %s",
                         text_bytes(needed, (double)rest), text_bytes(allowed, (double)limit));
    }
    uint64_t room = limit != 0 ? limit - rest : DEFAULT_STATES_MEMORY;
    if (states > room)
        run->options.states_memory = (room + 1) / (run->dense != NULL ? 2 : 1);
    run->record.states_bf16 = run->options.states_bf16;
    run->record.memory = rest + (states < room ? states : room);
    return true;
}

static void state_memory(const struct evaluate_run *run) {
    char memory[TEXT_NUMBER_SIZE];
    job_log(run->workbench->jobs, "eval: %s of working memory%s%s", text_bytes(memory, (double)run->record.memory),
            run->options.states_bf16 ? ", hidden states in bf16" : "",
            run->options.states_memory > 0 ? "; hidden states that do not fit lie in a temporary file" : "");
}

static struct stream *open_stream(const struct evaluate_run *run, const struct model *model, struct error *error) {
    return stream_open(model, run->corpus.ids, run->corpus.mask, run->corpus.windows, run->corpus.length, &run->options,
                       error);
}

static bool open_streams(struct evaluate_run *run, struct error *error) {
    run->stream = open_stream(run, run->workbench->model, error);
    if (run->stream == NULL)
        return false;
    if (run->dense != NULL)
        run->dense_stream = open_stream(run, run->dense, error);
    return run->dense == NULL || run->dense_stream != NULL;
}

/* ---- running ---- */

static void set_total(const struct evaluate_run *run, struct progress *progress) {
    uint64_t total = evaluate_work(run->stream);
    if (run->dense_stream != NULL)
        total += evaluate_work(run->dense_stream);
    if (run->settings.logits != NULL)
        total += loss_work(run->stream, run->corpus.windows);
    atomic_store(&progress->total, total);
}

/* All passes of a stream; the states after each go to `hidden` where it is given. */
static bool run_passes(const struct evaluate_run *run, struct stream *stream, struct npy_writer *hidden,
                       struct progress *progress, struct error *error) {
    const struct model *model = stream_model(stream);
    bool ok = true;
    while (ok && stream_next(stream) < (int64_t)model->block_count) {
        if (stream_next(stream) < 0)
            job_stage(run->workbench->jobs, "%s: embedding", model->name);
        else
            job_stage(run->workbench->jobs, "%s: block %lld of %zu", model->name, (long long)stream_next(stream),
                      model->block_count);
        ok = stream_pass(stream, NULL, true, progress, error) &&
             (hidden == NULL || hidden_output_add(hidden, stream, error));
    }
    return ok;
}

static bool run_with_hidden(const struct evaluate_run *run, struct progress *progress, struct error *error) {
    struct npy_writer hidden;
    if (!hidden_output_open(&hidden, run->settings.hidden, run->stream, error))
        return false;
    if (run_passes(run, run->stream, &hidden, progress, error))
        return npy_writer_commit(&hidden, error);
    npy_writer_abort(&hidden);
    return false;
}

static bool run_blocks(const struct evaluate_run *run, struct progress *progress, struct error *error) {
    bool ok = run->settings.hidden != NULL ? run_with_hidden(run, progress, error)
                                           : run_passes(run, run->stream, NULL, progress, error);
    return ok && (run->dense_stream == NULL || run_passes(run, run->dense_stream, NULL, progress, error));
}

static bool take_losses(void *context, size_t window, const struct prediction *predictions, size_t length,
                        struct error *error) {
    (void)window;
    return losses_output_add(context, predictions, length, error);
}

static bool measure(struct evaluate_run *run, struct npy_writer *losses, struct progress *progress,
                    struct error *error) {
    const struct evaluation_sink sink = {.context = losses, .window = take_losses};
    const struct evaluation_sink *used = losses != NULL ? &sink : NULL;
    struct evaluation *result = &run->record.result;
    job_stage(run->workbench->jobs, "predictions");
    if (run->dense_stream != NULL)
        return evaluate_against(result, run->stream, run->dense_stream, used, progress, error);
    return evaluate(result, run->stream, used, progress, error);
}

static bool measure_with_losses(struct evaluate_run *run, struct progress *progress, struct error *error) {
    struct npy_writer losses;
    if (!losses_output_open(&losses, run->settings.losses, run->stream, error))
        return false;
    if (measure(run, &losses, progress, error))
        return npy_writer_commit(&losses, error);
    npy_writer_abort(&losses);
    return false;
}

static bool run_streams(struct evaluate_run *run, struct progress *progress, struct error *error) {
    set_total(run, progress);
    return run_blocks(run, progress, error) &&
           (run->settings.losses != NULL ? measure_with_losses(run, progress, error)
                                         : measure(run, NULL, progress, error)) &&
           (run->settings.logits == NULL || logits_output_write(run->settings.logits, run->stream, progress, error));
}

static void fill_record(struct evaluate_run *run) {
    struct evaluation_record *record = &run->record;
    const struct model *model = run->workbench->model;
    (void)snprintf(record->model, sizeof record->model, "%s", model->name);
    (void)snprintf(record->against, sizeof record->against, "%s", run->dense != NULL ? run->dense->name : "");
    (void)snprintf(record->source, sizeof record->source, "%s", file_name(run->corpus.name));
    record->sparsity = NAN;
    record->length = run->corpus.length;
    record->bos = run->corpus.bos;
    record->hash = run->corpus.hash;
    record->compute = run->settings.compute;
    record->padded = run->corpus.mask != NULL;
    record->verified = model->architecture.verified;
}

bool evaluate_run_work(struct evaluate_run *run, struct progress *progress, struct error *error) {
    double begun = progress_clock();
    job_stage(run->workbench->jobs, "reading %s", run->settings.source);
    bool ok = check_runs(run->workbench->model, error) && open_dense(run, error) && open_text(run, error) &&
              divide_memory(run, error);
    if (!ok)
        return false;
    state_memory(run);
    if (!open_streams(run, error) || !run_streams(run, progress, error))
        return false;
    fill_record(run);
    run->record.seconds = progress_clock() - begun;
    forecast_record_measured(run->workbench, &run->record);
    return evaluation_record_add(run->workbench, &run->record, error);
}
