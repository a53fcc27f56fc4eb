#include "workbench/search.h"

#include "base/memory.h"
#include "engine/evaluate.h"
#include "plan/plan_csv.h"
#include "prune/method.h"
#include "workbench/calibrate_run.h"
#include "workbench/edit.h"
#include "workbench/pruned_weights.h"
#include "workbench/run_text.h"
#include "workbench/search_start.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STAGES 3
#define LEVELS 20 /* steps of the smallest matrix */
#define MAXIMUM_MOVES 3
#define MAXIMUM_STEPS 4 /* of one move */
#define DEFAULT_WINDOWS 64
#define HELD_BACK 4 /* one window more for that many that are searched on */
#define CACHE_MEMORY ((uint64_t)2 << 30)

/* The text of a stage and the dense model's states on it. */
struct stage {
    size_t first, windows, survivors;
    struct stream *dense;
};

struct candidate {
    uint64_t *gone; /* [count] weights that go, of each matrix that may be moved */
    double divergence;
};

struct searching {
    struct search *search;
    struct corpus corpus;
    struct pruned_weights *weights;
    struct kept_hessians *hessians; /* NULL: no method needs them */
    struct plan *plan;              /* of the candidate at work */
    struct stage stages[STAGES];
    struct stage held; /* text that no plan is chosen on; no windows: none */
    size_t *matrices;  /* that may be moved */
    size_t count;
    uint64_t step; /* weights of a move */
    uint64_t random;
    uint64_t *parent;
    struct candidate *offspring;
    struct progress *progress;
};

void search_settings_free(struct search_settings *settings) {
    memory_free(settings->source);
    memory_free(settings->calibrate);
    memory_free(settings->out);
    memset(settings, 0, sizeof *settings);
}

struct search *search_create(struct workbench *workbench, struct search_settings *settings, struct error *error) {
    struct search *search = memory_alloc(1, sizeof *search, error);
    if (search == NULL) {
        search_settings_free(settings);
        return NULL;
    }
    *search = (struct search){.workbench = workbench,
                              .settings = *settings,
                              .divergence = NAN,
                              .before = NAN,
                              .held = NAN,
                              .held_before = NAN};
    search->best = plan_copy(workbench->plan, error);
    if (search->best != NULL)
        return search;
    search_free(search);
    return NULL;
}

void search_free(struct search *search) {
    if (search == NULL)
        return;
    plan_free(search->best);
    search_settings_free(&search->settings);
    memory_free(search);
}

/* ---- candidates ---- */

static uint64_t size_of(const struct searching *run, size_t i) {
    return plan_model(run->plan)->matrices[run->matrices[i]].tensor->count;
}

