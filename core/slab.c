/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/slab.c - who holds which slot, in which order free ones are taken, and which have a page. */
#include "core/slab.h"

#include <errno.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISON 1
#endif
#endif
#ifdef SLAB_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

enum {
    WORD_SLOTS = 64,
    COLD_WORDS = (SLAB_SLOTS_MAX + 1) / WORD_SLOTS,
    COLD_ANY_WORDS = COLD_WORDS / WORD_SLOTS,
    HUGE_BYTES = 2 << 20,
    HUGE_SLOTS = HUGE_BYTES / SLOT_BYTES,
};

static uint64_t bit_of(uint32_t at)
{
    return UINT64_C(1) << at % 64;
}

/* Set-up */

static int map_slots(struct slab *slab)
{
    size_t bytes = (size_t)slab->slots_n * SLOT_BYTES;
    size_t align = base_page_bytes();
    if (slab->huge) {
        align = HUGE_BYTES;
        bytes = round_up_size(bytes, HUGE_BYTES);
    }
    slab->map_bytes = bytes + align;
    slab->map = base_map(slab->map_bytes);
    if (!slab->map)
        return -ENOMEM;
    slab->memory = slab->map + (-(uintptr_t)slab->map & (align - 1));
    if (slab->huge) /* refused by a kernel without: small pages do as well */
        (void)madvise(slab->memory, bytes, MADV_HUGEPAGE);
    return 0;
}

/* Each array has pages of its own, touched as slots are first used. */
static int map_books(struct slab *slab)
{
    slab->gen = base_map(slab->slots_n * sizeof(*slab->gen));
    slab->state = base_map(slab->slots_n * sizeof(*slab->state));
    slab->warm_next = base_map(slab->slots_n * sizeof(*slab->warm_next));
    slab->warm_prev = base_map(slab->slots_n * sizeof(*slab->warm_prev));
    slab->idle_since = base_map(slab->slots_n * sizeof(*slab->idle_since));
    slab->shared = base_map(COLD_WORDS * sizeof(*slab->shared));
    slab->cold = base_map(COLD_WORDS * sizeof(*slab->cold));
    slab->cold_any = base_map(COLD_ANY_WORDS * sizeof(*slab->cold_any));
    slab->touched = base_map(COLD_WORDS * sizeof(*slab->touched));
    bool all = slab->gen && slab->state && slab->warm_next && slab->warm_prev && slab->idle_since &&
               slab->shared && slab->cold && slab->cold_any && slab->touched;
    return all ? 0 : -ENOMEM;
}

static void add_cold(struct slab *slab, uint32_t index)
{
    slab->cold[index / WORD_SLOTS] |= bit_of(index);
    slab->cold_any[index / WORD_SLOTS / 64] |= bit_of(index / WORD_SLOTS);
}

int slab_init(struct slab *slab, uint32_t slots_n, uint16_t worker, bool huge)
{
    *slab = (struct slab){.worker = worker, .huge = huge, .warm_first = SLOT_NONE};
    if (slots_n < 2 || slots_n > SLAB_SLOTS_MAX)
        return -EINVAL;
    slab->slots_n = slots_n;
    slab->free_n = slots_n;

    size_t page_slots = base_page_bytes() / SLOT_BYTES;
    ASSERT(page_slots >= 1 && page_slots <= WORD_SLOTS);
    slab->page_slots = (uint32_t)page_slots;

    int failed = map_slots(slab);
    if (!failed)
        failed = map_books(slab);
    if (failed) {
        slab_exit(slab);
        return failed;
    }

    for (uint32_t i = 0; i < slots_n; i++)
        add_cold(slab, i);
    ASAN_POISON_MEMORY_REGION(slab->memory, (size_t)slots_n * SLOT_BYTES);
    return 0;
}

