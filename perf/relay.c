/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/relay.c - sluiced as a child, and JSON-RPC lines to it. */
#include "perf/relay.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_US = 10000000,
    ANSWER_MS = 10000,
    STOP_MS = 5000,
    LINE_BYTES_MAX = 16 << 20,
    ARGS_MAX = 24
};

static const char configuration[] = "{}\n"; /* not the machine's own */

bool relay_find(const char *name, const char *folder, char path[RELAY_PATH_BYTES])
{
    char self[RELAY_PATH_BYTES / 2];
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    if (bytes <= 0)
        return false;
    self[bytes] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(path, RELAY_PATH_BYTES, "%s/%s", self, name);
    if (access(path, R_OK) == 0)
        return true;
    snprintf(path, RELAY_PATH_BYTES, "%s/%s/%s", self, folder, name);
    return access(path, R_OK) == 0;
}

/* ---- the process ---- */

static bool make_folder(struct relay *relay, char config[RELAY_SOCKET_BYTES])
{
    snprintf(relay->folder, sizeof relay->folder, "/tmp/sluice-perf-XXXXXX");
    if (mkdtemp(relay->folder) == NULL) {
        relay->folder[0] = '\0';
        return false;
    }
    snprintf(relay->socket, sizeof relay->socket, "%s/socket", relay->folder);
    snprintf(config, RELAY_SOCKET_BYTES, "%s/config", relay->folder);
    FILE *file = fopen(config, "we");
    if (file == NULL)
        return false;
    fputs(configuration, file);
    return fclose(file) == 0;
}

/* The mapping and its descriptor, which the relay inherits; -1 without. */
static int make_heap(struct relay *relay, bool wanted, char library[RELAY_PATH_BYTES])
{
    if (!wanted || !relay_find(HEAPCOUNT_LIBRARY, SLUICE_PERF_LIBRARIES, library))
        return -1;
    int fd = memfd_create("heapcount", 0);
    if (fd < 0 || ftruncate(fd, sizeof *relay->heap) != 0)
        return -1;
    void *memory = mmap(NULL, sizeof *relay->heap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        close(fd);
        return -1;
    }
    relay->heap = memory;
    return fd;
}

static void become_relay(const char *path, const struct relay *relay, const char *config,
                         const struct options *options, int heap_fd, const char *library)
{
    char workers[16], pps[16], fd[16];
    snprintf(workers, sizeof workers, "%u", options->workers);
    snprintf(pps, sizeof pps, "%u", options->pps < 20000 ? 20000 : options->pps);
    const char *args[ARGS_MAX] = {path,
                                  "--config",
                                  config,
                                  "--socket",
                                  relay->socket,
                                  "--workers",
                                  workers,
                                  "--io",
                                  options->engine == IO_ENGINE_MMSG ? "mmsg" : "uring",
                                  "--planned-pps",
                                  pps,
                                  "--log-level",
                                  "warn"};
    size_t n = 0;
    while (args[n] != NULL)
        n++;
    if (options->shape != OPTIONS_FANOUT && options->workers > 1) {
        args[n++] = "--placement"; /* one room on all of them */
        args[n++] = "spread";
    }
    if (options->without != NULL) {
        args[n++] = "--without";
        args[n++] = options->without;
    }
    if (heap_fd >= 0) {
        snprintf(fd, sizeof fd, "%d", heap_fd);
        setenv(HEAPCOUNT_ENV, fd, 1);
        setenv("LD_PRELOAD", library, 1);
    }
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 0); /* as its unit does */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(path, (char *const *)(uintptr_t)args);
    fprintf(stderr, "sluice-perf: cannot run %s: %s\n", path, strerror(errno));
    _exit(127);
}

static bool connect_to(struct relay *relay)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int64_t until_us = clock_now_us() + START_US;
    memcpy(name.sun_path, relay->socket, sizeof relay->socket);
    while (clock_now_us() < until_us) {
        int status = 0;
        relay->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(relay->fd, (struct sockaddr *)&name, sizeof name) == 0)
            return true;
        close(relay->fd);
        relay->fd = -1;
        if (waitpid(relay->pid, &status, WNOHANG) == relay->pid) {
            relay->pid = 0;
            fprintf(stderr, "sluice-perf: the relay ended at once, status %d\n", status);
            return false;
        }
        usleep(10000);
    }
    fprintf(stderr, "sluice-perf: the relay does not answer\n");
    return false;
}

/* ---- requests ---- */

