/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/render.c - JSON as tables for people. */
#include "ctl/render.h"

#include <stdlib.h>

enum { PATH_BYTES = 160 };

/* What is still to be written: nested values wait until the members beside them are out. */
struct section {
    char path[PATH_BYTES];
    const json_t *value, *before;
};

struct page {
    FILE *out;
    double seconds;
    size_t n, at;
    struct section sections[RENDER_SECTIONS_MAX];
};

static void section_add(struct page *page, const char *path, const char *key, const json_t *value,
                        const json_t *before)
{
    if (page->n == RENDER_SECTIONS_MAX)
        return;
    char text[PATH_BYTES]; /* `path` lies in the page as well */
    snprintf(text, sizeof(text), "%s%s%s", path, path[0] && key[0] != '[' ? "." : "", key);
    struct section *section = &page->sections[page->n++];
    memcpy(section->path, text, sizeof(text));
    section->value = value;
    section->before = before;
}

static bool is_nested(const json_t *value)
{
    return json_is_object(value) || json_is_array(value);
}

/* Cells are for eyes: control characters of ids and texts must not reach a terminal. */
static void cell_write(char cell[RENDER_CELL_BYTES], const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        snprintf(cell, RENDER_CELL_BYTES, "%s", json_string_value(value));
        break;
    case JSON_INTEGER:
        snprintf(cell, RENDER_CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(cell, RENDER_CELL_BYTES, "%.3f", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(cell, RENDER_CELL_BYTES, "%s", json_is_true(value) ? "yes" : "no");
        break;
    case JSON_NULL:
        snprintf(cell, RENDER_CELL_BYTES, "-");
        break;
    case JSON_ARRAY:
        if (json_array_size(value) == 0)
            snprintf(cell, RENDER_CELL_BYTES, "none");
        else
            snprintf(cell, RENDER_CELL_BYTES, "[%zu]", json_array_size(value));
        break;
    case JSON_OBJECT:
        snprintf(cell, RENDER_CELL_BYTES, "{%zu}", json_object_size(value));
        break;
    }
    for (char *at = cell; *at; at++) {
        if ((uint8_t)*at < ' ' || *at == 0x7f)
            *at = '?';
    }
}

/* A list of plain values, on one line as far as it fits. */
static bool list_is_plain(const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        if (is_nested(item))
            return false;
    }
    return true;
}

static void plain_list(struct page *page, const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;
    char cell[RENDER_CELL_BYTES];
    json_array_foreach(list, i, item)
    {
        cell_write(cell, item);
        fprintf(page->out, "%s%s", i ? ", " : "", cell);
    }
    fputs(i ? "\n" : "none\n", page->out);
}

static void rate(struct page *page, const json_t *value, const json_t *before)
{
    if (!json_is_number(value) || !json_is_number(before) || page->seconds <= 0)
        return;
    double grown = (json_number_value(value) - json_number_value(before)) / page->seconds;
    if (grown > 0)
        fprintf(page->out, "  +%.1f/s", grown);
}

/* Reasons for which nothing was dropped would hide those for which something was. */
static bool is_idle_drop(const struct section *section, const json_t *value)
{
    size_t bytes = strlen(section->path);
    bool drops = bytes >= 5 && strcmp(section->path + bytes - 5, "drops") == 0;
    return drops && json_is_integer(value) && json_integer_value(value) == 0;
}

static void object_write(struct page *page, const struct section *section)
{
    json_t *object = (json_t *)(uintptr_t)section->value;
    const char *key = NULL;
    json_t *value = NULL;
    int width = 0;
    char cell[RENDER_CELL_BYTES];
    json_object_foreach(object, key, value)
    {
        bool here = !is_nested(value) || (json_is_array(value) && list_is_plain(value));
        if (here && (int)strlen(key) > width)
            width = (int)strlen(key);
    }
    json_object_foreach(object, key, value)
    {
        const json_t *before = json_object_get(section->before, key);
        if (json_is_array(value) && list_is_plain(value)) {
            fprintf(page->out, "%-*s  ", width, key);
            plain_list(page, value);
        } else if (is_nested(value)) {
            section_add(page, section->path, key, value, before);
        } else if (json_is_string(value) && strchr(json_string_value(value), '\n')) {
            fputs(json_string_value(value), page->out);
        } else if (!is_idle_drop(section, value)) {
            cell_write(cell, value);
            fprintf(page->out, "%-*s  %s", width, key, cell);
            rate(page, value, before);
            fputc('\n', page->out);
        }
    }
}

