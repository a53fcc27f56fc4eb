/* Undo and redo. A group keeps the other side of its changes: undoing swaps it with the plan, and so does redoing. */
#include "base/memory.h"
#include "plan/plan_state.h"
#include <stdio.h>
#include <string.h>

uint64_t history_state(const struct plan *plan) {
    const struct history *history = &plan->history;
    return history->current > 0 ? history->groups[history->current - 1].id : history->base_id;
}

static void group_free(struct group *group) {
    memory_free(group->name);
    memory_free(group->changes);
    memory_free(group->shifts);
    memset(group, 0, sizeof *group);
}

void history_free(struct plan *plan) {
    struct history *history = &plan->history;
    group_free(&history->open);
    for (size_t i = 0; i < history->count; i++)
        group_free(&history->groups[i]);
    memory_free(history->groups);
}

bool plan_begin(struct plan *plan, const char *name, struct error *error) {
    struct history *history = &plan->history;
    if (history->depth > 0) {
        history->depth++;
        return true;
    }
    if (!memory_grow(&history->groups, &history->capacity, history->count, sizeof *history->groups, error))
        return false;
    history->open.name = memory_copy_string(name, error);
    history->open.budget = plan->budget;
    history->open_capacity = 0;
    history->depth = history->open.name != NULL;
    return history->depth > 0;
}

bool history_note(struct plan *plan, size_t matrix, struct error *error) {
    struct history *history = &plan->history;
    struct group *open = &history->open;
    if (history->depth == 0)
        return error_set(error, ERROR_FAILURE, "a change to the plan outside an undo group");
    if (plan->touched[matrix])
        return true;
    if (!memory_grow(&open->changes, &history->open_capacity, open->change_count, sizeof *open->changes, error))
        return false;
    open->changes[open->change_count++] = (struct target_change){matrix, plan->targets[matrix]};
    plan->touched[matrix] = true;
    return true;
}

static bool only_sparsity(const struct target *a, const struct target *b) {
    struct target same = *a;
    same.sparsity = b->sparsity;
    return target_equal(&same, b);
}

/* Drops what is as it was, and keeps changes of sparsity alone in the small form where memory for it is to be had. */
static void group_pack(struct group *group, const struct target *targets) {
    size_t kept = 0;
    group->shifts = memory_alloc(group->change_count, sizeof *group->shifts, NULL);
    for (size_t i = 0; i < group->change_count; i++) {
        struct target_change *change = &group->changes[i];
        const struct target *now = &targets[change->matrix];
        if (target_equal(&change->other, now))
            continue;
        if (group->shifts != NULL && change->matrix <= UINT32_MAX && only_sparsity(&change->other, now))
            group->shifts[group->shift_count++] =
                (struct sparsity_change){(uint32_t)change->matrix, change->other.sparsity};
        else
            group->changes[kept++] = *change;
    }
    group->change_count = kept;
    struct target_change *changes = memory_resize(group->changes, kept, sizeof *changes, NULL);
    struct sparsity_change *shifts = memory_resize(group->shifts, group->shift_count, sizeof *shifts, NULL);
    group->changes = changes != NULL ? changes : group->changes;
    group->shifts = shifts != NULL ? shifts : group->shifts;
    group->bytes = sizeof *group + strlen(group->name) + kept * sizeof *group->changes +
                   group->shift_count * sizeof *group->shifts;
}

static void forget_undone(struct history *history) {
    while (history->count > history->current) {
        history->bytes -= history->groups[--history->count].bytes;
        group_free(&history->groups[history->count]);
    }
}

/* Forgets oldest groups, a quarter of the allowance at once: moving the rest down has its cost. */
static void forget_oldest(struct history *history) {
    size_t forgotten = 0;
    if (history->bytes <= PLAN_HISTORY_BYTES)
        return;
    while (history->bytes > PLAN_HISTORY_BYTES / 4 * 3 && forgotten + 1 < history->count) {
        history->bytes -= history->groups[forgotten].bytes;
        history->base_id = history->groups[forgotten].id;
        group_free(&history->groups[forgotten++]);
    }
    history->count -= forgotten;
    history->current = history->count;
    memmove(history->groups, history->groups + forgotten, history->count * sizeof *history->groups);
}

static bool budget_equal(struct budget a, struct budget b) {
    return a.on == b.on && a.sparsity == b.sparsity;
}

static void untouch(struct plan *plan) {
    const struct group *open = &plan->history.open;
    for (size_t i = 0; i < open->change_count; i++)
        plan->touched[open->changes[i].matrix] = false;
}

void plan_end(struct plan *plan) {
    struct history *history = &plan->history;
    if (history->depth == 0 || --history->depth > 0)
        return;
    untouch(plan);
    group_pack(&history->open, plan->targets);
    if (history->open.change_count + history->open.shift_count == 0 &&
        budget_equal(history->open.budget, plan->budget)) {
        group_free(&history->open);
        return;
    }
    forget_undone(history);
    history->open.id = ++history->next_id;
    history->bytes += history->open.bytes;
    history->groups[history->count++] = history->open;
    history->current = history->count;
    memset(&history->open, 0, sizeof history->open);
    forget_oldest(history);
}

void plan_rollback(struct plan *plan) {
    struct history *history = &plan->history;
    struct group *open = &history->open;
    if (history->depth == 0)
        return;
    untouch(plan);
    for (size_t i = 0; i < open->change_count; i++)
        plan_place(plan, open->changes[i].matrix, &open->changes[i].other);
    open->change_count = 0;
    plan->budget = open->budget;
    if (--history->depth == 0)
        group_free(open);
}

static void group_swap(struct plan *plan, struct group *group) {
    for (size_t i = 0; i < group->change_count; i++) {
        struct target_change *change = &group->changes[i];
        struct target now = plan->targets[change->matrix];
        plan_place(plan, change->matrix, &change->other);
        change->other = now;
    }
    for (size_t i = 0; i < group->shift_count; i++) {
        struct sparsity_change *shift = &group->shifts[i];
        struct target target = plan->targets[shift->matrix];
        double now = target.sparsity;
        target.sparsity = shift->other;
        plan_place(plan, shift->matrix, &target);
        shift->other = now;
    }
    struct budget budget = plan->budget;
    plan->budget = group->budget;
    group->budget = budget;
    plan->revision++;
}

static void tell_name(char *name, size_t name_size, const struct group *group) {
    if (name != NULL && name_size > 0)
        (void)snprintf(name, name_size, "%s", group->name);
}

bool plan_undo(struct plan *plan, char *name, size_t name_size) {
    struct history *history = &plan->history;
    if (history->depth > 0 || history->current == 0)
        return false;
    struct group *group = &history->groups[--history->current];
    group_swap(plan, group);
    tell_name(name, name_size, group);
    return true;
}

bool plan_redo(struct plan *plan, char *name, size_t name_size) {
    struct history *history = &plan->history;
    if (history->depth > 0 || history->current == history->count)
        return false;
    struct group *group = &history->groups[history->current++];
    group_swap(plan, group);
    tell_name(name, name_size, group);
    return true;
}

size_t plan_history(const struct plan *plan, size_t *current) {
    if (current != NULL)
        *current = plan->history.current;
    return plan->history.count;
}

const char *plan_history_name(const struct plan *plan, size_t group) {
    return plan->history.groups[group].name;
}
