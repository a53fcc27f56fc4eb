/* Models are understood: blocks, roles, labels, shared inputs, what can be pruned and why the rest cannot. */
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "model/config.h"
#include "model/model.h"
#include "tests/golden.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/secateur-model-XXXXXX";

static char *in_folder(const char *name) {
    char *path = file_join(folder, name, NULL);
    assert_non_null(path);
    return path;
}

static void write_text(const char *name, const char *text) {
    char *path = in_folder(name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    memory_free(path);
}

static void remove_file(const char *name) {
    char *path = in_folder(name);
    (void)remove(path);
    memory_free(path);
}

/* A safetensors file of zeros (a hole in the disk) that grows by one tensor at a time. */
struct file_of_zeros {
    json_t *header;
    uint64_t bytes;
};

static void add_tensor(struct file_of_zeros *file, const char *name, const char *dtype, const int64_t *shape,
                       size_t rank) {
    enum dtype type;
    assert_true(dtype_from_name(&type, dtype));
    uint64_t begin = file->bytes, count = 1;
    json_t *dimensions = json_array();
    for (size_t i = 0; i < rank; i++) {
        count *= (uint64_t)shape[i];
        json_array_append_new(dimensions, json_integer(shape[i]));
    }
    file->bytes += count * dtype_info(type)->bytes;
    json_object_set_new(file->header, name,
                        json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", dimensions, "data_offsets",
                                  (json_int_t)begin, (json_int_t)file->bytes));
}

/* Adds "name 4x8" or "name 4x8 I32"; F32 is usual. */
static void add_line(struct file_of_zeros *file, const char *line) {
    char name[256], dtype[16] = "F32", sizes[64];
    int64_t shape[4];
    size_t rank = 0;
    assert_true(sscanf(line, "%255s %63s %15s", name, sizes, dtype) >= 2);
    for (char *size = strtok(sizes, "x"); size != NULL; size = strtok(NULL, "x"))
        shape[rank++] = strtoll(size, NULL, 10);
    add_tensor(file, name, dtype, shape, rank);
}

static void write_zeros(struct file_of_zeros *file) {
    char *header = json_dumps(file->header, JSON_COMPACT), *path = in_folder("model.safetensors");
    uint64_t length = strlen(header);
    int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, &length, sizeof length), sizeof length);
    assert_int_equal(write(descriptor, header, length), length);
    assert_int_equal(ftruncate(descriptor, (off_t)(8 + length + file->bytes)), 0);
    assert_int_equal(close(descriptor), 0);
    free(header);
    memory_free(path);
    json_decref(file->header);
}

/* Writes a model: lines of tensors separated by ';'; lines with "%d" are repeated for blocks 0 and 1. */
static void write_model(const char *config, const char *tensors) {
    struct file_of_zeros file = {json_object(), 0};
    char *copy = strdup(tensors), *rest = copy;
    for (char *line = rest; line != NULL && *line != '\0'; line = rest) {
        char full[512];
        const char *hole = strstr(line, "%d");
        rest = strchr(line, ';');
        if (rest != NULL)
            *rest++ = '\0';
        hole = strstr(line, "%d");
        for (int block = 0; block < (hole != NULL ? 2 : 1); block++) {
            if (hole != NULL)
                (void)snprintf(full, sizeof full, "%.*s%d%s", (int)(hole - line), line, block, hole + 2);
            add_line(&file, hole != NULL ? full : line);
        }
    }
    free(copy);
    write_zeros(&file);
    if (config != NULL)
        write_text("config.json", config);
    else
        remove_file("config.json");
}

static struct model *open_model(const char *path) {
    struct error error = {0};
    struct model *model = model_open(path, &error);
    if (model == NULL)
        fail_msg("%s: %s", path, error.text);
    return model;
}

/* "q k v o ..." of one block, or "q:0 k:0 v:0 o:3" with the matrices' inputs. */
static void labels_of(struct text *text, const struct model *model, int64_t block, bool inputs) {
    for (size_t i = 0; i < model->matrix_count; i++) {
        const struct matrix *matrix = &model->matrices[i];
        if (matrix->block != block)
            continue;
        text_add(text, "%s%s", text->length > 0 ? " " : "", matrix->label);
        if (inputs)
            text_add(text, ":%zu", matrix->input);
    }
}

static void check_labels(const struct model *model, int64_t block, bool inputs, const char *expected) {
    struct text text = {0};
    labels_of(&text, model, block, inputs);
    if (strcmp(text_string(&text), expected) != 0)
        fail_msg("%s: block %d is \"%s\" where \"%s\" was expected", model->name, (int)block, text_string(&text),
                 expected);
    text_free(&text);
}

