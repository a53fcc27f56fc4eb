#define _GNU_SOURCE /* gettid */
#include "base/parallel.h"

#include <cblas.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARALLEL_MAXIMUM 256
#define PARALLEL_NICE 10
/* Looks for the next loop, or for the end of this one, before a thread sleeps: some tens of microseconds, which is what
 * waking it would take. A solve starts hundreds of loops one after the other; an idle program still sleeps. */
#define PARALLEL_SPINS 1500

typedef void piece_function(void *context, size_t begin, size_t end, int thread);

/* One loop at a time owns the pool; a second thread that starts a loop meanwhile runs it alone. */
static struct {
    pthread_mutex_t owner;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    pthread_cond_t idle;
    int threads;           /* asked for, the caller included; 0 = not set yet */
    int started;           /* pool threads that exist */
    int wanted;            /* pool threads that take part in the current loop */
    _Atomic int busy;      /* of those, still running */
    _Atomic uint64_t loop; /* number of the current loop */
    piece_function *function;
    void *context;
    size_t count, grain;
    _Atomic size_t next;
    int blas_single;
} pool = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};

static _Thread_local bool inside_loop;

int parallel_threads(void) {
    if (pool.threads == 0)
        parallel_set_threads(0);
    return pool.threads;
}

void parallel_set_threads(int threads) {
    if (threads <= 0)
        threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (threads < 1)
        threads = 1;
    pool.threads = threads < PARALLEL_MAXIMUM ? threads : PARALLEL_MAXIMUM;
    openblas_set_num_threads(pool.threads);
}

static void take_pieces(int thread) {
    inside_loop = true;
    for (;;) {
        size_t begin = atomic_fetch_add(&pool.next, pool.grain);
        if (begin >= pool.count)
            break;
        size_t end = pool.count - begin < pool.grain ? pool.count : begin + pool.grain;
        pool.function(pool.context, begin, end, thread);
    }
    inside_loop = false;
}

static void rest(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void spin_for_loop(uint64_t seen) {
    for (int i = 0; i < PARALLEL_SPINS && atomic_load_explicit(&pool.loop, memory_order_relaxed) == seen; i++)
        rest();
}

static void spin_for_idle(void) {
    for (int i = 0; i < PARALLEL_SPINS && atomic_load_explicit(&pool.busy, memory_order_relaxed) > 0; i++)
        rest();
}

static void *pool_thread(void *argument) {
    int thread = (int)(intptr_t)argument;
    uint64_t seen = 0;
    (void)pthread_mutex_lock(&pool.mutex);
    for (;;) {
        while (pool.loop == seen || thread > pool.wanted) {
            seen = pool.loop;
            (void)pthread_cond_wait(&pool.work, &pool.mutex);
        }
        seen = pool.loop;
        (void)pthread_mutex_unlock(&pool.mutex);
        take_pieces(thread);
        (void)pthread_mutex_lock(&pool.mutex);
        if (--pool.busy == 0)
            (void)pthread_cond_signal(&pool.idle);
        (void)pthread_mutex_unlock(&pool.mutex);
        spin_for_loop(seen);
        (void)pthread_mutex_lock(&pool.mutex);
    }
    return NULL;
}

/* Starts pool threads until `wanted` exist or none can be had; returns how many do. Called with the mutex held. */
static int start_threads(int wanted) {
    while (pool.started < wanted) {
        pthread_t id;
        if (pthread_create(&id, NULL, pool_thread, (void *)(intptr_t)(pool.started + 1)) != 0)
            break;
        (void)pthread_detach(id);
        pool.started++;
    }
    return pool.started < wanted ? pool.started : wanted;
}

static void run_on_pool(size_t count, size_t grain, piece_function *function, void *context) {
    size_t pieces = (count + grain - 1) / grain;
    int helpers = parallel_threads() - 1;
    if ((size_t)helpers > pieces - 1)
        helpers = (int)(pieces - 1);
    (void)pthread_mutex_lock(&pool.mutex);
    helpers = start_threads(helpers);
    pool.function = function;
    pool.context = context;
    pool.count = count;
    pool.grain = grain;
    atomic_store(&pool.next, 0);
    pool.wanted = helpers;
    pool.busy = helpers;
    pool.loop++;
    (void)pthread_cond_broadcast(&pool.work);
    (void)pthread_mutex_unlock(&pool.mutex);
    take_pieces(0);
    spin_for_idle();
    (void)pthread_mutex_lock(&pool.mutex);
    while (pool.busy > 0)
        (void)pthread_cond_wait(&pool.idle, &pool.mutex);
    pool.wanted = 0;
    (void)pthread_mutex_unlock(&pool.mutex);
}

static void run_alone(size_t count, size_t grain, piece_function *function, void *context) {
    for (size_t begin = 0; begin < count; begin += grain)
        function(context, begin, count - begin < grain ? count : begin + grain, 0);
}

void parallel_for(size_t count, size_t grain, piece_function *function, void *context) {
    if (count == 0)
        return;
    if (grain == 0)
        grain = 1;
    bool alone = inside_loop || count <= grain || parallel_threads() == 1;
    if (alone || pthread_mutex_trylock(&pool.owner) != 0) {
        run_alone(count, grain, function, context);
        return;
    }
    run_on_pool(count, grain, function, context);
    (void)pthread_mutex_unlock(&pool.owner);
}

void parallel_blas_single_begin(void) {
    if (pool.blas_single++ == 0)
        openblas_set_num_threads(1);
}

void parallel_blas_single_end(void) {
    if (--pool.blas_single == 0)
        openblas_set_num_threads(parallel_threads());
}

void parallel_lower_priority(void) {
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return;
    long self = gettid();
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id > 0 && id != self)
            (void)setpriority(PRIO_PROCESS, (id_t)id, PARALLEL_NICE);
    }
    (void)closedir(tasks);
}
