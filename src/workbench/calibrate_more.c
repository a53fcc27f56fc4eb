#include "workbench/calibrate_more.h"

#include "base/memory.h"
#include <math.h>
#include <string.h>

bool calibrate_more_check(const struct sensitivity *sensitivity, uint64_t corpus_hash, struct error *error) {
    bool known = sensitivity != NULL;
    for (size_t b = 0; known && b < sensitivity->model->block_count; b++)
        known = sensitivity->blocks[b].known;
    if (!known)
        return error_set(error, ERROR_USAGE, "more=yes adds to a finished calibration, and there is none yet");
    return sensitivity->corpus_hash != corpus_hash ||
           error_set(error, ERROR_USAGE,
                     "this is the text that was calibrated on already: it would count twice (take "
                     "another text, or another seed)");
}

/* Σx stays known only when both know it. */
static void add_sums(struct input_statistics *statistics, const struct input_sensitivity *known) {
    for (int64_t j = 0; j < statistics->columns; j++)
        statistics->sum_squares[j] += known->sum_squares[j];
    for (int64_t j = 0; statistics->sum != NULL && known->sum != NULL && j < statistics->columns; j++)
        statistics->sum[j] += known->sum[j];
    if (known->sum == NULL) {
        memory_free(statistics->sum);
        statistics->sum = NULL;
    }
    statistics->tokens += known->tokens;
}

static void add_whole(struct gathering *gathering, const struct block_sensitivity *known, uint64_t tokens) {
    size_t experts = (size_t)gathering->model->architecture.experts.count;
    if (isfinite(known->influence)) {
        gathering->cosine += (1 - known->influence) * (double)tokens;
        gathering->cosine_tokens += tokens;
    }
    for (size_t e = 0; gathering->expert_tokens != NULL && known->expert_tokens != NULL && e < experts; e++) {
        gathering->expert_tokens[e] += known->expert_tokens[e];
        gathering->expert_norm[e] += known->expert_norm[e] * (double)known->expert_tokens[e];
    }
}

void calibrate_more_merge(struct gathering *gathering, const struct sensitivity *known) {
    for (size_t i = 0; i < gathering->input_count; i++) {
        struct gathered_input *input = &gathering->inputs[i];
        const struct input_sensitivity *old = sensitivity_input(known, input->matrix);
        if (old == NULL)
            continue;
        add_sums(&input->statistics, old);
        activity_merge(&input->activity, &old->activity);
    }
    add_whole(gathering, &known->blocks[gathering->block], known->tokens);
}

static bool keep_matrix(struct matrix_sensitivity *found, const struct matrix_sensitivity *known, struct error *error) {
    if (!found->known || !known->known)
        return true;
    if (known->diagonal_energy > 0)
        found->energy = found->diagonal_energy * (known->energy / known->diagonal_energy);
    found->exact = known->exact;
    if (known->point_count == 0)
        return true;
    found->points = memory_alloc(known->point_count, sizeof *found->points, error);
    if (found->points == NULL)
        return false;
    memcpy(found->points, known->points, known->point_count * sizeof *found->points);
    found->point_count = known->point_count;
    return true;
}

static void keep_eigenvalues(struct findings *findings, const struct sensitivity *known) {
    for (size_t i = 0; i < findings->input_count; i++)
        for (size_t j = 0; j < known->input_count; j++)
            if (known->inputs[j].block == findings->block && known->inputs[j].input == findings->inputs[i].input) {
                findings->inputs[i].largest = known->inputs[j].largest;
                findings->inputs[i].smallest = known->inputs[j].smallest;
            }
}

bool calibrate_more_keep(struct findings *findings, const struct sensitivity *known, struct error *error) {
    const struct block *block = &findings->model->blocks[findings->block];
    bool ok = true;
    for (size_t i = 0; ok && i < block->count; i++)
        ok = keep_matrix(&findings->matrices[i], &known->matrices[block->first + i], error);
    keep_eigenvalues(findings, known);
    return ok;
}
