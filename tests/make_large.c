/* Makes a Llama-shaped model of any size with random weights, for runs that need more than shapes: make_large FOLDER
 * HIDDEN INTERMEDIATE BLOCKS HEADS KV_HEADS VOCABULARY. Weights are bf16; rows and columns have log-normal scales and
 * every matrix a few strong directions, as trained ones do. Also writes tokens.npy, 4 windows of 512 random ids. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE 65536
#define SPIKES 4

struct shape {
    long hidden, intermediate, blocks, heads, kv_heads, vocabulary;
};

static float normal_table[TABLE];
static uint64_t state = 42;

static uint64_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static float normal(void) {
    return normal_table[random_bits() >> 48];
}

static void fill_table(void) {
    for (int i = 0; i < TABLE; i++) {
        double sum = 0;
        for (int j = 0; j < 12; j++)
            sum += (double)(random_bits() >> 11) / 9007199254740992.0 - 0.5;
        normal_table[i] = (float)sum;
    }
}

static uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x8000U) >> 16);
}

static float *scales(long count, double spread) {
    float *values = malloc((size_t)count * sizeof *values);
    for (long i = 0; values != NULL && i < count; i++)
        values[i] = expf((float)spread * normal());
    return values;
}

static bool write_matrix(FILE *file, long rows, long columns) {
    float *row_scale = scales(rows, 0.3);
    float *column_scale = scales(columns, 0.4);
    float *left = scales(rows * SPIKES, 0.5);
    float *right = scales(columns * SPIKES, 0.5);
    uint16_t *line = malloc((size_t)columns * sizeof *line);
    bool ok = row_scale != NULL && column_scale != NULL && left != NULL && right != NULL && line != NULL;
    float size = 0.7F / sqrtf((float)columns);
    for (long i = 0; ok && i < rows; i++) {
        for (long j = 0; j < columns; j++) {
            float spikes = 0;
            for (long s = 0; s < SPIKES; s++)
                spikes += (left[s * rows + i] - 1) * (right[s * columns + j] - 1);
            line[j] = narrow(size * (normal() * row_scale[i] * column_scale[j] + 0.15F * spikes));
        }
        ok = fwrite(line, sizeof *line, (size_t)columns, file) == (size_t)columns;
    }
    free(row_scale);
    free(column_scale);
    free(left);
    free(right);
    free(line);
    return ok;
}

static bool write_ones(FILE *file, long count) {
    bool ok = true;
    uint16_t one = narrow(1);
    for (long i = 0; ok && i < count; i++)
        ok = fwrite(&one, sizeof one, 1, file) == 1;
    return ok;
}

/* Each tensor once: with `file` its data, without it its line of the header. */
struct writer {
    FILE *file;
    FILE *header;
    uint64_t offset;
};

static bool put(struct writer *writer, const char *name, long rows, long columns) {
    uint64_t bytes = 2 * (uint64_t)rows * (uint64_t)(columns > 0 ? columns : 1);
    if (writer->header != NULL) {
        (void)fprintf(writer->header, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%ld%s", writer->offset > 0 ? "," : "",
                      name, rows, columns > 0 ? "," : "");
        if (columns > 0)
            (void)fprintf(writer->header, "%ld", columns);
        (void)fprintf(writer->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)writer->offset,
                      (unsigned long long)(writer->offset + bytes));
        writer->offset += bytes;
        return true;
    }
    return columns > 0 ? write_matrix(writer->file, rows, columns) : write_ones(writer->file, rows);
}

