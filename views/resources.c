#include "views/resources.h"
#include "base/progress.h"
#include "views/chart.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAMPLE_SECONDS 0.5

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static double cores(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (double)count : 1;
}

void resources_sample(struct resources *resources) {
    struct rusage usage;
    double now = progress_clock();
    if ((resources->began && now - resources->at < SAMPLE_SECONDS) || getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    double processor = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    if (resources->began) {
        double load = (processor - resources->processor) / (now - resources->at) / cores();
        memmove(resources->load, resources->load + 1, (RESOURCES_SAMPLES - 1) * sizeof *resources->load);
        resources->load[RESOURCES_SAMPLES - 1] = load < 1 ? load : 1;
    }
    resources->at = now;
    resources->processor = processor;
    resources->began = true;
}

/* Resident memory now; 0 where the system does not tell. */
static double resident(void) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    bool ok = file != NULL && fscanf(file, "%*u %llu", &pages) == 1;
    if (file != NULL)
        (void)fclose(file);
    return ok ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

void resources_draw(const struct resources *resources, struct canvas *canvas, int row) {
    struct rusage usage;
    char now[TEXT_NUMBER_SIZE], peak[TEXT_NUMBER_SIZE];
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    canvas_text(canvas, row, 1, 8, PAINT_TEXT, "cpu");
    chart_levels(canvas, row, 10, RESOURCES_SAMPLES, resources->load, -1);
    canvas_format(canvas, row, 11 + RESOURCES_SAMPLES, canvas->width - 11 - RESOURCES_SAMPLES, PAINT_DIM,
                  "%3.0f%% of %.0f cores · memory %s now, %s at most", 100 * resources->load[RESOURCES_SAMPLES - 1],
                  cores(), text_bytes(now, resident()), text_bytes(peak, 1024.0 * (double)usage.ru_maxrss));
}
