#include "plan/allocate_group.h"

#include "base/memory.h"
#include <math.h>

/* One matrix and where it stands. */
struct choice {
    size_t matrix;
    double weight, size;
    double cost[9]; /* [kept]: of "keep n of group" */
    int kept, least, most;
};

struct group_problem {
    struct plan *plan;
    int group;
    struct choice *choices;
    size_t count;
    double wanted, removed; /* weights */
};

static struct target target_of(const struct group_problem *problem, const struct choice *choice, int kept) {
    struct target target = *plan_target(problem->plan, choice->matrix);
    target.pattern = (struct pattern){PATTERN_N_M, kept, problem->group};
    if (kept == problem->group)
        target.pattern = (struct pattern){PATTERN_DEFAULT, 0, 0};
    target.sparsity = 1 - (double)kept / problem->group;
    return target;
}

static bool fill_costs(const struct group_problem *problem, struct choice *choice, struct forecaster *forecaster,
                       struct error *error) {
    double weight = forecast_weight(forecaster, choice->matrix);
    for (int kept = choice->least; kept < problem->group; kept++) {
        bool estimated;
        struct target target = target_of(problem, choice, kept);
        choice->cost[kept] = weight * forecast_matrix(forecaster, choice->matrix, &target, &estimated);
        if (isnan(choice->cost[kept]))
            return error_set(error, ERROR_USAGE, "the sensitivity of %s is not known; calibrate with more text",
                             plan_model(problem->plan)->matrices[choice->matrix].name);
    }
    return true;
}

static bool add_choice(struct group_problem *problem, size_t matrix, struct forecaster *forecaster,
                       struct error *error) {
    const struct matrix *shape = &plan_model(problem->plan)->matrices[matrix];
    const struct target *target = plan_target(problem->plan, matrix);
    problem->removed += (double)plan_count(problem->plan, matrix);
    if (target->locked)
        return true;
    struct choice *choice = &problem->choices[problem->count++];
    *choice = (struct choice){.matrix = matrix, .size = (double)shape->rows * (double)shape->columns};
    choice->least = (int)ceil((1 - target->high) * problem->group - 1e-9);
    choice->least = choice->least < 1 ? 1 : choice->least;
    choice->most = (int)floor((1 - target->low) * problem->group + 1e-9);
    choice->kept = choice->most;
    problem->removed -= (double)plan_count(problem->plan, matrix);
    problem->removed += choice->size * (1 - (double)choice->kept / problem->group);
    if (choice->least > choice->most)
        return error_set(error, ERROR_USAGE, "%s: no \"keep N of %d\" lies within its bounds, %g to %g %%", shape->name,
                         problem->group, 100 * target->low, 100 * target->high);
    return fill_costs(problem, choice, forecaster, error);
}

/* The matrix whose next weight costs least. */
static struct choice *cheapest(const struct group_problem *problem) {
    struct choice *best = NULL;
    double least = INFINITY;
    for (size_t i = 0; i < problem->count; i++) {
        struct choice *choice = &problem->choices[i];
        if (choice->kept <= choice->least)
            continue;
        double price = (choice->cost[choice->kept - 1] - choice->cost[choice->kept]) / choice->size;
        if (best == NULL || price < least) {
            best = choice;
            least = price;
        }
    }
    return best;
}

static void move(struct group_problem *problem, struct choice *choice, int by) {
    choice->kept += by;
    problem->removed -= by * choice->size / problem->group;
}

static bool meet_budget(struct group_problem *problem, struct error *error) {
    while (problem->removed < problem->wanted - 0.5) {
        struct choice *choice = cheapest(problem);
        if (choice == NULL)
            return error_set(error, ERROR_USAGE, "keep 1 of %d everywhere does not reach the budget", problem->group);
        move(problem, choice, -1);
    }
    for (size_t i = 0; i < problem->count; i++) { /* small steps that the last large one made needless */
        struct choice *choice = &problem->choices[i];
        double step = choice->size / problem->group;
        while (choice->kept < choice->most && problem->removed - step >= problem->wanted - 0.5)
            move(problem, choice, 1);
    }
    return true;
}

static bool place(const struct group_problem *problem, struct error *error) {
    bool ok = plan_begin(problem->plan, "allocate keep N of M", error);
    if (!ok)
        return false;
    for (size_t i = 0; ok && i < problem->count; i++) {
        struct target target = target_of(problem, &problem->choices[i], problem->choices[i].kept);
        ok = plan_set(problem->plan, problem->choices[i].matrix, &target, error);
    }
    if (!ok)
        plan_rollback(problem->plan);
    plan_end(problem->plan);
    return ok;
}

/* All prunable matrices count; those selected and not locked may be set. */
static bool collect(struct group_problem *problem, const struct allocation *given, const size_t *matrices, size_t count,
                    struct error *error) {
    const struct model *model = plan_model(given->plan);
    struct plan_totals totals;
    plan_totals(&totals, given->plan);
    problem->wanted = given->budget * (double)totals.prunable;
    size_t next = 0;
    for (size_t i = 0; i < model->matrix_count; i++) {
        bool selected = matrices == NULL || (next < count && matrices[next] == i);
        next += matrices != NULL && selected;
        if (selected && model->matrices[i].prunable) {
            if (!add_choice(problem, i, given->forecaster, error))
                return false;
        } else {
            problem->removed += (double)plan_count(given->plan, i);
        }
    }
    return true;
}

bool allocate_group_range(double *low, double *high, const struct allocation *given, int group, const size_t *matrices,
                          size_t count, struct error *error) {
    struct group_problem problem = {.plan = given->plan, .group = group};
    struct plan_totals totals;
    if (given->forecaster == NULL)
        return error_set(error, ERROR_USAGE, "choosing N for each matrix needs activations; calibrate first");
    problem.choices = memory_alloc(plan_model(given->plan)->matrix_count, sizeof *problem.choices, error);
    bool ok = problem.choices != NULL && collect(&problem, given, matrices, count, error);
    plan_totals(&totals, given->plan);
    double all = fmax(1, (double)totals.prunable);
    *low = problem.removed / all;
    for (size_t i = 0; ok && i < problem.count; i++)
        move(&problem, &problem.choices[i], problem.choices[i].least - problem.choices[i].kept);
    *high = problem.removed / all;
    memory_free(problem.choices);
    return ok;
}

bool allocate_group(const struct allocation *given, int group, const size_t *matrices, size_t count,
                    struct error *error) {
    struct group_problem problem = {.plan = given->plan, .group = group};
    if (given->forecaster == NULL)
        return error_set(error, ERROR_USAGE, "choosing N for each matrix needs activations; calibrate first");
    problem.choices = memory_alloc(plan_model(given->plan)->matrix_count, sizeof *problem.choices, error);
    bool ok = problem.choices != NULL && collect(&problem, given, matrices, count, error) &&
              meet_budget(&problem, error) && place(&problem, error);
    memory_free(problem.choices);
    return ok;
}