/* The plan that a candidate stands for. */
static bool place(const struct searching *run, struct plan *plan, const uint64_t *gone, struct error *error) {
    if (!plan_begin(plan, "search", error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < run->count; i++) {
        struct target target = *plan_target(plan, run->matrices[i]);
        target.sparsity = (double)gone[i] / (double)size_of(run, i);
        ok = plan_set(plan, run->matrices[i], &target, error);
    }
    plan_end(plan);
    return ok;
}

static bool fits(const struct searching *run, size_t i, uint64_t gone) {
    const struct target *target = plan_target(run->plan, run->matrices[i]);
    double share = (double)gone / (double)size_of(run, i);
    return share >= target->low - 1e-9 && share <= fmin(target->high, 1) + 1e-9;
}

/* One matrix gives back what another loses. Gives up after some tries where bounds leave no room. */
static void mutate(struct searching *run, uint64_t *gone) {
    uint64_t a = corpus_random_below(&run->random, MAXIMUM_MOVES);
    uint64_t b = corpus_random_below(&run->random, MAXIMUM_MOVES);
    uint64_t moves = 1 + (a < b ? a : b);
    for (int attempt = 0; moves > 0 && attempt < 100; attempt++) {
        size_t up = (size_t)corpus_random_below(&run->random, run->count);
        size_t down = (size_t)corpus_random_below(&run->random, run->count);
        uint64_t step = run->step * (1 + corpus_random_below(&run->random, MAXIMUM_STEPS));
        if (up == down || gone[down] < step || !fits(run, up, gone[up] + step) || !fits(run, down, gone[down] - step))
            continue;
        gone[up] += step;
        gone[down] -= step;
        moves--;
    }
}

/* ---- measuring ---- */

static struct stream *open_stream(const struct searching *run, const struct stage *stage,
                                  const struct weight_source *weights, struct error *error) {
    struct stream_options options = {
        .compute = run_compute(&run->search->workbench->settings, run->search->workbench->model, false),
        .weights = weights};
    size_t at = stage->first * run->corpus.length;
    return stream_open(run->search->workbench->model, run->corpus.ids + at,
                       run->corpus.mask != NULL ? run->corpus.mask + at : NULL, stage->windows, run->corpus.length,
                       &options, error);
}

static bool measure_plan(struct searching *run, double *divergence, const struct plan *plan, const struct stage *stage,
                         struct error *error) {
    struct evaluation result;
    if (!pruned_weights_set(run->weights, plan, error))
        return false;
    struct stream *stream = open_stream(run, stage, pruned_weights_source(run->weights), error);
    bool ok = stream != NULL && evaluate_against(&result, stream, stage->dense, NULL, run->progress, error) &&
              pruned_weights_check(run->weights, error);
    stream_close(stream);
    if (!ok)
        return false;
    *divergence = result.kl;
    run->search->evaluations++;
    run->search->tokens += result.tokens;
    return true;
}

static bool measure(struct searching *run, double *divergence, const uint64_t *gone, const struct stage *stage,
                    struct error *error) {
    return place(run, run->plan, gone, error) && measure_plan(run, divergence, run->plan, stage, error);
}

static bool judge_start(void *context, double *divergence, const struct plan *plan, struct error *error) {
    struct searching *run = context;
    return measure_plan(run, divergence, plan, &run->stages[STAGES - 1], error);
}

/* ---- a generation ---- */

static void sort_by_divergence(struct candidate *candidates, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && candidates[j].divergence < candidates[j - 1].divergence; j--) {
            struct candidate swap = candidates[j];
            candidates[j] = candidates[j - 1];
            candidates[j - 1] = swap;
        }
}

static bool select_offspring(struct searching *run, struct error *error) {
    size_t left = (size_t)run->search->settings.offspring;
    for (size_t s = 0; s < STAGES; s++) {
        for (size_t i = 0; i < left; i++)
            if (!measure(run, &run->offspring[i].divergence, run->offspring[i].gone, &run->stages[s], error))
                return false;
        sort_by_divergence(run->offspring, left);
        left = left < run->stages[s].survivors ? left : run->stages[s].survivors;
    }
    return true;
}

/* Chosen among many on the same text, a plan may fit that text alone: it has to hold on text held back as well. The bar
 * is the beginning's figure, so that what is kept is never worse there, whenever the search ends. */
static bool holds(struct searching *run, bool *better, const uint64_t *gone, struct error *error) {
    struct search *search = run->search;
    double divergence;
    *better = true;
    if (run->held.windows == 0)
        return true;
    if (!measure(run, &divergence, gone, &run->held, error))
        return false;
    *better = divergence <= search->held_before;
    if (*better)
        search->held = divergence;
    else
        search->rejected++;
    return true;
}

static bool run_generation(struct searching *run, struct error *error) {
    struct search *search = run->search;
    size_t bytes = run->count * sizeof *run->parent;
    for (int64_t i = 0; i < search->settings.offspring; i++) {
        memcpy(run->offspring[i].gone, run->parent, bytes);
        mutate(run, run->offspring[i].gone);
    }
    if (!select_offspring(run, error))
        return false;
    bool better = run->offspring[0].divergence < search->divergence;
    if (better && !holds(run, &better, run->offspring[0].gone, error))
        return false;
    search->generation++;
    if (better) {
        memcpy(run->parent, run->offspring[0].gone, bytes);
        search->divergence = run->offspring[0].divergence;
        search->improvements++;
        if (!place(run, search->best, run->parent, error))
            return false;
        job_log(search->workbench->jobs, "search: generation %lld, %llu evaluations: KL %.6f",
                (long long)search->generation, (unsigned long long)search->evaluations, search->divergence);
    }
    job_stage(search->workbench->jobs, "generation %lld, KL %.5f (%.5f at first)", (long long)search->generation,
              search->divergence, search->before);
    return true;
}

/* ---- the whole ---- */