/* Reads one message; NULL after ANSWER_MS. */
static json_t *read_message(struct relay *relay)
{
    for (;;) {
        char *end = relay->line_bytes == 0 ? NULL : memchr(relay->line, '\n', relay->line_bytes);
        if (end != NULL) {
            size_t bytes = (size_t)(end - relay->line);
            json_t *message = json_loadb(relay->line, bytes, 0, NULL);
            relay->line_bytes -= bytes + 1;
            memmove(relay->line, end + 1, relay->line_bytes);
            return message;
        }
        if (relay->line_room - relay->line_bytes < 65536) {
            size_t room = relay->line_room * 2 + 131072;
            char *line = room > LINE_BYTES_MAX ? NULL : realloc(relay->line, room);
            if (line == NULL)
                return NULL;
            relay->line = line;
            relay->line_room = room;
        }
        struct pollfd wait = {.fd = relay->fd, .events = POLLIN};
        if (poll(&wait, 1, ANSWER_MS) <= 0)
            return NULL;
        ssize_t got =
            read(relay->fd, relay->line + relay->line_bytes, relay->line_room - relay->line_bytes);
        if (got <= 0)
            return NULL;
        relay->line_bytes += (size_t)got;
    }
}

static bool write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = send(fd, text, bytes, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        text += put;
        bytes -= (size_t)put;
    }
    return true;
}

json_t *relay_call(struct relay *relay, const char *method, json_t *params)
{
    int64_t id = ++relay->request_id;
    json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
                                "method", method, "params", params);
    char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    json_decref(request);
    bool sent =
        line != NULL && write_all(relay->fd, line, strlen(line)) && write_all(relay->fd, "\n", 1);
    free(line);
    json_t *message = NULL;
    while (sent && (message = read_message(relay)) != NULL) {
        if (json_integer_value(json_object_get(message, "id")) == id)
            break;
        json_decref(message); /* a notification */
    }
    json_t *result = json_incref(json_object_get(message, "result"));
    if (result == NULL) {
        char *text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);
        fprintf(stderr, "sluice-perf: %s: %s\n", method, text == NULL ? "no answer" : text);
        free(text);
    }
    json_decref(message);
    return result;
}

bool relay_do(struct relay *relay, const char *method, json_t *params)
{
    json_t *result = relay_call(relay, method, params);
    json_decref(result);
    return result != NULL;
}

/* Its workers, by their thread ids. */
static bool learn_threads(struct relay *relay)
{
    json_t *info = relay_call(relay, "server.info", json_object()), *worker;
    size_t i;
    relay->threads.pid = relay->pid;
    json_array_foreach(json_object_get(info, "workers"), i, worker)
    {
        const char *engine = json_string_value(json_object_get(worker, "engine"));
        if (relay->threads.n < MEASURE_THREADS_MAX)
            relay->threads.tids[relay->threads.n++] =
                (int)json_integer_value(json_object_get(worker, "threadId"));
        snprintf(relay->engine, sizeof relay->engine, "%s", engine == NULL ? "?" : engine);
    }
    json_decref(info);
    return relay->threads.n > 0;
}

bool relay_start(struct relay *relay, const struct options *options, bool count_heap)
{
    char path[RELAY_PATH_BYTES], library[RELAY_PATH_BYTES], config[RELAY_SOCKET_BYTES];
    *relay = (struct relay){.fd = -1};
    if (options->relay != NULL)
        snprintf(path, sizeof path, "%s", options->relay);
    else if (!relay_find("sluiced", "../sbin", path)) {
        fprintf(stderr, "sluice-perf: no sluiced beside this program; name one with --relay\n");
        return false;
    }
    if (!make_folder(relay, config)) {
        fprintf(stderr, "sluice-perf: cannot make a folder in /tmp: %s\n", strerror(errno));
        return false;
    }
    int heap_fd = make_heap(relay, count_heap, library);
    relay->pid = fork();
    if (relay->pid == 0)
        become_relay(path, relay, config, options, heap_fd, library);
    if (heap_fd >= 0)
        close(heap_fd);
    json_t *everything = json_pack("{s:[s]}", "events", "*");
    return relay->pid > 0 && connect_to(relay) &&
           relay_do(relay, "server.unsubscribe", everything) && learn_threads(relay);
}

static void remove_folder(const struct relay *relay)
{
    char path[RELAY_SOCKET_BYTES];
    if (relay->folder[0] == '\0')
        return;
    unlink(relay->socket);
    snprintf(path, sizeof path, "%s/config", relay->folder);
    unlink(path);
    rmdir(relay->folder);
}

void relay_stop(struct relay *relay)
{
    if (relay->pid > 0) {
        kill(relay->pid, SIGINT);
        for (int i = 0; i < STOP_MS / 10 && waitpid(relay->pid, NULL, WNOHANG) == 0; i++)
            usleep(10000);
        if (kill(relay->pid, 0) == 0 && waitpid(relay->pid, NULL, WNOHANG) == 0) {
            fprintf(stderr, "sluice-perf: the relay does not end, it is killed\n");
            kill(relay->pid, SIGKILL);
            waitpid(relay->pid, NULL, 0);
        }
    }
    if (relay->fd >= 0)
        close(relay->fd);
    if (relay->heap != NULL)
        munmap(relay->heap, sizeof *relay->heap);
    remove_folder(relay);
    free(relay->line);
    *relay = (struct relay){.fd = -1};
}

