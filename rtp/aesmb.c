/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/aesmb.c - ipsec-mb's AES. One packet at a time: its multi-buffer lanes are for those who have
 * many at once, and its HMAC-SHA1 of a single packet is slower than wolfCrypt's (2.0 against 1.4 us
 * for 1100 bytes), so that one stays there. */
#include "rtp/aes.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <link.h>
#include <sys/mman.h>

struct gcm {
    struct gcm_key_data key;
    bool is_256;
};

struct block {
    _Alignas(16) uint32_t rounds[4 * 15]; /* the encryption key, expanded: 14 rounds and one */
    size_t key_bytes;
};

enum {
    PAGE_BYTES = 4096, /* or a part of one */
    ALIGN = 64,        /* its wide loads want it, its header does not say so */
};

/* Which functions fit this processor. Its queues are not used, so that threads may share it. */
static IMB_MGR *manager;

/* Start-up runs self-tests of every algorithm, which leaves megabytes of its code mapped into a
 * process that uses two of them: back to the page cache, whatever is used comes again. */
static int give_code_back(struct dl_phdr_info *object, size_t bytes, void *argument)
{
    uintptr_t own = *(const uintptr_t *)argument; /* an address in the library */
    bool is_own = false;
    (void)bytes;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        is_own |=
            part->p_type == PT_LOAD && own - (object->dlpi_addr + part->p_vaddr) < part->p_memsz;
    }
    for (size_t i = 0; is_own && i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W))
            continue;
        uintptr_t from = (object->dlpi_addr + part->p_vaddr) / PAGE_BYTES * PAGE_BYTES;
        uintptr_t until = object->dlpi_addr + part->p_vaddr + part->p_memsz;
        (void)madvise((void *)from, until - from, MADV_DONTNEED); /* refused: it stays */
    }
    return is_own;
}

static int start(void)
{
    if (manager)
        return 0;
    IMB_MGR *made = alloc_mb_mgr(0);
    if (!made)
        return -ENOMEM;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(made, &arch);
    if (arch < IMB_ARCH_SSE || !(made->features & IMB_FEATURE_AESNI)) {
        free_mb_mgr(made);
        return -ENOTSUP;
    }
    manager = made; /* kept until the process ends */
    uintptr_t own = (uintptr_t)made->gcm128_enc;
    dl_iterate_phdr(give_code_back, &own);
    return 0;
}

static int gcm_key(void *state, const uint8_t *key, size_t key_bytes)
{
    struct gcm *gcm = state;
    gcm->is_256 = key_bytes == 32;
    if (gcm->is_256)
        IMB_AES256_GCM_PRE(manager, key, &gcm->key);
    else
        IMB_AES128_GCM_PRE(manager, key, &gcm->key);
    return 0;
}

static int block_key(void *state, const uint8_t *key, size_t key_bytes)
{
    struct block *block = state;
    _Alignas(16) uint32_t decrypting[ARRAY_N(block->rounds)];
    block->key_bytes = key_bytes;
    if (key_bytes == 32)
        IMB_AES_KEYEXP_256(manager, key, block->rounds, decrypting);
    else
        IMB_AES_KEYEXP_128(manager, key, block->rounds, decrypting);
    explicit_bzero(decrypting, sizeof(decrypting));
    return 0;
}

static void gcm_wipe(void *state)
{
    explicit_bzero(state, sizeof(struct gcm));
}

static void block_wipe(void *state)
{
    explicit_bzero(state, sizeof(struct block));
}

static int gcm_seal(void *state, const struct aes_gcm_job *job, uint8_t *tag)
{
    const struct gcm *gcm = state;
    struct gcm_context_data context;
    if (gcm->is_256)
        IMB_AES256_GCM_ENC(manager, &gcm->key, &context, job->data, job->data, job->bytes, job->iv,
                           job->aad, job->aad_bytes, tag, job->tag_bytes);
    else
        IMB_AES128_GCM_ENC(manager, &gcm->key, &context, job->data, job->data, job->bytes, job->iv,
                           job->aad, job->aad_bytes, tag, job->tag_bytes);
    return 0;
}

static int gcm_open(void *state, const struct aes_gcm_job *job, const uint8_t *tag)
{
    const struct gcm *gcm = state;
    struct gcm_context_data context;
    uint8_t made[AES_BLOCK];
    if (gcm->is_256)
        IMB_AES256_GCM_DEC(manager, &gcm->key, &context, job->data, job->data, job->bytes, job->iv,
                           job->aad, job->aad_bytes, made, job->tag_bytes);
    else
        IMB_AES128_GCM_DEC(manager, &gcm->key, &context, job->data, job->data, job->bytes, job->iv,
                           job->aad, job->aad_bytes, made, job->tag_bytes);
    uint8_t differs = 0; /* in constant time */
    for (size_t i = 0; i < job->tag_bytes; i++)
        differs |= made[i] ^ tag[i];
    return differs ? -EBADMSG : 0;
}

static int counter_crypt(void *state, uint8_t *data, size_t blocks, const uint8_t *counter)
{
    const struct block *block = state;
    IMB_JOB job = {
        .enc_keys = block->rounds,
        .src = data,
        .dst = data,
        .msg_len_to_cipher_in_bytes = AES_BLOCK * blocks,
        .iv = counter,
        .iv_len_in_bytes = AES_BLOCK,
    };
    uint32_t done = IMB_SUBMIT_CIPHER_BURST_NOCHECK(
        manager, &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, (IMB_KEY_SIZE_BYTES)block->key_bytes);
    return done == 1 ? 0 : -EIO;
}

static const struct aes_engine engine = {
    .name = "ipsec-mb",
    .align = ALIGN,
    .gcm_state_bytes = sizeof(struct gcm),
    .block_state_bytes = sizeof(struct block),
    .start = start,
    .gcm_key = gcm_key,
    .block_key = block_key,
    .gcm_wipe = gcm_wipe,
    .block_wipe = block_wipe,
    .gcm_seal = gcm_seal,
    .gcm_open = gcm_open,
    .counter_crypt = counter_crypt,
};

const struct aes_engine *aes_ipsec_mb(void)
{
    return &engine;
}