static void check_architecture(const struct model *model, bool known, const char *sentence) {
    if (model->architecture_known != known || strstr(model->architecture_error.text, sentence) == NULL)
        fail_msg("%s: known %d, \"%s\" where \"%s\" was expected", model->name, model->architecture_known,
                 model->architecture_error.text, sentence);
}

#define LLAMA_BLOCK "q:0 k:0 v:0 o:3 gate:4 up:4 down:6"
#define OPT_BLOCK "k:0 v:0 q:0 o:3 fc1:4 fc2:5"
#define FUSED_BLOCK "qkv:0 o:1 fc1:2 fc2:3"
#define EXPERT(e, first, second) "e" #e ".gate:" #first " e" #e ".up:" #first " e" #e ".down:" #second

static const struct {
    const char *folder, *family, *prefix;
    size_t blocks, matrices;
    uint64_t parameters, prunable;
    bool tied;
    const char *block_0, *outside;
} known[] = {
    {"golden/bloom", "bloom", "transformer.", 3, 13, 97296, 82944, true, FUSED_BLOCK, "embedding"},
    {"golden/falcon", "falcon", "transformer.", 3, 13, 85248, 72576, true, "qkv:0 o:1 fc1:0 fc2:3", "embedding"},
    {"golden/gemma2", "gemma2", "model.", 4, 29, 146736, 133632, true, LLAMA_BLOCK, "embedding"},
    {"golden/gpt2", "gpt2", "transformer.", 3, 14, 170560, 147456, true, FUSED_BLOCK, "embedding position"},
    {"golden/gpt_neo", "gpt_neo", "transformer.", 4, 26, 127968, 110592, true, OPT_BLOCK, "embedding position"},
    {"golden/gpt_neox", "gpt_neox", "gpt_neox.", 3, 14, 109488, 82944, false, FUSED_BLOCK, "embedding lm_head"},
    {"golden/gptj", "gptj", "transformer.", 3, 20, 108880, 82944, false, "k:0 v:0 q:0 o:3 fc1:0 fc2:5",
     "embedding lm_head"},
    {"golden/llama", "llama", "model.", 3, 23, 171456, 138240, false, LLAMA_BLOCK, "embedding lm_head"},
    {"golden/llama3", "llama", "model.", 3, 22, 107472, 93312, true, LLAMA_BLOCK, "embedding"},
    {"golden/mistral", "mistral", "model.", 3, 23, 118224, 93312, false, LLAMA_BLOCK, "embedding lm_head"},
    {"golden/mixtral", "mixtral", "model.", 2, 36, 195696, 170496, false,
     "q:0 k:0 v:0 o:3 router:4 e0.gate:5 e0.down:6 e0.up:5 e1.gate:8 e1.down:9 e1.up:8 e2.gate:11 e2.down:12 "
     "e2.up:11 e3.gate:14 e3.down:15 e3.up:14",
     "embedding lm_head"},
    {"golden/olmo2", "olmo2", "model.", 2, 16, 77952, 52992, false, LLAMA_BLOCK, "embedding lm_head"},
    {"golden/opt", "opt", "model.decoder.", 3, 20, 100368, 82944, true, OPT_BLOCK, "embedding position"},
    {"golden/phi3", "phi3", "model.", 3, 14, 104400, 79488, false, "o:0 qkv:1 gate_up:2 down:3", "embedding lm_head"},
    {"golden/qwen2", "qwen2", "model.", 3, 22, 92400, 79488, true, LLAMA_BLOCK, "embedding"},
    {"golden/qwen3", "qwen3", "model.", 3, 22, 112992, 100224, true, LLAMA_BLOCK, "embedding"},
    {"golden/qwen3_moe", "qwen3_moe", "model.", 2, 26, 86128, 61056, false,
     "q:0 k:0 v:0 o:3 router:4 " EXPERT(0, 5, 7) " " EXPERT(1, 8, 10) " " EXPERT(2, 11, 13) " " EXPERT(3, 14, 16),
     "embedding lm_head"},
    {"golden/stablelm", "stablelm", "model.", 3, 23, 102672, 77184, false, LLAMA_BLOCK, "embedding lm_head"},
    {"golden/starcoder2", "starcoder2", "model.", 2, 13, 53360, 39936, true, "q:0 k:0 v:0 o:3 fc1:4 fc2:5",
     "embedding"},
    {"golden/trained_stories260k", "llama", "model.", 5, 36, 260032, 226560, true, LLAMA_BLOCK, "embedding"},
    {"models/sample", "llama", "model.", 6, 43, 2080800, 1751040, true, LLAMA_BLOCK, "embedding"},
    {"models/llama-11m", "llama", "model.", 6, 43, 11015040, 9437184, true, LLAMA_BLOCK, "embedding"},
    {"models/stories260k", "llama", "model.", 5, 36, 260032, 226560, true, LLAMA_BLOCK, "embedding"},
};

