/* What the program takes from the machine: processor time as a sparkline, and memory. */
#ifndef SECATEUR_RESOURCES_H
#define SECATEUR_RESOURCES_H

#include "views/draw.h"

enum { RESOURCES_SAMPLES = 24 };

struct resources {
    double load[RESOURCES_SAMPLES]; /* share of all cores, oldest first */
    double at, processor;           /* of the last sample: when, and processor seconds till then */
    bool began;
};

/* Takes a sample when the last one is half a second old; to be called whenever a job is drawn. */
void resources_sample(struct resources *resources);
void resources_draw(const struct resources *resources, struct canvas *canvas, int row);

#endif
