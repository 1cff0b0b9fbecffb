/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_page_test.c - whatever a report says, it stays inside its script element and comes out
 * of it as it was. */
#include "perf/page.h"

#include "test/suite.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const hostile[] = {
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]> & \" ' \\ \\u003c </SCRIPT >",
    "line\nbreak \x01 \xe2\x80\xa8 \xe2\x80\xa9 \xf0\x9f\x98\x80",
    PAGE_MARK,
};

START_TEST(escapes_what_could_end_the_element)
{
    json_t *report = json_pack("{s:s, s:f}", "text", hostile[_i], "number", 0.1);
    char *text = page_escape(report);
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_null(strchr(text, '<'));
    for (const char *at = text; *at != '\0'; at++)
        ck_assert(*at >= 0x20 && *at < 0x7f);
    json_t *read = json_loads(text, 0, NULL);
    ck_assert(json_equal(read, report));
    json_decref(read);
    json_decref(report);
    free(text);
}

END_TEST

START_TEST(fills_the_mark_and_nothing_else)
{
    char *page = page_fill("<a>" PAGE_MARK "</a>", "{}");
    ck_assert_str_eq(page, "<a>{}</a>");
    free(page);
    page = page_fill(PAGE_MARK, "\"" PAGE_MARK "\"");
    ck_assert_str_eq(page, "\"" PAGE_MARK "\"");
    free(page);
    page = page_fill("x" PAGE_MARK, "");
    ck_assert_str_eq(page, "x");
    free(page);
    ck_assert_ptr_null(page_fill("no mark", "{}"));
    ck_assert_ptr_null(page_fill("", "{}"));
    ck_assert_ptr_null(page_fill(PAGE_MARK " " PAGE_MARK, "{}"));
}

END_TEST

START_TEST(writes_a_page)
{
    char template[] = "/tmp/sluice-test-XXXXXX", out[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(template), out_fd = mkstemp(out);
    json_t *report = json_pack("{s:s}", "a", "</script>");
    char text[256] = "";
    ck_assert(fd >= 0 && out_fd >= 0);
    ck_assert_int_eq(write(fd, "<p>" PAGE_MARK "</p>", sizeof "<p>" PAGE_MARK "</p>" - 1),
                     sizeof "<p>" PAGE_MARK "</p>" - 1);
    ck_assert(page_write(template, out, report));
    ck_assert_int_gt(read(out_fd, text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "<p>{\"a\":\"\\u003c/script>\"}</p>");
    ck_assert(!page_write("/nowhere/template", out, report));
    ck_assert(!page_write(template, "/nowhere/page", report));
    ck_assert(!page_write(out, out, report)); /* without a mark */
    json_decref(report);
    close(fd);
    close(out_fd);
    unlink(template);
    unlink(out);
}

END_TEST

Suite *perf_page_suite(void)
{
    Suite *suite = suite_create("perf_page");
    TCase *tc = tcase_create("page");
    tcase_add_loop_test(tc, escapes_what_could_end_the_element, 0, ARRAY_N(hostile));
    tcase_add_test(tc, fills_the_mark_and_nothing_else);
    tcase_add_test(tc, writes_a_page);
    suite_add_tcase(suite, tc);
    return suite;
}
