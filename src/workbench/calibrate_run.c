#include "workbench/calibrate_run.h"

#include "base/memory.h"
#include "engine/stream.h"
#include "workbench/calibrate_more.h"
#include "workbench/calibration_cache.h"
#include "workbench/imatrix_source.h"
#include "workbench/knowledge.h"
#include "workbench/run_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void calibrate_settings_free(struct calibrate_settings *settings) {
    memory_free(settings->source);
    memory_free(settings->paths.hessian);
    memory_free(settings->paths.scaler);
    memory_free(settings->paths.inputs);
    memory_free(settings->paths.imatrix);
    memset(settings, 0, sizeof *settings);
}

struct calibrate_run *calibrate_run_create(struct workbench *workbench, const struct calibrate_settings *settings,
                                           struct error *error) {
    struct calibrate_settings owned = *settings;
    struct calibrate_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL) {
        calibrate_settings_free(&owned);
        return NULL;
    }
    run->workbench = workbench;
    run->settings = owned;
    return run;
}

void calibrate_run_free(struct calibrate_run *run) {
    if (run == NULL)
        return;
    stream_close(run->stream);
    corpus_close(&run->corpus);
    imatrix_free(&run->imatrix);
    calibrate_output_abort(&run->output);
    calibrate_settings_free(&run->settings);
    memory_free(run->last);
    text_free(&run->said);
    memory_free(run);
}

/* ---- memory ---- */