static bool put_all(struct writer *writer, const struct shape *shape) {
    long head = shape->hidden / shape->heads;
    const struct {
        const char *name;
        long rows, columns;
    } tensors[] = {
        {"input_layernorm", shape->hidden, 0},
        {"self_attn.q_proj", shape->hidden, shape->hidden},
        {"self_attn.k_proj", shape->kv_heads * head, shape->hidden},
        {"self_attn.v_proj", shape->kv_heads * head, shape->hidden},
        {"self_attn.o_proj", shape->hidden, shape->hidden},
        {"post_attention_layernorm", shape->hidden, 0},
        {"mlp.gate_proj", shape->intermediate, shape->hidden},
        {"mlp.up_proj", shape->intermediate, shape->hidden},
        {"mlp.down_proj", shape->hidden, shape->intermediate},
    };
    bool ok = put(writer, "model.embed_tokens.weight", shape->vocabulary, shape->hidden);
    for (long block = 0; ok && block < shape->blocks; block++)
        for (size_t i = 0; ok && i < sizeof tensors / sizeof *tensors; i++) {
            char name[96];
            (void)snprintf(name, sizeof name, "model.layers.%ld.%s.weight", block, tensors[i].name);
            ok = put(writer, name, tensors[i].rows, tensors[i].columns);
        }
    return ok && put(writer, "model.norm.weight", shape->hidden, 0) &&
           put(writer, "lm_head.weight", shape->vocabulary, shape->hidden);
}

static FILE *open_in(const char *folder, const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "wb");
}

static bool write_weights(const char *folder, const struct shape *shape) {
    char *text = NULL;
    size_t size = 0;
    struct writer header = {.header = open_memstream(&text, &size)};
    struct writer data = {.file = open_in(folder, "model.safetensors")};
    if (header.header == NULL || data.file == NULL)
        return false;
    (void)fprintf(header.header, "{");
    (void)put_all(&header, shape);
    (void)fprintf(header.header, ",\"__metadata__\":{\"format\":\"pt\"}}");
    while (ftell(header.header) % 8 != 0)
        (void)fputc(' ', header.header);
    (void)fclose(header.header);
    uint64_t length = size;
    bool ok = fwrite(&length, sizeof length, 1, data.file) == 1 && fwrite(text, 1, size, data.file) == size &&
              put_all(&data, shape);
    free(text);
    return fclose(data.file) == 0 && ok;
}

static bool write_config(const char *folder, const struct shape *shape) {
    FILE *file = open_in(folder, "config.json");
    if (file == NULL)
        return false;
    (void)fprintf(
        file,
        "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_act\":\"silu\","
        "\"hidden_size\":%ld,\"intermediate_size\":%ld,\"num_hidden_layers\":%ld,\"num_attention_heads\":%ld,"
        "\"num_key_value_heads\":%ld,\"vocab_size\":%ld,\"max_position_embeddings\":4096,\"rms_norm_eps\":1e-5,"
        "\"rope_theta\":10000.0,\"tie_word_embeddings\":false,\"torch_dtype\":\"bfloat16\"}\n",
        shape->hidden, shape->intermediate, shape->blocks, shape->heads, shape->kv_heads, shape->vocabulary);
    return fclose(file) == 0;
}

static bool write_tokens(const char *folder, const struct shape *shape) {
    FILE *file = open_in(folder, "tokens.npy");
    char header[118];
    if (file == NULL)
        return false;
    memset(header, ' ', sizeof header);
    int used = snprintf(header, sizeof header, "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 512), }");
    header[used] = ' ';
    header[sizeof header - 1] = '\n';
    (void)fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    (void)fwrite(header, 1, sizeof header, file);
    for (int i = 0; i < 4 * 512; i++) {
        int32_t id = (int32_t)(random_bits() % (uint64_t)shape->vocabulary);
        (void)fwrite(&id, sizeof id, 1, file);
    }
    return fclose(file) == 0;
}

int main(int count, char **words) {
    if (count != 8) {
        (void)fprintf(stderr, "make_large FOLDER HIDDEN INTERMEDIATE BLOCKS HEADS KV_HEADS VOCABULARY\n");
        return 2;
    }
    struct shape shape = {strtol(words[2], NULL, 10), strtol(words[3], NULL, 10), strtol(words[4], NULL, 10),
                          strtol(words[5], NULL, 10), strtol(words[6], NULL, 10), strtol(words[7], NULL, 10)};
    fill_table();
    return write_config(words[1], &shape) && write_tokens(words[1], &shape) && write_weights(words[1], &shape) ? 0 : 1;
}
