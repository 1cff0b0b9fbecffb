/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_sealout_test.c - rtp/sealout: an outbound ssrc's lives under one key, and that no index
 * is used twice. */
#include <errno.h>
#include <stdlib.h>

#include <srtp2/srtp.h>

#include "core/base.h"
#include "rtp/seal.h"
#include "rtp/sealout.h"
#include "test/suite.h"

enum { SSRC = 0x5eed5eed, PAYLOAD = 20 };

static const uint8_t key_in[SEAL_KEY_BYTES_MAX] = {1, 2, 3};
static const uint8_t key_out[SEAL_KEY_BYTES_MAX] = {4, 5, 6};

struct packet {
    _Alignas(4) uint8_t data[12 + PAYLOAD + SEAL_OVERHEAD_RTCP + SEAL_SLACK_BYTES];
    size_t bytes;
};

static void setup(void)
{
    ck_assert_int_eq(seal_library_init(), 0);
}

static void teardown(void)
{
    seal_library_exit();
}

static struct seal *open_seal(enum seal_suite suite)
{
    struct seal *seal;
    ck_assert_int_eq(seal_init(&seal, suite, key_in, key_out), 0);
    return seal;
}

/* A receiver of the peer: libsrtp2 itself. */
static srtp_t open_receiver(enum seal_suite suite)
{
    uint8_t key[SEAL_KEY_BYTES_MAX];
    memcpy(key, key_out, sizeof(key));
    srtp_policy_t policy = {.ssrc = {.type = ssrc_any_inbound}, .key = key, .window_size = 1024};
    srtp_profile_t profile = suite == SEAL_AEAD_AES_256_GCM   ? srtp_profile_aead_aes_256_gcm
                             : suite == SEAL_AEAD_AES_128_GCM ? srtp_profile_aead_aes_128_gcm
                             : suite == SEAL_AES_CM_128_HMAC_SHA1_80
                                 ? srtp_profile_aes128_cm_sha1_80
                                 : srtp_profile_aes128_cm_sha1_32;
    ck_assert_int_eq(srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile), 0);
    ck_assert_int_eq(srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile), 0);
    srtp_t session;
    ck_assert_int_eq(srtp_create(&session, &policy), 0);
    return session;
}

static enum drop send_rtp(struct seal *seal, uint32_t ssrc, uint32_t seq, struct packet *packet)
{
    *packet = (struct packet){.data = {0x80, 0x60}, .bytes = 12 + PAYLOAD};
    put_be16(packet->data + 2, (uint16_t)seq);
    put_be32(packet->data + 8, ssrc);
    memset(packet->data + 12, (int)(seq & 0xff), PAYLOAD);
    return seal_protect_rtp(seal, packet->data, &packet->bytes);
}

static enum drop send_rtcp(struct seal *seal, uint32_t ssrc, struct packet *packet)
{
    *packet = (struct packet){.data = {0x80, 201, 0, 1}, .bytes = 8};
    put_be32(packet->data + 4, ssrc);
    return seal_protect_rtcp(seal, packet->data, &packet->bytes);
}

static bool receives(srtp_t receiver, const struct packet *packet)
{
    struct packet copy = *packet;
    int n = (int)copy.bytes;
    return srtp_unprotect(receiver, copy.data, &n) == srtp_err_status_ok;
}

static bool receives_rtcp(srtp_t receiver, const struct packet *packet)
{
    struct packet copy = *packet;
    int n = (int)copy.bytes;
    return srtp_unprotect_rtcp(receiver, copy.data, &n) == srtp_err_status_ok;
}

static void assert_sends(struct seal *seal, srtp_t receiver, uint32_t ssrc, uint32_t seq)
{
    struct packet packet;
    ck_assert_int_eq(send_rtp(seal, ssrc, seq, &packet), DROP_NONE);
    ck_assert(receives(receiver, &packet));
}

/* Index of the packet sent: libsrtp2 has put SRTCP's behind the payload; AEAD has nothing after it.
 */
static uint32_t rtcp_index(const struct packet *packet)
{
    return be32(packet->data + packet->bytes - 4) & 0x7fffffff;
}

/* Suites x where the first life ended. */
static const uint32_t ends[] = {3, 0x7fff, 0x8000, 0xffff, 0x10000, 0x18000, 0x2ffff, 0x50123};

