/* A disk that fails on command: preloaded (LD_PRELOAD) into a process, it stands between it and the C library.
 *
 * It counts each call that changes a file below FAULTY_FOLDER (a step), writes what the call does to FAULTY_TRACE, and
 * does what the last command written to the file FAULTY_CONTROL says:
 *
 *   off                       nothing fails
 *   kill before|after N       the process is killed (SIGKILL) before or after step N
 *   tear half|sector N        step N, where it is a write, writes its first half or 512 bytes; then the process is killed
 *   fail EIO|ENOSPC once|on N step N fails, alone or with all that follow; a full disk fails writes and new files only
 *   sync once|on N            the N-th sync (fsync, fdatasync) fails with EIO, alone or with all that follow
 *   short N                   step N, where it is a write, writes one byte fewer than asked and says so
 *   reset                     the count begins again
 *   count                     the number of steps so far is written into the control file
 *
 * N counts from 1 at the last reset. A failed fsync drops nothing here; the trace says that it failed, and of what file.
 *
 * The trace is a sequence of records: a line `KIND INODE A B LENGTH\n`, then LENGTH bytes. Kinds: W write (A offset), T
 * truncate (A new size), S sync, D sync of a folder, F failed sync, C new file, N a name was given (rename, link: bytes are
 * `from\0to`, A is 1 where the old name is gone), U unlink, A what the process said on its standard output. Bytes of W and D
 * are `path\0data`, of the others the path. Calls that go around the C library (system calls of their own) are not seen.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *control;
static int trace = -1;
static long steps, syncs;
static enum { OFF, KILL_BEFORE, KILL_AFTER, TEAR_HALF, TEAR_SECTOR, FAIL_ONCE, FAIL_ON, SYNC_ONCE, SYNC_ON, SHORT } mode;
static long at;
static int fail_with;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off64_t);
static int (*real_rename)(const char *, const char *);
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_unlink)(const char *);
static int (*real_openat)(int, const char *, int, ...);

__attribute__((constructor)) static void begin(void)
{
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_linkat = dlsym(RTLD_NEXT, "linkat");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    folder = getenv("FAULTY_FOLDER");
    control = getenv("FAULTY_CONTROL");
    const char *path = getenv("FAULTY_TRACE");
    if (path)
        trace = real_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static int below(const char *path)
{
    size_t length = folder ? strlen(folder) : 0;
    return length && path && strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* The path of an open file; 0 where it is none below the folder (or the folder itself, which may be synced). */
static int path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return below(path) || (folder && strcmp(path, folder) == 0);
}

static unsigned long inode_of(int fd)
{
    struct stat64 found;
    return fstat64(fd, &found) ? 0 : found.st_ino;
}

static void put(const void *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = real_write(trace, bytes, length);
        if (written <= 0)
            die();
        bytes = (const char *)bytes + written;
        length -= written;
    }
}

static void note(char kind, unsigned long inode, long a, const char *path, const void *data, size_t length)
{
    if (trace < 0)
        return;
    char head[128];
    size_t named = strlen(path) + (data != NULL);
    put(head, snprintf(head, sizeof head, "%c %lu %ld 0 %zu\n", kind, inode, a, named + length));
    put(path, named);
    if (length)
        put(data, length);
}

