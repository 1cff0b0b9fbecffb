/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/stage.c - processes and who runs where. */
#include "perf/stage.h"

#include "core/clock.h"
#include "net/udp.h"
#include "perf/crowd.h"
#include "perf/limit.h"
#include "perf/publisher.h"
#include "perf/receivers.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_S = 10, SEALED_S = 60, STEP_US = 10000, CALM_MIN_MS = 150, DRAIN_MS = 60 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The last processor is the load's, the others are the relay's; with one only, nothing is pinned.
 */
static void plan_cpus(struct stage *stage)
{
    cpu_set_t set;
    int n = 0;
    stage->load_cpu = -1;
    stage->relay_cpus_n = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE && n < STAGE_CPUS_MAX; cpu++)
        if (CPU_ISSET((size_t)cpu, &set))
            stage->cpus[n++] = cpu;
    if (n < 2)
        return;
    stage->load_cpu = stage->cpus[n - 1];
    stage->relay_cpus_n = n - 1;
}

static void raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool wait_for(struct stage *stage, _Atomic bool *flag, const char *what)
{
    int64_t until_us = clock_now_us() + READY_S * INT64_C(1000000);
    while (!atomic_load(flag)) {
        if (!stage_wait(stage, 0.01) || clock_now_us() > until_us) {
            fprintf(stderr, "sluice-perf: %s did not start\n", what);
            return false;
        }
    }
    return true;
}

static bool open_sockets(struct shared *shared)
{
    struct udp_options options = {.receive_bytes = 1 << 20, .send_bytes = 1 << 20};
    for (uint32_t i = 0; i < shared->scene.participants_n; i++) {
        struct shared_participant *one = &shared->participants[i];
        struct addr address;
        struct udp_socket socket;
        addr_parse(&address, "127.0.0.1", 0);
        if (udp_open(&socket, &address, &options) != 0) {
            fprintf(stderr, "sluice-perf: cannot open %u sockets\n", shared->scene.participants_n);
            return false;
        }
        one->fd = socket.fd;
        one->port = addr_port(&socket.local);
    }
    return true;
}

bool stage_open(struct stage *stage, const struct options *options)
{
    *stage = (struct stage){.options = options, .relay.fd = -1};
    watch_signals();
    plan_cpus(stage);
    raise_files();
    stage->shared = shared_make();
    if (stage->shared == NULL)
        return false;
    if (!scene_make(&stage->shared->scene, options)) {
        fprintf(stderr, "sluice-perf: the scene has no room for so many\n");
        return false;
    }
    atomic_store(&stage->shared->calm, true);
    atomic_store(&stage->shared->rate_q16, 1 << 16);
    atomic_store(&stage->shared->suite, (uint32_t)options->suite);
    if (!open_sockets(stage->shared))
        return false;
    stage->receivers = shared_fork(stage->shared, options, stage->load_cpu, receivers_run);
    return wait_for(stage, &stage->shared->receivers_ready, "the receivers");
}

bool stage_start_relay(struct stage *stage, bool count_heap)
{
    if (!relay_start(&stage->relay, stage->options, count_heap))
        return false;
    relay_pin(&stage->relay, stage->cpus, stage->relay_cpus_n, stage->load_cpu);
    return true;
}

bool stage_wait_sealed(struct stage *stage)
{
    struct shared *shared = stage->shared;
    int64_t until_us = clock_now_us() + SEALED_S * INT64_C(1000000);
    for (uint32_t i = 0; i < shared->scene.participants_n;) {
        struct shared_participant *one = &shared->participants[i];
        if (atomic_load(&one->joined) == atomic_load(&one->sealed)) {
            i++;
            continue;
        }
        if (atomic_load(&one->failed) || !stage_wait(stage, 0.002) || clock_now_us() > until_us) {
            fprintf(stderr, "sluice-perf: participant %u could not join\n", i);
            return false;
        }
    }
    return true;
}

bool stage_start_publisher(struct stage *stage)
{
    stage->publisher = shared_fork(stage->shared, stage->options, stage->load_cpu, publisher_run);
    return stage->publisher > 0;
}

bool stage_join(struct stage *stage)
{
    return rooms_open(&stage->rooms, &stage->relay, stage->options, stage->shared) &&
           stage_wait_sealed(stage) && stage_start_publisher(stage);
}

