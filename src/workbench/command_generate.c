/* The command that lets a person see what the model writes. */
#include "base/memory.h"
#include "engine/generate.h"
#include "model/tokenizer.h"
#include "workbench/commands.h"
#include "workbench/run_text.h"
#include "workbench/workbench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GENERATE_PROMPT, GENERATE_TOKENS, GENERATE_GREEDY, GENERATE_SEED, GENERATE_TEMPERATURE, GENERATE_COMPUTE };

struct generate_run {
    struct workbench *workbench;
    struct tokenizer *tokenizer; /* NULL: the prompt and what is printed are ids */
    struct token_ids ids;        /* the prompt, then room for what comes */
    size_t count;                /* tokens to come */
    size_t come;
    struct generate_options options;
    struct text said;
};

static const struct argument arguments[] = {
    [GENERATE_PROMPT] = {.name = "prompt",
                         .kind = ARGUMENT_TEXT,
                         .positional = true,
                         .required = true,
                         .help = "the text to continue, in quotes; token ids where the model has no tokenizer"},
    [GENERATE_TOKENS] = {.name = "tokens",
                         .kind = ARGUMENT_INTEGER,
                         .fallback = "64",
                         .low = 1,
                         .high = 1000000,
                         .help = "how many to add at most"},
    [GENERATE_GREEDY] = {.name = "greedy", .kind = ARGUMENT_FLAG, .help = "always the most likely token"},
    [GENERATE_SEED] = {.name = "seed",
                       .kind = ARGUMENT_INTEGER,
                       .fallback = "0",
                       .low = 0,
                       .high = INT64_MAX,
                       .help = "of the random numbers"},
    [GENERATE_TEMPERATURE] = {.name = "temperature",
                              .kind = ARGUMENT_NUMBER,
                              .fallback = "1",
                              .help = "of the sampling: logits are divided by it"},
    [GENERATE_COMPUTE] = {.name = "compute",
                          .kind = ARGUMENT_CHOICE,
                          .choices = run_compute_choices,
                          .help = "arithmetic; auto is f32 here"},
};

static void free_run(struct generate_run *run) {
    token_ids_free(&run->ids);
    tokenizer_close(run->tokenizer);
    text_free(&run->said);
    memory_free(run);
}

/* ---- the prompt ---- */

static bool encode_prompt(struct generate_run *run, const char *prompt, struct error *error) {
    struct tokenizer_scratch *scratch = tokenizer_scratch_create(run->tokenizer, error);
    bool ok =
        scratch != NULL && tokenizer_encode(&run->ids, run->tokenizer, scratch, prompt, strlen(prompt), true, error);
    tokenizer_scratch_free(scratch);
    /* an end of text that the tokenizer adds would end it here */
    if (ok && run->ids.count > 0 && run->ids.data[run->ids.count - 1] == tokenizer_eos(run->tokenizer))
        run->ids.count--;
    return ok;
}

static bool read_id(struct generate_run *run, const char *word, char **behind, struct error *error) {
    long long id = strtoll(word, behind, 10);
    if (*behind == word)
        return error_set(error, ERROR_USAGE,
                         "the model has no tokenizer, so the prompt should be token ids (\"5 17 9\"), not \"%s\"",
                         word);
    if (id < 0 || id >= run->workbench->model->architecture.vocabulary)
        return error_set(error, ERROR_USAGE, "there is no token %lld: the model's vocabulary has %lld", id,
                         (long long)run->workbench->model->architecture.vocabulary);
    return token_ids_add(&run->ids, (int32_t)id, error);
}

static bool read_ids(struct generate_run *run, const char *prompt, struct error *error) {
    bool ok = true;
    for (const char *word = prompt + strspn(prompt, " ,"); ok && *word != '\0';) {
        char *behind;
        ok = read_id(run, word, &behind, error);
        word = ok ? behind + strspn(behind, " ,") : word;
    }
    return ok;
}

