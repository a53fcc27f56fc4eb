/* The budget lock: totals, and the shift of unlocked matrices that keeps the total at what was asked.
 *
 * One number, the lift, decides every movable matrix: from 0 to 1 it is how strongly sparsities are scaled down or up
 * (monotone, so that bisection finds the lift for a total), above 1 every matrix rises towards 1 as far as its bounds
 * allow. What the lift asks for is then rounded to counts that the patterns can give, matrices of coarse steps first,
 * and the rest is dealt out by largest remainder among the fine ones: the total is exact. With prices, one price for
 * all takes the lift's place as far as it reaches. */
#include "base/memory.h"
#include "plan/cost.h"
#include "plan/count.h"
#include "plan/plan_state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRICE_SLACK 0.02  /* of the total: what a price may miss where many weights cost the same; dealt out evenly */
#define SCALE_MAXIMUM 1e9 /* by then every matrix that is not at 0 has reached its upper bound */

/* One matrix that may move, in weights. */
struct mover {
    size_t matrix;
    const struct matrix *shape;
    struct pattern pattern;
    double weights, wish;          /* size; what the lift asks of it */
    uint64_t low, high, now, next; /* counts: bounds, before, after */
    uint64_t step;
    bool fine; /* every count is possible, which a step of 1 alone does not promise (columns:N with a short last block)
                */
};

struct movers {
    struct mover *items;
    size_t count;
    uint64_t low, high, now; /* sums */
    bool inside;             /* all are within their bounds */
};

static uint64_t weights_of(const struct matrix *matrix) {
    return (uint64_t)matrix->rows * (uint64_t)matrix->columns;
}

static bool takes_part(const struct plan *plan, size_t matrix) {
    return plan->model->matrices[matrix].prunable || plan->counts[matrix] > 0;
}

static bool can_move(const struct plan *plan, size_t matrix) {
    const struct target *target = &plan->targets[matrix];
    return plan->model->matrices[matrix].prunable && !target->locked && plan->patterns[matrix].kind != PATTERN_N_M;
}

static void sum_weights(uint64_t *prunable, uint64_t *pruned, const struct plan *plan) {
    *prunable = 0;
    *pruned = 0;
    for (size_t i = 0; i < plan->model->matrix_count; i++) {
        if (takes_part(plan, i))
            *prunable += weights_of(&plan->model->matrices[i]);
        *pruned += plan->counts[i];
    }
}

static uint64_t weights_asked(const struct plan *plan, uint64_t prunable) {
    return plan->budget.on ? (uint64_t)llround(plan->budget.sparsity * (double)prunable) : 0;
}

static uint64_t smallest_step(const struct plan *plan) {
    uint64_t smallest = 0;
    for (size_t i = 0; i < plan->model->matrix_count && smallest != 1; i++) {
        const struct matrix *matrix = &plan->model->matrices[i];
        if (!can_move(plan, i))
            continue;
        uint64_t step = pattern_step(plan->patterns[i], matrix->rows, matrix->columns);
        smallest = smallest == 0 || step < smallest ? step : smallest;
    }
    return smallest;
}

void plan_totals(struct plan_totals *totals, const struct plan *plan) {
    const struct model *model = plan->model;
    *totals = (struct plan_totals){.parameters = model->parameters, .dense_bytes = model->checkpoint->weight_bytes};
    sum_weights(&totals->prunable, &totals->pruned, plan);
    totals->sparsity = totals->prunable > 0 ? (double)totals->pruned / (double)totals->prunable : 0;
    totals->compressed_bytes = plan_bytes(plan, NULL);
    totals->flops = plan_flops(plan);
    totals->dense_flops = plan_dense_flops(plan);
    totals->asked = weights_asked(plan, totals->prunable);
    totals->step = smallest_step(plan);
}

bool plan_budget(const struct plan *plan, double *sparsity) {
    *sparsity = plan->budget.sparsity;
    return plan->budget.on;
}

void plan_set_budget(struct plan *plan, bool on, double sparsity) {
    plan->budget = (struct budget){on, on ? fmin(fmax(sparsity, 0), 1) : 0};
    plan->revision++;
}