void slab_exit(struct slab *slab)
{
    if (slab->memory)
        ASAN_UNPOISON_MEMORY_REGION(slab->memory, (size_t)slab->slots_n * SLOT_BYTES);
    base_unmap(slab->map, slab->map_bytes);
    base_unmap((void *)slab->gen, slab->slots_n * sizeof(*slab->gen));
    base_unmap(slab->state, slab->slots_n * sizeof(*slab->state));
    base_unmap(slab->warm_next, slab->slots_n * sizeof(*slab->warm_next));
    base_unmap(slab->warm_prev, slab->slots_n * sizeof(*slab->warm_prev));
    base_unmap(slab->idle_since, slab->slots_n * sizeof(*slab->idle_since));
    base_unmap(slab->shared, COLD_WORDS * sizeof(*slab->shared));
    base_unmap(slab->cold, COLD_WORDS * sizeof(*slab->cold));
    base_unmap(slab->cold_any, COLD_ANY_WORDS * sizeof(*slab->cold_any));
    base_unmap(slab->touched, COLD_WORDS * sizeof(*slab->touched));
    *slab = (struct slab){0};
}

/* Pages */

static uint32_t page_of(const struct slab *slab, uint32_t index)
{
    return index & ~(slab->page_slots - 1);
}

/* How many slots the page that begins with slot `first` holds: the last page may hold fewer. */
static uint32_t page_slots_n(const struct slab *slab, uint32_t first)
{
    return (uint32_t)min_size(slab->page_slots, slab->slots_n - first);
}

static bool page_is_touched(const struct slab *slab, uint32_t first)
{
    uint32_t page = first / slab->page_slots;
    return slab->touched[page / 64] & bit_of(page);
}

/* The kernel has written into a slot of it. */
static void page_touch(struct slab *slab, uint32_t index)
{
    uint32_t first = page_of(slab, index);
    if (slab->huge || page_is_touched(slab, first))
        return;
    uint32_t page = first / slab->page_slots;
    slab->touched[page / 64] |= bit_of(page);
    slab->resident_n += page_slots_n(slab, first);
}

/* Warm slots: a list, linked by index */

static void warm_push(struct slab *slab, uint16_t index)
{
    slab->warm_next[index] = slab->warm_first;
    slab->warm_prev[index] = SLOT_NONE;
    if (slab->warm_first != SLOT_NONE)
        slab->warm_prev[slab->warm_first] = index;
    slab->warm_first = index;
    slab->warm_n++;
}

static void warm_unlink(struct slab *slab, uint16_t index)
{
    uint16_t next = slab->warm_next[index];
    uint16_t prev = slab->warm_prev[index];
    if (next != SLOT_NONE)
        slab->warm_prev[next] = prev;
    if (prev != SLOT_NONE)
        slab->warm_next[prev] = next;
    else
        slab->warm_first = next;
    slab->warm_n--;
}

/* The lowest cold slot; there must be one. */
static uint16_t cold_pop(struct slab *slab)
{
    uint32_t any = 0;
    while (slab->cold_any[any] == 0) {
        any++;
        ASSERT(any < COLD_ANY_WORDS);
    }
    uint32_t word = any * 64 + (uint32_t)__builtin_ctzll(slab->cold_any[any]);
    ASSERT(slab->cold[word] != 0);
    uint32_t index = word * WORD_SLOTS + (uint32_t)__builtin_ctzll(slab->cold[word]);

    if (slab->huge) /* never trimmed, so the lowest cold one is where the resident part ends */
        slab->resident_n = (uint32_t)min_size(round_up_size(index + 1, HUGE_SLOTS), slab->slots_n);

    slab->cold[word] &= ~bit_of(index);
    if (slab->cold[word] == 0)
        slab->cold_any[any] &= ~bit_of(word);
    return (uint16_t)index;
}

/* The life of a slot */

/* The one place that changes a state. */
static void enter(struct slab *slab, uint16_t index, enum slot_state from, enum slot_state to)
{
    ASSERT(slab->state[index] == from);
    slab->state[index] = (uint8_t)to;
    uint32_t *const counts[] = {
        [SLOT_FREE] = &slab->free_n,     [SLOT_KERNEL] = &slab->kernel_n,
        [SLOT_WORKER] = &slab->worker_n, [SLOT_HELD] = &slab->held_n,
        [SLOT_LIMBO] = &slab->limbo_n,
    };
    --*counts[from];
    ++*counts[to];
    ASSERT(slab->free_n + slab->kernel_n + slab->worker_n + slab->held_n + slab->limbo_n ==
           slab->slots_n);
}

