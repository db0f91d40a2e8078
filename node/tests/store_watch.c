/* Preloaded into a child process by store_durability.rs: notes, in the order in which they happen, which marked
   values are written to the file "db" and when that file is synced. Lines are appended to $STORE_WATCH_LOG. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "STORE-MARK:"
#define MARK_LEN (sizeof MARK - 1)
#define NAME_LEN 11 /* nnnnnnnn:kk */

static void note(const char *what, const char *name, int name_len) {
    static int log_fd = -1;
    if (log_fd < 0) log_fd = open(getenv("STORE_WATCH_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    char line[128];
    int len = snprintf(line, sizeof line, "%s %.*s\n", what, name_len, name);
    if (write(log_fd, line, (size_t)len) != len) abort();
}

static int is_database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path);
    return len >= 3 && memcmp(path + len - 3, "/db", 3) == 0;
}

static void note_marks(const char *bytes, size_t len) {
    const char *end = bytes + len, *at = bytes;
    while ((at = memmem(at, (size_t)(end - at), MARK, MARK_LEN)) != NULL) {
        at += MARK_LEN;
        if (end - at >= NAME_LEN) note("wrote", at, NAME_LEN);
    }
}

#define PWRITE(name, offset_type)                                                        \
    ssize_t name(int fd, const void *bytes, size_t len, offset_type offset) {            \
        static ssize_t (*real)(int, const void *, size_t, offset_type);                  \
        if (!real) real = (ssize_t (*)(int, const void *, size_t, offset_type))dlsym(RTLD_NEXT, #name); \
        ssize_t written = real(fd, bytes, len, offset);                                  \
        if (written > 0 && is_database(fd)) note_marks(bytes, (size_t)written);          \
        return written;                                                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name)                                                                       \
    int name(int fd) {                                                                   \
        static int (*real)(int);                                                         \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);                         \
        if (!is_database(fd)) return real(fd);                                           \
        char thread[32];                                                                 \
        int len = snprintf(thread, sizeof thread, "%ld", (long)syscall(SYS_gettid));     \
        note("sync-begins", thread, len);                                                \
        int result = real(fd);                                                           \
        if (result == 0) note("sync-ended", thread, len);                                \
        return result;                                                                   \
    }
SYNC(fsync)
SYNC(fdatasync)
