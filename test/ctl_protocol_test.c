/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_protocol_test.c - PROTOCOL.md against the code: every method, notification, field, error
 * code and metric of the one is in the other. */
#include "ctl/jsonrpc.h"
#include "ctl/metrics.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include "core/drop.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 256, NAME_BYTES = 96 };

struct names {
    size_t n;
    char name[NAMES_MAX][NAME_BYTES];
};

struct section {
    char name[NAME_BYTES];
    bool notice;
    struct names params, result;
};

static struct section sections[METHOD_N + NOTICE_N + 8];
static size_t sections_n;
static struct names metrics, reasons, codes;

static void name_add(struct names *names, const char *name, size_t bytes)
{
    ck_assert_uint_lt(names->n, NAMES_MAX);
    snprintf(names->name[names->n++], NAME_BYTES, "%.*s", (int)bytes, name);
}

static bool name_in(const struct names *names, const char *name, size_t bytes)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strlen(names->name[i]) == bytes && memcmp(names->name[i], name, bytes) == 0)
            return true;
    }
    return false;
}

/* One line of the page: headings say what the rows that begin with a quoted name are. */
static void line_read(const char *line, struct names **rows)
{
    static bool notices_part;
    const char *end = NULL;
    if (strncmp(line, "## ", 3) == 0) {
        notices_part = strncmp(line, "## Notifications", 16) == 0;
        *rows = NULL;
    } else if (strncmp(line, "### `", 5) == 0 && (end = strchr(line + 5, '`'))) {
        if (strncmp(line, "### Reasons", 11) != 0 && strchr(line, '.')) {
            struct section *section = &sections[sections_n++];
            snprintf(section->name, NAME_BYTES, "%.*s", (int)(end - line - 5), line + 5);
            section->notice = notices_part;
            *rows = NULL;
        }
    } else if (strncmp(line, "| parameter |", 13) == 0) {
        *rows = &sections[sections_n - 1].params;
    } else if (strncmp(line, "| result |", 10) == 0 || strncmp(line, "| field |", 9) == 0) {
        *rows = &sections[sections_n - 1].result;
    } else if (strncmp(line, "| metric |", 10) == 0) {
        *rows = &metrics;
    } else if (strncmp(line, "| reason |", 10) == 0) {
        *rows = &reasons;
    } else if (strncmp(line, "| code |", 8) == 0) {
        *rows = &codes;
    } else if (strncmp(line, "| `", 3) == 0 && *rows && (end = strchr(line + 3, '`'))) {
        name_add(*rows, line + 3, (size_t)(end - line - 3));
    }
}

static void setup(void)
{
    char line[4096];
    struct names *rows = NULL;
    memset(sections, 0, sizeof(sections));
    sections_n = 0;
    metrics.n = reasons.n = codes.n = 0;
    FILE *file = fopen("ctl/PROTOCOL.md", "re");
    ck_assert_msg(file != NULL, "run it from the top of the tree");
    while (fgets(line, sizeof(line), file))
        line_read(line, &rows);
    fclose(file);
}

static const struct section *section_find(const char *name, bool notice)
{
    for (size_t i = 0; i < sections_n; i++) {
        if (strcmp(sections[i].name, name) == 0 && sections[i].notice == notice)
            return &sections[i];
    }
    return NULL;
}

/* Both ways. */
static void fields_match(const char *where, const char *fields, const struct names *page)
{
    size_t n = 0, words = 0;
    for (const char *at = method_next_field(fields, &n); at; at = method_next_field(at + n, &n)) {
        words++;
        ck_assert_msg(name_in(page, at, n), "%s: the page lacks %.*s", where, (int)n, at);
    }
    for (size_t i = 0; i < page->n; i++)
        ck_assert_msg(method_has_field(fields, page->name[i], strlen(page->name[i])),
                      "%s: the code lacks %s", where, page->name[i]);
    ck_assert_uint_eq(words, page->n);
}

START_TEST(test_methods)
{
    const struct section *section = section_find(methods[_i].name, false);
    ck_assert_msg(section != NULL, "the page lacks %s", methods[_i].name);
    fields_match(methods[_i].name, methods[_i].params, &section->params);
    fields_match(methods[_i].name, methods[_i].result, &section->result);
}

END_TEST

START_TEST(test_notices)
{
    const struct section *section = section_find(notices[_i].name, true);
    ck_assert_msg(section != NULL, "the page lacks %s", notices[_i].name);
    fields_match(notices[_i].name, notices[_i].params, &section->result);
}

END_TEST

START_TEST(test_nothing_more)
{
    for (size_t i = 0; i < sections_n; i++) {
        bool known = !sections[i].notice && method_find(sections[i].name) != METHOD_N;
        for (size_t n = 0; n < NOTICE_N && sections[i].notice; n++)
            known |= strcmp(notices[n].name, sections[i].name) == 0;
        ck_assert_msg(known, "the code lacks %s", sections[i].name);
    }
    ck_assert_uint_eq(sections_n, METHOD_N + NOTICE_N);
}

END_TEST

START_TEST(test_codes)
{
    size_t n = 0;
    char text[16];
#define CODE_CHECK(name, code, meaning)                                                            \
    snprintf(text, sizeof(text), "%d", code);                                                      \
    ck_assert_msg(name_in(&codes, text, strlen(text)), "the page lacks %s", text);                 \
    n++;
    RPC_CODE_LIST(CODE_CHECK)
#undef CODE_CHECK
    ck_assert_uint_eq(codes.n, n);
}

END_TEST

START_TEST(test_metrics)
{
    struct rig rig;
    size_t n = 0;
    rig_start(&rig, 1);
    char *text = metrics_text(rig.control);
    for (const char *at = strstr(text, "# TYPE "); at; at = strstr(at, "# TYPE ")) {
        at += strlen("# TYPE ");
        size_t bytes = strcspn(at, " ");
        ck_assert_msg(name_in(&metrics, at, bytes), "the page lacks %.*s", (int)bytes, at);
        n++;
    }
    ck_assert_uint_eq(metrics.n, n);
    for (size_t why = 0; why < DROP_N; why++)
        ck_assert_msg(
            name_in(&reasons, drop_name((enum drop)why), strlen(drop_name((enum drop)why))),
            "the page lacks the reason %s", drop_name((enum drop)why));
    ck_assert_uint_eq(reasons.n, DROP_N);
    free(text);
    rig_stop(&rig);
}

END_TEST

/* server.methods says the same as the table. */
START_TEST(test_server_methods)
{
    struct rig rig;
    rig_start(&rig, 1);
    json_t *result = rig_ok(&rig, "server.methods", "{}");
    ck_assert_uint_eq(json_array_size(rig_at(result, "methods")), METHOD_N);
    ck_assert_uint_eq(json_array_size(rig_at(result, "events")), NOTICE_N);
    ck_assert_str_eq(rig_text(result, "methods.0.name"), "server.info");
    json_decref(result);
    rig_stop(&rig);
}

END_TEST

Suite *ctl_protocol_suite(void)
{
    Suite *suite = suite_create("ctl_protocol");
    TCase *tc = tcase_create("protocol");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, test_methods, 0, METHOD_N);
    tcase_add_loop_test(tc, test_notices, 0, NOTICE_N);
    tcase_add_test(tc, test_nothing_more);
    tcase_add_test(tc, test_codes);
    tcase_add_test(tc, test_metrics);
    tcase_add_test(tc, test_server_methods);
    suite_add_tcase(suite, tc);
    return suite;
}