static struct mover mover_of(const struct plan *plan, size_t matrix) {
    const struct matrix *shape = &plan->model->matrices[matrix];
    const struct target *target = &plan->targets[matrix];
    struct mover mover = {.matrix = matrix, .shape = shape, .pattern = plan->patterns[matrix]};
    mover.weights = (double)weights_of(shape);
    mover.now = plan->counts[matrix];
    mover.fine = mover.pattern.kind == PATTERN_UNSTRUCTURED;
    mover.step = pattern_step(mover.pattern, shape->rows, shape->columns);
    mover.low = plan_count_ceiling(mover.pattern, shape->rows, shape->columns, target->low);
    mover.high = plan_count_floor(mover.pattern, shape->rows, shape->columns, target->high);
    if (mover.low > mover.high) /* bounds closer than a step: the lower one counts */
        mover.high = mover.low;
    return mover;
}

static bool gather(struct movers *movers, const struct plan *plan, const bool *fixed, struct error *error) {
    *movers = (struct movers){.inside = true};
    movers->items = memory_alloc(plan->model->matrix_count, sizeof *movers->items, error);
    for (size_t i = 0; movers->items != NULL && i < plan->model->matrix_count; i++) {
        if (fixed[i] || !can_move(plan, i) || plan->model->matrices[i].rows == 0 ||
            plan->model->matrices[i].columns == 0)
            continue;
        struct mover mover = mover_of(plan, i);
        movers->low += mover.low;
        movers->high += mover.high;
        movers->now += mover.now;
        movers->inside = movers->inside && mover.low <= mover.now && mover.now <= mover.high;
        movers->items[movers->count++] = mover;
    }
    return movers->items != NULL;
}

/* Each matrix's wish for a lift. 0: all at their lower bounds; 1: scaled to the utmost; 2: all at their upper bounds.
 */
static double wish_all(struct movers *movers, double lift) {
    double total = 0;
    double scale = lift < 1 ? fmin(lift / (1 - lift), SCALE_MAXIMUM) : SCALE_MAXIMUM;
    double rise = lift > 1 ? lift - 1 : 0;
    for (size_t i = 0; i < movers->count; i++) {
        struct mover *mover = &movers->items[i];
        double scaled = fmin((double)mover->now * scale, mover->weights);
        double wish = scaled + (mover->weights - scaled) * rise;
        mover->wish = fmin(fmax(wish, (double)mover->low), (double)mover->high);
        total += mover->wish;
    }
    return total;
}

static void wish_for(struct movers *movers, uint64_t total) {
    double low = 0;
    double high = 2;
    for (int i = 0; i < 52 && high - low > 0; i++) {
        double middle = (low + high) / 2;
        double sum = wish_all(movers, middle);
        if (fabs(sum - (double)total) < 0.5)
            return;
        if (sum < (double)total)
            low = middle;
        else
            high = middle;
    }
    (void)wish_all(movers, low);
}

bool plan_set_prices(struct plan *plan, const float *prices, size_t points, struct error *error) {
    size_t count = plan->model->matrix_count * points;
    float *copy = prices != NULL ? memory_alloc(count, sizeof *copy, error) : NULL;
    if (prices != NULL && copy == NULL)
        return false;
    if (copy != NULL)
        memcpy(copy, prices, count * sizeof *copy);
    memory_free(plan->prices);
    plan->prices = copy;
    plan->price_points = points;
    plan->revision++;
    return true;
}

bool plan_has_prices(const struct plan *plan) {
    return plan->prices != NULL;
}

/* The sparsity at which one more weight costs `price`, between the points by a straight line. */
static double sparsity_at(const float *prices, size_t points, double price) {
    size_t low = 0;
    size_t high = points;
    while (low < high) { /* the first point that costs as much */
        size_t middle = (low + high) / 2;
        if ((double)prices[middle] < price)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low == points)
        return low == 0 ? 0 : 1;
    double before = (double)prices[low - 1];
    double share = (price - before) / ((double)prices[low] - before);
    return ((double)low - 1 + share) / ((double)points - 1);
}

