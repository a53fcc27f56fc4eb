#include "workbench/session_data.h"

#include "base/memory.h"
#include "plan/plan_csv.h"
#include <string.h>
#include <time.h>

#define SESSION_VERSION 1

/* ---- making ---- */

static json_t *make_targets(const struct model *model, const struct target *targets) {
    struct text text = {0};
    plan_csv_format(&text, model, targets);
    json_t *string = text.failed ? NULL : json_stringn(text_string(&text), text.length);
    text_free(&text);
    return string;
}

static json_t *make_plan(const struct plan *plan) {
    size_t count = plan_model(plan)->matrix_count;
    struct target *targets = memory_alloc(count, sizeof *targets, NULL);
    for (size_t i = 0; targets != NULL && i < count; i++)
        targets[i] = *plan_target(plan, i);
    json_t *string = targets != NULL ? make_targets(plan_model(plan), targets) : NULL;
    memory_free(targets);
    return string;
}

static json_t *make_budget(bool on, double sparsity) {
    return on ? json_real(sparsity) : json_null();
}

static json_t *make_tags(const struct plan *plan) {
    json_t *names = json_array();
    for (size_t i = 0; names != NULL && i < plan_model(plan)->matrix_count; i++)
        if (plan_tagged(plan, i))
            (void)json_array_append_new(names, json_string(plan_model(plan)->matrices[i].name));
    return names;
}

static json_t *make_snapshots(const struct plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < plan_snapshot_count(plan); i++) {
        double sparsity;
        bool on = plan_snapshot_budget(plan, i, &sparsity);
        (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", plan_snapshot_name(plan, i), "plan",
                                                    make_targets(plan_model(plan), plan_snapshot_targets(plan, i)),
                                                    "budget", make_budget(on, sparsity)));
    }
    return list;
}

/* JSON holds UTF-8 only, and a path may be anything. */
static json_t *make_path(const char *path) {
    json_t *string = json_string(path);
    return string != NULL ? string : json_null();
}

json_t *session_data_make(const struct plan *plan, json_t *log) {
    double sparsity;
    bool on = plan_budget(plan, &sparsity);
    return json_pack("{s:i, s:o, s:I, s:o, s:o, s:o, s:o, s:O}", "version", SESSION_VERSION, "model",
                     make_path(plan_model(plan)->checkpoint->path), "saved", (json_int_t)time(NULL), "plan",
                     make_plan(plan), "budget", make_budget(on, sparsity), "tags", make_tags(plan), "snapshots",
                     make_snapshots(plan), "log", log);
}

/* ---- reading ---- */

static bool wrong(struct error *error, const char *what) {
    return error_set(error, ERROR_INPUT, "%s is missing or of the wrong kind", what);
}

static bool budget_is_valid(const json_t *budget) {
    return json_is_null(budget) ||
           (json_is_real(budget) && json_real_value(budget) >= 0 && json_real_value(budget) <= 1);
}

/* A plan's targets in new memory; NULL with an error. */
static struct target *read_targets(const json_t *string, const struct model *model, const char *what,
                                   struct error *error) {
    if (!json_is_string(string)) {
        (void)wrong(error, what);
        return NULL;
    }
    struct target *targets = memory_alloc(model->matrix_count, sizeof *targets, error);
    if (targets != NULL &&
        plan_csv_parse(targets, model, json_string_value(string), json_string_length(string), what, error))
        return targets;
    memory_free(targets);
    return NULL;
}

static bool check_targets(const json_t *string, const struct model *model, const char *what, struct error *error) {
    struct target *targets = read_targets(string, model, what, error);
    memory_free(targets);
    return targets != NULL;
}

static bool check_strings(const json_t *list, const char *what, struct error *error) {
    size_t index;
    json_t *item;
    if (!json_is_array(list))
        return wrong(error, what);
    json_array_foreach((json_t *)(uintptr_t)list, index, item) {
        if (!json_is_string(item))
            return wrong(error, what);
    }
    return true;
}

static bool check_snapshots(const json_t *list, const struct model *model, struct error *error) {
    size_t index;
    json_t *item;
    if (!json_is_array(list))
        return wrong(error, "\"snapshots\"");
    json_array_foreach((json_t *)(uintptr_t)list, index, item) {
        if (!json_is_string(json_object_get(item, "name")) || !budget_is_valid(json_object_get(item, "budget")) ||
            !check_targets(json_object_get(item, "plan"), model, "a snapshot", error))
            return error->code != ERROR_NONE ? false : wrong(error, "a snapshot");
    }
    return true;
}

bool session_data_check(json_t *data, const struct model *model, struct error *error) {
    if (json_integer_value(json_object_get(data, "version")) != SESSION_VERSION)
        return wrong(error, "\"version\"");
    if (!json_is_integer(json_object_get(data, "saved")) || !budget_is_valid(json_object_get(data, "budget")))
        return wrong(error, "\"saved\" or \"budget\"");
    return check_targets(json_object_get(data, "plan"), model, "the plan", error) &&
           check_strings(json_object_get(data, "tags"), "\"tags\"", error) &&
           check_strings(json_object_get(data, "log"), "\"log\"", error) &&
           check_snapshots(json_object_get(data, "snapshots"), model, error);
}

static void apply_budget(struct plan *plan, const json_t *budget) {
    plan_set_budget(plan, json_is_real(budget), json_real_value(budget));
}

static bool apply_plan(json_t *data, struct plan *plan, struct error *error) {
    struct target *targets = read_targets(json_object_get(data, "plan"), plan_model(plan), "the plan", error);
    if (targets == NULL || !plan_begin(plan, "restored session", error)) {
        memory_free(targets);
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < plan_model(plan)->matrix_count; i++)
        ok = plan_set(plan, i, &targets[i], error);
    if (ok) {
        apply_budget(plan, json_object_get(data, "budget"));
        plan_end(plan);
    } else
        plan_rollback(plan);
    memory_free(targets);
    return ok;
}

static void apply_tags(json_t *data, struct plan *plan) {
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(data, "tags"), index, item) {
        const struct matrix *matrix = NULL;
        for (size_t i = 0; matrix == NULL && i < plan_model(plan)->matrix_count; i++)
            if (strcmp(plan_model(plan)->matrices[i].name, json_string_value(item)) == 0)
                matrix = &plan_model(plan)->matrices[i];
        if (matrix != NULL)
            plan_tag(plan, (size_t)(matrix - plan_model(plan)->matrices), true);
    }
}

static bool apply_snapshots(json_t *data, struct plan *plan, struct error *error) {
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(data, "snapshots"), index, item) {
        const json_t *budget = json_object_get(item, "budget");
        struct target *targets = read_targets(json_object_get(item, "plan"), plan_model(plan), "a snapshot", error);
        bool ok = targets != NULL && plan_snapshot_add(plan, json_string_value(json_object_get(item, "name")), targets,
                                                       json_is_real(budget), json_real_value(budget), error);
        memory_free(targets);
        if (!ok)
            return false;
    }
    return true;
}

bool session_data_apply(json_t *data, struct plan *plan, struct error *error) {
    if (!apply_snapshots(data, plan, error) || !apply_plan(data, plan, error))
        return false;
    apply_tags(data, plan);
    return true;
}

void session_data_describe(struct text *text, const json_t *data) {
    char when[32] = "at an unknown time";
    time_t saved = (time_t)json_integer_value(json_object_get(data, "saved"));
    struct tm local;
    if (localtime_r(&saved, &local) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
    text_add(text, "saved %s, %zu commands, %zu snapshots", when, json_array_size(json_object_get(data, "log")),
             json_array_size(json_object_get(data, "snapshots")));
}
