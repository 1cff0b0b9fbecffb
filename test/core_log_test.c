/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_log_test.c - what a log line looks like whatever is in it, how many there are, and who
 * gets them. */
#include "core/log.h"
#include "test/guard.h"
#include "test/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* 2026-11-23T22:48:41.000007Z */
static const int64_t wall_us = INT64_C(1795474121000007);

/* One line, its end checked, without its newline. Static, so one at a time. */
static const char *line_of(enum log_format format, const char *topic, const char *message)
{
    static char text[LOG_LINE_BYTES + 1];
    char *line = (char *)guard_take(LOG_LINE_BYTES);
    size_t bytes = log_write(line, format, wall_us, LOG_LEVEL_WARN, topic, message);
    ck_assert_uint_gt(bytes, 0);
    ck_assert_uint_le(bytes, LOG_LINE_BYTES);
    ck_assert_int_eq(line[bytes - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', bytes - 1));
    memcpy(text, line, bytes - 1);
    text[bytes - 1] = 0;
    return text;
}

START_TEST(a_text_line)
{
    ck_assert_str_eq(
        line_of(LOG_FORMAT_TEXT, "worker", "says \"hello\" \xc3\xa4\xe2\x82\xac"),
        "2026-11-23T22:48:41.000007Z warn worker: says \"hello\" \xc3\xa4\xe2\x82\xac");
}

END_TEST

START_TEST(a_json_line)
{
    ck_assert_str_eq(
        line_of(LOG_FORMAT_JSON, "worker", "says \"hello\" \xc3\xa4\xe2\x82\xac"),
        "{\"time\":\"2026-11-23T22:48:41.000007Z\",\"level\":\"warn\","
        "\"topic\":\"worker\",\"message\":\"says \\\"hello\\\" \xc3\xa4\xe2\x82\xac\"}");
}

END_TEST

/* What the message becomes in either format. */
static const struct {
    const char *message, *text, *json;
} escape_rows[] = {
    {"", "", ""},
    {"a\nb\r\tc", "a\\x0ab\\x0d\\x09c", "a\\u000ab\\u000d\\u0009c"},
    {"\x01\x1b[31m\x7f", "\\x01\\x1b[31m\\x7f", "\\u0001\\u001b[31m\\u007f"},
    {"back\\slash", "back\\\\slash", "back\\\\slash"},    /* so that \x0a is never ambiguous */
    {"\xc2\x85\xc2\x9b", "\\x85\\x9b", "\\u0085\\u009b"}, /* C1 controls */
    {"\xc2\xa0", "\xc2\xa0", "\xc2\xa0"},
    /* Not UTF-8, RFC 3629 3 and 4 */
    {"\x80", "\\x80", "\\ufffd"}, /* continuation alone */
    {"\xc3", "\\xc3", "\\ufffd"}, /* ends too early */
    {"\xc3(", "\\xc3(", "\\ufffd("},
    {"\xe2\x82", "\\xe2\\x82", "\\ufffd\\ufffd"},
    {"\xf0\x9f\x98", "\\xf0\\x9f\\x98", "\\ufffd\\ufffd\\ufffd"},
    {"\xc0\xaf", "\\xc0\\xaf", "\\ufffd\\ufffd"}, /* overlong '/' */
    {"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\ufffd\\ufffd\\ufffd"},
    {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd"}, /* surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xfe\xff", "\\xfe\\xff", "\\ufffd\\ufffd"},
    /* UTF-8 at its edges */
    {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
     "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
};

START_TEST(control_characters_and_wrong_utf8_are_escaped)
{
    const char *message = escape_rows[_i].message;
    char expected[256];
    snprintf(expected, sizeof(expected), "2026-11-23T22:48:41.000007Z warn t: %s",
             escape_rows[_i].text);
    ck_assert_str_eq(line_of(LOG_FORMAT_TEXT, "t", message), expected);
    snprintf(expected, sizeof(expected),
             "{\"time\":\"2026-11-23T22:48:41.000007Z\",\"level\":\"warn\",\"topic\":\"t\","
             "\"message\":\"%s\"}",
             escape_rows[_i].json);
    ck_assert_str_eq(line_of(LOG_FORMAT_JSON, "t", message), expected);
}

END_TEST

START_TEST(wrong_utf8_is_not_read_past_its_end)
{
    static const char *const messages[] = {"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f\x98"};
    char line[LOG_LINE_BYTES];
    for (size_t i = 0; i < ARRAY_N(messages); i++) {
        const char *message = (const char *)guard_copy(messages[i], strlen(messages[i]) + 1);
        ck_assert_uint_gt(log_write(line, LOG_FORMAT_JSON, 0, LOG_LEVEL_INFO, "t", message), 0);
        ck_assert_uint_gt(log_write(line, LOG_FORMAT_TEXT, 0, LOG_LEVEL_INFO, "t", message), 0);
    }
}

END_TEST

/* Of every length around the limit, made of pieces that must not be split. */
START_TEST(long_messages_are_cut_between_characters)
{
    static const char *const pieces[] = {"x", "\xe2\x82\xac", "\n", "\"", "\xff"};
    static const char *const json[] = {"x", "\xe2\x82\xac", "\\u000a", "\\\"", "\\ufffd"};
    static const char *const text[] = {"x", "\xe2\x82\xac", "\\x0a", "\"", "\\xff"};
    bool is_json = _i % 2;
    const char *piece = pieces[_i / 2], *escaped = is_json ? json[_i / 2] : text[_i / 2];
    const char *end = is_json ? "\"}" : "";
    size_t cut_n = 0;
    for (size_t n = 0; n < LOG_LINE_BYTES + 8; n++) {
        char message[4 * LOG_LINE_BYTES] = "";
        for (size_t i = 0; i < n; i++)
            memcpy(message + i * strlen(piece), piece, strlen(piece));
        const char *line = line_of(is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, "t", message);
        const char *body = strstr(line, is_json ? "message\":\"" : "t: ");
        ck_assert_ptr_nonnull(body);
        body += is_json ? strlen("message\":\"") : strlen("t: ");
        size_t bytes = strlen(body);
        ck_assert_uint_ge(bytes, strlen(end));
        ck_assert_str_eq(body + bytes - strlen(end), end);
        bytes -= strlen(end);
        ck_assert_uint_eq(bytes % strlen(escaped), 0);
        size_t broken_n = 0;
        for (size_t at = 0; at < bytes; at += strlen(escaped))
            broken_n += strncmp(body + at, escaped, strlen(escaped)) != 0;
        ck_assert_uint_eq(broken_n, 0);
        bool cut = bytes / strlen(escaped) < n;
        if (cut) /* as late as can be */
            ck_assert_uint_ge(strlen(line) + 1 + strlen(escaped), LOG_LINE_BYTES + 1);
        cut_n += cut;
    }
    ck_assert_uint_gt(cut_n, 8);
}

END_TEST

START_TEST(a_long_topic_leaves_room_for_the_message)
{
    char topic[2 * LOG_LINE_BYTES] = "";
    memset(topic, '\n', sizeof(topic) - 1);
    const char *line = line_of(LOG_FORMAT_JSON, topic, "still here");
    ck_assert_ptr_nonnull(strstr(line, "\\u000a\",\"message\":\"still here\"}"));
}

END_TEST

START_TEST(levels_have_names)
{
    static const char *const names[] = {"none", "error", "warn", "info", "debug"};
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        enum log_level level = LOG_LEVEL_NONE;
        ck_assert(log_level_parse(names[i], &level));
        ck_assert_uint_eq(level, i);
        ck_assert_str_eq(log_level_name(level), names[i]);
    }
    enum log_level level = LOG_LEVEL_WARN;
    ck_assert(!log_level_parse("", &level));
    ck_assert(!log_level_parse("Warn", &level));
    ck_assert(!log_level_parse("warning", &level));
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
    ck_assert_str_eq(log_level_name((enum log_level)99), "?");
}

END_TEST

START_TEST(a_second_has_so_many_lines)
{
    struct log_rate rate = {0};
    int64_t now_us = -5; /* any start */
    for (int i = 0; i < LOG_PER_SECOND; i++)
        ck_assert(log_rate_allow(&rate, now_us + i));
    for (int i = 0; i < 7; i++)
        ck_assert(!log_rate_allow(&rate, now_us + 999999));
    ck_assert_uint_eq(log_rate_left_out(&rate, now_us + 999999), 0); /* not yet over */

    ck_assert_uint_eq(log_rate_left_out(&rate, now_us + 1000000), 7);
    ck_assert_uint_eq(log_rate_left_out(&rate, now_us + 1000000), 0); /* said once */
    now_us += 5000000;
    for (int i = 0; i < LOG_PER_SECOND; i++)
        ck_assert(log_rate_allow(&rate, now_us));
    ck_assert(!log_rate_allow(&rate, now_us));
    ck_assert_uint_eq(log_rate_left_out(&rate, now_us + 1000000), 1);
}

END_TEST

/* Standard error into a file, what log_line() wrote into `text`. */
static int error_before, error_file;

static void capture_begin(void)
{
    error_file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    ck_assert_int_ge(error_file, 0);
    error_before = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(error_file, STDERR_FILENO), 0);
}

static size_t capture_end(char *text, size_t bytes_max)
{
    ck_assert_int_ge(dup2(error_before, STDERR_FILENO), 0);
    ssize_t bytes = pread(error_file, text, bytes_max - 1, 0);
    close(error_before);
    close(error_file);
    ck_assert_int_ge(bytes, 0);
    text[bytes] = 0;
    return (size_t)bytes;
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

START_TEST(lines_go_to_standard_error_by_level)
{
    static char text[8192];
    capture_begin();
    log_set(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    log_error("topic", "number %d", 1);
    log_warn("topic", "number %d", 2);
    log_info("topic", "number %d", 3);
    log_debug("topic", "number %d", 4);
    log_line(LOG_LEVEL_NONE, "topic", "number %d", 5);
    log_set(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug("topic", "number %d", 6);
    ck_assert_int_eq(log_level(), LOG_LEVEL_DEBUG);
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    log_error("topic", "number %d", 7);
    log_set(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_end(text, sizeof(text));

    ck_assert_uint_eq(count_of(text, "\n"), 3);
    ck_assert_uint_eq(count_of(text, "Z error topic: number 1\n"), 1);
    ck_assert_uint_eq(count_of(text, "Z warn topic: number 2\n"), 1);
    ck_assert_uint_eq(
        count_of(text, "\"level\":\"debug\",\"topic\":\"topic\",\"message\":\"number 6\"}\n"), 1);
}

END_TEST

START_TEST(a_flood_is_limited_and_the_rest_counted)
{
    enum { LINES = 3 * LOG_PER_SECOND };

    static char text[LINES * 64];
    capture_begin();
    for (int i = 0; i < LINES; i++)
        log_info("flood", "line %d", i);
    usleep(1100000);
    log_tick();
    log_tick();
    size_t bytes = capture_end(text, sizeof(text));
    ck_assert_uint_lt(bytes, sizeof(text) - 1);

    /* On a slow machine the loop may have gone over into the next second, so ask for the sum. */
    size_t written_n = count_of(text, "flood: line ");
    size_t left_out_n = 0;
    for (const char *at = text; (at = strstr(at, "warn log: ")); at++)
        left_out_n += strtoul(at + strlen("warn log: "), NULL, 10);
    ck_assert_uint_ge(written_n, LOG_PER_SECOND - 8); /* less what other tests have logged */
    ck_assert_uint_lt(written_n, LINES);
    ck_assert_uint_eq(written_n + left_out_n, LINES);
}

END_TEST

Suite *core_log_suite(void)
{
    Suite *suite = suite_create("core/log");
    TCase *tcase = tcase_create("log");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_text_line);
    tcase_add_test(tcase, a_json_line);
    tcase_add_loop_test(tcase, control_characters_and_wrong_utf8_are_escaped, 0,
                        ARRAY_N(escape_rows));
    tcase_add_test(tcase, wrong_utf8_is_not_read_past_its_end);
    tcase_add_loop_test(tcase, long_messages_are_cut_between_characters, 0, 10);
    tcase_add_test(tcase, a_long_topic_leaves_room_for_the_message);
    tcase_add_test(tcase, levels_have_names);
    tcase_add_test(tcase, a_second_has_so_many_lines);
    tcase_add_test(tcase, lines_go_to_standard_error_by_level);
    tcase_add_test(tcase, a_flood_is_limited_and_the_rest_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