/* Items whose members are plain make a row each. */
static bool list_is_table(const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        const char *key = NULL;
        json_t *value = NULL;
        if (!json_is_object(item))
            return false;
        json_object_foreach(item, key, value)
        {
            if (json_is_object(value) || (json_is_array(value) && !list_is_plain(value)))
                return false;
        }
    }
    return true;
}

/* A single item with many members reads better as lines. */
static bool list_is_broad(const json_t *list)
{
    return json_array_size(list) > 1 || json_object_size(json_array_get(list, 0)) <= 8;
}

struct table_columns {
    size_t n;
    const char *keys[RENDER_COLUMNS_MAX];
    int widths[RENDER_COLUMNS_MAX];
};

static size_t column_of(struct table_columns *columns, const char *key)
{
    for (size_t c = 0; c < columns->n; c++) {
        if (strcmp(columns->keys[c], key) == 0)
            return c;
    }
    if (columns->n == RENDER_COLUMNS_MAX)
        return RENDER_COLUMNS_MAX;
    columns->keys[columns->n] = key;
    columns->widths[columns->n] = (int)strlen(key);
    return columns->n++;
}

static void cell_print(const struct page *page, const struct table_columns *columns, size_t c,
                       const char *text)
{
    if (c + 1 < columns->n)
        fprintf(page->out, "%-*s  ", columns->widths[c], text);
    else
        fprintf(page->out, "%s\n", text);
}

static void table_write(struct page *page, const json_t *list)
{
    struct table_columns columns = {0};
    size_t i = 0;
    json_t *item = NULL, *value = NULL;
    const char *key = NULL;
    char cell[RENDER_CELL_BYTES];
    json_array_foreach(list, i, item)
    {
        json_object_foreach(item, key, value)
        {
            size_t c = column_of(&columns, key);
            cell_write(cell, value);
            if (c < columns.n && (int)strlen(cell) > columns.widths[c])
                columns.widths[c] = (int)strlen(cell);
        }
    }
    for (size_t c = 0; c < columns.n; c++)
        cell_print(page, &columns, c, columns.keys[c]);
    json_array_foreach(list, i, item)
    {
        for (size_t c = 0; c < columns.n; c++) {
            value = json_object_get(item, columns.keys[c]);
            snprintf(cell, sizeof(cell), "-");
            if (value)
                cell_write(cell, value);
            cell_print(page, &columns, c, cell);
        }
    }
}

static void list_write(struct page *page, const struct section *section)
{
    size_t i = 0;
    json_t *item = NULL;
    if (list_is_plain(section->value)) {
        plain_list(page, section->value);
        return;
    }
    if (list_is_table(section->value) && list_is_broad(section->value)) {
        table_write(page, section->value);
        return;
    }
    json_array_foreach(section->value, i, item)
    {
        char key[32];
        snprintf(key, sizeof(key), "[%zu]", i);
        section_add(page, section->path, key, item, json_array_get(section->before, i));
    }
}

static bool has_lines(const json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    if (json_is_array(value))
        return list_is_plain(value) || (list_is_table(value) && list_is_broad(value));
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (!is_nested(member) || (json_is_array(member) && list_is_plain(member)))
            return true;
    }
    return false;
}

void render(FILE *out, const json_t *value, const json_t *before, double seconds)
{
    struct page *page = calloc(1, sizeof(*page));
    if (!page)
        return;
    page->out = out;
    page->seconds = seconds;
    section_add(page, "", "", value, before);
    for (; page->at < page->n; page->at++) {
        const struct section *section = &page->sections[page->at];
        if (section->path[0] && has_lines(section->value))
            fprintf(out, "\n%s\n", section->path);
        if (json_is_object(section->value))
            object_write(page, section);
        else if (json_is_array(section->value))
            list_write(page, section);
    }
    if (page->n == RENDER_SECTIONS_MAX)
        fprintf(out, "\n(more: --json shows all)\n");
    free(page);
}
