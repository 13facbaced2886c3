/* Preloaded before libc: a disk that fails where it is told to, and that can write down everything it was asked.

   What is watched: the file of that path and those beside it whose names it begins (a SQLite database, -wal, -shm, -journal), and their
   folder. Steered from inside the process, through the functions at the end. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define DESCRIPTORS 4096
#define NAME 96

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4 };
enum { FOLDER = 1, FILE_ = 2, SHARED_MEMORY = 3 };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char watched[4096];
static struct { int kind; char name[NAME]; } files[DESCRIPTORS];
static int failing, error_number, is_short, was_short, trace = -1;
static long before, left, calls;

static int kind_of(int descriptor) { return descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor].kind : 0; }

/* --- the trace: kind, length of name, offset, length of data; then name; then data ------------------------------------------ */

static void put(const void *data, size_t length) {
    for (const char *at = data; length > 0;) {
        long written = syscall(SYS_write, trace, at, length);
        if (written <= 0) return;
        at += written, length -= (size_t)written;
    }
}

static void note(char kind, const char *name, int64_t offset, const void *data, int64_t length) {
    if (trace < 0) return;
    int64_t head[4] = {kind, (int64_t)strlen(name), offset, length};
    put(head, sizeof head);
    put(name, strlen(name));
    if (data) put(data, (size_t)length);
}

static void note_file(char kind, int descriptor, int64_t offset, const void *data, int64_t length) {
    if (files[descriptor].kind != SHARED_MEMORY) note(kind, files[descriptor].name, offset, data, length);
}

/* --- what is watched -------------------------------------------------------------------------------------------------------- */

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_watched(const char *path) { return *watched && strncmp(path, watched, strlen(watched)) == 0; }

static int is_folder(const char *path) {
    size_t length = strlen(path);
    return *watched && length + 1 == (size_t)(name_of(watched) - watched) && strncmp(path, watched, length) == 0;
}

static int opened(int descriptor, const char *path, int was_there) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS) return descriptor;
    const char *suffix = strrchr(path, '-');
    int kind = is_folder(path) ? FOLDER : !is_watched(path) ? 0 : suffix && !strcmp(suffix, "-shm") ? SHARED_MEMORY : FILE_;
    files[descriptor].kind = kind;
    strncpy(files[descriptor].name, kind == FOLDER ? "." : name_of(path), NAME - 1);
    if (kind == FILE_ && !was_there) note_file('C', descriptor, 0, 0, 0);
    return descriptor;
}

static int fails(int kind) {
    if (!(failing & kind)) return 0;
    calls++;
    if (before > 0) return before--, 0;
    if (left == 0) return 0;
    if (left > 0) left--;
    errno = error_number;
    return 1;
}

/* --- what is intercepted ---------------------------------------------------------------------------------------------------- */

static int open_any(const char *path, int flags, mode_t mode) {
    pthread_mutex_lock(&turn);
    int was_there = access(path, F_OK) == 0;
    int descriptor = opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, was_there);
    pthread_mutex_unlock(&turn);
    return descriptor;
}

#define OPEN(name)                                                                                                                 \
    int name(const char *path, int flags, ...) {                                                                                   \
        va_list rest;                                                                                                              \
        va_start(rest, flags);                                                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                                    \
        va_end(rest);                                                                                                              \
        return open_any(path, flags, mode);                                                                                        \
    }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
    pthread_mutex_lock(&turn);
    if (descriptor >= 0 && descriptor < DESCRIPTORS) files[descriptor].kind = 0;
    int result = REAL(close)(descriptor);
    pthread_mutex_unlock(&turn);
    return result;
}

static ssize_t write_at(int descriptor, const void *data, size_t length, int64_t offset) {
    pthread_mutex_lock(&turn);
    if (fails(WRITE)) {
        if (!is_short || was_short || length < 2) {
            was_short = 0;
            pthread_mutex_unlock(&turn);
            return -1;
        }
        was_short = 1;
        length /= 2;
    }
    ssize_t written = REAL(pwrite64)(descriptor, data, length, offset);
    if (written > 0) note_file('W', descriptor, offset, data, written);
    pthread_mutex_unlock(&turn);
    return written;
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    return kind_of(descriptor) ? write_at(descriptor, data, length, offset) : REAL(pwrite64)(descriptor, data, length, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) { return pwrite64(descriptor, data, length, offset); }

/* What the process says on its standard output is an acknowledgement, and has its place in the trace. */
ssize_t write(int descriptor, const void *data, size_t length) {
    if (descriptor == STDOUT_FILENO && trace >= 0) {
        pthread_mutex_lock(&turn);
        note('A', "", 0, data, (int64_t)length);
        pthread_mutex_unlock(&turn);
    }
    if (kind_of(descriptor) != FILE_) return REAL(write)(descriptor, data, length);
    off64_t offset = lseek64(descriptor, 0, SEEK_CUR);
    ssize_t written = write_at(descriptor, data, length, offset);
    if (written > 0) lseek64(descriptor, offset + written, SEEK_SET);
    return written;
}

static int sync_any(int descriptor, int (*real)(int)) {
    if (!kind_of(descriptor)) return real(descriptor);
    pthread_mutex_lock(&turn);
    int result = fails(SYNC) ? -1 : real(descriptor);
    note_file(result ? 'F' : 'S', descriptor, 0, 0, 0);
    pthread_mutex_unlock(&turn);
    return result;
}

int fsync(int descriptor) { return sync_any(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return sync_any(descriptor, REAL(fdatasync)); }

int ftruncate64(int descriptor, off64_t length) {
    if (!kind_of(descriptor)) return REAL(ftruncate64)(descriptor, length);
    pthread_mutex_lock(&turn);
    int result = fails(TRUNCATE) ? -1 : REAL(ftruncate64)(descriptor, length);
    if (result == 0) note_file('T', descriptor, length, 0, 0);
    pthread_mutex_unlock(&turn);
    return result;
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int unlink(const char *path) {
    if (!is_watched(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&turn);
    int result = REAL(unlink)(path);
    if (result == 0 && !strstr(path, "-shm")) note('U', name_of(path), 0, 0, 0);
    pthread_mutex_unlock(&turn);
    return result;
}

/* --- steering --------------------------------------------------------------------------------------------------------------- */

void disk_watch(const char *path) { strncpy(watched, path, sizeof watched - 1); }

void disk_record(const char *path) { trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0600); }

/* Of the calls of these kinds, `after` succeed and `times` fail (below zero: all), with `error`; or by turns having
   written half, and with it. */
void disk_fail(int kinds, long after, long times, int error, int writes_half) {
    pthread_mutex_lock(&turn);
    failing = kinds, before = after, left = times, error_number = error, is_short = writes_half;
    was_short = 0, calls = 0;
    pthread_mutex_unlock(&turn);
}

/* Since it was told to fail. */
long disk_calls(void) { return calls; }