/* What is in a folder, so that names given by calls that are not seen here are known: `INODE NAME\n` of each file. */
static void note_folder(const char *path)
{
    static char listing[1 << 16];
    size_t used = 0;
    DIR *open = opendir(path);
    for (struct dirent *entry; open && (entry = readdir(open)) && used + 512 < sizeof listing;)
        if (entry->d_type == DT_REG)
            used += snprintf(listing + used, sizeof listing - used, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    if (open)
        closedir(open);
    note('D', 0, 0, path, listing, used);
}

static void command(const char *text, size_t length)
{
    char line[128] = "", what[32] = "", how[32] = "";
    memcpy(line, text, length < sizeof line ? length : sizeof line - 1);
    long number = 0;
    if (strncmp(line, "reset", 5) == 0) {
        steps = syncs = 0;
    } else if (strncmp(line, "count", 5) == 0) {
        char told[32];
        int fd = real_openat(AT_FDCWD, control, O_WRONLY | O_TRUNC | O_CLOEXEC);
        real_write(fd, told, snprintf(told, sizeof told, "%ld", steps));
        close(fd);
    } else if (sscanf(line, "kill %31s %ld", what, &number) == 2) {
        mode = strcmp(what, "before") == 0 ? KILL_BEFORE : KILL_AFTER;
    } else if (sscanf(line, "tear %31s %ld", what, &number) == 2) {
        mode = strcmp(what, "half") == 0 ? TEAR_HALF : TEAR_SECTOR;
    } else if (sscanf(line, "fail %31s %31s %ld", what, how, &number) == 3) {
        fail_with = strcmp(what, "EIO") == 0 ? EIO : ENOSPC;
        mode = strcmp(how, "once") == 0 ? FAIL_ONCE : FAIL_ON;
    } else if (sscanf(line, "sync %31s %ld", how, &number) == 2) {
        mode = strcmp(how, "once") == 0 ? SYNC_ONCE : SYNC_ON;
    } else if (sscanf(line, "short %ld", &number) == 1) {
        mode = SHORT;
    } else {
        mode = OFF;
    }
    if (number)
        at = number;
}

/* Counts a step and kills or fails as commanded; 0 where the call may go on. */
static int step(int allocates)
{
    steps++;
    if (mode == KILL_BEFORE && steps == at)
        die();
    int due = (mode == FAIL_ONCE && steps == at) || (mode == FAIL_ON && steps >= at);
    if (due && (fail_with == EIO || allocates)) {
        errno = fail_with;
        return -1;
    }
    return 0;
}

static void after(void)
{
    if (mode == KILL_AFTER && steps == at)
        die();
}

static ssize_t write_at(int fd, const char *path, const void *data, size_t length, off64_t offset, int moves)
{
    if (step(1))
        return -1;
    size_t enough = length;
    int torn = steps == at && (mode == TEAR_HALF || mode == TEAR_SECTOR);
    if (torn)
        enough = mode == TEAR_HALF ? length / 2 : length < 512 ? length : 512;
    if (steps == at && mode == SHORT && length > 1)
        enough = length - 1;
    ssize_t written = moves ? real_write(fd, data, enough) : real_pwrite(fd, data, enough, offset);
    if (torn)
        die();
    int kept = errno;
    if (written > 0)
        note('W', inode_of(fd), offset, path, data, written);
    errno = kept;
    after();
    return written;
}

ssize_t write(int fd, const void *data, size_t length)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    ssize_t written;
    if (fd == 1 && length > 4 && memmem(data, length, "ack ", 4)) {
        written = real_write(fd, data, length);
        note('A', 0, 0, "", data, length);
    } else if (path_of(fd, path)) {
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        written = write_at(fd, path, data, length, lseek64(fd, 0, appends ? SEEK_END : SEEK_CUR), 1);
    } else if (control && strcmp(path, control) == 0) {
        command(data, length);
        written = length;
    } else {
        written = real_write(fd, data, length);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    ssize_t written = path_of(fd, path) ? write_at(fd, path, data, length, offset, 0) : real_pwrite(fd, data, length, offset);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return pwrite64(fd, data, length, offset);
}

/* One after the other: fewer bytes than asked for is an answer that every caller must understand. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len > 0)
            return write(fd, parts[part].iov_base, parts[part].iov_len);
    return 0;
}

static int sync_of(int fd, int (*real)(int))
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int done;
    if (path_of(fd, path)) {
        struct stat64 found;
        int is_folder = fstat64(fd, &found) == 0 && S_ISDIR(found.st_mode);
        done = step(0) ? -1 : real(fd);
        syncs++;
        if ((mode == SYNC_ONCE && syncs == at) || (mode == SYNC_ON && syncs >= at)) {
            errno = EIO;
            done = -1;
        }
        int kept = errno;
        if (done == 0 && is_folder)
            note_folder(path);
        else
            note(done ? 'F' : 'S', found.st_ino, 0, path, NULL, 0);
        errno = kept;
        after();
    } else {
        done = real(fd);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int fsync(int fd) { return sync_of(fd, real_fsync); }
int fdatasync(int fd) { return sync_of(fd, real_fdatasync); }

int ftruncate64(int fd, off64_t length)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int ours = path_of(fd, path), done = ours ? step(0) : 0;
    if (done == 0)
        done = real_ftruncate(fd, length);
    int kept = errno;
    if (ours && done == 0) {
        note('T', inode_of(fd), length, path, NULL, 0);
        after();
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int name(const char *from, const char *to, int old_goes, int from_folder, int to_folder, int flags)
{
    pthread_mutex_lock(&lock);
    int ours = below(to) || below(from), done = ours ? step(!old_goes) : 0;
    if (done == 0)
        done = old_goes ? real_rename(from, to) : real_linkat(from_folder, from, to_folder, to, flags);
    int kept = errno;
    if (ours && done == 0) {
        note('N', 0, old_goes, from, to, strlen(to));
        after();
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int rename(const char *from, const char *to) { return name(from, to, 1, AT_FDCWD, AT_FDCWD, 0); }
int link(const char *from, const char *to) { return name(from, to, 0, AT_FDCWD, AT_FDCWD, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    return name(from, to, 0, from_folder, to_folder, flags);
}

int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    int ours = below(path), done = ours && access(path, F_OK) == 0 ? step(0) : 0;
    if (done == 0)
        done = real_unlink(path);
    int kept = errno;
    if (ours && done == 0) {
        note('U', 0, 0, path, NULL, 0);
        after();
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int openat64(int at_folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (!below(path) || !(flags & (O_CREAT | O_TRUNC)))
        return real_openat(at_folder, path, flags, permissions);
    pthread_mutex_lock(&lock);
    int is_new = access(path, F_OK) != 0;
    int counts = is_new || flags & O_TRUNC;
    int fd = counts && step(is_new) ? -1 : real_openat(at_folder, path, flags, permissions);
    int kept = errno;
    if (fd >= 0 && counts) {
        note(is_new ? 'C' : 'T', inode_of(fd), 0, path, NULL, 0);
        after();
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

int openat(int at_folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat64(at_folder, path, flags, permissions);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat64(AT_FDCWD, path, flags, permissions);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat64(AT_FDCWD, path, flags, permissions);
}

/* Copying inside the kernel is refused, so that the caller copies by reading and writing. */
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags)
{
    (void)from, (void)from_at, (void)to, (void)to_at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int to, int from, off64_t *at_offset, size_t length)
{
    (void)to, (void)from, (void)at_offset, (void)length;
    errno = EINVAL;
    return -1;
}
