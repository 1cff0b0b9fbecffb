/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/page.c - insertion. */
#include "perf/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES_MAX = 16 << 20 };

/* A '<' occurs in strings of JSON only, where \u003c is the same character. With it gone there is
 * neither "</script" nor "<!--", which is all that HTML looks for in a script's text. */
char *page_escape(const json_t *report)
{
    static const char escaped[] = "\\u003c";
    char *text = json_dumps(report, JSON_ENSURE_ASCII | JSON_COMPACT | JSON_REAL_PRECISION(9));
    size_t n = 0, bytes = text != NULL ? strlen(text) : 0;
    for (size_t i = 0; i < bytes; i++)
        n += text[i] == '<';
    char *out = text != NULL ? malloc(bytes + n * (sizeof escaped - 2) + 1) : NULL;
    char *to = out;
    for (size_t i = 0; out != NULL && i < bytes; i++) {
        if (text[i] != '<') {
            *to++ = text[i];
            continue;
        }
        memcpy(to, escaped, sizeof escaped - 1);
        to += sizeof escaped - 1;
    }
    if (out != NULL)
        *to = '\0';
    free(text);
    return out;
}

char *page_fill(const char *template, const char *text)
{
    const char *mark = strstr(template, PAGE_MARK);
    if (mark == NULL || strstr(mark + 1, PAGE_MARK) != NULL)
        return NULL;
    size_t head = (size_t)(mark - template), bytes = strlen(text);
    const char *tail = mark + sizeof PAGE_MARK - 1;
    char *out = malloc(head + bytes + strlen(tail) + 1);
    if (out == NULL)
        return NULL;
    memcpy(out, template, head);
    memcpy(out + head, text, bytes);
    memcpy(out + head + bytes, tail, strlen(tail) + 1);
    return out;
}

/* A whole file; NULL with errno. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(TEMPLATE_BYTES_MAX) : NULL;
    if (text != NULL) {
        size_t bytes = fread(text, 1, TEMPLATE_BYTES_MAX - 1, file);
        bool right = feof(file) && !ferror(file);
        text[bytes] = '\0';
        if (!right) {
            free(text);
            text = NULL;
            errno = EFBIG;
        }
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool right = fputs(text, file) != EOF;
    return fclose(file) == 0 && right;
}

bool page_write(const char *template, const char *path, const json_t *report)
{
    char *html = read_file(template);
    if (html == NULL) {
        fprintf(stderr, "sluice-perf: cannot read %s: %s\n", template, strerror(errno));
        return false;
    }
    char *text = page_escape(report);
    char *page = text != NULL ? page_fill(html, text) : NULL;
    bool right = page != NULL && write_file(path, page);
    if (text != NULL && page == NULL)
        fprintf(stderr, "sluice-perf: %s is not a template of a report\n", template);
    else if (!right)
        fprintf(stderr, "sluice-perf: cannot write %s: %s\n", path, strerror(errno));
    free(page);
    free(text);
    free(html);
    return right;
}
