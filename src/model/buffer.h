/* Tensors that some files carry along and that are no weights: causal masks, rotary tables. */
#ifndef SECATEUR_BUFFER_H
#define SECATEUR_BUFFER_H

#include <stdbool.h>

bool buffer_is_named(const char *name);

#endif