START_TEST(a_second_life_goes_on)
{
    enum seal_suite suite = (enum seal_suite)(1 + _i % (SEAL_SUITE_N - 1));
    uint32_t end = ends[_i / (SEAL_SUITE_N - 1)];
    struct seal *seal = open_seal(suite);
    srtp_t kept = open_receiver(suite);
    struct packet packet;
    ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
    ck_assert_uint_eq(seal_first_seq_out(seal, SSRC, 777), 777);
    for (uint32_t at = 2; at < end; at += 0x4000)
        assert_sends(seal, kept, SSRC, at);
    assert_sends(seal, kept, SSRC, end);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(send_rtcp(seal, SSRC, &packet), DROP_NONE);
        ck_assert(receives_rtcp(kept, &packet));
    }
    seal_remove_out(seal, SSRC);
    seal_remove_out(seal, SSRC);
    ck_assert_int_eq(send_rtp(seal, SSRC, end + 1, &packet), DROP_SEAL);
    ck_assert_int_eq(send_rtcp(seal, SSRC, &packet), DROP_SEAL);

    ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
    ck_assert_int_eq(seal_add_out(seal, SSRC), -EEXIST);
    uint16_t first = seal_first_seq_out(seal, SSRC, 777);
    ck_assert_uint_eq(first, (uint16_t)(end + 1));
    /* Nothing that the first life has sent or could have sent, half a round back. */
    for (uint32_t back = 0; back < 0x8000 && back <= end; back += back < 1100 ? 1 : 97)
        ck_assert_int_eq(send_rtp(seal, SSRC, end - back, &packet), DROP_SEAL);
    ck_assert_int_eq(send_rtp(seal, SSRC, end + 0x8000, &packet), DROP_SEAL);
    /* A receiver that kept its stream, with one that did not as long as there was no wrap. */
    srtp_t fresh = open_receiver(suite);
    for (uint32_t i = 1; i < 200; i++) {
        ck_assert_int_eq(send_rtp(seal, SSRC, end + i, &packet), DROP_NONE);
        ck_assert(receives(kept, &packet));
        ck_assert_int_eq(receives(fresh, &packet), end + 1 < 0x10000);
    }
    for (uint32_t at = end + 200; at < end + 0x20000; at += 0x4000) /* further wraps */
        assert_sends(seal, kept, SSRC, at);
    ck_assert_int_eq(send_rtcp(seal, SSRC, &packet), DROP_NONE);
    ck_assert(receives_rtcp(kept, &packet));
    if (seal_suite_is_aead(suite))
        ck_assert_uint_eq(rtcp_index(&packet), 1 + 5 + 1);
    srtp_dealloc(fresh);
    srtp_dealloc(kept);
    seal_exit(seal);
}

END_TEST

/* Late and repeated packets of the second life are its own. */
START_TEST(a_second_life_may_reorder_itself)
{
    struct seal *seal = open_seal(SEAL_AEAD_AES_128_GCM);
    srtp_t receiver = open_receiver(SEAL_AEAD_AES_128_GCM);
    ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
    assert_sends(seal, receiver, SSRC, 1000);
    seal_remove_out(seal, SSRC);
    ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
    struct packet a;
    struct packet b;
    ck_assert_int_eq(send_rtp(seal, SSRC, 1010, &a), DROP_NONE);
    assert_sends(seal, receiver, SSRC, 1020);
    assert_sends(seal, receiver, SSRC, 1001); /* late */
    ck_assert(receives(receiver, &a));
    ck_assert_int_eq(send_rtp(seal, SSRC, 1010, &b), DROP_NONE); /* resent */
    ck_assert_mem_eq(a.data, b.data, a.bytes);
    ck_assert_int_eq(send_rtp(seal, SSRC, 1000, &b), DROP_SEAL);
    srtp_dealloc(receiver);
    seal_exit(seal);
}

END_TEST

/* Half a round ahead or behind: receivers may take it for either. */
START_TEST(what_could_be_either_is_refused)
{
    static const uint32_t newest_rows[] = {0x8001, 0xc000, 0x10100, 0x17fff, 0x18000};
    for (size_t i = 0; i < ARRAY_N(newest_rows); i++) {
        struct seal *seal = open_seal(SEAL_AEAD_AES_128_GCM);
        srtp_t receiver = open_receiver(SEAL_AEAD_AES_128_GCM);
        struct packet packet;
        ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
        for (uint32_t at = 2; at < newest_rows[i]; at += 0x3000)
            assert_sends(seal, receiver, SSRC, at);
        assert_sends(seal, receiver, SSRC, newest_rows[i]);
        ck_assert_int_eq(send_rtp(seal, SSRC, newest_rows[i] + 0x8000, &packet), DROP_SEAL);
        assert_sends(seal, receiver, SSRC, newest_rows[i] + 0x7fff);
        srtp_dealloc(receiver);
        seal_exit(seal);
    }
}