static bool choose_matrices(struct searching *run, struct error *error) {
    const struct model *model = run->search->workbench->model;
    const struct plan *plan = run->search->best;
    uint64_t smallest = UINT64_MAX;
    run->matrices = memory_alloc(model->matrix_count, sizeof *run->matrices, error);
    for (size_t i = 0; run->matrices != NULL && i < model->matrix_count; i++) {
        const struct target *target = plan_target(plan, i);
        if (!model->matrices[i].prunable || target->locked || plan_pattern(plan, i).kind != PATTERN_UNSTRUCTURED)
            continue;
        run->matrices[run->count++] = i;
        smallest = model->matrices[i].tensor->count < smallest ? model->matrices[i].tensor->count : smallest;
    }
    run->step = smallest / LEVELS > 0 ? smallest / LEVELS : 1;
    if (run->matrices != NULL && run->count < 2)
        return error_set(error, ERROR_USAGE,
                         "search moves weights between unstructured matrices that are not locked; there are %zu",
                         run->count);
    return run->matrices != NULL;
}

static bool make_candidates(struct searching *run, struct error *error) {
    size_t offspring = (size_t)run->search->settings.offspring;
    run->parent = memory_alloc(run->count, sizeof *run->parent, error);
    run->offspring = memory_alloc(offspring, sizeof *run->offspring, error);
    if (run->parent == NULL || run->offspring == NULL)
        return false;
    for (size_t i = 0; i < run->count; i++)
        run->parent[i] = plan_count(run->search->best, run->matrices[i]);
    for (size_t i = 0; i < offspring; i++)
        if ((run->offspring[i].gone = memory_alloc(run->count, sizeof(uint64_t), error)) == NULL)
            return false;
    return true;
}

/* One window in HELD_BACK + 1, behind those that are searched on. */
static size_t held_windows(const struct searching *run) {
    return run->corpus.windows / (HELD_BACK + 1);
}

static bool open_text(struct searching *run, struct error *error) {
    const struct search_settings *settings = &run->search->settings;
    int64_t windows = settings->windows > 0 ? settings->windows : DEFAULT_WINDOWS;
    struct corpus_options options = {.cut = CORPUS_RANDOM,
                                     .windows = windows + (windows + HELD_BACK - 1) / HELD_BACK,
                                     .length = settings->length,
                                     .seed = settings->seed};
    return run_text_open(&run->corpus, run->search->workbench->model, settings->source, &options, error);
}

/* An eighth, a half and all of the text: on less, moves that are worth little each drown in the text's own noise. */
static bool open_stages(struct searching *run, struct error *error) {
    static const size_t parts[STAGES] = {8, 2, 1};
    size_t survivors[STAGES] = {(size_t)run->search->settings.offspring / 4 + 1, 1, 1};
    size_t searched = run->corpus.windows - held_windows(run);
    for (size_t s = 0; s < STAGES; s++) {
        struct stage *stage = &run->stages[s];
        stage->windows = searched / parts[s] > 0 ? searched / parts[s] : 1;
        stage->survivors = survivors[s];
        stage->dense = open_stream(run, stage, NULL, error);
        if (stage->dense == NULL || !stream_run(stage->dense, NULL, run->progress, error))
            return false;
    }
    run->held = (struct stage){.first = searched, .windows = held_windows(run)};
    if (run->held.windows == 0)
        return true;
    run->held.dense = open_stream(run, &run->held, NULL, error);
    return run->held.dense != NULL && stream_run(run->held.dense, NULL, run->progress, error);
}

static uint64_t half_memory(const struct searching *run) {
    uint64_t memory = run->search->workbench->settings.memory;
    return memory > 0 ? memory / 2 : UINT64_MAX;
}

static void set_total(const struct searching *run) {
    uint64_t all = evaluate_work(run->stages[STAGES - 1].dense); /* it has run: the output matrix alone */
    const struct stage *last = &run->stages[STAGES - 1];
    for (int64_t block = 0; block < (int64_t)run->search->workbench->model->block_count; block++)
        all += stream_pass_work(last->dense, block);
    double windows = (double)run->search->settings.offspring * (double)run->stages[0].windows +
                     (double)run->stages[0].survivors * (double)run->stages[1].windows + (double)last->windows +
                     (double)run->held.windows;
    double each = (double)all * windows / (double)last->windows;
    atomic_store(&run->progress->total,
                 atomic_load(&run->progress->done) + (uint64_t)(each * (double)run->search->settings.generations));
}

static bool needs_hessian(const char *method, bool *needs, struct error *error) {
    struct method_chain chain;
    if (method[0] == '\0')
        return true;
    if (!method_parse(&chain, method, error))
        return false;
    *needs = *needs || method_needs(&chain) == METHOD_NEEDS_HESSIAN;
    return true;
}

