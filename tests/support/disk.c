/* A disk that can be made slow, broken or read-only while a program runs, for files whose path has a given word in it.
 *
 * Loaded in front of the C library (LD_PRELOAD). DISK_WORD is the word, DISK_CONTROL a file whose first byte says what
 * the disk does now: 0 works, 1 each call takes five seconds (or until it is another's turn), 2 EIO, 3 EROFS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { WORKS, SLOW, BROKEN, READ_ONLY };

static volatile const char *control;
static const char *word;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_CONTROL");
    word = getenv("DISK_WORD");
    int file = path && word ? REAL(open)(path, O_RDONLY) : -1;
    if (file >= 0) {
        void *mapped = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
        control = mapped == MAP_FAILED ? NULL : mapped;
        close(file);
    }
}

/* Whether the call fails; it may have taken its time. */
static int fails(const char *path, int writes) {
    if (control == NULL || *control == WORKS || path == NULL || strstr(path, word) == NULL) return 0;
    for (int slept = 0; *control == SLOW && slept < 500; slept++) usleep(10000);
    if (*control == BROKEN) errno = EIO;
    else if (*control == READ_ONLY && writes) errno = EROFS;
    else return 0;
    return 1;
}

static int file_fails(int file, int writes) {
    char link[64], path[4096];
    if (control == NULL || *control == WORKS) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return fails(path, writes);
}

#define READING(name, offset_t) \
    ssize_t name(int file, void *data, size_t size, offset_t at) { \
        return file_fails(file, 0) ? -1 : REAL(name)(file, data, size, at); \
    }
#define WRITING(name, offset_t) \
    ssize_t name(int file, const void *data, size_t size, offset_t at) { \
        return file_fails(file, 1) ? -1 : REAL(name)(file, data, size, at); \
    }
#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return fails(path, (flags & O_ACCMODE) != O_RDONLY) ? -1 : REAL(name)(path, flags, mode); \
    }
#define LOCKING(name) \
    int name(int file, int command, ...) { \
        va_list more; \
        va_start(more, command); \
        void *argument = va_arg(more, void *); \
        va_end(more); \
        if (command == F_SETLK && control && *control == SLOW) file_fails(file, 0); \
        return REAL(name)(file, command, argument); \
    }

READING(pread, off_t)
READING(pread64, off64_t)
WRITING(pwrite, off_t)
WRITING(pwrite64, off64_t)
OPENING(open)
OPENING(open64)
LOCKING(fcntl)
LOCKING(fcntl64)

int fsync(int file) { return file_fails(file, 0) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return file_fails(file, 0) ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { return file_fails(file, 1) ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return file_fails(file, 1) ? -1 : REAL(ftruncate64)(file, size); }