/* Each matrix's wish at a price: nothing moves against the direction of the whole. */
static double wish_at(struct movers *movers, const struct plan *plan, double price, bool up) {
    double total = 0;
    for (size_t i = 0; i < movers->count; i++) {
        struct mover *mover = &movers->items[i];
        const float *prices = plan->prices + mover->matrix * plan->price_points;
        double now = (double)mover->now;
        double wish = isnan(prices[0]) ? now : mover->weights * sparsity_at(prices, plan->price_points, price);
        wish = up ? fmax(wish, now) : fmin(wish, now);
        mover->wish = fmin(fmax(wish, (double)mover->low), (double)mover->high);
        total += mover->wish;
    }
    return total;
}

/* False where no price gives the total: then proportion has to. */
static bool wish_by_price(struct movers *movers, const struct plan *plan, uint64_t total) {
    bool up = total > movers->now;
    double low = 1e-30;
    double high = 1e30;
    if (plan->prices == NULL)
        return false;
    for (int i = 0; i < 100; i++) {
        double middle = sqrt(low * high);
        if (wish_at(movers, plan, middle, up) < (double)total)
            low = middle;
        else
            high = middle;
    }
    double reached = wish_at(movers, plan, up ? low : high, up);
    return fabs(reached - (double)total) <= PRICE_SLACK * (double)total + 1;
}

static uint64_t step_up(const struct mover *mover) {
    uint64_t above = plan_count_above(mover->pattern, mover->shape->rows, mover->shape->columns, mover->next);
    return above <= mover->high ? above - mover->next : 0;
}

static uint64_t step_down(const struct mover *mover) {
    uint64_t below = plan_count_below(mover->pattern, mover->shape->rows, mover->shape->columns, mover->next);
    return below >= mover->low ? mover->next - below : 0;
}

/* The count next to the wish, within the bounds. */
static void round_wish(struct mover *mover) {
    const struct matrix *shape = mover->shape;
    double sparsity = mover->wish / mover->weights;
    mover->next =
        mover->fine ? (uint64_t)mover->wish : pattern_count(mover->pattern, shape->rows, shape->columns, sparsity);
    if (mover->next < mover->low)
        mover->next = mover->low;
    if (mover->next > mover->high)
        mover->next = mover->high;
}

/* Those that lack most of their wish come first. */
static int by_lack(const void *a, const void *b) {
    const struct mover *first = a;
    const struct mover *second = b;
    double lack_first = (first->wish - (double)first->next) / (double)first->step;
    double lack_second = (second->wish - (double)second->next) / (double)second->step;
    if (lack_first != lack_second)
        return lack_first > lack_second ? -1 : 1;
    return first->matrix < second->matrix ? -1 : 1;
}

/* Moves coarse matrices by single steps while a step brings the total (`missing` weights away) nearer without
 * overshooting; `overshoot` allows steps that pass the total but end nearer to it. Returns what is still missing. */
static int64_t deal_coarse(struct movers *movers, int64_t missing, bool overshoot) {
    for (bool moved = true; moved && missing != 0;) {
        moved = false;
        for (size_t i = 0; i < movers->count && missing != 0; i++) {
            bool up = missing > 0;
            int64_t size = llabs(missing);
            struct mover *mover = &movers->items[up ? i : movers->count - 1 - i];
            if (mover->fine)
                continue;
            int64_t step = (int64_t)(up ? step_up(mover) : step_down(mover));
            if (step == 0 || (overshoot ? step >= 2 * size : step > size))
                continue;
            mover->next += (uint64_t)(up ? step : -step);
            missing -= up ? step : -step;
            moved = true;
        }
    }
    return missing;
}

/* Gives every fine matrix up to `each` of what is missing, in order, as far as bounds allow. */
static int64_t deal_fine(struct movers *movers, int64_t missing, int64_t each) {
    for (size_t i = 0; i < movers->count && missing != 0; i++) {
        bool up = missing > 0;
        struct mover *mover = &movers->items[up ? i : movers->count - 1 - i];
        if (!mover->fine)
            continue;
        int64_t part = (int64_t)(up ? mover->high - mover->next : mover->next - mover->low);
        part = part < each ? part : each;
        part = part < llabs(missing) ? part : llabs(missing);
        mover->next += (uint64_t)(up ? part : -part);
        missing -= up ? part : -part;
    }
    return missing;
}

