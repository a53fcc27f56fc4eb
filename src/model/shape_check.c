#include "model/shape_check.h"

#include "model/family.h"
#include "model/role.h"
#include <string.h>

struct shape {
    int64_t rows, columns; /* as outputs x inputs; columns 0: a vector */
};

static struct shape attention_shape(const struct architecture *a, enum role role) {
    int64_t queries = a->heads * a->head_dim, keys = a->kv_heads * a->head_dim;
    switch (role) {
    case ROLE_Q:
        return (struct shape){queries, a->hidden};
    case ROLE_QKV:
        return (struct shape){queries + 2 * keys, a->hidden};
    case ROLE_O:
        return (struct shape){a->hidden, queries};
    default:
        return (struct shape){keys, a->hidden};
    }
}

static struct shape feed_forward_shape(const struct architecture *a, enum role role, int64_t expert) {
    int64_t units = expert == MODEL_SHARED_EXPERT ? a->experts.shared_intermediate
                    : expert >= 0                 ? a->experts.intermediate
                                                  : a->intermediate;
    bool back = role == ROLE_DOWN || role == ROLE_FC2;
    if (back)
        return (struct shape){a->hidden, units};
    return (struct shape){role == ROLE_GATE_UP ? 2 * units : units, a->hidden};
}

static struct shape outer_shape(const struct architecture *a, enum role role) {
    switch (role) {
    case ROLE_ROUTER:
        return (struct shape){a->experts.count, a->hidden};
    case ROLE_SHARED_ROUTER:
        return (struct shape){1, a->hidden};
    case ROLE_POSITION:
        return (struct shape){a->positions + a->position_offset, a->hidden};
    case ROLE_PROJECT_IN:
        return (struct shape){a->hidden, a->embedding_dim};
    case ROLE_PROJECT_OUT:
        return (struct shape){a->embedding_dim, a->hidden};
    default:
        return (struct shape){a->vocabulary, a->embedding_dim};
    }
}

static struct shape head_norm_shape(const struct architecture *a, enum role role) {
    int64_t heads = role == ROLE_Q_NORM ? a->heads : a->kv_heads;
    if (a->qk_norm_whole)
        return (struct shape){heads * a->head_dim, 0};
    return (struct shape){a->head_dim, 0};
}

static struct shape expected_shape(const struct architecture *a, enum role role, int64_t expert) {
    if (role == ROLE_Q_NORM || role == ROLE_K_NORM)
        return head_norm_shape(a, role);
    if (role >= ROLE_NORM_1 && role <= ROLE_FINAL_NORM)
        return (struct shape){a->hidden, 0};
    if (role <= ROLE_O)
        return attention_shape(a, role);
    if (role <= ROLE_FC2)
        return feed_forward_shape(a, role, expert);
    return outer_shape(a, role);
}

/* One weight against its role's shape. */
static bool check_shape(const struct model *model, const struct weight *weight, struct error *error) {
    const struct tensor *tensor = weight->tensor;
    struct shape shape = expected_shape(&model->architecture, weight->role, weight->expert);
    const struct matrix *matrix = weight->matrix != SIZE_MAX ? &model->matrices[weight->matrix] : NULL;
    if (weight->bias)
        shape.columns = 0;
    if (shape.columns == 0) {
        /* Norms with a row per head (cohere) have two dimensions. */
        int64_t last = tensor->rank > 0 ? tensor->shape[tensor->rank - 1] : 0;
        if (last == shape.rows && (tensor->rank == 1 || model->architecture.qk_norm_per_head_weights))
            return true;
        return error_set(error, ERROR_INPUT, "%s has %lld elements where config.json asks for %lld", tensor->name,
                         (long long)tensor->count, (long long)shape.rows);
    }
    if (matrix != NULL && matrix->rows == shape.rows && matrix->columns == shape.columns)
        return true;
    long long rows = matrix != NULL ? (long long)matrix->rows : (long long)tensor->count;
    return error_set(error, ERROR_INPUT, "%s has %lld outputs and %lld inputs where config.json asks for %lld and %lld",
                     tensor->name, rows, matrix != NULL ? (long long)matrix->columns : 1LL, (long long)shape.rows,
                     (long long)shape.columns);
}

