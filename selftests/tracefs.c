// SPDX-License-Identifier: GPL-2.0-only
/* A trace instance of the test's own: see tracefs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracefs.h"
#include "tun_test.h"

/* The program's namespace has a sysfs of its own, without what is mounted. */
int tracefs_new(struct tracefs *t)
{
	int err;

	if (mount("tracefs", TRACEFS_ROOT, "tracefs", 0, NULL) &&
	    errno != EBUSY)
		return -errno;
	snprintf(t->dir, sizeof(t->dir), TRACEFS_ROOT "/instances/rtun-%d",
		 getpid());
	if (mkdir(t->dir, 0700))
		return -errno;
	err = tracefs_write(t, "trace_clock", "global");
	return err;
}

int tracefs_write(const struct tracefs *t, const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	return write_file(path, text);
}

/* What was traced since the last call: how many bytes. */
int tracefs_take(const struct tracefs *t, char *buf, size_t size)
{
	size_t len = 0;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/trace_pipe", t->dir);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n <= 0)
			break;
		len += n;
	}
	buf[len] = '\0';
	close(fd);
	return len;
}

void tracefs_delete(const struct tracefs *t)
{
	rmdir(t->dir);
}