static void round_all(struct movers *movers, uint64_t total) {
    int64_t missing = (int64_t)total;
    int64_t fine = 0;
    for (size_t i = 0; i < movers->count; i++) {
        round_wish(&movers->items[i]);
        missing -= (int64_t)movers->items[i].next;
        fine += movers->items[i].fine;
    }
    qsort(movers->items, movers->count, sizeof *movers->items, by_lack);
    missing = deal_coarse(movers, missing, false);
    if (fine > 0)
        missing = deal_fine(movers, missing, llabs(missing) / fine);
    missing = deal_fine(movers, missing, 1); /* the largest remainders */
    missing = deal_fine(movers, missing, llabs(missing));
    (void)deal_coarse(movers, missing, true);
}

static bool place_all(struct plan *plan, const struct movers *movers, struct error *error) {
    for (size_t i = 0; i < movers->count; i++) {
        const struct mover *mover = &movers->items[i];
        if (mover->next == mover->now)
            continue;
        struct target target = plan->targets[mover->matrix];
        target.sparsity =
            plan_sparsity_for_count(mover->pattern, mover->shape->rows, mover->shape->columns, mover->next);
        if (!plan_set(plan, mover->matrix, &target, error))
            return false;
    }
    return true;
}

/* In range, or so near to an end of it that no step of the movers would be nearer to the budget. */
static bool reachable(uint64_t *total, const struct movers *movers, int64_t wanted, uint64_t step) {
    int64_t slack = (int64_t)(step > 0 ? step - 1 : 0);
    if (wanted < (int64_t)movers->low - slack || wanted > (int64_t)movers->high + slack)
        return false;
    *total = wanted < (int64_t)movers->low ? movers->low : (uint64_t)wanted;
    if (*total > movers->high)
        *total = movers->high;
    return true;
}

static bool refuse(const struct plan *plan, const struct movers *movers, uint64_t settled, uint64_t prunable,
                   struct error *error) {
    double percent = 100.0 / (double)prunable;
    return error_set(
        error, ERROR_USAGE,
        "the budget of %.4g %% cannot be kept: with this change the %zu unlocked other matrices allow %.4g "
        "to %.4g %% in total; unlock or widen bounds, or set another budget",
        100 * plan->budget.sparsity, movers->count, (double)(settled + movers->low) * percent,
        (double)(settled + movers->high) * percent);
}

static uint64_t finest_step(const struct movers *movers) {
    uint64_t finest = 0;
    for (size_t i = 0; i < movers->count; i++)
        finest = finest == 0 || movers->items[i].step < finest ? movers->items[i].step : finest;
    return finest;
}

static bool rebalance(struct plan *plan, const bool *fixed, struct error *error) {
    struct movers movers;
    uint64_t prunable;
    uint64_t pruned;
    uint64_t total;
    sum_weights(&prunable, &pruned, plan);
    if (!gather(&movers, plan, fixed, error))
        return false;
    uint64_t settled = pruned - movers.now;
    int64_t wanted = (int64_t)weights_asked(plan, prunable) - (int64_t)settled;
    bool ok = movers.inside && wanted == (int64_t)movers.now;
    if (!ok && !reachable(&total, &movers, wanted, finest_step(&movers)))
        (void)refuse(plan, &movers, settled, prunable, error);
    else if (!ok) {
        if (!wish_by_price(&movers, plan, total))
            wish_for(&movers, total);
        round_all(&movers, total);
        ok = place_all(plan, &movers, error);
    }
    memory_free(movers.items);
    return ok;
}

bool plan_rebalance(struct plan *plan, const size_t *fixed, size_t fixed_count, struct error *error) {
    if (!plan->budget.on)
        return true;
    bool *is_fixed = memory_alloc(plan->model->matrix_count, sizeof *is_fixed, error);
    if (is_fixed == NULL)
        return false;
    for (size_t i = 0; i < fixed_count; i++)
        is_fixed[fixed[i]] = true;
    bool ok = rebalance(plan, is_fixed, error);
    memory_free(is_fixed);
    return ok;
}