static uint64_t block_bytes(const struct model *model, bool full) {
    uint64_t most = 0;
    for (size_t i = 0; i < model->block_count; i++) {
        uint64_t bytes = gathering_bytes(model, (int64_t)i, full) + findings_bytes(model, (int64_t)i);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static uint64_t last_bytes(const struct calibrate_run *run) {
    const struct model *model = run->workbench->model;
    return (model->block_count + 1) * run->corpus.windows * (uint64_t)model->architecture.hidden * sizeof(float);
}

/* Decides on full Hessians by the limit, and says what will be used. What does not fit without them may still spill
 * its states to disk. */
static bool plan_memory(struct calibrate_run *run, struct stream_options *options, struct error *error) {
    const struct model *model = run->workbench->model;
    uint64_t states;
    uint64_t limit = memory_limit();
    char have[TEXT_NUMBER_SIZE];
    char need[TEXT_NUMBER_SIZE];
    uint64_t stream = stream_memory(&states, model, run->corpus.windows, run->corpus.length, options);
    uint64_t fixed = stream - states + last_bytes(run);
    run->full = run->settings.hessian != HESSIAN_NO && !run->settings.more;
    if (limit > 0 && run->settings.hessian == HESSIAN_AUTO && fixed + block_bytes(model, true) > limit)
        run->full = false;
    run->bytes = fixed + block_bytes(model, run->full);
    if (limit > 0 && run->bytes > limit)
        return error_set(error, ERROR_MEMORY, "calibration needs %s besides the hidden states; --memory allows %s%s",
                         text_bytes(need, (double)run->bytes), text_bytes(have, (double)limit),
                         run->full ? " (hessian=no needs less)" : "");
    if (limit > 0)
        options->states_memory = limit - run->bytes > 0 ? limit - run->bytes : 1;
    run->bytes += limit > 0 && states > options->states_memory ? options->states_memory : states;
    job_log(run->workbench->jobs, "%s of working memory, %s Hessians%s", text_bytes(need, (double)run->bytes),
            run->full ? "with full" : "without full", options->states_bf16 ? ", hidden states in bf16" : "");
    return true;
}

/* ---- what goes before the first block ---- */

/* Stands for all that decides what is found: text, windows, Hessians, methods, arithmetic. */
static uint64_t find_key(const struct calibrate_run *run) {
    struct text all = {0};
    text_add(&all, "%llu %zu %zu %d %d%s", (unsigned long long)run->corpus.hash, run->corpus.windows,
             run->corpus.length, run->full, (int)run->settings.compute,
             run->workbench->settings.states_bf16 ? " states bf16" : "");
    for (size_t i = 0; i < run->settings.findings.method_count; i++)
        text_add(&all, " %s", run->settings.findings.names[i]);
    uint64_t key = all.failed ? 0 : XXH3_64bits(all.data, all.length);
    text_free(&all);
    return key;
}

static bool wants_files(const struct calibrate_run *run) {
    const struct calibrate_paths *paths = &run->settings.paths;
    return paths->hessian != NULL || paths->scaler != NULL || paths->inputs != NULL || paths->imatrix != NULL;
}

static bool by_imatrix(const struct calibrate_run *run) {
    return run->imatrix.count > 0;
}

static void describe_source(struct text *text, const struct calibrate_run *run) {
    if (by_imatrix(run))
        imatrix_describe(text, run->settings.source, &run->imatrix);
    else
        run_text_describe(text, &run->corpus);
}

static uint64_t count_tokens(const struct calibrate_run *run) {
    return by_imatrix(run) ? imatrix_tokens(&run->imatrix) : (uint64_t)run->corpus.windows * run->corpus.length;
}

static bool begin_knowledge(struct calibrate_run *run, struct error *error) {
    struct workbench *workbench = run->workbench;
    struct sensitivity *sensitivity = sensitivity_create(workbench->model, error);
    if (sensitivity == NULL)
        return false;
    struct text source = {0};
    describe_source(&source, run);
    (void)snprintf(sensitivity->source, sizeof sensitivity->source, "%s", text_string(&source));
    text_free(&source);
    sensitivity->corpus_hash = run->corpus.hash;
    sensitivity->tokens = count_tokens(run);
    sensitivity->key = find_key(run);
    for (size_t i = 0; workbench->sensitivity != NULL && i < workbench->model->matrix_count; i++)
        sensitivity->matrices[i].hill = workbench->sensitivity->matrices[i].hill; /* of the weights alone */
    return knowledge_replace(workbench, sensitivity, error);
}

static void set_total(const struct calibrate_run *run, struct progress *progress) {
    const struct model *model = run->workbench->model;
    uint64_t total = by_imatrix(run) ? 0 : stream_work(run->stream);
    for (size_t i = 0; i < model->block_count; i++)
        total += findings_work(model, (int64_t)i, run->full, &run->settings.findings);
    atomic_store(&progress->total, total);
}

static bool open_text(struct calibrate_run *run, struct stream_options *options, struct error *error) {
    options->compute = run->settings.compute;
    options->states_bf16 = run->workbench->settings.states_bf16;
    job_stage(run->workbench->jobs, "reading the text");
    return run_text_open(&run->corpus, run->workbench->model, run->settings.source, &run->settings.corpus, error) &&
           plan_memory(run, options, error);
}

static bool open_run(struct calibrate_run *run, const struct stream_options *options, struct progress *progress,
                     struct error *error) {
    const struct model *model = run->workbench->model;
    const struct calibrate_settings *settings = &run->settings;
    if (!calibrate_output_open(&run->output, model, &settings->paths, settings->by_sequences, error) ||
        !calibrate_output_name(&run->output, settings->source, run->corpus.windows, run->corpus.length, error))
        return false;
    run->last = memory_alloc((size_t)last_bytes(run) / sizeof(float), sizeof(float), error);
    if (run->last != NULL)
        run->stream = stream_open(model, run->corpus.ids, run->corpus.mask, run->corpus.windows, run->corpus.length,
                                  options, error);
    if (run->stream == NULL)
        return false;
    set_total(run, progress);
    return run->continued || run->settings.more || begin_knowledge(run, error);
}

/* The last state of each window as the first block sees it. */
static bool keep_embedded(struct calibrate_run *run, struct error *error) {
    size_t hidden = (size_t)run->workbench->model->architecture.hidden;
    size_t length = run->corpus.length;
    float *window = memory_alloc(length * hidden, sizeof *window, error);
    bool ok = window != NULL;
    for (size_t i = 0; ok && i < run->corpus.windows; i++) {
        ok = stream_read(window, run->stream, i, 1, error);
        if (ok)
            memcpy(run->last + i * hidden, window + (length - 1) * hidden, hidden * sizeof *window);
    }
    memory_free(window);
    return ok;
}

/* ---- a block ---- */

static size_t state_size(const struct calibrate_run *run) {
    return run->corpus.windows * (size_t)run->workbench->model->architecture.hidden;
}

/* Distances of spans that end with this block; an importance matrix knows none. */
static void find_distances(struct calibrate_run *run, double *distances, size_t block) {
    size_t size = state_size(run);
    for (size_t first = 0; first <= block; first++)
        distances[first] =
            by_imatrix(run) ? NAN
                            : angular_distance(run->last + first * size, run->last + (block + 1) * size,
                                               run->corpus.windows, (size_t)run->workbench->model->architecture.hidden);
}

static bool publish_block(struct calibrate_run *run, struct findings *findings, struct error *error) {
    struct workbench *workbench = run->workbench;
    size_t blocks = workbench->model->block_count;
    size_t block = (size_t)findings->block;
    double *distances = memory_alloc(blocks, sizeof *distances, error);
    if (distances == NULL)
        return false;
    find_distances(run, distances, block);
    (void)pthread_mutex_lock(&workbench->mutex);
    findings_publish(workbench->sensitivity, findings);
    for (size_t first = 0; first <= block && !run->settings.more; first++)
        workbench->sensitivity->distances[first * blocks + block] = distances[first];
    workbench->knowledge++;
    (void)pthread_mutex_unlock(&workbench->mutex);
    memory_free(distances);
    job_changed(workbench->jobs);
    run->finished++;
    calibration_cache_keep(workbench);
    return true;
}

static bool study_block(struct calibrate_run *run, struct gathering *gathering, struct progress *progress,
                        struct error *error) {
    struct findings findings = {0};
    const struct sensitivity *known = run->settings.more ? run->workbench->sensitivity : NULL;
    job_stage(run->workbench->jobs, "block %lld: curves and errors", (long long)gathering->block);
    if (known != NULL)
        calibrate_more_merge(gathering, known);
    bool ok = calibrate_output_block(&run->output, gathering, error) &&
              findings_make(&findings, gathering, &run->settings.findings, progress, error) &&
              (known == NULL || calibrate_more_keep(&findings, known, error));
    ok = ok && publish_block(run, &findings, error);
    findings_free(&findings);
    return ok;
}

/* Text through the block, or what the importance matrix says of it. */
static bool gather_block(struct calibrate_run *run, struct gathering *gathering, struct progress *progress,
                         struct error *error) {
    if (by_imatrix(run))
        return imatrix_gather(gathering, &run->imatrix, error) || error_prefix(error, "%s", run->settings.source);
    gathering->last = run->last + (size_t)(gathering->block + 1) * state_size(run);
    struct block_observer observer = calibrate_output_observer(&run->output, gathering_observer(gathering));
    return stream_pass(run->stream, &observer, true, progress, error);
}

/* An earlier run has finished this block: the text passes it, and only its last states are kept. */
static bool pass_block(struct calibrate_run *run, int64_t block, struct progress *progress, struct error *error) {
    struct gathering gathering = {
        .model = run->workbench->model, .block = block, .last = run->last + (size_t)(block + 1) * state_size(run)};
    struct block_observer observer = gathering_observer(&gathering);
    observer.input = NULL;
    job_stage(run->workbench->jobs, "block %lld was calibrated before", (long long)block);
    progress_add(progress, findings_work(run->workbench->model, block, run->full, &run->settings.findings));
    run->finished++;
    return stream_pass(run->stream, &observer, true, progress, error);
}

static bool run_block(struct calibrate_run *run, int64_t block, struct progress *progress, struct error *error) {
    const struct model *model = run->workbench->model;
    struct gathering gathering;
    if (run->continued && run->workbench->sensitivity->blocks[block].known)
        return pass_block(run, block, progress, error);
    job_stage(run->workbench->jobs, "block %lld", (long long)block);
    if (!gathering_create(&gathering, model, block, run->full, run->settings.compute == COMPUTE_BF16, error))
        return false;
    bool ok = gather_block(run, &gathering, progress, error) && study_block(run, &gathering, progress, error);
    gathering_free(&gathering);
    return ok;
}

/* ---- all of them ---- */

static void say_end(struct calibrate_run *run) {
    char bytes[TEXT_NUMBER_SIZE];
    char tokens[TEXT_NUMBER_SIZE];
    struct text source = {0};
    describe_source(&source, run);
    text_add(&run->said, "calibrated on %s tokens: %s; %s of working memory, %s\n",
             text_count(tokens, (double)count_tokens(run)), text_string(&source), text_bytes(bytes, (double)run->bytes),
             run->full ? "errors from full Hessians" : "errors estimated from diagonals");
    text_free(&source);
}

static bool run_blocks(struct calibrate_run *run, struct progress *progress, struct error *error) {
    bool ok = by_imatrix(run) || (stream_pass(run->stream, NULL, true, progress, error) && keep_embedded(run, error));
    for (size_t block = 0; ok && block < run->workbench->model->block_count; block++)
        ok = run_block(run, (int64_t)block, progress, error);
    return ok && calibrate_output_commit(&run->output, error);
}

/* What could not be kept is no failure of the calibration. */
static void keep(struct calibrate_run *run) {
    struct error error = {0};
    if (!calibration_cache_save(run->workbench, &error))
        text_add(&run->said, "the calibration could not be kept for later: %s\n", error.text);
}

/* ---- an importance matrix in place of text ---- */

static bool check_wishes(const struct calibrate_run *run, struct error *error) {
    const struct calibrate_settings *settings = &run->settings;
    const char *wish = settings->paths.inputs != NULL     ? "inputs=FILE"
                       : settings->paths.hessian != NULL  ? "hessian=FILE"
                       : settings->hessian == HESSIAN_YES ? "full=yes"
                                                          : NULL;
    return wish == NULL ||
           error_set(error, ERROR_USAGE, "%s needs text: %s holds the sums of squares alone", wish, settings->source);
}

static uint64_t memory_for_imatrix(const struct calibrate_run *run) {
    return imatrix_bytes(&run->imatrix) + block_bytes(run->workbench->model, false);
}

static bool open_imatrix(struct calibrate_run *run, struct progress *progress, struct error *error) {
    const struct calibrate_settings *settings = &run->settings;
    if (!check_wishes(run, error) || !imatrix_read(&run->imatrix, settings->source, error))
        return false;
    run->corpus.hash = imatrix_hash(&run->imatrix);
    run->bytes = memory_for_imatrix(run);
    if (!calibrate_output_open(&run->output, run->workbench->model, &settings->paths, settings->by_sequences, error) ||
        !calibrate_output_name(&run->output, settings->source, (size_t)run->imatrix.chunks, (size_t)run->imatrix.chunk,
                               error))
        return false;
    set_total(run, progress);
    return begin_knowledge(run, error);
}

/* ---- what an earlier run has found ---- */

static size_t count_known(const struct sensitivity *sensitivity) {
    size_t known = 0;
    for (size_t b = 0; b < sensitivity->model->block_count; b++)
        known += sensitivity->blocks[b].known;
    return known;
}

/* From the cache; *all: nothing is left to do. */
static void take_earlier(struct calibrate_run *run, bool *all) {
    struct workbench *workbench = run->workbench;
    size_t blocks = workbench->model->block_count;
    *all = false;
    if (run->settings.fresh || run->settings.more || wants_files(run) ||
        !calibration_cache_load(workbench, find_key(run)))
        return;
    size_t known = count_known(workbench->sensitivity);
    *all = known == blocks;
    run->continued = !*all;
    if (*all)
        text_add(&run->said, "calibrated before on %s: loaded from the cache (fresh runs it again)\n",
                 workbench->sensitivity->source);
    else
        text_add(&run->said, "%zu of %zu blocks were calibrated before: went on behind them\n", known, blocks);
}

/* ---- more text ---- */

static bool begin_more(struct calibrate_run *run, struct error *error) {
    struct sensitivity *sensitivity = run->workbench->sensitivity;
    if (!calibrate_more_check(sensitivity, run->corpus.hash, error))
        return false;
    run->settings.findings.method_count = 0;
    run->settings.findings.spectrum = false;
    return true;
}

/* While only some blocks hold the added text, nothing may be kept under a key. Returns the key until then. */
static uint64_t hold_key(struct workbench *workbench) {
    uint64_t key = workbench->sensitivity->key;
    workbench->sensitivity->key = 0;
    return key;
}

static void end_more(struct calibrate_run *run, uint64_t key) {
    struct sensitivity *sensitivity = run->workbench->sensitivity;
    struct text source = {0};
    text_add(&source, "%s; and ", sensitivity->source);
    describe_source(&source, run);
    (void)pthread_mutex_lock(&run->workbench->mutex);
    (void)snprintf(sensitivity->source, sizeof sensitivity->source, "%s", text_string(&source));
    sensitivity->tokens += count_tokens(run);
    sensitivity->corpus_hash = run->corpus.hash;
    sensitivity->key = XXH3_64bits_withSeed(&key, sizeof key, find_key(run));
    (void)pthread_mutex_unlock(&run->workbench->mutex);
    text_free(&source);
    text_add(&run->said, "added to what was known; " CALIBRATE_MORE_KEPT "\n");
}

/* ---- the run ---- */

static bool finish(struct calibrate_run *run, bool ok, struct error *error) {
    size_t blocks = run->workbench->model->block_count;
    if (ok)
        say_end(run);
    if (ok || run->finished > 0)
        keep(run);
    if (ok || error->code != ERROR_CANCELLED)
        return ok;
    return run->settings.more
               ? error_set(error, ERROR_CANCELLED,
                           "cancelled: %zu of %zu blocks hold the added text; calibrate again for all alike",
                           run->finished, blocks)
               : error_set(error, ERROR_CANCELLED,
                           "cancelled: %zu of %zu blocks are calibrated; the same command goes on behind them",
                           run->finished, blocks);
}

static bool run_more(struct calibrate_run *run, const struct stream_options *options, struct progress *progress,
                     struct error *error) {
    if (!begin_more(run, error))
        return false;
    uint64_t key = hold_key(run->workbench);
    bool ok = open_run(run, options, progress, error) && run_blocks(run, progress, error);
    if (ok)
        end_more(run, key);
    else if (run->finished == 0)
        run->workbench->sensitivity->key = key;
    return finish(run, ok, error);
}

static bool run_text(struct calibrate_run *run, struct progress *progress, struct error *error) {
    struct stream_options options = {0};
    bool all;
    if (!open_text(run, &options, error))
        return false;
    if (run->settings.more)
        return run_more(run, &options, progress, error);
    take_earlier(run, &all);
    return all || finish(run, open_run(run, &options, progress, error) && run_blocks(run, progress, error), error);
}

bool calibrate_run_work(struct calibrate_run *run, struct progress *progress, struct error *error) {
    if (!imatrix_recognise(run->settings.source))
        return run_text(run, progress, error);
    if (run->settings.more)
        return error_set(error, ERROR_USAGE, "more=yes adds text, and %s is an importance matrix",
                         run->settings.source);
    return finish(run, open_imatrix(run, progress, error) && run_blocks(run, progress, error), error);
}

bool calibrate_run_source(struct workbench *workbench, const char *source, struct progress *progress,
                          struct error *error) {
    struct calibrate_settings settings = {.hessian = HESSIAN_AUTO,
                                          .compute = run_compute(&workbench->settings, workbench->model, false)};
    settings.source = memory_copy_string(source, error);
    if (settings.source == NULL)
        return false;
    struct calibrate_run *calibration = calibrate_run_create(workbench, &settings, error);
    bool ok = calibration != NULL && calibrate_run_work(calibration, progress, error);
    calibrate_run_free(calibration);
    return ok;
}