/* From the text that is calibrated on, where it was named, else from the text that is searched on. */
static bool gather_hessians(struct searching *run, struct error *error) {
    const struct search_settings *settings = &run->search->settings;
    struct workbench *workbench = run->search->workbench;
    struct corpus_options options = {.cut = CORPUS_RANDOM, .length = settings->length, .seed = settings->seed};
    struct corpus text = {0};
    bool needs = false;
    bool ok = needs_hessian(settings->method, &needs, error);
    for (size_t i = 0; ok && i < workbench->model->matrix_count; i++)
        ok = needs_hessian(plan_target(workbench->plan, i)->method, &needs, error);
    if (!ok || !needs)
        return ok;
    if (settings->calibrate != NULL && !run_text_open(&text, workbench->model, settings->calibrate, &options, error))
        return false;
    run->hessians = kept_hessians_create(workbench, settings->calibrate != NULL ? &text : &run->corpus,
                                         half_memory(run), run->progress, error);
    corpus_close(&text);
    pruned_weights_use(run->weights, run->hessians);
    return run->hessians != NULL;
}

static bool prepare(struct searching *run, struct error *error) {
    struct workbench *workbench = run->search->workbench;
    run->random = run->search->settings.seed;
    job_stage(workbench->jobs, "reading %s", run->search->settings.source);
    run->weights = pruned_weights_create(workbench->model, workbench->sensitivity, run->search->settings.method,
                                         workbench->settings.memory > 0 ? half_memory(run) : CACHE_MEMORY, error);
    struct search_judge judge = {.measure = judge_start, .context = run};
    if (run->weights == NULL || !open_text(run, error) || !gather_hessians(run, error) || !open_stages(run, error) ||
        !search_find_start(run->search, &judge, error))
        return false;
    if (run->held.windows > 0 && !measure_plan(run, &run->search->held_before, run->search->best, &run->held, error))
        return false;
    run->search->held = run->search->held_before;
    run->plan = plan_copy(run->search->best, error);
    return run->plan != NULL && choose_matrices(run, error) && make_candidates(run, error);
}

static void finish(struct searching *run) {
    for (size_t s = 0; s < STAGES; s++)
        stream_close(run->stages[s].dense);
    stream_close(run->held.dense);
    for (int64_t i = 0; run->offspring != NULL && i < run->search->settings.offspring; i++)
        memory_free(run->offspring[i].gone);
    memory_free(run->offspring);
    memory_free(run->parent);
    memory_free(run->matrices);
    pruned_weights_free(run->weights);
    kept_hessians_free(run->hessians);
    plan_free(run->plan);
    corpus_close(&run->corpus);
}

bool search_work(struct search *search, struct progress *progress, struct error *error) {
    struct searching run = {.search = search, .progress = progress};
    bool ok = (search->settings.calibrate == NULL ||
               calibrate_run_source(search->workbench, search->settings.calibrate, progress, error)) &&
              prepare(&run, error);
    search->before = search->divergence;
    if (ok)
        set_total(&run);
    while (ok && search->generation < search->settings.generations)
        ok = run_generation(&run, error);
    finish(&run);
    return ok;
}

bool search_apply(const struct search *search, struct text *output, struct error *error) {
    struct plan *plan = search->workbench->plan;
    text_add(output, "search: %lld generations, %llu evaluations, %llu tokens: KL to the dense model ",
             (long long)search->generation, (unsigned long long)search->evaluations,
             (unsigned long long)search->tokens);
    text_add(output, "%.6f, %.6f at first (%s)\n", search->divergence, search->before, search->started);
    if (!isnan(search->held))
        text_add(output, "on text held back: KL %.6f, %.6f at first; %zu gains turned down that did not hold there\n",
                 search->held, search->held_before, search->rejected);
    char name[64] = "search";
    if (strcmp(search->settings.from, "plan") != 0)
        (void)snprintf(name, sizeof name, "search %g%% from %s", 100 * search->settings.budget, search->started);
    if (!plan_begin(plan, name, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < search->workbench->model->matrix_count; i++)
        if (!target_equal(plan_target(plan, i), plan_target(search->best, i)))
            ok = plan_set(plan, i, plan_target(search->best, i), error);
    if (!ok)
        plan_rollback(plan);
    plan_end(plan);
    if (ok)
        edit_say_total(output, plan);
    if (ok && search->settings.out != NULL && (ok = plan_csv_write(plan, search->settings.out, error)))
        text_add(output, "wrote %s\n", search->settings.out);
    return ok;
}
