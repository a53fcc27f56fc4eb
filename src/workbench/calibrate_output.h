/* Files that a calibration writes as it goes: Hessians, Wanda's scalers, the inputs themselves. */
#ifndef SECATEUR_CALIBRATE_OUTPUT_H
#define SECATEUR_CALIBRATE_OUTPUT_H

#include "calibrate/calibrate.h"
#include "checkpoint/imatrix.h"
#include "checkpoint/safetensors_write.h"

/* What to write where; NULL: not wanted. */
struct calibrate_paths {
    char *hessian; /* H of every distinct input, [inputs × inputs] */
    char *scaler;  /* Σx²/T for every matrix, [inputs] */
    char *inputs;  /* every distinct input itself, [tokens × inputs] */
    char *imatrix; /* Σx², Σx and tokens for every matrix, as llama.cpp has them */
};

/* The rows of one distinct input of the block under work. */
struct kept_rows {
    float *x;
    size_t rows, columns, capacity; /* capacity in floats */
};

struct calibrate_output {
    const struct model *model;
    bool by_sequences; /* divide by sequences as the references do, not by tokens */
    struct safetensors_writer hessian, scaler, inputs;
    bool has_hessian, has_scaler, has_inputs;
    struct imatrix imatrix; /* gathered so far */
    char *imatrix_path;     /* NULL: not wanted */
    struct kept_rows *rows; /* [matrices of the block], by the first matrix that has the input */
    struct block_observer inner;
};

/* Opens the files that are wanted. Exactly one of commit and abort must follow a successful open. */
bool calibrate_output_open(struct calibrate_output *output, const struct model *model,
                           const struct calibrate_paths *paths, bool by_sequences, struct error *error);

/* What the importance matrix says of its text. */
bool calibrate_output_name(struct calibrate_output *output, const char *source, size_t windows, size_t length,
                           struct error *error);

/* An observer that keeps inputs where these are wanted, and passes all on to `inner`. */
struct block_observer calibrate_output_observer(struct calibrate_output *output, struct block_observer inner);

/* Writes what belongs to a block that has been gathered. */
bool calibrate_output_block(struct calibrate_output *output, const struct gathering *gathering, struct error *error);

bool calibrate_output_commit(struct calibrate_output *output, struct error *error);
void calibrate_output_abort(struct calibrate_output *output);

#endif