static void check_known(const struct model *model, size_t i, const char *prefix) {
    check_architecture(model, true, "");
    assert_string_equal(model->family_name, known[i].family);
    assert_string_equal(model->prefix, prefix);
    assert_int_equal(model->block_count, known[i].blocks);
    assert_int_equal(model->architecture.blocks, known[i].blocks);
    assert_int_equal(model->matrix_count, known[i].matrices);
    assert_int_equal(model->parameters, known[i].parameters);
    assert_int_equal(model->prunable, known[i].prunable);
    assert_int_equal(model->tied, known[i].tied);
    assert_true(model->architecture.verified);
    check_labels(model, 0, true, known[i].block_0);
    check_labels(model, MODEL_NO_BLOCK, false, known[i].outside);
}

static void reference_models_open(void **state) {
    (void)state;
    if (golden_folder() == NULL)
        skip();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char *path = golden_path(known[i].folder);
        struct model *model = open_model(path);
        check_known(model, i, known[i].prefix);
        model_close(model);
        memory_free(path);
    }
}

/* config_full.json holds every key, so reading it must give what config.json and the class defaults give. */
static void absent_keys_mean_what_full_files_say(void **state) {
    (void)state;
    if (golden_folder() == NULL)
        skip();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char *path = golden_path(known[i].folder), *full = file_join(path, "config_full.json", NULL);
        if (file_exists(full)) {
            struct model *model = open_model(path);
            struct error error = {0};
            struct architecture stated, *a = &model->architecture;
            json_t *root = config_load(full, &error);
            assert_non_null(root);
            if (!config_read(&stated, model->family, root, full, &error))
                fail_msg("%s", error.text);
            assert_int_equal(stated.tied, a->tied);
            assert_int_equal(stated.kv_heads, a->kv_heads);
            assert_int_equal(stated.head_dim, a->head_dim);
            assert_int_equal(stated.intermediate, a->intermediate);
            assert_int_equal(stated.positions, a->positions);
            assert_int_equal(stated.activation, a->activation);
            assert_int_equal(stated.form, a->form);
            assert_memory_equal(stated.window, a->window, (size_t)a->blocks * sizeof *a->window);
            assert_memory_equal(&stated.rope.base, &a->rope.base, sizeof a->rope.base);
            assert_memory_equal(&stated.attention_scale, &a->attention_scale, sizeof a->attention_scale);
            json_decref(root);
            architecture_free(&stated);
            model_close(model);
        }
        memory_free(full);
        memory_free(path);
    }
}

/* The same weights under the names that the hub's files of gpt2 and bloom have. */
static void names_without_prefix(void **state) {
    (void)state;
    if (golden_folder() == NULL)
        skip();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].family, "gpt2") != 0 && strcmp(known[i].family, "bloom") != 0)
            continue;
        char *source = golden_path(known[i].folder);
        char *weights = file_join(source, "model_noprefix.safetensors", NULL);
        char *config = file_join(source, "config.json", NULL);
        char *weights_here = in_folder("model.safetensors"), *config_here = in_folder("config.json");
        assert_true(file_copy(weights_here, weights, NULL) && file_copy(config_here, config, NULL));
        struct model *model = open_model(folder), *single = open_model(weights_here);
        check_known(model, i, "");
        check_known(single, i, "");
        model_close(model);
        model_close(single);
        memory_free(source), memory_free(weights), memory_free(config);
        memory_free(weights_here), memory_free(config_here);
    }
}

static void transposed_matrices_read_as_outputs_by_inputs(void **state) {
    (void)state;
    if (golden_folder() == NULL)
        skip();
    char *path = golden_path("golden/gpt2");
    struct model *model = open_model(path);
    const struct matrix *matrix = model_matrix(model, "transformer.h.1.attn.c_attn");
    assert_non_null(matrix);
    assert_true(matrix->transposed && matrix->rows == 192 && matrix->columns == 64);
    float *stored = golden_tensor(model->checkpoint, matrix->name), *part = memory_alloc(150 * 64, sizeof *part, NULL);
    matrix_read(part, matrix, 21, 171);
    for (size_t row = 0; row < 150; row++)
        for (size_t column = 0; column < 64; column++)
            assert_true(memcmp(&part[row * 64 + column], &stored[column * 192 + row + 21], sizeof *part) == 0);
    matrix = model_matrix(model, "transformer.wte.weight");
    assert_non_null(matrix);
    matrix_read(part, matrix, 5, 7);
    memory_free(stored);
    stored = golden_tensor(model->checkpoint, matrix->name);
    assert_memory_equal(part, stored + (size_t)5 * 64, 2 * 64 * sizeof *part);
    memory_free(stored);
    memory_free(part);
    model_close(model);
    memory_free(path);
}

