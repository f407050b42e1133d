/* Ends, or fails, a process at a chosen input/output call.
 *
 * Preloaded into a test's child. Calls are counted from shim_arm on: those on regular files below one directory and those
 * on sockets. At call `at` the process is killed before or after it, or the call fails with an error number, once or from
 * then on. With a shadow directory the disk forgets, too: a file there holds what the last fsync of it left, and at the
 * kill, with `tear`, a random part of the writes since, sector by sector.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FILES = 1, SOCKETS = 2 };
enum { KILL_BEFORE = 0, KILL_AFTER = 1, FAIL_ONCE = 2, FAIL_FOREVER = 3, SHORT_ONCE = 4 };
enum { SECTOR = 512 };

struct unsynced {
  struct unsynced *next;
  char path[PATH_MAX];
  off_t offset;
  size_t length;
  char data[];
};

static volatile int armed;
static long calls, stop_at;
static int told = -1;
static int action, error_number, counted, failing;
static char below[PATH_MAX], shadow[PATH_MAX];
static unsigned tear;
static struct unsynced *pending;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)                       \
  static type (*real)(__VA_ARGS__);                 \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

void shim_arm(long at, int what, int kinds, int hit, int number, const char *directory, const char *kept, unsigned torn) {
  snprintf(below, sizeof below, "%s", directory);
  snprintf(shadow, sizeof shadow, "%s", kept);
  calls = 0, stop_at = at, action = what, counted = kinds, failing = hit, error_number = number, tear = torn;
  armed = 1;
}

/* From now on every counted call is told to `fd`: its number, its name, and the first line of what is sent or the name of
 * the file that is synced. */
void shim_tell(int fd) { told = fd; }

static void tell(long number, const char *name, const char *data, size_t length) {
  int fails_with = errno;
  size_t shown = 0;
  if (told < 0 || !number) return;
  while (data && shown < length && shown < 100 && data[shown] >= ' ' && data[shown] <= '~') shown++;
  dprintf(told, "%ld %s %.*s\n", number, name, (int)shown, data ? data : "");
  errno = fails_with;
}

long shim_disarm(void) {
  armed = 0;
  return calls;
}

/* The path of a descriptor if it is a regular file below the directory. */
static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strncmp(path, below, strlen(below)) == 0;
}

static int is_socket(int fd) {
  struct stat told;
  return fstat(fd, &told) == 0 && S_ISSOCK(told.st_mode);
}

static void shadow_of(const char *path, char *out) {
  int at = snprintf(out, PATH_MAX, "%s/", shadow);
  for (const char *c = path + strlen(below) + 1; *c && at < PATH_MAX - 1; c++) out[at++] = *c == '/' ? '%' : *c;
  out[at] = 0;
}

static void forget(const char *path) {
  for (struct unsynced **at = &pending; *at;) {
    struct unsynced *one = *at;
    if (strcmp(one->path, path) == 0) {
      *at = one->next;
      free(one);
    } else {
      at = &one->next;
    }
  }
}

