#include "model/role.h"

#include <string.h>

static const char reason_embedding[] = "embeddings are pruned only when named exactly";
static const char reason_position[] = "position tables are pruned only when named exactly";
static const char reason_head[] = "the output matrix is pruned only when named exactly";
static const char reason_projection[] = "projections around the blocks are pruned only when named exactly";
static const char reason_router[] = "routers are pruned only when named exactly";
static const char reason_norm[] = "norms are never pruned";
static const char reason_scale[] = "scales of quantised weights are never pruned";
static const char reason_buffer[] = "a buffer, not a weight";
static const char reason_other[] = "its place in the model is not known";

static const struct role_info roles[ROLE_COUNT] = {
    [ROLE_Q] = {"q", PRUNABLE_YES, NULL, INPUT_ATTENTION},
    [ROLE_K] = {"k", PRUNABLE_YES, NULL, INPUT_ATTENTION},
    [ROLE_V] = {"v", PRUNABLE_YES, NULL, INPUT_ATTENTION},
    [ROLE_QKV] = {"qkv", PRUNABLE_YES, NULL, INPUT_ATTENTION},
    [ROLE_O] = {"o", PRUNABLE_YES, NULL, INPUT_CONTEXT},
    [ROLE_GATE] = {"gate", PRUNABLE_YES, NULL, INPUT_FEED_FORWARD},
    [ROLE_UP] = {"up", PRUNABLE_YES, NULL, INPUT_FEED_FORWARD},
    [ROLE_GATE_UP] = {"gate_up", PRUNABLE_YES, NULL, INPUT_FEED_FORWARD},
    [ROLE_DOWN] = {"down", PRUNABLE_YES, NULL, INPUT_ACTIVATED},
    [ROLE_FC1] = {"fc1", PRUNABLE_YES, NULL, INPUT_FEED_FORWARD},
    [ROLE_FC2] = {"fc2", PRUNABLE_YES, NULL, INPUT_ACTIVATED},
    [ROLE_MATRIX] = {"matrix", PRUNABLE_YES, NULL, INPUT_OWN},
    [ROLE_ROUTER] = {"router", PRUNABLE_WHEN_NAMED, reason_router, INPUT_FEED_FORWARD},
    [ROLE_SHARED_ROUTER] = {"shared_router", PRUNABLE_WHEN_NAMED, reason_router, INPUT_FEED_FORWARD},
    [ROLE_EMBEDDING] = {"embedding", PRUNABLE_WHEN_NAMED, reason_embedding, INPUT_OWN},
    [ROLE_POSITION] = {"position", PRUNABLE_WHEN_NAMED, reason_position, INPUT_OWN},
    [ROLE_TOKEN_TYPE] = {"token_type", PRUNABLE_WHEN_NAMED, reason_embedding, INPUT_OWN},
    [ROLE_LM_HEAD] = {"lm_head", PRUNABLE_WHEN_NAMED, reason_head, INPUT_OWN},
    [ROLE_PROJECT_IN] = {"project_in", PRUNABLE_WHEN_NAMED, reason_projection, INPUT_OWN},
    [ROLE_PROJECT_OUT] = {"project_out", PRUNABLE_WHEN_NAMED, reason_projection, INPUT_OWN},
    [ROLE_NORM_1] = {"norm1", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_NORM_2] = {"norm2", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_NORM_3] = {"norm3", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_NORM_4] = {"norm4", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_Q_NORM] = {"q_norm", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_K_NORM] = {"k_norm", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_EMBEDDING_NORM] = {"embedding_norm", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_FINAL_NORM] = {"final_norm", PRUNABLE_NO, reason_norm, INPUT_OWN},
    [ROLE_SCALE] = {"scale", PRUNABLE_NO, reason_scale, INPUT_OWN},
    [ROLE_BUFFER] = {"buffer", PRUNABLE_NO, reason_buffer, INPUT_OWN},
    [ROLE_OTHER] = {"other", PRUNABLE_NO, reason_other, INPUT_OWN},
};

const struct role_info *role_info(enum role role) {
    return &roles[role];
}

const char *role_name(enum role role) {
    return roles[role].name;
}

bool role_from_name(enum role *role, const char *name) {
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(roles[i].name, name) != 0)
            continue;
        *role = (enum role)i;
        return true;
    }
    return false;
}