/* Tiny shapes: vocabulary 12, hidden 8, 2 heads of 4, 1 key-value head where heads are grouped, 16 hidden units. */
#define SIZES "\"vocab_size\":12,\"hidden_size\":8,\"num_hidden_layers\":2,\"num_attention_heads\":2"
#define GPT_SIZES "\"vocab_size\":12,\"n_embd\":8,\"n_layer\":2,\"n_head\":2,\"n_positions\":10"
#define ENDS "model.embed_tokens.weight 12x8;model.norm.weight 8;"
#define QKVO(b)                                                                                                        \
    b "self_attn.q_proj.weight 8x8;" b "self_attn.k_proj.weight 4x8;" b "self_attn.v_proj.weight 4x8;" b               \
      "self_attn.o_proj.weight 8x8;"
#define MLP(b) b "gate_proj.weight 16x8;" b "up_proj.weight 16x8;" b "down_proj.weight 8x16;"
#define NORMS(b) b "input_layernorm.weight 8;" b "post_attention_layernorm.weight 8;"
#define GEMMA_NORMS(b)                                                                                                 \
    b "self_attn.q_norm.weight 4;" b "self_attn.k_norm.weight 4;" b "pre_feedforward_layernorm.weight 8;" b            \
      "post_feedforward_layernorm.weight 8;"
#define B "model.layers.%d."
#define LLAMA_TENSORS ENDS QKVO(B) MLP(B "mlp.") NORMS(B)
#define LLAMA_CONFIG "{\"model_type\":\"llama\"," SIZES ",\"num_key_value_heads\":1,\"intermediate_size\":16"
#define GPT_NORMS(b) b "ln_1.weight 8;" b "ln_1.bias 8;"
#define GPT_ENDS "transformer.wte.weight 12x8;transformer.ln_f.weight 8;transformer.ln_f.bias 8;lm_head.weight 12x8;"