static void synced(const char *path) {
  char to[PATH_MAX], buffer[1 << 16];
  REAL(ssize_t, "write", int, const void *, size_t);
  if (!*shadow) return;
  shadow_of(path, to);
  int in = open(path, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (ssize_t got; in >= 0 && out >= 0 && (got = read(in, buffer, sizeof buffer)) > 0;)
    if (real(out, buffer, got) != got) abort();
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  forget(path);
}

static void written(const char *path, const void *data, size_t length, off_t offset) {
  if (!*shadow || !tear) return;
  struct unsynced *one = malloc(sizeof *one + length);
  snprintf(one->path, sizeof one->path, "%s", path);
  one->offset = offset, one->length = length, one->next = NULL;
  memcpy(one->data, data, length);
  struct unsynced **end = &pending;
  while (*end) end = &(*end)->next;
  *end = one;
}

/* A random subset of what was not synced has reached the disk all the same, in sectors. */
static void tear_up(void) {
  char to[PATH_MAX];
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  unsigned state = tear;
  for (struct unsynced *one = pending; one; one = one->next) {
    shadow_of(one->path, to);
    int out = open(to, O_WRONLY | O_CREAT, 0600);
    for (size_t at = 0; out >= 0 && at < one->length; at += SECTOR) {
      size_t part = one->length - at < SECTOR ? one->length - at : SECTOR;
      if (rand_r(&state) & 1)
        if (real(out, one->data + at, part, one->offset + at) < 0) abort();
    }
    if (out >= 0) close(out);
  }
}

static void die(void) {
  armed = 0;
  if (tear) tear_up();
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What is to happen to this call: 0 nothing, -1 it fails, 1 it is cut short. Sets *mine to its number. */
static int boundary(int kind, long *mine) {
  *mine = 0;
  if (!armed || !(counted & kind)) return 0;
  pthread_mutex_lock(&lock);
  long number = *mine = ++calls;
  if (action == KILL_BEFORE && number == stop_at) die();
  pthread_mutex_unlock(&lock);
  if (!(failing & kind)) return 0;
  if (action == SHORT_ONCE) return number == stop_at;
  int fails = action == FAIL_ONCE ? number == stop_at : action == FAIL_FOREVER && number >= stop_at;
  if (fails) errno = error_number;
  return -fails;
}

static void after(long mine) {
  if (mine && armed && action == KILL_AFTER && mine == stop_at) {
    pthread_mutex_lock(&lock);
    die();
  }
}

#define LOCKED(statement)        \
  do {                           \
    pthread_mutex_lock(&lock);   \
    statement;                   \
    pthread_mutex_unlock(&lock); \
  } while (0)

/* A connection that was reset is over for both ends: nobody waits on it for what will not come. */
static int broken(int fd) {
  int number = errno;
  if (number == ECONNRESET) shutdown(fd, SHUT_RDWR);
  errno = number;
  return -1;
}

static ssize_t file_write(int fd, const void *data, size_t length, off_t offset, int positioned) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  static ssize_t (*plain)(int, const void *, size_t);
  if (!plain) plain = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  char path[PATH_MAX];
  long mine = 0;
  int kind = !armed ? 0 : path_of(fd, path) ? FILES : is_socket(fd) ? SOCKETS : 0;
  int fate = kind ? boundary(kind, &mine) : 0;
  tell(mine, "write", kind == SOCKETS ? data : NULL, length);
  if (fate < 0) return kind == SOCKETS ? broken(fd) : -1;
  if (fate > 0 && kind == FILES) length = length / 2 ? length / 2 : 1;
  off_t place = positioned ? offset : kind == FILES ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t done = positioned ? real(fd, data, length, offset) : plain(fd, data, length);
  if (kind == FILES && done > 0) LOCKED(written(path, data, done, place));
  after(mine);
  return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) { return file_write(fd, data, length, offset, 1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return file_write(fd, data, length, offset, 1); }
ssize_t write(int fd, const void *data, size_t length) { return file_write(fd, data, length, 0, 0); }

static int sync_with(int (*real)(int), int fd) {
  char path[PATH_MAX];
  long mine = 0;
  int ours = armed && path_of(fd, path);
  int fate = ours ? boundary(FILES, &mine) : 0;
  const char *name = ours ? strrchr(path, '/') + 1 : "";
  tell(mine, "fsync", name, strlen(name));
  if (fate < 0) return -1;
  int done = real(fd);
  if (ours && done == 0) LOCKED(synced(path));
  after(mine);
  return done;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return sync_with(real, fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return sync_with(real, fd);
}

int ftruncate64(int fd, off_t length) {
  REAL(int, "ftruncate64", int, off_t);
  char path[PATH_MAX];
  long mine = 0;
  int fate = armed && path_of(fd, path) ? boundary(FILES, &mine) : 0;
  tell(mine, "ftruncate", NULL, 0);
  if (fate < 0) return -1;
  int done = real(fd, length);
  after(mine);
  return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *name) {
  REAL(int, "unlink", const char *);
  char kept[PATH_MAX];
  long mine = 0;
  int ours = armed && strncmp(name, below, strlen(below)) == 0;
  int fate = ours ? boundary(FILES, &mine) : 0;
  tell(mine, "unlink", NULL, 0);
  if (fate < 0) return -1;
  int done = real(name);
  if (ours && done == 0 && *shadow) {
    shadow_of(name, kept);
    real(kept);
    LOCKED(forget(name));
  }
  after(mine);
  return done;
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  char old[PATH_MAX], new[PATH_MAX];
  long mine = 0;
  int ours = armed && strncmp(to, below, strlen(below)) == 0;
  int fate = ours ? boundary(FILES, &mine) : 0;
  tell(mine, "rename", NULL, 0);
  if (fate < 0) return -1;
  int done = real(from, to);
  if (ours && done == 0 && *shadow) {
    shadow_of(from, old);
    shadow_of(to, new);
    real(old, new);
  }
  after(mine);
  return done;
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
  REAL(ssize_t, "send", int, const void *, size_t, int);
  long mine;
  int fate = boundary(SOCKETS, &mine);
  tell(mine, "send", data, length);
  if (fate < 0) return broken(fd);
  ssize_t done = real(fd, data, length, flags);
  after(mine);
  return done;
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
  REAL(ssize_t, "recv", int, void *, size_t, int);
  long mine;
  int fate = boundary(SOCKETS, &mine);
  tell(mine, "recv", NULL, 0);
  if (fate < 0) return broken(fd);
  ssize_t done = real(fd, data, length, flags);
  after(mine);
  return done;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  REAL(int, "connect", int, const struct sockaddr *, socklen_t);
  long mine;
  int fate = boundary(SOCKETS, &mine);
  tell(mine, "connect", NULL, 0);
  if (fate < 0) return -1;
  int done = real(fd, address, length);
  after(mine);
  return done;
}
