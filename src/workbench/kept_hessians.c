#include "workbench/kept_hessians.h"

#include "base/memory.h"
#include "calibrate/calibrate.h"
#include "engine/stream.h"
#include "prune/factor.h"
#include "workbench/run_text.h"

struct kept_hessians {
    const struct model *model;
    struct gathering *blocks; /* [block_count] */
    size_t count;             /* gathered */
    struct factor **factors;  /* [matrix_count]: by the first matrix of an input */
};

static bool check_memory(const struct model *model, uint64_t memory, struct error *error) {
    char need[TEXT_NUMBER_SIZE];
    char have[TEXT_NUMBER_SIZE];
    uint64_t bytes = 0;
    for (size_t i = 0; i < model->block_count; i++)
        bytes += 2 * gathering_bytes(model, (int64_t)i, true); /* and as much for the factors */
    return bytes <= memory ||
           error_set(
               error, ERROR_MEMORY,
               "full Hessians of all blocks and their factors take %s, %s is allowed for them (half of --memory); "
               "search by wanda or magnitude",
               text_bytes(need, (double)bytes), text_bytes(have, (double)memory));
}

static bool gather(struct kept_hessians *kept, struct workbench *workbench, struct stream *stream,
                   struct progress *progress, struct error *error) {
    if (!stream_pass(stream, NULL, true, progress, error))
        return false;
    for (; kept->count < kept->model->block_count; kept->count++) {
        struct gathering *gathering = &kept->blocks[kept->count];
        job_stage(workbench->jobs, "Hessians of block %zu", kept->count);
        if (!gathering_create(gathering, kept->model, (int64_t)kept->count, true, false, error))
            return false;
        struct block_observer observer = gathering_observer(gathering);
        if (!stream_pass(stream, &observer, true, progress, error)) {
            gathering_free(gathering);
            return false;
        }
    }
    return true;
}

struct kept_hessians *kept_hessians_create(struct workbench *workbench, const struct corpus *corpus, uint64_t memory,
                                           struct progress *progress, struct error *error) {
    const struct model *model = workbench->model;
    struct stream_options options = {.compute = run_compute(&workbench->settings, model, false)};
    struct kept_hessians *kept = check_memory(model, memory, error) ? memory_alloc(1, sizeof *kept, error) : NULL;
    if (kept == NULL)
        return NULL;
    kept->model = model;
    kept->blocks = memory_alloc(model->block_count, sizeof *kept->blocks, error);
    kept->factors = kept->blocks != NULL ? memory_alloc(model->matrix_count, sizeof *kept->factors, error) : NULL;
    struct stream *stream = kept->factors != NULL ? stream_open(model, corpus->ids, corpus->mask, corpus->windows,
                                                                corpus->length, &options, error)
                                                  : NULL;
    bool ok = stream != NULL && gather(kept, workbench, stream, progress, error);
    stream_close(stream);
    if (ok)
        return kept;
    kept_hessians_free(kept);
    return NULL;
}

void kept_hessians_free(struct kept_hessians *kept) {
    if (kept == NULL)
        return;
    for (size_t i = 0; i < kept->count; i++)
        gathering_free(&kept->blocks[i]);
    for (size_t i = 0; kept->factors != NULL && i < kept->model->matrix_count; i++)
        factor_free(kept->factors[i]);
    memory_free(kept->factors);
    memory_free(kept->blocks);
    memory_free(kept);
}

static const struct gathered_input *input_of(const struct kept_hessians *kept, size_t matrix) {
    int64_t block = kept->model->matrices[matrix].block;
    const struct gathered_input *input = block >= 0 ? gathering_input(&kept->blocks[block], matrix) : NULL;
    return input != NULL && input->statistics.tokens > 0 ? input : NULL;
}

void kept_hessians_fill(const struct kept_hessians *kept, struct layer *layer, size_t matrix) {
    const struct gathered_input *input = input_of(kept, matrix);
    layer->input = input != NULL ? &input->statistics : NULL;
    layer->factor = input != NULL ? kept->factors[input->matrix] : NULL;
}

void kept_hessians_keep(struct kept_hessians *kept, const struct layer *layer, size_t matrix) {
    const struct gathered_input *input = input_of(kept, matrix);
    if (input != NULL)
        kept->factors[input->matrix] = layer->factor;
}
