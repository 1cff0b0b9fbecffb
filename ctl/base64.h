/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/base64.h - base64 of keys. RFC 4648 4, with padding. Values, no state. */
#ifndef CTL_BASE64_H
#define CTL_BASE64_H

#include "core/base.h"

enum { BASE64_TEXT_BYTES_MAX = 64 }; /* of the longest key, 44 bytes, with the zero */

/* `text` has room for 4 * ((bytes + 2) / 3) + 1. */
void base64_write(char *text, const uint8_t *data, size_t bytes);

/* Exactly `bytes` bytes, no other form: false leaves `data` undefined. */
bool base64_read(uint8_t *data, size_t bytes, const char *text);

#endif
