/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/trace.c - the names of the trace events. */
#include "core/trace.h"

const char *trace_name(enum trace_kind kind)
{
    static const char *const names[] = {
#define TRACE_TEXT(name, text) [TRACE_##name] = text,
        TRACE_LIST(TRACE_TEXT)
#undef TRACE_TEXT
    };
    static_assert(ARRAY_N(names) == TRACE_N, "every event has its name");

    return (unsigned)kind < TRACE_N ? names[kind] : "?";
}
