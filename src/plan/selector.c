#include "plan/selector.h"

#include "base/memory.h"
#include "base/text.h"
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTENTION_ROLES (1u << ROLE_Q | 1u << ROLE_K | 1u << ROLE_V | 1u << ROLE_QKV | 1u << ROLE_O)
#define MLP_ROLES                                                                                                      \
    (1u << ROLE_GATE | 1u << ROLE_UP | 1u << ROLE_GATE_UP | 1u << ROLE_DOWN | 1u << ROLE_FC1 | 1u << ROLE_FC2)

static const struct {
    const char *name;
    unsigned roles;
} groups[] = {{"attn", ATTENTION_ROLES}, {"mlp", MLP_ROLES}};

static const struct {
    enum role role;
    const char *part; /* what a person may ask for */
    const char *all;  /* what the matrix holds, in words */
} fused_parts[] = {
    {ROLE_QKV, "q", "q, k and v"},         {ROLE_QKV, "k", "q, k and v"},       {ROLE_QKV, "v", "q, k and v"},
    {ROLE_GATE_UP, "gate", "gate and up"}, {ROLE_GATE_UP, "up", "gate and up"},
};

/* One part of a selector on its way to a selection. */
struct part {
    const struct plan *plan;
    const struct model *model;
    bool *chosen; /* of all parts so far */
    const char *text;
    char *blocks; /* NULL: all */
    const char *labels;
    unsigned roles; /* bits; all unless a group was named */
    int64_t first, last;
    bool range; /* blocks is a number or a range */
};

static const char *last_component(const char *label) {
    const char *dot = strrchr(label, '.');
    return dot != NULL ? dot + 1 : label;
}

static bool choose_all(struct part *part) {
    bool any = false;
    for (size_t i = 0; i < part->model->matrix_count; i++) {
        any = any || part->model->matrices[i].prunable;
        part->chosen[i] = part->chosen[i] || part->model->matrices[i].prunable;
    }
    return any;
}

static bool choose_tagged(struct part *part) {
    bool any = false;
    for (size_t i = 0; i < part->model->matrix_count; i++) {
        any = any || plan_tagged(part->plan, i);
        part->chosen[i] = part->chosen[i] || plan_tagged(part->plan, i);
    }
    return any;
}

static bool choose_by_lock(struct part *part, bool locked) {
    bool any = false;
    for (size_t i = 0; i < part->model->matrix_count; i++) {
        bool match = part->model->matrices[i].prunable && plan_target(part->plan, i)->locked == locked;
        any = any || match;
        part->chosen[i] = part->chosen[i] || match;
    }
    return any;
}

static bool choose_locked(struct part *part) {
    return choose_by_lock(part, true);
}

static bool choose_unlocked(struct part *part) {
    return choose_by_lock(part, false);
}

static const struct {
    const char *word;
    bool (*choose)(struct part *part); /* false: nothing */
    const char *nothing;
} words[] = {
    {"all", choose_all, "this model has no matrix that can be pruned"},
    {"*", choose_all, "this model has no matrix that can be pruned"},
    {"tagged", choose_tagged, "no matrix is tagged; tag some with :tag SELECTOR"},
    {"locked", choose_locked, "no matrix is locked; lock some with :lock SELECTOR"},
    {"unlocked", choose_unlocked, "every matrix is locked; unlock some with :unlock SELECTOR"},
};

static bool choose_regex(struct part *part, const char *expression, struct error *error) {
    regex_t regex;
    bool any = false;
    int code = regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char reason[128];
        (void)regerror(code, &regex, reason, sizeof reason);
        return error_set(error, ERROR_USAGE, "\"%s\" is not a regular expression: %s", expression, reason);
    }
    for (size_t i = 0; i < part->model->matrix_count; i++) {
        const struct matrix *matrix = &part->model->matrices[i];
        if (matrix->prunable && regexec(&regex, matrix->name, 0, NULL, 0) == 0)
            any = part->chosen[i] = true;
    }
    regfree(&regex);
    if (any)
        return true;
    return error_set(error, ERROR_USAGE,
                     "no prunable tensor's name matches the regular expression \"%s\"; names look like %s", expression,
                     part->model->matrix_count > 0 ? part->model->matrices[0].name : "nothing here");
}

/* SIZE_MAX when nothing has that name. */
static size_t find_name(const struct model *model, const char *name) {
    for (size_t i = 0; i < model->matrix_count; i++)
        if (strcmp(model->matrices[i].name, name) == 0 || strcmp(model->matrices[i].module, name) == 0)
            return i;
    return SIZE_MAX;
}

