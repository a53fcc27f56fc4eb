/* How fast the screen answers, measured through a pseudo-terminal from the key to the frame that shows what it did:
 * while a prune job keeps all cores busy, and at the start. Models are holes in sparse files. */
#include "tests/bench/bench.h"
#include "tests/term/pty.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 60, COLUMNS = 200, KEYS = 300, PATH_SIZE = 256, WAIT = 5000 };
enum { WINDOWS = 64, LENGTH = 128, VOCABULARY = 1000 };

static char folder[64];
static const char *const environment[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", NULL};

static bool make_model(char path[PATH_SIZE], const char *name, const char *shapes) {
    char command[2 * PATH_SIZE];
    (void)snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    (void)snprintf(command, sizeof command, "bash '" ABS_TOP_SRCDIR "/tests/make_shapes.sh' '%s' %s", path, shapes);
    return system(command) == 0;
}

/* Token ids as a .npy file of shape [WINDOWS, LENGTH]. */
static bool make_tokens(char path[PATH_SIZE]) {
    char header[128] = "\x93NUMPY\x01";
    (void)snprintf(path, PATH_SIZE, "%s/tokens.npy", folder);
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    header[8] = 118;
    (void)snprintf(header + 10, sizeof header - 10, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), }",
                   WINDOWS, LENGTH);
    memset(header + 10 + strlen(header + 10), ' ', 117 - strlen(header + 10));
    header[127] = '\n';
    (void)!fwrite(header, 1, sizeof header, file);
    for (int32_t i = 0; i < WINDOWS * LENGTH; i++) {
        int32_t id = i % VOCABULARY;
        (void)!fwrite(&id, sizeof id, 1, file);
    }
    return fclose(file) == 0;
}

static bool start(struct pty *pty, const char *model) {
    const char *arguments[] = {ABS_TOP_BUILDDIR "/secateur", model, NULL};
    return pty_start(pty, folder, ROWS, COLUMNS, environment, arguments);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void report_keys(const char *what, double *seconds, size_t count) {
    char line[96];
    qsort(seconds, count, sizeof *seconds, compare);
    (void)snprintf(line, sizeof line, "%s: key to repaint, median, ms", what);
    bench_at_most(line, 1000 * seconds[count / 2], 5);
    (void)snprintf(line, sizeof line, "%s: key to repaint, p99, ms", what);
    bench_at_most(line, 1000 * seconds[count * 99 / 100], 20);
}

/* Down, up, more, less, down, ...: the answer is the cursor on its new row, or the row's new figures. */
static bool time_key(double *seconds, struct pty *pty, int number) {
    static const char *const keys[] = {"j", "L", "H", "k"};
    const char *key = keys[number % 4];
    int row = pty->cursor_row;
    char *before = pty_row(pty, row);
    double begun = pty_clock();
    pty_send(pty, key);
    bool ok = *key == 'j'   ? pty_wait_cursor(pty, row + 1, WAIT)
              : *key == 'k' ? pty_wait_cursor(pty, row - 1, WAIT)
                            : pty_wait_change(pty, row, before, WAIT);
    *seconds = pty_clock() - begun;
    free(before);
    return ok;
}

static bool time_keys(struct pty *pty, const char *what) {
    static double seconds[KEYS];
    for (int i = 0; i < KEYS; i++) {
        (void)pty_settle(pty, 10, 10 + (i * 7) % 20); /* not in step with the job's own frames */
        if (!time_key(&seconds[i], pty, i))
            return false;
    }
    report_keys(what, seconds, KEYS);
    return true;
}

static bool time_cancel(struct pty *pty) {
    pty_send(pty, ":view run\r");
    if (!pty_wait_text(pty, "running", WAIT))
        return false;
    double begun = pty_clock();
    pty_send(pty, "c");
    bool ok = pty_wait_text(pty, "stopping", WAIT);
    bench_at_most("cancel acknowledged, ms", 1000 * (pty_clock() - begun), 200);
    ok = ok && pty_wait_text(pty, "cancelled, what", 2 * WAIT);
    bench_at_most("cancelled, ms", 1000 * (pty_clock() - begun), 2000);
    return ok;
}

static bool bench_keys(const char *what, const char *shapes, const char *tokens) {
    struct pty pty;
    char model[PATH_SIZE], command[3 * PATH_SIZE];
    bool ok = make_model(model, "keys", shapes) && start(&pty, model) && pty_wait_text(&pty, "sparsity", WAIT);
    if (!ok)
        return false;
    (void)snprintf(command, sizeof command,
                   ":prune %s/out-%.3s sparsity=0.5 pattern=unstructured method=sparsegpt calibrate=%s\r", folder, what,
                   tokens);
    pty_send(&pty, "*");
    pty_send(&pty, command);
    ok = pty_wait_text(&pty, "prune 0%", WAIT) || pty_wait_text(&pty, "prune 1%", 1);
    (void)pty_settle(&pty, 1000, 2000);
    pty_send(&pty, "jjjjj");
    (void)pty_settle(&pty, 300, 500);
    ok = ok && time_keys(&pty, what) && time_cancel(&pty);
    if (!ok) {
        char *text = pty_text(&pty, false);
        printf("the screen was:\n%s", text);
        free(text);
    }
    pty_stop(&pty);
    return ok;
}

static bool bench_first_frame(void) {
    char model[PATH_SIZE];
    double best = INFINITY;
    if (!make_model(model, "large", "32 4096 11008 32000"))
        return false;
    for (int i = 0; i < BENCH_REPEATS; i++) {
        struct pty pty;
        double begun = pty_clock();
        bool ok = start(&pty, model) && pty_wait_text(&pty, "sparsity", WAIT);
        best = fmin(best, pty_clock() - begun);
        pty_stop(&pty);
        if (!ok)
            return false;
    }
    bench_at_most("first frame of a model of 14 GB, ms", 1000 * best, 50);
    return true;
}

static bool bench_idle(void) {
    struct pty pty;
    unsigned long waits = 0, waits_after = 0;
    if (!start(&pty, ABS_TOP_SRCDIR "/samples/model") || !pty_wait_text(&pty, "sparsity", WAIT))
        return false;
    (void)pty_settle(&pty, 1500, WAIT);
    unsigned long ticks = pty_ticks(&pty, &waits);
    (void)pty_settle(&pty, 4000, 4000);
    bench_at_most("idle for 4 s: processor ticks", (double)(pty_ticks(&pty, &waits_after) - ticks), 0);
    bench_at_most("idle for 4 s: wake-ups", (double)(waits_after - waits), 0);
    pty_stop(&pty);
    return true;
}

int main(void) {
    char tokens[PATH_SIZE], command[PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "/tmp/secateur-bench-XXXXXX");
    bool ok = mkdtemp(folder) && make_tokens(tokens) && bench_first_frame() && bench_idle() &&
              bench_keys("112 matrices", "16 4096 4096 1000", tokens) &&
              bench_keys("560 matrices", "80 4096 4096 1000", tokens);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    (void)!system(command);
    return !ok;
}
