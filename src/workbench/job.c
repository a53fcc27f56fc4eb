#define _GNU_SOURCE /* eventfd */
#include "workbench/job.h"

#include "base/memory.h"
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOG_LINES 1000
#define LOG_WIDTH 240
#define WAKE_SECONDS 0.05     /* at most 20 wake-ups of the screen a second for work that goes on */
#define RATE_SECONDS 10.0     /* time constant of the average rate */
#define SAMPLE_SECONDS 0.25   /* between two samples of the rate */
#define SHOW_LEFT_SECONDS 5.0 /* no estimate before that */
#define REPORT_MILLISECONDS 200

struct job {
    struct job_work work;
    struct progress progress;
    enum job_state state;
    bool yielding; /* a background job that was stopped to let the user's go first: it runs again later */
    double started, ended;
    double sampled_at, rate; /* work a second, averaged */
    uint64_t sampled_done;
    struct error error;
    struct job *next;
};

struct jobs {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int descriptor;
    bool closing;
    _Atomic bool interrupted;
    struct job *waiting; /* user's first, then background, each in order of arrival */
    struct job *running;
    struct job *ended;      /* finish() still to be called */
    struct job_status last; /* of the user's job that ended last; name NULL: none yet */
    char stage[96];
    double woken;
    size_t log_count; /* lines ever written */
    char log[LOG_LINES][LOG_WIDTH];
    void (*report)(void *context, const struct job_status *status);
    void *report_context;
};

static void wake_screen(struct jobs *jobs) {
    uint64_t one = 1;
    ssize_t written = write(jobs->descriptor, &one, sizeof one);
    (void)written; /* a full counter is a wake-up that is already under way */
}

/* ---- the queue; all under the mutex ---- */

static void enqueue(struct jobs *jobs, struct job *job) {
    struct job **place = &jobs->waiting;
    while (*place != NULL && (job->work.background || !(*place)->work.background))
        place = &(*place)->next;
    job->next = *place;
    *place = job;
}

static struct job *dequeue(struct jobs *jobs) {
    struct job *job = jobs->waiting;
    jobs->waiting = job->next;
    job->next = NULL;
    return job;
}

static void append_ended(struct jobs *jobs, struct job *job) {
    struct job **place = &jobs->ended;
    while (*place != NULL)
        place = &(*place)->next;
    job->next = NULL;
    *place = job;
}

/* The average rate, renewed at most every SAMPLE_SECONDS. */
static void sample_rate(struct job *job, double now) {
    uint64_t done = atomic_load(&job->progress.done);
    double elapsed = now - job->sampled_at;
    if (elapsed < SAMPLE_SECONDS || done < job->sampled_done)
        return;
    double rate = (double)(done - job->sampled_done) / elapsed;
    double weight = job->rate > 0 ? 1 - exp(-elapsed / RATE_SECONDS) : 1;
    job->rate += weight * (rate - job->rate);
    job->sampled_at = now;
    job->sampled_done = done;
}

static void fill_status(struct job_status *status, const struct jobs *jobs, struct job *job) {
    memset(status, 0, sizeof *status);
    status->name = job->work.name;
    (void)snprintf(status->title, sizeof status->title, "%s", job->work.title);
    (void)snprintf(status->stage, sizeof status->stage, "%s", job == jobs->running ? jobs->stage : "");
    status->state = job->state;
    status->background = job->work.background;
    status->cancelling = job->state == JOB_RUNNING && atomic_load(&job->progress.cancel);
    status->paused = atomic_load(&job->progress.pause);
    status->started = job->started;
    double now = job->state == JOB_RUNNING ? progress_clock() : job->ended;
    status->seconds = job->state == JOB_WAITING ? 0 : now - job->started;
    uint64_t total = atomic_load(&job->progress.total);
    uint64_t done = atomic_load(&job->progress.done);
    status->fraction = job->state == JOB_DONE ? 1 : total == 0 ? -1 : fmin(1, (double)done / (double)total);
    status->seconds_left = -1;
    if (job->state == JOB_RUNNING)
        sample_rate(job, now);
    if (job->state == JOB_RUNNING && total > 0 && job->rate > 0 && status->seconds >= SHOW_LEFT_SECONDS)
        status->seconds_left = done < total ? (double)(total - done) / job->rate : 0;
    status->error = job->error;
}