static uint32_t gen_of(const struct slab *slab, uint32_t index)
{
    return atomic_load_explicit(&slab->gen[index], memory_order_relaxed);
}

uint16_t slab_take(struct slab *slab)
{
    if (slab->free_n == 0)
        return SLOT_NONE;

    uint16_t index = slab->warm_first;
    if (index != SLOT_NONE)
        warm_unlink(slab, index);
    else
        index = cold_pop(slab);

    if (gen_of(slab, index) == 0) /* so that an all-zero reference never finds anything */
        atomic_store_explicit(&slab->gen[index], 1, memory_order_relaxed);
    enter(slab, index, SLOT_FREE, SLOT_KERNEL);
    ASAN_UNPOISON_MEMORY_REGION(slab_slot(slab, index), SLOT_BYTES);
    return index;
}

void slab_receive(struct slab *slab, uint16_t index)
{
    ASSERT(index < slab->slots_n);
    enter(slab, index, SLOT_KERNEL, SLOT_WORKER);
    page_touch(slab, index);
}

static struct slot_ref ref_of(const struct slab *slab, uint16_t index)
{
    return (struct slot_ref){.gen = gen_of(slab, index), .index = index, .worker = slab->worker};
}

struct slot_ref slab_hold(struct slab *slab, uint16_t index)
{
    ASSERT(index < slab->slots_n);
    enter(slab, index, SLOT_WORKER, SLOT_HELD);
    return ref_of(slab, index);
}

struct slot_ref slab_share(struct slab *slab, uint16_t index)
{
    ASSERT(index < slab->slots_n);
    ASSERT(slab->state[index] == SLOT_WORKER);
    slab->shared[index / WORD_SLOTS] |= bit_of(index);
    return ref_of(slab, index);
}

static void limbo_add(struct slab *slab, struct limbo *limbo, uint16_t index)
{
    if (limbo->n == 0)
        limbo->first = index;
    else
        slab->warm_next[limbo->last] = index;
    limbo->last = index;
    limbo->n++;
}

static void become_free(struct slab *slab, uint16_t index)
{
    slab->idle_since[index] = slab->interval;
    warm_push(slab, index);
    ASAN_POISON_MEMORY_REGION(slab_slot(slab, index), SLOT_BYTES);
}

void slab_release(struct slab *slab, uint16_t index)
{
    ASSERT(index < slab->slots_n);
    enum slot_state from = slab->state[index];
    ASSERT(from != SLOT_FREE && from != SLOT_LIMBO);
    if (from == SLOT_KERNEL) /* perhaps with the head of an empty datagram */
        page_touch(slab, index);

    uint32_t gen = gen_of(slab, index) + 1;
    gen += gen == 0;
    if (!(slab->shared[index / WORD_SLOTS] & bit_of(index))) {
        atomic_store_explicit(&slab->gen[index], gen, memory_order_relaxed);
        enter(slab, index, from, SLOT_FREE);
        become_free(slab, index);
        return;
    }
    slab->shared[index / WORD_SLOTS] &= ~bit_of(index);
    atomic_store(&slab->gen[index], gen); /* before the owner looks at the readers' epochs */
    enter(slab, index, from, SLOT_LIMBO);
    limbo_add(slab, &slab->fresh, index);
}

uint32_t slab_limbo_begin(struct slab *slab)
{
    ASSERT(slab->waits.n == 0);
    slab->waits = slab->fresh;
    slab->fresh = (struct limbo){0};
    return slab->waits.n;
}

