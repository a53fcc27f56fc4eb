#include "plan/plan.h"

#include "base/memory.h"
#include "plan/plan_state.h"
#include "prune/method.h"
#include <math.h>
#include <string.h>

struct target plan_default_target(void) {
    return (struct target){.pattern.kind = PATTERN_DEFAULT, .high = 1};
}

bool target_equal(const struct target *a, const struct target *b) {
    return a->sparsity == b->sparsity && pattern_equal(a->pattern, b->pattern) && strcmp(a->method, b->method) == 0 &&
           a->locked == b->locked && a->low == b->low && a->high == b->high;
}

/* The pattern of a target: PATTERN_DEFAULT is the group of the first method of its chain. */
static struct pattern pattern_of(const struct target *target) {
    struct method_chain chain;
    if (target->pattern.kind == PATTERN_DEFAULT && target->method[0] != '\0' &&
        method_parse(&chain, target->method, NULL))
        return method_pattern(&chain, target->pattern);
    if (target->pattern.kind == PATTERN_DEFAULT)
        return (struct pattern){.kind = PATTERN_UNSTRUCTURED};
    return target->pattern;
}

struct plan *plan_create(const struct model *model, struct error *error) {
    struct plan *plan = memory_alloc(1, sizeof *plan, error);
    if (plan == NULL)
        return NULL;
    plan->model = model;
    plan->targets = memory_alloc(model->matrix_count, sizeof *plan->targets, error);
    plan->counts = memory_alloc(model->matrix_count, sizeof *plan->counts, error);
    plan->patterns = memory_alloc(model->matrix_count, sizeof *plan->patterns, error);
    plan->tags = memory_alloc(model->matrix_count, sizeof *plan->tags, error);
    plan->touched = memory_alloc(model->matrix_count, sizeof *plan->touched, error);
    if (plan->targets == NULL || plan->counts == NULL || plan->patterns == NULL || plan->tags == NULL ||
        plan->touched == NULL) {
        plan_free(plan);
        return NULL;
    }
    for (size_t i = 0; i < model->matrix_count; i++) {
        plan->targets[i] = plan_default_target();
        plan->patterns[i] = pattern_of(&plan->targets[i]);
    }
    return plan;
}

void plan_free(struct plan *plan) {
    if (plan == NULL)
        return;
    history_free(plan);
    snapshots_free(plan);
    memory_free(plan->targets);
    memory_free(plan->counts);
    memory_free(plan->patterns);
    memory_free(plan->tags);
    memory_free(plan->touched);
    memory_free(plan->prices);
    memory_free(plan);
}

struct plan *plan_copy(const struct plan *plan, struct error *error) {
    struct plan *copy = plan_create(plan->model, error);
    if (copy == NULL)
        return NULL;
    size_t count = plan->model->matrix_count;
    memcpy(copy->targets, plan->targets, count * sizeof *copy->targets);
    memcpy(copy->counts, plan->counts, count * sizeof *copy->counts);
    memcpy(copy->patterns, plan->patterns, count * sizeof *copy->patterns);
    memcpy(copy->tags, plan->tags, count * sizeof *copy->tags);
    copy->budget = plan->budget;
    return copy;
}

const struct model *plan_model(const struct plan *plan) {
    return plan->model;
}

const struct target *plan_target(const struct plan *plan, size_t matrix) {
    return &plan->targets[matrix];
}

uint64_t plan_revision(const struct plan *plan) {
    return plan->revision;
}

bool plan_saved(const struct plan *plan) {
    return plan->history.depth == 0 && plan->saved_id == history_state(plan);
}

void plan_mark_saved(struct plan *plan) {
    plan->saved_id = history_state(plan);
}

struct pattern plan_pattern(const struct plan *plan, size_t matrix) {
    return plan->patterns[matrix];
}

uint64_t plan_count(const struct plan *plan, size_t matrix) {
    return plan->counts[matrix];
}

void plan_place(struct plan *plan, size_t matrix, const struct target *target) {
    const struct matrix *shape = &plan->model->matrices[matrix];
    plan->targets[matrix] = *target;
    plan->patterns[matrix] = pattern_of(target);
    plan->counts[matrix] =
        target->sparsity > 0 ? pattern_count(plan->patterns[matrix], shape->rows, shape->columns, target->sparsity) : 0;
    plan->revision++;
}

static bool in_unit(double value) {
    return value >= 0 && value <= 1; /* NaN is not */
}

static bool check_target(const struct matrix *matrix, const struct target *target, struct error *error) {
    if (matrix->weight->prunable == PRUNABLE_NO)
        return error_set(error, ERROR_USAGE, "%s is never pruned: %s", matrix->name,
                         matrix->reason != NULL ? matrix->reason : "it is not a weight matrix");
    if (!in_unit(target->sparsity))
        return error_set(error, ERROR_USAGE, "%s: a sparsity of %g is outside 0 to 1", matrix->name, target->sparsity);
    if (!in_unit(target->low) || !in_unit(target->high) || target->low > target->high)
        return error_set(error, ERROR_USAGE, "%s: the bounds %g to %g are not a range within 0 to 1", matrix->name,
                         target->low, target->high);
    if (memchr(target->method, '\0', sizeof target->method) == NULL)
        return error_set(error, ERROR_USAGE, "%s: the method's name is too long", matrix->name);
    return true;
}

/* What "keep N of M" removes is settled by the pattern, so its sparsity says no more than whether it applies. */
static void settle(struct target *target) {
    struct pattern pattern = pattern_of(target);
    if (pattern.kind == PATTERN_N_M && target->sparsity > 0)
        target->sparsity = 1 - (double)pattern.n / pattern.m;
}

bool plan_set(struct plan *plan, size_t matrix, const struct target *target, struct error *error) {
    struct target settled = *target;
    settle(&settled);
    if (target_equal(&settled, &plan->targets[matrix]))
        return true;
    if (!check_target(&plan->model->matrices[matrix], &settled, error) || !history_note(plan, matrix, error))
        return false;
    plan_place(plan, matrix, &settled);
    return true;
}

bool plan_tagged(const struct plan *plan, size_t matrix) {
    return plan->tags[matrix];
}

void plan_tag(struct plan *plan, size_t matrix, bool tagged) {
    plan->revision += plan->tags[matrix] != tagged;
    plan->tags[matrix] = tagged;
}

size_t plan_tag_count(const struct plan *plan) {
    size_t count = 0;
    for (size_t i = 0; i < plan->model->matrix_count; i++)
        count += plan->tags[i];
    return count;
}
