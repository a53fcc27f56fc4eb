#include "engine/stream.h"

#include "base/memory.h"
#include "engine/loss.h"
#include "engine/states.h"
#include <string.h>

struct stream {
    const struct model *model;
    struct stream_options options;
    const int32_t *ids;
    const uint8_t *mask;
    size_t windows, length, batch_windows;
    struct engine engine;
    struct states states;
    float *x;     /* one batch: [batch_windows × length × hidden] */
    int64_t next; /* the block of the next pass, -1: embedding */
    size_t done;  /* windows of the pass that is under way */
    bool keep;
    const struct block_observer *observer;
};

/* How hidden states are kept between blocks. */
static enum dtype states_dtype(const struct stream_options *options) {
    return options->states_bf16 ? DTYPE_BF16 : DTYPE_F32;
}

static size_t windows_together(size_t windows, size_t length) {
    size_t together = (STREAM_TOKENS + length - 1) / length;
    return together < windows ? together : windows;
}

struct stream *stream_open(const struct model *model, const int32_t *ids, const uint8_t *mask, size_t windows,
                           size_t length, const struct stream_options *options, struct error *error) {
    if (windows == 0 || length == 0) {
        (void)error_set(error, ERROR_USAGE, "there is no text to run the model on");
        return NULL;
    }
    struct stream *stream = memory_alloc(1, sizeof *stream, error);
    if (stream == NULL)
        return NULL;
    *stream = (struct stream){.model = model,
                              .options = *options,
                              .ids = ids,
                              .mask = mask,
                              .windows = windows,
                              .length = length,
                              .batch_windows = windows_together(windows, length),
                              .next = -1,
                              .keep = true,
                              .states = {.file = -1}};
    struct engine_options inner = {options->compute, options->weights};
    size_t rows = stream->batch_windows * length, hidden = (size_t)model->architecture.hidden;
    if (!engine_create(&stream->engine, model, &inner, (int64_t)length, (int64_t)rows, error))
        goto failed;
    stream->x = memory_alloc_aligned(rows * hidden, sizeof(float), error);
    if (stream->x != NULL && states_create(&stream->states, states_dtype(options), windows, length * hidden,
                                           options->states_memory, options->spill_folder, error))
        return stream;
failed:
    stream_close(stream);
    return NULL;
}

void stream_close(struct stream *stream) {
    if (stream == NULL)
        return;
    engine_free(&stream->engine);
    states_free(&stream->states);
    memory_free(stream->x);
    memory_free(stream);
}

uint64_t stream_memory(uint64_t *states, const struct model *model, size_t windows, size_t length,
                       const struct stream_options *options) {
    size_t together = windows_together(windows, length);
    uint64_t rows = together * length, hidden = (uint64_t)model->architecture.hidden;
    uint64_t all = (uint64_t)windows * length * hidden * dtype_info(states_dtype(options))->bytes;
    *states = options->states_memory > 0 && options->states_memory < all ? options->states_memory : all;
    return *states + rows * hidden * sizeof(float) + loss_bytes(model, (int64_t)rows) +
           engine_bytes(model, options->compute, (int64_t)length, (int64_t)rows);
}

/* Calls tell for the bytes of every tensor of a block. */
static void tell_kernel(const struct model *model, int64_t block,
                        void (*tell)(const struct file_map *map, size_t offset, size_t length)) {
    for (size_t i = 0; i < model->weight_count; i++) {
        const struct tensor *tensor = model->weights[i].tensor;
        if (model->weights[i].block == block)
            tell(&model->checkpoint->files[tensor->file].map, tensor->offset, tensor->bytes);
    }
}

void stream_pass_begin(struct stream *stream, const struct block_observer *observer, bool keep) {
    stream->observer = observer;
    stream->keep = keep || stream->next < 0;
    stream->done = 0;
    if (stream->next + 1 < stream->model->architecture.blocks)
        tell_kernel(stream->model, stream->next + 1, file_map_will_need);
}

static struct batch next_batch(const struct stream *stream) {
    size_t left = stream->windows - stream->done;
    size_t count = left < stream->batch_windows ? left : stream->batch_windows;
    return (struct batch){.first = (int64_t)stream->done,
                          .windows = (int64_t)count,
                          .length = (int64_t)stream->length,
                          .mask = stream->mask != NULL ? stream->mask + stream->done * stream->length : NULL};
}

static bool run_batch(struct stream *stream, const struct batch *batch, struct progress *progress,
                      struct error *error) {
    size_t first = (size_t)batch->first, count = (size_t)batch->windows;
    if (stream->next < 0)
        return engine_embed(&stream->engine, stream->x, stream->ids + first * stream->length, batch, error);
    return states_read(stream->x, &stream->states, first, count, error) &&
           engine_block(&stream->engine, stream->next, stream->x, batch, stream->observer, progress, error);
}

static void end_pass(struct stream *stream) {
    if (stream->next >= 0)
        tell_kernel(stream->model, stream->next, file_map_drop);
    stream->next++;
}

bool stream_pass_step(struct stream *stream, bool *more, struct progress *progress, struct error *error) {
    struct batch batch = next_batch(stream);
    if (!progress_continue(progress, error) || !run_batch(stream, &batch, progress, error))
        return false;
    if (stream->keep && !states_write(&stream->states, stream->x, (size_t)batch.first, (size_t)batch.windows, error))
        return false;
    stream->done += (size_t)batch.windows;
    *more = stream->done < stream->windows;
    if (!*more && stream->keep)
        end_pass(stream);
    return true;
}

bool stream_pass(struct stream *stream, const struct block_observer *observer, bool keep, struct progress *progress,
                 struct error *error) {
    bool more = true;
    stream_pass_begin(stream, observer, keep);
    while (more)
        if (!stream_pass_step(stream, &more, progress, error))
            return false;
    return true;
}

bool stream_run(struct stream *stream, const struct block_observer *observer, struct progress *progress,
                struct error *error) {
    while (stream->next < stream->model->architecture.blocks)
        if (!stream_pass(stream, observer, true, progress, error))
            return false;
    return true;
}

int64_t stream_next(const struct stream *stream) {
    return stream->next;
}

uint64_t stream_pass_work(const struct stream *stream, int64_t block) {
    if (block < 0)
        return 0;
    return engine_block_work(stream->model, block, (int64_t)stream->windows, (int64_t)stream->length);
}

uint64_t stream_work(const struct stream *stream) {
    uint64_t work = 0;
    for (int64_t block = stream->next; block < stream->model->architecture.blocks; block++)
        work += stream_pass_work(stream, block);
    return work;
}

bool stream_read(float *out, struct stream *stream, size_t first, size_t count, struct error *error) {
    return states_read(out, &stream->states, first, count, error);
}

const struct model *stream_model(const struct stream *stream) {
    return stream->model;
}

struct engine *stream_engine(struct stream *stream) {
    return &stream->engine;
}

size_t stream_windows(const struct stream *stream) {
    return stream->windows;
}

size_t stream_length(const struct stream *stream) {
    return stream->length;
}

size_t stream_batch_windows(const struct stream *stream) {
    return stream->batch_windows;
}

const int32_t *stream_ids(const struct stream *stream) {
    return stream->ids;
}

const uint8_t *stream_mask(const struct stream *stream) {
    return stream->mask;
}