static const struct {
    const char *config, *tensors, *block_1, *outside;
} made[] = {
    {"{\"model_type\":\"gemma\"," SIZES ",\"num_key_value_heads\":1,\"head_dim\":4,\"intermediate_size\":16}",
     LLAMA_TENSORS, LLAMA_BLOCK, "embedding"},
    {"{\"model_type\":\"gemma3_text\"," SIZES ",\"num_key_value_heads\":1,\"head_dim\":4,\"intermediate_size\":16}",
     LLAMA_TENSORS GEMMA_NORMS(B), LLAMA_BLOCK, "embedding"},
    {"{\"model_type\":\"gemma3\",\"vision_config\":{\"hidden_size\":3},\"text_config\":{\"model_type\":\"gemma3_text\","
     "" SIZES ",\"num_key_value_heads\":1,\"head_dim\":4,\"intermediate_size\":16}}",
     "language_model.model.embed_tokens.weight 12x8;language_model.model.norm.weight 8;" QKVO("language_model." B)
         MLP("language_model." B "mlp.") NORMS("language_model." B)
             GEMMA_NORMS("language_model." B) "vision_tower.conv.weight 3x3",
     LLAMA_BLOCK, "embedding vision_tower.conv"},
    {"{\"model_type\":\"phi\"," SIZES ",\"intermediate_size\":16}",
     "model.embed_tokens.weight 12x8;model.final_layernorm.weight 8;model.final_layernorm.bias 8;lm_head.weight "
     "12x8;lm_head.bias 12;" B "self_attn.q_proj.weight 8x8;" B "self_attn.k_proj.weight 8x8;" B
     "self_attn.v_proj.weight 8x8;" B "self_attn.dense.weight 8x8;" B "mlp.fc1.weight 16x8;" B "mlp.fc2.weight 8x16;" B
     "input_layernorm.weight 8;" B "input_layernorm.bias 8",
     "q:0 k:0 v:0 o:3 fc1:0 fc2:5", "embedding lm_head"},
    {"{\"model_type\":\"gpt_bigcode\"," GPT_SIZES "}",
     GPT_ENDS "transformer.wpe.weight 10x8;" GPT_NORMS(
         "transformer.h.%d.") "transformer.h.%d.attn.c_attn.weight 16x8;transformer.h.%d.attn.c_proj.weight "
                              "8x8;transformer.h.%d.mlp.c_fc.weight 32x8;transformer.h.%d.mlp.c_proj.weight "
                              "8x32;transformer.h.%d.ln_2.weight 8",
     FUSED_BLOCK, "embedding position lm_head"},
    {"{\"model_type\":\"codegen\",\"rotary_dim\":2," GPT_SIZES "}",
     GPT_ENDS GPT_NORMS("transformer.h.%d.") "transformer.h.%d.attn.qkv_proj.weight "
                                             "24x8;transformer.h.%d.attn.out_proj.weight "
                                             "8x8;transformer.h.%d.mlp.fc_in.weight "
                                             "32x8;transformer.h.%d.mlp.fc_out.weight "
                                             "8x32;transformer.h.%d.attn.causal_mask 1x1x4x4 BOOL",
     "qkv:0 o:1 fc1:0 fc2:3", "embedding lm_head"},
    {"{\"model_type\":\"mpt\",\"vocab_size\":12,\"d_model\":8,\"n_layers\":2,\"n_heads\":2}",
     "transformer.wte.weight 12x8;transformer.norm_f.weight 8;transformer.blocks.%d.norm_1.weight "
     "8;transformer.blocks.%d.norm_2.weight 8;transformer.blocks.%d.attn.Wqkv.weight "
     "24x8;transformer.blocks.%d.attn.out_proj.weight 8x8;transformer.blocks.%d.ffn.up_proj.weight "
     "32x8;transformer.blocks.%d.ffn.down_proj.weight 8x32",
     FUSED_BLOCK, "embedding"},
    {"{\"model_type\":\"olmo\"," SIZES ",\"num_key_value_heads\":1,\"intermediate_size\":16}",
     "model.embed_tokens.weight 12x8;lm_head.weight 12x8;" QKVO(B) MLP(B "mlp."), LLAMA_BLOCK, "embedding lm_head"},
    {"{\"model_type\":\"granite\",\"tie_word_embeddings\":true," SIZES
     ",\"num_key_value_heads\":1,\"intermediate_size\":16}",
     LLAMA_TENSORS, LLAMA_BLOCK, "embedding"},
    {"{\"model_type\":\"cohere\",\"use_qk_norm\":true," SIZES ",\"num_key_value_heads\":1,\"intermediate_size\":16}",
     ENDS QKVO(B) MLP(B "mlp.") B "input_layernorm.weight 8;" B "self_attn.q_norm.weight 2x4;" B
                                  "self_attn.k_norm.weight 1x4",
     "q:0 k:0 v:0 o:3 gate:0 up:0 down:6", "embedding"},
    {"{\"model_type\":\"nemotron\"," SIZES ",\"num_key_value_heads\":1,\"intermediate_size\":16}",
     ENDS "lm_head.weight 12x8;" QKVO(B) NORMS(B) B "mlp.up_proj.weight 16x8;" B "mlp.down_proj.weight 8x16",
     "q:0 k:0 v:0 o:3 fc1:4 fc2:5", "embedding lm_head"},
    {"{\"model_type\":\"glm\"," SIZES ",\"num_key_value_heads\":1,\"head_dim\":4,\"intermediate_size\":16}",
     ENDS "lm_head.weight 12x8;" QKVO(B) NORMS(B) B "mlp.gate_up_proj.weight 32x8;" B "mlp.down_proj.weight 8x16",
     "q:0 k:0 v:0 o:3 gate_up:4 down:5", "embedding lm_head"},
    {"{\"model_type\":\"qwen2_moe\",\"num_experts\":2,\"num_experts_per_tok\":1,\"moe_intermediate_size\":4,"
     "\"shared_expert_intermediate_size\":6,\"mlp_only_layers\":[]," SIZES
     ",\"num_key_value_heads\":1,\"intermediate_size\":16}",
     ENDS "lm_head.weight 12x8;" QKVO(B) NORMS(B) B
     "self_attn.q_proj.bias 8;" B "mlp.gate.weight 2x8;" B "mlp.shared_expert_gate.weight 1x8;" B
     "mlp.shared_expert.gate_proj.weight 6x8;" B "mlp.shared_expert.up_proj.weight 6x8;" B
     "mlp.shared_expert.down_proj.weight 8x6;" B "mlp.experts.1.up_proj.weight 4x8;" B
     "mlp.experts.0.up_proj.weight 4x8;" B "mlp.experts.0.gate_proj.weight 4x8;" B
     "mlp.experts.1.gate_proj.weight 4x8;" B "mlp.experts.0.down_proj.weight 8x4;" B
     "mlp.experts.1.down_proj.weight 8x4",
     "q:0 k:0 v:0 o:3 router:4 " EXPERT(0, 5, 7) " " EXPERT(
         1, 8, 10) " shared.gate:4 shared.up:4 shared.down:13 shared_router:4",
     "embedding lm_head"},
    {"{\"model_type\":\"falcon\",\"new_decoder_architecture\":true,\"num_kv_heads\":1," SIZES "}",
     "transformer.word_embeddings.weight 12x8;transformer.ln_f.weight 8;transformer.ln_f.bias "
     "8;transformer.h.%d.ln_attn.weight 8;transformer.h.%d.ln_mlp.weight "
     "8;transformer.h.%d.self_attention.query_key_value.weight 16x8;transformer.h.%d.self_attention.dense.weight "
     "8x8;transformer.h.%d.mlp.dense_h_to_4h.weight 32x8;transformer.h.%d.mlp.dense_4h_to_h.weight 8x32",
     FUSED_BLOCK, "embedding"},
    {"{\"model_type\":\"stablelm\",\"qk_layernorm\":true,\"use_parallel_residual\":true," SIZES
     ",\"num_key_value_heads\":1,\"partial_rotary_factor\":0.5,\"intermediate_size\":16}",
     ENDS "lm_head.weight 12x8;" QKVO(B) MLP(B "mlp.") B
     "input_layernorm.weight 8;" B "self_attn.q_layernorm.norms.0.weight 4;" B
     "self_attn.q_layernorm.norms.1.weight 4;" B "self_attn.k_layernorm.norms.0.weight 4",
     "q:0 k:0 v:0 o:3 gate:0 up:0 down:6", "embedding lm_head"},
    {"{\"model_type\":\"opt\",\"do_layer_norm_before\":false,\"word_embed_proj_dim\":4,\"ffn_dim\":16,"
     "\"max_position_embeddings\":10,\"enable_bias\":false," SIZES "}",
     "decoder.embed_tokens.weight 12x4;decoder.embed_positions.weight 12x8;decoder.project_in.weight "
     "8x4;decoder.project_out.weight 4x8;decoder.layers.%d.self_attn.k_proj.weight "
     "8x8;decoder.layers.%d.self_attn.v_proj.weight 8x8;decoder.layers.%d.self_attn.q_proj.weight "
     "8x8;decoder.layers.%d.self_attn.out_proj.weight 8x8;decoder.layers.%d.fc1.weight "
     "16x8;decoder.layers.%d.fc2.weight 8x16;decoder.layers.%d.self_attn_layer_norm.weight "
     "8;decoder.layers.%d.final_layer_norm.weight 8",
     OPT_BLOCK, "embedding position project_in project_out"},
};