/* The prompt's ids, and room behind them. */
static bool take_prompt(struct generate_run *run, const char *prompt, struct error *error) {
    const char *folder = run->workbench->model->checkpoint->folder;
    if (tokenizer_present(folder) && (run->tokenizer = tokenizer_open(folder, error)) == NULL)
        return false;
    if (!(run->tokenizer != NULL ? encode_prompt : read_ids)(run, prompt, error))
        return false;
    if (run->ids.count == 0)
        return error_set(error, ERROR_USAGE, "the prompt has no token; give a word or two");
    int32_t *room = memory_resize(run->ids.data, run->ids.count + run->count, sizeof *room, error);
    if (room == NULL)
        return false;
    run->ids.data = room;
    run->ids.capacity = run->ids.count + run->count;
    return true;
}

static bool take_options(struct generate_run *run, const struct value *values, struct error *error) {
    bool greedy = values[GENERATE_GREEDY].integer != 0;
    double temperature = values[GENERATE_TEMPERATURE].number;
    if (greedy && (values[GENERATE_TEMPERATURE].given || values[GENERATE_SEED].given))
        return error_set(error, ERROR_USAGE, "greedy takes no chances: leave seed and temperature out");
    if (!greedy && !(temperature > 0 && isfinite(temperature)))
        return error_set(error, ERROR_USAGE, "the temperature should be above 0, not %g; greedy is the limit",
                         temperature);
    run->count = (size_t)values[GENERATE_TOKENS].integer;
    run->options =
        (struct generate_options){.compute = run_compute_argument(run->workbench, &values[GENERATE_COMPUTE], true),
                                  .temperature = greedy ? 0 : temperature,
                                  .seed = (uint64_t)values[GENERATE_SEED].integer,
                                  .stop = -1};
    return true;
}

/* ---- the job ---- */

static void count_token(void *context, int32_t id) {
    struct generate_run *run = context;
    (void)id;
    job_stage(run->workbench->jobs, "%zu of %zu tokens", ++run->come, run->count);
}

static bool say_text(struct generate_run *run, struct error *error) {
    if (run->tokenizer != NULL &&
        !tokenizer_decode(&run->said, run->tokenizer, run->ids.data, run->ids.count, false, error))
        return false;
    for (size_t i = 0; run->tokenizer == NULL && i < run->ids.count; i++)
        text_add(&run->said, i > 0 ? " %d" : "%d", (int)run->ids.data[i]);
    text_add(&run->said, "\n");
    return true;
}

static int64_t end_of_text(const struct generate_run *run) {
    int64_t eos = tokenizer_eos(run->tokenizer);
    return eos >= 0 ? eos : run->workbench->model->architecture.eos;
}

static bool work(void *context, struct progress *progress, struct error *error) {
    struct generate_run *run = context;
    const struct model *model = run->workbench->model;
    run->options.stop = run->tokenizer != NULL ? end_of_text(run) : -1;
    return generate(run->ids.data, &run->ids.count, run->count, model, &run->options, count_token, run, progress,
                    error) &&
           say_text(run, error);
}

static void finished(void *context, bool ok, const struct error *error) {
    struct generate_run *run = context;
    (void)error;
    if (ok)
        text_add_bytes(&run->workbench->results, text_string(&run->said), run->said.length);
    free_run(run);
}

static bool run_generate(struct workbench *workbench, const struct value *values, struct text *output,
                         struct error *error) {
    const struct model *model = workbench->model;
    if (!model->architecture_known) {
        *error = model->architecture_error;
        return false;
    }
    struct generate_run *run = memory_alloc(1, sizeof *run, error);
    if (run == NULL)
        return false;
    run->workbench = workbench;
    struct job_work job = {.name = "generate", .run = work, .finish = finished, .context = run};
    (void)snprintf(job.title, sizeof job.title, "generate from \"%.60s\"", values[GENERATE_PROMPT].text);
    if (!model->architecture.verified)
        text_add(output, "note: this family is not verified against a reference\n");
    if (take_options(run, values, error) && take_prompt(run, values[GENERATE_PROMPT].text, error) &&
        workbench_start(workbench, &job, error))
        return true;
    free_run(run);
    return false;
}

const struct command generate_commands[] = {
    {"generate", NULL, "continue a text, to see with your own eyes what the model writes",
     "Sampled with a seed, or greedily. Ends at the end-of-text token. A model without a tokenizer takes and prints "
     "token ids, and goes on past that token.",
     arguments, sizeof arguments / sizeof *arguments, COMMAND_JOB | COMMAND_SUBCOMMAND, run_generate},
};
const size_t generate_command_count = sizeof generate_commands / sizeof *generate_commands;