static bool choose_named(struct part *part, size_t index, struct error *error) {
    const struct matrix *matrix = &part->model->matrices[index];
    if (matrix->weight->prunable == PRUNABLE_NO)
        return error_set(error, ERROR_USAGE, "%s is never pruned: %s", matrix->name,
                         matrix->reason != NULL ? matrix->reason : "it is not a weight matrix");
    part->chosen[index] = true;
    return true;
}

static bool looks_like_blocks(const char *text, size_t length) {
    return length > 0 && strspn(text, "0123456789-*?[]{},!^") >= length;
}

/* Takes "4-9.mlp.up" apart; a label may hold dots itself ("e3.up"). */
static bool split_part(struct part *part, struct error *error) {
    size_t head = strcspn(part->text, ".");
    part->labels = part->text;
    part->roles = ~0u;
    if (looks_like_blocks(part->text, head)) {
        part->blocks = memory_copy_bytes(part->text, head, error);
        if (part->blocks == NULL)
            return false;
        part->labels = part->text[head] == '.' ? part->text + head + 1 : "*";
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t length = strlen(groups[i].name);
        if (!text_starts(part->labels, groups[i].name) || (part->labels[length] != '.' && part->labels[length] != '\0'))
            continue;
        part->roles = groups[i].roles;
        part->labels = part->labels[length] == '.' ? part->labels + length + 1 : "*";
        break;
    }
    return true;
}

static bool parse_range(struct part *part, struct error *error) {
    char *end;
    if (part->blocks == NULL || strspn(part->blocks, "0123456789-") != strlen(part->blocks))
        return true;
    part->first = part->last = strtoll(part->blocks, &end, 10);
    if (*end == '-')
        part->last = strtoll(end + 1, &end, 10);
    if (*end != '\0' || !isdigit((unsigned char)part->blocks[0]) || !isdigit((unsigned char)end[-1]))
        return error_set(error, ERROR_USAGE, "\"%s\" is not a range of blocks; write 4-9", part->blocks);
    if (part->first > part->last)
        return error_set(error, ERROR_USAGE, "the range of blocks %s runs backwards; write %lld-%lld", part->blocks,
                         (long long)part->last, (long long)part->first);
    if (part->last >= (int64_t)part->model->block_count)
        return error_set(error, ERROR_USAGE, "there is no block %lld: this model has %zu blocks, counted from 0",
                         (long long)part->last, part->model->block_count);
    part->range = true;
    return true;
}

static bool in_blocks(const struct part *part, const struct matrix *matrix) {
    char number[24];
    if (part->blocks == NULL)
        return true;
    if (part->range)
        return part->first <= matrix->block && matrix->block <= part->last;
    (void)snprintf(number, sizeof number, "%lld", (long long)matrix->block);
    return matrix->block >= 0 && text_glob(part->blocks, number);
}

static bool label_matches(const struct part *part, const char *label) {
    return text_glob(part->labels, label) || text_glob(part->labels, last_component(label));
}

static bool matches(const struct part *part, const struct matrix *matrix) {
    return matrix->prunable && (part->roles & 1u << matrix->role) != 0 && in_blocks(part, matrix) &&
           label_matches(part, matrix->label);
}

/* True when the part asks for something that the matrix holds together with others, and not for the whole of it. */
static bool asks_for_piece(const struct part *part, const struct matrix *matrix, size_t fused) {
    char label[64];
    int prefix = (int)(last_component(matrix->label) - matrix->label);
    (void)snprintf(label, sizeof label, "%.*s%s", prefix, matrix->label, fused_parts[fused].part);
    return matrix->role == fused_parts[fused].role && (part->roles & 1u << matrix->role) != 0 &&
           in_blocks(part, matrix) && label_matches(part, label) && !label_matches(part, matrix->label);
}

static bool refuse_fused(const struct part *part, const struct matrix *matrix, size_t fused, struct error *error) {
    return error_set(error, ERROR_USAGE, "block %lld of this model holds %s in one fused matrix: use %s%s%s",
                     (long long)matrix->block, fused_parts[fused].all, part->blocks != NULL ? part->blocks : "",
                     part->blocks != NULL ? "." : "", matrix->label);
}

static bool check_fused(const struct part *part, struct error *error) {
    for (size_t i = 0; i < part->model->matrix_count; i++)
        for (size_t f = 0; f < sizeof fused_parts / sizeof *fused_parts; f++)
            if (asks_for_piece(part, &part->model->matrices[i], f))
                return refuse_fused(part, &part->model->matrices[i], f, error);
    return true;
}

static bool already_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* The kinds of matrices in the blocks that the part names: what would have matched. */
static void list_labels(struct text *list, const struct part *part) {
    bool experts = false;
    for (size_t i = 0; i < part->model->matrix_count && list->length < 400; i++) {
        const struct matrix *matrix = &part->model->matrices[i];
        const char *kind = last_component(matrix->label);
        if (!matrix->prunable || !in_blocks(part, matrix))
            continue;
        experts = experts || kind != matrix->label;
        if (!already_listed(text_string(list), kind))
            text_add(list, "%s%s", list->length > 0 ? ", " : "", kind);
    }
    if (experts)
        text_add(list, " (those of one expert: e0.up)");
}

