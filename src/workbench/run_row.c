#include "workbench/run_row.h"

#include "base/memory.h"

bool run_rows_begin(struct workbench *workbench, size_t count, struct error *error) {
    struct run_row *rows = memory_alloc(count > 0 ? count : 1, sizeof *rows, error);
    if (rows == NULL)
        return false;
    (void)pthread_mutex_lock(&workbench->mutex);
    struct run_row *old = workbench->run_rows;
    workbench->run_rows = rows;
    workbench->run_count = 0;
    workbench->run_total = count;
    (void)pthread_mutex_unlock(&workbench->mutex);
    memory_free(old);
    return true;
}

void run_rows_put(struct workbench *workbench, const struct run_row *row) {
    (void)pthread_mutex_lock(&workbench->mutex);
    size_t place = 0;
    while (place < workbench->run_count && workbench->run_rows[place].matrix != row->matrix)
        place++;
    if (place < workbench->run_total) {
        workbench->run_rows[place] = *row;
        workbench->run_count = place < workbench->run_count ? workbench->run_count : place + 1;
    }
    (void)pthread_mutex_unlock(&workbench->mutex);
}

size_t run_rows_count(struct workbench *workbench, size_t *total) {
    (void)pthread_mutex_lock(&workbench->mutex);
    size_t count = workbench->run_count;
    *total = workbench->run_total;
    (void)pthread_mutex_unlock(&workbench->mutex);
    return count;
}

bool run_row_at(struct run_row *row, struct workbench *workbench, size_t index) {
    (void)pthread_mutex_lock(&workbench->mutex);
    bool there = index < workbench->run_count;
    if (there)
        *row = workbench->run_rows[index];
    (void)pthread_mutex_unlock(&workbench->mutex);
    return there;
}
