/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/image.c - libraries by name, their segments that nobody writes to. */
#include "core/image.h"

#include "core/base.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct wanted {
    const char *prefix;
    size_t bytes; /* given back so far */
};

/* Rounded to whole pages, as the loader maps them. */
static size_t give_back(const struct dl_phdr_info *info, const ElfW(Phdr) * segment)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
    uintptr_t to =
        (info->dlpi_addr + segment->p_vaddr + segment->p_filesz + page - 1) & ~(page - 1);
    return madvise((void *)from, to - from, MADV_DONTNEED) == 0 ? to - from : 0;
}

static int on_library(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct wanted *wanted = data;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash != NULL ? slash + 1 : info->dlpi_name;
    (void)bytes;
    if (strncmp(name, wanted->prefix, strlen(wanted->prefix)) != 0)
        return 0;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            wanted->bytes += give_back(info, segment);
    }
    return 0;
}

size_t image_give_back(const char *prefix)
{
    struct wanted wanted = {.prefix = prefix};
    dl_iterate_phdr(on_library, &wanted);
    return wanted.bytes;
}
