/* Selectors: what they mean, and what they say when they mean nothing. */
#include "base/memory.h"
#include "made_model.h"
#include "plan/selector.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct expected {
    const char *selector;
    size_t count;      /* 0: an error */
    const char *first; /* module of the first match, or part of the error's sentence */
};

static void check(struct plan *plan, const struct expected *list, size_t length) {
    for (size_t i = 0; i < length; i++) {
        struct error error = {0};
        size_t *indices;
        size_t count;
        bool ok = selector_match(&indices, &count, plan, list[i].selector, &error);
        if (ok != (list[i].count > 0) || count != list[i].count)
            fail_msg("%s: %zu matches, %s", list[i].selector, count, error.text);
        if (ok)
            assert_string_equal(plan_model(plan)->matrices[indices[0]].module, list[i].first);
        else if (error.code != ERROR_USAGE || strstr(error.text, list[i].first) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", list[i].selector, error.text, list[i].first);
        for (size_t n = 1; n < count; n++)
            assert_true(indices[n - 1] < indices[n]);
        memory_free(indices);
    }
}

static void plain_models(void **state) {
    (void)state;
    static const struct expected list[] = {
        {"all", 84, "model.layers.0.q"},
        {"*", 84, "model.layers.0.q"},
        {"5", 7, "model.layers.5.q"},
        {"5.*", 7, "model.layers.5.q"},
        {"5.q", 1, "model.layers.5.q"},
        {"4-9.q", 6, "model.layers.4.q"},
        {"4-9", 42, "model.layers.4.q"},
        {"1?.q", 2, "model.layers.10.q"},
        {"{1,3}.o", 2, "model.layers.1.o"},
        {"*.down", 12, "model.layers.0.down"},
        {"down", 12, "model.layers.0.down"},
        {"mlp", 36, "model.layers.0.gate"},
        {"mlp.*", 36, "model.layers.0.gate"},
        {"3.mlp.*", 3, "model.layers.3.gate"},
        {"attn", 48, "model.layers.0.q"},
        {"attn.{q,k}", 24, "model.layers.0.q"},
        {"mlp.up", 12, "model.layers.0.up"},
        {"5.q, 5.q,5.k", 2, "model.layers.5.q"},
        {"re:layers\\.(2|3)\\.[qk]", 4, "model.layers.2.q"},
        {"re:layers\\.[0-9]{2}\\.q", 2, "model.layers.10.q"},
        {"unlocked", 84, "model.layers.0.q"},
        {"lm_head", 1, "lm_head"},
        {"lm_head.weight", 1, "lm_head"},
        {"model.layers.2.k.weight", 1, "model.layers.2.k"},
        {"model.layers.2.k", 1, "model.layers.2.k"},
        {"", 0, "empty selector"},
        {"5.q,", 0, "empty selector"},
        {"12", 0, "no block 12"},
        {"9-4.q", 0, "backwards"},
        {"4-.q", 0, "range"},
        {"5.qkv", 0, "q, k, v, o, gate, up, down"},
        {"5.", 0, "nothing matches"},
        {"tagged", 0, "no matrix is tagged"},
        {"locked", 0, "no matrix is locked"},
        {"re:(", 0, "regular expression"},
        {"re:nothing", 0, "names look like"},
        {"model.norm.weight", 0, "never pruned"},
        {"*.lm_head", 0, "these blocks hold"},
        {"attn.up", 0, "nothing matches"},
    };
    struct error error = {0};
    struct model *model = made_model_create(12, made_llama, 7, 0);
    struct plan *plan = plan_create(model, &error);
    check(plan, list, sizeof list / sizeof *list);
    plan_tag(plan, 8, true);
    static const struct expected tagged[] = {{"tagged", 1, "model.layers.1.k"}};
    check(plan, tagged, 1);
    plan_free(plan);
    made_model_free(model);
}

static void fused_models(void **state) {
    (void)state;
    static const struct expected list[] = {
        {"5.qkv", 1, "model.layers.5.qkv"},
        {"attn", 12, "model.layers.0.qkv"},
        {"*", 24, "model.layers.0.qkv"},
        {"5.q", 0, "block 5 of this model holds q, k and v in one fused matrix: use 5.qkv"},
        {"*.v", 0, "holds q, k and v in one fused matrix: use *.qkv"},
        {"up", 0, "holds gate and up in one fused matrix: use gate_up"},
        {"{q,o}", 0, "fused"},
    };
    struct error error = {0};
    struct model *model = made_model_create(6, made_fused, 4, 0);
    struct plan *plan = plan_create(model, &error);
    check(plan, list, sizeof list / sizeof *list);
    plan_free(plan);
    made_model_free(model);
}

static void expert_models(void **state) {
    (void)state;
    static const struct expected list[] = {
        {"e3.up", 2, "model.layers.0.e3.up"},      {"1.e3.up", 1, "model.layers.1.e3.up"},
        {"up", 18, "model.layers.0.e0.up"},        {"shared.*", 2, "model.layers.0.shared.up"},
        {"e*.down", 16, "model.layers.0.e0.down"}, {"e9.up", 0, "e0.up"},
    };
    struct error error = {0};
    struct model *model = made_model_create(2, made_experts, 6, 8);
    struct plan *plan = plan_create(model, &error);
    check(plan, list, sizeof list / sizeof *list);
    plan_free(plan);
    made_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_models),
        cmocka_unit_test(fused_models),
        cmocka_unit_test(expert_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
