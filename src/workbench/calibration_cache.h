/* What calibration and measuring have found, kept between sessions: one file for each model and each text with its
 * settings, under the XDG cache folder, written whole or not at all. */
#ifndef SECATEUR_CALIBRATION_CACHE_H
#define SECATEUR_CALIBRATION_CACHE_H

#include "workbench/workbench.h"

/* Writes what the workbench knows, under its sensitivity's key; nothing without one. In the worker. */
bool calibration_cache_save(struct workbench *workbench, struct error *error);

/* The same between the steps of long work, so that a killed run loses a second of it: nothing when the last time was
 * less than a second ago. What cannot be kept now is no failure. */
void calibration_cache_keep(struct workbench *workbench);

/* Replaces what the workbench knows by the file of that key. False, without an error, when there is none; a damaged one
 * counts as none. */
bool calibration_cache_load(struct workbench *workbench, uint64_t key);

/* The same with the newest file of the model. */
bool calibration_cache_load_latest(struct workbench *workbench);

/* A line for each file of any model, with its size; `clear` removes them instead. */
bool calibration_cache_list(struct text *output, bool clear, struct error *error);

#endif