static void families_without_reference_open(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        write_model(made[i].config, made[i].tensors);
        struct model *model = open_model(folder);
        if (!model->architecture_known)
            fail_msg("%.40s: %s", made[i].config, model->architecture_error.text);
        assert_false(model->architecture.verified && strstr(made[i].config, "gpt_bigcode") != NULL);
        check_labels(model, 1, true, made[i].block_1);
        check_labels(model, MODEL_NO_BLOCK, false, made[i].outside);
        assert_int_equal(model->block_count, 2);
        model_close(model);
    }
}

static void tied_weights_are_one_tensor(void **state) {
    (void)state;
    const char *tied = LLAMA_CONFIG ",\"tie_word_embeddings\":true}", *untied = LLAMA_CONFIG "}";
    const uint64_t in_blocks = 2 * (8 * 8 * 2 + 4 * 8 * 2 + 3 * 16 * 8), norms = 8 + 2 * 16;
    write_model(tied, "lm_head.weight 12x8;model.norm.weight 8;" QKVO(B) MLP(B "mlp.") NORMS(B));
    struct model *model = open_model(folder);
    check_architecture(model, true, "");
    assert_true(model->tied);
    const struct weight *head = model_weight(model, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, false);
    assert_non_null(head);
    assert_string_equal(head->tensor->name, "lm_head.weight");
    assert_ptr_equal(head, model_weight(model, MODEL_NO_BLOCK, ROLE_EMBEDDING, MODEL_NO_EXPERT, false));
    check_labels(model, MODEL_NO_BLOCK, false, "embedding");
    assert_int_equal(model->parameters, in_blocks + norms + 96);
    model_close(model);

    write_model(tied, LLAMA_TENSORS "lm_head.weight 12x8");
    model = open_model(folder);
    check_architecture(model, true, "");
    assert_string_equal(model_weight(model, MODEL_NO_BLOCK, ROLE_LM_HEAD, MODEL_NO_EXPERT, false)->tensor->name,
                        "model.embed_tokens.weight");
    assert_int_equal(model->parameters, in_blocks + norms + 96);
    assert_int_equal(model->prunable, in_blocks);
    const struct matrix *copy = model_matrix(model, "lm_head");
    assert_non_null(copy);
    assert_int_equal(copy->weight->prunable, PRUNABLE_NO);
    assert_non_null(strstr(copy->reason, "second copy"));
    model_close(model);

    write_model(untied, LLAMA_TENSORS);
    model = open_model(folder);
    check_architecture(model, false, "no tensor holds the lm_head");
    model_close(model);
}

