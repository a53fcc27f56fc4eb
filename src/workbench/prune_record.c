/* What a run leaves behind: its fingerprint while it lasts, secateur.json and the figures at its end. */
#include "config.h"

#include "base/memory.h"
#include "workbench/forecast_record.h"
#include "workbench/csv.h"
#include "workbench/prune_run.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>

static const struct matrix *matrix_of(const struct prune_run *run, size_t index) {
    return &run->workbench->model->matrices[run->tasks[index].matrix];
}

/* A source that was changed between two runs is another source. */
static bool add_source(struct text *fingerprint, const struct checkpoint *checkpoint, struct error *error) {
    for (size_t i = 0; i < checkpoint->file_count; i++) {
        struct stat status;
        if (stat(checkpoint->files[i].map.path, &status) != 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot look at %s", checkpoint->files[i].map.path);
        text_add(fingerprint, "file %s %lld bytes, changed %lld.%09ld\n", checkpoint->files[i].name,
                 (long long)status.st_size, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return true;
}

/* Everything about calibration that decides the written weights. */
static void add_data(struct text *fingerprint, const struct prune_run *run) {
    const struct prune_settings *settings = &run->settings;
    const struct layer_options *layer = &settings->layer;
    if (settings->source == NULL)
        return;
    text_add(fingerprint,
             "text %s, %lld windows of %lld, seed %llu, sequence %d, compute %d, experts %d, bias %d, permute %d, "
             "rounds %d%s\n",
             settings->source, (long long)settings->corpus.windows, (long long)settings->corpus.length,
             (unsigned long long)settings->corpus.seed, (int)settings->sequence, (int)settings->compute,
             (int)settings->experts_dense, (int)settings->bias, (int)settings->permute, settings->rounds,
             run->workbench->settings.states_bf16 ? ", states bf16" : "");
    text_add(fingerprint, "damping %.17g, block %lld, bits %d, iterations %d\n", layer->damping,
             (long long)layer->block, layer->bits, layer->iterations);
}

bool prune_run_fingerprint(struct text *fingerprint, const struct prune_run *run, struct error *error) {
    char pattern[PATTERN_TEXT_SIZE];
    text_add(fingerprint, "secateur " VERSION "\n");
    if (!add_source(fingerprint, run->workbench->model->checkpoint, error))
        return false;
    text_add(fingerprint, "%s%s%s\n", run->settings.global ? "global " : "",
             run->settings.reference ? "reference " : "",
             run->settings.narrow ? dtype_info(run->settings.dtype)->name : "");
    add_data(fingerprint, run);
    for (size_t i = 0; i < run->count; i++)
        text_add(fingerprint, "%s %.17g %s %s\n", matrix_of(run, i)->name, run->tasks[i].sparsity,
                 pattern_text(pattern, run->tasks[i].pattern), run->tasks[i].method);
    return !fingerprint->failed || error_set(error, ERROR_MEMORY, "out of memory for the run's settings");
}

static json_t *record_json(const struct prune_run *run, size_t index) {
    const struct matrix *matrix = matrix_of(run, index);
    const struct prune_task *task = &run->tasks[index];
    const struct prune_record *record = &run->records[index];
    char pattern[PATTERN_TEXT_SIZE];
    json_t *json = json_pack("{s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:f}", "name", matrix->name, "method", task->method,
                             "pattern", run->settings.global ? "global" : pattern_text(pattern, task->pattern),
                             "target_sparsity", task->sparsity, "target_zeros", (json_int_t)task->planned, "zeros",
                             (json_int_t)record->zeros, "weights", (json_int_t)matrix->tensor->count, "sparsity",
                             (double)record->zeros / (double)matrix->tensor->count);
    if (record->resumed)
        (void)json_object_set_new(json, "resumed", json_true());
    else
        (void)json_object_set_new(json, "seconds", json_real(record->seconds));
    if (!isnan(record->error))
        (void)json_object_set_new(json, "relative_error", json_real(record->error));
    if (record->report.damping > 0)
        (void)json_object_set_new(json, "damping", json_real(record->report.damping));
    if (record->report.note[0] != '\0')
        (void)json_object_set_new(json, "note", json_string(record->report.note));
    return json;
}

char *prune_run_json(const struct prune_run *run, struct error *error) {
    const struct model *model = run->workbench->model;
    json_t *matrices = json_array();
    for (size_t i = 0; i < run->count; i++)
        (void)json_array_append_new(matrices, record_json(run, i));
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:s, s:o}", "program", "secateur", "version", VERSION, "source", model->name,
        "family", model->family_name, "reference_conventions", (int)run->settings.reference, "dtype",
        run->settings.narrow ? dtype_info(run->settings.dtype)->label : "as stored", "matrices", matrices);
    json_t *forecast = json != NULL ? forecast_record_json(run) : NULL;
    if (forecast != NULL)
        (void)json_object_set_new(json, "forecast", forecast);
    char *dumped = json != NULL ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    char *copy = dumped != NULL ? memory_copy_string(dumped, error) : NULL;
    if (dumped == NULL)
        (void)error_set(error, ERROR_MEMORY, "out of memory for secateur.json");
    free(dumped); /* jansson's own */
    return copy;
}

/* A number behind a comma, or nothing where it is not known. */
static void add_known(struct text *output, double value) {
    text_add(output, ",");
    if (!isnan(value))
        csv_add_number(output, value);
}

void prune_run_table(const struct prune_run *run, struct text *output) {
    char pattern[PATTERN_TEXT_SIZE];
    text_add(output,
             "name,method,pattern,target_sparsity,target_zeros,zeros,sparsity,damping,forecast_error,measured_error,"
             "seconds\n");
    for (size_t i = 0; i < run->count; i++) {
        csv_add_string(output, matrix_of(run, i)->name);
        text_add(output, ",%s,%s,", run->tasks[i].method,
                 run->settings.global ? "global" : pattern_text(pattern, run->tasks[i].pattern));
        csv_add_number(output, run->tasks[i].sparsity);
        text_add(output, ",%llu,%llu,", (unsigned long long)run->tasks[i].planned,
                 (unsigned long long)run->records[i].zeros);
        csv_add_number(output, (double)run->records[i].zeros / (double)matrix_of(run, i)->tensor->count);
        add_known(output, run->records[i].report.damping > 0 ? run->records[i].report.damping : NAN);
        add_known(output, run->records[i].forecast);
        add_known(output, run->records[i].error);
        text_add(output, ",%.3f\n", run->records[i].seconds);
    }
}

/* Mean over the matrices whose error was measured, and how a person can see what it means for the text. */
static void say_error(const struct prune_run *run, struct text *output) {
    double sum = 0;
    size_t measured = 0;
    for (size_t i = 0; i < run->count; i++)
        if (!isnan(run->records[i].error)) {
            sum += run->records[i].error;
            measured++;
        }
    if (measured > 0)
        text_add(output, "measured relative output error: %.4f in the mean over %zu matrices\n", sum / (double)measured,
                 measured);
    text_add(output, "what it did to the text: secateur eval %s TEXT --against %s\n", run->target,
             run->workbench->model->checkpoint->path);
}

static const char *note_of(const struct prune_run *run, size_t index) {
    return run->records[index].report.note;
}

/* A note that several matrices share is said once. */
static void say_notes(const struct prune_run *run, struct text *output) {
    for (size_t i = 0; i < run->count; i++) {
        size_t before = 0;
        size_t same = 0;
        for (size_t j = 0; note_of(run, i)[0] != '\0' && j < run->count; j++)
            if (strcmp(note_of(run, i), note_of(run, j)) == 0) {
                before += j < i;
                same++;
            }
        if (same == 1)
            text_add(output, "%s: %s\n", matrix_of(run, i)->name, note_of(run, i));
        else if (same > 1 && before == 0)
            text_add(output, "%s and %zu more: %s\n", matrix_of(run, i)->name, same - 1, note_of(run, i));
    }
}

void prune_run_say(const struct prune_run *run, struct text *output) {
    if (run->workbench->settings.csv) {
        prune_run_table(run, output);
        return;
    }
    uint64_t zeros = 0;
    uint64_t weights = 0;
    for (size_t i = 0; i < run->count; i++) {
        zeros += run->records[i].zeros;
        weights += matrix_of(run, i)->tensor->count;
    }
    say_notes(run, output);
    if (run->resumed > 0)
        text_add(output, "went on with an earlier run that had finished %zu tensors\n", run->resumed);
    text_add(output,
             "%s: %zu matrices pruned; %llu of their %llu weights are zero (%.3f %%), counted in the written files\n",
             run->target, run->count, (unsigned long long)zeros, (unsigned long long)weights,
             100 * (double)zeros / (double)weights);
    say_error(run, output);
}
