#include "engine/feed_forward.h"

#include "engine/activation.h"
#include "engine/experts.h"

int64_t feed_forward_units(const struct architecture *a, int64_t expert) {
    return expert == MODEL_SHARED_EXPERT ? a->experts.shared_intermediate
           : expert >= 0                 ? a->experts.intermediate
                                         : a->intermediate;
}

bool feed_forward_has_experts(const struct architecture *a, int64_t block) {
    return a->experts.count > 0 && (a->dense_block == NULL || !a->dense_block[block]);
}

static const struct weight *find(const struct engine *engine, const struct feed_forward *part, enum role role) {
    return model_weight(engine->model, part->block, role, part->expert, false);
}

static bool observe_part(struct engine *engine, const struct weight *weight, const float *x,
                         const struct feed_forward *part, struct error *error) {
    struct observed_input input = {
        .x = x, .rows = part->rows, .batch = part->batch, .tokens = part->tokens, .routing = part->routing};
    return engine_observe_input(engine, weight, &input, error);
}

/* engine->units: gates in the left half of each row, the others in the right. */
static bool run_gated(struct engine *engine, const struct feed_forward *part, int64_t units, struct error *error) {
    const struct weight *fused = find(engine, part, ROLE_GATE_UP);
    if (fused != NULL)
        return engine_product(engine, engine->units, 2 * units, part->x, fused, part->rows, error);
    return engine_product(engine, engine->units, 2 * units, part->x, find(engine, part, ROLE_GATE), part->rows,
                          error) &&
           engine_product(engine, engine->units + units, 2 * units, part->x, find(engine, part, ROLE_UP), part->rows,
                          error);
}

static const struct weight *first_matrix(const struct engine *engine, const struct feed_forward *part) {
    static const enum role roles[] = {ROLE_GATE_UP, ROLE_GATE, ROLE_FC1};
    const struct weight *weight = NULL;
    for (size_t i = 0; i < sizeof roles / sizeof *roles && weight == NULL; i++)
        weight = find(engine, part, roles[i]);
    return weight;
}

bool feed_forward_run(struct engine *engine, float *out, const struct feed_forward *part, bool observe,
                      struct error *error) {
    const struct architecture *a = &engine->model->architecture;
    int64_t units = feed_forward_units(a, part->expert), width = a->gated ? 2 * units : units;
    if (observe && !observe_part(engine, first_matrix(engine, part), part->x, part, error))
        return false;
    bool ok = a->gated ? run_gated(engine, part, units, error)
                       : engine_product(engine, engine->units, width, part->x, find(engine, part, ROLE_FC1), part->rows,
                                        error);
    if (!ok)
        return false;
    activation_apply(engine->hidden, units, engine->units, a->gated ? engine->units + units : NULL, width, part->rows,
                     units, a->activation);
    const struct weight *last = find(engine, part, a->gated ? ROLE_DOWN : ROLE_FC2);
    return observe_part(engine, last, engine->hidden, part, error) &&
           engine_product(engine, out, a->hidden, engine->hidden, last, part->rows, error);
}

bool feed_forward_branch(struct engine *engine, int64_t block, const float *x, bool observe, const struct batch *batch,
                         struct error *error) {
    if (feed_forward_has_experts(&engine->model->architecture, block))
        return experts_run(engine, block, x, batch, error);
    struct feed_forward part = {
        .block = block, .expert = MODEL_NO_EXPERT, .x = x, .rows = batch->windows * batch->length, .batch = batch};
    return feed_forward_run(engine, engine->fed, &part, observe, error);
}

uint64_t feed_forward_work(const struct architecture *a, int64_t block) {
    uint64_t hidden = (uint64_t)a->hidden, matrices = a->gated ? 3 : 2;
    if (!feed_forward_has_experts(a, block))
        return 2 * matrices * hidden * (uint64_t)a->intermediate;
    uint64_t units = (uint64_t)(a->experts.per_token * a->experts.intermediate + a->experts.shared_intermediate);
    return 2 * hidden * (matrices * units + (uint64_t)a->experts.count + (a->experts.shared_gate ? 1 : 0));
}