/* Contradictions between config.json and the tensors. */
static void contradictions_are_named(void **state) {
    (void)state;
    static const struct {
        const char *options, *tensors, *sentence;
    } cases[] = {
        {",\"vocab_size\":13", LLAMA_TENSORS, "model.embed_tokens.weight has 12 outputs and 8 inputs"},
        {",\"num_hidden_layers\":3", LLAMA_TENSORS, "block 2 has no tensor for the q"},
        {",\"num_hidden_layers\":1", LLAMA_TENSORS, "lies in block 1 but config.json says that there are 1 blocks"},
        {",\"intermediate_size\":24", LLAMA_TENSORS, "model.layers.0.mlp.gate_proj.weight has 16 outputs"},
        {",\"attention_bias\":true", LLAMA_TENSORS, "\"attention_bias\" says that the q matrices have a bias"},
        {"", LLAMA_TENSORS "model.layers.0.self_attn.q_proj.bias 8", "have no bias but block 0 has one"},
        {"", ENDS QKVO(B) NORMS(B), "block 0 has no tensor for the gate"},
        {"", ENDS QKVO(B) MLP(B "mlp."), "block 0 has no tensor for the norm1"},
        {"", "model.embed_tokens.weight 12x8;" QKVO(B) MLP(B "mlp.") NORMS(B), "no tensor holds the final_norm"},
        {",\"surprise\":1", LLAMA_TENSORS, "\"surprise\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *config = json_loads(LLAMA_CONFIG ",\"tie_word_embeddings\":true}", 0, NULL);
        char options[256];
        (void)snprintf(options, sizeof options, "{\"tie_word_embeddings\":true%s}", cases[i].options);
        json_t *changes = json_loads(options, 0, NULL);
        json_object_update(config, changes);
        char *text = json_dumps(config, 0);
        write_model(text, cases[i].tensors);
        struct model *model = open_model(folder);
        check_architecture(model, false, cases[i].sentence);
        assert_non_null(strstr(model->architecture_error.text, "config.json: "));
        assert_int_equal(model->block_count, 2);
        model_close(model);
        free(text);
        json_decref(config);
        json_decref(changes);
    }
}

/* Values that mean nothing without their scales are shown and never scored. */
static void scaled_weights_are_refused(void **state) {
    (void)state;
    write_model(LLAMA_CONFIG ",\"tie_word_embeddings\":true}", ENDS NORMS(B) MLP(B "mlp.") B
                "self_attn.q_proj.weight 8x8 F8_E4M3;" B "self_attn.q_proj.weight_scale_inv 1x1;" B
                "self_attn.k_proj.qweight 1x4 I32;" B "self_attn.k_proj.qzeros 1x1 I32;" B
                "self_attn.k_proj.scales 1x4 F16;" B "self_attn.k_proj.g_idx 8 I32;" B
                "self_attn.v_proj.weight 4x8 F8_E4M3;" B "self_attn.o_proj.weight 8x8 I8");
    struct model *model = open_model(folder);
    assert_false(model->architecture_known);
    check_labels(model, 0, false, "q k v o gate up down");
    static const struct {
        const char *label, *reason;
    } cases[] = {{"q_proj", "scales"}, {"k_proj", "packed integers"}, {"v_proj", NULL}, {"o_proj", "integers"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "model.layers.1.self_attn.%s", cases[i].label);
        const struct matrix *matrix = model_matrix(model, name);
        assert_non_null(matrix);
        assert_int_equal(matrix->prunable, cases[i].reason == NULL);
        if (cases[i].reason != NULL)
            assert_non_null(strstr(matrix->reason, cases[i].reason));
    }
    model_close(model);
}

static void unknown_families_are_guessed(void **state) {
    (void)state;
    write_model("{\"model_type\":\"novel\"}",
                "tok_embeddings.weight 12x8;net.layer.%d.mix.a.weight 8x8;net.layer.%d.mix.b.weight "
                "8x8;net.layer.%d.norm.weight 8;output.weight 12x8;other.0.weight 3x3");
    struct model *model = open_model(folder);
    assert_string_equal(model->family_name, "unknown (guessed)");
    check_architecture(model, false, "\"novel\" is not known");
    assert_int_equal(model->block_count, 2);
    check_labels(model, 1, false, "mix.a mix.b");
    assert_int_equal(model->prunable, 4 * 64);
    assert_false(model_matrix(model, "tok_embeddings")->prunable);
    model_close(model);

    write_model(NULL, LLAMA_TENSORS);
    model = open_model(folder);
    assert_string_equal(model->family_name, "llama (guessed)");
    check_architecture(model, false, "no config.json");
    check_labels(model, 0, true, LLAMA_BLOCK);
    assert_true(model->tied);
    model_close(model);

    write_model(NULL, "a.999999999.weight 2x2;b 3x3;99999999999999999999.weight 2x2");
    model = open_model(folder);
    assert_int_equal(model->block_count, 0);
    assert_int_equal(model->prunable, 0);
    model_close(model);
}

static void broken_config_is_an_error(void **state) {
    (void)state;
    write_model("{\"model_type\":", LLAMA_TENSORS);
    struct error error = {0};
    assert_null(model_open(folder, &error));
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.text, "config.json"));
}

