#include "workbench/prune_threshold.h"

#include "base/memory.h"
#include "prune/select.h"
#include <math.h>
#include <string.h>

#define PIECE ((size_t)1 << 18) /* elements */

static const struct tensor *tensor_of(const struct prune_run *run, size_t index) {
    return run->workbench->model->matrices[run->tasks[index].matrix].tensor;
}

/* |w| of a piece of a tensor, in the order of the file. */
static size_t take_piece(float *scores, const struct tensor *tensor, size_t begin) {
    size_t all = (size_t)tensor->count;
    size_t count = all - begin < PIECE ? all - begin : PIECE;
    dtype_widen(scores, tensor->data + begin * dtype_info(tensor->dtype)->bytes, tensor->dtype, count);
    for (size_t i = 0; i < count; i++)
        scores[i] = fabsf(scores[i]);
    return count;
}

static bool all_finite(const float *scores, size_t count) {
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t key = select_key(scores[i]);
        highest = key > highest ? key : highest;
    }
    return highest < select_key(INFINITY);
}

static bool add_tensor(struct select_search *search, float *scores, const struct tensor *tensor,
                       struct progress *progress, struct error *error) {
    size_t count;
    for (size_t begin = 0; begin < (size_t)tensor->count; begin += count) {
        if (!progress_continue(progress, error))
            return false;
        count = take_piece(scores, tensor, begin);
        if (!all_finite(scores, count))
            return error_set(error, ERROR_INPUT, "%s holds NaN or Inf, so there is no order to prune by", tensor->name);
        select_add(search, scores, 1, count, count);
    }
    return true;
}

static bool one_pass(struct prune_run *run, size_t first, size_t count, struct select_search *search, float *scores,
                     struct progress *progress, struct error *error) {
    bool ok = true;
    for (size_t i = first; ok && i < first + count; i++) {
        ok = add_tensor(search, scores, tensor_of(run, i), progress, error);
        progress_add(progress, tensor_of(run, i)->bytes);
    }
    return ok;
}

bool prune_threshold_find(struct prune_run *run, size_t first, size_t count, struct progress *progress,
                          struct error *error) {
    uint64_t planned = 0;
    for (size_t i = first; i < first + count; i++)
        planned += run->tasks[i].planned;
    struct select_search *search = memory_alloc(1, sizeof *search, error);
    float *scores = search != NULL ? memory_alloc_aligned(PIECE, sizeof *scores, error) : NULL;
    bool ok = scores != NULL;
    if (ok) {
        select_begin(search, planned);
        do
            ok = one_pass(run, first, count, search, scores, progress, error);
        while (ok && select_next(search));
        run->cut = search->cut;
    }
    memory_free(scores);
    memory_free(search);
    return ok;
}

/* Zeroes what goes; bytes may be NULL. Returns how many went; *zeros counts those that were zero before as well. */
static uint64_t cut_piece(uint8_t *bytes, uint64_t *zeros, size_t size, const float *scores, size_t count,
                          struct select_cut *cut) {
    uint64_t gone = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t key = select_key(scores[i]);
        bool tie = key == cut->key && cut->ties > 0;
        if (key >= cut->key && !tie && scores[i] != 0)
            continue;
        cut->ties -= tie;
        gone += key < cut->key || tie;
        ++*zeros;
        if (bytes != NULL)
            memset(bytes + i * size, 0, size); /* also what was a zero of either sign */
    }
    return gone;
}

static bool write_piece(struct writer *writer, size_t tensor, void *bytes, const struct tensor *source, size_t count,
                        float *scratch, struct error *error) {
    if (writer_dtype(writer, tensor) == source->dtype)
        return writer_write(writer, tensor, bytes, count * dtype_info(source->dtype)->bytes, error);
    dtype_widen(scratch, bytes, source->dtype, count);
    return writer_write_floats(writer, tensor, scratch, count, error);
}

static bool write_matrix(struct prune_run *run, struct writer *writer, size_t index, float *scores, uint8_t *bytes,
                         struct progress *progress, struct error *error) {
    const struct tensor *tensor = tensor_of(run, index);
    size_t place = checkpoint_index(run->workbench->model->checkpoint, tensor);
    size_t size = dtype_info(tensor->dtype)->bytes;
    bool there = writer_has(writer, place);
    uint64_t gone = 0;
    bool ok = true;
    size_t count;
    for (size_t begin = 0; ok && begin < (size_t)tensor->count; begin += count) {
        ok = progress_continue(progress, error);
        count = take_piece(scores, tensor, begin);
        memcpy(bytes, tensor->data + begin * size, count * size);
        gone += cut_piece(bytes, &run->records[index].zeros, size, scores, count, &run->cut);
        if (ok && !there)
            ok = write_piece(writer, place, bytes, tensor, count, scores, error);
    }
    run->tasks[index].planned = gone;
    return ok;
}

bool prune_threshold_matrix(struct prune_run *run, struct writer *writer, size_t index, struct progress *progress,
                            struct error *error) {
    float *scores = memory_alloc_aligned(PIECE, sizeof *scores, error);
    uint8_t *bytes = scores != NULL ? memory_alloc_aligned(PIECE, sizeof(double), error) : NULL;
    bool ok = bytes != NULL && write_matrix(run, writer, index, scores, bytes, progress, error);
    memory_free(bytes);
    memory_free(scores);
    return ok;
}
