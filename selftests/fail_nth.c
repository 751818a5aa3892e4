// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_nth.h"
#include "kselftest.h"
#include "tun_test.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	DEBUGFS "/failslab"
#define FAIL_PAGE	DEBUGFS "/fail_page_alloc"
#define CACHES		"/sys/kernel/slab"

struct attempt {
	struct fail_nth *result;
	int nth;
	int (*call)(void *arg);
	void *arg;
	int err;
};

bool fail_nth_possible(void)
{
	return !access(FAIL_NTH, F_OK);
}

/* Marks the caches whose allocations can fail. */
static int mark_caches(void)
{
	char path[sizeof(CACHES) + 300];
	struct dirent *entry;
	DIR *dir = opendir(CACHES);

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || !strncmp(name, "kmemleak", 8) ||
		    !strncmp(name, "debug_objects", 13))
			continue;
		snprintf(path, sizeof(path), CACHES "/%s/failslab", name);
		/* Not one that is merged with others. */
		write_file(path, "1");
	}
	closedir(dir);
	return 0;
}

int fail_nth_all_kinds(void)
{
	static const struct {
		const char *file, *value;
	} set[] = {
		{ FAILSLAB "/ignore-gfp-wait", "N" },
		{ FAILSLAB "/verbose", "0" },
		{ FAIL_PAGE "/ignore-gfp-wait", "N" },
		{ FAIL_PAGE "/ignore-gfp-highmem", "N" },
		{ FAIL_PAGE "/min-order", "0" },
		{ FAIL_PAGE "/verbose", "0" },
		/* Last: it says that all this is done. */
		{ FAILSLAB "/cache-filter", "Y" },
	};
	char done[8];
	size_t i;
	int err;

	err = read_file(FAILSLAB "/cache-filter", done, sizeof(done));
	if (err < 0 || done[0] == 'Y')
		return err < 0 ? err : 0;
	err = mark_caches();
	for (i = 0; !err && i < ARRAY_SIZE(set); i++)
		err = write_file(set[i].file, set[i].value);
	return err;
}

static void *attempt_main(void *arg)
{
	struct attempt *attempt = arg;
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	char nth[16], left[16] = "";
	ssize_t len = snprintf(nth, sizeof(nth), "%d", attempt->nth);

	if (fd < 0 || pwrite(fd, nth, len, 0) != len) {
		attempt->err = -errno;
		return NULL;
	}
	attempt->result->ret = attempt->call(attempt->arg);
	len = pread(fd, left, sizeof(left) - 1, 0);
	if (len <= 0 || pwrite(fd, "0", 1, 0) != 1)
		attempt->err = -EIO;
	attempt->result->failed = !atoi(left);
	close(fd);
	return NULL;
}

int fail_nth_call(struct fail_nth *result, int nth, int (*call)(void *arg),
		  void *arg)
{
	struct attempt attempt = {
		.result = result,
		.nth = nth,
		.call = call,
		.arg = arg,
	};
	pthread_t thread;
	int err;

	err = -pthread_create(&thread, NULL, attempt_main, &attempt);
	if (!err)
		pthread_join(thread, NULL);
	return err ? err : attempt.err;
}
