#include "workbench/edit.h"

#include "base/memory.h"
#include "plan/selector.h"
#include <math.h>

double edit_sparsity(double old, const struct value *value) {
    double sparsity = value->sign == 0 ? value->number : old + value->sign * value->number;
    return fmin(fmax(sparsity, 0), 1);
}

void edit_say_total(struct text *output, const struct plan *plan) {
    char buffer[TEXT_NUMBER_SIZE];
    double budget;
    struct plan_totals totals;
    plan_totals(&totals, plan);
    text_add(output, "total %.2f %% of %s weights", 100 * totals.sparsity, text_count(buffer, (double)totals.prunable));
    if (plan_budget(plan, &budget)) {
        long long off = (long long)totals.pruned - (long long)totals.asked;
        text_add(output, ", budget %.2f %%", 100 * budget);
        if (off != 0)
            text_add(output, " (%+lld weights off; the smallest step is %llu)", off, (unsigned long long)totals.step);
    }
    text_add(output, "\n");
}

bool edit_selected(struct workbench *workbench, const char *selector, const struct value *values,
                   const struct edit *edit, struct text *output, struct error *error) {
    struct plan *plan = workbench->plan;
    size_t *indices;
    size_t count;
    if (!selector_match(&indices, &count, plan, selector, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct target target = *plan_target(plan, indices[i]);
        ok = (edit->change != NULL ? edit->change(&target, values, error)
                                   : edit->change_matrix(&target, workbench, indices[i], values, error)) &&
             plan_set(plan, indices[i], &target, error);
    }
    ok = ok && plan_rebalance(plan, indices, edit->moves ? 0 : count, error);
    memory_free(indices);
    if (!ok)
        return false;
    text_add(output, "%zu %s; ", count, count == 1 ? "matrix" : "matrices");
    edit_say_total(output, plan);
    return true;
}
