/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/replay.c - feeds a corpus to a fuzz target without libFuzzer.
 *
 *   replay_<name> FOLDER|FILE...
 *
 * Every file, and every prefix of it, is copied so that it ends at a page that may not be read: one
 * byte too far ends the program. Long files: prefixes up to PREFIX_BYTES_MAX, then in coarser
 * steps. Prints "N passed, M failed" with one test per file; a folder without a file is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_BYTES_MAX = 1 << 20, PREFIX_BYTES_MAX = 4096, PREFIX_STEPS = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

struct replay {
    uint8_t input[INPUT_BYTES_MAX];
    uint8_t *guard; /* first byte that may not be touched */
    int files_n;
};

static struct replay replay;

static void die(const char *what, const char *name)
{
    fprintf(stderr, "%s: %s: %s\n", what, name, strerror(errno));
    exit(1);
}

static void map_guarded(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, INPUT_BYTES_MAX + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("mmap", "input");
    replay.guard = at + INPUT_BYTES_MAX;
    if (mprotect(replay.guard, page, PROT_NONE))
        die("mprotect", "guard page");
}

static void feed(size_t bytes)
{
    uint8_t *at = replay.guard - bytes;
    if (bytes)
        memcpy(at, replay.input, bytes);
    LLVMFuzzerTestOneInput(at, bytes);
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die("open", path);
    size_t bytes = fread(replay.input, 1, sizeof(replay.input), file);
    if (ferror(file))
        die("read", path);
    fclose(file);
    /* Printed first, so that the last line before a crash names the file. */
    printf("%s: %zu bytes\n", path, bytes);

    size_t step = 1;
    for (size_t n = 0; n < bytes; n += step) {
        if (n == PREFIX_BYTES_MAX)
            step = (bytes - n) / PREFIX_STEPS + 1;
        feed(n);
    }
    feed(bytes);
    replay.files_n++;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, not_hidden, alphasort);
    if (n < 0)
        die("scan", path);
    for (int i = 0; i < n; i++) {
        char name[4096];
        int length = snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (length < 0 || (size_t)length >= sizeof(name)) {
            errno = ENAMETOOLONG;
            die("scan", path);
        }
        replay_file(name);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    map_guarded();
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st))
            die("stat", argv[i]);
        if (S_ISDIR(st.st_mode))
            replay_folder(argv[i]);
        else
            replay_file(argv[i]);
    }
    int failed = replay.files_n == 0;
    printf("%d passed, %d failed\n", replay.files_n, failed);
    return failed;
}
