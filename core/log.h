/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/log.h - lines for people and their log collectors, on stderr, as text or JSON.
 *
 * Threads: the control thread and start-up; never a worker's turn (workers count). One write() a line.
 * At most LOG_PER_SECOND lines a second; what is above is counted and said once a second later. */
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

/* `topic` is a short noun ("worker", "control", "transport"); text is one line, cut at LOG_LINE_BYTES. */
void log_line(enum log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
