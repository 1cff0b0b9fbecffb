/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/log.c - formats a line, limits how many, writes each at once. */
#include "core/log.h"

#include "core/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int current_format = LOG_FORMAT_TEXT;
static struct log_rate rate;
static pthread_mutex_t rate_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {
    [LOG_LEVEL_NONE] = "none", [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

void log_set(enum log_level level, enum log_format format)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_N(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < ARRAY_N(level_names) ? level_names[level] : "?";
}

/* Writing a line */

struct writer {
    char *line;
    size_t at, end;
    enum log_format format;
    bool cut;
};

/* All of it or, from then on, nothing: a line is never cut inside a character or an escape. */
static void put_bytes(struct writer *writer, const char *bytes, size_t n)
{
    writer->cut |= n > writer->end - writer->at;
    if (writer->cut)
        return;
    memcpy(writer->line + writer->at, bytes, n);
    writer->at += n;
}

static void put_text(struct writer *writer, const char *text)
{
    put_bytes(writer, text, strlen(text));
}

/* Length of the UTF-8 sequence at `text`, or 0 if it is none. Unicode 15, table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF. Reads no further than the terminating zero. */
static size_t utf8_bytes(const uint8_t *text)
{
    uint8_t low = 0x80, high = 0xbf; /* of the second byte */
    size_t n;
    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xc2)
        return 0;
    if (text[0] < 0xe0) {
        n = 2;
    } else if (text[0] < 0xf0) {
        n = 3;
        low = text[0] == 0xe0 ? 0xa0 : low;
        high = text[0] == 0xed ? 0x9f : high;
    } else if (text[0] < 0xf5) {
        n = 4;
        low = text[0] == 0xf0 ? 0x90 : low;
        high = text[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return n;
}

/* C0, DEL, and C1, which is U+0080 to U+009F: c2 80 to c2 9f. They could move a terminal's cursor.
 */
static bool is_control(const uint8_t *at, size_t bytes)
{
    return at[0] < 0x20 || at[0] == 0x7f || (bytes == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* JSON has no escape for a byte that is no character: it becomes U+FFFD. */
static void put_escape(struct writer *writer, const uint8_t *at, size_t bytes)
{
    char escape[8];
    if (writer->format == LOG_FORMAT_JSON)
        snprintf(escape, sizeof(escape), "\\u%04x", bytes == 0 ? 0xfffdu : at[bytes - 1]);
    else
        snprintf(escape, sizeof(escape), "\\x%02x", bytes == 0 ? at[0] : at[bytes - 1]);
    put_text(writer, escape);
}

static void put_quoted(struct writer *writer, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    while (*at && !writer->cut) {
        size_t bytes = utf8_bytes(at);
        if (bytes == 0 || is_control(at, bytes)) {
            put_escape(writer, at, bytes);
        } else {
            bool special = *at == '\\' || (*at == '"' && writer->format == LOG_FORMAT_JSON);
            char escape[2] = {'\\', (char)*at};
            put_bytes(writer, special ? escape : (const char *)at, special ? 2 : bytes);
        }
        at += bytes ? bytes : 1;
    }
}

static void put_time(struct writer *writer, int64_t wall_us)
{
    struct tm parts;
    char text[64];
    time_t seconds = (time_t)(wall_us / 1000000);
    gmtime_r(&seconds, &parts);
    size_t at = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + at, sizeof(text) - at, ".%06dZ", (int)(wall_us % 1000000));
    put_text(writer, text);
}

size_t log_write(char line[LOG_LINE_BYTES], enum log_format format, int64_t wall_us,
                 enum log_level level, const char *topic, const char *message)
{
    static const struct {
        const char *time, *level, *topic, *message, *end;
    } frames[] = {
        [LOG_FORMAT_TEXT] = {"", " ", " ", ": ", "\n"},
        [LOG_FORMAT_JSON] = {"{\"time\":\"", "\",\"level\":\"", "\",\"topic\":\"",
                             "\",\"message\":\"", "\"}\n"},
    };

    enum { TOPIC_BYTES_MAX = 64 }; /* escaped, so that the frame always has room */

    struct writer writer = {.line = line, .end = LOG_LINE_BYTES, .format = format};
    put_text(&writer, frames[format].time);
    put_time(&writer, wall_us);
    put_text(&writer, frames[format].level);
    put_text(&writer, log_level_name(level));
    put_text(&writer, frames[format].topic);
    writer.end = writer.at + TOPIC_BYTES_MAX;
    put_quoted(&writer, topic);

    writer.cut = false;
    writer.end = LOG_LINE_BYTES - strlen(frames[format].end);
    put_text(&writer, frames[format].message);
    put_quoted(&writer, message);

    writer.cut = false;
    writer.end = LOG_LINE_BYTES;
    put_text(&writer, frames[format].end);
    ASSERT(!writer.cut);
    return writer.at;
}

/* How many lines */

static bool second_is_over(const struct log_rate *limit, int64_t now_us)
{
    return limit->lines_n > 0 && now_us - limit->second_us >= 1000000;
}

uint32_t log_rate_left_out(struct log_rate *limit, int64_t now_us)
{
    if (!second_is_over(limit, now_us))
        return 0;
    uint32_t left_out_n = limit->left_out_n;
    limit->left_out_n = 0;
    return left_out_n;
}

bool log_rate_allow(struct log_rate *limit, int64_t now_us)
{
    if (limit->lines_n == 0 || second_is_over(limit, now_us)) {
        limit->second_us = now_us;
        limit->lines_n = 0;
    }
    if (limit->lines_n == LOG_PER_SECOND) {
        limit->left_out_n++;
        return false;
    }
    limit->lines_n++;
    return true;
}

/* Output */

static void emit(enum log_level level, const char *topic, const char *message)
{
    char line[LOG_LINE_BYTES];
    enum log_format format = (enum log_format)atomic_load(&current_format);
    size_t bytes = log_write(line, format, clock_wall_us(), level, topic, message);
    /* A log that cannot be written has nowhere to complain. */
    (void)!write(STDERR_FILENO, line, bytes);
}

static void say_left_out(uint32_t left_out_n)
{
    if (left_out_n == 0)
        return;
    char message[96];
    snprintf(message, sizeof(message), "%u lines were left out: more than %d in a second",
             left_out_n, LOG_PER_SECOND);
    emit(LOG_LEVEL_WARN, "log", message);
}

void log_line(enum log_level level, const char *topic, const char *format, ...)
{
    if (level == LOG_LEVEL_NONE || level > log_level())
        return;

    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&rate_lock);
    uint32_t left_out_n = log_rate_left_out(&rate, now_us);
    bool allowed = log_rate_allow(&rate, now_us);
    pthread_mutex_unlock(&rate_lock);
    say_left_out(left_out_n);
    if (!allowed)
        return;

    char message[LOG_LINE_BYTES] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    emit(level, topic, message);
}

void log_tick(void)
{
    pthread_mutex_lock(&rate_lock);
    uint32_t left_out_n = log_rate_left_out(&rate, clock_now_us());
    pthread_mutex_unlock(&rate_lock);
    say_left_out(left_out_n);
}
