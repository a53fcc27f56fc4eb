#include "workbench/evaluate_output.h"

#include "base/memory.h"

bool hidden_output_open(struct npy_writer *writer, const char *path, const struct stream *stream, struct error *error) {
    const struct architecture *architecture = &stream_model(stream)->architecture;
    size_t shape[] = {(size_t)architecture->blocks + 1, stream_windows(stream), stream_length(stream),
                      (size_t)architecture->hidden};
    return npy_writer_open(writer, path, "<f4", shape, 4, error);
}

bool hidden_output_add(struct npy_writer *writer, struct stream *stream, struct error *error) {
    size_t count = stream_length(stream) * (size_t)stream_model(stream)->architecture.hidden;
    float *states = memory_alloc_aligned(count, sizeof *states, error);
    bool ok = states != NULL;
    for (size_t window = 0; ok && window < stream_windows(stream); window++)
        ok = stream_read(states, stream, window, 1, error) && npy_writer_add(writer, states, count, error);
    memory_free(states);
    return ok;
}

static bool add_logits(struct npy_writer *writer, struct stream *stream, struct progress *progress,
                       struct error *error) {
    size_t count = stream_length(stream) * (size_t)stream_model(stream)->architecture.vocabulary;
    float *logits = memory_alloc_aligned(count, sizeof *logits, error);
    bool ok = logits != NULL;
    for (size_t window = 0; ok && window < stream_windows(stream); window++)
        ok = loss_logits(logits, stream, window, progress, error) && npy_writer_add(writer, logits, count, error);
    memory_free(logits);
    return ok;
}

bool logits_output_write(const char *path, struct stream *stream, struct progress *progress, struct error *error) {
    struct npy_writer writer;
    size_t shape[] = {stream_windows(stream), stream_length(stream),
                      (size_t)stream_model(stream)->architecture.vocabulary};
    if (!npy_writer_open(&writer, path, "<f4", shape, 3, error))
        return false;
    if (add_logits(&writer, stream, progress, error))
        return npy_writer_commit(&writer, error);
    npy_writer_abort(&writer);
    return false;
}

bool losses_output_open(struct npy_writer *writer, const char *path, const struct stream *stream, struct error *error) {
    size_t shape[] = {stream_windows(stream), stream_length(stream) - 1};
    return npy_writer_open(writer, path, "<f4", shape, 2, error);
}

bool losses_output_add(struct npy_writer *writer, const struct prediction *predictions, size_t length,
                       struct error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i + 1 < length; i++) {
        float loss = (float)predictions[i].nll;
        ok = npy_writer_add(writer, &loss, 1, error);
    }
    return ok;
}
