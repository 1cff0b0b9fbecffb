/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/base64.c - base64 of keys. */
#include "ctl/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(char *text, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t three = (uint32_t)data[i] << 16;
        if (left > 1)
            three |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            three |= data[i + 2];
        *text++ = digits[three >> 18];
        *text++ = digits[three >> 12 & 63];
        *text++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[three & 63] : '=';
    }
    *text = '\0';
}

static int digit_value(char digit)
{
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool base64_read(uint8_t *data, size_t bytes, const char *text)
{
    size_t digits_n = (bytes * 8 + 5) / 6;
    size_t text_n = (bytes + 2) / 3 * 4;
    if (strlen(text) != text_n)
        return false;

    uint32_t bits = 0;
    size_t bits_n = 0, at = 0;
    for (size_t i = 0; i < digits_n; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bits_n += 6;
        if (bits_n >= 8) {
            bits_n -= 8;
            data[at++] = (uint8_t)(bits >> bits_n);
        }
    }
    if ((bits & ((1u << bits_n) - 1)) != 0) /* RFC 4648 3.5: left-over bits are zero */
        return false;
    for (size_t i = digits_n; i < text_n; i++) {
        if (text[i] != '=')
            return false;
    }
    return true;
}
