/* A block: how its branches, norms and the residual stream are joined. */
#include "base/parallel.h"
#include "engine/attention.h"
#include "engine/engine.h"
#include "engine/feed_forward.h"
#include "engine/vector.h"
#include <string.h>

/* Where the norms of a form stand (ROLE_OTHER: nowhere): before a branch, on what it gives, on its sum with the
 * residual stream. */
struct branch_norms {
    enum role before, after, sum;
};

static const struct branch_norms forms[][2] = {
    [BLOCK_PRE] = {{ROLE_NORM_1, ROLE_OTHER, ROLE_OTHER}, {ROLE_NORM_2, ROLE_OTHER, ROLE_OTHER}},
    [BLOCK_POST] = {{ROLE_OTHER, ROLE_OTHER, ROLE_NORM_1}, {ROLE_OTHER, ROLE_OTHER, ROLE_NORM_2}},
    [BLOCK_PARALLEL] = {{ROLE_NORM_1, ROLE_OTHER, ROLE_OTHER}, {ROLE_NORM_2, ROLE_OTHER, ROLE_OTHER}},
    [BLOCK_SANDWICH] = {{ROLE_NORM_1, ROLE_NORM_2, ROLE_OTHER}, {ROLE_NORM_3, ROLE_NORM_4, ROLE_OTHER}},
    [BLOCK_BRANCH] = {{ROLE_OTHER, ROLE_NORM_1, ROLE_OTHER}, {ROLE_OTHER, ROLE_NORM_2, ROLE_OTHER}},
};

struct sum_work {
    float *out;
    const float *residual, *branch;
    float multiplier;
};

VECTOR_CLONES static void add_some(void *context, size_t begin, size_t end, int thread) {
    const struct sum_work *work = context;
    float *out = work->out, multiplier = work->multiplier;
    const float *residual = work->residual, *branch = work->branch;
    (void)thread;
    VECTOR_SIMD
    for (size_t i = begin; i < end; i++)
        out[i] = residual[i] + multiplier * branch[i];
}

/* x = residual + multiplier × branch; residual may be x. */
static void add_branch(const struct engine *engine, float *x, const float *residual, const float *branch,
                       int64_t rows) {
    const struct architecture *a = &engine->model->architecture;
    struct sum_work work = {x, residual, branch, (float)a->residual_multiplier};
    parallel_for((size_t)(rows * a->hidden), (size_t)1 << 16, add_some, &work);
}

static bool finish_branch(struct engine *engine, float *output, int64_t block, enum branch branch,
                          const struct batch *batch, struct error *error) {
    const struct block_observer *observer = engine->observer;
    enum role after = forms[engine->model->architecture.form][branch].after;
    if (after != ROLE_OTHER)
        engine_norm(engine, output, output, block, after, batch->windows * batch->length);
    if (observer == NULL || observer->branch == NULL)
        return true;
    return observer->branch(observer->context, block, branch, output, batch, error);
}

static bool run_branch(struct engine *engine, int64_t block, enum branch branch, const float *input, bool observe,
                       const struct batch *batch, struct error *error) {
    bool ok = branch == BRANCH_ATTENTION ? attention_run(engine, block, input, batch, error)
                                         : feed_forward_branch(engine, block, input, observe, batch, error);
    return ok && finish_branch(engine, branch == BRANCH_ATTENTION ? engine->output : engine->fed, block, branch, batch,
                               error);
}

/* x + attention(n1 x) + feed-forward(n2 x). */
static bool run_parallel(struct engine *engine, int64_t block, float *x, const struct batch *batch,
                         struct error *error) {
    int64_t rows = batch->windows * batch->length;
    bool two = model_weight(engine->model, block, ROLE_NORM_2, MODEL_NO_EXPERT, false) != NULL;
    const float *second = two ? engine->normed_2 : engine->normed;
    engine_norm(engine, engine->normed, x, block, ROLE_NORM_1, rows);
    if (two)
        engine_norm(engine, engine->normed_2, x, block, ROLE_NORM_2, rows);
    if (!run_branch(engine, block, BRANCH_ATTENTION, engine->normed, true, batch, error) ||
        !run_branch(engine, block, BRANCH_FEED_FORWARD, second, two, batch, error))
        return false;
    add_branch(engine, x, x, engine->output, rows);
    add_branch(engine, x, x, engine->fed, rows);
    return true;
}

/* One branch and its place in the residual stream. */
static bool run_in_line(struct engine *engine, int64_t block, enum branch branch, float *x, const struct batch *batch,
                        struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    const struct branch_norms *norms = &forms[a->form][branch];
    int64_t rows = batch->windows * batch->length;
    float *normed = branch == BRANCH_ATTENTION ? engine->normed : engine->normed_2;
    const float *input = norms->before != ROLE_OTHER ? normed : x;
    if (norms->before != ROLE_OTHER)
        engine_norm(engine, normed, x, block, norms->before, rows);
    if (!run_branch(engine, block, branch, input, true, batch, error))
        return false;
    add_branch(engine, x, a->residual_after_norm ? input : x, branch == BRANCH_ATTENTION ? engine->output : engine->fed,
               rows);
    if (norms->sum != ROLE_OTHER)
        engine_norm(engine, x, x, block, norms->sum, rows);
    return true;
}

static bool run_block(struct engine *engine, int64_t block, float *x, const struct batch *batch, struct error *error) {
    if (engine->model->architecture.form == BLOCK_PARALLEL)
        return run_parallel(engine, block, x, batch, error);
    return run_in_line(engine, block, BRANCH_ATTENTION, x, batch, error) &&
           run_in_line(engine, block, BRANCH_FEED_FORWARD, x, batch, error);
}

bool engine_block(struct engine *engine, int64_t block, float *x, const struct batch *batch,
                  const struct block_observer *observer, struct progress *progress, struct error *error) {
    size_t values = (size_t)(batch->windows * batch->length) * (size_t)engine->model->architecture.hidden;
    bool watched = observer != NULL && observer->block != NULL;
    engine->observer = observer;
    engine->progress = progress;
    engine_load(engine, block);
    if (watched)
        memcpy(engine->before, x, values * sizeof *x);
    return run_block(engine, block, x, batch, error) &&
           (!watched || observer->block(observer->context, block, engine->before, x, batch, error));
}

uint64_t engine_block_work(const struct model *model, int64_t block, int64_t windows, int64_t length) {
    const struct architecture *a = &model->architecture;
    uint64_t projections = 2 * (uint64_t)a->hidden * (uint64_t)(attention_row(a) + a->heads * a->head_dim);
    uint64_t tokens = (uint64_t)windows * (uint64_t)length;
    return tokens * (projections + feed_forward_work(a, block)) + attention_work(a, block, windows, length);
}
