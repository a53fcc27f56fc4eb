/* Tensors that some files carry along and that are no weights: causal masks, rotary tables. */
#ifndef SECATEUR_BUFFER_H
#define SECATEUR_BUFFER_H

#include <stdbool.h>

/* Whether a tensor of this name is one of them. */
bool buffer_is_named(const char *name);

#endif
