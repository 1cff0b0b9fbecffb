/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/hello.h - ClientHellos in the shape of Chromium's: DTLS 1.3 and 1.2, a post-quantum key
 * share beside X25519, and the records that carry them in fragments. */
#ifndef SLUICE_TEST_HELLO_H
#define SLUICE_TEST_HELLO_H

#include "core/base.h"

enum { HELLO_MAX = 8192, HELLO_HEADS = 13 + 12, HELLO_KYBER_SHARE = 1184 + 32 };

struct hello_writer {
    uint8_t *data;
    size_t at;
};

static inline void hello_u8(struct hello_writer *w, unsigned value)
{
    w->data[w->at++] = (uint8_t)value;
}

static inline void hello_u16(struct hello_writer *w, unsigned value)
{
    put_be16(w->data + w->at, (uint16_t)value);
    w->at += 2;
}

static inline void hello_list16(struct hello_writer *w, const uint16_t *list, size_t n)
{
    hello_u16(w, (unsigned)(2 * n));
    for (size_t i = 0; i < n; i++)
        hello_u16(w, list[i]);
}

/* An extension that is a list of 16-bit values. */
static inline void hello_extension16(struct hello_writer *w, unsigned type, const uint16_t *list,
                                     size_t n)
{
    hello_u16(w, type);
    hello_u16(w, (unsigned)(2 + 2 * n));
    hello_list16(w, list, n);
}

static inline void hello_key_shares(struct hello_writer *w)
{
    hello_u16(w, 51);
    hello_u16(w, 2 + 4 + HELLO_KYBER_SHARE + 4 + 32);
    hello_u16(w, 4 + HELLO_KYBER_SHARE + 4 + 32);
    hello_u16(w, 0x11ec); /* X25519MLKEM768 */
    hello_u16(w, HELLO_KYBER_SHARE);
    for (unsigned i = 0; i < HELLO_KYBER_SHARE; i++)
        hello_u8(w, i * 7);
    hello_u16(w, 0x001d);
    hello_u16(w, 32);
    hello_u8(w, 9); /* X25519's base point */
    for (unsigned i = 1; i < 32; i++)
        hello_u8(w, 0);
}

/* The message's body, its length. `profiles_n` SRTP profiles, none: no use_srtp. `padding`: bytes
 * of an extension of that kind, 0: none. */
static inline size_t hello_body(uint8_t *out, const uint16_t *profiles, size_t profiles_n,
                                size_t padding)
{
    static const uint16_t suites[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xcca9, 0xcca8,
                                      0xc009, 0xc013, 0xc00a, 0xc014, 0x009c, 0x002f};
    static const uint16_t groups[] = {0x11ec, 0x001d, 0x0017, 0x0018};
    static const uint16_t signatures[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806};
    struct hello_writer w = {out, 0};
    hello_u16(&w, 0xfefd);
    for (unsigned i = 0; i < 32; i++)
        hello_u8(&w, 0xa0 + i);
    hello_u16(&w, 0); /* no session id, no cookie */
    hello_list16(&w, suites, ARRAY_N(suites));
    hello_u16(&w, 0x0100); /* no compression */
    size_t extensions_at = w.at;
    hello_u16(&w, 0);
    hello_u16(&w, 23);
    hello_u16(&w, 0);
    hello_u16(&w, 0xff01);
    hello_u16(&w, 1);
    hello_u8(&w, 0);
    hello_extension16(&w, 10, groups, ARRAY_N(groups));
    hello_u16(&w, 11);
    hello_u16(&w, 2);
    hello_u16(&w, 0x0100);
    hello_extension16(&w, 13, signatures, ARRAY_N(signatures));
    if (profiles_n) {
        hello_u16(&w, 14);
        hello_u16(&w, (unsigned)(2 + 2 * profiles_n + 1));
        hello_list16(&w, profiles, profiles_n);
        hello_u8(&w, 0);
    }
    hello_key_shares(&w);
    hello_u16(&w, 43);
    hello_u16(&w, 5);
    hello_u8(&w, 4);
    hello_u16(&w, 0xfefc);
    hello_u16(&w, 0xfefd);
    if (padding) {
        hello_u16(&w, 21);
        hello_u16(&w, (unsigned)padding);
        memset(out + w.at, 0, padding);
        w.at += padding;
    }
    put_be16(out + extensions_at, (uint16_t)(w.at - extensions_at - 2));
    return w.at;
}

/* A record with the fragment [at, at + bytes) of a message of `total` bytes. Its length. */
static inline size_t hello_fragment(uint8_t *out, const uint8_t *body, size_t total, uint16_t seq,
                                    size_t at, size_t bytes, uint8_t number)
{
    uint8_t heads[HELLO_HEADS] = {22, 0xfe, 0xff};
    heads[10] = number;
    put_be16(heads + 11, (uint16_t)(12 + bytes));
    heads[13] = 1;
    put_be24(heads + 14, (uint32_t)total);
    put_be16(heads + 17, seq);
    put_be24(heads + 19, (uint32_t)at);
    put_be24(heads + 22, (uint32_t)bytes);
    memcpy(out, heads, sizeof(heads));
    memcpy(out + HELLO_HEADS, body + at, bytes);
    return HELLO_HEADS + bytes;
}

#endif
