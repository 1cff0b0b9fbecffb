/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/drop.c - the names and helps of the drop reasons. */
#include "core/drop.h"

#include "core/base.h"

static const struct {
    const char *name, *help;
} texts[] = {

#define DROP_TEXT(name, text, help) [DROP_##name] = {text, help},
    DROP_LIST(DROP_TEXT)
#undef DROP_TEXT
};

static_assert(ARRAY_N(texts) == DROP_N, "every reason has its texts");

const char *drop_name(enum drop why)
{
    return (unsigned)why < DROP_N ? texts[why].name : "?";
}

const char *drop_help(enum drop why)
{
    return (unsigned)why < DROP_N ? texts[why].help : "?";
}
