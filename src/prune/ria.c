#include "base/memory.h"
#include "prune/score.h"
#include "prune/score_methods.h"
#include <math.h>

#define POWER_DEFAULT 0.5

struct ria {
    float *row;    /* 1 / Σ_j |w_ij|, [rows]; 0 for a row of zeros */
    float *column; /* 1 / Σ_i |w_ij|, [columns] */
    float *norm;   /* ‖X_j‖^a, [columns] */
};

static void ria_scores(float *scores, const struct layer *layer, const void *context, int64_t begin, int64_t end) {
    const struct ria *ria = context;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < layer->columns; j++) {
            float weight = fabsf(layer->weights[i * layer->columns + j]);
            *scores++ = weight * (ria->row[i] + ria->column[j]) * ria->norm[j];
        }
}

static float inverse(double sum) {
    return sum > 0 ? (float)(1 / sum) : 0;
}

static bool ria_sums(struct ria *ria, const struct layer *layer, struct error *error) {
    double *columns = memory_alloc((size_t)layer->columns, sizeof *columns, error);
    if (columns == NULL)
        return false;
    for (int64_t i = 0; i < layer->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < layer->columns; j++) {
            double weight = fabs((double)layer->weights[i * layer->columns + j]);
            sum += weight;
            columns[j] += weight;
        }
        ria->row[i] = inverse(sum);
    }
    for (int64_t j = 0; j < layer->columns; j++)
        ria->column[j] = inverse(columns[j]);
    memory_free(columns);
    return true;
}

bool ria_prune(struct layer *layer, struct error *error) {
    double power = layer->options.power > 0 ? layer->options.power : POWER_DEFAULT;
    struct ria ria = {0};
    ria.row = memory_alloc((size_t)layer->rows, sizeof(float), error);
    ria.column = memory_alloc((size_t)layer->columns, sizeof(float), error);
    ria.norm = score_input_norms(layer, error);
    bool ok = ria.row != NULL && ria.column != NULL && ria.norm != NULL && ria_sums(&ria, layer, error);
    for (int64_t j = 0; ok && j < layer->columns; j++)
        ria.norm[j] = (float)pow((double)ria.norm[j], power);
    ok = ok && score_prune(layer, ria_scores, &ria, error);
    memory_free(ria.row);
    memory_free(ria.column);
    memory_free(ria.norm);
    return ok;
}
