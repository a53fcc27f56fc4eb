/* Whether the tensors are those that config.json promises: all there, of the right shapes. */
#ifndef SECATEUR_SHAPE_CHECK_H
#define SECATEUR_SHAPE_CHECK_H

#include "model/model.h"

/* Needs the model's architecture and lookup. Also fills architecture.head_bias. False with an error that names the
 * tensor and the option. */
bool shape_check(struct model *model, const char *config_path, struct error *error);

#endif
