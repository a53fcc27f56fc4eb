/* The channels of one matrix input: which stand out, and all of them sorted. */
#ifndef SECATEUR_CHANNELS_H
#define SECATEUR_CHANNELS_H

#include "views/draw.h"
#include "workbench/workbench.h"

enum { CHANNELS_NAMED = 8 };

struct input_channels {
    double outliers; /* how many have at least 6 times the median channel's RMS */
    size_t top[CHANNELS_NAMED];
};

/* False while the matrix's input is not known. */
bool channels_read(struct input_channels *channels, struct workbench *workbench, size_t matrix);

/* Their RMS in falling order with the outliers named: figures in `line` (one row), the chart in `plot`. */
void channels_draw(struct canvas *line, struct canvas *plot, struct workbench *workbench, size_t matrix);

#endif