/* ---- figures ---- */

static bool read_counters(const json_t *from, struct relay_counters *counters)
{
    const struct {
        const char *name;
        uint64_t *to;
    } rows[] = {
        {"forwarded", &counters->forwarded},
        {"resent", &counters->resent},
        {"packets_out", &counters->packets_out},
        {"sends", &counters->sends},
        {"syscalls", &counters->syscalls},
        {"kernel_drops", &counters->kernel_drops},
        {"nack_missed", &counters->nack_missed},
        {"slots_retained", &counters->slots_retained},
        {"evicted", &counters->evicted},
        {"turns", &counters->turns},
        {"handshake_steps", &counters->handshake_steps},
        {"handshake_steps_turn_max", &counters->handshake_steps_turn_max},
        {"fanout_yields", &counters->fanout_yields},
    };

    bool right = true;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        json_t *value = json_object_get(from, rows[i].name);
        right &= json_is_integer(value);
        *rows[i].to = (uint64_t)json_integer_value(value);
    }
    return right;
}

/* Datagrams of a handshake that DTLS makes up for. */
static bool is_of_handshake(const char *why)
{
    return strcmp(why, "handshakes_full") == 0 || strncmp(why, "dtls_", 5) == 0;
}

static void read_drops(json_t *drops, struct relay_counters *counters)
{
    const char *why;
    json_t *drop;
    counters->drops = counters->drops_late = counters->drops_handshake = 0;
    json_object_foreach(drops, why, drop)
    {
        uint64_t n = (uint64_t)json_integer_value(drop);
        counters->drops += strcmp(why, "none") != 0 ? n : 0; /* what was taken */
        counters->drops_late += strcmp(why, "fanout_late") == 0 ? n : 0;
        counters->drops_handshake += is_of_handshake(why) ? n : 0;
    }
}

bool relay_counters(struct relay *relay, struct relay_counters *counters)
{
    return relay_worker_counters(relay, counters, NULL);
}

bool relay_worker_counters(struct relay *relay, struct relay_counters *totals,
                           struct relay_counters workers[OPTIONS_WORKERS_MAX])
{
    json_t *stats = relay_call(relay, "server.stats", json_object()), *worker;
    size_t i;
    bool right = stats != NULL && read_counters(json_object_get(stats, "totals"), totals);
    read_drops(json_object_get(stats, "drops"), totals);
    json_array_foreach(json_object_get(stats, "workers"), i, worker)
    {
        if (workers == NULL || i >= OPTIONS_WORKERS_MAX)
            continue;
        right &= read_counters(json_object_get(worker, "counters"), &workers[i]);
        read_drops(json_object_get(worker, "drops"), &workers[i]);
    }
    if (!right)
        fprintf(stderr, "sluice-perf: server.stats lacks a counter\n");
    json_decref(stats);
    return right;
}

json_t *relay_drops(struct relay *relay)
{
    json_t *stats = relay_call(relay, "server.stats", json_object());
    json_t *out = json_object(), *drop;
    const char *why;
    json_object_foreach(json_object_get(stats, "drops"), why, drop)
    {
        if (strcmp(why, "none") != 0 && json_integer_value(drop) > 0)
            json_object_set(out, why, drop);
    }
    json_decref(stats);
    return out;
}

int64_t relay_objects(struct relay *relay)
{
    static const char *const kinds[] = {"routers", "transports", "producers", "consumers",
                                        "sockets"};
    json_t *census = relay_call(relay, "server.census", json_object());
    int64_t n = census == NULL ? -1 : 0;
    for (size_t i = 0; census != NULL && i < ARRAY_N(kinds); i++)
        n += json_integer_value(json_object_get(census, kinds[i]));
    json_decref(census);
    return n;
}

int64_t relay_heap_calls(const struct relay *relay)
{
    int64_t calls = 0;
    if (relay->heap == NULL || atomic_load(&relay->heap->ready) == 0)
        return MEASURE_NONE;
    for (uint32_t i = 0; i < HEAPCOUNT_THREADS_MAX; i++)
        for (int t = 0; t < relay->threads.n; t++)
            if (atomic_load(&relay->heap->threads[i].tid) == relay->threads.tids[t])
                calls += (int64_t)atomic_load(&relay->heap->threads[i].calls);
    return calls;
}

static void pin_thread(int tid, int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(tid, sizeof set, &set); /* refused: it runs anywhere */
}

void relay_pin(const struct relay *relay, const int *cpus, int n, int rest)
{
    struct measure_threads all;
    measure_threads_all(&all, relay->pid);
    for (int i = 0; i < all.n && rest >= 0; i++)
        pin_thread(all.tids[i], rest);
    for (int i = 0; i < relay->threads.n && n > 0; i++)
        pin_thread(relay->threads.tids[i], cpus[i % n]);
}
