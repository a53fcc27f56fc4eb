/* Importance matrices (checkpoint/imatrix.h) and a model's matrices: which belongs to which, both ways. */
#ifndef SECATEUR_IMATRIX_SOURCE_H
#define SECATEUR_IMATRIX_SOURCE_H

#include "base/text.h"
#include "calibrate/calibrate.h"
#include "checkpoint/imatrix.h"

/* llama.cpp's name of a matrix's weight: "blk.3.attn_q.weight"; experts of a block share one. False where it has none.
 */
#define IMATRIX_NAME 64
bool imatrix_name(char name[IMATRIX_NAME], const struct matrix *matrix);

/* Fills a created gathering (without Hessians) of a block from an importance matrix, as if text had been run: sums,
 * tokens, tokens of experts. A matrix that the file does not name takes what it says of another with the same input;
 * one without either keeps 0 tokens. Sizes that differ from the model's are an error. */
bool imatrix_gather(struct gathering *gathering, const struct imatrix *imatrix, struct error *error);

/* The other way: adds an entry for every matrix of the gathered block that has a name there. */
bool imatrix_collect(struct imatrix *imatrix, const struct gathering *gathering, struct error *error);

uint64_t imatrix_tokens(const struct imatrix *imatrix); /* the most that any matrix saw */
uint64_t imatrix_hash(const struct imatrix *imatrix);   /* of all names and sums: names what was calibrated on */
uint64_t imatrix_bytes(const struct imatrix *imatrix);  /* of memory */

/* "calibration.gguf: importance matrix, 96 chunks of wiki.train.raw". */
void imatrix_describe(struct text *text, const char *path, const struct imatrix *imatrix);

#endif
