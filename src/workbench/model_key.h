/* What stands for a model in the names of files that belong to it. */
#ifndef SECATEUR_MODEL_KEY_H
#define SECATEUR_MODEL_KEY_H

#include "checkpoint/checkpoint.h"

/* A model is the same when its path, its files' sizes and their headers are; weights are not read. */
uint64_t model_key(const struct checkpoint *checkpoint);

#endif
