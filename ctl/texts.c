/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/texts.c - JSON texts that many objects share, each kept once. */
#include "ctl/texts.h"

#include <stdlib.h>

struct text {
    struct text *next;
    size_t bytes;
    uint32_t hash, users;
    char data[];
};

/* FNV-1a: the texts come from controllers, and a long chain costs them alone a few microseconds. */
static uint32_t hash_of(const char *data, size_t bytes)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)data[i]) * 16777619u;
    return hash;
}

void texts_init(struct texts *texts)
{
    *texts = (struct texts){0};
}

void texts_exit(struct texts *texts)
{
    ASSERT(texts->n == 0);
}

const struct text *texts_keep(struct texts *texts, const json_t *value)
{
    size_t bytes = value ? json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
    struct text *text = bytes ? malloc(sizeof(*text) + bytes) : NULL;
    if (!text)
        return NULL;
    json_dumpb(value, text->data, bytes, JSON_COMPACT | JSON_ENCODE_ANY);
    text->hash = hash_of(text->data, bytes);
    text->bytes = bytes;

    struct text **bucket = &texts->buckets[text->hash % TEXTS_BUCKETS];
    for (struct text *at = *bucket; at; at = at->next) {
        if (at->hash == text->hash && at->bytes == bytes &&
            memcmp(at->data, text->data, bytes) == 0) {
            free(text);
            at->users++;
            return at;
        }
    }
    text->users = 1;
    text->next = *bucket;
    *bucket = text;
    texts->n++;
    texts->bytes += bytes;
    return text;
}

void texts_drop(struct texts *texts, const struct text *text)
{
    if (!text)
        return;
    struct text **at = &texts->buckets[text->hash % TEXTS_BUCKETS];
    while (*at != text) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    struct text *found = *at;
    ASSERT(found->users > 0);
    if (--found->users > 0)
        return;
    *at = found->next;
    texts->n--;
    texts->bytes -= found->bytes;
    free(found);
}

json_t *text_json(const struct text *text)
{
    return text ? json_loadb(text->data, text->bytes, JSON_DECODE_ANY, NULL) : NULL;
}
