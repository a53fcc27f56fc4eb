/* Sensitivity and forecaster as bytes, for a cache on the machine that made them: native numbers, checked by version,
 * shape and hash, so that a damaged or foreign file is refused and never believed. */
#ifndef SECATEUR_KNOWLEDGE_FILE_H
#define SECATEUR_KNOWLEDGE_FILE_H

#include "base/text.h"
#include "plan/forecast.h"

/* Appends everything to bytes. */
bool knowledge_pack(struct text *bytes, const struct sensitivity *sensitivity, const struct forecaster *forecaster,
                    struct error *error);

/* Fills a new sensitivity and a new forecaster of the same model. ERROR_INPUT, and nothing to free, when the bytes are
 * not what knowledge_pack has made for a model of these shapes. */
bool knowledge_unpack(struct sensitivity **sensitivity, struct forecaster **forecaster, const struct model *model,
                      const void *bytes, size_t size, struct error *error);

#endif
