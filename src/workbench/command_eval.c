/* The command that measures a model on a text. */
#include "base/memory.h"
#include "workbench/commands.h"
#include "workbench/run_text.h"
#include "workbench/evaluate_run.h"
#include "workbench/report_evaluations.h"
#include <stdio.h>

enum {
    EVAL_SOURCE,
    EVAL_WINDOWS,
    EVAL_LENGTH,
    EVAL_BOS,
    EVAL_AGAINST,
    EVAL_COMPUTE,
    EVAL_LOGITS,
    EVAL_HIDDEN,
    EVAL_NLL,
    EVAL_MASK
};

/* In the order of enum corpus_bos. */
static const char *const bos_choices[] = {"auto", "none", "document", "window", NULL};

static const struct argument arguments[] = {
    [EVAL_SOURCE] = {.name = "source",
                     .kind = ARGUMENT_PATH,
                     .positional = true,
                     .required = true,
                     .help = "a text file, a folder of texts, a .jsonl, or a .npy of token ids [windows, length]"},
    [EVAL_WINDOWS] = {.name = "windows",
                      .kind = ARGUMENT_INTEGER,
                      .fallback = "0",
                      .low = 0,
                      .high = 1000000000,
                      .help = "how many windows; 0: all there are"},
    [EVAL_LENGTH] = {.name = "length",
                     .kind = ARGUMENT_INTEGER,
                     .fallback = "0",
                     .low = 0,
                     .high = 100000000,
                     .help = "tokens in a window; 0: 2048 or the model's position limit"},
    [EVAL_BOS] = {.name = "bos",
                  .kind = ARGUMENT_CHOICE,
                  .fallback = "auto",
                  .choices = bos_choices,
                  .help = "where the beginning-of-text token stands"},
    [EVAL_AGAINST] = {.name = "against", .kind = ARGUMENT_PATH, .help = "a dense model to compare with"},
    [EVAL_COMPUTE] = {.name = "compute",
                      .kind = ARGUMENT_CHOICE,
                      .choices = run_compute_choices,
                      .help = "arithmetic; auto is f32 here"},
    [EVAL_LOGITS] = {.name = "logits", .kind = ARGUMENT_PATH, .help = "write them: .npy [windows, length, vocabulary]"},
    [EVAL_HIDDEN] = {.name = "hidden",
                     .kind = ARGUMENT_PATH,
                     .help = "write the blocks' inputs and the last one's output: .npy [blocks + 1, windows, length, "
                             "hidden]"},
    [EVAL_NLL] = {.name = "nll",
                  .kind = ARGUMENT_PATH,
                  .help = "write -ln p of every next token: .npy [windows, length - 1]"},
    [EVAL_MASK] = {.name = "mask",
                   .kind = ARGUMENT_PATH,
                   .help = "a .npy [windows, length] that is 0 where a token is padding"},
};

static bool copy_path(char **copy, const struct value *value, struct error *error) {
    return value->text == NULL || (*copy = memory_copy_string(value->text, error)) != NULL;
}

static bool take_settings(struct evaluate_settings *settings, const struct workbench *workbench,
                          const struct value *values, struct error *error) {
    settings->windows = values[EVAL_WINDOWS].integer;
    settings->length = values[EVAL_LENGTH].integer;
    settings->bos = (enum corpus_bos)values[EVAL_BOS].integer;
    settings->compute = run_compute_argument(workbench, &values[EVAL_COMPUTE], true);
    bool ok = copy_path(&settings->source, &values[EVAL_SOURCE], error) &&
              copy_path(&settings->against, &values[EVAL_AGAINST], error) &&
              copy_path(&settings->mask, &values[EVAL_MASK], error) &&
              copy_path(&settings->logits, &values[EVAL_LOGITS], error) &&
              copy_path(&settings->hidden, &values[EVAL_HIDDEN], error) &&
              copy_path(&settings->losses, &values[EVAL_NLL], error);
    if (!ok)
        evaluate_settings_free(settings);
    return ok;
}

static bool work(void *context, struct progress *progress, struct error *error) {
    return evaluate_run_work(context, progress, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct evaluate_run *run = context;
    struct text *results = &run->workbench->results;
    (void)error;
    if (ok && run->workbench->settings.csv) {
        report_evaluations_heading(results);
        report_evaluations_row(results, &run->record);
    } else if (ok) {
        evaluation_record_say(results, &run->record);
    }
    evaluate_run_free(run);
}

static bool run_eval(struct workbench *workbench, const struct value *values, struct text *output,
                     struct error *error) {
    struct evaluate_settings settings = {0};
    (void)output;
    if (!take_settings(&settings, workbench, values, error))
        return false;
    struct evaluate_run *run = evaluate_run_create(workbench, &settings, error);
    if (run == NULL)
        return false;
    struct job_work job = {.name = "eval", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "evaluate on %s", run->settings.source);
    if (workbench_start(workbench, &job, error))
        return true;
    evaluate_run_free(run);
    return false;
}

const struct command eval_commands[] = {
    {"eval", NULL, "measure perplexity on a text, and how far the model strays from a dense one",
     "Cuts the text into windows that do not overlap and runs the model on them, a block at a time. Perplexity is "
     "exp(mean of -ln p(token | the tokens before it in its window)) over all predicted tokens; the mean over windows, "
     "which differs only with padding, is printed beside it. With against: KL divergence, top-1 agreement and the "
     "difference of perplexity. The working memory is stated and bounded by --memory: hidden states that do not fit "
     "lie in a temporary file.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB | COMMAND_SUBCOMMAND, run_eval},
};
const size_t eval_command_count = sizeof eval_commands / sizeof *eval_commands;