END_TEST

START_TEST(one_that_sent_nothing_is_forgotten)
{
    struct seal *seal = open_seal(SEAL_AEAD_AES_128_GCM);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
        ck_assert_uint_eq(seal_first_seq_out(seal, SSRC, 5), 5);
        seal_remove_out(seal, SSRC);
    }
    ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
    seal_remove_out(seal, 12345); /* never added */
    seal_exit(seal);
}

END_TEST

START_TEST(old_lives_are_used_up)
{
    struct seal *seal = open_seal(SEAL_AEAD_AES_128_GCM);
    struct packet packet;

    enum { N = 3 * SEAL_PARKED_MAX };

    for (uint32_t ssrc = 1; ssrc <= N; ssrc++) {
        ck_assert_int_eq(seal_add_out(seal, ssrc), 0);
        /* RTCP alone is a use. */
        ck_assert_int_eq(ssrc % 2 ? send_rtp(seal, ssrc, 9, &packet)
                                  : send_rtcp(seal, ssrc, &packet),
                         DROP_NONE);
        seal_remove_out(seal, ssrc);
    }
    for (uint32_t ssrc = 1; ssrc <= N; ssrc++) {
        bool kept = ssrc > N - SEAL_PARKED_MAX;
        ck_assert_int_eq(seal_add_out(seal, ssrc), kept ? 0 : -EEXIST);
        ck_assert_int_eq(send_rtp(seal, ssrc, 10, &packet), kept ? DROP_NONE : DROP_SEAL);
    }
    seal_exit(seal);
}

END_TEST

START_TEST(up_to_so_many)
{
    struct seal *seal = open_seal(SEAL_AEAD_AES_128_GCM);
    srtp_t receiver = open_receiver(SEAL_AEAD_AES_128_GCM);
    struct packet packet;
    for (uint32_t i = 0; i < SEAL_STREAMS_OUT_MAX; i++)
        ck_assert_int_eq(seal_add_out(seal, i * 0x10001), 0);
    ck_assert_int_eq(seal_add_out(seal, 7), -ENOSPC);
    for (uint32_t i = 0; i < SEAL_STREAMS_OUT_MAX; i++)
        ck_assert_int_eq(send_rtp(seal, i * 0x10001, 9, &packet), DROP_NONE);
    assert_sends(seal, receiver, 99 * 0x10001, 10);
    seal_remove_out(seal, 0);
    ck_assert_int_eq(seal_add_out(seal, 7), 0); /* the parked one makes room */
    ck_assert_int_eq(seal_add_out(seal, 0), -EEXIST);
    ck_assert_int_eq(seal_add_out(seal, 8), -ENOSPC);
    assert_sends(seal, receiver, 7, 10);
    /* All go, whole libsrtp2 sessions with them, and others come. */
    for (uint32_t i = 1; i < SEAL_STREAMS_OUT_MAX; i++)
        seal_remove_out(seal, i * 0x10001);
    for (uint32_t ssrc = 1000; ssrc < 2000; ssrc++) {
        ck_assert_int_eq(seal_add_out(seal, ssrc), 0);
        ck_assert_int_eq(send_rtp(seal, ssrc, 10, &packet), DROP_NONE);
    }
    assert_sends(seal, receiver, 7, 11);
    ck_assert_int_eq(seal_add_out(seal, 99 * 0x10001), -EEXIST);
    srtp_dealloc(receiver);
    seal_exit(seal);
}

END_TEST

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* ---- ssrcs of very many lives. Without packets, which would take most of the time. */

static void open_outs(struct sealout *outs)
{
    *outs = (struct sealout){.suite = SEAL_AEAD_AES_128_GCM};
    memcpy(outs->key, key_out, seal_key_bytes(outs->suite));
}

static void live(struct sealout *outs, uint32_t ssrc, bool sends)
{
    ck_assert_msg(sealout_add(outs, ssrc) == 0, "ssrc %u, %u ranges", ssrc, outs->spent_n);
    sealout_find(outs, ssrc)->used = sends;
}

/* What the control thread does with one transport in a year: consumers with RTX, whose ssrcs are
 * taken one after the other. They stay for a while, some for as long as the transport; many are
 * never asked for RTX, some never send anything. The numbers wrap on the way. */