static void every_role_is_found(void **state) {
    (void)state;
    write_model(LLAMA_CONFIG ",\"attention_bias\":true}",
                LLAMA_TENSORS "lm_head.weight 12x8;" B "self_attn.q_proj.bias 8;" B "self_attn.rotary_emb.inv_freq 2");
    struct model *model = open_model(folder);
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        if (weight->role != ROLE_BUFFER)
            assert_ptr_equal(weight, model_weight(model, weight->block, weight->role, weight->expert, weight->bias));
        if (weight->matrix != SIZE_MAX)
            assert_ptr_equal(model_matrix(model, weight->tensor->name), &model->matrices[weight->matrix]);
    }
    assert_null(model_weight(model, 2, ROLE_Q, MODEL_NO_EXPERT, false));
    assert_null(model_weight(model, 0, ROLE_QKV, MODEL_NO_EXPERT, false));
    assert_null(model_matrix(model, "model.layers.0.self_attn.q_proj.bias"));
    for (int role = 0; role < ROLE_COUNT; role++) {
        enum role found;
        assert_true(role_from_name(&found, role_name((enum role)role)));
        assert_int_equal(found, role);
    }
    model_close(model);
}

static void failed_allocations_are_errors(void **state) {
    (void)state;
    write_model(LLAMA_CONFIG ",\"tie_word_embeddings\":true}", LLAMA_TENSORS);
    struct model *model = NULL;
    uint64_t n = 1;
    for (; model == NULL && n < 10000; n++) {
        struct error error = {0};
        (void)memory_fail_at(n);
        model = model_open(folder, &error);
        (void)memory_fail_at(0);
        if (model == NULL && error.code != ERROR_MEMORY)
            fail_msg("allocation %d: \"%s\"", (int)n, error.text);
    }
    assert_true(n > 50);
    check_architecture(model, true, "");
    model_close(model);
}

/* A model of 7B shapes opens at once: nothing but headers is read. */
static void large_models_open_at_once(void **state) {
    (void)state;
    struct file_of_zeros file = {json_object(), 0};
    static const struct {
        const char *name;
        int64_t shape[2];
    } parts[] = {{"self_attn.q_proj", {4096, 4096}}, {"self_attn.k_proj", {4096, 4096}},
                 {"self_attn.v_proj", {4096, 4096}}, {"self_attn.o_proj", {4096, 4096}},
                 {"mlp.gate_proj", {11008, 4096}},   {"mlp.up_proj", {11008, 4096}},
                 {"mlp.down_proj", {4096, 11008}}};
    static const int64_t norm[] = {4096}, table[] = {32000, 4096};
    for (int block = 0; block < 32; block++) {
        char name[128];
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", block, parts[i].name);
            add_tensor(&file, name, "F16", parts[i].shape, 2);
        }
        (void)snprintf(name, sizeof name, "model.layers.%d.input_layernorm.weight", block);
        add_tensor(&file, name, "F16", norm, 1);
        (void)snprintf(name, sizeof name, "model.layers.%d.post_attention_layernorm.weight", block);
        add_tensor(&file, name, "F16", norm, 1);
    }
    add_tensor(&file, "model.embed_tokens.weight", "F16", table, 2);
    add_tensor(&file, "lm_head.weight", "F16", table, 2);
    add_tensor(&file, "model.norm.weight", "F16", norm, 1);
    write_zeros(&file);
    write_text("config.json", "{\"model_type\":\"llama\"}");
    double best = INFINITY;
    for (int i = 0; i < 5; i++) {
        double begin = progress_clock();
        struct model *model = open_model(folder);
        double seconds = progress_clock() - begin;
        best = seconds < best ? seconds : best;
        check_architecture(model, true, "");
        assert_int_equal(model->parameters, 6738415616);
        assert_int_equal(model->matrix_count, 226);
        model_close(model);
    }
    print_message("a model of 7B shapes opens in %.1f ms\n", best * 1e3);
    assert_true(best < 0.020 || getenv("SECATEUR_SLOW") != NULL);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state) {
    (void)state;
    return !file_remove_tree(folder, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_models_open),
        cmocka_unit_test(absent_keys_mean_what_full_files_say),
        cmocka_unit_test(names_without_prefix),
        cmocka_unit_test(transposed_matrices_read_as_outputs_by_inputs),
        cmocka_unit_test(families_without_reference_open),
        cmocka_unit_test(tied_weights_are_one_tensor),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(scaled_weights_are_refused),
        cmocka_unit_test(unknown_families_are_guessed),
        cmocka_unit_test(broken_config_is_an_error),
        cmocka_unit_test(every_role_is_found),
        cmocka_unit_test(failed_allocations_are_errors),
        cmocka_unit_test(large_models_open_at_once),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