static bool check_weight(const struct model *model, const struct weight *weight, struct error *error) {
    bool numbers = weight->role < ROLE_SCALE && role_info(weight->role)->prunable != PRUNABLE_NO;
    if (weight->role >= ROLE_SCALE || weight->role == ROLE_MATRIX || weight->role == ROLE_TOKEN_TYPE)
        return true;
    if (weight->block >= model->architecture.blocks)
        return error_set(error, ERROR_INPUT,
                         "%s lies in block %lld but config.json says that there are %lld blocks (from 0 on)",
                         weight->tensor->name, (long long)weight->block, (long long)model->architecture.blocks);
    if (numbers && weight->prunable == PRUNABLE_NO && !weight->bias && weight->role != ROLE_LM_HEAD)
        return error_set(error, ERROR_INPUT, "%s: %s", weight->tensor->name, weight->reason);
    if (!dtype_info(weight->tensor->dtype)->real)
        return error_set(error, ERROR_INPUT, "%s holds integers where numbers with fractions belong",
                         weight->tensor->name);
    return check_shape(model, weight, error);
}

static bool require(const struct model *model, int64_t block, enum role role, int64_t expert, struct error *error) {
    if (model_weight(model, block, role, expert, false) != NULL)
        return true;
    if (block == MODEL_NO_BLOCK)
        return error_set(error, ERROR_INPUT, "no tensor holds the %s that config.json asks for%s", role_name(role),
                         role == ROLE_LM_HEAD ? " (tie_word_embeddings is false)" : "");
    return error_set(error, ERROR_INPUT, "block %lld has no tensor for the %s%s (config.json asks for %lld blocks)",
                     (long long)block, role_name(role), expert >= 0 ? " of every expert" : "",
                     (long long)model->architecture.blocks);
}

/* The row for a role in the family's blocks; NULL when it has none. */
static const struct family_tensor *find_row(const struct model *model, enum role role) {
    const struct family_tensor *tensor = model->family->inside;
    while (tensor->path != NULL && tensor->role != role)
        tensor++;
    return tensor->path != NULL ? tensor : NULL;
}

/* Every role from `first` to `last` that the family has. */
static bool require_range(const struct model *model, int64_t block, enum role first, enum role last, int64_t expert,
                          struct error *error) {
    for (enum role role = first; role <= last; role++)
        if (find_row(model, role) != NULL && !require(model, block, role, expert, error))
            return false;
    return true;
}

static bool require_feed_forward(const struct model *model, int64_t block, struct error *error) {
    const struct architecture *a = &model->architecture;
    bool dense = a->experts.count == 0 || (a->dense_block != NULL && a->dense_block[block]);
    if (dense)
        return require_range(model, block, ROLE_GATE, ROLE_FC2, MODEL_NO_EXPERT, error);
    if (!require(model, block, ROLE_ROUTER, MODEL_NO_EXPERT, error))
        return false;
    for (int64_t expert = 0; expert < a->experts.count; expert++)
        if (!require_range(model, block, ROLE_GATE, ROLE_FC2, expert, error))
            return false;
    if (a->experts.shared_intermediate == 0)
        return true;
    return require_range(model, block, ROLE_GATE, ROLE_FC2, MODEL_SHARED_EXPERT, error) &&
           (!a->experts.shared_gate || require(model, block, ROLE_SHARED_ROUTER, MODEL_NO_EXPERT, error));
}

static bool require_norms(const struct model *model, int64_t block, struct error *error) {
    const struct architecture *a = &model->architecture;
    static const int count[] = {
        [BLOCK_PRE] = 2, [BLOCK_POST] = 2, [BLOCK_PARALLEL] = 1, [BLOCK_SANDWICH] = 4, [BLOCK_BRANCH] = 2};
    enum role last = (enum role)(ROLE_NORM_1 + count[a->form] - 1);
    if (a->norm_weight && !require_range(model, block, ROLE_NORM_1, last, MODEL_NO_EXPERT, error))
        return false;
    const struct family_tensor *row = find_row(model, ROLE_Q_NORM);
    int64_t head = row != NULL && strchr(row->path, '%') != NULL ? 0 : MODEL_NO_EXPERT;
    return !a->qk_norm || require_range(model, block, ROLE_Q_NORM, ROLE_K_NORM, head, error);
}