START_TEST(a_long_life_needs_few_ranges)
{
    enum { CONSUMERS = 200000, AT_ONCE = 30, STAY = 10 };
    struct sealout outs;
    open_outs(&outs);
    uint32_t slots[AT_ONCE] = {0};
    uint32_t next = 0u - CONSUMERS;
    uint32_t ranges_max = 0;
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        uint32_t *slot = &slots[STAY + i % (AT_ONCE - STAY)];
        if (i % (CONSUMERS / STAY) == 0)
            slot = &slots[i / (CONSUMERS / STAY)];
        if (*slot) {
            sealout_remove(&outs, *slot);
            sealout_remove(&outs, *slot + 1);
        }
        next += next == 0;
        *slot = next;
        live(&outs, next++, i % 7 != 0);
        next += next == 0;
        live(&outs, next++, i % 3 == 0);
        if (outs.spent_n > ranges_max)
            ranges_max = outs.spent_n;
    }
    ck_assert_uint_le(ranges_max, 2 * AT_ONCE + SEAL_PARKED_MAX);
    ck_assert_uint_le(outs.spent_capacity, 128);
    for (uint32_t i = 0; i < STAY; i++) /* those that stayed still send */
        ck_assert_ptr_nonnull(sealout_find(&outs, slots[i]));
    for (uint32_t i = 8; i < CONSUMERS - 1000; i += 997) /* the others' numbers are used up */
        if (i % 7 != 0 && i % (CONSUMERS / STAY) != 0)
            ck_assert_int_eq(sealout_add(&outs, 0u - CONSUMERS + 2 * i), -EEXIST);
    sealout_exit(&outs);
}

END_TEST

/* A pair of which one half has sent nothing comes back as a pair. */
START_TEST(a_silent_companion_may_come_back)
{
    struct sealout outs;
    open_outs(&outs);
    for (uint32_t ssrc = 100; ssrc < 200; ssrc++)
        live(&outs, ssrc, true);
    live(&outs, 99, false);
    for (uint32_t ssrc = 199; ssrc >= 100; ssrc--)
        sealout_remove(&outs, ssrc);
    sealout_remove(&outs, 99);
    ck_assert_int_eq(sealout_add(&outs, 100), 0);
    ck_assert_int_eq(sealout_add(&outs, 99), 0);
    ck_assert_int_eq(sealout_add(&outs, 116), -EEXIST);
    sealout_exit(&outs);
}

END_TEST

/* A caller who draws his numbers at random: what was used stays refused, the list stays bounded,
 * and a caller who asks again and again gets one. */
START_TEST(random_ssrcs_stay_bounded)
{
    enum { N = 4 * SEAL_SPENT_RANGES_MAX };
    struct sealout outs;
    open_outs(&outs);
    uint32_t *ssrcs = calloc(N, sizeof(*ssrcs));
    uint64_t state = 5;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < N; i++) {
        int result;
        do {
            ssrcs[i] = (uint32_t)next_random(&state);
            result = sealout_add(&outs, ssrcs[i]);
            ck_assert_int_ne(result, -ENOSPC);
            refused += result == -EEXIST;
        } while (result != 0);
        sealout_find(&outs, ssrcs[i])->used = true;
        sealout_remove(&outs, ssrcs[i]);
        ck_assert_uint_le(outs.spent_n, SEAL_SPENT_RANGES_MAX);
    }
    for (uint32_t i = 0; i < N - SEAL_PARKED_MAX; i++)
        ck_assert_int_eq(sealout_add(&outs, ssrcs[i]), -EEXIST);
    for (uint32_t i = 1; i < outs.spent_n; i++)
        ck_assert_uint_gt(outs.spent[i].first - outs.spent[i - 1].last, 1);
    ck_assert_uint_lt(refused, 2 * N);
    free(ssrcs);
    sealout_exit(&outs);
}

END_TEST

/* Random commands and packets against a model: per ssrc its life and the highest index that was
 * sent. */
enum { MODEL_N = 3 * SEAL_PARKED_MAX, ABSENT = 0, LIVE, PARKED, SPENT };

/* Far apart: what lies between two spent ones may count as spent. */
static uint32_t model_ssrc(uint32_t i)
{
    return 1000 * i;
}

struct model {
    struct {
        int state;
        bool used;
        uint32_t parked_at;
        int64_t newest, floor; /* newest of all lives, of the lives before; -1 for none */
    } ssrc[MODEL_N];

    uint32_t parkings;
};