/* A job that stopped is done, failed, cancelled, or goes back to the queue. */
static void settle(struct jobs *jobs, struct job *job, bool ok) {
    job->ended = progress_clock();
    jobs->running = NULL;
    if (!ok && job->yielding && job->error.code == ERROR_CANCELLED && !jobs->closing) {
        job->yielding = false;
        job->state = JOB_WAITING;
        memset(&job->error, 0, sizeof job->error);
        enqueue(jobs, job);
        return;
    }
    job->state = ok ? JOB_DONE : job->error.code == ERROR_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
    if (!job->work.background)
        fill_status(&jobs->last, jobs, job);
    append_ended(jobs, job);
    wake_screen(jobs);
}

static void begin(struct jobs *jobs, struct job *job) {
    jobs->running = job;
    jobs->stage[0] = '\0';
    job->state = JOB_RUNNING;
    job->started = progress_clock();
    job->sampled_at = job->started;
    job->sampled_done = 0;
    job->rate = 0;
    atomic_store(&job->progress.done, 0);
    atomic_store(&job->progress.cancel, false);
    wake_screen(jobs);
}

static void *worker(void *argument) {
    struct jobs *jobs = argument;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (;;) {
        while (jobs->waiting == NULL && !jobs->closing)
            (void)pthread_cond_wait(&jobs->wake, &jobs->mutex);
        if (jobs->closing)
            break;
        struct job *job = dequeue(jobs);
        begin(jobs, job);
        (void)pthread_mutex_unlock(&jobs->mutex);
        bool ok = job->work.run(job->work.context, &job->progress, &job->error);
        (void)pthread_mutex_lock(&jobs->mutex);
        settle(jobs, job, ok);
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

/* ---- for the screen's thread ---- */

/* Signals are for the screen's thread; the worker, and the threads that it starts, see none. */
static int start_worker(struct jobs *jobs) {
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int failure = pthread_create(&jobs->thread, NULL, worker, jobs);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

struct jobs *jobs_create(struct error *error) {
    struct jobs *jobs = memory_alloc(1, sizeof *jobs, error);
    if (jobs == NULL)
        return NULL;
    jobs->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (jobs->descriptor < 0) {
        (void)error_set_errno(error, ERROR_FAILURE, "cannot create an event descriptor");
        memory_free(jobs);
        return NULL;
    }
    (void)pthread_mutex_init(&jobs->mutex, NULL);
    (void)pthread_cond_init(&jobs->wake, NULL);
    errno = start_worker(jobs);
    if (errno != 0) {
        (void)error_set_errno(error, ERROR_FAILURE, "cannot start the worker thread");
        (void)close(jobs->descriptor);
        memory_free(jobs);
        return NULL;
    }
    return jobs;
}

static void finish_one(struct job *job) {
    bool ok = job->state == JOB_DONE;
    if (job->work.finish != NULL)
        job->work.finish(job->work.context, ok, ok ? NULL : &job->error);
    memory_free(job);
}

static void finish_list(struct job *job) {
    while (job != NULL) {
        struct job *next = job->next;
        finish_one(job);
        job = next;
    }
}

void jobs_free(struct jobs *jobs) {
    if (jobs == NULL)
        return;
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->closing = true;
    if (jobs->running != NULL)
        atomic_store(&jobs->running->progress.cancel, true);
    (void)pthread_cond_signal(&jobs->wake);
    (void)pthread_mutex_unlock(&jobs->mutex);
    (void)pthread_join(jobs->thread, NULL);
    for (struct job *job = jobs->waiting; job != NULL; job = job->next) {
        job->state = JOB_CANCELLED;
        (void)error_set(&job->error, ERROR_CANCELLED, "cancelled before it began");
    }
    finish_list(jobs->ended);
    finish_list(jobs->waiting);
    (void)close(jobs->descriptor);
    (void)pthread_cond_destroy(&jobs->wake);
    (void)pthread_mutex_destroy(&jobs->mutex);
    memory_free(jobs);
}

bool jobs_start(struct jobs *jobs, const struct job_work *work, struct error *error) {
    struct job *job = memory_alloc(1, sizeof *job, error);
    if (job == NULL)
        return false;
    job->work = *work;
    (void)pthread_mutex_lock(&jobs->mutex);
    enqueue(jobs, job);
    struct job *running = jobs->running;
    if (running != NULL && running->work.background && !work->background) {
        running->yielding = true;
        atomic_store(&running->progress.cancel, true);
    }
    (void)pthread_cond_signal(&jobs->wake);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return true;
}

int jobs_descriptor(const struct jobs *jobs) {
    return jobs->descriptor;
}

/* Calls finish() of the ended jobs; the first error among them goes to `first`, which may be NULL. */
static bool collect(struct jobs *jobs, struct error *first) {
    uint64_t count = 0;
    bool woken = read(jobs->descriptor, &count, sizeof count) == (ssize_t)sizeof count;
    (void)pthread_mutex_lock(&jobs->mutex);
    struct job *ended = jobs->ended;
    jobs->ended = NULL;
    (void)pthread_mutex_unlock(&jobs->mutex);
    for (const struct job *job = ended; first != NULL && job != NULL && first->code == ERROR_NONE; job = job->next)
        *first = job->error;
    finish_list(ended);
    return woken || ended != NULL;
}

bool jobs_collect(struct jobs *jobs) {
    return collect(jobs, NULL);
}

static bool anything_left(struct jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    bool left = jobs->waiting != NULL || jobs->running != NULL || jobs->ended != NULL;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return left;
}

bool jobs_wait(struct jobs *jobs, struct error *error) {
    struct error first = {0};
    struct job_status status;
    while (anything_left(jobs)) {
        struct pollfd poll_for = {.fd = jobs->descriptor, .events = POLLIN};
        (void)poll(&poll_for, 1, jobs->report != NULL ? REPORT_MILLISECONDS : -1);
        if (atomic_exchange(&jobs->interrupted, false))
            jobs_cancel(jobs);
        if (jobs->report != NULL && jobs_status(jobs, &status))
            jobs->report(jobs->report_context, &status);
        (void)collect(jobs, &first);
    }
    if (first.code == ERROR_NONE)
        return true;
    return error_set(error, first.code, "%s", first.text);
}

void jobs_interrupt(struct jobs *jobs) {
    atomic_store(&jobs->interrupted, true);
    wake_screen(jobs);
}

void jobs_set_reporter(struct jobs *jobs, void (*report)(void *context, const struct job_status *status),
                       void *context) {
    jobs->report = report;
    jobs->report_context = context;
}

static struct job *first_of_user(struct jobs *jobs) {
    if (jobs->running != NULL && !jobs->running->work.background)
        return jobs->running;
    return jobs->waiting != NULL && !jobs->waiting->work.background ? jobs->waiting : NULL;
}

bool jobs_busy(struct jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    bool busy = first_of_user(jobs) != NULL;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return busy;
}

bool jobs_status(struct jobs *jobs, struct job_status *status) {
    (void)pthread_mutex_lock(&jobs->mutex);
    struct job *job = first_of_user(jobs);
    bool any = true;
    if (job != NULL)
        fill_status(status, jobs, job);
    else if (jobs->last.name != NULL)
        *status = jobs->last;
    else if (jobs->running != NULL)
        fill_status(status, jobs, jobs->running);
    else
        any = false;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return any;
}

void jobs_cancel(struct jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    struct job *job = jobs->running;
    if (job != NULL && (!job->work.background || jobs->waiting == NULL)) {
        job->yielding = false;
        atomic_store(&job->progress.cancel, true);
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    wake_screen(jobs);
}

void jobs_pause(struct jobs *jobs, bool pause) {
    (void)pthread_mutex_lock(&jobs->mutex);
    if (jobs->running != NULL)
        atomic_store(&jobs->running->progress.pause, pause);
    (void)pthread_mutex_unlock(&jobs->mutex);
    wake_screen(jobs);
}

/* ---- from inside run() ---- */

void job_stage(struct jobs *jobs, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)pthread_mutex_lock(&jobs->mutex);
    (void)vsnprintf(jobs->stage, sizeof jobs->stage, format, arguments);
    (void)pthread_mutex_unlock(&jobs->mutex);
    va_end(arguments);
    job_changed(jobs);
}

void job_log(struct jobs *jobs, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)pthread_mutex_lock(&jobs->mutex);
    (void)vsnprintf(jobs->log[jobs->log_count % LOG_LINES], LOG_WIDTH, format, arguments);
    jobs->log_count++;
    (void)pthread_mutex_unlock(&jobs->mutex);
    va_end(arguments);
    job_changed(jobs);
}

void job_changed(struct jobs *jobs) {
    double now = progress_clock();
    (void)pthread_mutex_lock(&jobs->mutex);
    bool due = now - jobs->woken >= WAKE_SECONDS;
    if (due)
        jobs->woken = now;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (due)
        wake_screen(jobs);
}

size_t job_log_lines(struct jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    size_t lines = jobs->log_count < LOG_LINES ? jobs->log_count : LOG_LINES;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return lines;
}

bool job_log_line(struct jobs *jobs, size_t index, char *buffer, size_t size) {
    (void)pthread_mutex_lock(&jobs->mutex);
    size_t lines = jobs->log_count < LOG_LINES ? jobs->log_count : LOG_LINES;
    bool there = index < lines;
    if (there)
        (void)snprintf(buffer, size, "%s", jobs->log[(jobs->log_count - lines + index) % LOG_LINES]);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return there;
}