void slab_limbo_free(struct slab *slab)
{
    uint16_t index = slab->waits.first;
    for (uint32_t left = slab->waits.n; left > 0; left--) {
        uint16_t next = slab->warm_next[index];
        enter(slab, index, SLOT_LIMBO, SLOT_FREE);
        become_free(slab, index);
        index = next;
    }
    slab->waits = (struct limbo){0};
}

const uint8_t *slab_find(const struct slab *slab, struct slot_ref ref)
{
    if (ref.worker != slab->worker || ref.index >= slab->slots_n)
        return NULL;
    if (slab->state[ref.index] != SLOT_HELD || gen_of(slab, ref.index) != ref.gen)
        return NULL;
    return slab_packet(slab, ref.index);
}

/* Giving back */

static bool is_cold(const struct slab *slab, uint32_t index)
{
    return slab->cold[index / WORD_SLOTS] >> index % WORD_SLOTS & 1;
}

/* For how many calls of slab_trim() it has not been used. 256 calls later an old mark looks new:
 * the page then waits for the next call. */
static uint8_t idle_intervals(const struct slab *slab, uint32_t index)
{
    return (uint8_t)(slab->interval - slab->idle_since[index]);
}

static bool slot_is_idle(const struct slab *slab, uint32_t index, bool standing)
{
    if (slab->state[index] == SLOT_FREE)
        return is_cold(slab, index) || idle_intervals(slab, index) > 0;
    return standing && slab->state[index] == SLOT_KERNEL &&
           idle_intervals(slab, index) >= SLAB_STANDING_IDLE;
}

static bool page_is_idle(const struct slab *slab, uint32_t first, bool standing)
{
    if (!page_is_touched(slab, first))
        return false;
    uint32_t n = page_slots_n(slab, first);
    for (uint32_t i = first; i < first + n; i++)
        if (!slot_is_idle(slab, i, standing))
            return false;
    return true;
}

/* The page's free slots leave the warm list. Returns how many slots there are on the page. */
static uint32_t cool_page(struct slab *slab, uint32_t first)
{
    uint32_t n = page_slots_n(slab, first);
    uint32_t page = first / slab->page_slots;
    for (uint32_t i = first; i < first + n; i++) {
        if (slab->state[i] != SLOT_FREE || is_cold(slab, i))
            continue;
        warm_unlink(slab, (uint16_t)i);
        add_cold(slab, i);
    }
    slab->touched[page / 64] &= ~bit_of(page);
    slab->resident_n -= n;
    return n;
}

/* Slots [first, end) are whole pages, and nothing is in them. Returns how many went back: none
 * where the kernel refuses it (locked memory), and their pages stay resident. */
static uint32_t give_back(struct slab *slab, uint32_t first, uint32_t end)
{
    if (first == end)
        return 0;
    size_t bytes = round_up_size((size_t)(end - first) * SLOT_BYTES, base_page_bytes());
    if (madvise(slab_slot(slab, (uint16_t)first), bytes, MADV_DONTNEED) == 0)
        return end - first;
    for (uint32_t i = first; i < end; i += slab->page_slots)
        page_touch(slab, i);
    return 0;
}

uint32_t slab_trim(struct slab *slab, uint32_t pages_max, bool standing)
{
    uint32_t given_n = 0;
    uint32_t run_first = 0, run_end = 0; /* neighbours go back in one call */
    uint32_t look_n = (uint32_t)min_size(SLAB_TRIM_LOOK, slab->slots_n);
    uint32_t at = slab->trim_at;

    for (uint32_t looked = 0;
         looked < look_n && pages_max > 0 && slab->resident_n > 0 && !slab->huge;
         looked += slab->page_slots) {
        if (page_is_idle(slab, at, standing)) {
            if (run_end != at) {
                given_n += give_back(slab, run_first, run_end);
                run_first = at;
            }
            run_end = at + cool_page(slab, at);
            pages_max--;
        }
        at += slab->page_slots;
        if (at >= slab->slots_n)
            at = 0;
    }
    given_n += give_back(slab, run_first, run_end);
    slab->trim_at = at;
    slab->interval++;
    return given_n;
}
