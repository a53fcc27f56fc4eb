/* libFuzzer target: any bytes as a .safetensors file. */
#include "checkpoint/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char path[] = "input";
    const struct file_map map = {.data = data, .size = size, .path = path};
    struct safetensors file;
    struct error error = {0};
    if (safetensors_read(&file, &map, &error))
        safetensors_free(&file);
    return 0;
}
