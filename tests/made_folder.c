#include "tests/made_folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float random_normal(uint64_t *state) {
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        *state = *state * 6364136223846793005U + 1442695040888963407U;
        sum += (double)(*state >> 40) / (1 << 24) - 0.5;
    }
    return (float)(sum * 1.4142);
}

static size_t count_of(const struct made_tensor *tensor) {
    return (size_t)tensor->rows * (size_t)(tensor->columns > 0 ? tensor->columns : 1);
}

static bool is_in_block(const struct made_tensor *tensor) {
    return strstr(tensor->name, "%d") != NULL;
}

static void name_of(char *name, size_t size, const struct made_tensor *tensor, int block) {
    const char *mark = strstr(tensor->name, "%d");
    if (mark == NULL)
        (void)snprintf(name, size, "%s", tensor->name);
    else
        (void)snprintf(name, size, "%.*s%d%s", (int)(mark - tensor->name), tensor->name, block, mark + 2);
}

static void add_header(struct text *header, const struct made_tensor *tensors, size_t count, int blocks,
                       enum dtype dtype) {
    size_t offset = 0;
    text_add(header, "{");
    for (size_t i = 0; i < count; i++)
        for (int block = 0; block < (is_in_block(&tensors[i]) ? blocks : 1); block++) {
            char name[256];
            size_t bytes = count_of(&tensors[i]) * dtype_info(dtype)->bytes;
            name_of(name, sizeof name, &tensors[i], block);
            text_add(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%lld", offset > 0 ? "," : "", name,
                     dtype_info(dtype)->name, (long long)tensors[i].rows);
            if (tensors[i].columns > 0)
                text_add(header, ",%lld", (long long)tensors[i].columns);
            text_add(header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + bytes);
            offset += bytes;
        }
    text_add(header, "}");
    while (strlen(text_string(header)) % 8 != 0)
        text_add(header, " ");
}

static void write_tensor(FILE *stream, const struct made_tensor *tensor, enum dtype dtype, uint64_t *state) {
    size_t length = strlen(tensor->name);
    bool bias = length > 5 && strcmp(tensor->name + length - 5, ".bias") == 0;
    float scale = tensor->columns > 0 ? 1.0f / sqrtf((float)tensor->columns) : 0.1f;
    float middle = tensor->columns > 0 || bias ? 0.0f : 1.0f;
    for (size_t i = 0; i < count_of(tensor); i++) {
        float value = middle + scale * random_normal(state);
        uint8_t bytes[8];
        dtype_narrow(bytes, &value, dtype, 1);
        (void)fwrite(bytes, 1, dtype_info(dtype)->bytes, stream);
    }
}

static bool write_weights(const char *path, const struct made_tensor *tensors, size_t count, int blocks,
                          enum dtype dtype, uint64_t seed) {
    struct text header = {0};
    FILE *stream = fopen(path, "wb");
    if (stream == NULL)
        return false;
    add_header(&header, tensors, count, blocks, dtype);
    uint64_t size = strlen(text_string(&header)), state = seed + 1;
    for (int i = 0; i < 8; i++)
        (void)fputc((int)(size >> (8 * i) & 0xff), stream);
    (void)fputs(text_string(&header), stream);
    text_free(&header);
    for (size_t i = 0; i < count; i++)
        for (int block = 0; block < (is_in_block(&tensors[i]) ? blocks : 1); block++)
            write_tensor(stream, &tensors[i], dtype, &state);
    return fclose(stream) == 0;
}

static bool write_text(const char *path, const char *text) {
    FILE *stream = fopen(path, "w");
    return stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0;
}

char *made_folder_create(const char *config, const struct made_tensor *tensors, size_t count, int blocks,
                         enum dtype dtype, uint64_t seed) {
    char *folder = memory_copy_string("/tmp/secateur-made-XXXXXX", NULL);
    if (folder == NULL || mkdtemp(folder) == NULL)
        return NULL;
    char *weights = file_join(folder, "model.safetensors", NULL), *options = file_join(folder, "config.json", NULL);
    bool ok = write_weights(weights, tensors, count, blocks, dtype, seed) && write_text(options, config);
    memory_free(weights);
    memory_free(options);
    if (ok)
        return folder;
    made_folder_remove(folder);
    return NULL;
}

void made_folder_remove(char *folder) {
    (void)file_remove_tree(folder, NULL);
    memory_free(folder);
}
