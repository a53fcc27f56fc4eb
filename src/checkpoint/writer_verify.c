#include "checkpoint/writer_state.h"

#include "base/memory.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool read_back(const struct writer *writer, int file, size_t offset, size_t size, struct error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(file, writer->buffer + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot read back from %s", writer->partial);
        done += (size_t)got;
    }
    return true;
}

bool writer_verify_journal(struct writer *writer, struct error *error) {
    for (size_t i = 0; i < writer->source->tensor_count; i++) {
        struct writer_tensor *tensor = &writer->tensors[i];
        if (!tensor->done)
            continue;
        (void)XXH3_64bits_reset(writer->hash);
        for (size_t at = 0; at < tensor->bytes; at += WRITER_BUFFER) {
            size_t size = tensor->bytes - at < WRITER_BUFFER ? tensor->bytes - at : WRITER_BUFFER;
            if (!read_back(writer, writer->files[writer->source->tensors[i].file], tensor->offset + at, size, error))
                return false;
            (void)XXH3_64bits_update(writer->hash, writer->buffer, size);
        }
        tensor->done = XXH3_64bits_digest(writer->hash) == tensor->hash;
        writer->resumed += tensor->done;
    }
    return true;
}

/* Elements are little-endian: the sign is the top bit of the last byte. */
static void count_zeros(uint64_t *zeros, uint64_t *negative, const uint8_t *data, size_t size, size_t element) {
    for (size_t i = 0; i + element <= size; i += element) {
        uint64_t bits = 0;
        memcpy(&bits, data + i, element);
        uint64_t sign = (uint64_t)1 << (8 * element - 1);
        *zeros += (bits & (sign - 1)) == 0;
        *negative += bits == sign;
    }
}

static bool check_piece(struct writer_tensor *tensor, uint64_t *negative, const struct tensor *written,
                        const struct tensor *source, size_t at, size_t size, bool plain) {
    if (plain)
        return memcmp(written->data + at, source->data + at, size) == 0;
    if (tensor->handed_in && dtype_info(tensor->dtype)->real)
        count_zeros(&tensor->zeros, negative, written->data + at, size, dtype_info(tensor->dtype)->bytes);
    return true;
}

static bool verify_bytes(struct writer *writer, size_t number, const struct checkpoint *result,
                         const struct tensor *written, struct progress *progress, struct error *error) {
    const struct tensor *source = &writer->source->tensors[number];
    struct writer_tensor *tensor = &writer->tensors[number];
    bool plain = writer_is_plain_copy(writer, number), same = true;
    uint64_t negative = 0;
    tensor->zeros = 0;
    (void)XXH3_64bits_reset(writer->hash);
    for (size_t at = 0; same && at < tensor->bytes; at += WRITER_BUFFER) {
        size_t size = tensor->bytes - at < WRITER_BUFFER ? tensor->bytes - at : WRITER_BUFFER;
        if (!progress_continue(progress, error))
            return false;
        same = check_piece(tensor, &negative, written, source, at, size, plain);
        (void)XXH3_64bits_update(writer->hash, written->data + at, size);
        file_map_drop(&result->files[written->file].map, written->offset + at, size);
        file_map_drop(&writer->source->files[source->file].map, source->offset + at, plain ? size : 0);
        progress_add(progress, size);
    }
    if (!same || XXH3_64bits_digest(writer->hash) != tensor->hash)
        return error_set(error, ERROR_FAILURE, "%s: tensor \"%s\" reads back otherwise than it was written",
                         writer->partial, source->name);
    if (negative > 0)
        return error_set(error, ERROR_FAILURE, "%s: tensor \"%s\" holds %llu zeros with a minus sign", writer->partial,
                         source->name, (unsigned long long)negative);
    return true;
}

static bool verify_tensor(struct writer *writer, size_t number, const struct checkpoint *result,
                          struct progress *progress, struct error *error) {
    const struct tensor *source = &writer->source->tensors[number];
    const struct tensor *written = checkpoint_find(result, source->name);
    if (written == NULL || written->dtype != writer->tensors[number].dtype || written->rank != source->rank ||
        memcmp(written->shape, source->shape, sizeof source->shape) != 0)
        return error_set(error, ERROR_FAILURE, "%s: tensor \"%s\" is missing or of another shape after writing",
                         writer->partial, source->name);
    return verify_bytes(writer, number, result, written, progress, error);
}

bool writer_verify(struct writer *writer, struct progress *progress, struct error *error) {
    struct checkpoint *result = checkpoint_open(writer->partial, error);
    if (result == NULL)
        return false;
    bool ok = result->tensor_count == writer->source->tensor_count ||
              error_set(error, ERROR_FAILURE, "%s holds %zu tensors after writing, not %zu", writer->partial,
                        result->tensor_count, writer->source->tensor_count);
    for (size_t i = 0; ok && i < writer->source->tensor_count; i++)
        ok = verify_tensor(writer, i, result, progress, error);
    checkpoint_close(result);
    return ok;
}