static bool require_outside(const struct model *model, struct error *error) {
    const struct architecture *a = &model->architecture;
    bool projected = a->embedding_dim != a->hidden;
    const struct {
        enum role role;
        bool needed;
    } outside[] = {
        {ROLE_EMBEDDING, true},
        {ROLE_LM_HEAD, !a->tied},
        {ROLE_POSITION, a->position == POSITION_LEARNED},
        {ROLE_FINAL_NORM, a->final_norm && a->norm_weight},
        {ROLE_EMBEDDING_NORM, a->embedding_norm},
        {ROLE_PROJECT_IN, projected},
        {ROLE_PROJECT_OUT, projected},
    };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (outside[i].needed && !require(model, MODEL_NO_BLOCK, outside[i].role, MODEL_NO_EXPERT, error))
            return false;
    return true;
}

/* Options that say whether linear layers have biases, and the roles that show it. */
static const struct {
    const char *option;
    bool inverted;
    enum role roles[3];
} bias_options[] = {
    {"attention_bias", false, {ROLE_Q, ROLE_QKV, ROLE_COUNT}}, {"mlp_bias", false, {ROLE_UP, ROLE_FC1, ROLE_COUNT}},
    {"use_qkv_bias", false, {ROLE_Q, ROLE_COUNT, ROLE_COUNT}}, {"qkv_bias", false, {ROLE_Q, ROLE_COUNT, ROLE_COUNT}},
    {"use_bias", false, {ROLE_Q, ROLE_FC1, ROLE_COUNT}},       {"bias", false, {ROLE_QKV, ROLE_FC1, ROLE_COUNT}},
    {"no_bias", true, {ROLE_QKV, ROLE_FC1, ROLE_COUNT}},       {"enable_bias", false, {ROLE_Q, ROLE_FC1, ROLE_COUNT}},
};

/* Loaders drop biases that the options deny and invent those that they promise; either way the result would differ. */
static bool check_bias(const struct model *model, const char *option, bool stated, enum role role,
                       struct error *error) {
    if (role == ROLE_COUNT || model_weight(model, 0, role, MODEL_NO_EXPERT, false) == NULL)
        return true;
    bool found = model_weight(model, 0, role, MODEL_NO_EXPERT, true) != NULL;
    if (found == stated)
        return true;
    return error_set(error, ERROR_INPUT, "\"%s\" says that the %s matrices have %s bias but block 0 has %s", option,
                     role_name(role), stated ? "a" : "no", found ? "one" : "none");
}

static bool check_biases(const struct model *model, struct error *error) {
    json_t *defaults = json_loads(model->family->defaults, 0, NULL);
    const json_t *nested = model->family->nested ? json_object_get(model->config, "text_config") : NULL;
    const json_t *options = nested != NULL ? nested : model->config;
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof bias_options / sizeof *bias_options; i++) {
        const char *option = bias_options[i].option;
        const json_t *usual = json_object_get(defaults, option), *given = json_object_get(options, option);
        if (usual == NULL)
            continue;
        bool stated = json_is_true(given != NULL ? given : usual) != bias_options[i].inverted;
        for (size_t j = 0; ok && j < 3; j++)
            ok = check_bias(model, option, stated, bias_options[i].roles[j], error);
    }
    json_decref(defaults);
    return ok;
}

bool shape_check(struct model *model, const char *config_path, struct error *error) {
    struct architecture *a = &model->architecture;
    bool ok = require_outside(model, error);
    for (int64_t block = 0; ok && block < a->blocks; block++)
        ok = require_range(model, block, ROLE_Q, ROLE_O, MODEL_NO_EXPERT, error) &&
             require_feed_forward(model, block, error) && require_norms(model, block, error);
    for (size_t i = 0; ok && i < model->weight_count; i++)
        ok = check_weight(model, &model->weights[i], error);
    ok = ok && check_biases(model, error);
    a->head_bias = model_weight(model, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, true) != NULL;
    return ok || error_prefix(error, "%s", config_path);
}