bool stage_consume(struct stage *stage)
{
    return rooms_consume(&stage->rooms);
}

bool stage_start_limit(struct stage *stage)
{
    int cpu = stage->relay_cpus_n > 0 ? stage->cpus[0] : -1;
    stage->limit = shared_fork(stage->shared, stage->options, cpu, limit_run);
    if (!wait_for(stage, &stage->shared->limit_ready, "the limit"))
        return false;
    measure_threads_all(&stage->limit_threads, stage->limit);
    return true;
}

bool stage_start_crowd(struct stage *stage)
{
    struct shared_crowd *crowd = &stage->shared->crowd;
    snprintf(crowd->socket, sizeof crowd->socket, "%s", stage->relay.socket);
    stage->crowd = shared_fork(stage->shared, stage->options, stage->load_cpu, crowd_run);
    return wait_for(stage, &crowd->ready, "the peers");
}

void stage_close(struct stage *stage)
{
    if (stage->shared != NULL)
        atomic_store(&stage->shared->stop, true);
    shared_reap(stage->publisher);
    shared_reap(stage->limit);
    shared_reap(stage->crowd);
    shared_reap(stage->receivers);
    relay_stop(&stage->relay);
    rooms_exit(&stage->rooms);
    for (uint32_t i = 0; stage->shared != NULL && i < stage->shared->scene.participants_n; i++)
        if (stage->shared->participants[i].port != 0)
            close(stage->shared->participants[i].fd);
    if (stage->shared != NULL)
        munmap(stage->shared, sizeof *stage->shared);
    stage->shared = NULL;
}

static bool is_alive(pid_t *pid, const char *what)
{
    int status = 0;
    if (*pid <= 0 || waitpid(*pid, &status, WNOHANG) != *pid)
        return true;
    *pid = 0;
    fprintf(stderr, "sluice-perf: %s ended, status %d\n", what, status);
    return false;
}

bool stage_wait(struct stage *stage, double seconds)
{
    int64_t until_us = clock_now_us() + (int64_t)(seconds * 1e6);
    for (;;) {
        int64_t left_us = until_us - clock_now_us();
        if (interrupted != 0 || !is_alive(&stage->receivers, "the receivers") ||
            !is_alive(&stage->publisher, "the publisher") ||
            !is_alive(&stage->limit, "the limit") || !is_alive(&stage->crowd, "the peers") ||
            !is_alive(&stage->relay.pid, "the relay"))
            return false;
        if (left_us <= 0)
            return true;
        usleep((useconds_t)min_i64(left_us, 10 * STEP_US));
    }
}

bool stage_publish(struct stage *stage, double seconds, bool lossy)
{
    struct shared *shared = stage->shared;
    double rtt_s = stage->options->rtt_ms / 1e3;
    double calm_s = stage->options->loss_share > 0 ? CALM_MIN_MS / 1e3 + 6 * rtt_s : 0;
    if (calm_s > seconds / 2)
        calm_s = seconds / 2;
    atomic_store(&shared->calm, !lossy);
    atomic_store(&shared->publish, true);
    bool right = stage_wait(stage, seconds - calm_s);
    atomic_store(&shared->calm, true);
    right = right && stage_wait(stage, calm_s);
    atomic_store(&shared->publish, false);
    return right && stage_wait(stage, DRAIN_MS / 1e3 + rtt_s);
}

void stage_sum(const struct stage *stage, struct stage_sums *sums)
{
    *sums = (struct stage_sums){0};
    for (uint32_t i = 0; i < stage->shared->scene.participants_n; i++) {
        const struct shared_figures *one = &stage->shared->participants[i].figures;
        sums->received += one->received;
        sums->spanned += one->spanned;
        sums->lost_on_wire += one->lost_on_wire;
        sums->recovered += one->recovered;
        sums->recovered_thrown += one->recovered_thrown;
        sums->nack_requested += one->nack_requested;
        sums->nack_served += one->nack_served;
        sums->nack_late += one->nack_late;
        sums->keyframes_requested += one->keyframes_requested;
        sums->limit += one->limit;
        sums->foreign += one->foreign;
        sums->missed += one->missed;
    }
}

uint64_t stage_wanted(const struct stage *stage)
{
    const struct scene *scene = &stage->shared->scene;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < scene->tracks_n; i++)
        wanted += stage->shared->tracks[i].published * scene->tracks[i].receivers_n;
    return wanted;
}