static bool refuse_known(const struct part *part, struct error *error) {
    for (size_t i = 0; i < part->model->weight_count; i++) {
        const struct weight *weight = &part->model->weights[i];
        if (weight->prunable == PRUNABLE_NO && strcmp(weight->tensor->name, part->text) == 0)
            return error_set(error, ERROR_USAGE, "%s is never pruned: %s", part->text,
                             weight->reason != NULL ? weight->reason : "it is not a weight matrix");
    }
    return true;
}

static bool refuse_unmatched(const struct part *part, struct error *error) {
    if (!refuse_known(part, error))
        return false;
    for (size_t i = 0; i < part->model->matrix_count; i++) {
        const struct matrix *matrix = &part->model->matrices[i];
        if (!matrix->prunable && matrix->weight->prunable == PRUNABLE_WHEN_NAMED && in_blocks(part, matrix) &&
            strcmp(part->labels, matrix->label) == 0)
            return error_set(error, ERROR_USAGE, "%s is pruned only when it is named exactly: use %s", part->labels,
                             matrix->name);
    }
    struct text list = {0};
    list_labels(&list, part);
    (void)error_set(error, ERROR_USAGE, "nothing matches \"%s\"; %s: %s", part->text,
                    part->blocks != NULL ? "these blocks hold" : "this model's blocks hold",
                    list.length > 0 ? text_string(&list) : "no prunable matrix");
    text_free(&list);
    return false;
}

static bool choose_by_role(struct part *part, struct error *error) {
    bool any = false;
    if (!split_part(part, error) || !parse_range(part, error) || !check_fused(part, error))
        return false;
    for (size_t i = 0; i < part->model->matrix_count; i++)
        if (matches(part, &part->model->matrices[i]))
            any = part->chosen[i] = true;
    return any || refuse_unmatched(part, error);
}

static bool choose_part(struct part *part, struct error *error) {
    if (part->text[0] == '\0')
        return error_set(error, ERROR_USAGE, "an empty selector; write for example all, 5, 4-9.q, mlp.* or tagged");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(part->text, words[i].word) == 0)
            return words[i].choose(part) || error_set(error, ERROR_USAGE, "%s", words[i].nothing);
    if (text_starts(part->text, "re:"))
        return choose_regex(part, part->text + 3, error);
    size_t named = find_name(part->model, part->text);
    if (named != SIZE_MAX)
        return choose_named(part, named, error);
    bool ok = choose_by_role(part, error);
    memory_free(part->blocks);
    return ok;
}

/* The length of the first part: up to a comma outside braces; a regular expression takes all. */
static size_t part_length(const char *selector) {
    int depth = 0;
    size_t length = 0;
    if (text_starts(selector, "re:"))
        return strlen(selector);
    for (; selector[length] != '\0' && (selector[length] != ',' || depth > 0); length++)
        depth += (selector[length] == '{') - (selector[length] == '}');
    return length;
}

static bool choose_next(const struct plan *plan, bool *chosen, const char *text, size_t length, struct error *error) {
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    char *copy = memory_copy_bytes(text, length, error);
    struct part part = {.plan = plan, .model = plan_model(plan), .chosen = chosen, .text = copy};
    bool ok = copy != NULL && choose_part(&part, error);
    memory_free(copy);
    return ok;
}

static bool choose_selector(const struct plan *plan, bool *chosen, const char *selector, struct error *error) {
    for (bool more = true; more;) {
        size_t length = part_length(selector);
        if (!choose_next(plan, chosen, selector, length, error))
            return false;
        more = selector[length] == ',';
        selector += length + more;
    }
    return true;
}

static bool list_chosen(size_t **indices, size_t *count, const bool *chosen, size_t matrices, struct error *error) {
    for (size_t i = 0; i < matrices; i++)
        *count += chosen[i];
    *indices = memory_alloc(*count, sizeof **indices, error);
    size_t filled = 0;
    for (size_t i = 0; *indices != NULL && i < matrices; i++)
        if (chosen[i])
            (*indices)[filled++] = i;
    return *indices != NULL;
}

bool selector_match(size_t **indices, size_t *count, const struct plan *plan, const char *selector,
                    struct error *error) {
    size_t matrices = plan_model(plan)->matrix_count;
    *indices = NULL;
    *count = 0;
    bool *chosen = memory_alloc(matrices, sizeof *chosen, error);
    bool ok = chosen != NULL && choose_selector(plan, chosen, selector, error) &&
              list_chosen(indices, count, chosen, matrices, error);
    memory_free(chosen);
    return ok;
}
