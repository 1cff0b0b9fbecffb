/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/log.h - lines for people and their log collectors, on stderr, as text or JSON.
 *
 *   2026-11-23T22:48:41.123456Z info worker: started
 *   {"time":"2026-11-23T22:48:41.123456Z","level":"info","topic":"worker","message":"started"}
 *
 * What a line quotes may come from a peer: a line stays one line and valid UTF-8 whatever is in it.
 *
 * Threads: the control thread and start-up; never a worker's turn (workers count). One write() a
 * line. At most LOG_PER_SECOND lines a second; what is above is counted and said once a second
 * later. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/base.h"

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum { LOG_LINE_BYTES = 1024, LOG_PER_SECOND = 1000 };

void log_set(enum log_level level, enum log_format format);
enum log_level log_level(void);

/* Name <-> level ("none" "error" "warn" "info" "debug"). False for an unknown name. */
bool log_level_parse(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);

/* `topic` is a short noun ("worker", "control", "transport"); text is one line, cut at
 * LOG_LINE_BYTES. */
void log_line(enum log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says how many lines were left out in a second that is over. log_line() does it, too; call this
 * about once a second for when nothing more is logged. */
void log_tick(void);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* What log_line() is made of, without clock or output. */

/* Writes one line with its newline into `line`, a message that is too long is cut. Returns its
 * length. */
size_t log_write(char line[LOG_LINE_BYTES], enum log_format format, int64_t wall_us,
                 enum log_level level, const char *topic, const char *message);

struct log_rate {
    int64_t second_us; /* when the second began */
    uint32_t lines_n, left_out_n;
};

/* Counts a line; false when it is one too many in this second. */
bool log_rate_allow(struct log_rate *rate, int64_t now_us);

/* The lines left out in a second that is over, once; else 0. Asked before log_rate_allow(). */
uint32_t log_rate_left_out(struct log_rate *rate, int64_t now_us);

#endif