static void model_remove(struct model *model, uint32_t i)
{
    if (!model->ssrc[i].used) {
        model->ssrc[i].state = ABSENT;
        return;
    }
    model->ssrc[i].state = PARKED;
    model->ssrc[i].parked_at = model->parkings++;
    uint32_t parked_n = 0;
    uint32_t oldest = i;
    for (uint32_t j = 0; j < MODEL_N; j++) {
        if (model->ssrc[j].state != PARKED)
            continue;
        parked_n++;
        if (model->ssrc[j].parked_at < model->ssrc[oldest].parked_at)
            oldest = j;
    }
    if (parked_n > SEAL_PARKED_MAX)
        model->ssrc[oldest].state = SPENT;
}

static void model_send(struct model *model, struct seal *seal, srtp_t receiver, uint32_t i,
                       int64_t step)
{
    int64_t newest = model->ssrc[i].newest;
    int64_t index = newest < 0 ? 2 + llabs(step) : newest + step;
    if (index < 0)
        return;
    struct packet packet;
    enum drop why = send_rtp(seal, model_ssrc(i), (uint32_t)index, &packet);
    bool may = model->ssrc[i].state == LIVE && index > model->ssrc[i].floor &&
               index > newest - SEAL_WINDOW_OUT;
    ck_assert_msg((why == DROP_NONE) == may, "ssrc %u index %lld newest %lld floor %lld state %d",
                  i, (long long)index, (long long)newest, (long long)model->ssrc[i].floor,
                  model->ssrc[i].state);
    if (!may)
        return;
    bool fresh = index > newest;
    model->ssrc[i].used = true;
    if (fresh) {
        model->ssrc[i].newest = index;
        ck_assert(receives(receiver, &packet)); /* at that very index */
    }
}

START_TEST(random_lives)
{
    uint64_t state = (uint64_t)_i + 1;
    enum seal_suite suite = (enum seal_suite)(1 + _i % (SEAL_SUITE_N - 1));
    struct seal *seal = open_seal(suite);
    srtp_t receiver = open_receiver(suite);
    struct model model = {.parkings = 0};
    for (uint32_t i = 0; i < MODEL_N; i++)
        model.ssrc[i].newest = model.ssrc[i].floor = -1;
    uint32_t second_lives = 0;
    for (int step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)(next_random(&state) % MODEL_N);
        i = step < 15000 ? i % 20 : i; /* few at first: parked ones come back */
        switch (next_random(&state) % 16) {
        case 0: {
            int expected =
                model.ssrc[i].state == LIVE || model.ssrc[i].state == SPENT ? -EEXIST : 0;
            ck_assert_int_eq(seal_add_out(seal, model_ssrc(i)), expected);
            if (expected)
                break;
            second_lives += model.ssrc[i].state == PARKED;
            model.ssrc[i].state = LIVE;
            model.ssrc[i].floor = model.ssrc[i].newest;
            break;
        }
        case 1:
            seal_remove_out(seal, model_ssrc(i));
            if (model.ssrc[i].state == LIVE)
                model_remove(&model, i);
            break;
        case 2:
            model_send(&model, seal, receiver, i,
                       -(int64_t)(next_random(&state) % (2 * SEAL_WINDOW_OUT)));
            break;
        case 3:
            model_send(&model, seal, receiver, i, (int64_t)(next_random(&state) % 20000));
            break;
        default:
            model_send(&model, seal, receiver, i, 1 + (int64_t)(next_random(&state) % 3));
        }
    }
    ck_assert_uint_gt(second_lives, 50);
    srtp_dealloc(receiver);
    seal_exit(seal);
}

END_TEST

Suite *rtp_sealout_suite(void)
{
    Suite *suite = suite_create("rtp_sealout");
    TCase *tests = tcase_create("lives");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_second_life_goes_on, 0, (SEAL_SUITE_N - 1) * (int)ARRAY_N(ends));
    tcase_add_test(tests, a_second_life_may_reorder_itself);
    tcase_add_test(tests, what_could_be_either_is_refused);
    tcase_add_test(tests, one_that_sent_nothing_is_forgotten);
    tcase_add_test(tests, old_lives_are_used_up);
    tcase_add_test(tests, up_to_so_many);
    tcase_add_test(tests, a_long_life_needs_few_ranges);
    tcase_add_test(tests, a_silent_companion_may_come_back);
    tcase_add_test(tests, random_ssrcs_stay_bounded);
    tcase_add_loop_test(tests, random_lives, 0, 8);
    suite_add_tcase(suite, tests);
    return suite;
}
